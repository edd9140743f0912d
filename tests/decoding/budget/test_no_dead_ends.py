"""Where no item and no name may come twice, and there are few of them: no token leads to where nothing goes on, whatever is drawn."""

from __future__ import annotations

import json
import random
from typing import Any

import numpy as np
import pytest
from toys import byte_level_tokenizer

from rellm_agents import compile_schema
from rellm_agents.decoding import TokenMasks, Vocabulary
from rellm_agents.errors import UnsatisfiableSchema
from rellm_agents.patterns import literal, read_regex, sequence
from rellm_agents.patterns.automaton.shortest_paths import few_texts

LIST: dict[str, Any] = {"type": "array", "uniqueItems": True}
FLAG = {"type": "object", "properties": {"x": {"type": "boolean"}}, "required": ["x"], "additionalProperties": False}
SCHEMAS = [
    {**LIST, "items": {"type": "string", "pattern": "^[abc]$"}},
    {**LIST, "items": {"type": "string", "pattern": "^[abc]$"}, "minItems": 3},
    {**LIST, "items": {"type": ["boolean", "null"]}, "minItems": 2},
    {**LIST, "items": FLAG},
    {**LIST, "prefixItems": [{"enum": ["a", "b"]}], "items": {"enum": ["a", "c"]}},
    {"type": "object", "patternProperties": {"^[abc]$": {"type": "boolean"}}, "additionalProperties": False},
    {"type": "object", "patternProperties": {"^[abc]$": {"type": "boolean"}}, "additionalProperties": False, "minProperties": 3},
    {"type": "object", "properties": {"a": {"type": "null"}}, "propertyNames": {"pattern": "^[ab]$"}, "minProperties": 2},
]
IMPOSSIBLE = [
    {**LIST, "items": {"type": "string", "pattern": "^[a-z]$"}, "minItems": 27},
    {**LIST, "items": {"type": "boolean"}, "prefixItems": [{"type": "null"}], "minItems": 4},
    {"type": "object", "propertyNames": {"pattern": "^[ab]$"}, "minProperties": 3},
    {"type": "object", "properties": {"a": {}}, "propertyNames": {"pattern": "^[ab]$"}, "minProperties": 3},
    {"type": "object", "patternProperties": {"^[a-c]$": {}}, "additionalProperties": False, "minProperties": 4},
]


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return Vocabulary.from_tokenizer(byte_level_tokenizer())


@pytest.mark.parametrize("whitespace", ["spaced", "flexible"])
@pytest.mark.parametrize("schema", SCHEMAS, ids=json.dumps)
def test_a_text_goes_on_until_it_can_end(schema, whitespace, vocabulary):
    masks = TokenMasks(compile_schema(schema, whitespace=whitespace), vocabulary)
    ended = 0
    for seed in range(15):
        chance, state = random.Random(seed), masks.start
        for _ in range(250):
            allowed = np.flatnonzero(np.unpackbits(masks.bits(state).view(np.uint8), bitorder="little")).tolist()
            assert allowed
            going_on = [id_ for id_ in allowed if id_ not in vocabulary.end_ids]
            if not going_on:  # as long a text as there can be
                ended += 1
                break
            state = masks.advance(state, chance.choice(going_on))
    assert ended > 3


@pytest.mark.parametrize("schema", IMPOSSIBLE, ids=json.dumps)
def test_more_than_there_are_is_refused(schema):
    with pytest.raises(UnsatisfiableSchema):
        compile_schema(schema)


def test_few_texts_are_counted_and_many_are_not():
    assert few_texts(read_regex("[a-c]{0,2}"), 13) == {"".join(t).encode() for n in range(3) for t in _products("abc", n)}
    assert few_texts(read_regex("[a-c]{0,2}"), 12) is None
    assert few_texts(sequence(literal("a"), read_regex("b*")), 100) is None
    assert few_texts(read_regex("é|€"), 2) == {"é".encode(), "€".encode()}


def _products(letters: str, times: int) -> list[tuple[str, ...]]:
    return [()] if not times else [(letter, *rest) for letter in letters for rest in _products(letters, times - 1)]
