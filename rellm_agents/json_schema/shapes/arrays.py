"""Makes the node of an array's JSON text: a repeat of its items, or a rule after each item, with the state in its key.

Where items may not come twice, each is captured, and its texts are excluded from later ones; where one has to come twice, one is captured
that may stand at both places. Only states that a text comes to are ever made. Knows nothing of what can come where: see ``item_counts``,
and ``different_items`` for items of which there are few.

>>> from rellm_agents.json_schema.shapes.shape import Ready, SchemaKey
>>> from rellm_agents.patterns import Pattern, literal
>>> rules, digit = Rules(SchemaKey("doctest", ""), is_spelled_by_common_bytes=True), Ready(literal("1"))
>>> pattern = Pattern(Array(rules, "", Layout.of("compact"), rest=((0, digit),), least=2, most=3).node())
>>> [pattern.fullmatch(text) for text in ("[1]", "[1,1]", "[1,1,1]", "[1,1,1,1]")]
[False, True, True, False]
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice

from rellm_agents.caches import cached_property
from rellm_agents.json_schema.shapes.different_items import Criticals, DifferentItems
from rellm_agents.json_schema.shapes.item_counts import ArrayState, ContainsBounds, ItemCounts, Pair, Places, Step, TooManyRoutes
from rellm_agents.json_schema.shapes.property_order import Variants
from rellm_agents.json_schema.shapes.shape import HasInstance, Rules, Shape
from rellm_agents.json_schema.text import Layout, serializations
from rellm_agents.patterns import NOTHING, Node, choice, literal, repeat, sequence
from rellm_agents.patterns.ir import AllDifferent, WrittenAgain

_DEEP = 50  # levels of nodes, from which on a rule stands for them

Pairs = Mapping[Pair, Shape]  # the items that may stand at both places


class Array(Shape):
    """A list.

    Args:
        rules: of its schema.
        path: where it stands, for its rules.
        layout: how it is written.
        first: the items at the first positions, each with its variants.
        rest: the items after them; bit ``i`` of a variant says that it satisfies ``contained[i]``.
        least, most: bounds on the number of items.
        contained: how many items have to satisfy certain schemas.
        distinct: no item comes twice.
        pairs: some item comes twice: the items that may stand at two places.
        in_order: the same items, the properties of their objects in one order: ``first`` and ``rest``.
        item_layout: how the items are written, if not as the list.
    """

    def __init__(
        self,
        rules: Rules,
        path: str,
        layout: Layout,
        *,
        first: Sequence[Variants] = (),
        rest: Variants,
        least: int = 0,
        most: int | None = None,
        contained: Sequence[ContainsBounds] = (),
        distinct: bool = False,
        pairs: Pairs | None = None,
        in_order: tuple[Sequence[Variants], Variants] | None = None,
        item_layout: Layout | None = None,
    ) -> None:
        self._rules, self._path, self._layout = rules, path, layout
        self._items_of = ((tuple(first), rest), in_order or (tuple(first), rest))
        self._has_order, self._contained = in_order is not None, tuple(contained)
        self._least, self._most = least, most
        self._distinct, self._pairs = distinct, pairs
        self.known_nonempty = not (least or contained or pairs is not None)  # an empty list
        self._item_layout = item_layout or layout
        self.lacks_items = False

    @property
    def has_flat_items(self) -> bool:
        """No item is an array or an object."""
        first, rest = self._items_of[0]
        return all(value.is_flat for variants in (*first, rest) for _, value in variants)

    def has_instance(self, known: HasInstance) -> bool:
        """See :class:`Shape`."""
        if self.known_nonempty:
            return True
        if self.lacks_items:
            return False
        counts = self._counts_of(known)
        with self._named():
            return counts.route(counts.start) is not None

    def find_lack(self) -> bool:
        """Whether there are too few items that differ; known once the emptiness of all items is.

        Raises:
            TooManyRoutes: to be looked through.
        """
        if self.known_nonempty or not self._distinct or self.is_empty:
            return False
        with self._named():
            self.lacks_items = self._counts.route(self._start) is None
            if not self.lacks_items and self._different.may_be_few(self._places):
                raise TooManyRoutes(self._layout.limits.passed("different_items", "ask for fewer"))
        return self.lacks_items

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except TooManyRoutes as error:
            error.of = self
            raise

    @cached_property
    def _counts(self) -> ItemCounts:
        counts = self._counts_of(lambda item: not item.is_empty)
        return self._counts_of(lambda item: not item.is_empty, different=True) if counts.route(counts.start) else counts

    def _counts_of(self, has_instance: HasInstance, *, different: bool = False) -> ItemCounts:
        pairs = None if self._pairs is None else [pair for pair, item in self._pairs.items() if has_instance(item)]
        differ = self._different.can_differ if different and self._distinct else None
        return ItemCounts(
            *self._items_of[0],
            self._least,
            self._most,
            self._contained,
            has_instance,
            pairs=pairs,
            differ=differ,
            limits=self._layout.limits,
        )

    @cached_property
    def _different(self) -> DifferentItems:
        return DifferentItems(self._variants, self._item_layout, self._least + sum(one.least for one in self._contained))

    @cached_property
    def _start(self) -> ArrayState:
        counts = self._counts
        route = counts.route(counts.start)
        in_order = self._has_order and route is not None and bool(route.size) and self._different.has_few_in_order(self._places)
        return counts.start._replace(in_order=in_order)

    @property
    def _places(self) -> Places:
        """Of the items that have to come."""
        route = self._counts.route(self._counts.start)
        return {} if route is None else self._counts.places(route)

    def _variants(self, place: int, *, in_order: bool) -> Variants:
        first, rest = self._items_of[in_order]
        return tuple(one for one in (first[place] if place < len(first) else rest) if not one[1].is_empty)

    def _node(self) -> Node:
        opening = sequence(literal("["), self._layout.padding)
        counts = self._counts
        if self._distinct or self._pairs is not None or self._contained or counts.first:
            return sequence(opening, self._rule("first", self._start))
        if counts.most == 0:
            return sequence(literal("["), literal("]"))
        item = choice(*(value.node() for _, value in counts.rest))
        if item.depth >= _DEEP:
            deep = item
            item = self._rules.rule(self._path, "item", lambda: deep)
        more = repeat(sequence(self._layout.comma, item), max(counts.least - 1, 0), None if counts.most is None else counts.most - 1)
        some = sequence(item, more, self._layout.padding, literal("]"))
        return sequence(opening, some if counts.least else choice(literal("]"), some))

    def _rule(self, name: str, state: ArrayState) -> Node:
        make = self._more if name == "more" else self._first
        return self._rules.rule(self._path, (name, *state), partial(make, state), partial(self._witness, name, state))

    def _witness(self, name: str, state: ArrayState) -> Node:
        """A cheapest route to the end: at once, or with the items that have to come."""
        ending = self._ending(state, is_empty=name == "first")
        if ending:
            return ending[0]
        if name == "more":  # the comma apart from the item, as where there is a choice of items: not cheaper than what is written
            return sequence(self._layout.comma, self._rules.rule(self._path, ("nearer", *state), partial(self._nearer, state)))
        return self._nearer(state)

    def _nearer(self, state: ArrayState) -> Node:
        route = self._counts.route(state)
        assert route is not None
        step = route.steps[0] if route.steps else Step(len(self._counts.first), next(mask for mask, count in route.rest if count))
        if step.ends:
            return self._again(state)
        if step.begins is not None:
            return self._first_of_two(state, step.begins)
        return choice(*(self._item(state, mask, value) for mask, value in self._values_at(state) if mask == step.satisfies))

    def _first(self, state: ArrayState) -> Node:
        return choice(*self._ending(state, is_empty=True), self._items(state))

    def _more(self, state: ArrayState) -> Node:
        return choice(*self._ending(state), sequence(self._layout.comma, self._items(state)))

    def _ending(self, state: ArrayState, *, is_empty: bool = False) -> list[Node]:
        if not self._counts.can_close(state):
            return []
        return [literal("]") if is_empty else self._end]

    @cached_property
    def _end(self) -> Node:
        return sequence(self._layout.padding, literal("]"))

    def _items(self, state: ArrayState) -> Node:
        """The items that may come next and their continuations."""
        options = [self._item(state, satisfies, value) for satisfies, value in self._values_at(state)]
        if state.owes and state.pair is None:
            options += [self._first_of_two(state, pair) for pair in self._counts.pairs_at(state.position)]
        if state.pair is not None and state.pair.again == self._counts.place(state.position):
            options.append(self._again(state))
        return choice(*options)

    def _values_at(self, state: ArrayState) -> Variants:
        return self._variants(self._counts.place(state.position), in_order=state.in_order)

    def _possible(self, state: ArrayState, satisfies: int) -> ArrayState | None:
        """The state after an item; ``None`` if the array cannot be finished from there."""
        after = self._counts.after(state, satisfies)
        return None if after is None or self._counts.route(after) is None else after

    def _item(self, state: ArrayState, satisfies: int, value: Shape) -> Node:
        """An item that is no part of a pair."""
        after = self._possible(state, satisfies)
        if after is None or (state.pair is not None and state.pair.again == state.position < len(self._counts.first)):
            return NOTHING
        return self._different_item(state, after, satisfies, value) if self._distinct else sequence(value.node(), self._rule("more", after))

    def _first_of_two(self, state: ArrayState, pair: Pair) -> Node:
        """An item that comes again later."""
        assert self._pairs is not None
        after = self._counts.after(state, pair.satisfies)
        after = None if after is None else after._replace(pair=pair)
        if after is None or self._counts.route(after) is None:
            return NOTHING
        leaves = WrittenAgain(self._rule("more", after))
        make = partial(self._after_first, after)
        name, first_bytes = ("item", pair, *state), self._layout.after_item
        inner = self._pairs[pair].node()
        return self._rules.capture(self._path, name, inner, make, excluded=frozenset(), first_bytes=first_bytes, leaves=leaves)

    def _after_first(self, after: ArrayState, text: bytes) -> Node:
        return self._rule("more", after._replace(text=text))

    def _again(self, state: ArrayState) -> Node:
        """The item that comes again."""
        assert state.pair is not None
        after = self._counts.after(state, state.pair.satisfies)
        after = None if after is None else after._replace(owes=False, pair=None, text=b"")
        if after is None or self._counts.route(after) is None:
            return NOTHING
        return sequence(literal(state.text), self._rule("more", after))

    def _different_item(self, state: ArrayState, after: ArrayState, satisfies: int, value: Shape) -> Node:
        """An item that may not come again."""
        counts, place = self._counts, self._counts.place(state.position)
        route = counts.route(after)
        assert route is not None
        item, excluded = value.node(), state.written
        if counts.can_close(state) or not (route.size or excluded):  # then it does not matter how many others there are
            leaves = AllDifferent(None, (), excluded, end=self._end)
        else:
            own = self._different.texts(place, satisfies, in_order=state.in_order)
            places = counts.places(route)
            later = self._different.later(places, in_order=state.in_order)
            leaves = AllDifferent(own, later, state.written, self._layout.comma, self._end)
            excluded |= {
                text
                for critical in self._different.criticals(after, places)
                if counts.route(after._replace(written=after.written | critical.texts)) is None
                for text in self._texts_of(critical, value)
            }
        name, first_bytes = ("item", satisfies, *state), self._layout.after_item
        make = partial(self._after_distinct, after)
        return self._rules.capture(self._path, name, item, make, excluded=excluded, first_bytes=first_bytes, leaves=leaves)

    def _texts_of(self, critical: Criticals, value: Shape) -> Iterator[bytes]:
        return islice(serializations(value.node(), critical.value, self._item_layout), self._layout.limits.serializations)

    def _after_distinct(self, after: ArrayState, text: bytes) -> Node:
        """The text after an item that may not come again, in any of its serializations that later items have."""
        value = self._item_layout.read(text.decode())
        same = self._same_texts(after, value)
        if same is None and self._has_order and not after.in_order and not self._counts.can_close(after):
            after = after._replace(in_order=True)
            same = self._same_texts(after, value)
        if same is None:
            return choice(*self._ending(after))
        return self._rule("more", after._replace(written=after.written | same | {text}))

    def _same_texts(self, after: ArrayState, value: object) -> frozenset[bytes] | None:
        """The texts of a value as a later item; ``None``: too many."""
        counts = self._counts
        places = range(counts.place(after.position), len(counts.first) + 1)
        later = dict.fromkeys(item.node() for place in places for _, item in self._variants(place, in_order=after.in_order))
        texts = (one for node in later for one in serializations(node, value, self._item_layout))
        same = frozenset(islice(texts, self._layout.limits.serializations + 1))
        return None if len(same) > self._layout.limits.serializations else same
