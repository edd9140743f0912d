"""Decides which items can come where in the text of an array, so that it can still be finished.

A state is what still matters between two items: the position, how many items of a required kind were written, which items were written,
where none may come twice, and which has to come again. Knows nothing of text.

What has to come is a *route*: the fewest items that lead to the end, the first of such routes in a fixed order. So from a state on a
route, the route is the rest of it, and costs that are taken along routes fall with each item.

    contains an "a", two items at least    state (0, 0) --"b"--> (1, 0) --"a"--> (2, 1), where the array may end

>>> from rellm_agents.json_schema.shapes.shape import Ready
>>> from rellm_agents.patterns import literal
>>> counts = ItemCounts([], ((0, Ready(literal("1"))),), 2, None, [], lambda item: True)
>>> counts.route(counts.start).size, counts.can_close(counts.start), counts.route(counts.after(counts.start, 0)).size
(2, False, 1)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice, takewhile
from typing import NamedTuple

from rellm_agents.json_schema.shapes.property_order import Variants
from rellm_agents.json_schema.shapes.shape import HasInstance, Shape
from rellm_agents.limits import DEFAULT_LIMITS, Limits

_NO_ITEMS: frozenset[bytes] = frozenset()
_REMEMBERED = 4_096  # routes


class TooManyRoutes(Exception):
    """Which items can come cannot be told.

    Attributes:
        of: the shape of the array.
    """

    of: Shape


class ContainsBounds(NamedTuple):
    """How many items have to satisfy one schema, as the keyword ``contains`` says."""

    least: int
    most: int | None


class Pair(NamedTuple):
    """Where one item may stand, and equal again.

    Attributes:
        place: of the first of the two; that of all items after the first ones is their number.
        again: of the second, likewise.
        satisfies: the conditions that the item satisfies.
    """

    place: int
    again: int
    satisfies: int


class Step(NamedTuple):
    """One item of a route.

    Attributes:
        place: of the item, as of a :class:`Pair`.
        satisfies: the conditions that it satisfies.
        begins: the pair whose first item it is.
        ends: the item that has to come again comes here.
    """

    place: int
    satisfies: int
    begins: Pair | None = None
    ends: bool = False


class Route(NamedTuple):
    """The items that have to come.

    Attributes:
        steps: one by one, at least up to the end of the first positions.
        rest: of the items after them, by the conditions that they satisfy, how many.
    """

    steps: tuple[Step, ...] = ()
    rest: tuple[tuple[int, int], ...] = ()

    @property
    def size(self) -> int:
        """How many items have to come."""
        return len(self.steps) + sum(count for _, count in self.rest)

    @property
    def order(self) -> tuple[object, ...]:
        """The shortest first."""
        return self.size, [step.satisfies for step in self.steps], [-count for _, count in self.rest]


class ArrayState(NamedTuple):
    """Between two items, or before the first.

    Attributes:
        position: how many items are written, as far as it matters.
        satisfied: for each :class:`ContainsBounds`, how many items satisfy it, as far as it matters.
        written: the texts of items that may not come again.
        in_order: the properties of objects in items are written in one order from here on.
        owes: some item has to come twice.
        pair: where the item stands, if it has come once.
        text: its text.
    """

    position: int
    satisfied: tuple[int, ...]
    written: frozenset[bytes] = _NO_ITEMS
    in_order: bool = False
    owes: bool = False
    pair: Pair | None = None
    text: bytes = b""


Places = Mapping[tuple[int, int], int]  # how many items have to come, by their place and the conditions that they satisfy
Differ = Callable[[ArrayState, Places], bool]


class ItemCounts:
    """Which items can come where.

    Args:
        first: the items at the first positions, each with its variants.
        rest: the items after them.
        least, most: bounds on the number of items.
        contained: how many items have to satisfy certain schemas.
        has_instance: whether an item is possible.
        pairs: where one item can stand twice; ``None`` if none has to.
        differ: whether there are different items, none of which was written, for some places. ``None`` if items may be equal.
        limits: on the ways that are looked through for one state.

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
        *,
        pairs: Iterable[Pair] | None = None,
        differ: Differ | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._limits = limits
        self.first = [tuple(one for one in variants if has_instance(one[1])) for variants in first]
        self.rest = tuple(one for one in rest if has_instance(one[1]))
        bounds = [] if most is None else [most]
        bounds += [i for i, variants in enumerate(self.first) if not variants][:1]
        bounds += [] if self.rest else [len(self.first)]
        self.least, self.most = least, min(bounds, default=None)
        self._contained, self._pairs, self._differ = contained, tuple(pairs or ()), differ
        self.start = ArrayState(0, (0,) * len(contained), owes=pairs is not None)
        self._routes: dict[ArrayState, Route | None] = {}
        self._steps = tuple(Step(i, min(mask for mask, _ in variants)) for i, variants in enumerate(takewhile(bool, self.first)))

    def place(self, position: int) -> int:
        """The place of an item at a position."""
        return min(position, len(self.first))

    def variants_at(self, position: int) -> Variants:
        """The variants of the item at a position."""
        return self.first[position] if position < len(self.first) else self.rest

    def pairs_at(self, position: int) -> list[Pair]:
        """The pairs whose first item may stand at a position."""
        return [pair for pair in self._pairs if pair.place == self.place(position)]

    def can_close(self, state: ArrayState) -> bool:
        """The array may end here."""
        return state.position >= self.least and not state.owes and self._is_enough(state.satisfied)

    def after(self, state: ArrayState, satisfies: int) -> ArrayState | None:
        """The state after one more item; ``None`` if it is one too many."""
        satisfied = self._counted(state.satisfied, satisfies)
        if satisfied is None or (self.most is not None and state.position >= self.most):
            return None
        position = state.position + 1
        if self.most is None:
            position = min(position, max(len(self.first), self.least))
        return state._replace(position=position, satisfied=satisfied)

    def route(self, state: ArrayState) -> Route | None:
        """The items that have to come; ``None`` if the array cannot be finished.

        Raises:
            TooManyRoutes: to be looked through.
        """
        key = state._replace(text=b"") if self._differ else state._replace(text=b"", written=_NO_ITEMS)
        if key not in self._routes:
            if len(self._routes) >= _REMEMBERED:
                self._routes.clear()
            self._routes[key] = self._route(state)
        return self._routes[key]

    def _route(self, state: ArrayState) -> Route | None:
        if self.can_close(state):
            return Route()
        if not state.owes:
            return self._shortest(state, {})
        if state.pair is not None:
            again = max(state.position, state.pair.again)
            route = self._shortest(state, {again: state.pair.satisfies})
            return None if route is None else _marked(route, again - state.position, ends=True)
        routes = list(self._routes_to_pairs(state))
        return min(routes, key=lambda route: route.size, default=None)  # of equally short ones, that to the first pair

    def _routes_to_pairs(self, state: ArrayState) -> Iterator[Route]:
        for pair in self._pairs:
            position = max(state.position, pair.place)
            again = max(position + 1, pair.again)
            if self.place(position) != pair.place:
                continue
            route = self._shortest(state, {position: pair.satisfies, again: pair.satisfies})
            if route is not None:
                yield _marked(_marked(route, position - state.position, begins=pair), again - state.position, ends=True)

    def _shortest(self, state: ArrayState, fixed: Mapping[int, int]) -> Route | None:
        """The first of the shortest routes on which the items at some positions satisfy given conditions."""
        routes = self._routes_with(state, fixed)
        if not self._contained:
            return next((route for route in routes if self._can_differ(state, route)), None)
        found = list(islice(routes, self._limits.routes + 1))
        if len(found) > self._limits.routes:
            raise TooManyRoutes(self._limits.passed("routes", "use fewer conditions"))
        found.sort(key=lambda route: route.order)
        return next((route for route in found if self._can_differ(state, route)), None)

    def _can_differ(self, state: ArrayState, route: Route) -> bool:
        return self._differ is None or self._differ(state, self.places(route))

    def places(self, route: Route) -> Places:
        """The places of a route."""
        found = Counter((step.place, step.satisfies) for step in route.steps)
        for mask, count in route.rest:
            found[len(self.first), mask] += count
        return +found

    def _routes_with(self, state: ArrayState, fixed: Mapping[int, int]) -> Iterator[Route]:
        """Ways on which the items at some positions satisfy given conditions; one for each number of items of each kind."""
        until = max([self.least, *(position + 1 for position in fixed)])
        if self.most is not None and until > self.most:
            return
        one_by_one = max([state.position, len(self.first), *(position + 1 for position in fixed)])
        if not (self._contained or fixed or self._differ):  # there is one way, and a long list asks for it at each of its positions
            steps, most = self._steps[state.position : until], None if self.most is None else self.most - one_by_one
            for rest in self._rests(state.satisfied, until - one_by_one, most) if until >= one_by_one else [()]:
                yield Route(steps, rest)
            return
        begun: dict[tuple[int, ...], list[tuple[Step, ...]]] = {state.satisfied: [()]}
        for position in range(state.position, one_by_one):
            for satisfied, beginnings in begun.items():
                if position >= until and self._is_enough(satisfied):
                    yield from map(Route, beginnings)
            if position == self.most or (position >= until and not self._contained):
                return
            begun = self._one_more(position, begun, fixed.get(position))
        for satisfied, beginnings in begun.items():
            for rest in self._rests(satisfied, max(until - one_by_one, 0), None if self.most is None else self.most - one_by_one):
                for steps in beginnings:
                    yield Route(steps, rest)

    def _one_more(
        self, position: int, begun: dict[tuple[int, ...], list[tuple[Step, ...]]], fixed: int | None
    ) -> dict[tuple[int, ...], list[tuple[Step, ...]]]:
        found: dict[tuple[int, ...], list[tuple[Step, ...]]] = {}
        place = self.place(position)
        masks = sorted({mask for mask, _ in self.variants_at(position)}) if fixed is None else [fixed]
        for satisfied, beginnings in begun.items():
            for mask in masks:
                after = self._counted(satisfied, mask)
                if after is not None:
                    more = [(*steps, Step(place, mask)) for steps in beginnings]
                    found.setdefault(after, []).extend(more)
        if self._differ is None:  # which items are equal does not matter: of those that satisfy the same, one is enough
            return {satisfied: [min(beginnings, key=_masks)] for satisfied, beginnings in found.items()}
        if sum(map(len, found.values())) > self._limits.routes:
            raise TooManyRoutes(self._limits.passed("routes", "use fewer conditions"))
        return found

    def _rests(self, satisfied: tuple[int, ...], least: int, most: int | None) -> Iterator[tuple[tuple[int, int], ...]]:
        """How many items of each kind come after the first ones, so that they are enough; none more than are needed."""
        masks = sorted({mask for mask, _ in self.rest}, reverse=True)  # items that satisfy nothing, if there are any, come last
        waiting: list[tuple[int, tuple[int, ...], tuple[tuple[int, int], ...]]] = [(0, satisfied, ())]
        while waiting:
            number, now, chosen = waiting.pop()
            size = sum(count for _, count in chosen)
            if number == len(masks):
                if size >= least and self._is_enough(now):
                    yield tuple(reversed(chosen))
                continue
            mask = masks[number]
            missing = max([bounds.least - count for i, (count, bounds) in enumerate(self._pairwise(now)) if mask >> i & 1], default=0)
            enough, is_last = max(missing, least - size, 0), number == len(masks) - 1
            if self._differ is None and not is_last and masks[-1] == 0:
                enough = max(missing, 0)
            for more in [enough] if is_last else range(enough + 1):
                after = self._counted(now, mask, more)
                if after is None or (most is not None and size + more > most):
                    break
                waiting.append((number + 1, after, (*chosen, (mask, more))))

    def _counted(self, satisfied: tuple[int, ...], mask: int, items: int = 1) -> tuple[int, ...] | None:
        """How many items satisfy what after some more that satisfy the conditions in ``mask``; ``None``: too many."""
        found = []
        for i, (count, bounds) in enumerate(self._pairwise(satisfied)):
            more = count + items * (mask >> i & 1)
            if bounds.most is not None and more > bounds.most:
                return None
            found.append(min(more, bounds.least) if bounds.most is None else more)
        return tuple(found)

    def _is_enough(self, satisfied: tuple[int, ...]) -> bool:
        return all(count >= bounds.least for count, bounds in self._pairwise(satisfied))

    def _pairwise(self, satisfied: tuple[int, ...]) -> Iterable[tuple[int, ContainsBounds]]:
        return zip(satisfied, self._contained, strict=True)


def _marked(route: Route, index: int, *, begins: Pair | None = None, ends: bool = False) -> Route:
    steps = list(route.steps)
    steps[index] = steps[index]._replace(begins=begins, ends=ends)
    return route._replace(steps=tuple(steps))


def _masks(steps: tuple[Step, ...]) -> list[int]:
    return [step.satisfies for step in steps]
