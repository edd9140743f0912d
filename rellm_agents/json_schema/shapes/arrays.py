"""Makes the node of an array's JSON text: a repeat of its items, or a rule after each item, with the state in its key.

Where items may not come twice, each is captured, and its texts are excluded from later ones. Only states that a text comes to are ever
made. Knows nothing of what can come where: see ``item_counts``.

>>> from rellm_agents.json_schema.shapes.shape import Ready, SchemaKey
>>> from rellm_agents.patterns import Pattern, literal
>>> rules, digit = Rules(SchemaKey("doctest", ""), is_spelled_by_common_bytes=True), Ready(literal("1"))
>>> pattern = Pattern(Array(rules, "", Layout.of("compact"), rest=((0, digit),), least=2, most=3).node())
>>> [pattern.fullmatch(text) for text in ("[1]", "[1,1]", "[1,1,1]", "[1,1,1,1]")]
[False, True, True, False]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from itertools import islice

from rellm_agents.json_schema.shapes.item_counts import ArrayState, ContainsBounds, ItemCounts
from rellm_agents.json_schema.shapes.property_order import Variants
from rellm_agents.json_schema.shapes.shape import HasInstance, Rules, Shape
from rellm_agents.json_schema.text import Layout, serializations
from rellm_agents.patterns import Node, choice, literal, repeat, sequence
from rellm_agents.patterns.automaton import few_texts

_DEEP = 50  # levels of nodes, from which on a rule stands for them
_REPEATED = frozenset({b""})  # in place of written items: one came twice


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
        repeated: some item comes twice.
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
        repeated: bool = False,
        item_layout: Layout | None = None,
    ) -> None:
        self._rules, self._path, self._layout = rules, path, layout
        self._first_items, self._rest_items, self._contained = tuple(first), rest, tuple(contained)
        self._least, self._given_most = least, most
        self._distinct, self._repeated = distinct, repeated
        self.known_nonempty = not (least or contained or repeated)  # an empty list
        self._item_layout = item_layout or layout

    @property
    def has_flat_items(self) -> bool:
        """No item is an array or an object."""
        return all(value.is_flat for variants in (*self._first_items, self._rest_items) for _, value in variants)

    def has_instance(self, known: HasInstance) -> bool:
        """See :class:`Shape`."""
        counts = self._counts_of(known)
        slots = 2 if self._repeated else 0
        return counts.to_end(counts.start) is not None and (counts.most is None or counts.most >= slots)

    @cached_property
    def _counts(self) -> ItemCounts:
        return self._counts_of(lambda item: not item.is_empty)

    def _counts_of(self, has_instance: HasInstance) -> ItemCounts:
        return ItemCounts(self._first_items, self._rest_items, self._least, self._most, self._contained, has_instance)

    @cached_property
    def _most(self) -> int | None:
        """An upper bound on the items: if none comes twice, also by the number of their texts."""
        if not self._distinct or not self._least or not all(value.is_flat for _, value in self._rest_items):
            return self._given_most
        texts = few_texts(choice(*(value.node() for _, value in self._rest_items)), self._layout.limits.counted)
        bounds = [self._given_most, None if texts is None else len(self._first_items) + len(texts)]
        return min((bound for bound in bounds if bound is not None), default=None)

    def _node(self) -> Node:
        opening = sequence(literal("["), self._layout.padding)
        counts = self._counts
        if self._distinct or self._repeated or self._contained or counts.first:
            return sequence(opening, self._rule("first", counts.start))
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
        make: Callable[[ArrayState], Node] = self._more if name == "more" else self._first
        return self._rules.rule(self._path, (name, *state), partial(make, state), partial(self._witness, name, state))

    def _witness(self, name: str, state: ArrayState) -> Node:
        """A cheapest way to the end: at once, or with items that bring it nearer."""
        ending = self._ending(state, is_empty=name == "first")
        if ending:
            return ending[0]
        nearer = partial(self._items, state, None if self._repeated else self._counts.to_end(state))
        if name == "more":  # the comma apart from the item, as where there is a choice of items: not cheaper than what is written
            return sequence(self._layout.comma, self._rules.rule(self._path, ("nearer", *state), nearer))
        return nearer()

    def _first(self, state: ArrayState) -> Node:
        return choice(*self._ending(state, is_empty=True), self._items(state))

    def _more(self, state: ArrayState) -> Node:
        return choice(*self._ending(state), sequence(self._layout.comma, self._items(state)))

    def _ending(self, state: ArrayState, *, is_empty: bool = False) -> list[Node]:
        if not self._can_close(state):
            return []
        return [literal("]") if is_empty else sequence(self._layout.padding, literal("]"))]

    def _can_close(self, state: ArrayState) -> bool:
        owes_repeat = self._repeated and state.written is not _REPEATED
        return self._counts.can_close(state) and not owes_repeat

    def _items(self, state: ArrayState, limit: int | None = None) -> Node:
        """The items that may come next and their continuations, in which fewer than ``limit`` items have to follow."""
        options: list[Node] = []
        for satisfies, value in self._counts.variants_at(state.position):
            after = self._counts.after(state, satisfies, limit)
            if after is None:
                continue
            item = value.node()
            if self._distinct:
                options.append(self._captured(item, state, satisfies, partial(self._after_distinct, after)))
                continue
            if self._repeated and state.written is not _REPEATED:
                if state.repeat is not None:
                    options.append(sequence(literal(state.repeat), self._rule("more", after._replace(written=_REPEATED, repeat=None))))
                elif self._counts.allows_more(after):
                    options.append(self._captured(item, state, satisfies, partial(self._after_first, after)))
                if not self._counts.allows_more(after, 1 if state.repeat is not None else 2):
                    continue
            options.append(sequence(item, self._rule("more", after)))
        return choice(*options)

    def _captured(self, item: Node, state: ArrayState, satisfies: int, make: Callable[[bytes], Node]) -> Node:
        name, first_bytes = ("item", satisfies, *state), self._layout.after_item
        return self._rules.capture(self._path, name, item, make, excluded=state.written, first_bytes=first_bytes)

    def _after_distinct(self, after: ArrayState, text: bytes) -> Node:
        """The text after an item that may not come again, in any of its serializations that later items have."""
        value, positions = self._item_layout.read(text.decode()), range(after.position, max(after.position, len(self._counts.first)) + 1)
        later = dict.fromkeys(item.node() for position in positions for _, item in self._counts.variants_at(position))
        texts = (one for node in later for one in serializations(node, value, self._item_layout))
        same = frozenset(islice(texts, self._layout.limits.serializations + 1))
        if len(same) > self._layout.limits.serializations:
            return choice(*self._ending(after))
        return self._rule("more", after._replace(written=after.written | same | {text}))

    def _after_first(self, after: ArrayState, text: bytes) -> Node:
        return self._rule("more", after._replace(repeat=text))
