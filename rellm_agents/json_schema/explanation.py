"""Explains a schema: what each of its keywords does to the pattern, by the tables of keywords and by what compiling it says.

Knows nothing of how keywords are compiled: a keyword is exact if the tables say that it is enforced, and neither the pattern nor an error
names its place.

>>> for one in explained({"type": "string", "title": "Name", "format": "colour"}):
...     print(one.pointer, one.effect, one.reason, sep="; ")
#/type; exact;
#/title; annotation; for readers of the schema
#/format; annotation; no format of this name is known
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from rellm_agents.errors import SchemaError
from rellm_agents.json_schema.schema_pattern import compile_schema
from rellm_agents.json_schema.source import ANNOTATIONS, DRAFTS, DRAFTS_OF, ENFORCED, SchemaLike, below, each_keyword, schema_of
from rellm_agents.json_schema.text import string_format

Effect = Literal["exact", "narrowed", "annotation", "unsupported"]

_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")


class KeywordEffect(NamedTuple):
    """What a keyword does.

    Attributes:
        pointer: of the keyword; of a place, where what is said of it is said of no keyword.
        effect: ``"exact"``: it is enforced; ``"narrowed"``: the pattern allows less; ``"annotation"``: it decides nothing, and is passed
            over; ``"unsupported"``: it cannot be enforced, or allows nothing.
        reason: why; empty for what is enforced exactly.
    """

    pointer: str
    effect: Effect
    reason: str = ""


def explained(schema: SchemaLike, **options: Any) -> list[KeywordEffect]:
    """What each keyword of a schema does, in the order of the schema.

    Args:
        schema: as of :func:`compile_schema`.
        **options: of :func:`compile_schema`, but for ``lenient``: all that is not supported is told, where that can be found out.

    Raises:
        InvalidSchema: it is not even JSON.
    """
    source = schema_of(schema)
    said = _said(source, options)
    draft = _draft_of(source)
    found: list[KeywordEffect] = []
    alone = {pointer for pointer, keyword, _ in each_keyword(source) if keyword == "$ref"} if draft in DRAFTS[:3] else set()
    for pointer, keyword, value in each_keyword(source):
        place = below(pointer, keyword)
        effects = said.pop(place, None)
        if effects:
            found += effects
        elif pointer in alone and keyword != "$ref" and keyword in ENFORCED:
            found.append(KeywordEffect(place, "annotation", f'stands beside "$ref", which {draft} reads alone'))
        else:
            found.append(_by_the_tables(place, keyword, value, draft))
    return [*found, *(effect for effects in said.values() for effect in effects)]


def _by_the_tables(place: str, keyword: str, value: Any, draft: str) -> KeywordEffect:
    if keyword in ENFORCED:
        drafts = DRAFTS_OF.get(keyword, DRAFTS)
        if draft not in drafts:
            return KeywordEffect(place, "annotation", f"{draft} has no such keyword, but {' and '.join(drafts)}")
        if keyword == "format" and isinstance(value, str) and string_format(value) is None:
            return KeywordEffect(place, "annotation", "no format of this name is known")
        return KeywordEffect(place, "exact")
    return KeywordEffect(place, "annotation", ANNOTATIONS.get(keyword, "no keyword of JSON Schema, which passes over such ones"))


def _said(source: Any, options: dict[str, Any]) -> dict[str, list[KeywordEffect]]:
    """What the compiler says of places, by their pointers."""
    try:
        pattern = compile_schema(source, **options)
    except SchemaError as error:
        try:
            pattern = compile_schema(source, **{**options, "lenient": True})
        except SchemaError:
            return {error.pointer: [KeywordEffect(error.pointer, "unsupported", error.reason)]}
    found: dict[str, list[KeywordEffect]] = {}
    places = {below(pointer, keyword) for pointer, keyword, _ in each_keyword(source)}
    lines: list[tuple[Effect, str]] = [("narrowed", line) for line in pattern.narrowed]
    lines += [("unsupported", line) for line in pattern.unenforced]
    for effect, line in lines:
        place = max((one for one in places if line.startswith(f"{one}: ")), key=len, default=line.partition(": ")[0])
        found.setdefault(place, []).append(KeywordEffect(place, effect, line[len(place) + 2 :]))
    return found


def _draft_of(source: Any) -> str:
    named = str(source.get("$schema", "")) if isinstance(source, dict) else ""
    return next((draft for draft in DRAFTS if draft in named), DRAFTS[-1])
