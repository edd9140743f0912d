"""The table of the keywords of JSON Schema, drafts 4 to 2020-12: each is enforced, or an annotation with the reason.

A keyword that stands in no table is an annotation by the specification (2020-12 Core, section 6.5): it is ignored. Knows nothing of
what keywords mean.

>>> "properties" in ENFORCED, ANNOTATIONS["title"], "x-color" in ENFORCED
(True, 'for readers of the schema', False)
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, auto
from typing import Any

from rellm_agents.json_schema.source.pointers import below


class Subschemas(Enum):
    """Where schemas stand in the value of a keyword."""

    NOTHING = auto()
    ONE = auto()  # the value is a schema
    LIST = auto()  # ... or a list of schemas
    NAMED = auto()  # an object of schemas by name


_READERS = "for readers of the schema"
_CONTENT = "says what the text of a string encodes; by the specification (2020-12 Validation, section 8) not a condition on it"

ENFORCED = {
    "$dynamicRef": Subschemas.NOTHING,
    "$recursiveRef": Subschemas.NOTHING,
    "$ref": Subschemas.NOTHING,
    "additionalItems": Subschemas.ONE,
    "additionalProperties": Subschemas.ONE,
    "allOf": Subschemas.LIST,
    "anyOf": Subschemas.LIST,
    "const": Subschemas.NOTHING,
    "contains": Subschemas.ONE,
    "dependencies": Subschemas.NAMED,
    "dependentRequired": Subschemas.NOTHING,
    "dependentSchemas": Subschemas.NAMED,
    "else": Subschemas.ONE,
    "enum": Subschemas.NOTHING,
    "exclusiveMaximum": Subschemas.NOTHING,
    "exclusiveMinimum": Subschemas.NOTHING,
    "format": Subschemas.NOTHING,
    "if": Subschemas.ONE,
    "items": Subschemas.ONE,
    "maxContains": Subschemas.NOTHING,
    "maxItems": Subschemas.NOTHING,
    "maxLength": Subschemas.NOTHING,
    "maxProperties": Subschemas.NOTHING,
    "maximum": Subschemas.NOTHING,
    "minContains": Subschemas.NOTHING,
    "minItems": Subschemas.NOTHING,
    "minLength": Subschemas.NOTHING,
    "minProperties": Subschemas.NOTHING,
    "minimum": Subschemas.NOTHING,
    "multipleOf": Subschemas.NOTHING,
    "not": Subschemas.ONE,
    "oneOf": Subschemas.LIST,
    "pattern": Subschemas.NOTHING,
    "patternProperties": Subschemas.NAMED,
    "prefixItems": Subschemas.LIST,
    "properties": Subschemas.NAMED,
    "propertyNames": Subschemas.ONE,
    "required": Subschemas.NOTHING,
    "then": Subschemas.ONE,
    "type": Subschemas.NOTHING,
    "unevaluatedItems": Subschemas.ONE,
    "unevaluatedProperties": Subschemas.ONE,
    "uniqueItems": Subschemas.NOTHING,
}
"""Keywords that the pattern enforces, and where schemas stand in their values."""

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
"""Keywords that do not decide whether an instance is valid, each with the reason why it may be ignored."""

DRAFTS = ("draft-04", "draft-06", "draft-07", "2019-09", "2020-12")
"""The drafts, the latest of which holds where a schema names none."""

DRAFTS_OF = {
    **dict.fromkeys(("const", "contains", "propertyNames"), DRAFTS[1:]),
    **dict.fromkeys(("if", "then", "else"), DRAFTS[2:]),
    **dict.fromkeys(("dependentRequired", "dependentSchemas", "maxContains", "minContains"), DRAFTS[3:]),
    **dict.fromkeys(("unevaluatedItems", "unevaluatedProperties"), DRAFTS[3:]),
    "$recursiveRef": DRAFTS[3:4],
    "$dynamicRef": DRAFTS[4:],
    "prefixItems": DRAFTS[4:],
    "additionalItems": DRAFTS[:4],
}
"""The drafts that have a keyword, where not all of them do; in the others it is ignored."""

SUBSCHEMA_KEYWORDS = {
    **{keyword: where for keyword, where in ENFORCED.items() if where is not Subschemas.NOTHING},
    "$defs": Subschemas.NAMED,
    "definitions": Subschemas.NAMED,
}
"""Keywords with schemas in their values."""


def each_keyword(schema: Any, pointer: str = "#") -> Iterator[tuple[str, str, Any]]:
    """All keywords of a schema and of the schemas inside it: the pointer of the schema, the keyword and its value.

    >>> [(pointer, keyword) for pointer, keyword, _ in each_keyword({"items": {"type": "null"}})]
    [('#', 'items'), ('#/items', 'type')]
    """
    if not isinstance(schema, dict):
        return
    for keyword, value in schema.items():
        yield pointer, keyword, value
        there = below(pointer, keyword)
        where = SUBSCHEMA_KEYWORDS.get(keyword)
        if where is not None and isinstance(value, list):
            for i, one in enumerate(value):
                yield from each_keyword(one, below(there, str(i)))
        elif where is Subschemas.NAMED and isinstance(value, dict):
            for name, one in value.items():
                yield from each_keyword(one, below(there, name))
        elif where is Subschemas.ONE:
            yield from each_keyword(value, there)
