"""The properties of an object, as shapes, in; the node of its JSON text out, a rule behind each property.

Declared properties are written in their order, undeclared ones behind them in any, none of them twice. A place between two
properties is what still matters there: the next property that may come, how many are written (where their number is bounded),
which conditions are owed, which undeclared names were used. Only places that a text comes to are ever made.

>>> from rellm_agents.json_schema.shapes import Ready, Source
>>> from rellm_agents.patterns import Pattern, literal
>>> rules, digit = Rules(Source("doctest", ""), is_common=True), Ready(literal("1"))
>>> one = Object(rules, "", Layout.of("compact"), [Property("a", ((0, digit),), required=False), Property("b", ((0, digit),), required=True)])
>>> pattern = Pattern(one.node())
>>> pattern.fullmatch('{"a":1,"b":1}'), pattern.fullmatch('{"b":1}'), pattern.fullmatch('{"a":1}')
(True, True, False)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import NamedTuple

from rellm_agents.json_schema.json_text import Layout, dumps
from rellm_agents.json_schema.shapes import Alive, Rules, Shape
from rellm_agents.patterns import Node, choice, literal, recall, sequence

_BLOCK = 16  # optional properties that are alternatives at one place; what comes later is shared by all places before it
_NO_NAMES: frozenset[bytes] = frozenset()

Variants = tuple[tuple[int, Shape], ...]  # what a value may be, each with the owed conditions that it meets: bit i for condition i


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


class _Place(NamedTuple):
    """Between two properties, or before the first.

    Attributes:
        at: the first declared property that may still come.
        count: how many properties are written, as far as it matters.
        owed: conditions that some property still has to meet, a bit for each.
        written: undeclared names that are written.
    """

    at: int
    count: int
    owed: int
    written: frozenset[bytes] = _NO_NAMES


class Object(Shape):
    """An object.

    Args:
        rules: of its schema.
        part: where it stands, for its rules.
        layout: how it is written.
        declared: its properties.
        undeclared: its other properties; they may be of several kinds.
        least, most: bounds on the number of its properties.
        conditions: how many conditions some property has to meet, beside what holds for all of them.
        order: gives the names of the declared properties in the order they are written in, asked for when that is known to matter;
            by default the order they are given in.
    """

    def __init__(
        self,
        rules: Rules,
        part: str,
        layout: Layout,
        declared: Iterable[Property],
        undeclared: Iterable[Undeclared] = (),
        *,
        least: int = 0,
        most: int | None = None,
        conditions: int = 0,
        order: Callable[[], Sequence[str]] | None = None,
    ) -> None:
        self._order = order
        self._rules, self._part, self._layout = rules, part, layout
        self._declared, self._undeclared = tuple(declared), tuple(undeclared)
        self._bounds = least, most, (1 << conditions) - 1
        self._options: dict[_Place, Node] = {}
        self.is_sure = self._bounds == (0, None, 0) and all(
            any(value.is_sure for _, value in one.variants) for one in self._declared if one.required
        )

    def is_possible(self, alive: Alive) -> bool:
        """See :class:`Shape`."""
        for one in self._declared:
            if one.required and not any(alive(value) for _, value in one.variants):
                return False
        if self._bounds == (0, None, 0):
            return True
        ways = _Ways(self._declared, self._undeclared, *self._bounds, alive)
        return ways.can_finish(ways.start)

    @cached_property
    def _ways(self) -> _Ways:
        if self._order is not None and len(self._declared) > 1:
            place = {name: i for i, name in enumerate(self._order())}
            self._declared = tuple(sorted(self._declared, key=lambda one: place.get(one.name, len(place))))
        return _Ways(self._declared, self._undeclared, *self._bounds, lambda value: not value.is_impossible)

    def _node(self) -> Node:
        return sequence(literal("{"), self._layout.opened, self._rule("first", self._ways.start))

    def _rule(self, name: str, place: _Place) -> Node:
        make = {"first": self._first, "more": self._more, "names": self._names}[name]
        return self._rules.rule(self._part, (name, *place), partial(make, place), partial(self._exit, name, place))

    def _first(self, place: _Place) -> Node:
        return choice(*self._ending(place), self._names(place))

    def _more(self, place: _Place) -> Node:
        return choice(*self._ending(place), sequence(self._layout.comma, self._names(place)))

    def _exit(self, name: str, place: _Place) -> Node:
        """A cheapest way to the end: at once, or with what is required and nothing else."""
        if name != "names" and (ending := self._ending(place)):
            return ending[0]
        ways = self._ways
        required = ways.next_required(place.at)
        if ways.counts or place.owed or required is None:
            return {"first": self._first, "more": self._more, "names": self._names}[name](place)
        option = self._option(required, place)
        return option if name != "more" else sequence(self._layout.comma, option)

    def _ending(self, place: _Place) -> list[Node]:
        return [sequence(self._layout.closing, literal("}"))] if self._ways.can_close(place) else []

    def _rest(self, place: _Place) -> Node:
        """What follows a property, before ``place``."""
        if self._ways.is_last(place):
            return sequence(self._layout.closing, literal("}"))
        return self._rule("more", place)

    def _names(self, place: _Place) -> Node:
        """The properties that may come next: up to the first that has to."""
        ways, options = self._ways, []
        for i in range(place.at, len(ways.declared)):
            if i > place.at and i % _BLOCK == 0:
                later = place._replace(at=i)
                if ways.can_finish(later):
                    options.append(self._rule("names", later))
                return choice(*options)
            options.append(self._option(i, place))
            if ways.declared[i].required:
                return choice(*options)
        return choice(*options, *self._others(place))

    def _option(self, at: int, place: _Place) -> Node:
        """The declared property ``at``, and what follows it."""
        key = place._replace(at=at)
        found = self._options.get(key)
        if found is None:
            one = self._ways.declared[at]
            name = self._layout.key(one.name)
            found = choice(
                *(
                    sequence(name, value.node(), self._rest(after))
                    for credit, value in one.variants
                    if (after := self._ways.after(key, credit)) is not None
                )
            )
            self._options[key] = found
        return found

    def _others(self, place: _Place) -> Iterable[Node]:
        """The undeclared properties, and what follows them."""
        place = place._replace(at=len(self._ways.declared))
        for kind, one in enumerate(self._ways.undeclared):
            for credit, value in one.variants:
                if self._ways.after(place, credit) is not None:
                    yield recall(
                        one.names,
                        barred=self._ways.names | place.written,
                        between=sequence(self._layout.colon, value.node()),
                        key=self._rules.key(self._part, ("other", kind, credit, *place)),
                        make=partial(self._behind, place, credit),
                        doubts=self._rules.doubts,
                    )

    def _behind(self, place: _Place, credit: int, name: bytes) -> Node:
        after = self._ways.after(place, credit)
        assert after is not None
        return self._rest(after._replace(written=place.written | {name}))


class _Ways:
    """Which properties can come where, so that the object can still be finished.

    Attributes:
        declared, undeclared: without values that are impossible.
        names: the JSON text of the declared names.
        counts: whether the number of properties matters.
    """

    def __init__(
        self,
        declared: Sequence[Property],
        undeclared: Sequence[Undeclared],
        least: int,
        most: int | None,
        owed: int,
        is_alive: Alive,
    ) -> None:
        self.declared = [Property(one.name, v, one.required) for one in declared if (v := _alive(one.variants, is_alive))]
        self.undeclared = [Undeclared(one.names, v) for one in undeclared if (v := _alive(one.variants, is_alive))]
        self._all_names = [one.name for one in declared]
        self._required_from = [0] * (len(self.declared) + 1)
        for i in range(len(self.declared) - 1, -1, -1):
            self._required_from[i] = self._required_from[i + 1] + self.declared[i].required
        self._least, self._most = least, most
        self.counts = least > self._required_from[0] or (most is not None and (bool(self.undeclared) or most < len(self.declared)))
        self.start = _Place(0, 0, owed)
        self._can: dict[_Place, bool] = {}

    @cached_property
    def names(self) -> frozenset[bytes]:
        """See the class."""
        return frozenset(dumps(name).encode() for name in self._all_names)

    def next_required(self, at: int) -> int | None:
        """The next property from ``at`` on that has to be there."""
        return next((i for i in range(at, len(self.declared)) if self.declared[i].required), None)

    def can_close(self, place: _Place) -> bool:
        """The object may end here."""
        return not (self._required_from[place.at] or place.owed or (self.counts and place.count < self._least))

    def is_last(self, place: _Place) -> bool:
        """The object has to end here."""
        if place.at < len(self.declared) or not self.can_close(place):
            return self.counts and place.count == self._most and self.can_close(place)
        return not self.undeclared or (self.counts and place.count == self._most)

    def after(self, place: _Place, credit: int) -> _Place | None:
        """The place behind the property at ``place``, or behind an undeclared one; ``None`` if no way leads from there to the end."""
        count = place.count
        if self.counts and (self._most is not None or count < self._least):
            count += 1
        after = _Place(min(place.at + 1, len(self.declared)), count, place.owed & ~credit, place.written)
        return after if self.can_finish(after) else None

    def can_finish(self, place: _Place) -> bool:
        """A way leads from here to the end."""
        if self.counts:
            required = self._required_from[place.at]
            if self._most is not None and place.count + required > self._most:
                return False
            if not self.undeclared and place.count + len(self.declared) - place.at < self._least:
                return False
            if self._most is not None and self._least > self._most:
                return False
        if not place.owed:
            return True
        place = place._replace(written=_NO_NAMES)
        if place not in self._can:
            self._can[place] = False  # until it is known: ways that go round lead nowhere
            self._can[place] = self._can_meet(place)
        return self._can[place]

    def _can_meet(self, place: _Place) -> bool:
        """Some property still to come meets a condition that is owed."""
        for i in range(place.at, len(self.declared)):
            here = place._replace(at=i)
            if any(self.after(here, credit) is not None for credit, _ in self.declared[i].variants):
                return True
            if self.declared[i].required:
                return False
        here = place._replace(at=len(self.declared))
        return any(
            (credit & place.owed or (self.counts and place.count < self._least)) and self.after(here, credit) is not None
            for one in self.undeclared
            for credit, _ in one.variants
        )


def _alive(variants: Variants, is_alive: Alive) -> Variants:
    return variants if all(is_alive(value) for _, value in variants) else tuple(one for one in variants if is_alive(one[1]))
