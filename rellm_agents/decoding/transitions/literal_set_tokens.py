"""Finds the tokens that spell beginnings of the members of a set of literals, such as the names of an object, and where they end.

A set is a sorted list of texts. Members that are alike so far are a range ``low`` to ``high`` of it, so one walk down the trie serves
all of them until they part; many members are walked at once, as arrays.

    ab, ad  after nothing     token a: both are left, after 1 byte     token ab: the first is over

Only bytes are walked, so the work is shared by all patterns in which the same set stands.

>>> from rellm_agents.decoding.vocabulary import TokenTrie
>>> from rellm_agents.patterns import choice, literal
>>> cursors = TrieCursors(TokenTrie([b"a", b"ab", b"abc", b"b"]))
>>> tokens = LiteralSetTokens(cursors, LiteralSet.of(choice(literal("ab"), literal("ad")).options), 0, 2, 0, cursors.root)
>>> tokens.ids, tokens.ends, [member for member, _ in tokens.residuals]
((0, 1), [(0, 2, 1, (0,)), (0, 1, 2, (1,))], [0])
"""

from __future__ import annotations

import numpy as np

from rellm_agents.decoding.vocabulary import Ids, Mask, TrieCursor, TrieCursors
from rellm_agents.patterns.machine import LiteralSet

_WIDE = 48  # members of a set that are walked all at once

Ends = list[tuple[int, int, int, tuple[int, ...]]]
"""Where tokens end: ``low, high, offset`` of the members that they can still spell, and the tokens."""


class LiteralSetTokens:
    """The tokens that spell members ``low`` to ``high`` of a set, which are alike up to ``offset`` and longer.

    Attributes:
        ids: the tokens, if the members are few; else empty.
        masks: the one mask of the tokens, if the members are many; else empty.
        residuals: for each member that is over inside a token, its number and the cursor there.
    """

    __slots__ = ("_asked", "_ends", "ids", "masks", "residuals")

    def __init__(self, cursors: TrieCursors, members: LiteralSet, low: int, high: int, offset: int, cursor: TrieCursor) -> None:
        self._asked = members, low, high, offset, cursor
        self._ends: Ends | None = None
        self.ids: tuple[int, ...] = ()
        self.masks: tuple[Mask, ...] = ()
        node = cursor.only_node
        if high - low > _WIDE and node is not None:
            nodes, residuals = _walk_at_once(cursors, members, low, high, offset, node)
            self.masks = (Mask(cursors.trie.bits_at(nodes)),)
            self.residuals = [(member, cursors.of_node(end, cursor.lexeme_count)) for member, end in residuals]
        else:
            self._ends, self.residuals = _walk_by_byte(members, low, high, offset, cursor)
            self.ids = tuple(id_ for *_, ids in self._ends for id_ in ids)

    @property
    def ends(self) -> Ends:
        """Where the tokens end. Not held for many members: it is asked for only where the end of a budget is near."""
        return _walk_by_byte(*self._asked)[0] if self._ends is None else self._ends


def _walk_by_byte(members: LiteralSet, low: int, high: int, offset: int, cursor: TrieCursor) -> tuple[Ends, list[tuple[int, TrieCursor]]]:
    """Byte by byte, all members that are still alike together: the ends and the residuals."""
    texts = members.texts
    ends: Ends = []
    residuals: list[tuple[int, TrieCursor]] = []
    waiting = [(low, high, offset, cursor)]
    while waiting:
        low, high, offset, cursor = waiting.pop()
        after = offset + 1
        while low < high:
            byte = texts[low][offset]
            _, until = members.narrowed(low, high, offset, byte)
            below = cursor.step(byte)
            if len(texts[low]) == after:  # texts ascend: only the first can be over
                if below.token_ids:
                    ends.append((low, low + 1, after, below.token_ids))
                if below.has_children:
                    residuals.append((low, below))
                low += 1
            if low < until:
                if below.token_ids:
                    ends.append((low, until, after, below.token_ids))
                if below.has_children:
                    waiting.append((low, until, after, below))
            low = until
    return ends, residuals


def _walk_at_once(
    cursors: TrieCursors, members: LiteralSet, low: int, high: int, offset: int, node: int
) -> tuple[Ids, list[tuple[int, int]]]:
    """All members at once, byte by byte.

    Returns:
        The nodes of the tokens that end in a member or with it, int32[n], maybe with duplicates; and for each member that is over
        inside a token its number, and the node.
    """
    trie = cursors.trie
    texts = [text[offset : offset + trie.max_length] for text in members.texts[low:high]]
    lengths = np.array([len(text) for text in texts])
    width = int(lengths.max())
    table = np.frombuffer(b"".join(text.ljust(width, b"\0") for text in texts), dtype=np.uint8).reshape(len(texts), width)
    whole = np.array([len(text) - offset for text in members.texts[low:high]])
    rows, nodes = np.arange(len(texts), dtype=np.int32), np.full(len(texts), node, dtype=np.int32)
    ends: list[Ids] = [nodes[:0]]
    residuals: list[tuple[int, int]] = []
    for at in range(width):
        is_longer = lengths[rows] > at
        rows, nodes = trie.each_child(rows[is_longer], nodes[is_longer], table[:, at])
        if not len(rows):
            break
        ends.append(nodes[trie.is_token[nodes]])
        is_over = (whole[rows] == at + 1) & (trie.child_count[nodes] > 0)
        residuals.extend(zip((rows[is_over] + low).tolist(), nodes[is_over].tolist(), strict=True))
    return np.concatenate(ends), residuals
