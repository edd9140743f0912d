"""The calls of a message format, declared so that a response template reads each text of them as the call that was written.

A template says how calls are read, and leaves open how they are written: an example, a message as the chat template renders it, shows that,
if the template reads the example as the call that it is; else the shortest delimiters are taken. Then a declaration is checked on texts
made of it: what opens a call must match there and nowhere before, and must not extend into the arguments. Knows nothing of other fields.

>>> rules = {"open": "<call>", "close": "</call>", "content": "json", "transform": {"function": "{content}"}}
>>> ResponseCalls(rules, PROBE_CALL, "").declaration()["call"]
'<call>{"name": "{name}", "arguments": {arguments}}</call>'
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import regex

from rellm_agents.formats.messages import TOOL_NAME_REGEX, ToolCall
from rellm_agents.formats.response_template.delimiter_regex import DelimiterRegex, refusal
from rellm_agents.formats.template import Template
from rellm_agents.json_schema.text import dumps
from rellm_agents.patterns import EMPTY, CharSet, Node, characters, intersection, literal, read_regex, sequence

CALLS = "tool_calls"
PROBE_CALL = ToolCall("probe_tool", {"probe_key": "probe value"})

_PLACEHOLDER = re.compile(r"\{(\w+(?:\.\w+)*)\}")
_PLAIN = '{"a": "b", "c": {"d": [1, {}], "e": ["f", true, null, [2.5]]}, "g": [{"h": []}, -1]}'
_OF_JSON = frozenset('{}[],:" 0123456789+-.eEtrufalsn')  # characters of JSON outside of strings


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
        self._rules, self._arguments, self._probe = rules, rules.get("content_args", {}), probe
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
        match self._rules.get("content", "text"):
            case "json" if self._arguments.get("unquoted_keys"):
                inside, found = self._bare()
            case "json":
                inside, found = self._json(inner)
            case "xml-inline":
                inside, found = self._tagged(*self._tag(inner))
            case "kv-lines":
                if not self._arguments.get("strip", True):
                    raise refusal(f"{CALLS}/content_args/strip", "lines are written with white space around names and values")
                line, colon = self._arguments.get("line_sep", "\n"), self._arguments.get("kv_sep", ":")
                if colon != colon.strip():
                    raise refusal(f"{CALLS}/content_args/kv_sep", "white space at its ends is stripped with the line")
                if self.close and self.close.absorbs_space and line.strip() and line != line.rstrip():
                    raise refusal(f"{CALLS}/content_args/line_sep", "white space at its end may be taken for that of what closes a call")
                inside, found = self._tagged("", f"{{key}}{colon} {{value}}{line}")
            case other:
                raise refusal(f"{CALLS}/content", f"the arguments of a call cannot be read as {other!r}")
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
        name = (
            intersection(read_regex(TOOL_NAME_REGEX), read_regex(self.open.group(self._name) or ""))
            if isinstance(self._name, str)
            else EMPTY
        )
        texts = sequence(literal(before), name, literal(after)) if slot else literal(opening)
        following = _firsts(inside, closing, argument)
        if self.open.can_extend(texts, following):
            raise refusal(self.open.pointer, f"what it matches may extend beyond {opening!r} into the arguments")
        plain = re.sub(r'"(\w)": ', r"\1:", _PLAIN).replace(", ", ",").replace('"', quote) if quote else _PLAIN
        plain = Template.of(argument).fill({"key": "a", "value": plain}) if argument else plain
        one = template.fill({"name": self._probe.name, "arguments": plain})
        fill = one + self._space(1) + one if self._rules.get("repeats") else one
        begin = self.open.compiled.search(fill)
        is_name = begin and (not isinstance(self._name, str) or begin[self._name] == self._probe.name)
        if not begin or not is_name or begin[0] != opening.replace("{name}", self._probe.name):
            raise refusal(self.open.pointer, f"what it matches in {fill!r} is not the beginning of that call")
        if self.close is None:
            return
        end = self.close.compiled.search(fill, begin.end())
        is_it = end and end.end() == len(one) and end[0].strip() == closing.strip()
        if not is_it or self.close.overlaps(template.delimiters[-1]):
            raise refusal(self.close.pointer, f"what it matches in {fill!r} is not the end of that call")

    def _json(self, inner: str) -> tuple[str, dict[str, Any]]:
        """A JSON object of name and arguments, or of the arguments alone."""
        for whitespace, separators in (("spaced", (", ", ": ")), ("compact", (",", ":"))):
            text = inner.replace(dumps(self._probe.arguments, separators), "{arguments}", 1)
            if not isinstance(self._name, str):
                text = text.replace(dumps(self._probe.name), '"{name}"', 1)
            if self._is_just_a_call(text):
                return text, {"whitespace": whitespace}
        return dumps(self._object("{name}", "{arguments}")).replace('"{arguments}"', "{arguments}"), {}

    def _object(self, name: Any, arguments: Any) -> Any:
        """The JSON value that is read as the content of a call."""
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

    def _is_just_a_call(self, text: str) -> bool:
        """Whether a template of a call is read as a name and arguments, in this order, and as nothing else."""
        if Template.of(text).slots != (("arguments",) if isinstance(self._name, str) else ("name", "arguments")):
            return False
        try:
            return bool(json.loads(Template.of(text).fill({"name": "a", "arguments": '{"b": 1}'})) == self._object("a", {"b": 1}))
        except ValueError:
            return False

    def _bare(self) -> tuple[str, dict[str, Any]]:
        """Arguments whose names have no quotes."""
        match self._arguments.get("string_delims", []):
            case [[str(quote), str(other)]] if quote == other and not self._path and isinstance(self._name, str) and self.close:
                reserved = ["\x01", "\x02"]  # the reader replaces strings by these and a number
                return "{arguments}", {"argument_style": "bare", "quote": quote, "banned_substrings": reserved}
        reason = "unquoted_keys need one kind of string_delims, the same on both sides, a name outside of the content, and a close"
        raise refusal(f"{CALLS}/content_args", reason)

    def _tag(self, inner: str) -> tuple[str, str]:
        """The text before the arguments, and the template of one."""
        tag = DelimiterRegex(f"{CALLS}/content_args/tag_pattern", (), self._arguments.get("tag_pattern", ""))
        if set(tag.compiled.groupindex) != {"key", "value"} or tag.group("value") != ".*?":
            raise refusal(tag.pointer, "it needs the groups 'key' and 'value', no others, and any text as a value: (?P<value>.*?)")
        match = tag.compiled.search(inner)
        (key, value), *others = self._probe.arguments.items()
        if match and not others and (match["key"], match["value"]) == (key, value):
            pieces = (*match.span("key"), *match.span("value"))
            argument = f"{inner[match.start() : pieces[0]]}{{key}}{inner[pieces[1] : pieces[2]]}{{value}}{inner[pieces[3] :]}"
            return inner[: match.start()], argument
        return "", tag.shortest({"key": "{key}", "value": "{value}"})

    def _tagged(self, before: str, argument: str) -> tuple[str, dict[str, Any]]:
        """Arguments one by one, typed by their schemas."""
        place, template = f"{CALLS}/content_args", Template.of(argument)
        for option in ("value_parser", "merge_duplicates"):
            if self._arguments.get(option):
                raise refusal(f"{place}/{option}", "values are read by the types of the arguments alone")
        is_all = not self._path and isinstance(self._name, str) and self.close is not None
        if template.slots != ("key", "value") or not template.delimiters[2] or not is_all:
            raise refusal(
                place,
                "arguments are written one by one where each has its name, its value and an end, and nothing else is there",
            )
        end = template.delimiters[2].strip() or template.delimiters[2]
        if DelimiterRegex(place, (end,), "").overlaps(template.delimiters[2].lstrip() or end) or not set(end) - _OF_JSON:
            raise refusal(place, f"a value may hold the delimiter after it, {end!r}")
        slot = {"banned_regexes": [regex.escape(text) for text in (end, *(self.close.prefixes if self.close else ()))], "trimmed": True}
        found = {"argument_style": "tagged", "argument_template": argument, "slots": {"argument": slot}, "banned_substrings": [end]}
        between = template.delimiters[1]
        if end in template.delimiters[0] + between or any(between.endswith(end[:i]) for i in range(1, len(end))):
            raise refusal(place, f"the delimiters around a name would be taken for the end of a value, {end!r}")
        found["argument_name_regex"] = f"(?:(?!{regex.escape(end)}).)+"
        if "tag_pattern" in self._arguments:
            tag, values = DelimiterRegex(place, (), self._arguments["tag_pattern"]), [("a", ""), ("b", "c"), ("d", "")]
            text = "".join(template.fill({"key": key, "value": value}) for key, value in values)
            text = text.rstrip() if self.close and self.close.absorbs_space else text
            if [(one["key"], one["value"]) for one in tag.compiled.finditer(text)] != values:
                raise refusal(tag.pointer, f"in {text!r} it does not match one argument after the other")
            keys = found["argument_name_regex"] = tag.group("key") or ""
            if DelimiterRegex(place, (), f".*{regex.escape(between)}.*").intersects(read_regex(f"(?s){keys}")):
                raise refusal(place, f"a name may hold the delimiter after it, {between!r}")
        return f"{before}{{arguments}}", found


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
