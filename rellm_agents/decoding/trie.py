"""The bytes of tokens in, a trie in flat arrays out, walked by many tokens at once.

Nodes are numbered breadth first, so the children of a node are neighbours and ``parent * 256 + byte`` ascends.
Knows nothing of patterns but automata's tables.

>>> trie = TokenTrie([b"a", b"ab", b"b", None])
>>> trie.tokens_at(trie.child(trie.root, ord("a"))).tolist()
[0]
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import numpy as np
from numpy.typing import NDArray

from rellm_agents.patterns.automaton import DEAD, Automaton

Ids = NDArray[np.int32]  # token ids, nodes of the trie or states of an automaton
Bits = NDArray[np.uint32]  # ceil(V / 32) words, bit i % 32 of word i // 32: id i

_MANY_BYTES = 64  # a state that goes on with as many bytes is walked over all nodes


class TokenTrie:
    """A trie over the tokens' bytes. Node 0 is the root.

    Args:
        token_bytes: the bytes of each id, not empty; ``None``: not in the trie.
    """

    def __init__(self, token_bytes: Sequence[bytes | None]) -> None:
        self.vocabulary_size = len(token_bytes)
        spelled = sorted((data, id_) for id_, data in enumerate(token_bytes) if data)
        ids = np.array([id_ for _, id_ in spelled], dtype=np.int32)
        lengths = np.array([len(data) for data, _ in spelled], dtype=np.int32)
        self.max_length = int(lengths.max(initial=0))
        node_of = np.zeros(len(spelled), dtype=np.int32)  # of each row's prefix so far
        starts = np.concatenate(([0], np.cumsum(lengths)[:-1])).astype(np.int64) if spelled else np.zeros(0, dtype=np.int64)
        flat = np.frombuffer(b"".join(data for data, _ in spelled), dtype=np.uint8)
        parents, bytes_ = [np.zeros(1, dtype=np.int32)], [np.zeros(1, dtype=np.uint8)]
        count = 1
        for depth in range(self.max_length):
            rows = np.flatnonzero(lengths > depth)
            parent, byte = node_of[rows], flat[starts[rows] + depth]
            new = np.ones(len(rows), dtype=bool)
            new[1:] = (parent[1:] != parent[:-1]) | (byte[1:] != byte[:-1])
            node_of[rows] = count - 1 + np.cumsum(new)
            parents.append(parent[new])
            bytes_.append(byte[new])
            count += int(new.sum())
        self.parent: Ids = np.concatenate(parents)
        self.byte: NDArray[np.uint8] = np.concatenate(bytes_)
        self.size = count
        ends = np.cumsum([len(level) for level in parents]).tolist()
        self._levels: list[tuple[int, int]] = list(pairwise(ends))  # first node and end of each level below the root
        self._byte_index: Ids = self.byte.astype(np.int32)
        self._keys: NDArray[np.int64] = self.parent.astype(np.int64) * 256 + self.byte
        self._keys[0] = -1
        self.child_count: Ids = np.bincount(self.parent[1:], minlength=count).astype(np.int32)
        self.first_child: Ids = (1 + np.cumsum(self.child_count) - self.child_count).astype(np.int32)
        by_node = np.argsort(node_of, kind="stable")
        self._token_ids: Ids = ids[by_node]
        self._token_count: Ids = np.bincount(node_of, minlength=count).astype(np.int32)
        self.is_token: NDArray[np.bool_] = self._token_count > 0
        self._first_token: Ids = (np.cumsum(self._token_count) - self._token_count).astype(np.int32)

    root = 0

    def child(self, node: int, byte: int) -> int:
        """The child of ``node`` by ``byte``; 0 if there is none."""
        key = node * 256 + byte
        at = int(np.searchsorted(self._keys, key))
        return at if at < self.size and self._keys[at] == key else 0

    def children(self, nodes: Ids, byte: int) -> Ids:
        """The children of ``nodes`` by ``byte``, where there are any."""
        keys = nodes.astype(np.int64) * 256 + byte
        at = np.minimum(np.searchsorted(self._keys, keys), self.size - 1)
        return cast(Ids, at[self._keys[at] == keys].astype(np.int32))

    def inner(self, nodes: Ids) -> Ids:
        """Those of ``nodes`` that have children."""
        return nodes[self.child_count[nodes] > 0]

    def tokens_at(self, nodes: Ids | int) -> Ids:
        """The ids of the tokens that end at ``nodes``, in the order of the nodes."""
        nodes = np.atleast_1d(np.asarray(nodes, dtype=np.int32))
        return self._token_ids[_ranges(self._first_token[nodes], self._token_count[nodes])]

    def token_counts(self, nodes: Ids) -> Ids:
        """For each of ``nodes``, how many tokens end there."""
        return self._token_count[nodes]

    def bits_at(self, nodes: Ids) -> Bits:
        """A mask of the tokens that end at ``nodes``."""
        return packed(self.tokens_at(nodes), self.vocabulary_size)

    def walk(self, automaton: Automaton, nodes: Ids, states: Ids) -> tuple[Ids, Ids]:
        """All places below ``nodes`` that an automaton reaches.

        Args:
            automaton: walks along the bytes.
            nodes: int32[n], where to begin.
            states: int32[n], the automaton's state at each of them.

        Returns:
            Nodes strictly below, and the automaton's state at each; none of them ``DEAD``.
        """
        if len(nodes) == 1 and nodes[0] == self.root and sum(map(bool, automaton.row(int(states[0])))) >= _MANY_BYTES:
            table = automaton.whole_table()
            if table is not None:
                return self._walk_all(table, int(states[0]))
        found_nodes, found_states = [np.zeros(0, dtype=np.int32)], [np.zeros(0, dtype=np.int32)]
        while len(nodes):
            counts = self.child_count[nodes]
            below = _ranges(self.first_child[nodes], counts)
            if not len(below):
                break
            reached = automaton.table(states)[np.repeat(states, counts), self.byte[below]]
            alive = reached != DEAD
            nodes, states = below[alive], reached[alive]
            found_nodes.append(nodes)
            found_states.append(states)
        return np.concatenate(found_nodes), np.concatenate(found_states)

    def _walk_all(self, table: NDArray[np.int32], state: int) -> tuple[Ids, Ids]:
        """The same from the root with a whole table, level by level over all nodes: cheaper where most are reached."""
        flat = table.ravel()
        states = np.zeros(self.size, dtype=np.int32)
        states[self.root] = state
        for first, end in self._levels:
            index = states.take(self.parent[first:end])
            index <<= 8
            index += self._byte_index[first:end]
            flat.take(index, out=states[first:end], mode="clip")  # clip: no bounds are checked, none can be passed
        states[self.root] = DEAD
        nodes = np.flatnonzero(states).astype(np.int32)
        return nodes, states[nodes]


def packed(ids: Ids, size: int) -> Bits:
    """A mask with the bits of ``ids`` set: uint32[ceil(size / 32)].

    >>> packed(np.array([0, 33], dtype=np.int32), 40).tolist()
    [1, 2]
    """
    flags = np.zeros(-(-size // 32) * 32, dtype=bool)
    flags[ids] = True
    return np.packbits(flags, bitorder="little").view(np.uint32)


def unpacked(bits: Bits, size: int) -> NDArray[np.bool_]:
    """The mask as bool[size].

    >>> unpacked(np.array([5], dtype=np.uint32), 3).tolist()
    [True, False, True]
    """
    return np.unpackbits(bits.view(np.uint8), count=size, bitorder="little").view(bool)


def _ranges(starts: Ids, counts: Ids) -> Ids:
    """``starts[i], starts[i] + 1, ...``, ``counts[i]`` of them, one range after the other."""
    total = int(counts.sum())
    ends = np.cumsum(counts)
    return np.arange(total, dtype=np.int32) + np.repeat(starts - (ends - counts), counts).astype(np.int32)
