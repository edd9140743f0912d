"""The trie of all tokens, in flat arrays, walked by many tokens at once.

A walk goes level by level: an array of nodes and an array of automaton states of the same length, one numpy step for each byte of the
longest token. A state from which most of the trie is reached is walked over all nodes instead (:meth:`TokenTrie.walk_all`), whose index
arithmetic is cheaper for each node.

How the nodes are numbered is told in ``trie_arrays``. Knows nothing of patterns but the tables of automata.

>>> trie = TokenTrie([b"a", b"ab", b"b", None])
>>> trie.tokens_at(trie.child(trie.root, ord("a"))).tolist()
[0]
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from rellm_agents.caches import cached_property
from rellm_agents.decoding.vocabulary.bitmask import Bits, Ids, packed
from rellm_agents.decoding.vocabulary.trie_arrays import TrieArrays, build_trie
from rellm_agents.patterns.automaton import DEAD, Automaton

_WIDE = 0.15  # of all nodes: a state whose next bytes lead to as many is walked over all nodes
_NARROW = 64  # nodes of a level: fewer are walked one by one, as on all deeper levels: long runs of spaces and dashes
_MANY_NODES = 1_000  # the children of as many nodes are found among all nodes of the byte


class TokenTrie:
    """A trie over the tokens' bytes. Node 0 is the root.

    Args:
        token_bytes: the bytes of each id, not empty; ``None``: not in the trie.

    Attributes:
        vocabulary_size: V, ids without text included.
        size: number of nodes.
        max_length: of a token, in bytes.
        parent, byte: see ``trie_arrays``.
        child_count, first_child: int32[size]; the children of a node are ``first_child .. first_child + child_count``, ascending by byte.
        is_token: bool[size], some token ends at the node.
        levels: the first node and the end of each level below the root.
    """

    def __init__(self, token_bytes: Sequence[bytes | None]) -> None:
        self._take(build_trie(token_bytes))

    @classmethod
    def from_arrays(cls, arrays: TrieArrays) -> TokenTrie:
        """The trie that gave these :meth:`arrays`; they are kept as they are, and may be read-only."""
        trie = cls.__new__(cls)
        trie._take(arrays)
        return trie

    def arrays(self) -> TrieArrays:
        """The arrays of the trie, to be kept on disk."""
        return self._arrays

    def _take(self, arrays: TrieArrays) -> None:
        self._arrays = arrays
        self.vocabulary_size = int(arrays["vocabulary_size"][0])
        self.parent: Ids = arrays["parent"]
        self.byte: NDArray[np.uint8] = arrays["byte"]
        self.size = len(self.parent)
        ends = arrays["level_ends"].tolist()
        self.max_length = len(ends) - 1
        self.levels: list[tuple[int, int]] = list(pairwise(ends))
        self.child_count: Ids = np.bincount(self.parent[1:], minlength=self.size).astype(np.int32)
        self.first_child: Ids = (1 + np.cumsum(self.child_count) - self.child_count).astype(np.int32)
        self._token_ids: Ids = arrays["token_ids"]
        self._token_count: Ids = np.bincount(arrays["token_nodes"], minlength=self.size).astype(np.int32)
        self.is_token: NDArray[np.bool_] = self._token_count > 0
        self._first_token: Ids = (np.cumsum(self._token_count) - self._token_count).astype(np.int32)

    @cached_property
    def _keys(self) -> NDArray[np.int64]:
        keys: NDArray[np.int64] = self.parent.astype(np.int64) * 256 + self.byte
        keys[0] = -1
        return keys

    @cached_property
    def _parent_index(self) -> NDArray[np.intp]:
        return self.parent.astype(np.intp)  # as ``take`` wants its indices

    @cached_property
    def _byte_index(self) -> NDArray[np.intp]:
        return self.byte.astype(np.intp)

    @cached_property
    def _node_of_token(self) -> NDArray[np.intp]:
        nodes = np.zeros(self.vocabulary_size, dtype=np.intp)  # the root, for ids that are not in the trie
        nodes[self._token_ids] = self._arrays["token_nodes"]
        return nodes

    root = 0

    def child(self, node: int, byte: int) -> int:
        """The child of ``node`` by ``byte``; 0 if there is none."""
        key = node * 256 + byte
        at = int(np.searchsorted(self._keys, key))
        return at if at < self.size and self._keys[at] == key else 0

    def children(self, nodes: Ids, byte: int) -> Ids:
        """The children of ``nodes`` by ``byte``, where there are any."""
        if len(nodes) > _MANY_NODES:
            asked = np.zeros(self.size, dtype=bool)
            asked[nodes] = True
            candidates = self._nodes_of_byte(byte)
            return candidates[asked[self.parent[candidates]]]
        keys = nodes.astype(np.int64) * 256 + byte
        at = np.minimum(np.searchsorted(self._keys, keys), self.size - 1)
        return cast(Ids, at[self._keys[at] == keys].astype(np.int32))

    def each_child(self, rows: Ids, nodes: Ids, bytes_: NDArray[np.uint8]) -> tuple[Ids, Ids]:
        """For each of ``rows``, int[n], the child of its node by its own byte, ``bytes_[row]``: those that have one, and the children."""
        keys = nodes.astype(np.int64) * 256 + bytes_[rows]
        at = np.minimum(np.searchsorted(self._keys, keys), self.size - 1)
        found = self._keys[at] == keys
        return rows[found], at[found].astype(np.int32)

    def inner(self, nodes: Ids) -> Ids:
        """Those of ``nodes`` that have children."""
        return nodes[self.child_count[nodes] > 0]

    def below(self, node: int) -> Ids:
        """All nodes below ``node``."""
        found, level = [], np.array([node], dtype=np.int32)
        while len(level := self.inner(level)):
            level = _ranges(self.first_child[level], self.child_count[level])
            found.append(level)
        return np.concatenate(found) if found else level

    def tokens_at(self, nodes: Ids | int) -> Ids:
        """The ids of the tokens that end at ``nodes``, in the order of the nodes."""
        nodes = np.atleast_1d(np.asarray(nodes, dtype=np.int32))
        return self._token_ids[_ranges(self._first_token[nodes], self._token_count[nodes])]

    def tokens_at_one(self, node: int) -> tuple[int, ...]:
        """The same for one node, cheaper."""
        first = int(self._first_token[node])
        return tuple(self._token_ids[first : first + int(self._token_count[node])].tolist())

    def token_counts(self, nodes: Ids) -> Ids:
        """For each of ``nodes``, how many tokens end there."""
        return self._token_count[nodes]

    def bits_at(self, nodes: Ids) -> Bits:
        """A mask of the tokens that end at ``nodes``."""
        return packed(self.tokens_at(nodes), self.vocabulary_size)

    def walk(self, automaton: Automaton, nodes: Ids, states: Ids) -> tuple[Ids, Ids]:
        """All nodes below ``nodes`` that an automaton reaches alive.

        Args:
            automaton: reads the bytes.
            nodes: int32[n], where to begin.
            states: int32[n], the automaton's state at each of them.

        Returns:
            Nodes strictly below, and the automaton's state at each, never ``DEAD``: int32[m] each.
        """
        nodes, states, _ = self.walk_counting(automaton, nodes, states)
        return nodes, states

    def walk_counting(self, automaton: Automaton, nodes: Ids, states: Ids) -> tuple[Ids, Ids, Ids]:
        """The same, and for each node how often the automaton accepted on the way, the node included: int32[m] each."""
        times = np.zeros(len(nodes), dtype=np.int32)
        found = [(nodes[:0], states[:0], times[:0])]
        while len(nodes):
            counts = self.child_count[nodes]
            below = _ranges(self.first_child[nodes], counts)
            if not len(below):
                break
            reached = automaton.table(states)[np.repeat(states, counts), self.byte[below]]
            alive = reached != DEAD
            nodes, states = below[alive], reached[alive]
            times = np.repeat(times, counts)[alive] + automaton.accepting_flags(states)
            found.append((nodes, states, times))
        nodes, states, times = (np.concatenate(of) for of in zip(*found, strict=True))
        return nodes, states, times

    def walk_all(self, automaton: Automaton, state: int) -> NDArray[np.intp] | None:
        """The same from the root, for all nodes at once: cheaper where most are reached.

        Returns:
            intp[size], the automaton's state at each node, ``DEAD`` where it does not get to and at the root; ``None`` if
            few nodes are reached.
        """
        if self.below_byte[np.array(automaton.row(state), dtype=bool)].sum() < _WIDE * self.size:
            return None
        states = np.zeros(self.size, dtype=np.intp)
        states[self.root] = state
        end = 1
        for first, end in self._wide_levels:
            index = states.take(self._parent_index[first:end])
            flat = automaton.table(index).ravel()
            index <<= 8  # where the row of a state begins
            index += self._byte_index[first:end]
            states[first:end] = flat.take(index, mode="clip")  # clip: no bounds are checked, none can be passed
        for node, (parent, byte) in enumerate(zip(self.parent[end:].tolist(), self.byte[end:].tolist(), strict=True), end):
            before = states[parent]
            if before != DEAD:
                states[node] = automaton.step(before, byte)
        states[self.root] = DEAD
        return states

    def at_tokens(self, of_nodes: NDArray[Any]) -> NDArray[Any]:
        """The value in ``of_nodes``, [size], of the node at which each token ends: [V]; the root's for ids that are not in the trie."""
        return of_nodes.take(self._node_of_token)

    def added_up(self, of_nodes: NDArray[np.bool_]) -> NDArray[np.int16]:
        """For each node, the number of nodes on the path from the root to it that are true in ``of_nodes``, bool[size]: int16[size]."""
        counts = of_nodes.astype(np.int16)
        for first, end in self.levels:
            counts[first:end] += counts.take(self._parent_index[first:end])
        return counts

    def _nodes_of_byte(self, byte: int) -> Ids:
        return self._by_byte[self._byte_starts[byte] : self._byte_starts[byte + 1]]

    @cached_property
    def _by_byte(self) -> Ids:
        return np.argsort(self.byte, kind="stable").astype(np.int32)[1:]  # without the root, whose byte is 0

    @cached_property
    def _byte_starts(self) -> list[int]:
        counts = np.bincount(self.byte[1:], minlength=256)
        return [0, *np.cumsum(counts).tolist()]

    @cached_property
    def _wide_levels(self) -> list[tuple[int, int]]:
        """The levels above the first narrow one after the widest."""
        widths = [end - first for first, end in self.levels]
        widest = max(range(len(widths)), key=widths.__getitem__, default=0)
        narrow = (i for i in range(widest + 1, len(widths)) if widths[i] < _NARROW)
        return self.levels[: next(narrow, len(widths))]

    @cached_property
    def below_byte(self) -> NDArray[np.int64]:
        """How many nodes begin with each byte: int64[256]."""
        return np.bincount(self.first_byte[1:], minlength=256)

    @cached_property
    def first_byte(self) -> NDArray[np.uint8]:
        """The first byte of the text to each node: uint8[size]; 0 at the root."""
        found = self.byte.copy()
        for first, end in self.levels[1:]:
            found[first:end] = found.take(self._parent_index[first:end])
        return found


def _ranges(starts: Ids, counts: Ids) -> Ids:
    """``starts[i], starts[i] + 1, ...``, ``counts[i]`` of them, one range after the other."""
    total = int(counts.sum())
    ends = np.cumsum(counts)
    return np.arange(total, dtype=np.int32) + np.repeat(starts - (ends - counts), counts).astype(np.int32)
