"""The calls of a message format, declared so that a response template reads each text of them as the call that was written.

A template says how calls are read, and leaves open how they are written: an example, a message as the chat template renders it, shows that,
if the template reads the example as the call that it is; else the shortest delimiters are taken. Then a declaration is checked on texts
made of it: what opens a call must match there and nowhere before, and must not extend into the arguments. Knows nothing of other fields,
nor of how arguments are written.

>>> rules = {"open": "<call>", "close": "</call>", "content": "json", "transform": {"function": "{content}"}}
>>> ResponseCalls(rules, PROBE_CALL, "").declaration()["call"]
'<call>{"name": "{name}", "arguments": {arguments}}</call>'
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import regex

from rellm_agents.formats.messages import TOOL_NAME_REGEX, ToolCall
from rellm_agents.formats.response_template.call_content import CALLS, CallContent
from rellm_agents.formats.response_template.delimiter_regex import DelimiterRegex, refusal
from rellm_agents.formats.template import Template
from rellm_agents.patterns import CharSet, Node, characters, intersection, literal, read_regex, sequence

PROBE_CALL = ToolCall("probe_tool", {"probe_key": "probe value"})

_PLACEHOLDER = re.compile(r"\{(\w+(?:\.\w+)*)\}")
_PLAIN = '{"a": "b", "c": {"d": [1, {}], "e": ["f", true, null, [2.5]]}, "g": [{"h": []}, -1]}'


class ResponseCalls:
    """The field of calls.

    Args:
        rules: of the field.
        probe: a call.
        rendered: a message with that call, as the chat template renders it; may be empty.

    Attributes:
        open, close: the delimiters around a call, or around a list of them.

    Raises:
        FormatError: calls are read in a way that no format here writes: names the JSON pointer.
    """

    def __init__(self, rules: Mapping[str, Any], probe: ToolCall, rendered: str) -> None:
        self._rules, self._probe = rules, probe
        open_ = DelimiterRegex.of(CALLS, rules, "open")
        if open_ is None:
            raise refusal(CALLS, "no delimiter opens a call")
        self.open, self.close = open_, DelimiterRegex.of(CALLS, rules, "close")
        if "join" in rules:
            raise refusal(f"{CALLS}/join", "calls are no texts to be joined")
        self._is_list = bool(rules.get("transform_each"))
        if self._is_list and rules.get("repeats"):
            raise refusal(f"{CALLS}/repeats", "with transform_each it makes lists of lists")
        self._name, self._path = self._sources()
        self._example = [] if self._is_list else self._find_calls(rendered)

    def _sources(self) -> tuple[str | tuple[str, ...], tuple[str, ...]]:
        """The source of a call's name, a named group or a path in the content, and the path of its arguments in the content."""
        transform = self._rules.get("transform", "{content}")
        function = _step(transform, "function") if isinstance(transform, dict) and "function" in transform else transform
        name, arguments = (self._source(_step(function, step)) for step in ("name", "arguments"))
        if name is None or not isinstance(arguments, tuple):
            raise refusal(f"{CALLS}/transform", 'it does not say where a call has its "name" and its "arguments"')
        return name, arguments

    def _source(self, value: Any) -> str | tuple[str, ...] | None:
        found = _PLACEHOLDER.fullmatch(value) if isinstance(value, str) else None
        if not found:
            return None
        root, *steps = found[1].split(".")
        if root in self.open.compiled.groupindex and not steps:
            return root
        return (root, *steps) if self._is_list else tuple(steps) if root == "content" else None

    def _find_calls(self, rendered: str) -> list[tuple[regex.Match[str], regex.Match[str]]]:
        """The delimiters around each call of the example."""
        found = []
        for begin in self.open.compiled.finditer(rendered):
            end = self.close.compiled.search(rendered, begin.end()) if self.close else None
            is_it = not isinstance(self._name, str) or begin[self._name] == self._probe.name
            if end and is_it and all(str(value) in rendered[begin.end() : end.start()] for value in self._probe.arguments.values()):
                found.append((begin, end))
        return found

    @property
    def before(self) -> str:
        """The white space between the content of the example and its first call."""
        if not self._example:
            return ""
        begin = self._example[0][0]
        until = begin.string[: begin.start() + len(self._space(0))]
        return until[len(until.rstrip()) :]

    def _space(self, number: int) -> str:
        """The white space before a call of the example that its opening delimiter takes, so that it is not read as content."""
        if len(self._example) <= number:
            return ""
        begin = self._example[number][0]
        is_next = not number or begin.start() == self._example[number - 1][1].end()
        return begin[0][: -len(begin[0].lstrip())] if is_next and self.open.compiled.fullmatch(begin[0].lstrip()) else ""

    def _opening(self) -> str:
        """The text that opens a call, with ``{name}`` if the name is in it."""
        group = self._name if isinstance(self._name, str) else None
        if not self._example:
            return self.open.shortest({group: "{name}"} if group else None)
        begin = self._example[0][0]
        text = begin[0]
        if group:
            first, last = (at - begin.start() for at in begin.span(group))
            text = f"{text[:first]}{{name}}{text[last:]}"
        return text[len(self._space(0)) :]

    def declaration(self) -> dict[str, Any]:
        """The keys of a declaration that concern calls."""
        opening = self._opening()
        closing = self._example[0][1][0] if self._example else self.close.shortest() if self.close else ""
        begin, end = self._example[0] if self._example else (None, None)
        inner = begin.string[begin.end() : end.start()] if begin and end else ""
        parser, options = self._rules.get("content", "text"), self._rules.get("content_args", {})
        content = CallContent(parser, options, self._probe, self._name, self._path, self.close)
        inside, found = content.declaration(inner)
        found["by_types"] = True
        if isinstance(self._name, str):
            found["tool_name_regex"] = self.open.group(self._name)
        self._check(opening, f"[{inside}]" if self._is_list else inside, closing, found)
        if self._is_list:
            return {**found, "call": inside, "calls": {"begin": f"{opening}[", "between": ", ", "end": f"]{closing}"}}
        several = {"calls": {"between": self._space(1)}} if self._rules.get("repeats") and self.close else {}
        return {**found, "call": f"{opening}{inside}{closing}", **several}

    def _check(self, opening: str, inside: str, closing: str, found: Mapping[str, Any]) -> None:
        """Raise if a delimiter would not be found where it stands, or elsewhere."""
        argument, quote = found.get("argument_template"), found.get("quote")
        template = Template.of(f"{opening}{inside}{closing}")
        if template.slots != ("name", "arguments"):
            raise refusal(CALLS, f"its delimiters hold a text that would be taken for a slot: {template.text!r}")
        before, slot, after = opening.partition("{name}")
        texts = literal(opening)
        if slot and isinstance(self._name, str):
            name = intersection(read_regex(TOOL_NAME_REGEX), read_regex(self.open.group(self._name) or ""))
            texts = sequence(literal(before), name, literal(after))
        following = _firsts(inside, closing, argument)
        if self.open.can_extend(texts, following):
            raise refusal(self.open.pointer, f"what it matches may extend beyond {opening!r} into the arguments")
        plain = re.sub(r'"(\w)": ', r"\1:", _PLAIN).replace(", ", ",").replace('"', quote) if quote else _PLAIN
        plain = Template.of(argument).fill({"key": "a", "value": plain}) if argument else plain
        one = template.fill({"name": self._probe.name, "arguments": plain})
        text = one + self._space(1) + one if self._rules.get("repeats") else one
        begin = self.open.compiled.search(text)
        is_name = begin and (not isinstance(self._name, str) or begin[self._name] == self._probe.name)
        if not begin or not is_name or begin[0] != opening.replace("{name}", self._probe.name):
            raise refusal(self.open.pointer, f"what it matches in {text!r} is not the beginning of that call")
        if self.close is None:
            return
        end = self.close.compiled.search(text, begin.end())
        is_it = end and end.end() == len(one) and end[0].strip() == closing.strip()
        if not is_it or self.close.overlaps(template.delimiters[-1]):
            raise refusal(self.close.pointer, f"what it matches in {text!r} is not the end of that call")


def _firsts(inside: str, closing: str, argument: str | None) -> Node:
    """The characters that may stand first after the text that opens a call."""
    found, rest = "", inside + closing
    if rest.startswith("{arguments}"):
        found, rest = argument[0] if argument else "{", rest.removeprefix("{arguments}")
    if argument or not found:  # there may be no arguments at all
        found += rest[:1]
    return characters(CharSet.of(found))


def _step(value: Any, step: str) -> Any:
    """The value at a step of a transform."""
    match value:
        case dict():
            return value.get(step)
        case str() if found := _PLACEHOLDER.fullmatch(value):
            return f"{{{found[1]}.{step}}}"
    return None
