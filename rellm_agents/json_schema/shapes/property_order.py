"""Decides which properties can come where in the text of an object, so that it can still be finished.

A state is what still matters between two properties: which may come, how many are written (where their number is bounded), which
obligations are open, which undeclared names were used. Knows nothing of text but the names.

Obligations are conditions that *some* property has to satisfy. The fewest properties that still have to come are the length of a
shortest path in the graph of states, found by memoised recursion; a way that comes back to its own state is no shortest one.

    a required, b optional    state 0 --a--> 1 --b--> 2; the object may end in 1 and 2

>>> from rellm_agents.json_schema.shapes.shape import Ready
>>> from rellm_agents.patterns import literal
>>> a = Property("a", ((0, Ready(literal("1"))),), required=True)
>>> order = PropertyOrder([a], [], 0, None, 0, lambda value: True, Layout.of("spaced"), any_order=False)
>>> order.to_end(order.start), order.can_close(order.start), order.can_close(order.after(order.start, 0, 0))
(1, False, True)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rellm_agents.caches import cached_property
from rellm_agents.json_schema.shapes.shape import HasInstance, Shape
from rellm_agents.json_schema.text import Layout
from rellm_agents.patterns import Node
from rellm_agents.patterns.automaton import few_texts

_NO_NAMES: frozenset[bytes] = frozenset()

Variants = tuple[tuple[int, Shape], ...]  # of a value, each with the conditions that it satisfies: bit i for condition i


@dataclass(frozen=True)
class Property:
    """A declared property."""

    name: str
    variants: Variants
    required: bool


@dataclass(frozen=True)
class Undeclared:
    """Properties of other names.

    Attributes:
        names: the JSON text of the names, quotes included; declared ones are left out in any case.
        variants: of their values.
    """

    names: Node
    variants: Variants


class ObjectState(NamedTuple):
    """Between two properties, or before the first.

    Attributes:
        position: the first declared property that may still come.
        done: later ones that may not come again: bit i for property i.
        size: how many properties are written, as far as it matters.
        obligations: conditions that some property still has to satisfy, a bit for each.
        used: undeclared names that are written.
    """

    position: int
    done: int
    size: int
    obligations: int
    used: frozenset[bytes] = _NO_NAMES


class PropertyOrder:
    """Which properties can come where.

    Args:
        declared: the declared properties in their order.
        undeclared: the other properties.
        least, most: bounds on the number of properties.
        obligations: as of :class:`ObjectState`, at the start.
        has_instance: whether a value is possible.
        layout: of the names.
        any_order: declared properties may come in any order, and after undeclared ones.

    Attributes:
        declared, undeclared: without values that are impossible.
        all_names: of declared properties, those with impossible values too.
        counts: whether the number of properties matters.
        start: before the first property.
    """

    def __init__(
        self,
        declared: Sequence[Property],
        undeclared: Sequence[Undeclared],
        least: int,
        most: int | None,
        obligations: int,
        has_instance: HasInstance,
        layout: Layout,
        *,
        any_order: bool,
    ) -> None:
        self.declared = [Property(one.name, v, one.required) for one in declared if (v := _possible(one.variants, has_instance))]
        self.undeclared = [Undeclared(one.names, v) for one in undeclared if (v := _possible(one.variants, has_instance))]
        self.all_names = [one.name for one in declared]
        self._layout = layout
        self._required = sum(1 << i for i, one in enumerate(self.declared) if one.required)
        self._least, self._most, self._any_order = least, most, any_order
        required = self._required.bit_count()
        self.counts = least > required or (most is not None and (bool(self.undeclared) or most < len(self.declared)))
        self.start = ObjectState(0, 0, 0, obligations)
        self._to_end: dict[ObjectState, int | None] = {}

    def remaining(self, state: ObjectState) -> Iterator[int]:
        """The declared properties that may still come."""
        return (i for i in range(state.position, len(self.declared)) if not state.done >> i & 1)

    @cached_property
    def _names(self) -> list[list[bytes] | None]:
        """The texts of the names of each class, without those that are declared; ``None``: more than matter."""
        if not (self.counts or self.start.obligations):
            return [None] * len(self.undeclared)
        declared = {self._layout.name_text(name).encode() for name in self.all_names}
        found = [few_texts(one.names, self._layout.limits.counted) for one in self.undeclared]
        return [None if texts is None else sorted(texts - declared) for texts in found]

    def _names_left(self, state: ObjectState) -> int | None:
        left = 0
        for names in self._names:
            if names is None:
                return None
            left += sum(1 for name in names if name not in state.used)
        return left

    def _next_names(self, used: frozenset[bytes], number: int) -> frozenset[bytes] | None:
        """The names that are used after one more of a class, any of those that are left; ``None`` if none is."""
        names = self._names[number]
        if names is None:
            return used
        name = next((name for name in names if name not in used), None)
        return None if name is None else used | {name}

    def _counted_names(self, used: frozenset[bytes]) -> frozenset[bytes]:
        """As many names of each class that has few of them; it does not matter which."""
        if not used:
            return used
        few = [(names, sum(1 for name in names if name in used)) for names in self._names if names is not None]
        return frozenset(name for names, count in few for name in names[:count])

    def _missing(self, state: ObjectState) -> int:
        """How many required properties have to come."""
        return (self._required >> state.position << state.position & ~state.done).bit_count()

    def missing(self, state: ObjectState) -> Iterator[int]:
        """The required properties that have to come."""
        return (i for i in self.remaining(state) if self._required >> i & 1)

    def is_plain(self, state: ObjectState) -> bool:
        """No other properties have to come than those that are required, whatever number of them and whatever their values."""
        return not (self.counts or state.obligations)

    def can_close(self, state: ObjectState) -> bool:
        """The object may end here."""
        return not (self._missing(state) or state.obligations or (self.counts and state.size < self._least))

    def must_close(self, state: ObjectState) -> bool:
        """The object has to end here."""
        is_full = self.counts and state.size == self._most
        return self.can_close(state) and (is_full or not (self.undeclared or any(True for _ in self.remaining(state))))

    def after(
        self, state: ObjectState, declared: int | None, satisfies: int, limit: int | None = None, *, undeclared: int = 0
    ) -> ObjectState | None:
        """The state after a property.

        Args:
            state: before it.
            declared: its number; ``None``: an undeclared one.
            satisfies: the conditions that its value satisfies.
            undeclared: the number of the class of its name, if it is undeclared; the name itself is not known yet.
            limit: fewer properties than this have to come afterwards.

        Returns:
            ``None`` if the object cannot be finished from there.
        """
        if not self._any_order:
            state = state._replace(position=len(self.declared) if declared is None else declared + 1)
        elif declared is not None:
            state = state._replace(done=state.done | 1 << declared)
        after = self._counted(state, satisfies)
        used = self._next_names(state.used, undeclared) if declared is None else state.used
        left = None if used is None else self.to_end(after._replace(used=used))
        return None if left is None or (limit is not None and left >= limit) else after

    def _counted(self, state: ObjectState, satisfies: int) -> ObjectState:
        """With one more property."""
        matters = self.counts and (self._most is not None or state.size < self._least)
        return state._replace(size=state.size + matters, obligations=state.obligations & ~satisfies)

    def to_end(self, state: ObjectState) -> int | None:
        """The fewest properties that have to come; ``None`` if the object cannot be finished."""
        missing = self._missing(state)
        if self.counts:
            missing = max(missing, self._least - state.size)
            others = self._names_left(state)
            if others is not None and missing > others + sum(1 for _ in self.remaining(state)):
                return None
            if self._most is not None and state.size + missing > self._most:
                return None
        if not state.obligations:
            return missing
        state = state._replace(used=self._counted_names(state.used))
        if state not in self._to_end:
            self._to_end[state] = None  # until it is known: a shortest way does not come back here
            left = [n for after in self._nearer(state) if (n := self.to_end(after)) is not None]
            self._to_end[state] = 1 + min(left) if left else None
        return self._to_end[state]

    def _nearer(self, state: ObjectState) -> Iterator[ObjectState]:
        """The states after the properties that bring the end nearer, which may as well come in their order."""
        short = self.counts and state.size < self._least
        for i in self.remaining(state):
            one = self.declared[i]
            for satisfies, _ in one.variants:
                if one.required or short or satisfies & state.obligations:
                    yield self._counted(state._replace(position=i + 1), satisfies)
            if one.required:
                return
        for number, other in enumerate(self.undeclared):
            if (used := self._next_names(state.used, number)) is None:
                continue
            for satisfies, _ in other.variants:
                if short or satisfies & state.obligations:
                    yield self._counted(state._replace(position=len(self.declared), used=used), satisfies)


def _possible(variants: Variants, has_instance: HasInstance) -> Variants:
    return variants if all(has_instance(value) for _, value in variants) else tuple(one for one in variants if has_instance(one[1]))
