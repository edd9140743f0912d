"""A token trie in, its nodes as linked places that are cheap to walk byte by byte out.

A spot is one node, or several at once: where a lexeme may end inside tokens, what follows is walked from all those ends
together. Spots are made when first stepped on and remembered, so the common beginnings of tokens are walked at the
price of a dictionary. Knows nothing of patterns.

>>> from rellm_agents.decoding.vocabulary.trie import TokenTrie
>>> root = Spots(TokenTrie([b"a", b"ab", b"b"])).root
>>> root.child(ord("a")).token_ids, root.child(ord("a")).child(ord("b")).token_ids, root.child(ord("c")).has_children
((0,), (1,), False)
"""

from __future__ import annotations

from functools import cached_property, lru_cache
from itertools import count

import numpy as np

from rellm_agents.decoding.vocabulary.trie import Ids, TokenTrie

MAX_SPOTS = 50_000  # remembered at a time; about 400 bytes each
MAX_SINGLE = 4_096

_NONE: dict[int, Spot] = {}  # the children of spots below which no token goes on
_ids = count()


class Spot:
    """One or several nodes of the trie.

    Attributes:
        nodes: int32[n], ascending.
        depth: how many lexemes a token has gone through before.
        children: what :meth:`child` gave so far; empty where no token goes on.
        id: tells it from all others.
        token_ids: the tokens that end here; none for a spot made by :meth:`Spots.at`, which count for the lexeme that ends there.
        has_children: some token goes on below.
    """

    __slots__ = ("_nodes", "_spots", "children", "depth", "has_children", "id", "token_ids")

    def __init__(self, spots: Spots, nodes: int | Ids, depth: int, token_ids: tuple[int, ...], *, has_children: bool) -> None:
        self._spots, self._nodes, self.depth = spots, nodes, depth
        self.token_ids, self.has_children = token_ids, has_children
        self.children: dict[int, Spot] = {} if has_children else _NONE
        self.id = next(_ids)

    @property
    def nodes(self) -> Ids:
        """The nodes: int32[n], ascending."""
        return np.array([self._nodes], dtype=np.int32) if isinstance(self._nodes, int) else self._nodes

    @property
    def only_node(self) -> int | None:
        """The node, if it is just one."""
        return self._nodes if isinstance(self._nodes, int) else None

    def child(self, byte: int) -> Spot:
        """The spot after one more byte; the spot of no nodes, if no token goes on with it."""
        found = self.children.get(byte)
        if found is None:
            if not self.has_children:
                return self._spots.nowhere
            found = self.children[byte] = self._spots._make_child(self._nodes, byte, self.depth)
        return found


class Spots:
    """The spots of one trie. Safe to use from several threads."""

    def __init__(self, trie: TokenTrie) -> None:
        self.trie = trie
        self._made = 0
        self._first_child, self._child_count = trie.first_child.data, trie.child_count.data
        self._is_token = trie.is_token.data
        self._bytes = trie.byte.tobytes()
        self.of_node = lru_cache(maxsize=MAX_SINGLE)(self._of_node)
        self.nowhere = Spot(self, np.zeros(0, dtype=np.int32), 0, (), has_children=False)

    @cached_property
    def root(self) -> Spot:
        """The spot before the first byte."""
        return Spot(self, self.trie.root, 0, (), has_children=bool(self._child_count[self.trie.root]))

    def at(self, nodes: Ids, depth: int) -> Spot:
        """The spot of ``nodes``, all of which have children, behind ``depth`` lexemes."""
        if not len(nodes):
            return self.nowhere
        if (nodes[1:] <= nodes[:-1]).any():  # met in different states: each node once
            nodes = np.sort(nodes)
            nodes = nodes[np.concatenate(([True], nodes[1:] > nodes[:-1]))]
        return self.of_node(int(nodes[0]), depth) if len(nodes) == 1 else Spot(self, nodes, depth, (), has_children=True)

    def each(self, spot: Spot) -> list[Spot]:
        """The spots of the single nodes of ``spot``."""
        return [self.of_node(node, spot.depth) for node in spot.nodes.tolist()]

    def _of_node(self, node: int, depth: int) -> Spot:
        """The spot of one node that has children, behind ``depth`` lexemes."""
        return Spot(self, node, depth, (), has_children=True)

    def _make_child(self, nodes: int | Ids, byte: int, depth: int) -> Spot:
        if self._made >= MAX_SPOTS:
            self._made = 0
            self.root.children.clear()
        self._made += 1
        if not isinstance(nodes, int):
            below = self.trie.children(nodes, byte)
            if len(below) > 1:
                return Spot(
                    self, below, depth, tuple(self.trie.tokens_at(below).tolist()), has_children=bool(self.trie.child_count[below].any())
                )
            if not len(below):
                return self.nowhere
            node = int(below[0])
        else:
            first = self._first_child[nodes]
            node = self._bytes.find(byte, first, first + self._child_count[nodes])
            if node < 0:
                return self.nowhere
        token_ids = self.trie.tokens_at_one(node) if self._is_token[node] else ()
        return Spot(self, node, depth, token_ids, has_children=self._child_count[node] > 0)
