"""Patterns that name surrogates mean what ECMA-262 says with the flag u: a pair is its character, one alone is in no text."""

from __future__ import annotations

import json
import random

import pytest

from rellm_agents.errors import UnsatisfiableSchema
from rellm_agents.json_schema import compile_schema
from rellm_agents.json_schema.source.surrogates import pattern_without_surrogates, without_surrogates

PROBES = ["a", "-", "^", "]", "\u0000", "\ud7ff", "\ue000", "\uffff", "\U00010000", "😀", "😁", "\U0010ffff", "é"]


def texts(pattern: str) -> set[str]:
    try:
        found = compile_schema({"type": "string", "pattern": pattern})
    except UnsatisfiableSchema:
        return set()
    return {c for c in PROBES if found.fullmatch(json.dumps(c, ensure_ascii=False))}


@pytest.mark.parametrize(
    ("pattern", "held"),
    [
        (r"^\uD83D\uDE00$", {"😀"}),
        ("^\ud83d\ude00$", {"😀"}),
        (r"^\ud83d$", set()),
        (r"^(?:\ud83d|a)$", {"a"}),
        (r"^\ud83d?a$", {"a"}),
        (r"^\ud83d\u{DE00}$", set()),
        (r"^\\ud83d$", set()),
        (r"^[^\ud800-\udfff]$", set(PROBES)),
        ("^[^\ud800-\udfff]$", set(PROBES)),
        (r"^[\ud800-\udfff]$", set()),
        (r"^[\ud800-\udfffa]$", {"a"}),
        (r"^[\ud83d\ude00]$", {"😀"}),
        (r"^[\ud83d\ude00-\ud83d\ude01]$", {"😀", "😁"}),
        (r"^[^\ud83d\ude00-\ud83d\ude01\ud800-\udfff]$", set(PROBES) - {"😀", "😁"}),
        (r"^[\ud83d-\uffff]$", {"\ue000", "\uffff"}),
        (r"^[a-\udfff]$", {"a", "é", "\ud7ff"}),
        (r"^[\u0000-\uD7FF\uE000-\uFFFF]$", set(PROBES) - {"\U00010000", "😀", "😁", "\U0010ffff"}),
        (r"^[\uD800-\uDBFF][\uDC00-\uDFFF]$", set()),
        (r"^(?:[\uD800-\uDBFF][\uDC00-\uDFFF]|[^\uD800-\uDFFF])$", set(PROBES)),
        (r"^[\ud800\-a]$", {"-", "a"}),
        (r"^[a\ud800-]$", {"-", "a"}),
        (r"^[\ud800^a]$", {"^", "a"}),
        (r"^[^\ud800^a]$", set(PROBES) - {"^", "a"}),
    ],
)
def test_a_pattern_with_surrogates_matches_what_its_code_points_are(pattern: str, held: set[str]) -> None:
    assert texts(pattern) == held


def test_random_classes_hold_their_members_that_are_no_surrogates() -> None:
    chance, points = random.Random(3), [0x2D, 0x41, 0x61, 0x5E, 0xD7FF, 0xD800, 0xDBFF, 0xDC00, 0xDFFF, 0xE000, 0xFFFF, 0x1F600, 0x10FFFF]
    for _ in range(150):
        items, held = [], set[str]()
        for _ in range(chance.randint(1, 4)):
            first, last = sorted((chance.choice(points), chance.choice(points)))
            items.append(_escaped(first) if first == last else f"{_escaped(first)}-{_escaped(last)}")
            held |= {c for c in PROBES if first <= ord(c) <= last}
        is_negated = chance.random() < 0.3
        pattern = f"^[{'^' if is_negated else ''}{''.join(items)}]$"
        rewritten = pattern_without_surrogates(pattern)
        assert pattern_without_surrogates(rewritten) == rewritten
        if _adjoins(items):  # a high one before a low one is a pair
            continue
        assert texts(pattern) == (set(PROBES) - held if is_negated else held), pattern


def _escaped(point: int) -> str:
    return rf"\u{{{point:X}}}" if point > 0xFFFF else f"\\u{point:04x}"


def _adjoins(items: list[str]) -> bool:
    text = "".join(items)
    return any(f"{high}{low}" in text for high in (r"\ud800", r"\udbff") for low in (r"\udc00", r"\udfff"))


def test_schemas_are_read_wherever_such_a_pattern_stands() -> None:
    inner = {"type": "string", "pattern": r"^[^\ud800-\udfff]{2}$"}
    schema = {
        "type": "object",
        "properties": {"a": inner, "b": {"type": "array", "items": {"$ref": "#/$defs/c"}}},
        "patternProperties": {r"^\ud83d\ude00": {"type": "null"}},
        "additionalProperties": False,
        "$defs": {"c": {"anyOf": [inner, {"type": "null"}]}},
    }
    for source in (schema, json.dumps(schema), json.dumps(schema).replace(r"\\ud", r"\ud")):
        pattern = compile_schema(source)
        assert pattern.fullmatch('{"a": "xy", "b": ["é😀", null]}')
        assert pattern.fullmatch('{"😀x": null}')
        assert not pattern.fullmatch('{"a": "xyz"}')


def test_other_schemas_stay_the_same_object() -> None:
    for schema in ({"pattern": "^a$"}, {"const": "\\ud800"}, {"properties": {"\\ud800": {}}}, True):
        assert without_surrogates(schema) is schema
