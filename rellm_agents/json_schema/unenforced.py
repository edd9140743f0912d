"""A schema and where it cannot be enforced in; a schema that says less, and what it no longer says, out.

Only conditions are left out, so that every valid instance stays one: what stands inside of a negation, or of an alternative of which
exactly one may hold, is left out with it. References are never left out: what they mean is to be passed, not to be forgotten.

>>> lessened({"properties": {"a": {"not": {"type": "null"}, "type": ["null", "string"]}}}, "#/properties/a")
({'properties': {'a': {'type': ['null', 'string']}}}, '#/properties/a/not')
"""

from __future__ import annotations

import copy
from typing import Any

from rellm_agents.json_schema.inputs import Schema
from rellm_agents.json_schema.keywords import ENFORCED, HOLDERS, Holds, each_keyword
from rellm_agents.json_schema.pointers import below, names_of

_REFERENCES = frozenset({"$ref", "$dynamicRef", "$recursiveRef"})
_TURNS = ("not", "if", "oneOf", "contains")
"""Keywords that allow less, or something else, where what is inside of them allows more."""
_LOOKS_AROUND = ("unevaluatedProperties", "unevaluatedItems")  # and those that do where anything beside them does
_FIRST = ("not", "if", "oneOf", "contains", "uniqueItems", "multipleOf", "pattern", "format", "propertyNames", "patternProperties")
"""What is left out of a schema before the rest, where it is not known which keyword is too much."""
_WITH = {
    "if": ("then", "else"),
    "contains": ("minContains", "maxContains"),
    "properties": ("additionalProperties",),
    "patternProperties": ("additionalProperties",),
    "prefixItems": ("items",),
    "items": ("additionalItems",),
}
"""What says something else, or nothing, where the first is left out."""


def lessened(schema: Schema, pointer: str) -> tuple[Schema, str] | None:
    """The schema without one of the keywords that a place owes its exactness to.

    Args:
        schema: plain data; it is not changed.
        pointer: the place, as an error names it: of a schema, or of a keyword.

    Returns:
        The schema that is left, and the pointer of the keyword; ``None`` if nothing is left there that could be left out.
    """
    whole = copy.deepcopy(schema)
    around = next(((at, keyword) for at, keyword, _ in each_keyword(whole) if keyword in _LOOKS_AROUND), None)
    inside, here, found = _place(whole, names_of(pointer if around is None else around[0]))
    if inside is None:
        return None
    if around is not None and found is None:
        found = around[1]
    written = [one for one in inside if one in ENFORCED and one not in _REFERENCES]
    left_out = found if found in ENFORCED else next((one for one in _FIRST if one in written), next(iter(written), None))
    if left_out is None or left_out in _REFERENCES:
        return None
    for one in (left_out, *_WITH.get(left_out, ())):
        inside.pop(one, None)
    return whole, below(here, left_out)


def _place(schema: Any, names: list[str]) -> tuple[dict[str, Any] | None, str, str | None]:
    """The schema in which something is to be left out, its pointer, and the keyword, if the way leads on with one.

    It is the last on the way; or the first with a keyword that turns round what is inside of it.
    """
    here = "#"
    while isinstance(schema, dict):
        keyword = names.pop(0) if names else None
        holds = None if keyword is None else HOLDERS.get(keyword)
        if keyword is None or holds is None or keyword in _TURNS:
            return schema, here, keyword
        inner: Any = schema.get(keyword)
        at = below(here, keyword)
        if holds is Holds.NAMED or isinstance(inner, list):
            if not names:
                return schema, here, keyword
            name = names.pop(0)
            at = below(at, name)
            inner = inner[int(name)] if isinstance(inner, list) else inner.get(name)
        schema, here = inner, at
    return None, here, None
