"""Relaxes a schema that cannot be enforced at some place: one keyword is left out there, and the rest stays.

Every valid instance stays valid: in places where leaving out a condition would allow less (inside of ``not``, ``if``, ``oneOf`` or
``contains``, also where a reference leads there), the whole keyword around is left out. A reference is never left out by itself: its
schema is to be passed, not to be forgotten. Knows nothing of why a place cannot be enforced.

>>> relaxed({"properties": {"a": {"not": {"type": "null"}, "type": ["null", "string"]}}}, "#/properties/a")
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
_NOT_MONOTONE = ("not", "if", "oneOf", "contains")
"""Keywords that may allow less where the schemas inside of them allow more."""
_READS_NEIGHBOURS = ("unevaluatedProperties", "unevaluatedItems")
"""Keywords that may allow less where other keywords of the same schema are left out."""
_FIRST = ("not", "if", "oneOf", "contains", "uniqueItems", "multipleOf", "pattern", "format", "propertyNames", "patternProperties")
"""The keywords that are left out first, where it is not known which one cannot be enforced."""
_GO_TOGETHER = {
    "if": ("then", "else"),
    "contains": ("minContains", "maxContains"),
    "properties": ("additionalProperties",),
    "patternProperties": ("additionalProperties",),
    "prefixItems": ("items",),
    "items": ("additionalItems",),
}
"""Keywords that mean something else, or nothing, without another one."""


def relaxed(schema: Schema, pointer: str) -> tuple[Schema, list[str]] | None:
    """The schema without one of the keywords of a place, and without those that go together with it.

    Args:
        schema: plain data; it is not changed.
        pointer: the place, as an error names it: of a schema, or of a keyword.

    Returns:
        The schema that remains, and the pointers of the keywords left out; ``None`` if there is no keyword to leave out.
    """
    whole = copy.deepcopy(schema)
    if pointer == "#/$schema" and isinstance(whole, dict):  # a draft that is not read
        del whole["$schema"]
        return whole, [pointer]
    is_referred_to = _is_referred_to(whole, pointer)
    around = next(((at, keyword) for at, keyword, value in each_keyword(whole) if _depends_on_others(keyword, value, is_referred_to)), None)
    inside, pointer_inside, found = _innermost(whole, names_of(pointer if around is None else around[0]))
    if inside is None:
        return None
    if around is not None and found is None:
        found = around[1]
    written = [one for one in inside if one in ENFORCED and one not in _REFERENCES]
    left_out = found if found in ENFORCED else next((one for one in _FIRST if one in written), next(iter(written), None))
    if left_out is None or left_out in _REFERENCES:
        return None
    gone = [one for one in (left_out, *_GO_TOGETHER.get(left_out, ())) if one in inside]
    for one in gone:
        del inside[one]
    return whole, [below(pointer_inside, one) for one in gone]


def _depends_on_others(keyword: str, value: Any, is_referred_to: bool) -> bool:  # noqa: FBT001 - of a generator's condition
    """Whether it may allow less where the place allows more; ``is_referred_to``: a reference may lead there."""
    if keyword in _READS_NEIGHBOURS:
        return True
    parts = value if isinstance(value, list) else [value]
    return is_referred_to and keyword in _NOT_MONOTONE and any(inner in _REFERENCES for part in parts for _, inner, _ in each_keyword(part))


def _is_referred_to(schema: Schema, pointer: str) -> bool:
    """Whether a reference may lead to a place, or to something around it: by its pointer, or by another name."""
    targets = [value for _, keyword, value in each_keyword(schema) if keyword in _REFERENCES and isinstance(value, str)]
    return any(not target.startswith("#/") or f"{pointer}/".startswith(f"{unquote(target)}/") for target in targets)


def _innermost(schema: Any, names: list[str]) -> tuple[dict[str, Any] | None, str, str | None]:
    """The schema in which a keyword is to be left out, its pointer, and the keyword, if the path names one.

    It is the innermost schema on the path, or the outermost one whose next keyword is in ``_NOT_MONOTONE``.
    """
    pointer = "#"
    while isinstance(schema, dict):
        keyword = names.pop(0) if names else None
        where = None if keyword is None else SUBSCHEMA_KEYWORDS.get(keyword)
        if keyword is None or where is None or keyword in _NOT_MONOTONE:
            return schema, pointer, keyword
        inner: Any = schema.get(keyword)
        there = below(pointer, keyword)
        if where is Subschemas.NAMED or isinstance(inner, list):
            if not names:
                return schema, pointer, keyword
            name = names.pop(0)
            there = below(there, name)
            inner = inner[int(name)] if isinstance(inner, list) else inner.get(name)
        schema, pointer = inner, there
    return None, pointer, None
