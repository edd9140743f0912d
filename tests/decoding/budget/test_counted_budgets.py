"""Lengths beside formats, patterns and lookarounds: whatever is chosen within the least budget and a little more, the text ends in time."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from rellm_agents import compile_regex, compile_schema
from rellm_agents.decoding import Vocabulary
from rellm_agents.decoding.masks import PatternMasks

LONGER = (
    "ab",
    "abc",
    "aaaa",
    "aaaaaaaa",
    "a@",
    ".com",
    '",',
    '"}',
    "a1",
    "A1!",
    " the",
    "é",
    "\\u00",
    "-a-",
    "://",
    "ho",
    "st.",
    "12345678",
    "%20",
    '"',
)


def string(**keywords: Any) -> dict[str, Any]:
    return {"type": "string", **keywords}


PATTERNS: dict[str, Any] = {
    "slug": string(pattern="^[a-z]+(-[a-z0-9]+)*$", minLength=20, maxLength=30),
    "uri": string(format="uri", minLength=20, maxLength=40),
    "password": string(pattern=r"^(?=.*[a-z])(?=.*[A-Z])(?=.*\d).{8,24}$"),
    "in an object": {
        "type": "object",
        "properties": {"a": string(pattern="^[^<>]+;$", minLength=17), "b": string(pattern="é$", maxLength=18)},
        "required": ["a", "b"],
    },
    "upper bound": string(pattern="^(aaaaa|bbb)+c$", maxLength=30),
    "lookaheads": "(?=.*a)(?=.*b)(?=.*1).{17,30}",
    "multiples": "(?=(?:.{7})*$)[ab]{16,40}",
}


@pytest.mark.parametrize("name", PATTERNS)
def test_every_text_matches_and_ends_within_every_budget(name):
    tokens = [*(bytes((byte,)) for byte in range(256)), *dict.fromkeys(text.encode() for text in LONGER if len(text.encode()) > 1), None]
    vocabulary, chance = Vocabulary(tokens, end_ids=[len(tokens) - 1]), random.Random(name)
    made = PATTERNS[name]
    pattern = compile_regex(made) if isinstance(made, str) else compile_schema(made)
    masks = PatternMasks(pattern, vocabulary)
    needed = masks.tokens_needed(masks.start)
    for spare in (0, 1, 3, 9):
        for _ in range(3):
            state, left, text = masks.start, needed + spare, b""
            while True:
                allowed = np.flatnonzero(np.unpackbits(masks.bits(state, left).view(np.uint8), bitorder="little"))
                assert set(allowed) <= set(np.flatnonzero(np.unpackbits(masks.bits(state).view(np.uint8), bitorder="little")))
                token = int(chance.choice(allowed))
                left -= 1
                if token in vocabulary.end_ids:
                    break
                text += tokens[token]
                state = masks.advance(state, token)
            assert left >= 0
            assert pattern.fullmatch(text.decode())
