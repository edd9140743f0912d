r"""A tool in, its arguments one by one out, each between words with its name: strings as they are, everything else as JSON.

Readers type a value by the schema: where it allows strings and nothing else, the value is its text, without escapes; so a text that
a reader would strip or cut is never written, and a given value of that kind is refused. Where it allows strings and more, strings
are written as JSON too, so that ``"3"`` and ``3`` differ; unless the reader goes by types alone, see :mod:`typed_texts`.

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
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from rellm_agents.errors import FormatError, SchemaError
from rellm_agents.formats.arguments import value_node
from rellm_agents.formats.declared_arguments import ELSEWHERE, declared_arguments
from rellm_agents.formats.proofs import cut_early, json_like, stands_apart
from rellm_agents.formats.slots import Slot
from rellm_agents.formats.templates import Template
from rellm_agents.formats.tools import Tool
from rellm_agents.formats.typed_texts import Kind, kind_by_types, unambiguous
from rellm_agents.json_schema import bare_text, compile_schema
from rellm_agents.json_schema.json_text import Layout, dumps
from rellm_agents.json_schema.marks import marks_of
from rellm_agents.patterns import Node, Pattern, choice, literal, optional, read_regex, repeat, sequence

_KEY = re.compile(r"[^\s<>]([^<>\n\r]*[^\s<>])?")


class TaggedArguments:
    """Arguments between words with their names.

    Args:
        name: of the format, for errors.
        argument: how one is written, a template with ``{key}`` and ``{value}``.
        end: what stands behind the arguments.
        without: texts that no value holds.
        rules: what else holds for strings, see :class:`Slot`.
        keys: a regex of what is read as a name.
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
        by_types: bool = False,
    ) -> None:
        self._name, self._end, self._by_types = name, end, by_types
        self._argument, self._keys = Template.of(argument), Pattern(read_regex(keys))
        words = list(map(re.escape, self._argument.words))
        self._one = re.compile(f"{words[0]}(.+?){words[1]}(.*?){words[2]}", re.DOTALL)
        behind = self._argument.words[2]
        self._without = (*without, *(text for text in (behind, end) if not any(other in text for other in without)))
        self._slot = Slot(rules, self._without, behind=behind)
        no_null = {**rules, "matches": rf"(?!(?:null|None)\Z)(?:{rules.get('matches', '(?s:.)*')})"}
        self._no_null = Slot(no_null, self._without, behind=behind)
        try:
            self._layout = Layout.of("spaced", marks_of(self._without))
        except ValueError as error:
            raise FormatError(f"format {name!r}, #/argument: {error}") from error
        self._proof = (self._argument, self._without, json.dumps(rules))
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
            found = self._one.fullmatch(self._argument.filled({"key": key, "value": ""}))
            if not _KEY.fullmatch(key) or not self._keys.fullmatch(key) or not found or found[1] != key:
                raise FormatError(f"{self._name}: tool {tool.name!r}: this format cannot write the name of argument {key!r}: {ELSEWHERE}")
            before, between, behind = self._argument.words
            text = sequence(literal(f"{before}{key}{between}"), self._value_node(tool, key, schema), literal(behind))
            parts.append(text if is_required else optional(text))
        return sequence(*parts)

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
        try:
            values = compile_schema(schema, closed=True, without=self._without)
        except SchemaError as error:
            raise _of_argument(tool, key, error) from error
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
        return "json" if any(map(values.begins, "{[ntf-0123456789")) else "string"

    def _kinds_of(self, tool: Tool) -> Mapping[str, Kind]:
        """What the texts of each argument are."""
        if tool.name not in self._kinds:
            found = declared_arguments(self._name, tool)
            self._kinds[tool.name] = {key: self._kind(tool, key, schema) for key, schema, _ in found}
        return self._kinds[tool.name]

    def text(self, tool: Tool | None, arguments: Mapping[str, Any]) -> str:
        """See :class:`Arguments`."""
        kinds = self._kinds_of(tool) if tool else {}
        values = tool.in_order(arguments) if tool else arguments
        return "".join(
            self._argument.filled({"key": key, "value": self._value_text(kinds.get(key), value)}) for key, value in values.items()
        )

    def _value_text(self, kind: Kind | None, value: Any) -> str:
        return value if isinstance(value, str) and kind in {None, "string", "string or null"} else self._layout.text(value)

    def end(self, text: str, start: int) -> int | None:
        """See :class:`Arguments`."""
        found = text.find(self._end, start)
        return None if found < 0 else found

    def as_json(self, tool: Tool, text: str, *, is_whole: bool) -> str:
        """See :class:`Arguments`."""
        if not is_whole:
            return ""
        kinds = self._kinds_of(tool)
        return dumps({key: _value(kinds[key], value) for key, value in self._one.findall(text)})


def _value(kind: Kind, text: str) -> Any:
    return text if kind == "string" or (kind == "string or null" and text != "null") else json.loads(text)


def _values(argument: Template, without: tuple[str, ...], rules: str) -> Node:
    """All values that may be written, and more."""
    return choice(Slot(json.loads(rules), without, behind=argument.words[2]).node, json_like(without))


@lru_cache(maxsize=64)
def _value_cut_early(argument: Template, without: tuple[str, ...], rules: str) -> str | None:
    behind = argument.words[2]
    return None if stands_apart(behind, ()) else cut_early(_values(argument, without, rules), behind)


@lru_cache(maxsize=256)
def _cut_early(argument: Template, without: tuple[str, ...], rules: str, keys: tuple[str, ...], end: str) -> str | None:
    before, between, behind = argument.words
    if stands_apart(end, (behind, *(f"{before}{key}{between}" for key in keys))):
        return None
    values = _values(argument, without, rules)
    arguments = (sequence(literal(f"{before}{key}{between}"), values, literal(behind)) for key in keys)
    return cut_early(repeat(choice(*arguments)), end)


def _of_argument(tool: Tool, key: str, error: SchemaError) -> FormatError:
    return FormatError(f"tool {tool.name!r}, argument {key!r}: {error}")
