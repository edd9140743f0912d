"""Words of byte classes lead where the tokens themselves lead."""

from __future__ import annotations

import random

import numpy as np
import pytest

from rellm_agents.decoding.vocabulary import TokenTrie, WordTrie, word_ends
from rellm_agents.patterns import read_regex
from rellm_agents.patterns.automaton import START, Automaton, byte_classes, transitions
from rellm_agents.patterns.automaton.derivative import BYTES, members

REGEXES = ("[a-c]+:[^a]*", "(?!.*ab)[ab:é€]+", "(?:[^é]|é[a-c])*", "[a-z]+(?:-[0-9]{2,3}){3}", "é|\U0001f600[^\n]*", "(?=.*a).{3,6}")
PIECES = ("a", "b", "c", ":", "-", "0", "7", "é", "€", "\U0001f600", "\n", " ")


def tokens(seed: int) -> list[bytes]:
    """Some bytes, and words that begin and end inside of characters, too."""
    chance = random.Random(seed)
    words = ["".join(chance.choice(PIECES) for _ in range(chance.randrange(1, 6))).encode() for _ in range(150)]
    return sorted(
        {*(bytes((byte,)) for byte in range(0x40, 0x100)), *(word[chance.randrange(2) : chance.choice((9, -1))] for word in words)} - {b""}
    )


@pytest.mark.parametrize("text", REGEXES)
def test_words_lead_where_tokens_lead(text: str) -> None:
    data = tokens(REGEXES.index(text))
    trie, automaton = TokenTrie(data), Automaton(read_regex(text))
    state = START
    while state < automaton.size:
        automaton.row(state)
        state += 1
    states = range(automaton.size)
    table = automaton.table(np.zeros(1, dtype=np.intp))[: automaton.size]

    def end(state: int, token: bytes) -> int:
        for byte in token:
            state = automaton.row(state)[byte]
        return state

    naive = [{end(state, token) for token in data} - {0} for state in states]
    for classes in (byte_classes(automaton.node), range(256)):
        assert [*map(set, WordTrie(trie, classes).ends(automaton, states))] == naive
    by_length = [*word_ends(trie, table)]
    for size, ends in enumerate(by_length, 1):
        assert [{*row.tolist()} - {0} for row in ends] == [{end(state, one) for one in data if len(one) == size} - {0} for state in states]
    assert not any(end(state, one) for state in states for one in data if len(one) > len(by_length))


@pytest.mark.parametrize("text", REGEXES)
def test_no_derivative_tells_bytes_of_a_class_apart(text: str) -> None:
    node = read_regex(text)
    classes = byte_classes(node)
    assert len({*classes}) < 200
    seen, waiting = {node}, [node]
    for one in waiting:  # it grows
        for symbols, rest in transitions(one, BYTES):
            assert {classes[byte] for byte in members(symbols)}.isdisjoint(classes[byte] for byte in range(0xF5) if not symbols >> byte & 1)
            if rest not in seen:
                seen.add(rest)
                waiting.append(rest)
