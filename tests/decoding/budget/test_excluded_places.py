"""What it costs to differ from a long text: the places on the way to it that are priced are bounded, and budgets are kept all the same."""

from __future__ import annotations

from typing import Any

import pytest

from rellm_agents import compile_schema
from rellm_agents.decoding import Vocabulary
from rellm_agents.decoding.budget import capture_costs
from rellm_agents.decoding.budget.capture_costs import CaptureCosts, least_limit
from rellm_agents.decoding.budget.token_costs import IMPOSSIBLE
from rellm_agents.decoding.masks import PatternMasks

TOKENS = [bytes([byte]) for byte in range(256)] + [b'{"', b'":', b'": ', b", ", b'", "', b"}]", b"word", b" and", b"[{"]
VOCABULARY = Vocabulary([*TOKENS, None], end_ids=[len(TOKENS)])
OBJECTS: dict[str, Any] = {"type": "array", "uniqueItems": True, "minItems": 3, "items": {"type": "object", "minProperties": 1}}


def priced_places(monkeypatch: pytest.MonkeyPatch, size: int) -> int:
    """How often tokens are priced for the masks of a list's second object, after a first one with a name so long."""
    asked: list[int] = []
    first_leaving = CaptureCosts._first_leaving

    def counted(costs: CaptureCosts, node: Any, state: Any, text: bytes, limit: int) -> bytes | None:
        asked.append(limit)
        return first_leaving(costs, node, state, text, limit)

    with monkeypatch.context() as patched:
        patched.setattr(CaptureCosts, "_first_leaving", counted)
        masks = PatternMasks(compile_schema({**OBJECTS, "description": f"{size}"}), VOCABULARY)
        state = masks.start
        for text in (b'[{"', b"word" * size, b'": 1}, '):
            for byte in text:
                state = masks.advance(state, byte)
        for byte in b'{"word':  # along the excluded text
            masks.bits(state, masks.tokens_needed(state))
            state = masks.advance(state, byte)
    return len(asked)


def test_the_work_does_not_grow_with_the_texts_that_may_not_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    short, long = priced_places(monkeypatch, 8), priced_places(monkeypatch, 64)
    assert 0 < long <= 1.5 * short


@pytest.mark.parametrize("most", [1, 3, 8])
def test_some_token_lowers_the_need_however_few_places_are_looked_at(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(capture_costs, "MAX_PLACES", most)
    masks = PatternMasks(compile_schema({**OBJECTS, "title": f"{most}"}), VOCABULARY)
    state = masks.start
    for byte in b'[{"word and word": {}}, ':
        state = masks.advance(state, byte)
    for byte in b'{"word and word": {"':
        need = masks.tokens_needed(state)
        bits = masks.bits(state, need)
        allowed = [i for i in range(len(TOKENS) + 1) if bits[i >> 5] >> (i & 31) & 1]
        assert allowed
        assert min(masks.tokens_needed(masks.advance(state, token)) for token in allowed) < need
        state = masks.advance(state, byte)


@pytest.mark.parametrize("least", [1, 2, 7, 100, IMPOSSIBLE])
@pytest.mark.parametrize("guess", [0, 1, 2, 6, 7, 8, 99, 5_000, IMPOSSIBLE])
def test_the_least_limit_is_found_from_any_guess(least: int, guess: int) -> None:
    asked: list[int] = []

    def found_below(limit: int) -> int | None:
        asked.append(limit)
        return limit if limit >= least else None

    assert least_limit(found_below, guess) == (least, least)
    assert len(asked) <= 3 + 3 * abs(least - max(guess, 1)).bit_length()
    assert least_limit(lambda limit: None, guess) is None
