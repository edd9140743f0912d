"""An argument's schema in, what its text is for a reader that knows nothing of it but the types that it names, out.

So transformers reads: it tries the types in their order - ``type``, those of ``anyOf`` and ``oneOf``, ``nullable`` - and keeps the text
as it is where none of them takes it (``transformers.utils.chat_parsing``, 5.x).

>>> from rellm_agents.json_schema import compile_schema
>>> nullable, count = {"anyOf": [{"type": "string"}, {"type": "null"}]}, {"enum": [1, 2]}
>>> kind_by_types(nullable, compile_schema(nullable)), kind_by_types(count, compile_schema(count))
('string or null', None)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Literal

from rellm_agents.errors import FormatError
from rellm_agents.formats.messages.declared_arguments import ELSEWHERE
from rellm_agents.formats.template import with_definitions
from rellm_agents.formats.tools import Tool
from rellm_agents.json_schema import compile_schema
from rellm_agents.patterns import Pattern

Kind = Literal["string", "string or null", "number", "json"]

_NULL = r"^[\s\x1c-\x1f\x85]*(null|None)[\s\x1c-\x1f\x85]*$"
_LARGEST = 10**15  # whole numbers up to here are exact as doubles


def named_types(schema: Any) -> tuple[str, ...]:
    """The types that a schema names, in the order they are tried in."""
    return tuple(dict.fromkeys(_named(schema)))


def _named(schema: Any) -> Iterator[str]:
    if not isinstance(schema, dict):
        return
    declared = schema.get("type", ())
    yield from (declared,) if isinstance(declared, str) else declared
    for keyword in ("anyOf", "oneOf"):
        for option in schema.get(keyword, ()):
            yield from _named(option)
    if schema.get("nullable"):
        yield "null"


def kind_by_types(schema: Any, values: Pattern) -> Kind | None:
    """How a value is written so that it is read as what it is.

    Args:
        schema: of the argument.
        values: its instances as JSON.

    Returns:
        ``None``: some values would be taken for others. ``"string or null"`` also where ``null`` is named, but not allowed.
    """
    types = set(named_types(schema))
    has_strings, has_null = values.begins('"'), values.begins("n")
    has_others = any(map(values.begins, "{[tf-0123456789"))
    if has_strings:  # a text that no other type takes is a string
        return None if has_others or types - {"string", "null"} else "string or null" if "null" in types else None if has_null else "string"
    if "string" in types or not types or ("boolean" in types and types & {"integer", "number"}):
        return None  # "3" stays a text, or 1 is taken for true
    return "json"


def unambiguous(schema: Any) -> Any:
    """A schema that leaves out whole numbers that are not exact where they are read as floats."""
    types = named_types(schema)
    if "number" not in types or "integer" in types[: types.index("number")]:
        return schema
    return {**schema, "allOf": [*schema.get("allOf", ()), {"if": {"type": "integer"}, "then": {"minimum": -_LARGEST, "maximum": _LARGEST}}]}


def without_misread_strings(name: str, tool: Tool) -> Tool:
    """A tool whose arguments are written as JSON, without strings that would be taken for other values.

    Args:
        name: of the format, for errors.
        tool: any.

    Raises:
        FormatError: an argument is a string or something else, so that more than ``null`` would be taken for it.
    """
    properties = {}
    for key, schema in tool.properties.items():
        others = set(named_types(schema)) - {"string"}
        if others and compile_schema(with_definitions(schema, tool.parameters), closed=True).begins('"'):
            if others != {"null"}:
                raise FormatError(
                    f"{name}: tool {tool.name!r}, argument {key!r}: the reader goes by the types that the schema names, and would take "
                    f"some strings for {' or '.join(sorted(others))}: {ELSEWHERE}"
                )
            schema = {**schema, "allOf": [*schema.get("allOf", ()), {"not": {"type": "string", "pattern": _NULL}}]}  # noqa: PLW2901
        properties[key] = schema
    return replace(tool, parameters={**tool.parameters, "properties": properties}) if properties else tool
