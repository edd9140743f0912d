r"""A tool in, its arguments between tags out: strings as they are, everything else as JSON.

Readers type a value by the schema: where it allows strings and nothing else, the value is its text, without escapes; so a text that
a reader would strip or cut is never written, and a given value of that kind is refused. Where it allows strings and more, strings
are written as JSON too, so that ``"3"`` and ``3`` differ.

>>> from rellm_agents.formats.tools import tools_of
>>> (tool,) = tools_of({"f": {"type": "object", "properties": {"q": {"type": "string"}, "n": {"type": "integer"}}}})
>>> style = TaggedArguments("qwen3_coder", ["</parameter>"], {"trimmed": True})
>>> text = style.text(tool, {"n": 3, "q": "why?"})
>>> text
'<parameter=q>\nwhy?\n</parameter>\n<parameter=n>\n3\n</parameter>\n'
>>> style.as_json(tool, text, is_whole=True)
'{"q": "why?", "n": 3}'
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from rellm_agents.errors import FormatError, SchemaError
from rellm_agents.formats.arguments import value_node
from rellm_agents.formats.declared_arguments import ELSEWHERE, declared_arguments
from rellm_agents.formats.slots import Slot
from rellm_agents.formats.tools import Tool
from rellm_agents.json_schema import bare_text, compile_schema
from rellm_agents.json_schema.json_text import Layout, dumps
from rellm_agents.json_schema.marks import marks_of
from rellm_agents.patterns import Node, literal, optional, sequence

_BEFORE, _BEHIND, _END = "<parameter={}>\n", "\n</parameter>\n", "</function>"
_ONE = re.compile(r"<parameter=([^>]*)>\n(.*?)\n</parameter>\n", re.DOTALL)
_KEY = re.compile(r"[^\s<>]([^<>\n\r]*[^\s<>])?")

Kind = Literal["string", "number", "json"]


class TaggedArguments:
    """Arguments between tags with their names.

    Args:
        name: of the format, for errors.
        without: texts that no value holds.
        rules: what else holds for strings, see :class:`Slot`.
    """

    def __init__(self, name: str, without: Sequence[str], rules: Mapping[str, Any]) -> None:
        self._name, self._without, self._slot = name, tuple(without), Slot(rules, without)
        self._layout = Layout.of("spaced", marks_of(without))
        self._strings: dict[str, frozenset[str]] = {}

    def node(self, tool: Tool) -> Node:
        """See :class:`Arguments`."""
        parts = []
        for key, schema, is_required in declared_arguments(self._name, tool):
            if not _KEY.fullmatch(key):
                raise FormatError(f"{self._name}: tool {tool.name!r}: this format cannot write the name of argument {key!r}: {ELSEWHERE}")
            text = sequence(literal(_BEFORE.format(key)), self._value_node(tool, key, schema), literal(_BEHIND))
            parts.append(text if is_required else optional(text))
        return sequence(*parts)

    def _value_node(self, tool: Tool, key: str, schema: Any) -> Node:
        try:
            match self._kind(tool, key, schema):
                case "string":
                    return value_node(self._name, tool, key, schema, self._slot, ELSEWHERE)
                case "number":
                    return bare_text(schema)
                case "json":
                    return compile_schema(schema, closed=True, without=self._without).node
        except SchemaError as error:
            raise _of_argument(tool, key, error) from error

    def _kind(self, tool: Tool, key: str, schema: Any) -> Kind:
        """What the texts of an argument are, told by what its JSON begins with."""
        try:
            values = compile_schema(schema, closed=True, without=self._without)
        except SchemaError as error:
            raise _of_argument(tool, key, error) from error
        if not values.begins('"'):
            return "json" if any(map(values.begins, "{[n")) else "number"
        return "json" if any(map(values.begins, "{[ntf-0123456789")) else "string"

    def _strings_of(self, tool: Tool) -> frozenset[str]:
        """The arguments whose text is their value."""
        if tool.name not in self._strings:
            found = declared_arguments(self._name, tool)
            self._strings[tool.name] = frozenset(key for key, schema, _ in found if self._kind(tool, key, schema) == "string")
        return self._strings[tool.name]

    def text(self, tool: Tool | None, arguments: Mapping[str, Any]) -> str:
        """See :class:`Arguments`."""
        known = tool.properties if tool else ()
        strings = self._strings_of(tool) if tool else ()
        values = tool.in_order(arguments) if tool else arguments
        return "".join(
            f"{_BEFORE.format(key)}{value if isinstance(value, str) and (key in strings or key not in known) else self._layout.text(value)}"
            f"{_BEHIND}"
            for key, value in values.items()
        )

    def end(self, text: str, start: int) -> int | None:
        """See :class:`Arguments`."""
        found = text.find(_END, start)
        return None if found < 0 else found

    def as_json(self, tool: Tool, text: str, *, is_whole: bool) -> str:
        """See :class:`Arguments`."""
        if not is_whole:
            return ""
        strings = self._strings_of(tool)
        return dumps({key: value if key in strings else json.loads(value) for key, value in _ONE.findall(text)})


def _of_argument(tool: Tool, key: str, error: SchemaError) -> FormatError:
    return FormatError(f"tool {tool.name!r}, argument {key!r}: {error}")
