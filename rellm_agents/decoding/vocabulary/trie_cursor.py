"""Cursors into the token trie, cached so that common token prefixes are walked once.

A mask is found by walking the pattern and the trie of all tokens in step. A *cursor* is the position of that walk in the trie: a set
of nodes, usually one. It holds several nodes when a lexeme (say, a JSON string) can end at several places inside tokens; the rest of
the pattern is then matched below all of them in one walk.

    tokens  a, ab, b      root --a--> {a}  --b--> {ab}
                               --b--> {b}

Knows nothing of patterns. The trie itself is ``trie``; what a lexeme allows is ``transitions.lexeme_tokens``.

>>> from rellm_agents.decoding.vocabulary.trie import TokenTrie
>>> root = TrieCursors(TokenTrie([b"a", b"ab", b"b"])).root
>>> root.step(ord("a")).token_ids, root.step(ord("a")).step(ord("b")).token_ids, root.step(ord("c")).has_children
((0,), (1,), False)
"""

from __future__ import annotations

from functools import lru_cache
from itertools import count

import numpy as np

from rellm_agents.caches import cached_property
from rellm_agents.decoding.vocabulary.bitmask import Ids
from rellm_agents.decoding.vocabulary.trie import TokenTrie

MAX_CURSORS = 50_000  # made before the cache restarts from the root; about 400 bytes each
MAX_NODE_CURSORS = 4_096  # of single nodes that a lexeme ended at

_NONE: dict[int, TrieCursor] = {}  # the children of all cursors that have none
_ids = count()


class TrieCursor:
    """A set of trie nodes reached by the same bytes. Immutable but for the cache of its children; compared by identity.

    Attributes:
        token_ids: tokens that end exactly here. Empty for a cursor made by :meth:`TrieCursors.below`: those tokens were already
            counted by the lexeme that ended at these nodes, and must not be counted twice.
        lexeme_count: lexemes that the current token has passed through; bounds how far one token is followed across lexemes.
        has_children: False means that no longer token exists below, so the walk can stop.
        children: next byte -> cursor, filled by :meth:`step`. A plain dictionary, since the hottest loop asks it without a call.
        id: unique while the process lives; half of a cheap cache key.
    """

    __slots__ = ("_cursors", "_nodes", "children", "has_children", "id", "lexeme_count", "token_ids")

    def __init__(
        self, cursors: TrieCursors, nodes: int | Ids, lexeme_count: int, token_ids: tuple[int, ...], *, has_children: bool
    ) -> None:
        self._cursors, self._nodes, self.lexeme_count = cursors, nodes, lexeme_count  # a single node is a plain int: no array is made
        self.token_ids, self.has_children = token_ids, has_children
        self.children: dict[int, TrieCursor] = {} if has_children else _NONE
        self.id = next(_ids)

    @property
    def nodes(self) -> Ids:
        """The nodes: int32[n], ascending, no duplicates."""
        return np.array([self._nodes], dtype=np.int32) if isinstance(self._nodes, int) else self._nodes

    @property
    def trie(self) -> TokenTrie:
        """The trie of the nodes."""
        return self._cursors.trie

    @property
    def only_node(self) -> int | None:
        """The node, if it is just one."""
        return self._nodes if isinstance(self._nodes, int) else None

    def step(self, byte: int) -> TrieCursor:
        """The cursor after one more byte; the ``dead`` one if no token continues with it."""
        found = self.children.get(byte)
        if found is None:
            if not self.has_children:
                return self._cursors.dead
            found = self.children[byte] = self._cursors._make_child(self._nodes, byte, self.lexeme_count)
        return found


class TrieCursors:
    """All cursors of one trie. Thread-safe: a race creates an equal cursor twice, which costs memory and never a wrong answer.

    When ``MAX_CURSORS`` were made, the cache restarts from the root; walks hold their own cursors.

    Args:
        trie: of all tokens.

    Attributes:
        dead: the cursor of no nodes.
        of_node: the cursor of one node that has children, after a number of lexemes.
    """

    def __init__(self, trie: TokenTrie) -> None:
        self.trie = trie
        self._made = 0
        # Memoryviews and bytes give plain ints, several times faster than one element of an array.
        self._first_child, self._child_count = trie.first_child.data, trie.child_count.data
        self._is_token = trie.is_token.data
        self._bytes = trie.byte.tobytes()
        self.of_node = lru_cache(maxsize=MAX_NODE_CURSORS)(self._of_node)
        self.dead = TrieCursor(self, np.zeros(0, dtype=np.int32), 0, (), has_children=False)

    @cached_property
    def root(self) -> TrieCursor:
        """The cursor before the first byte."""
        return TrieCursor(self, self.trie.root, 0, (), has_children=bool(self._child_count[self.trie.root]))

    def below(self, nodes: Ids, lexeme_count: int) -> TrieCursor:
        """The cursor from which tokens continue that have passed a lexeme; duplicates are removed.

        Args:
            nodes: int32[n], all of which have children.
            lexeme_count: lexemes passed.
        """
        if not len(nodes):
            return self.dead
        if (nodes[1:] <= nodes[:-1]).any():  # met in different states: each node once
            nodes = np.sort(nodes)
            nodes = nodes[np.concatenate(([True], nodes[1:] > nodes[:-1]))]
        if len(nodes) == 1:
            return self.of_node(int(nodes[0]), lexeme_count)
        return TrieCursor(self, nodes, lexeme_count, (), has_children=True)

    def split(self, cursor: TrieCursor) -> list[TrieCursor]:
        """One cursor for each node."""
        return [self.of_node(node, cursor.lexeme_count) for node in cursor.nodes.tolist()]

    def _of_node(self, node: int, lexeme_count: int) -> TrieCursor:
        return TrieCursor(self, node, lexeme_count, (), has_children=True)

    def _make_child(self, nodes: int | Ids, byte: int, lexeme_count: int) -> TrieCursor:
        if self._made >= MAX_CURSORS:
            self._made = 0
            self.root.children.clear()
        self._made += 1
        trie = self.trie
        if not isinstance(nodes, int):
            below = trie.children(nodes, byte)
            if len(below) > 1:
                token_ids = tuple(trie.tokens_at(below).tolist())
                return TrieCursor(self, below, lexeme_count, token_ids, has_children=bool(trie.child_count[below].any()))
            if not len(below):
                return self.dead
            node = int(below[0])
        else:
            first = self._first_child[nodes]
            node = self._bytes.find(byte, first, first + self._child_count[nodes])
            if node < 0:
                return self.dead
        token_ids = trie.tokens_at_one(node) if self._is_token[node] else ()
        return TrieCursor(self, node, lexeme_count, token_ids, has_children=self._child_count[node] > 0)
