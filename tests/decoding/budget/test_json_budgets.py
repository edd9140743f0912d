"""JSON under tokens that span its commas, names and quotes: whatever is drawn, the text ends within every budget that is enough."""

from __future__ import annotations

import json
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from json_schema.test_compiler import schemas

from rellm_agents import Pattern, compile_schema
from rellm_agents.decoding import TokenMasks, Vocabulary
from rellm_agents.decoding.vocabulary.bitmask import unpacked
from rellm_agents.errors import SchemaError

PIECES = [
    ', "',
    '": ',
    '": "',
    '{"',
    '"}',
    '": {"',
    '", "',
    '":',
    ' "',
    ", ",
    "]}",
    '"]',
    "false",
    "null",
    "true",
    "10",
    "[[",
    "long",
    " name",
    "``",
    "`",
    "</",
    "\\u0060",
]
BYTES = [bytes((byte,)) for byte in (*range(0x20, 0x7F), *range(0x80, 0xC0), *range(0xC2, 0xF5), 9, 10, 13)]
VOCABULARY = Vocabulary([*BYTES, *(piece.encode() for piece in PIECES), None], end_ids=[len(BYTES) + len(PIECES)])


def written(masks: TokenMasks, budget: int, chance: random.Random) -> str:
    """A random text within a budget."""
    state, data = masks.start, b""
    for left in range(budget, 0, -1):
        allowed = np.flatnonzero(unpacked(masks.bits(state, tokens_left=left), VOCABULARY.size))
        token = int(chance.choice(allowed.tolist()))
        if token in VOCABULARY.end_ids:
            return data.decode()
        data += VOCABULARY.token_bytes[token] or b""
        state = masks.advance(state, token)
    raise AssertionError(f"no end within {budget} tokens: {data!r}")


@given(schemas, st.sampled_from(["spaced", "compact", "flexible"]), st.sampled_from(["source", "any"]), st.integers(0, 2**32))
@settings(max_examples=200, deadline=None)
def test_every_budget_from_the_least_on_suffices(schema: Any, whitespace: Any, order: Any, seed: int) -> None:
    try:
        pattern = compile_schema(schema, whitespace=whitespace, order=order)
    except SchemaError:
        assume(False)
        raise
    ends_in_time(pattern, random.Random(seed))


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {name: {"type": "boolean"} for name in "abcd"}, "required": ["a", "d"], "additionalProperties": False},
        {"properties": {name: {"const": name} for name in "abcd"}, "required": ["b", "d"], "minProperties": 3},
        {"properties": {"a": {"$ref": "#"}, "b": {"type": "string"}, "c": {"enum": [0, "x"]}}, "required": ["c"]},
        {"minProperties": 5},
        {"minProperties": 5, "propertyNames": {"maxLength": 2}},
        {"minProperties": 3, "propertyNames": {"pattern": "^[ab ]{1,2}$"}, "additionalProperties": {"type": "boolean"}},
        {"type": "array", "prefixItems": [{"enum": ["a", "b"]}, {"const": "a"}], "items": {"const": "c"}, "minItems": 4},
        {"type": "array", "items": {"enum": ["a", "b", 1]}, "contains": {"const": "b"}, "minContains": 2, "maxContains": 3},
        {"type": "array", "items": {"enum": ["a", "b", 1, 10]}, "uniqueItems": True, "minItems": 3},
        {"type": "array", "items": {"type": ["string", "boolean", "integer"]}, "uniqueItems": True, "minItems": 5},
        {"type": "array", "items": {"type": "array", "items": {"type": "string"}}, "uniqueItems": True, "minItems": 3},
    ],
)
@pytest.mark.parametrize("whitespace", ["spaced", "flexible"])
def test_what_has_to_come_is_told_from_every_place(schema: dict[str, Any], whitespace: Any) -> None:
    pattern = compile_schema({"type": "object", **schema}, whitespace=whitespace)
    for seed in range(30):
        ends_in_time(pattern, random.Random(seed))


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string"},
        {"type": "string", "minLength": 7, "maxLength": 30},
        {"type": "string", "pattern": "^`*$", "minLength": 9, "maxLength": 400},
        {"type": "string", "pattern": "^[`/<a]*$", "minLength": 20},
        {
            "type": "object",
            "minProperties": 3,
            "propertyNames": {"minLength": 3, "maxLength": 9},
            "additionalProperties": {"type": "string"},
        },
    ],
)
def test_strings_without_some_texts_end_in_time(schema: dict[str, Any]) -> None:
    pattern = compile_schema(schema, without=["```", "</", "name:"])
    for seed in range(30):
        ends_in_time(pattern, random.Random(seed))


def ends_in_time(pattern: Pattern, chance: random.Random) -> None:
    masks = TokenMasks(pattern, VOCABULARY)
    for more in (0, 1, 5, 20):
        text = written(masks, masks.tokens_needed(masks.start) + more, chance)
        assert pattern.fullmatch(text)
        json.loads(text)


def test_many_that_have_to_come_in_any_order() -> None:
    names = [f"name{i}" for i in range(40)]
    schema = {"type": "object", "properties": {name: {"type": "boolean"} for name in names}, "required": names, "minProperties": 41}
    ends_in_time(compile_schema(schema, order="any"), random.Random(0))
