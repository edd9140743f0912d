"""What begins a text of a schema can be finished: no byte that the pattern allows leads to where no text ends."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from json_schema.random_schemas import random_schema
from json_schema.random_verdicts import only_bytes
from json_schema.verdicts import SHARED, rows

from rellm_agents import compile_schema
from rellm_agents.decoding.budget import IMPOSSIBLE
from rellm_agents.decoding.masks import PatternMasks
from rellm_agents.decoding.vocabulary.bitmask import unpacked
from rellm_agents.errors import SchemaError

BYTES = only_bytes()
NEARER_THE_END = [*b'"]},:']
NAMES = ["a", "b", "c", "1", "23"]
VALUES: list[Any] = [{"type": "array", "minItems": 2}, {"enum": [1, 2]}, {"type": "boolean"}, {"type": "integer"}, {"const": 1}]


def some_names(chance: random.Random) -> Any:
    return {"enum": chance.sample(NAMES, chance.randrange(1, 4))}


def object_schema(seed: int) -> Any:
    """An object of few names, some of which have to be there, or some of whose values have to be of a kind."""
    chance = random.Random(seed)
    schema: dict[str, Any] = {
        "type": "object",
        "patternProperties": {chance.choice(["^[0-9]$", "^[ab]$", "^[a-c]$", "^[ac]|2"]): chance.choice(VALUES)},
        "additionalProperties": chance.choice([False, *VALUES]),
        "maxProperties": chance.choice([1, 2, 2, 3]),
        "minProperties": chance.choice([0, 0, 1, 2]),
    }
    if chance.random() < 0.5:
        schema["properties"] = {name: chance.choice(VALUES) for name in chance.sample(NAMES, chance.randrange(3))}
    if chance.random() < 0.5:
        schema["propertyNames"] = some_names(chance)
    if chance.random() < 0.6:
        present, absent = chance.sample(NAMES, 2)
        schema["dependentSchemas"] = {present: {"not": {"required": [absent]}}}
    schema["not"] = {
        "anyOf": [
            {"propertyNames": {"not": some_names(chance)}} if chance.random() < 0.7 else {"additionalProperties": chance.choice(VALUES)}
            for _ in range(chance.randrange(1, 5))
        ]
    }
    return schema


def is_finished_from_everywhere(schema: Any, seed: int, *, walks: int = 4, steps: int = 60) -> bool:
    """Write random bytes that are allowed, then the rest within the bytes that are said to suffice. False if nothing is written."""
    chance = random.Random(seed)
    try:
        pattern = compile_schema(schema, order=chance.choice(["source", "any"]))
    except SchemaError:
        return False
    masks = PatternMasks(pattern, BYTES)
    for _ in range(walks):
        state, text = masks.start, b""
        for at in range(steps + 100):
            needed = masks.tokens_needed(state)
            assert needed < IMPOSSIBLE, (schema, text)
            tokens = np.flatnonzero(unpacked(masks.bits(state, None if at < steps else needed), BYTES.size)).tolist()
            token = chance.choice([one for one in tokens if one in NEARER_THE_END and chance.random() < 0.5] or tokens)
            if token in BYTES.end_ids:
                assert pattern.fullmatch(text.decode()), (schema, text)
                break
            state, text = masks.advance(state, token), text + bytes([token])
    return True


@pytest.mark.parametrize("first", range(0, 200, 50))
def test_objects_of_few_names(first: int) -> None:
    assert sum(is_finished_from_everywhere(object_schema(seed), seed) for seed in range(first, first + 50)) > 15


def test_random_schemas() -> None:
    assert sum(is_finished_from_everywhere(random_schema(seed), seed) for seed in range(40)) > 20


@pytest.mark.skipif(not (SHARED / "public.jsonl.gz").exists(), reason="the public sample is not beside this checkout")
def test_objects_of_the_public_sample() -> None:
    """Those that were written by hand, to be hard."""
    found = [row["schema"] for row in rows("public") if row["split"] == "Handwritten" and row["schema"].get("type") == "object"]
    assert sum(is_finished_from_everywhere(schema, 0) for schema in found) > 4
