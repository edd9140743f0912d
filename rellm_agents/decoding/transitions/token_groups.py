"""Groups of tokens: those that are allowed from one cell and end inside the same cell, as plain data.

A *transition* is a cell with such a group. The mask of a state is the union of its groups; a budget asks where in the cell the tokens of
a group end. Literal sets, lexemes and counters have groups that are shared by all patterns (``literal_set_tokens``, ``lexeme_tokens``);
the other ones are here.

    cell "abc", before a      group: token a ends after 1 byte, token abc after 3

A group has ``ids`` for few tokens and ``masks`` for many: setting few bits costs less than the union of two masks. Groups know nothing of
costs; ``budget.group_costs`` prices them.

>>> LiteralGroup([7, 9], [1, 3]).ids
(7, 9)
"""

from __future__ import annotations

from collections.abc import Set
from typing import ClassVar

from rellm_agents.decoding.transitions.counted_tokens import CountedTokens
from rellm_agents.decoding.transitions.lexeme_tokens import CounterTokens, LexemeTokens
from rellm_agents.decoding.transitions.literal_set_tokens import LiteralSetTokens
from rellm_agents.decoding.vocabulary import Mask, TrieCursor
from rellm_agents.patterns.machine import CaptureCell, Continuation, CounterCell, LexemeCell, LiteralCell, SetCell, State


class LiteralGroup:
    """Tokens that end in a literal, or with it.

    Attributes:
        ids: the tokens.
        ends: for each of them, the byte of the literal before which it ends.
    """

    __slots__ = ("ends", "ids")
    masks: ClassVar[tuple[Mask, ...]] = ()

    def __init__(self, ids: list[int], ends: list[int]) -> None:
        self.ids, self.ends = tuple(ids), tuple(ends)


class CounterGroup:
    """Tokens that end inside a repeat that is counted.

    Attributes:
        tokens: of the repeat without bounds.
        limit: the largest number of iterations that they may begin; ``None``: any number.
    """

    __slots__ = ("limit", "masks", "tokens")
    ids: ClassVar[tuple[int, ...]] = ()

    def __init__(self, tokens: CounterTokens, limit: int | None) -> None:
        self.tokens, self.limit = tokens, limit
        self.masks: tuple[Mask, ...] = (tokens.mask(limit),)


class RestrictedGroup:
    """Tokens that end inside a repeat that is counted, and that other conditions restrict.

    Attributes:
        tokens: with whatever number of iterations.
        ends: indices of those of their ends from which the text can be finished.
    """

    __slots__ = ("ends", "masks", "tokens")
    ids: ClassVar[tuple[int, ...]] = ()

    def __init__(self, tokens: CountedTokens, ends: tuple[int, ...]) -> None:
        self.tokens, self.ends = tokens, ends
        self.masks: tuple[Mask, ...] = (tokens.mask(ends),) if ends else ()


class InnerGroup:
    """Tokens that end inside the text of a capture.

    Attributes:
        inner: the transitions in the machine of the capture's inner part, where nothing is excluded.
        cursor: below which the tokens are.
        excluded: the tokens after which an excluded text can still be reached, whether or not others can.
        ids, masks: the tokens, less those after which only excluded texts can be reached.
    """

    __slots__ = ("cursor", "excluded", "ids", "inner", "masks")

    def __init__(self, inner: tuple[Transition, ...], cursor: TrieCursor, excluded: Set[int], removed: Set[int]) -> None:
        self.inner, self.cursor, self.excluded = inner, cursor, excluded
        self.ids: tuple[int, ...] = tuple([id_ for _, group in inner for id_ in group.ids if id_ not in removed])
        self.masks: tuple[Mask, ...] = tuple([_without(mask, removed) for _, group in inner for mask in group.masks])


class ExcludedGroup:
    """Tokens that end inside the text of a capture where both an excluded text and others can still be reached.

    They are among those of an inner group, so that a mask need not add them again: ``ids`` and ``masks`` are empty.

    Attributes:
        near_excluded: the tokens by where they end: the state of the inner part, and the text so far.
    """

    __slots__ = ("near_excluded",)
    ids: ClassVar[tuple[int, ...]] = ()
    masks: ClassVar[tuple[Mask, ...]] = ()

    def __init__(self, near_excluded: dict[tuple[State, bytes], tuple[int, ...]]) -> None:
        self.near_excluded = near_excluded


class CaptureEnd:
    """A node inside tokens at which a captured text may end.

    Attributes:
        path: the bytes of the tokens that belong to the text.
        transitions: of the tokens that go on from there, and end before what depends on the text.
        cursors: below which tokens go on with what depends on the text.
    """

    __slots__ = ("cursors", "path", "transitions")

    def __init__(self, path: bytes, transitions: tuple[Transition, ...], cursors: list[TrieCursor]) -> None:
        self.path, self.transitions, self.cursors = path, transitions, cursors


class CaptureEndGroup:
    """Tokens in which a captured text ends, and that end before what depends on the text.

    Attributes:
        ends: where in them the text ends.
    """

    __slots__ = ("ends", "ids", "masks")

    def __init__(self, ends: tuple[CaptureEnd, ...]) -> None:
        self.ends = ends
        self.ids: tuple[int, ...] = tuple([id_ for end in ends for _, group in end.transitions for id_ in group.ids])
        self.masks: tuple[Mask, ...] = tuple([mask for end in ends for _, group in end.transitions for mask in group.masks])


TokenGroup = LiteralGroup | LiteralSetTokens | LexemeTokens | CounterGroup | RestrictedGroup | InnerGroup | ExcludedGroup | CaptureEndGroup

Transition = (
    tuple[LiteralCell, LiteralGroup]
    | tuple[SetCell, LiteralSetTokens]
    | tuple[LexemeCell, LexemeTokens]
    | tuple[CounterCell, CounterGroup | RestrictedGroup]
    | tuple[CaptureCell, InnerGroup | ExcludedGroup | CaptureEndGroup]
)
"""A cell, and tokens that are allowed from it and end inside it. A plain tuple: two of them are made for most masks."""

Exit = tuple[Continuation | None, TrieCursor]
"""What follows a cell that has ended inside tokens, and the cursor below which they go on with it."""


def _without(mask: Mask, removed: Set[int]) -> Mask:
    if not removed:
        return mask
    bits = mask.bits.copy()
    words = bits.data
    for id_ in removed:
        words[id_ >> 5] &= ~(1 << (id_ & 31)) & 0xFFFFFFFF
    return Mask(bits)
