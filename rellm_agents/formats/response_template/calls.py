"""The field of calls of a response template in, what the declaration of a message format says of calls out.

How calls are read leaves open how they are written: an example, a message as the chat template shows it, says that, as far as what it
shows is read as the call that it is; else the shortest words are taken.

>>> rules = {"open": "<call>", "close": "</call>", "content": "json", "transform": {"function": "{content}"}}
>>> ResponseCalls(rules, PROBE_CALL, "").declared()["call"]
'<call>{"name": "{name}", "arguments": {arguments}}</call>'
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import regex

from rellm_agents.formats.messages import TOOL_NAME_REGEX, ToolCall
from rellm_agents.formats.response_template.delimiter_regex import Mark, refusal
from rellm_agents.formats.template import Template
from rellm_agents.json_schema.text import dumps
from rellm_agents.patterns import EMPTY, CharSet, Node, characters, intersection, literal, read_regex, sequence

CALLS = "tool_calls"
PROBE_CALL = ToolCall("probe_tool", {"probe_key": "probe value"})

_PLACEHOLDER = re.compile(r"\{(\w+(?:\.\w+)*)\}")
_PLAIN = '{"a": "b", "c": {"d": [1, {}], "e": ["f", true, null, [2.5]]}, "g": [{"h": []}, -1]}'
_OF_JSON = frozenset('{}[],:" 0123456789+-.eEtrufalsn')
"""Characters of JSON outside of strings."""


class ResponseCalls:
    """The field of calls.

    Args:
        rules: of the field.
        probe: a call.
        shown: a message with that call, as it is shown.

    Attributes:
        open, close: what stands around a call, or around a list of them.

    Raises:
        FormatError: calls are read in a way that no format here writes: names the place.
    """

    def __init__(self, rules: Mapping[str, Any], probe: ToolCall, shown: str) -> None:
        self._rules, self._arguments, self._probe = rules, rules.get("content_args", {}), probe
        open_ = Mark.of(CALLS, rules, "open")
        if open_ is None:
            raise refusal(CALLS, "calls begin with nothing that marks them")
        self.open, self.close = open_, Mark.of(CALLS, rules, "close")
        if "join" in rules:
            raise refusal(f"{CALLS}/join", "calls are no texts to be joined")
        self._is_list = bool(rules.get("transform_each"))
        if self._is_list and rules.get("repeats"):
            raise refusal(f"{CALLS}/repeats", "with transform_each it makes lists of lists")
        self._name, self._path = self._sources()
        self._shown = [] if self._is_list else self._shown_calls(shown)

    def _sources(self) -> tuple[str | tuple[str, ...], tuple[str, ...]]:
        """Where the name of a call comes from, a group or a path in what is read, and the path of its arguments."""
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

    def _shown_calls(self, shown: str) -> list[tuple[regex.Match[str], regex.Match[str]]]:
        """Where the calls of the example begin and end."""
        found = []
        for begin in self.open.compiled.finditer(shown):
            end = self.close.compiled.search(shown, begin.end()) if self.close else None
            is_it = not isinstance(self._name, str) or begin[self._name] == self._probe.name
            if end and is_it and all(str(value) in shown[begin.end() : end.start()] for value in self._probe.arguments.values()):
                found.append((begin, end))
        return found

    @property
    def before(self) -> str:
        """White space between the content of the example and its first call."""
        if not self._shown:
            return ""
        begin = self._shown[0][0]
        until = begin.string[: begin.start() + len(self._blank(0))]
        return until[len(until.rstrip()) :]

    def _blank(self, number: int) -> str:
        """White space before a call of the example that is part of what opens it, so that it is not read as content."""
        if len(self._shown) <= number:
            return ""
        begin = self._shown[number][0]
        is_next = not number or begin.start() == self._shown[number - 1][1].end()
        return begin[0][: -len(begin[0].lstrip())] if is_next and self.open.compiled.fullmatch(begin[0].lstrip()) else ""

    def _opening(self) -> str:
        """What opens a call, with the place of its name."""
        group = self._name if isinstance(self._name, str) else None
        if not self._shown:
            return self.open.shortest({group: "{name}"} if group else None)
        begin = self._shown[0][0]
        text = begin[0]
        if group:
            first, last = (at - begin.start() for at in begin.span(group))
            text = f"{text[:first]}{{name}}{text[last:]}"
        return text[len(self._blank(0)) :]

    def declared(self) -> dict[str, Any]:
        """What a declaration says of calls."""
        opening = self._opening()
        closing = self._shown[0][1][0] if self._shown else self.close.shortest() if self.close else ""
        begin, end = self._shown[0] if self._shown else (None, None)
        inner = begin.string[begin.end() : end.start()] if begin and end else ""
        match self._rules.get("content", "text"):
            case "json" if self._arguments.get("unquoted_keys"):
                words, found = self._bare()
            case "json":
                words, found = self._json(inner)
            case "xml-inline":
                words, found = self._tagged(*self._tag(inner))
            case "kv-lines":
                if not self._arguments.get("strip", True):
                    raise refusal(f"{CALLS}/content_args/strip", "lines are written with white space around names and values")
                line, colon = self._arguments.get("line_sep", "\n"), self._arguments.get("kv_sep", ":")
                if colon != colon.strip():
                    raise refusal(f"{CALLS}/content_args/kv_sep", "white space at its ends is stripped with the line")
                if self.close and self.close.takes_blank and line.strip() and line != line.rstrip():
                    raise refusal(f"{CALLS}/content_args/line_sep", "white space at its end may be taken for that of what closes a call")
                words, found = self._tagged("", f"{{key}}{colon} {{value}}{line}")
            case other:
                raise refusal(f"{CALLS}/content", f"the arguments of a call cannot be read as {other!r}")
        found["by_types"] = True
        if isinstance(self._name, str):
            found["names"] = self.open.group(self._name)
        self._check(opening, f"[{words}]" if self._is_list else words, closing, found)
        if self._is_list:
            return {**found, "call": words, "calls": {"begin": f"{opening}[", "between": ", ", "end": f"]{closing}"}}
        several = {"calls": {"between": self._blank(1)}} if self._rules.get("repeats") and self.close else {}
        return {**found, "call": f"{opening}{words}{closing}", **several}

    def _check(self, opening: str, words: str, closing: str, found: Mapping[str, Any]) -> None:
        """Refuse what would not be found where it stands."""
        argument, quote = found.get("argument"), found.get("quote")
        template = Template.of(f"{opening}{words}{closing}")
        if template.slots != ("name", "arguments"):
            raise refusal(CALLS, f"its words hold what would be taken for a place to be filled: {template.text!r}")
        before, slot, behind = opening.partition("{name}")
        name = (
            intersection(read_regex(TOOL_NAME_REGEX), read_regex(self.open.group(self._name) or ""))
            if isinstance(self._name, str)
            else EMPTY
        )
        texts = sequence(literal(before), name, literal(behind)) if slot else literal(opening)
        following = _firsts(words, closing, argument)
        if self.open.grows(texts, following):
            raise refusal(self.open.place, f"what it matches may go on behind {opening!r}, into the arguments")
        plain = re.sub(r'"(\w)": ', r"\1:", _PLAIN).replace(", ", ",").replace('"', quote) if quote else _PLAIN
        plain = Template.of(argument).filled({"key": "a", "value": plain}) if argument else plain
        one = template.filled({"name": self._probe.name, "arguments": plain})
        filled = one + self._blank(1) + one if self._rules.get("repeats") else one
        begin = self.open.compiled.search(filled)
        is_name = begin and (not isinstance(self._name, str) or begin[self._name] == self._probe.name)
        if not begin or not is_name or begin[0] != opening.replace("{name}", self._probe.name):
            raise refusal(self.open.place, f"what it matches in {filled!r} is not the beginning of that call")
        if self.close is None:
            return
        end = self.close.compiled.search(filled, begin.end())
        is_it = end and end.end() == len(one) and end[0].strip() == closing.strip()
        if not is_it or self.close.overlaps(template.words[-1]):
            raise refusal(self.close.place, f"what it matches in {filled!r} is not the end of that call")

    def _json(self, inner: str) -> tuple[str, dict[str, Any]]:
        """A JSON object of name and arguments, or of the arguments alone."""
        for whitespace, separators in (("spaced", (", ", ": ")), ("compact", (",", ":"))):
            text = inner.replace(dumps(self._probe.arguments, separators), "{arguments}", 1)
            if not isinstance(self._name, str):
                text = text.replace(dumps(self._probe.name), '"{name}"', 1)
            if self._says_just_a_call(text):
                return text, {"whitespace": whitespace}
        return dumps(self._object("{name}", "{arguments}")).replace('"{arguments}"', "{arguments}"), {}

    def _object(self, name: Any, arguments: Any) -> Any:
        """What is read as the content of a call."""
        if not self._path and isinstance(self._name, str):
            return arguments
        found: dict[str, Any] = {}
        for path, value in ((self._name, name), (self._path, arguments)):
            if isinstance(path, tuple):
                inner = found
                for step in path[:-1]:
                    inner = inner.setdefault(step, {})
                inner[path[-1]] = value
        return found

    def _says_just_a_call(self, text: str) -> bool:
        """Whether the words around name and arguments are read as these, in this order, and as nothing else."""
        if Template.of(text).slots != (("arguments",) if isinstance(self._name, str) else ("name", "arguments")):
            return False
        try:
            return bool(json.loads(Template.of(text).filled({"name": "a", "arguments": '{"b": 1}'})) == self._object("a", {"b": 1}))
        except ValueError:
            return False

    def _bare(self) -> tuple[str, dict[str, Any]]:
        """Arguments whose names stand without quotes."""
        match self._arguments.get("string_delims", []):
            case [[str(quote), str(other)]] if quote == other and not self._path and isinstance(self._name, str) and self.close:
                aside = ["\x01", "\x02"]  # between these the reader puts strings aside
                return "{arguments}", {"arguments": "bare", "quote": quote, "without": aside}
        reason = "unquoted_keys need one kind of string_delims, the same on both sides, a name outside of the content, and a close"
        raise refusal(f"{CALLS}/content_args", reason)

    def _tag(self, inner: str) -> tuple[str, str]:
        """What stands before the arguments, and how one is written."""
        tag = Mark(f"{CALLS}/content_args/tag_pattern", (), self._arguments.get("tag_pattern", ""))
        if set(tag.compiled.groupindex) != {"key", "value"} or tag.group("value") != ".*?":
            raise refusal(tag.place, "it needs the groups 'key' and 'value', no others, and any text as a value: (?P<value>.*?)")
        shown = tag.compiled.search(inner)
        (key, value), *others = self._probe.arguments.items()
        if shown and not others and (shown["key"], shown["value"]) == (key, value):
            pieces = (*shown.span("key"), *shown.span("value"))
            argument = f"{inner[shown.start() : pieces[0]]}{{key}}{inner[pieces[1] : pieces[2]]}{{value}}{inner[pieces[3] :]}"
            return inner[: shown.start()], argument
        return "", tag.shortest({"key": "{key}", "value": "{value}"})

    def _tagged(self, before: str, argument: str) -> tuple[str, dict[str, Any]]:
        """Arguments one by one, typed by their schemas."""
        place, template = f"{CALLS}/content_args", Template.of(argument)
        for option in ("value_parser", "merge_duplicates"):
            if self._arguments.get(option):
                raise refusal(f"{place}/{option}", "values are read by the types of the arguments alone")
        is_all = not self._path and isinstance(self._name, str) and self.close is not None
        if template.slots != ("key", "value") or not template.words[2] or not is_all:
            raise refusal(
                place,
                "arguments are written one by one where each has its name, its value and an end, and nothing else is there",
            )
        end = template.words[2].strip() or template.words[2]
        if Mark(place, (end,), "").overlaps(template.words[2].lstrip() or end) or not set(end) - _OF_JSON:
            raise refusal(place, f"a value may hold what stands behind it, {end!r}")
        slot = {"without": [regex.escape(text) for text in (end, *(self.close.heads if self.close else ()))], "trimmed": True}
        found = {"arguments": "tagged", "argument": argument, "slots": {"argument": slot}, "without": [end]}
        between = template.words[1]
        if end in template.words[0] + between or any(between.endswith(end[:i]) for i in range(1, len(end))):
            raise refusal(place, f"what stands around a name would be taken for the end of a value, {end!r}")
        found["keys"] = f"(?:(?!{regex.escape(end)}).)+"
        if "tag_pattern" in self._arguments:
            tag, values = Mark(place, (), self._arguments["tag_pattern"]), [("a", ""), ("b", "c"), ("d", "")]
            text = "".join(template.filled({"key": key, "value": value}) for key, value in values)
            text = text.rstrip() if self.close and self.close.takes_blank else text
            if [(one["key"], one["value"]) for one in tag.compiled.finditer(text)] != values:
                raise refusal(tag.place, f"in {text!r} it does not match one argument after the other")
            keys = found["keys"] = tag.group("key") or ""
            if Mark(place, (), f".*{regex.escape(between)}.*").meets(read_regex(f"(?s){keys}")):
                raise refusal(place, f"a name may hold what stands behind it, {between!r}")
        return f"{before}{{arguments}}", found


def _firsts(words: str, closing: str, argument: str | None) -> Node:
    """What may stand first behind the beginning of a call."""
    found, rest = "", words + closing
    if rest.startswith("{arguments}"):
        found, rest = argument[0] if argument else "{", rest.removeprefix("{arguments}")
    if argument or not found:  # there may be no arguments at all
        found += rest[:1]
    return characters(CharSet.of(found))


def _step(value: Any, step: str) -> Any:
    """What stands at a step of a transform."""
    match value:
        case dict():
            return value.get(step)
        case str() if found := _PLACEHOLDER.fullmatch(value):
            return f"{{{found[1]}.{step}}}"
    return None
