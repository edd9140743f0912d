"""The items of an array, as shapes, in; the node of its JSON text out.

A place between two items is what still matters there: the position, how many items of a required kind were met, which items were
written (where none may come twice). Only places that a text comes to are ever made.

>>> from rellm_agents.json_schema.shapes.shape import Ready, Source
>>> from rellm_agents.patterns import Pattern, literal
>>> rules, digit = Rules(Source("doctest", ""), is_spelled_by_common_bytes=True), Ready(literal("1"))
>>> pattern = Pattern(Array(rules, "", Layout.of("compact"), rest=((0, digit),), least=2, most=3).node())
>>> [pattern.fullmatch(text) for text in ("[1]", "[1,1]", "[1,1,1]", "[1,1,1,1]")]
[False, True, True, False]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from itertools import islice
from typing import NamedTuple

from rellm_agents.json_schema.shapes.objects import MAX_COUNTED, Variants
from rellm_agents.json_schema.shapes.shape import Alive, Rules, Shape
from rellm_agents.json_schema.text import Layout, spellings
from rellm_agents.patterns import EMPTY, Node, capture, choice, literal, repeat, sequence
from rellm_agents.patterns.automaton import few_texts
from rellm_agents.patterns.ir import Capture
from rellm_agents.patterns.machine import has_allowed_text

MAX_SPELLINGS = 720  # texts of one value that are kept from being written again
_DEEP = 50  # nodes inside each other, from which on a rule stands for them
_NO_ITEMS: frozenset[bytes] = frozenset()


class Contained(NamedTuple):
    """How many items of a kind there have to be."""

    least: int
    most: int | None


class _Place(NamedTuple):
    """Between two items, or before the first.

    Attributes:
        at: how many items are written, as far as it matters.
        met: for each kind of :class:`Contained`, how many of it are, as far as it matters.
        written: the items that may not come again.
        again: an item that has to come again.
    """

    at: int
    met: tuple[int, ...]
    written: frozenset[bytes] = _NO_ITEMS
    again: bytes | None = None


class Array(Shape):
    """A list.

    Args:
        rules: of its schema.
        part: where it stands, for its rules.
        layout: how it is written.
        first: what stands at the first positions.
        rest: what stands behind them; bit ``i`` of a variant says that it is of the kind ``contained[i]``.
        least, most: bounds on the number of items.
        contained: how many items of some kinds there have to be.
        distinct: no item comes twice.
        repeated: some item comes twice.
        item_layout: how the items are written, if not as the list.
    """

    def __init__(
        self,
        rules: Rules,
        part: str,
        layout: Layout,
        *,
        first: Sequence[Variants] = (),
        rest: Variants,
        least: int = 0,
        most: int | None = None,
        contained: Sequence[Contained] = (),
        distinct: bool = False,
        repeated: bool = False,
        item_layout: Layout | None = None,
    ) -> None:
        self._rules, self._part, self._layout = rules, part, layout
        self._first_items, self._rest_items, self._contained = tuple(first), rest, tuple(contained)
        self._least, self._given_most = least, most
        self._distinct, self._repeated = distinct, repeated
        self.is_sure = not (least or contained or repeated)  # an empty list
        self._item_layout = item_layout or layout

    @property
    def has_flat_items(self) -> bool:
        """No item is an array or an object."""
        return all(value.is_flat for variants in (*self._first_items, self._rest_items) for _, value in variants)

    def is_possible(self, alive: Alive) -> bool:
        """See :class:`Shape`."""
        trial = _Room(self._first_items, self._rest_items, self._least, self._most, self._contained, alive)
        slots = 2 if self._repeated else 0
        return trial.to_end(trial.start) is not None and (trial.most is None or trial.most >= slots)

    @cached_property
    def _room(self) -> _Room:
        return _Room(self._first_items, self._rest_items, self._least, self._most, self._contained, lambda one: not one.is_impossible)

    @cached_property
    def _most(self) -> int | None:
        """The most items: if none comes twice, there are no more than texts for them."""
        if not self._distinct or not self._least or not all(value.is_flat for _, value in self._rest_items):
            return self._given_most
        texts = few_texts(choice(*(value.node() for _, value in self._rest_items)), MAX_COUNTED)
        bounds = [self._given_most, None if texts is None else len(self._first_items) + len(texts)]
        return min((bound for bound in bounds if bound is not None), default=None)

    def _node(self) -> Node:
        opening = sequence(literal("["), self._layout.opened)
        room = self._room
        if self._distinct or self._repeated or self._contained or room.first:
            return sequence(opening, self._rule("first", room.start))
        if room.most == 0:
            return sequence(literal("["), literal("]"))
        item = choice(*(value.node() for _, value in room.rest))
        if item.depth >= _DEEP:
            deep = item
            item = self._rules.rule(self._part, "item", lambda: deep)
        more = repeat(sequence(self._layout.comma, item), max(room.least - 1, 0), None if room.most is None else room.most - 1)
        some = sequence(item, more, self._layout.closing, literal("]"))
        return sequence(opening, some if room.least else choice(literal("]"), some))

    def _rule(self, name: str, place: _Place) -> Node:
        make: Callable[[_Place], Node] = self._more if name == "more" else self._first
        return self._rules.rule(self._part, (name, *place), partial(make, place), partial(self._exit, name, place))

    def _exit(self, name: str, place: _Place) -> Node:
        """A cheapest way to the end: at once, or with items that bring it nearer."""
        ending = self._ending(place, is_empty=name == "first")
        if ending:
            return ending[0]
        nearer = partial(self._items, place, None if self._repeated else self._room.to_end(place))
        if name == "more":  # the comma apart from the item, as where there is a choice of items: not cheaper than what is written
            return sequence(self._layout.comma, self._rules.rule(self._part, ("nearer", *place), nearer))
        return nearer()

    def _first(self, place: _Place) -> Node:
        return choice(*self._ending(place, is_empty=True), self._items(place))

    def _more(self, place: _Place) -> Node:
        return choice(*self._ending(place), sequence(self._layout.comma, self._items(place)))

    def _ending(self, place: _Place, *, is_empty: bool = False) -> list[Node]:
        if not self._can_close(place):
            return []
        return [literal("]") if is_empty else sequence(self._layout.closing, literal("]"))]

    def _can_close(self, place: _Place) -> bool:
        owes_repeat = self._repeated and place.written is not _DONE
        return self._room.can_close(place) and not owes_repeat

    def _items(self, place: _Place, limit: int | None = None) -> Node:
        """The items that may come next, and what follows them; only what leaves less than ``limit`` to write."""
        options: list[Node] = []
        for kinds, value in self._room.at(place.at):
            after = self._room.after(place, kinds, limit)
            if after is None:
                continue
            item = value.node()
            if self._distinct:
                one = self._remembered(item, place, kinds, partial(self._without, after))
                if not isinstance(one, Capture) or has_allowed_text(one):
                    options.append(one)
                continue
            if self._repeated and place.written is not _DONE:
                if place.again is not None:
                    options.append(sequence(literal(place.again), self._rule("more", after._replace(written=_DONE, again=None))))
                elif self._room.has_room(after):
                    options.append(self._remembered(item, place, kinds, partial(self._again, after)))
                if not self._room.has_room(after, 1 if place.again is not None else 2):
                    continue
            options.append(sequence(item, self._rule("more", after)))
        return choice(*options)

    def _remembered(self, item: Node, place: _Place, kinds: int, make: Callable[[bytes], Node]) -> Node:
        key = self._rules.key(self._part, ("item", kinds, *place))
        return capture(
            item, excluded=place.written, then=EMPTY, key=key, make=make, flags=self._rules.flags, first_bytes=self._layout.after_item
        )

    def _without(self, after: _Place, text: bytes) -> Node:
        """What follows an item that may not come again, in any of the texts that items behind it have for it."""
        value, positions = self._item_layout.read(text.decode()), range(after.at, max(after.at, len(self._room.first)) + 1)
        behind = dict.fromkeys(item.node() for at in positions for _, item in self._room.at(at))
        texts = (one for node in behind for one in spellings(node, value, self._item_layout))
        same = frozenset(islice(texts, MAX_SPELLINGS + 1))
        if len(same) > MAX_SPELLINGS:
            return choice(*self._ending(after))
        return self._rule("more", after._replace(written=after.written | same | {text}))

    def _again(self, after: _Place, text: bytes) -> Node:
        return self._rule("more", after._replace(again=text))


_DONE = frozenset({b""})  # in place of written items: one came twice


class _Room:
    """Which items can come where, so that the array can still be finished.

    Attributes:
        first, rest: without items that are impossible.
        least, most: bounds on the number of items.
    """

    def __init__(
        self,
        first: Sequence[Variants],
        rest: Variants,
        least: int,
        most: int | None,
        contained: Sequence[Contained],
        is_alive: Alive,
    ) -> None:
        self.first = [tuple(one for one in variants if is_alive(one[1])) for variants in first]
        self.rest = tuple(one for one in rest if is_alive(one[1]))
        bounds = [] if most is None else [most]
        bounds += [i for i, variants in enumerate(self.first) if not variants][:1]
        bounds += [] if self.rest else [len(self.first)]
        self.least, self.most = least, min(bounds, default=None)
        self._contained = contained
        self.start = _Place(0, (0,) * len(contained))
        self._left: dict[_Place, int | None] = {}

    def at(self, position: int) -> Variants:
        """What may stand at a position."""
        return self.first[position] if position < len(self.first) else self.rest

    def can_close(self, place: _Place) -> bool:
        """The array may end here."""
        return place.at >= self.least and all(met >= kind.least for met, kind in zip(place.met, self._contained, strict=True))

    def after(self, place: _Place, kinds: int, limit: int | None = None) -> _Place | None:
        """The place behind one more item; ``None`` if no way leads from there to the end, with less than ``limit`` items."""
        if self.most is not None and place.at >= self.most:
            return None
        met = []
        for i, (count, kind) in enumerate(zip(place.met, self._contained, strict=True)):
            more = count + (kinds >> i & 1)
            if kind.most is None:
                more = min(more, kind.least)
            elif more > kind.most:
                return None
            met.append(more)
        at = place.at + 1
        if self.most is None:
            at = min(at, max(len(self.first), self.least))
        after = place._replace(at=at, met=tuple(met))
        left = self.to_end(after)
        return None if left is None or (limit is not None and left >= limit) else after

    def has_room(self, place: _Place, items: int = 1) -> bool:
        """So many items may follow."""
        return self.most is None or place.at + items <= self.most

    def to_end(self, place: _Place) -> int | None:
        """How many items have to come, at least, whatever they are; ``None`` if no way leads to the end."""
        if not self._contained:
            return None if self.most is not None and self.most < self.least else max(0, self.least - place.at)
        if self.can_close(place):
            return 0
        place = place._replace(written=_NO_ITEMS, again=None)
        if place not in self._left:
            self._left[place] = None  # until it is known: ways that go round lead nowhere
            places = [after for kinds, _ in self.at(place.at) if (after := self.after(place, kinds)) is not None]
            left = [n for after in places if (n := self.to_end(after)) is not None]
            self._left[place] = 1 + min(left) if left else None
        return self._left[place]
