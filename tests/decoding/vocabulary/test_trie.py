"""The trie over tokens: what it finds is what a search through the list of tokens finds."""

from __future__ import annotations

import numpy as np
import pytest
from toys import random_pieces

from rellm_agents.decoding.vocabulary.bitmask import packed, unpacked
from rellm_agents.decoding.vocabulary.trie import TokenTrie
from rellm_agents.patterns import read_regex
from rellm_agents.patterns.automaton.automaton import DEAD, START, Automaton

LISTS = {
    "random": [*random_pieces(1), None, b"a"],
    "with duplicates": [b"ab", b"a", None, b"ab", b"abc", b"b", b"a"],
    "one": [b"abc"],
    "long": [b"a" * n for n in (1, 2, 40, 41)],
    "all bytes": [bytes([b]) for b in range(256)],
    "no text": [None, None],
    "none": [],
}


@pytest.fixture(params=LISTS.values(), ids=LISTS)
def tokens(request) -> list[bytes | None]:
    return request.param


def nodes_of(trie: TokenTrie) -> dict[int, bytes]:
    """The bytes that lead to each node, by ``child`` alone."""
    found = {trie.root: b""}
    for node, prefix in found.items():
        below = {child: prefix + bytes([b]) for b in range(256) if (child := trie.child(node, b))}
        if not below:
            continue
        return found | {k: v for child, data in below.items() for k, v in _below(trie, child, data).items()}
    return found


def _below(trie: TokenTrie, node: int, prefix: bytes) -> dict[int, bytes]:
    found = {node: prefix}
    for b in range(256):
        if child := trie.child(node, b):
            found |= _below(trie, child, prefix + bytes([b]))
    return found


def test_its_nodes_are_the_beginnings_of_tokens(tokens):
    trie = TokenTrie(tokens)
    prefixes = {data[:i] for data in tokens if data for i in range(len(data) + 1)} | {b""}
    assert sorted(nodes_of(trie).values()) == sorted(prefixes)
    assert trie.size == len(prefixes)
    assert trie.max_length == max(map(len, filter(None, tokens)), default=0)


def test_at_a_node_end_the_tokens_of_its_bytes(tokens):
    trie = TokenTrie(tokens)
    for node, prefix in nodes_of(trie).items():
        ids = [i for i, data in enumerate(tokens) if data and data == prefix]
        assert sorted(trie.tokens_at(node).tolist()) == ids
        assert trie.token_counts(np.array([node], dtype=np.int32)).tolist() == [len(ids)]
        assert bool(trie.is_token[node]) == bool(ids)
        assert np.flatnonzero(unpacked(trie.bits_at(np.array([node], dtype=np.int32)), len(tokens))).tolist() == ids


def test_the_children_of_many_nodes_are_those_of_each(tokens):
    trie = TokenTrie(tokens)
    every = np.arange(trie.size, dtype=np.int32)
    for byte in (*b"ab(\xe2", 0, 255):
        assert trie.children(every, byte).tolist() == [c for node in range(trie.size) if (c := trie.child(node, byte))]
    assert trie.inner(every).tolist() == [node for node in range(trie.size) if any(trie.child(node, b) for b in range(256))]


@pytest.mark.parametrize("text", ["a*", "(ab|ba)*c?", "(?s).*", "[^a]+", "[a€]+b", "aab|aaaa"])
def test_a_walk_reaches_what_each_beginning_reaches(tokens, text):
    trie, automaton = TokenTrie(tokens), Automaton(read_regex(text))
    expected = set()
    for node, prefix in nodes_of(trie).items():
        state = START
        for byte in prefix:
            state = automaton.step(state, byte)
        if node != trie.root and state != DEAD:
            expected.add((node, state))
    nodes, states = trie.walk(automaton, np.zeros(1, dtype=np.int32), np.array([START], dtype=np.int32))
    assert len(nodes) == len(expected)
    assert set(zip(nodes.tolist(), states.tolist(), strict=True)) == expected


@pytest.mark.parametrize("size", [1, 31, 32, 33, 64, 100])
def test_a_mask_is_unpacked_as_it_was_packed(size):
    ids = np.array([i for i in range(size) if i % 3 == 0], dtype=np.int32)
    bits = packed(ids, size)
    assert (bits.dtype, len(bits)) == (np.uint32, -(-size // 32))
    assert np.flatnonzero(unpacked(bits, size)).tolist() == ids.tolist()
    assert all(bool(int(bits[i // 32]) >> i % 32 & 1) == (i % 3 == 0) for i in range(size))
