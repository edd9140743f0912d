"""Adds conditions to a schema beside those that the type has: of ``json_schema_extra``, and those that pydantic checks by functions.

Pydantic puts the keywords of ``json_schema_extra`` in place of its own, so a schema may end up with more values than the type takes. Here
both have to hold; annotations are replaced. Bounds on what a user's function returns are checked by functions, without keywords.

>>> with_extra({"type": "integer"}, {"enum": [1, 2], "description": "Stars."})
{'type': 'integer', 'description': 'Stars.', 'allOf': [{'enum': [1, 2]}]}
>>> with_extra({"type": "integer", "title": "A"}, lambda schema: schema.pop("title"))
{'type': 'integer'}
"""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from pydantic_core import to_jsonable_python

from rellm_agents.json_schema.python_types.digit_limits import limited_digits

ANNOTATIONS = frozenset(
    {"$comment", "default", "deprecated", "description", "discriminator", "example", "examples", "readOnly", "title", "writeOnly"}
)


def with_extra(schema: dict[str, Any], extra: Any, owner: Any = None) -> dict[str, Any]:
    """The schema with what is added to it.

    Args:
        schema: as pydantic writes it.
        extra: keywords, or a function that changes a schema in place.
        owner: the class that the schema is of, for functions that take it too.
    """
    if callable(extra):
        changed = copy.deepcopy(schema)
        extra(changed, owner) if owner is not None and len(inspect.signature(extra).parameters) > 1 else extra(changed)
        if _conditions(changed) == _conditions(schema):
            return changed
    else:
        changed = to_jsonable_python(extra)
    kept = {key: value for key, value in schema.items() if key not in ANNOTATIONS} if callable(extra) else schema
    found = {**kept, **{key: value for key, value in changed.items() if key in ANNOTATIONS}}
    conditions = _conditions(changed)
    if callable(extra):
        conditions = {key: value for key, value in conditions.items() if key not in schema or schema[key] != value}
    return {**found, "allOf": [*found.get("allOf", ()), conditions]} if conditions else found


_KEYWORDS = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
    "multiple_of": "multipleOf",
}


def with_checks(schema: dict[str, Any], core_schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema with the bounds that one of pydantic's functions checks.

    Args:
        schema: as pydantic writes it.
        core_schema: which it is written for.
    """
    function = core_schema["function"]["function"] if core_schema["type"] == "function-after" else None
    if not isinstance(function, functools.partial) or not function.func.__module__.startswith("pydantic."):
        return schema
    given = function.keywords
    if {"max_digits", "decimal_places"} & given.keys():
        return {**schema, "allOf": [*schema.get("allOf", ()), limited_digits(given.get("max_digits"), given.get("decimal_places"))]}
    if "max_length" in given and "://" in schema.get("pattern", ""):
        return {**schema, "maxLength": given["max_length"] - 1}  # pydantic adds the slash after the host of a URL
    bounds = {_KEYWORDS[name]: one for name, one in given.items() if name in _KEYWORDS and isinstance(one, (int, float, Decimal))}
    conditions = to_jsonable_python({key: float(one) if isinstance(one, Decimal) else one for key, one in bounds.items()})
    return {**schema, "allOf": [*schema.get("allOf", ()), conditions]} if conditions else schema


def _conditions(schema: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key not in ANNOTATIONS}
