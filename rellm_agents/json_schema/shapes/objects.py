"""Makes the node of an object's JSON text: a rule after each property, with the state between two properties in its key.

Declared properties are written in their order, undeclared ones after them; or all of them in any order. None comes twice. Only states
that a text comes to are ever made. Knows nothing of what can come where: see ``property_order``.

>>> from rellm_agents.json_schema.shapes.shape import Ready, SchemaKey
>>> from rellm_agents.patterns import Pattern, literal
>>> rules, digit = Rules(SchemaKey("doctest", ""), is_spelled_by_common_bytes=True), Ready(literal("1"))
>>> properties = [Property("a", ((0, digit),), required=False), Property("b", ((0, digit),), required=True)]
>>> pattern = Pattern(Object(rules, "", Layout.of("compact"), properties).node())
>>> pattern.fullmatch('{"a":1,"b":1}'), pattern.fullmatch('{"b":1}'), pattern.fullmatch('{"a":1}')
(True, True, False)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from rellm_agents.caches import cached_property
from rellm_agents.json_schema.shapes.property_order import ObjectState, Property, PropertyOrder, Undeclared
from rellm_agents.json_schema.shapes.shape import HasInstance, Rules, Shape
from rellm_agents.json_schema.text import Layout
from rellm_agents.patterns import NOTHING, Node, choice, literal, sequence

_BLOCK = 16  # optional properties that are alternatives in one state; later ones are shared by all states before them


class Object(Shape):
    """An object.

    Args:
        rules: of its schema.
        path: where it stands, for its rules.
        layout: how it is written.
        declared: its properties.
        undeclared: its other properties, by classes of names.
        least, most: bounds on the number of its properties.
        conditions: how many conditions there are that some property has to satisfy.
        arrange: called when a text comes there: brings the properties into their order and adds those that are declared but allow
            everything; by default they stay as they are given.
        any_order: properties are written in any order.
        others: how many properties are written that are not declared, at most.
    """

    def __init__(
        self,
        rules: Rules,
        path: str,
        layout: Layout,
        declared: Iterable[Property],
        undeclared: Iterable[Undeclared] = (),
        *,
        least: int = 0,
        most: int | None = None,
        conditions: int = 0,
        arrange: Callable[[Sequence[Property]], Sequence[Property]] | None = None,
        any_order: bool = False,
        others: int | None = None,
    ) -> None:
        self._arrange, self._any_order, self._others = arrange, any_order, others
        self._rules, self._path, self._layout = rules, path, layout
        self._declared, self._undeclared = tuple(declared), tuple(undeclared)
        self._bounds = least, most, (1 << conditions) - 1
        self._options: dict[ObjectState, Node] = {}
        self.known_nonempty = self._bounds == (0, None, 0) and all(
            any(value.known_nonempty for _, value in one.variants) for one in self._declared if one.required
        )

    def has_instance(self, known: HasInstance) -> bool:
        """See :class:`Shape`."""
        for one in self._declared:
            if one.required and not any(known(value) for _, value in one.variants):
                return False
        if self._bounds == (0, None, 0):
            return True
        order = self._order_of(self._declared, known)
        return order.to_end(order.start) is not None

    @cached_property
    def _order(self) -> PropertyOrder:
        declared = self._declared if self._arrange is None else self._arrange(self._declared)
        return self._order_of(declared, lambda value: not value.is_empty)

    def _order_of(self, declared: Sequence[Property], has_instance: HasInstance) -> PropertyOrder:
        return PropertyOrder(declared, self._undeclared, *self._bounds, has_instance, self._layout, any_order=self._any_order)

    @cached_property
    def _declared_names(self) -> frozenset[bytes]:
        """The JSON text of the declared names, also of those whose values are impossible."""
        return frozenset(self._layout.name_text(name).encode() for name in self._order.all_names)

    def _node(self) -> Node:
        return sequence(literal("{"), self._layout.padding, self._rule("first", self._order.start))

    def _rule(self, name: str, state: ObjectState) -> Node:
        make = {"first": self._first, "more": self._more, "names": self._properties, "nearer": self._nearer}[name]
        witness = None if name == "nearer" else partial(self._witness, name, state)
        return self._rules.rule(self._path, (name, *state), partial(make, state), witness)

    def _first(self, state: ObjectState) -> Node:
        return choice(*self._ending(state), self._properties(state))

    def _more(self, state: ObjectState) -> Node:
        return choice(*self._ending(state), sequence(self._layout.comma, self._properties(state)))

    def _witness(self, name: str, state: ObjectState) -> Node:
        """A cheapest way to the end: at once, or with properties that bring it nearer.

        A comma stays apart from the name after it, as it does where there is a choice of names: a witness must not cost less than the
        text that is written.
        """
        if name != "names" and (ending := self._ending(state)):
            return ending[0]
        if self._any_order and self._order.is_plain(state):
            return self._all_missing(name, state)
        if name == "more":
            return sequence(self._layout.comma, self._rule("nearer", state))
        return self._nearer(state)

    def _all_missing(self, name: str, state: ObjectState) -> Node:
        """The properties that have to come, in their order; those of one block are a rule that many states share."""
        blocks: dict[int, list[int]] = {}
        for i in self._order.missing(state):
            blocks.setdefault(i // _BLOCK, []).append(i)
        comma, parts = self._layout.comma, list[Node]()
        for inside in blocks.values():
            parts += [comma, self._rules.rule(self._path, ("block", *inside), partial(self._pairs, inside))]
        return sequence(*parts[name != "more" :], self._layout.padding, literal("}"))

    def _pairs(self, numbers: Iterable[int]) -> Node:
        comma, parts = self._layout.comma, list[Node]()
        for i in numbers:
            parts += [comma, self._rules.rule(self._path, ("pair", i), partial(self._pair, i))]
        return sequence(*parts[1:])

    def _pair(self, number: int) -> Node:
        one = self._order.declared[number]
        return choice(*(sequence(self._layout.name_and_colon(one.name), value.node()) for _, value in one.variants))

    def _nearer(self, state: ObjectState) -> Node:
        return self._properties(state, nearer=True)

    def _ending(self, state: ObjectState) -> list[Node]:
        return [sequence(self._layout.padding, literal("}"))] if self._order.can_close(state) else []

    def _rest(self, state: ObjectState) -> Node:
        """The text from ``state`` on, after a property."""
        if self._order.must_close(state):
            return sequence(self._layout.padding, literal("}"))
        return self._rule("more", state)

    def _properties(self, state: ObjectState, *, nearer: bool = False) -> Node:
        """The properties that may come next: up to the first that has to.

        Args:
            state: where they may come.
            nearer: only those that bring the end nearer; in any order, the first of those that have to come, since all orders of
                them are too many to look for the cheapest.
        """
        order, options = self._order, []
        limit = order.to_end(state) if nearer else None
        for i in order.remaining(state):
            if i > state.position and i % _BLOCK == 0 and not self._any_order:
                later = state._replace(position=i)
                if (left := order.to_end(later)) is not None and left == (limit or left):
                    options.append(self._rule("names", later))
                return choice(*options)
            option = self._declared_option(i, state, limit)
            if order.declared[i].required and (nearer or not self._any_order) and option is not NOTHING:
                return option if self._any_order else choice(*options, option)
            options.append(option)
        return choice(*options, *self._undeclared_options(state, limit))

    def _declared_option(self, i: int, state: ObjectState, limit: int | None) -> Node:
        """The declared property ``i`` and its continuation, if fewer than ``limit`` properties have to follow."""
        before = state if self._any_order else state._replace(position=i)
        shared = limit is None and not self._any_order  # by the states before it
        if shared and before in self._options:
            return self._options[before]
        one = self._order.declared[i]
        option = choice(
            *(
                sequence(self._layout.name_and_colon(one.name), value.node(), self._rest(after))
                for satisfies, value in one.variants
                if (after := self._order.after(state, i, satisfies, limit)) is not None
            )
        )
        if shared:
            self._options[before] = option
        return option

    def _undeclared_options(self, state: ObjectState, limit: int | None) -> Iterable[Node]:
        """The undeclared properties and their continuations."""
        if self._others is not None and len(state.used) >= self._others:
            return
        for number, one in enumerate(self._order.undeclared):
            for satisfies, value in one.variants:
                after = self._order.after(state, None, satisfies, limit, undeclared=number)
                if after is not None:
                    name, excluded = ("other", number, satisfies, *state), self._declared_names | state.used
                    value_node = sequence(self._layout.colon, value.node())
                    make = partial(self._after_name, after)
                    yield self._rules.capture(self._path, name, one.names, make, excluded=excluded, then=value_node)

    def _after_name(self, after: ObjectState, name: bytes) -> Node:
        return self._rest(after._replace(used=after.used | {name}))
