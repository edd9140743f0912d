"""A schema and where it cannot be enforced in; a schema that says less, and what it no longer says, out.

Only conditions are left out, so that every valid instance stays one: what stands inside of a negation, or of an alternative of which
exactly one may hold, is left out with it, also where it stands there by a reference. References are never left out by themselves: what
they mean is to be passed, not to be forgotten.

>>> lessened({"properties": {"a": {"not": {"type": "null"}, "type": ["null", "string"]}}}, "#/properties/a")
({'properties': {'a': {'type': ['null', 'string']}}}, ['#/properties/a/not'])
"""

from __future__ import annotations

import copy
from typing import Any
from urllib.parse import unquote

from rellm_agents.json_schema.source.inputs import Schema
from rellm_agents.json_schema.source.keywords import ENFORCED, SUBSCHEMA_KEYWORDS, Subschemas, each_keyword
from rellm_agents.json_schema.source.pointers import below, names_of

_REFERENCES = frozenset({"$ref", "$dynamicRef", "$recursiveRef"})
_TURNS = ("not", "if", "oneOf", "contains")
"""Keywords that allow less, or something else, where what is inside of them allows more."""
_LOOKS_AROUND = ("unevaluatedProperties", "unevaluatedItems")
"""Keywords that allow less where what is beside them says nothing more."""
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


def lessened(schema: Schema, pointer: str) -> tuple[Schema, list[str]] | None:
    """The schema without one of the keywords that a place owes its exactness to, and without those that mean nothing else without it.

    Args:
        schema: plain data; it is not changed.
        pointer: the place, as an error names it: of a schema, or of a keyword.

    Returns:
        The schema that is left, and the pointers of the keywords; ``None`` if nothing is left there that could be left out.
    """
    whole = copy.deepcopy(schema)
    is_referred = _is_referred(whole, pointer)
    around = next(((at, keyword) for at, keyword, value in each_keyword(whole) if _depends_on_others(keyword, value, is_referred)), None)
    inside, here, found = _place(whole, names_of(pointer if around is None else around[0]))
    if inside is None:
        return None
    if around is not None and found is None:
        found = around[1]
    written = [one for one in inside if one in ENFORCED and one not in _REFERENCES]
    left_out = found if found in ENFORCED else next((one for one in _FIRST if one in written), next(iter(written), None))
    if left_out is None or left_out in _REFERENCES:
        return None
    gone = [one for one in (left_out, *_WITH.get(left_out, ())) if one in inside]
    for one in gone:
        del inside[one]
    return whole, [below(here, one) for one in gone]


def _depends_on_others(keyword: str, value: Any, is_referred: bool) -> bool:  # noqa: FBT001 - of a generator's condition
    """It may allow less where the place allows more; ``is_referred``: a reference may lead there."""
    if keyword in _LOOKS_AROUND:
        return True
    parts = value if isinstance(value, list) else [value]
    return is_referred and keyword in _TURNS and any(inner in _REFERENCES for part in parts for _, inner, _ in each_keyword(part))


def _is_referred(schema: Schema, pointer: str) -> bool:
    """Whether a reference may lead to a place, or to something around it: by its pointer, or by another name."""
    targets = [value for _, keyword, value in each_keyword(schema) if keyword in _REFERENCES and isinstance(value, str)]
    return any(not target.startswith("#/") or f"{pointer}/".startswith(f"{unquote(target)}/") for target in targets)


def _place(schema: Any, names: list[str]) -> tuple[dict[str, Any] | None, str, str | None]:
    """The schema in which something is to be left out, its pointer, and the keyword, if the way leads on with one.

    It is the last on the way; or the first with a keyword that turns round what is inside of it.
    """
    here = "#"
    while isinstance(schema, dict):
        keyword = names.pop(0) if names else None
        holds = None if keyword is None else SUBSCHEMA_KEYWORDS.get(keyword)
        if keyword is None or holds is None or keyword in _TURNS:
            return schema, here, keyword
        inner: Any = schema.get(keyword)
        at = below(here, keyword)
        if holds is Subschemas.NAMED or isinstance(inner, list):
            if not names:
                return schema, here, keyword
            name = names.pop(0)
            at = below(at, name)
            inner = inner[int(name)] if isinstance(inner, list) else inner.get(name)
        schema, here = inner, at
    return None, here, None
