"""The keywords of JSON Schema and what becomes of each: compiled, an annotation, or an error.

A keyword that stands in no table is an annotation by the specification (2020-12 Core, section 6.5), but here an
error: what a schema says is never dropped in silence.

>>> "properties" in COMPILED, "title" in ANNOTATIONS, "not" in ANNOTATIONS
(True, True, False)
"""

from __future__ import annotations

COMPILED = frozenset({"$ref", "additionalProperties", "anyOf", "const", "enum", "items", "properties", "required", "type"})
"""Keywords that the pattern enforces."""

ANNOTATIONS = {
    "$anchor": "names a place, to be referred to",
    "$comment": "for readers of the schema",
    "$defs": "holds schemas to be referred to",
    "$id": "names the schema, to be referred to",
    "$schema": "names the dialect",
    "default": "says what an absent value stands for",
    "definitions": "holds schemas to be referred to",
    "deprecated": "for readers of the schema",
    "description": "for readers of the schema",
    "example": "for readers of the schema",
    "examples": "for readers of the schema",
    "readOnly": "says who may change the value",
    "title": "for readers of the schema",
    "writeOnly": "says who may read the value",
}
"""Keywords that do not decide whether an instance is valid, each with the reason why it may be passed over."""
