"""The text between the delimiters of a call, declared as a response template reads it: a JSON object, or arguments one by one.

The text is taken from an example of the call where the template reads that as the call, and as nothing else. Knows nothing of the
delimiters around a call, but for the one after it.

>>> content = CallContent("json", {}, ToolCall("f", {"a": 1}), ("name",), ("arguments",), None)
>>> content.declaration('{"name":"f","arguments":{"a":1}}')
('{"name":"{name}","arguments":{arguments}}', {'whitespace': 'compact'})
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import regex

from rellm_agents.formats.messages import ToolCall
from rellm_agents.formats.response_template.delimiter_regex import DelimiterRegex, refusal
from rellm_agents.formats.template import Template
from rellm_agents.json_schema.text import dumps
from rellm_agents.patterns import read_regex

CALLS = "tool_calls"
"""The field of a response template that reads calls."""

_OF_JSON = frozenset('{}[],:" 0123456789+-.eEtrufalsn')  # characters of JSON outside of strings


class CallContent(NamedTuple):
    """The content of the field of calls.

    Attributes:
        parser: the value of "content": how the template reads the content.
        options: of that parser, the value of "content_args".
        probe: the call of the example.
        name: the source of a call's name: a named group of the delimiter before it, or a path in the content.
        path: of the arguments in the content.
        close: the delimiter after it, if any.
    """

    parser: str
    options: Mapping[str, Any]
    probe: ToolCall
    name: str | tuple[str, ...]
    path: tuple[str, ...]
    close: DelimiterRegex | None

    def declaration(self, example: str) -> tuple[str, dict[str, Any]]:
        """The template of the content, and the keys of a declaration that say how arguments are written.

        Args:
            example: the content of the probe's call; may be empty.

        Raises:
            FormatError: the content is read in a way that no format here writes: names the JSON pointer.
        """
        match self.parser:
            case "json" if self.options.get("unquoted_keys"):
                return self._bare()
            case "json":
                return self._json(example)
            case "xml-inline":
                return self._tagged(*self._tag(example))
            case "kv-lines":
                if not self.options.get("strip", True):
                    raise refusal(f"{CALLS}/content_args/strip", "lines are written with white space around names and values")
                line, colon = self.options.get("line_sep", "\n"), self.options.get("kv_sep", ":")
                if colon != colon.strip():
                    raise refusal(f"{CALLS}/content_args/kv_sep", "white space at its ends is stripped with the line")
                if self.close and self.close.absorbs_space and line.strip() and line != line.rstrip():
                    raise refusal(f"{CALLS}/content_args/line_sep", "white space at its end may be taken for that of what closes a call")
                return self._tagged("", f"{{key}}{colon} {{value}}{line}")
            case other:
                raise refusal(f"{CALLS}/content", f"the arguments of a call cannot be read as {other!r}")

    def _json(self, example: str) -> tuple[str, dict[str, Any]]:
        """A JSON object of name and arguments, or of the arguments alone."""
        for whitespace, separators in (("spaced", (", ", ": ")), ("compact", (",", ":"))):
            text = example.replace(dumps(self.probe.arguments, separators), "{arguments}", 1)
            if not isinstance(self.name, str):
                text = text.replace(dumps(self.probe.name), '"{name}"', 1)
            if self._is_just_a_call(text):
                return text, {"whitespace": whitespace}
        return dumps(self._object("{name}", "{arguments}")).replace('"{arguments}"', "{arguments}"), {}

    def _object(self, name: Any, arguments: Any) -> Any:
        """The JSON value that is read as the content of a call."""
        if not self.path and isinstance(self.name, str):
            return arguments
        found: dict[str, Any] = {}
        for path, value in ((self.name, name), (self.path, arguments)):
            if isinstance(path, tuple):
                inner = found
                for step in path[:-1]:
                    inner = inner.setdefault(step, {})
                inner[path[-1]] = value
        return found

    def _is_just_a_call(self, text: str) -> bool:
        """Whether a template of a call is read as a name and arguments, in this order, and as nothing else."""
        if Template.of(text).slots != (("arguments",) if isinstance(self.name, str) else ("name", "arguments")):
            return False
        try:
            return bool(json.loads(Template.of(text).fill({"name": "a", "arguments": '{"b": 1}'})) == self._object("a", {"b": 1}))
        except ValueError:
            return False

    def _bare(self) -> tuple[str, dict[str, Any]]:
        """Arguments whose names have no quotes."""
        match self.options.get("string_delims", []):
            case [[str(quote), str(other)]] if quote == other and not self.path and isinstance(self.name, str) and self.close:
                reserved = ["\x01", "\x02"]  # the reader replaces strings by these and a number
                return "{arguments}", {"argument_style": "bare", "quote": quote, "banned_substrings": reserved}
        reason = "unquoted_keys need one kind of string_delims, the same on both sides, a name outside of the content, and a close"
        raise refusal(f"{CALLS}/content_args", reason)

    def _tag(self, example: str) -> tuple[str, str]:
        """The text before the arguments, and the template of one."""
        tag = DelimiterRegex(f"{CALLS}/content_args/tag_pattern", (), self.options.get("tag_pattern", ""))
        if set(tag.compiled.groupindex) != {"key", "value"} or tag.group("value") != ".*?":
            raise refusal(tag.pointer, "it needs the groups 'key' and 'value', no others, and any text as a value: (?P<value>.*?)")
        match = tag.compiled.search(example)
        (key, value), *others = self.probe.arguments.items()
        if match and not others and (match["key"], match["value"]) == (key, value):
            pieces = (*match.span("key"), *match.span("value"))
            argument = f"{example[match.start() : pieces[0]]}{{key}}{example[pieces[1] : pieces[2]]}{{value}}{example[pieces[3] :]}"
            return example[: match.start()], argument
        return "", tag.shortest({"key": "{key}", "value": "{value}"})

    def _tagged(self, before: str, argument: str) -> tuple[str, dict[str, Any]]:
        """Arguments one by one, typed by their schemas."""
        pointer, template = f"{CALLS}/content_args", Template.of(argument)
        for option in ("value_parser", "merge_duplicates"):
            if self.options.get(option):
                raise refusal(f"{pointer}/{option}", "values are read by the types of the arguments alone")
        is_all = not self.path and isinstance(self.name, str) and self.close is not None
        if template.slots != ("key", "value") or not template.delimiters[2] or not is_all:
            raise refusal(
                pointer,
                "arguments are written one by one where each has its name, its value and an end, and nothing else is there",
            )
        end = template.delimiters[2].strip() or template.delimiters[2]
        if DelimiterRegex(pointer, (end,), "").overlaps(template.delimiters[2].lstrip() or end) or not set(end) - _OF_JSON:
            raise refusal(pointer, f"a value may hold the delimiter after it, {end!r}")
        slot = {"banned_regexes": [regex.escape(text) for text in (end, *(self.close.prefixes if self.close else ()))], "trimmed": True}
        found = {"argument_style": "tagged", "argument_template": argument, "slots": {"argument": slot}, "banned_substrings": [end]}
        between = template.delimiters[1]
        if end in template.delimiters[0] + between or any(between.endswith(end[:i]) for i in range(1, len(end))):
            raise refusal(pointer, f"the delimiters around a name would be taken for the end of a value, {end!r}")
        found["argument_name_regex"] = f"(?:(?!{regex.escape(end)}).)+"
        if "tag_pattern" in self.options:
            tag, values = DelimiterRegex(pointer, (), self.options["tag_pattern"]), [("a", ""), ("b", "c"), ("d", "")]
            text = "".join(template.fill({"key": key, "value": value}) for key, value in values)
            text = text.rstrip() if self.close and self.close.absorbs_space else text
            if [(one["key"], one["value"]) for one in tag.compiled.finditer(text)] != values:
                raise refusal(tag.pointer, f"in {text!r} it does not match one argument after the other")
            keys = found["argument_name_regex"] = tag.group("key") or ""
            if DelimiterRegex(pointer, (), f".*{regex.escape(between)}.*").intersects(read_regex(f"(?s){keys}")):
                raise refusal(pointer, f"a name may hold the delimiter after it, {between!r}")
        return f"{before}{{arguments}}", found
