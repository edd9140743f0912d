"""The properties of an object, as shapes, in; the node of its JSON text out, a rule behind each property.

Declared properties are written in their order, undeclared ones behind them; or all of them in any order. None comes twice. A place
between two properties is what still matters there: which properties may come, how many are written (where their number is bounded),
which conditions are owed, which undeclared names were used. Only places that a text comes to are ever made.

>>> from rellm_agents.json_schema.shapes.shape import Ready, Source
>>> from rellm_agents.patterns import Pattern, literal
>>> rules, digit = Rules(Source("doctest", ""), is_spelled_by_common_bytes=True), Ready(literal("1"))
>>> properties = [Property("a", ((0, digit),), required=False), Property("b", ((0, digit),), required=True)]
>>> pattern = Pattern(Object(rules, "", Layout.of("compact"), properties).node())
>>> pattern.fullmatch('{"a":1,"b":1}'), pattern.fullmatch('{"b":1}'), pattern.fullmatch('{"a":1}')
(True, True, False)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import NamedTuple

from rellm_agents.json_schema.shapes.shape import Alive, Rules, Shape
from rellm_agents.json_schema.text import Layout
from rellm_agents.patterns import NOTHING, Node, capture, choice, literal, sequence
from rellm_agents.patterns.automaton import few_texts
from rellm_agents.patterns.ir import Capture
from rellm_agents.patterns.machine import has_allowed_text

MAX_COUNTED = 256  # names or items that are counted, to know how many there can be
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
        done: those behind it that may not: bit i for property i.
        size: how many properties are written, as far as it matters.
        owed: conditions that some property still has to meet, a bit for each.
        written: undeclared names that are written.
    """

    at: int
    done: int
    size: int
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
        arranged: brings the properties into their order and adds those that are declared but allow everything, when a text comes
            there; by default they are as they are given.
        any_order: properties are written in any order.
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
        arranged: Callable[[Sequence[Property]], Sequence[Property]] | None = None,
        any_order: bool = False,
    ) -> None:
        self._arranged, self._any_order = arranged, any_order
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
        ways = _Ways(self._declared, self._undeclared, *self._bounds, alive, self._layout.key_text, any_order=self._any_order)
        return ways.to_end(ways.start) is not None

    @cached_property
    def _ways(self) -> _Ways:
        declared = self._declared if self._arranged is None else self._arranged(self._declared)
        return _Ways(
            declared,
            self._undeclared,
            *self._bounds,
            lambda value: not value.is_impossible,
            self._layout.key_text,
            any_order=self._any_order,
        )

    @cached_property
    def _declared_names(self) -> frozenset[bytes]:
        """The JSON text of the declared names, also of those whose values are impossible."""
        return frozenset(self._layout.key_text(name).encode() for name in self._ways.all_names)

    def _node(self) -> Node:
        return sequence(literal("{"), self._layout.opened, self._rule("first", self._ways.start))

    def _rule(self, name: str, place: _Place) -> Node:
        make = {"first": self._first, "more": self._more, "names": self._names, "nearer": self._nearer}[name]
        exit_ = None if name == "nearer" else partial(self._exit, name, place)
        return self._rules.rule(self._part, (name, *place), partial(make, place), exit_)

    def _first(self, place: _Place) -> Node:
        return choice(*self._ending(place), self._names(place))

    def _more(self, place: _Place) -> Node:
        return choice(*self._ending(place), sequence(self._layout.comma, self._names(place)))

    def _exit(self, name: str, place: _Place) -> Node:
        """A cheapest way to the end: at once, or with properties that bring it nearer.

        A comma stays apart from the name behind it, as it does where there is a choice of names: what is measured here must not be
        cheaper than what is written.
        """
        if name != "names" and (ending := self._ending(place)):
            return ending[0]
        if name == "more":
            return sequence(self._layout.comma, self._rule("nearer", place))
        return self._nearer(place)

    def _nearer(self, place: _Place) -> Node:
        return self._names(place, nearer=True)

    def _ending(self, place: _Place) -> list[Node]:
        return [sequence(self._layout.closing, literal("}"))] if self._ways.can_close(place) else []

    def _rest(self, place: _Place) -> Node:
        """What follows a property, before ``place``."""
        if self._ways.is_last(place):
            return sequence(self._layout.closing, literal("}"))
        return self._rule("more", place)

    def _names(self, place: _Place, *, nearer: bool = False) -> Node:
        """The properties that may come next: up to the first that has to.

        Args:
            place: where they may come.
            nearer: only those that bring the end nearer; in any order, the first of those that have to come, since all orders of
                them are too many to look for the cheapest.
        """
        ways, options = self._ways, []
        limit = ways.to_end(place) if nearer else None
        for i in ways.remaining(place):
            if i > place.at and i % _BLOCK == 0 and not self._any_order:
                later = place._replace(at=i)
                if (left := ways.to_end(later)) is not None and left == (limit or left):
                    options.append(self._rule("names", later))
                return choice(*options)
            option = self._option(i, place, limit)
            if ways.declared[i].required and (nearer or not self._any_order) and option is not NOTHING:
                return option if self._any_order else choice(*options, option)
            options.append(option)
        return choice(*options, *self._others(place, limit))

    def _option(self, i: int, place: _Place, limit: int | None) -> Node:
        """The declared property ``i``, and what follows it; only what leaves less than ``limit`` to write."""
        here = place if self._any_order else place._replace(at=i)
        shared = limit is None and not self._any_order  # by the places before it
        if shared and here in self._options:
            return self._options[here]
        one = self._ways.declared[i]
        option = choice(
            *(
                sequence(self._layout.key(one.name), value.node(), self._rest(after))
                for credit, value in one.variants
                if (after := self._ways.after(place, i, credit, limit)) is not None
            )
        )
        if shared:
            self._options[here] = option
        return option

    def _others(self, place: _Place, limit: int | None) -> Iterable[Node]:
        """The undeclared properties, and what follows them."""
        for kind, one in enumerate(self._ways.undeclared):
            for credit, value in one.variants:
                after = self._ways.after(place, None, credit, limit)
                if after is not None:
                    named = capture(
                        one.names,
                        excluded=self._declared_names | place.written,
                        then=sequence(self._layout.colon, value.node()),
                        key=self._rules.key(self._part, ("other", kind, credit, *place)),
                        make=partial(self._behind, after),
                        flags=self._rules.flags,
                    )
                    if not isinstance(named, Capture) or has_allowed_text(named):
                        yield named

    def _behind(self, after: _Place, name: bytes) -> Node:
        return self._rest(after._replace(written=after.written | {name}))


class _Ways:
    """Which properties can come where, so that the object can still be finished.

    Attributes:
        declared, undeclared: without values that are impossible.
        all_names: of declared properties, those with impossible values too.
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
        key_text: Callable[[str], str],
        *,
        any_order: bool,
    ) -> None:
        self.declared = [Property(one.name, v, one.required) for one in declared if (v := _alive(one.variants, is_alive))]
        self.undeclared = [Undeclared(one.names, v) for one in undeclared if (v := _alive(one.variants, is_alive))]
        self.all_names = [one.name for one in declared]
        self._key_text = key_text
        self._required = sum(1 << i for i, one in enumerate(self.declared) if one.required)
        self._least, self._most, self._any_order = least, most, any_order
        required = self._required.bit_count()
        self.counts = least > required or (most is not None and (bool(self.undeclared) or most < len(self.declared)))
        self.start = _Place(0, 0, 0, owed)
        self._left: dict[_Place, int | None] = {}

    def remaining(self, place: _Place) -> Iterator[int]:
        """The declared properties that may still come."""
        return (i for i in range(place.at, len(self.declared)) if not place.done >> i & 1)

    @cached_property
    def _names(self) -> frozenset[bytes] | None:
        """The texts of all names that are not declared; ``None``: more than are counted."""
        texts = few_texts(choice(*(one.names for one in self.undeclared)), MAX_COUNTED)
        return None if texts is None else texts - {self._key_text(name).encode() for name in self.all_names}

    def _names_left(self, place: _Place) -> int | None:
        return 0 if not self.undeclared else None if self._names is None else len(self._names - place.written)

    def _missing(self, place: _Place) -> int:
        """How many required properties have to come."""
        return (self._required >> place.at << place.at & ~place.done).bit_count()

    def can_close(self, place: _Place) -> bool:
        """The object may end here."""
        return not (self._missing(place) or place.owed or (self.counts and place.size < self._least))

    def is_last(self, place: _Place) -> bool:
        """The object has to end here."""
        is_full = self.counts and place.size == self._most
        return self.can_close(place) and (is_full or not (self.undeclared or any(True for _ in self.remaining(place))))

    def after(self, place: _Place, declared: int | None, credit: int, limit: int | None = None) -> _Place | None:
        """The place behind a property.

        Args:
            place: before it.
            declared: which; ``None``: an undeclared one.
            credit: the conditions it meets.
            limit: fewer properties than this have to come afterwards.

        Returns:
            ``None`` if no such way leads from there to the end.
        """
        if not self._any_order:
            place = place._replace(at=len(self.declared) if declared is None else declared + 1)
        elif declared is not None:
            place = place._replace(done=place.done | 1 << declared)
        after = self._counted(place, credit)
        left = self.to_end(after, taken=int(declared is None))
        return None if left is None or (limit is not None and left >= limit) else after

    def _counted(self, place: _Place, credit: int) -> _Place:
        """With one more property."""
        matters = self.counts and (self._most is not None or place.size < self._least)
        return place._replace(size=place.size + matters, owed=place.owed & ~credit)

    def to_end(self, place: _Place, *, taken: int = 0) -> int | None:
        """How many properties have to come, at least; ``None`` if no way leads to the end.

        Args:
            place: from where.
            taken: undeclared names that are written and not known yet.
        """
        missing = self._missing(place)
        if self.counts:
            missing = max(missing, self._least - place.size)
            others = self._names_left(place)
            if others is not None and missing > others - taken + sum(1 for _ in self.remaining(place)):
                return None
            if self._most is not None and place.size + missing > self._most:
                return None
        if not place.owed:
            return missing
        place = place._replace(written=_NO_NAMES)
        if place not in self._left:
            self._left[place] = None  # until it is known: ways that go round lead nowhere
            left = [n for after in self._useful(place) if (n := self.to_end(after)) is not None]
            self._left[place] = 1 + min(left) if left else None
        return self._left[place]

    def _useful(self, place: _Place) -> Iterator[_Place]:
        """The places behind the properties that bring the end nearer, which may as well come in their order."""
        short = self.counts and place.size < self._least
        for i in self.remaining(place):
            one = self.declared[i]
            for credit, _ in one.variants:
                if one.required or short or credit & place.owed:
                    yield self._counted(place._replace(at=i + 1), credit)
            if one.required:
                return
        for other in self.undeclared:
            for credit, _ in other.variants:
                if short or credit & place.owed:
                    yield self._counted(place._replace(at=len(self.declared)), credit)


def _alive(variants: Variants, is_alive: Alive) -> Variants:
    return variants if all(is_alive(value) for _, value in variants) else tuple(one for one in variants if is_alive(one[1]))
