"""The tokens of a vocabulary as words of byte classes: bytes that an automaton never tells apart are one class.

An automaton with few classes knows few words, so that all of its states can read all of them at once. Each state is a row, each word a
column of the states that it leads to; words of the same length with equal columns are one from there on.

    [a-z]+ with tokens a, b, ab, ba       classes: letters, the rest       words: one letter, two letters

Where not all states are known beforehand, words are a trie of their own, :class:`WordTrie`. Knows nothing of patterns but the tables of
automata.

>>> from rellm_agents.decoding.vocabulary.trie import TokenTrie
>>> table = np.zeros((2, 256), dtype=np.int32)
>>> table[1, ord("a") : ord("z") + 1] = 1
>>> [ends.tolist() for ends in word_ends(TokenTrie([b"a", b"b", b"ab", b"a-"]), table)]
[[[0], [1]], [[0], [1]]]
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rellm_agents.decoding.vocabulary.bitmask import Ids
from rellm_agents.decoding.vocabulary.trie import TokenTrie
from rellm_agents.patterns.automaton import Automaton


def word_ends(trie: TokenTrie, table: NDArray[np.int32]) -> Iterator[NDArray[np.int32]]:
    """Where the tokens lead, by their length in bytes from 1 on; it ends with the last length of which a token leads somewhere.

    Args:
        trie: of the tokens.
        table: int32[states, 256], the next state by byte; state 0 is dead.

    Returns:
        For each length the states that tokens of so many bytes lead to: int32[states, words], a column for all tokens that lead alike.
    """
    class_of, by_class = _distinct_columns(table)
    count = by_class.shape[1]
    flat = by_class.reshape(-1)
    word = np.zeros(trie.size, dtype=np.intp)  # of the text to each node, among the words of its length; 0: it leads nowhere
    word[trie.root] = 1
    ends = np.zeros((len(table), 2), dtype=np.int32)
    ends[:, 1] = np.arange(len(table))
    for first, end in trie.levels:
        keys = word.take(trie.parent[first:end])
        keys *= count
        keys += class_of.take(trie.byte[first:end])
        is_met = np.zeros(ends.shape[1] * count, dtype=bool)
        is_met[keys] = True
        met = np.flatnonzero(is_met)
        before, classes = np.divmod(met, count)
        reached = np.zeros((len(table), len(met) + 1), dtype=np.int32)
        reached[:, 1:] = flat.take(ends[:, before] * count + classes)
        same, ends = _distinct_columns(reached)  # the first column, of all that lead nowhere, stays the first
        number = np.zeros(len(is_met), dtype=np.intp)
        number[met] = same[1:]
        here = number.take(keys)
        if not here.any():
            return
        word[first:end] = here
        is_token = np.zeros(ends.shape[1], dtype=bool)
        is_token[here[trie.is_token[first:end]]] = True
        is_token[0] = False
        yield ends[:, is_token]


def _distinct_columns(table: NDArray[np.int32]) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
    """For each column its number, and the columns by number, each once."""
    numbers: dict[bytes, int] = {}
    by_column: NDArray[Any] = np.ascontiguousarray(table.T)
    number = np.array([numbers.setdefault(column.tobytes(), len(numbers)) for column in by_column], dtype=np.intp)
    first = np.zeros(len(numbers), dtype=np.intp)
    first[number[::-1]] = np.arange(len(number) - 1, -1, -1)
    return number, np.ascontiguousarray(by_column[first].T)


class WordTrie:
    """The trie of the tokens with one byte in place of all bytes of its class.

    Args:
        trie: of the tokens.
        class_of: the class of each of the 256 bytes, numbered from 0.
    """

    def __init__(self, trie: TokenTrie, class_of: Sequence[int]) -> None:
        if len({*class_of}) == len(class_of):  # the words are the tokens
            self._child_count, self._first_child, self._byte, self._is_token = trie.child_count, trie.first_child, trie.byte, trie.is_token
            return
        classes = np.array(class_of, dtype=np.intp)
        count = int(classes.max()) + 1
        byte_of = np.zeros(count, dtype=np.uint8)
        byte_of[classes[::-1]] = np.arange(255, -1, -1)
        word = np.zeros(trie.size, dtype=np.intp)  # among the words of its length
        sizes, parents, bytes_, is_token = [1], [np.zeros(0, dtype=np.intp)], [byte_of[:1]], [np.zeros(1, dtype=bool)]
        for first, end in trie.levels:
            keys = word.take(trie.parent[first:end])
            keys *= count
            keys += classes.take(trie.byte[first:end])
            number = np.zeros(sizes[-1] * count, dtype=np.intp)
            number[keys] = 1
            met = np.flatnonzero(number)
            number[met] = np.arange(len(met))
            word[first:end] = here = number.take(keys)
            parents.append(met // count)
            bytes_.append(byte_of[met % count])
            is_token.append(np.zeros(len(met), dtype=bool))
            is_token[-1][here[trie.is_token[first:end]]] = True
            sizes.append(len(met))
        starts = np.cumsum([0, *sizes[:-1]])
        parent = np.concatenate([one + starts[i - 1] for i, one in enumerate(parents) if i]) if len(parents) > 1 else parents[0]
        self._child_count = np.bincount(parent, minlength=sum(sizes)).astype(np.int32)
        self._first_child = (1 + np.cumsum(self._child_count) - self._child_count).astype(np.int32)
        self._byte, self._is_token = np.concatenate(bytes_), np.concatenate(is_token)

    def ends(self, automaton: Automaton, states: Sequence[int]) -> list[tuple[int, ...]]:
        """For each of some states of an automaton, the states to which tokens lead from it, each once, ascending."""
        origin, nodes = np.arange(len(states), dtype=np.int32), np.zeros(len(states), dtype=np.int32)
        here: Ids = np.array(states, dtype=np.int32)
        found: list[NDArray[np.int64]] = [np.zeros(0, dtype=np.int64)]
        while len(nodes):
            counts = self._child_count[nodes]
            firsts = np.repeat(self._first_child[nodes] - (np.cumsum(counts) - counts), counts)
            below = firsts + np.arange(len(firsts), dtype=np.int32)
            reached = automaton.table(here)[np.repeat(here, counts), self._byte[below]]
            is_alive = reached != 0
            origin, nodes, here = np.repeat(origin, counts)[is_alive], below[is_alive], reached[is_alive]
            is_end = self._is_token[nodes]
            found.append(origin[is_end].astype(np.int64) << 32 | here[is_end])
        pairs = np.sort(np.concatenate(found))
        ends: list[list[int]] = [[] for _ in states]
        for pair in pairs[np.diff(pairs, prepend=-1) != 0].tolist():
            ends[pair >> 32].append(pair & 0xFFFFFFFF)
        return [*map(tuple, ends)]
