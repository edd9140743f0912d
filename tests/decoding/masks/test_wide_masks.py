"""The laws of masks where patterns are wide: counters, sets of many literals, big character sets, objects of many properties."""

from __future__ import annotations

import json
import random
from functools import cache

import numpy as np
import pytest
from toy_tokenizers import KINDS
from toys import random_pieces, vocabulary_of

from rellm_agents import Pattern, compile_regex, compile_schema
from rellm_agents.decoding import TokenMasks, Vocabulary
from rellm_agents.decoding.vocabulary.bitmask import unpacked
from rellm_agents.errors import BudgetTooSmall, TokenRefused, VocabularyError
from rellm_agents.patterns.machine.machine import State

COUNTED = (
    "a{16}",
    "a{17,40}b",
    "[ab]{3,20}c?",
    '"[^"]{0,30}"',
    '"[^"]{16,}"',
    "(ab|ba){2,18}",
    "x(ab){16,17}ab",
    '("a", ){16,19}"a"',
    "[é€]{2,16}!",
    r"\p{L}{1,17}\d{16}",
    "(a€|b){16,}a",
    "([ab]{16,18}:){2}",
    "a{16,20}a{3,16}",
    "(a{16,18}|b{17})*c",
    "[^a]{16,18}a[^b]{0,16}",
    r"(\d\d){0,16}(,[01]{16,24})?",
    "(?s).{16,21}",
)


def words(count: int, seed: int) -> list[str]:
    """Literals with common beginnings, some a prefix of others."""
    chance = random.Random(seed)
    found: dict[str, None] = {}
    while len(found) < count:
        found["".join(chance.choices(["a", "b", "ab", "€", "1", '"', " "], k=chance.randint(1, 6)))] = None
    return list(found)


@cache
def wide_patterns() -> dict[str, Pattern]:
    made = {f"counted {text}": compile_regex(text) for text in COUNTED}
    for count in (8, 20, 47, 48, 49, 60, 200):
        options = [escaped(word) for word in words(count, count)]
        made[f"{count} literals"] = compile_regex("|".join(options))
        followed = [option + ("", "[ab]*", ":", "0+", "(a|b)c")[i % 5] for i, option in enumerate(options)]
        made[f"{count} literals, followed"] = compile_regex(f"({'|'.join(followed)})b")
        made[f"{count} literals, again and again"] = compile_regex(f"(({'|'.join(options)}):)*")
    for text in (r"\p{L}+", r"[^\p{L}]{2,}", r"[\p{Lu}€😀]*a", "[^a-zé]+", r"\w+\W\w"):
        made[f"characters {text}"] = compile_regex(text)
    for whitespace in ("spaced", "compact", "flexible"):
        for count in (17, 40):
            made[f"{count} properties, {whitespace}"] = compile_schema(many_properties(count), whitespace=whitespace)
        made[f"a tree, {whitespace}"] = compile_schema(TREE, whitespace=whitespace)
    return made


def escaped(word: str) -> str:
    return "".join(f"\\{c}" if not c.isalnum() and c.isascii() else c for c in word)


def many_properties(count: int) -> dict[str, object]:
    """Objects with optional properties, each seventh required, one nested."""
    kinds = [{"type": "null"}, {"type": "boolean"}, {"type": "integer"}, {"enum": ["a", "ab", 10]}]
    properties = {f"{'ab' if i % 2 else 'b'}{i}": kinds[i % 4] for i in range(count)}
    inner = {"type": "object", "properties": dict(properties), "additionalProperties": False}
    properties["action"] = inner
    return {**inner, "properties": properties, "required": list(properties)[3::7]}


TREE = {
    "$ref": "#/$defs/tree",
    "$defs": {
        "tree": {
            "type": "object",
            "properties": {"query": {"type": "string"}, "a": {"type": "array", "items": {"$ref": "#/$defs/tree"}}},
            "additionalProperties": False,
        }
    },
}
VOCABULARIES = {
    "random": vocabulary_of(random_pieces(11)),
    "long": vocabulary_of(
        [
            *random_pieces(12, alphabet=b'ab1":, \xe2\x82\xac'),
            *(b"a" * n for n in (8, 15, 16, 17, 33)),
            *(b"ab" * n for n in (7, 8, 9, 17)),
            *(b'"a", ' * n for n in (2, 16)),
            "€€€".encode(),
            b'{"ab1": true, "b2": 1',
            b'"b0": null, "ab1": false, ',
        ]
    ),
}


@pytest.mark.parametrize("vocabulary", VOCABULARIES.values(), ids=VOCABULARIES)
def test_a_mask_equals_trying_every_token_of_wide_patterns(vocabulary: Vocabulary) -> None:
    for name, pattern in wide_patterns().items():
        for seed in range(2):
            assert_masks_equal_trying(TokenMasks(pattern, vocabulary), random.Random(f"{name} {seed}"), name, steps=12)


@pytest.mark.parametrize("kind", KINDS)
def test_a_mask_equals_trying_every_token_of_wide_patterns_with_every_kind_of_tokenizer(kind: str) -> None:
    vocabulary = Vocabulary.from_tokenizer(KINDS[kind]())
    for name, pattern in list(wide_patterns().items())[sorted(KINDS).index(kind) % 3 :: 3]:
        try:
            masks = TokenMasks(pattern, vocabulary)
        except VocabularyError:
            assert not vocabulary.spells_every_text
        else:
            assert_masks_equal_trying(masks, random.Random(name), name, steps=4)


@pytest.mark.parametrize("vocabulary", VOCABULARIES.values(), ids=VOCABULARIES)
def test_a_mask_of_wide_patterns_within_a_budget_leaves_out_what_could_not_be_finished(vocabulary: Vocabulary) -> None:
    for name, pattern in wide_patterns().items():
        masks, chance = TokenMasks(pattern, vocabulary), random.Random(name)
        state = masks.start
        for _ in range(5):
            allowed = allowed_ids(masks, state)
            needed = masks.tokens_needed(state)
            after = {i: 0 if i in vocabulary.end_ids else masks.tokens_needed(masks.advance(state, i)) for i in allowed}
            for budget in (needed, needed + 1, needed + 3, needed + 20, 10_000):
                assert allowed_ids(masks, state, budget) == {i for i, more in after.items() if more < budget}, (name, budget)
            with pytest.raises(BudgetTooSmall):
                masks.bits(state, needed - 1)
            following = sorted(allowed - set(vocabulary.end_ids))
            if not following:
                break
            state = masks.advance(state, chance.choice(following))


@pytest.mark.parametrize("vocabulary", VOCABULARIES.values(), ids=VOCABULARIES)
def test_wide_patterns_end_within_every_budget(vocabulary: Vocabulary) -> None:
    for name, pattern in wide_patterns().items():
        masks, chance = TokenMasks(pattern, vocabulary), random.Random(name)
        needed = masks.tokens_needed(masks.start)
        for budget in (needed, needed + 1, needed + 5, needed + 25):
            state, written = masks.start, b""
            for left in range(budget, 0, -1):
                following = sorted(allowed_ids(masks, state, left) - set(vocabulary.end_ids))
                if not following:
                    break
                token_id = chance.choice(following)
                state, written = masks.advance(state, token_id), written + (vocabulary.token_bytes[token_id] or b"")
            assert masks.is_accepting(state), (name, budget)
            assert pattern.fullmatch(written.decode()), (name, written)
            if "properties" in name or "tree" in name:
                json.loads(written)


def assert_masks_equal_trying(masks: TokenMasks, chance: random.Random, name: str, *, steps: int) -> None:
    """For the states of a random walk."""
    state, ends = masks.start, set(masks.vocabulary.end_ids)
    for _ in range(steps):
        allowed = allowed_ids(masks, state)
        assert allowed == {i for i in range(masks.vocabulary.size) if takes(masks, state, i)}, name
        following = sorted(allowed - ends)
        if not following:
            return
        state = masks.advance(state, chance.choice(following))


def allowed_ids(masks: TokenMasks, state: State, tokens_left: int | None = None) -> set[int]:
    return set(np.flatnonzero(unpacked(masks.bits(state, tokens_left), masks.vocabulary.size)).tolist())


def takes(masks: TokenMasks, state: State, token_id: int) -> bool:
    try:
        masks.advance(state, token_id)
    except TokenRefused:
        return False
    return True
