r"""Arguments one by one, each between delimiters with its name: strings without quotes and escapes, everything else as JSON.

Readers type a value by the schema: where it allows strings and nothing else, the value is its text, without escapes; so a text that
a reader would strip or cut is never written, and a given value of that kind is refused. Where it allows strings and more, strings
are written as JSON too, so that ``"3"`` and ``3`` differ; unless the reader goes by types alone, see :mod:`type_coercion`, or the
format marks each value as a string or not, so that no string has quotes.

>>> from rellm_agents.formats.tool_sources import tools_of
>>> (tool,) = tools_of({"f": {"type": "object", "properties": {"q": {"type": "string"}, "n": {"type": "integer"}}}})
>>> style = TaggedArguments("qwen3_coder", "<{key}>{value}</>\n", "<end>", ["</>"], {"trimmed": True})
>>> text = style.text(tool, {"q": "why?", "n": 3})
>>> text
'<q>why?</>\n<n>3</>\n'
>>> style.as_json(tool, text, is_whole=True)
'{"q": "why?", "n": 3}'
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass
from functools import lru_cache
from typing import Any

from rellm_agents.errors import FormatError, SchemaError
from rellm_agents.formats.messages.arguments.declared_arguments import USE_HERMES, DeclaredArgument, alternatives, declared_arguments
from rellm_agents.formats.messages.arguments.type_coercion import ValueEncoding, encoding_by_types, exclude_inexact_integers
from rellm_agents.formats.template import Slot, Template, argument_node, cannot_occur, early_end, json_superset, with_definitions
from rellm_agents.formats.tools import Tool, meant
from rellm_agents.json_schema import Span, bare_text, compile_schema, value_spans
from rellm_agents.json_schema.source import below
from rellm_agents.json_schema.text import Layout, ban_substrings, dumps
from rellm_agents.patterns import NOTHING, Node, Pattern, choice, literal, optional, read_regex, repeat, sequence

_OTHERS = "{[ntf-0123456789"  # first characters of JSON other than strings
_KEY = re.compile(r"[^\s<>]([^<>\n\r]*[^\s<>])?")


@dataclass(frozen=True)
class _Delimiters:
    """The delimiters of one argument.

    Attributes:
        before: before its name.
        before_string, before_other: between its name and its value, which is a string or not; maybe the same.
        after: after its value.
    """

    before: str
    before_string: str
    before_other: str
    after: str

    @classmethod
    def of(cls, argument_template: str) -> _Delimiters:
        before, *between, after = Template.of(argument_template).delimiters
        return cls(before, "true".join(between), "false".join(between), after)

    @property
    def is_marked(self) -> bool:
        """Whether they differ for strings and other values."""
        return self.before_string != self.before_other

    def prefixes(self, key: str) -> tuple[str, ...]:
        """The texts before the value of an argument of this name: one, or one for strings and one for other values."""
        return tuple(dict.fromkeys(f"{self.before}{key}{between}" for between in (self.before_string, self.before_other)))


class TaggedArguments:
    """The style of tags. Immutable, but for memos.

    Args:
        name: of the format, for errors.
        argument_template: of one argument, with ``{key}`` and ``{value}``, and maybe ``{is_string}`` between them: ``true`` or ``false``,
            whether the value is a string.
        end: the delimiter after the arguments.
        banned: texts that no value holds.
        rules: of the slot of strings, see :class:`Slot`.
        name_regex: matches the names of arguments that are read as one.
        delimiter_node: makes the node of a delimiter.
        by_types: the reader goes by the types that a schema names, see :mod:`type_coercion`.
    """

    narrowed: tuple[str, ...] = ()

    def __init__(
        self,
        name: str,
        argument_template: str,
        end: str,
        banned: Sequence[str],
        rules: Mapping[str, Any],
        *,
        name_regex: str = ".*",
        delimiter_node: Callable[[str], Node] = literal,
        by_types: bool = False,
    ) -> None:
        self._name, self._end, self._delimiter_node, self._by_types = name, end, delimiter_node, by_types
        self._delimiters, self._names = _Delimiters.of(argument_template), Pattern(read_regex(name_regex))
        before, before_string, before_other, after = map(re.escape, astuple(self._delimiters))
        self._one = re.compile(f"{before}(.+?)({before_string}|{before_other})(.*?){after}", re.DOTALL)
        after = self._delimiters.after
        self._banned = (*banned, *(text for text in (after, end) if not any(other in text for other in banned)))
        self._slot = Slot(rules, self._banned, after=after)
        no_null = {**rules, "matches": rf"(?!(?:null|None)\Z)(?:{rules.get('matches', '(?s:.)*')})"}
        self._no_null = Slot(no_null, self._banned, after=after)
        try:
            self._layout = Layout.of("spaced", ban_substrings(self._banned))
        except ValueError as error:
            raise FormatError(f"format {name!r}, #/argument_template: {error}") from error
        self._all_values = (self._delimiters, self._banned, json.dumps(rules))
        if early := _early_end_of_value(*self._all_values):
            raise FormatError(f"format {name!r}, #/argument_template: the value in {early!r} would be cut too early at {after!r}")
        self._encodings: dict[str, dict[str, ValueEncoding]] = {}

    def node(self, tool: Tool) -> Node:
        """See :class:`ArgumentStyle`."""
        keys = tuple(one.key for one in declared_arguments(self._name, tool))
        if early := _early_end(*self._all_values, keys, self._end):
            raise FormatError(
                f"{self._name}: tool {tool.name!r}: its arguments would be cut too early at {self._end!r}, as {early!r}: {USE_HERMES}"
            )
        self._encodings_of(tool)  # refuses an argument that would be read in two ways
        return choice(*(self._node(tool, arguments) for arguments in alternatives(self._name, tool)))

    def _node(self, tool: Tool, arguments: Iterable[DeclaredArgument]) -> Node:
        """The texts of arguments that may be written together."""
        parts = []
        for key, schema, is_required in arguments:
            prefixes = self._delimiters.prefixes(key)
            found = [self._one.fullmatch(prefix + self._delimiters.after) for prefix in prefixes]
            if not _KEY.fullmatch(key) or not self._names.fullmatch(key) or not all(one and one[1] == key for one in found):
                raise FormatError(f"{self._name}: tool {tool.name!r}: this format cannot write the name of argument {key!r}: {USE_HERMES}")
            values = self._marked_nodes(tool, key, schema) if self._delimiters.is_marked else [self._value_node(tool, key, schema)]
            after = self._delimiter_node(self._delimiters.after)
            texts = [
                sequence(self._delimiter_node(prefix), value, after)
                for prefix, value in zip(prefixes, values, strict=True)
                if value is not NOTHING
            ]
            parts.append(choice(*texts) if is_required else optional(choice(*texts)))
        return sequence(*parts)

    def _marked_nodes(self, tool: Tool, key: str, schema: Any) -> tuple[Node, Node]:
        """The texts of the strings that an argument may be, and of all else."""
        values, definitions = self._values(tool, key, schema), with_definitions({}, schema) if isinstance(schema, dict) else {}
        has_strings, has_others = values.begins('"'), any(map(values.begins, _OTHERS))
        strings, others = ({**definitions, "allOf": [schema, rule]} for rule in ({"type": "string"}, {"not": {"type": "string"}}))
        return (
            argument_node(self._name, tool, key, strings if has_others else schema, self._slot, USE_HERMES) if has_strings else NOTHING,
            self._values(tool, key, others if has_strings else schema).node if has_others else NOTHING,
        )

    def _value_node(self, tool: Tool, key: str, schema: Any) -> Node:
        try:
            match self._encoding(tool, key, schema):
                case "string":
                    return argument_node(self._name, tool, key, schema, self._slot, USE_HERMES)
                case "string or null":
                    null = [literal("null")] if compile_schema(schema).begins("n") else []
                    return choice(argument_node(self._name, tool, key, schema, self._no_null, USE_HERMES), *null)
                case "number":
                    return bare_text(schema)
                case "json":
                    exact = exclude_inexact_integers(schema) if self._by_types else schema
                    return compile_schema(exact, closed=True, without=self._banned).node
        except SchemaError as error:
            raise _of_argument(tool, key, error) from error

    def _encoding(self, tool: Tool, key: str, schema: Any) -> ValueEncoding:
        """The encoding of an argument, by the first characters of its JSON."""
        values = self._values(tool, key, schema)
        if self._by_types:
            encoding = encoding_by_types(schema, values)
            if encoding is None:
                raise FormatError(
                    f"{self._name}: tool {tool.name!r}, argument {key!r}: the reader goes by the types that the schema names, and would "
                    f'take some values for others: name one "type", "null" beside it at most, or {USE_HERMES}'
                )
            return encoding
        if not values.begins('"'):
            return "json" if any(map(values.begins, "{[n")) else "number"
        return "json" if any(map(values.begins, _OTHERS)) else "string"

    def _values(self, tool: Tool, key: str, schema: Any) -> Pattern:
        """The values of an argument as JSON."""
        try:
            return compile_schema(schema, closed=True, without=self._banned)
        except SchemaError as error:
            raise _of_argument(tool, key, error) from error

    def _encodings_of(self, tool: Tool) -> Mapping[str, ValueEncoding]:
        """The encoding of each argument; none where delimiters mark strings."""
        if tool.name not in self._encodings:
            found = () if self._delimiters.is_marked else declared_arguments(self._name, tool)
            self._encodings[tool.name] = {key: self._encoding(tool, key, schema) for key, schema, _ in found}
        return self._encodings[tool.name]

    def text(self, tool: Tool | None, arguments: Mapping[str, Any]) -> str:
        """See :class:`ArgumentStyle`."""
        encodings = self._encodings_of(tool) if tool else {}
        return "".join(self._argument_text(key, value, encodings.get(meant(key))) for key, value in arguments.items())

    def _argument_text(self, key: str, value: Any, encoding: ValueEncoding | None) -> str:
        delimiters, is_string = self._delimiters, isinstance(value, str)
        text = value if is_string and encoding in {None, "string", "string or null"} else self._layout.text(value)
        return f"{delimiters.before}{key}{delimiters.before_string if is_string else delimiters.before_other}{text}{delimiters.after}"

    def end(self, text: str, start: int) -> int | None:
        """See :class:`ArgumentStyle`."""
        found = text.find(self._end, start)
        return None if found < 0 else found

    def as_json(self, tool: Tool, text: str, *, is_whole: bool) -> str:
        """See :class:`ArgumentStyle`."""
        if not is_whole:
            return ""
        encodings = self._encodings_of(tool)
        return dumps({key: self._value(encodings.get(key), between, value) for key, between, value in self._one.findall(text)})

    def fields(self, tool: Tool, text: str, start: int, end: int, pointer: str) -> dict[str, Span]:
        """See :class:`ArgumentStyle`."""
        found, encodings = {pointer: (start, end + 1)}, self._encodings_of(tool)
        for one in self._one.finditer(text, start, end):
            own, value = below(pointer, one[1]), one.span(3)
            is_text = self._is_text(encodings.get(one[1]), one[2], one[3])
            found |= {own: (value[0], value[1] + 1)} if is_text else value_spans(text, *value, pointer=own)
        return found

    def _value(self, encoding: ValueEncoding | None, between: str, text: str) -> Any:
        return text if self._is_text(encoding, between, text) else json.loads(text)

    def _is_text(self, encoding: ValueEncoding | None, between: str, text: str) -> bool:
        """Whether a value is a string without quotes."""
        if self._delimiters.is_marked:
            return between == self._delimiters.before_string
        return encoding == "string" or (encoding == "string or null" and text != "null")


def _all_values(delimiters: _Delimiters, banned: tuple[str, ...], rules: str) -> Node:
    """A superset of all values that may be written."""
    return choice(Slot(json.loads(rules), banned, after=delimiters.after).node, json_superset(banned))


@lru_cache(maxsize=64)
def _early_end_of_value(delimiters: _Delimiters, banned: tuple[str, ...], rules: str) -> str | None:
    return None if cannot_occur(delimiters.after, ()) else early_end(_all_values(delimiters, banned, rules), delimiters.after)


@lru_cache(maxsize=256)
def _early_end(delimiters: _Delimiters, banned: tuple[str, ...], rules: str, keys: tuple[str, ...], end: str) -> str | None:
    prefixes = [prefix for key in keys for prefix in delimiters.prefixes(key)]
    if cannot_occur(end, (delimiters.after, *prefixes)):
        return None
    values = _all_values(delimiters, banned, rules)
    return early_end(repeat(choice(*(sequence(literal(prefix), values, literal(delimiters.after)) for prefix in prefixes))), end)


def _of_argument(tool: Tool, key: str, error: SchemaError) -> FormatError:
    return FormatError(f"tool {tool.name!r}, argument {key!r}: {error}")
