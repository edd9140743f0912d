"""Walks: each short cut finds what a walk from scratch does."""

from __future__ import annotations

import random

import numpy as np
import pytest
from toys import random_pieces, vocabulary_of

from rellm_agents.decoding.transitions import literal_set_tokens as set_walks
from rellm_agents.decoding.transitions.lexeme_tokens import Walks
from rellm_agents.decoding.transitions.literal_set_tokens import SetWalk
from rellm_agents.decoding.vocabulary.trie import unpacked
from rellm_agents.decoding.vocabulary.trie_cursor import Spots
from rellm_agents.patterns import choice, literal, not_containing, read_regex
from rellm_agents.patterns.automaton.automaton import Automaton
from rellm_agents.patterns.machine.literal_set import LiteralSet

VOCABULARY = vocabulary_of(random_pieces(21, count=400))


def tokens_of(walk) -> set[int]:
    return set(walk.ids) | (set() if walk.mask is None else set(np.flatnonzero(unpacked(walk.mask.bits, VOCABULARY.size)).tolist()))


@pytest.mark.parametrize(
    "node", [not_containing("\na1", "ab"), read_regex(r'([^"]|"")*"a'), read_regex("(?s).*b{3}"), read_regex("[^a]*a[^b]+")]
)
def test_a_walk_by_difference_is_a_walk_from_scratch(node):
    automaton = Automaton.of(node)
    walks = Walks(VOCABULARY)
    automaton.whole_table()
    for state in range(1, automaton.size):
        one = walks.of(automaton, state, walks.spots.root)
        fresh = Walks(VOCABULARY)
        other = fresh.of(automaton, state, fresh.spots.root)  # nothing known by which it could be found
        assert (
            tokens_of(one)
            == tokens_of(other)
            == {i for i, data in enumerate(VOCABULARY.token_bytes) if data and ends_in(automaton, state, data)}
        )
        ends = {ends_in(automaton, state, data) for data in VOCABULARY.token_bytes if data} - {0}
        assert set(one.ends) == set(other.ends) == ends
        assert one.exits.nodes.tolist() == other.exits.nodes.tolist()


def ends_in(automaton: Automaton, state: int, data: bytes) -> int:
    for byte in data:
        state = automaton.step(state, byte)
    return state


@pytest.mark.parametrize("seed", range(6))
def test_a_set_walked_at_once_is_the_set_walked_byte_by_byte(seed, monkeypatch):
    chance = random.Random(seed)
    texts = {bytes(chance.choices(b'ab(["]) 01', k=chance.randint(1, 5))).decode() for _ in range(200)}
    members = LiteralSet.of(choice(*map(literal, texts)).options)
    spots = Spots(VOCABULARY.trie)
    asked = [(0, len(members.texts), 0)]
    for byte in b"ab(":
        low, high = members.narrowed(0, len(members.texts), 0, byte)
        low += len(members.texts[low]) == 1
        asked.append((low, high, 1))
    for low, high, offset in asked:
        found = []
        for wide in (0, 10_000):
            monkeypatch.setattr(set_walks, "_WIDE", wide)
            walk = SetWalk(spots, members, low, high, offset, spots.root)
            found.append((tokens_of(walk), sorted((m, tuple(s.nodes.tolist())) for m, s in walk.exits), sorted(walk.ends)))
        assert found[0] == found[1]
        rests = [text[offset:] for text in members.texts[low:high]]
        assert found[0][0] == {i for i, data in enumerate(VOCABULARY.token_bytes) if data and any(rest.startswith(data) for rest in rests)}
