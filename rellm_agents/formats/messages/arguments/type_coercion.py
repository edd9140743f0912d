"""Type coercion: the values that a reader makes of an argument's text if it knows no more of the schema than the types named there.

So transformers reads: it tries the types in their order - ``type``, those of ``anyOf`` and ``oneOf``, ``nullable`` - and keeps the text
as it is if it is a value of none of them (``transformers.utils.chat_parsing``, 5.x). An argument whose values would be taken for others
is refused, or restricted to those that are not.

    type integer   "3" -> 3       type string   "3" -> "3"       type string or null   "null" -> None, "3" -> "3"

>>> from rellm_agents.json_schema import compile_schema
>>> nullable, count = {"anyOf": [{"type": "string"}, {"type": "null"}]}, {"enum": [1, 2]}
>>> encoding_by_types(nullable, compile_schema(nullable)), encoding_by_types(count, compile_schema(count))
('string or null', None)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Literal

from rellm_agents.errors import FormatError
from rellm_agents.formats.messages.arguments.declared_arguments import USE_HERMES
from rellm_agents.formats.template import with_definitions
from rellm_agents.formats.tools import Tool
from rellm_agents.json_schema import compile_schema
from rellm_agents.patterns import Pattern

ValueEncoding = Literal["string", "string or null", "number", "json"]
"""How a value is written: as text without quotes, as that or ``null``, as a number, or as JSON."""

_NULL = r"^[\s\x1c-\x1f\x85]*(null|None)[\s\x1c-\x1f\x85]*$"
_LARGEST = 10**15  # whole numbers up to this are exact as doubles


def named_types(schema: Any) -> tuple[str, ...]:
    """The types that a schema names, in the order in which the reader tries them."""
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


def encoding_by_types(schema: Any, values: Pattern) -> ValueEncoding | None:
    """The encoding in which every value of an argument is read as itself.

    Args:
        schema: of the argument.
        values: its instances as JSON.

    Returns:
        ``None``: there is none, some values would be taken for others. ``"string or null"`` also where ``null`` is named, but not allowed.
    """
    types = set(named_types(schema))
    has_strings, has_null = values.begins('"'), values.begins("n")
    has_others = any(map(values.begins, "{[tf-0123456789"))
    if has_strings:  # a text that no other type takes is a string
        return None if has_others or types - {"string", "null"} else "string or null" if "null" in types else None if has_null else "string"
    if "string" in types or not types or ("boolean" in types and types & {"integer", "number"}):
        return None  # "3" stays a text, or 1 is taken for true
    return "json"


def exclude_inexact_integers(schema: Any) -> Any:
    """The schema without whole numbers that a double does not hold, if numbers are read as doubles."""
    types = named_types(schema)
    if "number" not in types or "integer" in types[: types.index("number")]:
        return schema
    return {**schema, "allOf": [*schema.get("allOf", ()), {"if": {"type": "integer"}, "then": {"minimum": -_LARGEST, "maximum": _LARGEST}}]}


def exclude_misread_strings(name: str, tool: Tool) -> Tool:
    """The tool, whose arguments are written as JSON, without strings that would be taken for other values.

    Args:
        name: of the format, for errors.
        tool: any.

    Raises:
        FormatError: an argument may be a string or a value of another type than null, so that some strings would be taken for it.
    """
    properties = {}
    for key, schema in tool.properties.items():
        others = set(named_types(schema)) - {"string"}
        if others and compile_schema(with_definitions(schema, tool.parameters), closed=True).begins('"'):
            if others != {"null"}:
                raise FormatError(
                    f"{name}: tool {tool.name!r}, argument {key!r}: the reader goes by the types that the schema names, and would take "
                    f"some strings for {' or '.join(sorted(others))}: {USE_HERMES}"
                )
            schema = {**schema, "allOf": [*schema.get("allOf", ()), {"not": {"type": "string", "pattern": _NULL}}]}  # noqa: PLW2901
        properties[key] = schema
    return replace(tool, parameters={**tool.parameters, "properties": properties}) if properties else tool
