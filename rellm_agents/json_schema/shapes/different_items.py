"""Tells whether there are enough different items for the places of an array, where some of them are few.

Items of a place compete for values with those of other places: a matching. Of those of which there are many, no place runs short.

    items 1 or 2, then 1, then 2 or 3     after 2: 1, 3      1 may not come first: nothing would be left for the second place

>>> from rellm_agents.json_schema.shapes.shape import Ready
>>> from rellm_agents.patterns import choice, literal
>>> items = [choice(literal("1"), literal("2")), literal("1"), choice(literal("2"), literal("3"))]
>>> different = DifferentItems(lambda place, in_order: ((0, Ready(items[place])),), Layout.of("compact"), 3)
>>> state = ArrayState(1, ())
>>> [different.can_differ(state._replace(written=frozenset(texts)), {(1, 0): 1, (2, 0): 1}) for texts in ((), (b"1",), (b"2",))]
[True, False, True]
>>> [critical.value for critical in different.criticals(state, {(1, 0): 1, (2, 0): 1})]
[1]
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from rellm_agents.json_schema.shapes.item_counts import ArrayState, Places, TooManyRoutes
from rellm_agents.json_schema.shapes.property_order import Variants
from rellm_agents.json_schema.text import Layout, value_key
from rellm_agents.patterns import Node, choice
from rellm_agents.patterns.automaton import INFINITE, max_bytes
from rellm_agents.patterns.ir import TextSet
from rellm_agents.patterns.machine import Chosen, listed_texts


class ItemsAt(Protocol):
    """The items at a place."""

    def __call__(self, place: int, *, in_order: bool) -> Variants: ...  # noqa: D102


@dataclass(frozen=True)
class Criticals:
    """A value without which there may be too few.

    Attributes:
        value: of an item.
        texts: its texts as an item at some place.
    """

    value: Any
    texts: frozenset[bytes]


class DifferentItems:
    """The items of an array in which none comes twice.

    Args:
        items: at a place.
        layout: how they are written.
        least: how many there have to be, at most.
    """

    def __init__(self, items: ItemsAt, layout: Layout, least: int) -> None:
        self._items, self._layout = items, layout
        self._most_listed = max(layout.limits.different, min(least, layout.limits.different_items) + 1)
        self._sets: dict[tuple[int, int, bool], TextSet] = {}
        self._is_listing = False

    def texts(self, place: int, satisfies: int, *, in_order: bool) -> TextSet:
        """The texts of the items at a place that satisfy some conditions; listed if they are few.

        Raises:
            TooManyRoutes: an item may hold this array itself.
        """
        key = place, satisfies, in_order
        if key not in self._sets:
            node = choice(*(value.node() for mask, value in self._items(place, in_order=in_order) if mask == satisfies))
            same = next((one for one in self._sets.values() if one.node is node), None)
            if same is None:
                listed = self._listed(node)
                same = TextSet(node, None if listed is None else tuple(sorted(listed, key=_short_first)), self._meaning)
            self._sets[key] = same
        return self._sets[key]

    def _listed(self, node: Node) -> frozenset[bytes] | None:
        if self._is_listing:
            raise TooManyRoutes("no item may come twice, and one of those that have to come may hold such an array itself")
        self._is_listing = True
        try:
            return listed_texts(node, self._most_listed)
        finally:
            self._is_listing = False

    def _meaning(self, text: bytes) -> Hashable:
        return text if text.startswith(b'"') else value_key(self._layout.read(text.decode()))

    def later(self, places: Places, *, in_order: bool) -> tuple[tuple[TextSet, int], ...]:
        """The items at some places, and how many of each have to come."""
        found: dict[TextSet, int] = {}
        for (place, satisfies), count in places.items():
            one = self.texts(place, satisfies, in_order=in_order)
            found[one] = found.get(one, 0) + count
        return tuple(found.items())

    def can_differ(self, state: ArrayState, places: Places) -> bool:
        """Whether there are different items for some places, none of them written already."""
        if not state.written and sum(places.values()) <= 1:
            return True
        return self._chosen(state, places)[0] is not None

    def criticals(self, state: ArrayState, places: Places) -> Iterator[Criticals]:
        """The values without which there may be too few items for some places."""
        chosen, few = self._chosen(state, places)
        for key, kind in () if chosen is None else chosen.keys.items():
            if chosen is not None and chosen.replacement(kind) is None:
                texts = frozenset(text for one, _ in few for text in one.by_key.get(key, ()))
                yield Criticals(self._layout.read(next(iter(texts)).decode()), texts)

    def _chosen(self, state: ArrayState, places: Places) -> tuple[Chosen[Hashable] | None, list[tuple[TextSet, int]]]:
        few = [(one, count) for one, count in self.later(places, in_order=state.in_order) if one.texts is not None]
        left = [{key: None for key, texts in one.by_key.items() if state.written.isdisjoint(texts)} for one, _ in few]
        keys = {key: None for one in left for key in one}
        return Chosen.of([(one, count) for one, (_, count) in zip(left, few, strict=True)], keys), few

    def may_be_few(self, places: Places) -> bool:
        """Whether more items have to come than are ever listed, and it is not known that there are so many."""
        if sum(places.values()) <= self._layout.limits.different_items:
            return False
        sets = [self.texts(place, satisfies, in_order=False) for place, satisfies in places]
        return any(one.texts is None and (one.node.has_rules or max_bytes(one.node) < INFINITE) for one in sets)

    def has_few_in_order(self, places: Places) -> bool:
        """Whether there may be too few items, which are told from the others only where properties stand in one order."""
        size = sum(places.values())
        for place, satisfies in places if size > 1 else ():
            if self.texts(place, satisfies, in_order=False).texts is None:
                in_order = self.texts(place, satisfies, in_order=True)
                if in_order.texts is not None and len(in_order.by_key) < size:
                    return True
        return False


def _short_first(text: bytes) -> tuple[int, bytes]:
    return len(text), text
