"""The keywords of JSON Schema, drafts 4 to 2020-12, and what becomes of each: enforced, or an annotation with the reason.

A keyword that stands in no table is an annotation by the specification (2020-12 Core, section 6.5): it is passed over.

>>> "properties" in ENFORCED, ANNOTATIONS["title"], "x-color" in ENFORCED
(True, 'for readers of the schema', False)
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, auto
from typing import Any

from rellm_agents.json_schema.source.pointers import below


class Holds(Enum):
    """Where the value of a keyword holds schemas."""

    NOTHING = auto()
    ONE = auto()  # the value is a schema
    LIST = auto()  # ... or a list of schemas
    NAMED = auto()  # an object of schemas by name


_READERS = "for readers of the schema"
_CONTENT = "says what the text of a string encodes; by the specification (2020-12 Validation, section 8) not a condition on it"

ENFORCED = {
    "$dynamicRef": Holds.NOTHING,
    "$recursiveRef": Holds.NOTHING,
    "$ref": Holds.NOTHING,
    "additionalItems": Holds.ONE,
    "additionalProperties": Holds.ONE,
    "allOf": Holds.LIST,
    "anyOf": Holds.LIST,
    "const": Holds.NOTHING,
    "contains": Holds.ONE,
    "dependencies": Holds.NAMED,
    "dependentRequired": Holds.NOTHING,
    "dependentSchemas": Holds.NAMED,
    "else": Holds.ONE,
    "enum": Holds.NOTHING,
    "exclusiveMaximum": Holds.NOTHING,
    "exclusiveMinimum": Holds.NOTHING,
    "format": Holds.NOTHING,
    "if": Holds.ONE,
    "items": Holds.ONE,
    "maxContains": Holds.NOTHING,
    "maxItems": Holds.NOTHING,
    "maxLength": Holds.NOTHING,
    "maxProperties": Holds.NOTHING,
    "maximum": Holds.NOTHING,
    "minContains": Holds.NOTHING,
    "minItems": Holds.NOTHING,
    "minLength": Holds.NOTHING,
    "minProperties": Holds.NOTHING,
    "minimum": Holds.NOTHING,
    "multipleOf": Holds.NOTHING,
    "not": Holds.ONE,
    "oneOf": Holds.LIST,
    "pattern": Holds.NOTHING,
    "patternProperties": Holds.NAMED,
    "prefixItems": Holds.LIST,
    "properties": Holds.NAMED,
    "propertyNames": Holds.ONE,
    "required": Holds.NOTHING,
    "then": Holds.ONE,
    "type": Holds.NOTHING,
    "unevaluatedItems": Holds.ONE,
    "unevaluatedProperties": Holds.ONE,
    "uniqueItems": Holds.NOTHING,
}
"""Keywords that the pattern enforces, and where their values hold schemas."""

ANNOTATIONS = {
    "$anchor": "names a place, to be referred to",
    "$comment": _READERS,
    "$defs": "holds schemas to be referred to",
    "$dynamicAnchor": "names a place, to be referred to",
    "$id": "names the schema, to be referred to",
    "$recursiveAnchor": "names a place, to be referred to",
    "$schema": "names the draft",
    "$vocabulary": "for those who write metaschemas",
    "contentEncoding": _CONTENT,
    "contentMediaType": _CONTENT,
    "contentSchema": _CONTENT,
    "default": "says what an absent value stands for",
    "definitions": "holds schemas to be referred to",
    "deprecated": _READERS,
    "description": _READERS,
    "example": _READERS,
    "examples": _READERS,
    "id": "names the schema, to be referred to",
    "readOnly": "says who may change the value",
    "title": _READERS,
    "writeOnly": "says who may read the value",
}
"""Keywords that do not decide whether an instance is valid, each with the reason why it may be passed over."""

HOLDERS = {
    **{keyword: holds for keyword, holds in ENFORCED.items() if holds is not Holds.NOTHING},
    "$defs": Holds.NAMED,
    "definitions": Holds.NAMED,
}
"""Keywords whose values hold schemas."""


def each_keyword(schema: Any, pointer: str = "#") -> Iterator[tuple[str, str, Any]]:
    """All keywords of a schema and of the schemas inside it: the pointer of the schema, the keyword and its value.

    >>> [(pointer, keyword) for pointer, keyword, _ in each_keyword({"items": {"type": "null"}})]
    [('#', 'items'), ('#/items', 'type')]
    """
    if not isinstance(schema, dict):
        return
    for keyword, value in schema.items():
        yield pointer, keyword, value
        at = below(pointer, keyword)
        holds = HOLDERS.get(keyword)
        if holds is not None and isinstance(value, list):
            for i, one in enumerate(value):
                yield from each_keyword(one, below(at, str(i)))
        elif holds is Holds.NAMED and isinstance(value, dict):
            for name, one in value.items():
                yield from each_keyword(one, below(at, name))
        elif holds is Holds.ONE:
            yield from each_keyword(value, at)
