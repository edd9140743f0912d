"""Rewrites a schema and the schemas inside it: without titles, for prompts, or with types of listed integers, for readers.

>>> without_titles({"title": "Trip", "properties": {"title": {"title": "Title", "type": "string"}}})
{'properties': {'title': {'type': 'string'}}}
>>> with_integer_members({"properties": {"stars": {"enum": [1, 2]}}})
{'properties': {'stars': {'enum': [1, 2], 'type': 'integer'}}}
"""

from __future__ import annotations

from collections.abc import Callable
from types import NoneType
from typing import Any

from rellm_agents.json_schema.source.inputs import refuse_deep
from rellm_agents.json_schema.source.keywords import SUBSCHEMA_KEYWORDS, Subschemas

_JSON_TYPES = {
    NoneType: "null", bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object",
}  # fmt: skip


def without_titles(schema: Any) -> Any:
    """The schema without the keyword ``title``, which pydantic repeats the name of each property in; properties of this name stay.

    Args:
        schema: plain data.
    """
    refuse_deep(schema)
    return _rewritten(schema, lambda one: {keyword: value for keyword, value in one.items() if keyword != "title"})


def with_integer_members(schema: Any) -> Any:
    """The same schema, where listed integers have a type: then they are written as digits, which every reader takes for an ``int``.

    Args:
        schema: plain data.
    """
    refuse_deep(schema)
    return _rewritten(schema, _with_type_of_members)


def _with_type_of_members(schema: dict[str, Any]) -> dict[str, Any]:
    listed = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if "type" in schema or not isinstance(listed, list) or not any(type(one) is int for one in listed):
        return schema
    types = list(dict.fromkeys(_JSON_TYPES[type(one)] for one in listed))
    return {**schema, "type": types[0] if len(types) == 1 else types}


def _rewritten(schema: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    """The schema changed, after those inside it."""
    if not isinstance(schema, dict):
        return schema
    found: dict[str, Any] = {}
    for keyword, value in schema.items():
        match SUBSCHEMA_KEYWORDS.get(keyword), value:
            case Subschemas.NAMED, dict():
                found[keyword] = {name: _rewritten(one, change) for name, one in value.items()}
            case ((Subschemas.ONE | Subschemas.LIST), list()):
                found[keyword] = [_rewritten(one, change) for one in value]
            case Subschemas.ONE, _:
                found[keyword] = _rewritten(value, change)
            case _:
                found[keyword] = value
    return change(found)
