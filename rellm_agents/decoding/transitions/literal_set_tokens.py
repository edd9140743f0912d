"""A set of literals and a spot of the token trie in; the tokens that spell their beginnings, and where they end, out.

Bytes are walked, nothing else is known, so the work is shared by all patterns in which the same set stands.

>>> from rellm_agents.decoding.vocabulary import TokenTrie
>>> from rellm_agents.patterns import choice, literal
>>> spots = Spots(TokenTrie([b"a", b"ab", b"abc", b"b"]))
>>> walk = SetWalk(spots, LiteralSet.of(choice(literal("ab"), literal("ad")).options), 0, 2, 0, spots.root)
>>> walk.ids, walk.ends, [member for member, _ in walk.exits]
((0, 1), [(0, 2, 1, (0,)), (0, 1, 2, (1,))], [0])
"""

from __future__ import annotations

import numpy as np

from rellm_agents.decoding.vocabulary import Ids, Mask, Spot, Spots
from rellm_agents.patterns.machine import LiteralSet

_WIDE = 48  # members of a set that are walked all at once


class SetWalk:
    """What members ``low`` to ``high`` of a set allow, alike up to ``offset`` and longer.

    Attributes:
        ids: the tokens, if they are few.
        mask: the tokens, if they are many.
        exits: for each member that is over inside a token, its number and where.
    """

    __slots__ = ("_asked", "_ends", "exits", "ids", "mask")

    def __init__(self, spots: Spots, members: LiteralSet, low: int, high: int, offset: int, spot: Spot) -> None:
        self._asked = members, low, high, offset, spot
        self._ends: list[tuple[int, int, int, tuple[int, ...]]] | None = None
        self.ids: tuple[int, ...] = ()
        self.mask: Mask | None = None
        node = spot.only_node
        if high - low > _WIDE and node is not None:
            trie = spots.trie
            nodes, over = _walk_at_once(spots, members, low, high, offset, node)
            self.mask = Mask(trie.bits_at(nodes))
            self.exits = [(member, spots.of_node(end, spot.depth)) for member, end in over]
        else:
            self._ends, self.exits = _narrowed(members, low, high, offset, spot)
            self.ids = tuple(id_ for *_, ids in self._ends for id_ in ids)

    @property
    def ends(self) -> list[tuple[int, int, int, tuple[int, ...]]]:
        """Where tokens end: ``low, high, offset`` of the members they can still spell, and the tokens."""
        if self._ends is None:
            return _narrowed(*self._asked)[0]  # not kept: asked for only where the end of a budget is near
        return self._ends


def _narrowed(
    members: LiteralSet, low: int, high: int, offset: int, spot: Spot
) -> tuple[list[tuple[int, int, int, tuple[int, ...]]], list[tuple[int, Spot]]]:
    """Byte by byte, all members that go on alike together: the ends and the exits."""
    texts = members.texts
    ends: list[tuple[int, int, int, tuple[int, ...]]] = []
    exits: list[tuple[int, Spot]] = []
    waiting = [(low, high, offset, spot)]
    while waiting:
        low, high, offset, spot = waiting.pop()
        after = offset + 1
        while low < high:
            byte = texts[low][offset]
            _, until = members.narrowed(low, high, offset, byte)
            below = spot.child(byte)
            if len(texts[low]) == after:  # texts ascend: only the first can be over
                if below.token_ids:
                    ends.append((low, low + 1, after, below.token_ids))
                if below.has_children:
                    exits.append((low, below))
                low += 1
            if low < until:
                if below.token_ids:
                    ends.append((low, until, after, below.token_ids))
                if below.has_children:
                    waiting.append((low, until, after, below))
            low = until
    return ends, exits


def _walk_at_once(spots: Spots, members: LiteralSet, low: int, high: int, offset: int, node: int) -> tuple[Ids, list[tuple[int, int]]]:
    """All members at once, byte by byte.

    Returns:
        The nodes of the tokens that end in a member or with it, int32[n], maybe some twice; and for each member that is over
        inside a token: its number, and the node.
    """
    trie = spots.trie
    texts = [text[offset : offset + trie.max_length] for text in members.texts[low:high]]
    lengths = np.array([len(text) for text in texts])
    width = int(lengths.max())
    table = np.frombuffer(b"".join(text.ljust(width, b"\0") for text in texts), dtype=np.uint8).reshape(len(texts), width)
    whole = np.array([len(text) - offset for text in members.texts[low:high]])
    rows, nodes = np.arange(len(texts), dtype=np.int32), np.full(len(texts), node, dtype=np.int32)
    ends: list[Ids] = [nodes[:0]]
    over: list[tuple[int, int]] = []
    for at in range(width):
        is_longer = lengths[rows] > at
        rows, nodes = trie.each_child(rows[is_longer], nodes[is_longer], table[:, at])
        if not len(rows):
            break
        ends.append(nodes[trie.is_token[nodes]])
        is_over = (whole[rows] == at + 1) & (trie.child_count[nodes] > 0)
        over.extend(zip((rows[is_over] + low).tolist(), nodes[is_over].tolist(), strict=True))
    return np.concatenate(ends), over
