"""Decides which items can come where in the text of an array, so that it can still be finished.

A state is what still matters between two items: the position, how many items of a required kind were written, and which items were
written, where none may come twice. Knows nothing of text.

The fewest items that still have to come are the length of a shortest path in the graph of states, as in ``property_order``.

    contains an "a", two items at least    state (0, 0) --"b"--> (1, 0) --"a"--> (2, 1), where the array may end

>>> from rellm_agents.json_schema.shapes.shape import Ready
>>> from rellm_agents.patterns import literal
>>> counts = ItemCounts([], ((0, Ready(literal("1"))),), 2, None, [], lambda item: True)
>>> counts.to_end(counts.start), counts.can_close(counts.start), counts.to_end(counts.after(counts.start, 0))
(2, False, 1)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rellm_agents.json_schema.shapes.property_order import Variants
from rellm_agents.json_schema.shapes.shape import HasInstance

_NO_ITEMS: frozenset[bytes] = frozenset()


class ContainsBounds(NamedTuple):
    """How many items have to satisfy one schema, as the keyword ``contains`` says."""

    least: int
    most: int | None


class ArrayState(NamedTuple):
    """Between two items, or before the first.

    Attributes:
        position: how many items are written, as far as it matters.
        satisfied: for each :class:`ContainsBounds`, how many items satisfy it, as far as it matters.
        written: the texts of items that may not come again.
        repeat: the text of an item that has to come again.
    """

    position: int
    satisfied: tuple[int, ...]
    written: frozenset[bytes] = _NO_ITEMS
    repeat: bytes | None = None


class ItemCounts:
    """Which items can come where.

    Args:
        first: the items at the first positions, each with its variants.
        rest: the items after them.
        least, most: bounds on the number of items.
        contained: how many items have to satisfy certain schemas.
        has_instance: whether an item is possible.

    Attributes:
        first, rest: without items that are impossible.
        least, most: bounds on the number of items, as far as these allow.
        start: before the first item.
    """

    def __init__(
        self,
        first: Sequence[Variants],
        rest: Variants,
        least: int,
        most: int | None,
        contained: Sequence[ContainsBounds],
        has_instance: HasInstance,
    ) -> None:
        self.first = [tuple(one for one in variants if has_instance(one[1])) for variants in first]
        self.rest = tuple(one for one in rest if has_instance(one[1]))
        bounds = [] if most is None else [most]
        bounds += [i for i, variants in enumerate(self.first) if not variants][:1]
        bounds += [] if self.rest else [len(self.first)]
        self.least, self.most = least, min(bounds, default=None)
        self._contained = contained
        self.start = ArrayState(0, (0,) * len(contained))
        self._to_end: dict[ArrayState, int | None] = {}

    def variants_at(self, position: int) -> Variants:
        """The variants of the item at a position."""
        return self.first[position] if position < len(self.first) else self.rest

    def can_close(self, state: ArrayState) -> bool:
        """The array may end here."""
        return state.position >= self.least and all(
            count >= bounds.least for count, bounds in zip(state.satisfied, self._contained, strict=True)
        )

    def after(self, state: ArrayState, satisfies: int, limit: int | None = None) -> ArrayState | None:
        """The state after one more item; ``None`` if the array cannot be finished from there, in fewer than ``limit`` items."""
        if self.most is not None and state.position >= self.most:
            return None
        satisfied = []
        for i, (count, bounds) in enumerate(zip(state.satisfied, self._contained, strict=True)):
            more = count + (satisfies >> i & 1)
            if bounds.most is None:
                more = min(more, bounds.least)
            elif more > bounds.most:
                return None
            satisfied.append(more)
        position = state.position + 1
        if self.most is None:
            position = min(position, max(len(self.first), self.least))
        after = state._replace(position=position, satisfied=tuple(satisfied))
        left = self.to_end(after)
        return None if left is None or (limit is not None and left >= limit) else after

    def allows_more(self, state: ArrayState, items: int = 1) -> bool:
        """So many items may follow."""
        return self.most is None or state.position + items <= self.most

    def to_end(self, state: ArrayState) -> int | None:
        """The fewest items that have to come, whatever they are; ``None`` if the array cannot be finished."""
        if not self._contained:
            return None if self.most is not None and self.most < self.least else max(0, self.least - state.position)
        if self.can_close(state):
            return 0
        state = state._replace(written=_NO_ITEMS, repeat=None)
        if state not in self._to_end:
            self._to_end[state] = None  # until it is known: a shortest way does not come back here
            states = [after for satisfies, _ in self.variants_at(state.position) if (after := self.after(state, satisfies)) is not None]
            left = [n for after in states if (n := self.to_end(after)) is not None]
            self._to_end[state] = 1 + min(left) if left else None
        return self._to_end[state]
