"""Lists in which one item decides what others may be: whatever is drawn, the text ends within every budget that is enough.

``ITEM_SCHEMAS`` random schemas are tried, 30 by default, from ``ITEM_SEED`` on.
"""

from __future__ import annotations

import json
import os
import random
from functools import cache
from typing import Any

import jsonschema
import pytest
from decoding.budget.test_json_budgets import BYTES, VOCABULARY
from json_schema.item_schemas import schema_of
from json_schema.random_verdicts import written

from rellm_agents import Pattern, compile_schema
from rellm_agents.decoding import TokenMasks, Vocabulary, smollm2
from rellm_agents.decoding.masks.mask_assembly import shared_masks
from rellm_agents.errors import UnsatisfiableSchema, UnsupportedSchema
from rellm_agents.patterns.machine import listed_texts

FIRST = int(os.environ.get("ITEM_SEED", "0"))
LISTS_OF_LISTS = 2084  # the last item takes fewer tokens than its parts
SEEDS = [*range(FIRST, FIRST + int(os.environ.get("ITEM_SCHEMAS", "30"))), LISTS_OF_LISTS]
ONLY_BYTES = Vocabulary([*BYTES, None], end_ids=[len(BYTES)])
LONG = "a" * 40


@cache
def of_smollm2() -> Vocabulary:
    return Vocabulary.from_tokenizer(smollm2(progress=False)[1])


def check(schema: Any, vocabulary: Vocabulary, seed: int) -> None:
    try:
        pattern = compile_schema(schema, order=random.Random(seed).choice(["source", "any"]))
    except (UnsatisfiableSchema, UnsupportedSchema):
        return  # which schemas these are is the subject of tests/json_schema/test_item_lists.py
    judge = jsonschema.Draft202012Validator(schema)
    for more in (0, 1, 3):
        text = written(pattern, vocabulary, more, random.Random(seed))
        assert pattern.fullmatch(text), (schema, text)
        assert judge.is_valid(json.loads(text)), (schema, text)


@pytest.mark.parametrize("vocabulary", [VOCABULARY, ONLY_BYTES], ids=["pieces", "bytes"])
@pytest.mark.parametrize("seed", SEEDS)
def test_every_budget_from_the_least_on_suffices(seed: int, vocabulary: Vocabulary) -> None:
    check(schema_of(seed), vocabulary, seed)


@pytest.mark.model
@pytest.mark.parametrize("seed", SEEDS[:: max(len(SEEDS) // 8, 1)])
def test_and_so_it_is_with_the_tokens_of_a_model(seed: int) -> None:
    check(schema_of(seed), of_smollm2(), seed)


@pytest.mark.parametrize(
    "schema",
    [
        {"prefixItems": [{"enum": ["b", "aa"]}, {"enum": ["aa", LONG]}], "minItems": 2},
        {"prefixItems": [{"type": "string"}, {"enum": ["aa", LONG]}], "minItems": 2},
        {"prefixItems": [{}, {"enum": [0, LONG]}, {"enum": [0, 1]}], "minItems": 3},
        {"items": {"enum": ["a", "b", LONG]}, "contains": {"enum": ["b", LONG]}, "minContains": 2},
        {"items": {"enum": [f"w{i}" for i in range(60)]}, "minItems": 50},
        {"items": {"type": ["integer", "boolean"]}, "minItems": 30},
    ],
)
@pytest.mark.parametrize("vocabulary", [VOCABULARY, ONLY_BYTES], ids=["pieces", "bytes"])
def test_what_an_item_takes_from_others_is_counted(schema: dict[str, Any], vocabulary: Vocabulary) -> None:
    for seed in range(6):
        check({"type": "array", "uniqueItems": True, **schema}, vocabulary, seed)


def true_need(pattern: Pattern, vocabulary: Vocabulary) -> int | None:
    """The fewest tokens of any text, its end included; ``None`` if there are too many texts to try."""
    texts = listed_texts(pattern.node, 500)
    return None if texts is None else 1 + min(shared_masks(vocabulary).costs.of_literal(text)[0] for text in texts)


def test_the_need_is_an_upper_bound_and_exact_where_no_token_spans_two_parts() -> None:
    exact = above = 0
    for seed in SEEDS:
        try:
            pattern = compile_schema(schema_of(seed))
        except (UnsatisfiableSchema, UnsupportedSchema):
            continue
        for vocabulary in (VOCABULARY, ONLY_BYTES):
            least = true_need(pattern, vocabulary)
            if least is not None:
                masks = TokenMasks(pattern, vocabulary)
                need = masks.tokens_needed(masks.start)
                assert need >= least
                if vocabulary is ONLY_BYTES:
                    exact, above = exact + (need == least), above + (need > least)
    assert exact > 9 * above


@pytest.mark.parametrize("count", [1, 2, 40, 3_000])
@pytest.mark.parametrize("least", [0, 5])
def test_a_long_list_of_places_needs_what_its_items_need(count: int, least: int) -> None:
    pattern = compile_schema({"type": "array", "prefixItems": [{"type": "integer"}] * count, "minItems": count + least})
    masks = TokenMasks(pattern, ONLY_BYTES)
    items = count + least
    assert masks.tokens_needed(masks.start) == len(json.dumps([0] * count + [1] * least)) + 1
    state = masks.advance(masks.start, BYTES.index(b"["))
    assert masks.tokens_needed(state) == 3 * items
