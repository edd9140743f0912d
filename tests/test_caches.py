"""Caches can be emptied at any time: no mask and no text changes, the memory is given back, and what they hold is bounded."""

from __future__ import annotations

import functools
import gc
import sys
import weakref

import numpy as np
import pytest

import rellm_agents
from rellm_agents import caches, compile_regex, compile_schema
from rellm_agents.decoding import TokenMasks, Vocabulary
from rellm_agents.patterns.automaton import Automaton
from rellm_agents.patterns.ir import literal, repeat

WORDS = [bytes([byte]) for byte in range(256)] + [b"the", b'{"', b'": ', b"12", b"ab", b'"}', None]


def vocabulary():
    return Vocabulary(WORDS, end_ids=[len(WORDS) - 1])


def patterns(number):
    yield compile_regex(rf"[a-f]{{1,{number + 2}}}(x|yy){{{number}}}|.*{'abc'[number % 3]}")
    yield compile_schema(
        {"type": "object", "properties": {f"k{number}": {"type": "string", "maxLength": number + 3}, "n": {"type": "number"}}}
    )


def masks_along(pattern, vocabulary):
    """The masks along a shortest text, with and without a budget."""
    masks = TokenMasks(pattern, vocabulary)
    state, found = masks.start, []
    for byte in pattern.shortest().encode():
        found += [masks.bits(state), masks.bits(state, masks.tokens_needed(state) + 1)]
        state = masks.advance(state, byte)
    return [*found, masks.bits(state)]


def test_masks_are_the_same_after_caches_were_emptied():
    words = vocabulary()
    held = [(pattern, masks_along(pattern, words)) for number in range(8) for pattern in patterns(number)]
    for pattern, before in held:
        rellm_agents.clear_caches()
        assert all(map(np.array_equal, masks_along(pattern, words), before))


def test_every_cache_of_a_module_is_emptied():
    for pattern in patterns(5):
        masks_along(pattern, vocabulary())
    made = [one for one in gc.get_objects() if type(one) is functools._lru_cache_wrapper and one.__module__.startswith("rellm_agents.")]
    assert len(made) > 40
    rellm_agents.clear_caches()
    of_modules = [one for one in made if getattr(sys.modules.get(one.__module__), one.__qualname__, None) is one]
    assert len(of_modules) > 30
    assert [one.__qualname__ for one in of_modules if one.cache_info().currsize] == []


def test_memory_is_given_back():
    automaton = weakref.ref(Automaton.of(repeat(literal("abcdefg"), 3, 9)))
    assert automaton() is not None
    rellm_agents.clear_caches()
    gc.collect()
    assert automaton() is None


def test_what_they_hold_is_bounded(monkeypatch: pytest.MonkeyPatch):
    """They are emptied, when the next pattern comes, and hold no more than the bound and the last pattern's own."""
    cleared, words, bound = 0, vocabulary(), 400_000
    monkeypatch.setattr(caches, "BOUND", bound)
    rellm_agents.clear_caches()
    most_of_one = before = 0
    for number in range(60):
        for pattern in patterns(number):
            masks_along(pattern, words)
            now = caches._held.bytes
            cleared += now < before
            most_of_one = max(most_of_one, now - (0 if now < before else before))
            assert now <= bound + most_of_one
            before = now
    assert cleared > 1
