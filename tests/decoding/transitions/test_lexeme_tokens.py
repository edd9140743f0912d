"""Tokens of lexemes and literal sets: each short cut finds what a walk from scratch does."""

from __future__ import annotations

import random

import numpy as np
import pytest
from toys import random_pieces, vocabulary_of

from rellm_agents.decoding.transitions import literal_set_tokens
from rellm_agents.decoding.transitions.lexeme_tokens import LexemeTokenCache
from rellm_agents.decoding.transitions.literal_set_tokens import LiteralSetTokens
from rellm_agents.decoding.vocabulary.bitmask import unpacked
from rellm_agents.decoding.vocabulary.trie_cursor import TrieCursors
from rellm_agents.patterns import choice, literal, not_containing, read_regex
from rellm_agents.patterns.automaton.automaton import Automaton
from rellm_agents.patterns.machine.literal_set import LiteralSet

VOCABULARY = vocabulary_of(random_pieces(21, count=400))


def tokens_of(tokens) -> set[int]:
    return set(tokens.ids).union(*(np.flatnonzero(unpacked(mask.bits, VOCABULARY.size)).tolist() for mask in tokens.masks))


@pytest.mark.parametrize(
    "node", [not_containing("\na1", "ab"), read_regex(r'([^"]|"")*"a'), read_regex("(?s).*b{3}"), read_regex("[^a]*a[^b]+")]
)
def test_tokens_by_difference_are_those_of_a_walk_from_scratch(node):
    automaton = Automaton.of(node)
    lexemes = LexemeTokenCache(VOCABULARY)
    automaton.whole_table()
    for state in range(1, automaton.size):
        one = lexemes.of(automaton, state, lexemes.cursors.root)
        fresh = LexemeTokenCache(VOCABULARY)
        other = fresh.of(automaton, state, fresh.cursors.root)  # nothing known by which it could be found
        assert (
            tokens_of(one)
            == tokens_of(other)
            == {i for i, data in enumerate(VOCABULARY.token_bytes) if data and ends_in(automaton, state, data)}
        )
        ends = {ends_in(automaton, state, data) for data in VOCABULARY.token_bytes if data} - {0}
        assert set(one.ends) == set(other.ends) == ends
        assert one.residual.nodes.tolist() == other.residual.nodes.tolist()


def ends_in(automaton: Automaton, state: int, data: bytes) -> int:
    for byte in data:
        state = automaton.step(state, byte)
    return state


@pytest.mark.parametrize("seed", range(6))
def test_a_set_walked_at_once_is_the_set_walked_byte_by_byte(seed, monkeypatch):
    chance = random.Random(seed)
    texts = {bytes(chance.choices(b'ab(["]) 01', k=chance.randint(1, 5))).decode() for _ in range(200)}
    members = LiteralSet.of(choice(*map(literal, texts)).options)
    cursors = TrieCursors(VOCABULARY.trie)
    asked = [(0, len(members.texts), 0)]
    for byte in b"ab(":
        low, high = members.narrowed(0, len(members.texts), 0, byte)
        low += len(members.texts[low]) == 1
        asked.append((low, high, 1))
    for low, high, offset in asked:
        found = []
        for wide in (0, 10_000):
            monkeypatch.setattr(literal_set_tokens, "_WIDE", wide)
            tokens = LiteralSetTokens(cursors, members, low, high, offset, cursors.root)
            found.append((tokens_of(tokens), sorted((m, tuple(s.nodes.tolist())) for m, s in tokens.residuals), sorted(tokens.ends)))
        assert found[0] == found[1]
        rests = [text[offset:] for text in members.texts[low:high]]
        assert found[0][0] == {i for i, data in enumerate(VOCABULARY.token_bytes) if data and any(rest.startswith(data) for rest in rests)}
