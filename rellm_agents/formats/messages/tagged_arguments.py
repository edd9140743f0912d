r"""A tool in, its arguments one by one out, each between words with its name: strings as they are, everything else as JSON.

Readers type a value by the schema: where it allows strings and nothing else, the value is its text, without escapes; so a text that
a reader would strip or cut is never written, and a given value of that kind is refused. Where it allows strings and more, strings
are written as JSON too, so that ``"3"`` and ``3`` differ; unless the reader goes by types alone, see :mod:`typed_texts`, or the
format says of each value whether it is a string, which makes every string its text.

>>> from rellm_agents.formats.tools import tools_of
>>> (tool,) = tools_of({"f": {"type": "object", "properties": {"q": {"type": "string"}, "n": {"type": "integer"}}}})
>>> style = TaggedArguments("qwen3_coder", "<{key}>{value}</>\n", "<end>", ["</>"], {"trimmed": True})
>>> text = style.text(tool, {"n": 3, "q": "why?"})
>>> text
'<q>why?</>\n<n>3</>\n'
>>> style.as_json(tool, text, is_whole=True)
'{"q": "why?", "n": 3}'
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass
from functools import lru_cache
from typing import Any

from rellm_agents.errors import FormatError, SchemaError
from rellm_agents.formats.messages.declared_arguments import ELSEWHERE, declared_arguments
from rellm_agents.formats.messages.type_coercion import Kind, kind_by_types, unambiguous
from rellm_agents.formats.template import Slot, Template, cut_early, json_like, stands_apart, value_node, with_definitions
from rellm_agents.formats.tools import Tool
from rellm_agents.json_schema import bare_text, compile_schema
from rellm_agents.json_schema.text import Layout, ban_substrings, dumps
from rellm_agents.patterns import NOTHING, Node, Pattern, choice, literal, optional, read_regex, repeat, sequence

_OTHERS = "{[ntf-0123456789"  # what JSON begins with, but for strings
_KEY = re.compile(r"[^\s<>]([^<>\n\r]*[^\s<>])?")


@dataclass(frozen=True)
class _Words:
    """What stands around the name of an argument and its value: between them one text before strings, maybe another before all else."""

    before: str
    before_string: str
    before_other: str
    behind: str

    @classmethod
    def of(cls, argument: str) -> _Words:
        before, *between, behind = Template.of(argument).words
        return cls(before, "true".join(between), "false".join(between), behind)

    @property
    def is_marked(self) -> bool:
        """They say whether a value is a string."""
        return self.before_string != self.before_other

    def heads(self, key: str) -> tuple[str, ...]:
        """What stands before a value."""
        return tuple(dict.fromkeys(f"{self.before}{key}{between}" for between in (self.before_string, self.before_other)))


class TaggedArguments:
    """Arguments between words with their names.

    Args:
        name: of the format, for errors.
        argument: how one is written, a template with ``{key}`` and ``{value}``, and maybe ``{is_string}`` between them: whether
            the value is a string, ``true`` or ``false``.
        end: what stands behind the arguments.
        without: texts that no value holds.
        rules: what else holds for strings, see :class:`Slot`.
        keys: a regex of what is read as a name.
        written: how words of the format stand in patterns.
        by_types: the reader goes by the ``type`` of a schema, and takes a string for what it says where it allows nothing else.
    """

    def __init__(
        self,
        name: str,
        argument: str,
        end: str,
        without: Sequence[str],
        rules: Mapping[str, Any],
        *,
        keys: str = ".*",
        written: Callable[[str], Node] = literal,
        by_types: bool = False,
    ) -> None:
        self._name, self._end, self._written, self._by_types = name, end, written, by_types
        self._words, self._keys = _Words.of(argument), Pattern(read_regex(keys))
        before, string, other, behind = map(re.escape, astuple(self._words))
        self._one = re.compile(f"{before}(.+?)({string}|{other})(.*?){behind}", re.DOTALL)
        behind = self._words.behind
        self._without = (*without, *(text for text in (behind, end) if not any(other in text for other in without)))
        self._slot = Slot(rules, self._without, behind=behind)
        no_null = {**rules, "matches": rf"(?!(?:null|None)\Z)(?:{rules.get('matches', '(?s:.)*')})"}
        self._no_null = Slot(no_null, self._without, behind=behind)
        try:
            self._layout = Layout.of("spaced", ban_substrings(self._without))
        except ValueError as error:
            raise FormatError(f"format {name!r}, #/argument: {error}") from error
        self._proof = (self._words, self._without, json.dumps(rules))
        if early := _value_cut_early(*self._proof):
            raise FormatError(f"format {name!r}, #/argument: the value in {early!r} would be cut too early at {behind!r}")
        self._kinds: dict[str, dict[str, Kind]] = {}

    def node(self, tool: Tool) -> Node:
        """See :class:`Arguments`."""
        if early := _cut_early(*self._proof, tuple(tool.properties), self._end):
            raise FormatError(
                f"{self._name}: tool {tool.name!r}: its arguments would be cut too early at {self._end!r}, as {early!r}: {ELSEWHERE}"
            )
        parts = []
        for key, schema, is_required in declared_arguments(self._name, tool):
            heads = self._words.heads(key)
            found = [self._one.fullmatch(head + self._words.behind) for head in heads]
            if not _KEY.fullmatch(key) or not self._keys.fullmatch(key) or not all(one and one[1] == key for one in found):
                raise FormatError(f"{self._name}: tool {tool.name!r}: this format cannot write the name of argument {key!r}: {ELSEWHERE}")
            values = self._marked_nodes(tool, key, schema) if self._words.is_marked else [self._value_node(tool, key, schema)]
            behind = self._written(self._words.behind)
            texts = [
                sequence(self._written(head), value, behind) for head, value in zip(heads, values, strict=True) if value is not NOTHING
            ]
            parts.append(choice(*texts) if is_required else optional(choice(*texts)))
        return sequence(*parts)

    def _marked_nodes(self, tool: Tool, key: str, schema: Any) -> tuple[Node, Node]:
        """The texts of the strings that an argument may be, and of all else."""
        values, definitions = self._values(tool, key, schema), with_definitions({}, schema) if isinstance(schema, dict) else {}
        has_strings, has_others = values.begins('"'), any(map(values.begins, _OTHERS))
        strings, others = ({**definitions, "allOf": [schema, rule]} for rule in ({"type": "string"}, {"not": {"type": "string"}}))
        return (
            value_node(self._name, tool, key, strings if has_others else schema, self._slot, ELSEWHERE) if has_strings else NOTHING,
            self._values(tool, key, others if has_strings else schema).node if has_others else NOTHING,
        )

    def _value_node(self, tool: Tool, key: str, schema: Any) -> Node:
        try:
            match self._kind(tool, key, schema):
                case "string":
                    return value_node(self._name, tool, key, schema, self._slot, ELSEWHERE)
                case "string or null":
                    null = [literal("null")] if compile_schema(schema).begins("n") else []
                    return choice(value_node(self._name, tool, key, schema, self._no_null, ELSEWHERE), *null)
                case "number":
                    return bare_text(schema)
                case "json":
                    return compile_schema(unambiguous(schema) if self._by_types else schema, closed=True, without=self._without).node
        except SchemaError as error:
            raise _of_argument(tool, key, error) from error

    def _kind(self, tool: Tool, key: str, schema: Any) -> Kind:
        """What the texts of an argument are, told by what its JSON begins with."""
        values = self._values(tool, key, schema)
        if self._by_types:
            kind = kind_by_types(schema, values)
            if kind is None:
                raise FormatError(
                    f"{self._name}: tool {tool.name!r}, argument {key!r}: the reader goes by the types that the schema names, and would "
                    f'take some values for others: name one "type", "null" beside it at most, or {ELSEWHERE}'
                )
            return kind
        if not values.begins('"'):
            return "json" if any(map(values.begins, "{[n")) else "number"
        return "json" if any(map(values.begins, _OTHERS)) else "string"

    def _values(self, tool: Tool, key: str, schema: Any) -> Pattern:
        """The values of an argument as JSON."""
        try:
            return compile_schema(schema, closed=True, without=self._without)
        except SchemaError as error:
            raise _of_argument(tool, key, error) from error

    def _kinds_of(self, tool: Tool) -> Mapping[str, Kind]:
        """What the texts of each argument are."""
        if tool.name not in self._kinds:
            found = declared_arguments(self._name, tool)
            self._kinds[tool.name] = {} if self._words.is_marked else {key: self._kind(tool, key, schema) for key, schema, _ in found}
        return self._kinds[tool.name]

    def text(self, tool: Tool | None, arguments: Mapping[str, Any]) -> str:
        """See :class:`Arguments`."""
        kinds = self._kinds_of(tool) if tool else {}
        values = tool.in_order(arguments) if tool else arguments
        return "".join(self._argument_text(key, value, kinds.get(key)) for key, value in values.items())

    def _argument_text(self, key: str, value: Any, kind: Kind | None) -> str:
        words, is_string = self._words, isinstance(value, str)
        text = value if is_string and kind in {None, "string", "string or null"} else self._layout.text(value)
        return f"{words.before}{key}{words.before_string if is_string else words.before_other}{text}{words.behind}"

    def end(self, text: str, start: int) -> int | None:
        """See :class:`Arguments`."""
        found = text.find(self._end, start)
        return None if found < 0 else found

    def as_json(self, tool: Tool, text: str, *, is_whole: bool) -> str:
        """See :class:`Arguments`."""
        if not is_whole:
            return ""
        kinds = self._kinds_of(tool)
        return dumps({key: self._value(kinds.get(key), between, value) for key, between, value in self._one.findall(text)})

    def _value(self, kind: Kind | None, between: str, text: str) -> Any:
        if self._words.is_marked:
            return text if between == self._words.before_string else json.loads(text)
        return text if kind == "string" or (kind == "string or null" and text != "null") else json.loads(text)


def _all_values(words: _Words, without: tuple[str, ...], rules: str) -> Node:
    """All values that may be written, and more."""
    return choice(Slot(json.loads(rules), without, behind=words.behind).node, json_like(without))


@lru_cache(maxsize=64)
def _value_cut_early(words: _Words, without: tuple[str, ...], rules: str) -> str | None:
    return None if stands_apart(words.behind, ()) else cut_early(_all_values(words, without, rules), words.behind)


@lru_cache(maxsize=256)
def _cut_early(words: _Words, without: tuple[str, ...], rules: str, keys: tuple[str, ...], end: str) -> str | None:
    heads = [head for key in keys for head in words.heads(key)]
    if stands_apart(end, (words.behind, *heads)):
        return None
    values = _all_values(words, without, rules)
    return cut_early(repeat(choice(*(sequence(literal(head), values, literal(words.behind)) for head in heads))), end)


def _of_argument(tool: Tool, key: str, error: SchemaError) -> FormatError:
    return FormatError(f"tool {tool.name!r}, argument {key!r}: {error}")
