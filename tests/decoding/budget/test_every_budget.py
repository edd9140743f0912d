"""Whatever is chosen, under every budget from the least on, with tokenizers of all kinds: the text matches and ends in time.

No model is needed: the adversary draws from what is allowed. By default a few budgets of a few patterns; ``EVERY_BUDGET=30`` takes
all budgets of thirty patterns and of all formats for each tokenizer.
"""

from __future__ import annotations

import os
import random
from functools import cache

import pytest
import torch
from decoding.many_patterns import GROUPS
from formats.every_format import MAKERS, made
from toy_tokenizers import KINDS
from toys import FixedLogits

from rellm_agents import Pattern
from rellm_agents.decoding import ConstrainedDecoder
from rellm_agents.decoding.generation.options import TextOptions
from rellm_agents.errors import BudgetTooSmall, VocabularyError
from rellm_agents.patterns import lexeme, read_regex

EVERY = int(os.environ.get("EVERY_BUDGET", "0"))
WORDS = Pattern(lexeme(read_regex("( ?(ab|yes|no|true))+")))  # in one piece, for tokenizers that cannot write a word without its space
BEYOND = 64
"""Budgets from the least to this many tokens more."""


@cache
def decoder_of(kind: str) -> ConstrainedDecoder:
    tokenizer = KINDS[kind]()
    return ConstrainedDecoder(FixedLogits(torch.zeros(1, len(tokenizer))), tokenizer)


@cache
def patterns() -> dict[str, Pattern]:
    found = {f"{group}, {name}": pattern for group, made in GROUPS.items() for name, pattern in made.items()}
    for name in MAKERS:
        found[f"format, {name}"] = made(name).pattern
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_every_text_matches_and_ends_within_every_budget(kind):
    decoder, chance, written = decoder_of(kind), random.Random(kind), 0
    chosen = list(patterns().items())
    of_formats = chosen[-len(MAKERS) :]
    for name, pattern in [("words", WORDS), *chance.sample(chosen, EVERY or 6), *(of_formats if EVERY else chance.sample(of_formats, 2))]:
        try:
            masks = decoder.masks(pattern)
        except VocabularyError:  # a tokenizer that cannot spell any of its texts
            continue
        least = masks.tokens_needed(masks.start)
        with pytest.raises(BudgetTooSmall):
            decoder.engine.sequences([[0]], pattern, TextOptions(max_new_tokens=least - 1, healing=False))
        for budget in range(least, least + BEYOND + 1) if EVERY else {least, least + 1, least + chance.randrange(BEYOND)}:
            options = TextOptions(max_new_tokens=budget, seed=0, spelling=chance.choice(["canonical", "any"]), healing=False)
            (row,) = decoder.engine.sequences([[0]], pattern, options)
            while not row.is_finished:
                row.choose_next(lambda _, allowed: int(chance.choice(allowed.ids_allowed())))
            ids = row.committed[1:]
            text = b"".join(decoder.vocabulary.token_bytes[i] or b"" for i in ids).decode()
            assert pattern.fullmatch(text), (name, budget)
            assert len(ids) + (row.end_id is not None) <= budget, (name, budget)
            written += 1
    assert written
