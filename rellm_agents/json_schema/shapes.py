"""What a schema says, read and checked, in; the node of its instances as JSON text out, made where it is needed.

A shape is one small value per kind of instance; objects become rules, so of a large schema only what a text comes to is
ever made into nodes. Knows nothing of keywords.

>>> from rellm_agents.patterns import Pattern, literal
>>> digit = Ready(literal("1"))
>>> one = Object([("a", digit, False), ("b", digit, True)], Layout.of("compact"), RuleKey("doctest", "compact", 1))
>>> pattern = Pattern(one.node())
>>> pattern.fullmatch('{"a":1,"b":1}'), pattern.fullmatch('{"b":1}'), pattern.fullmatch('{"a":1}')
(True, True, False)
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from itertools import islice
from typing import Any

from rellm_agents.json_schema.json_text import Layout
from rellm_agents.patterns import NOTHING, Node, choice, literal, rule, sequence
from rellm_agents.patterns.charset import COMMON_BYTES
from rellm_agents.patterns.kinds import UNCOMMON

_DEEP = 50  # nodes inside each other, from which on a rule stands for them
_BLOCK = 16  # optional properties that are alternatives at one place; what comes later is shared by all places before it


@dataclass(frozen=True)
class RuleKey:
    """What tells the rules of one part of a schema from all others in the process; equal for the same part of equal schemas.

    Attributes:
        schema: the whole schema, as text.
        whitespace: how it is written.
        part: a number.
    """

    schema: str
    whitespace: str
    part: int

    def rule(self, name: Hashable, make: Callable[[], Node]) -> Node:
        """A rule of the part, which has a text."""
        return rule((self, name), make, doubts=0 if is_common(self.schema) else UNCOMMON)


@lru_cache(maxsize=64)
def is_common(schema: str) -> bool:
    """Whether all that a schema can make a text hold is written in ``COMMON_BYTES``."""
    return not schema.encode("utf-8").translate(None, COMMON_BYTES)


class Shape:
    """The instances of a schema.

    Attributes:
        is_impossible: there are none; known once :func:`find_impossible` was asked.
    """

    is_impossible = False

    def is_possible(self, possible: set[Shape]) -> bool:  # noqa: ARG002
        """Whether there is an instance, if there are instances of the shapes in ``possible``."""
        return True

    def node(self) -> Node:
        """The JSON text of the instances."""
        return NOTHING if self.is_impossible else self._node()

    def _node(self) -> Node:
        raise NotImplementedError


class Never(Shape):
    """No instance."""

    def is_possible(self, possible: set[Shape]) -> bool:  # noqa: ARG002
        """See :class:`Shape`."""
        return False


class Ready(Shape):
    """What a node says that was made already."""

    def __init__(self, node: Node) -> None:
        self._made = node

    def _node(self) -> Node:
        return self._made


class Values(Shape):
    """Given values, at least one."""

    def __init__(self, values: list[Any], layout: Layout) -> None:
        self._values, self._layout = values, layout

    def _node(self) -> Node:
        return choice(*map(self._layout.value, self._values))


class Union(Shape):
    """Instances of any of the options."""

    def __init__(self, options: list[Shape]) -> None:
        self._options = options

    def is_possible(self, possible: set[Shape]) -> bool:
        """See :class:`Shape`."""
        return not possible.isdisjoint(self._options)

    def _node(self) -> Node:
        return choice(*(option.node() for option in self._options))


class Reference(Shape):
    """What ``target`` says, which is set once it is known.

    Args:
        key: of its rule.
    """

    target: Shape

    def __init__(self, key: RuleKey) -> None:
        self._key = key

    def is_possible(self, possible: set[Shape]) -> bool:
        """See :class:`Shape`."""
        return self.target in possible

    def _node(self) -> Node:
        return self._key.rule("", self.target.node)


class Array(Shape):
    """A list of any number of instances of ``item``.

    Args:
        key: of its rule, which it has if it is nested deep.
    """

    def __init__(self, item: Shape, layout: Layout, key: RuleKey) -> None:
        self._item, self._layout, self._key = item, layout, key

    def _node(self) -> Node:
        item = self._item.node()
        return self._layout.list_of(item if item.depth < _DEEP else self._key.rule("", lambda: item))


class Object(Shape):
    """An object with declared properties, in their order.

    Args:
        properties: name, value, and whether it has to be there.
        layout: how it is written.
        key: of its rules.
    """

    def __init__(self, properties: Iterable[tuple[str, Shape, bool]], layout: Layout, key: RuleKey) -> None:
        self._declared, self._layout, self._key = list(properties), layout, key
        self._options: dict[int, Node] = {}

    def is_possible(self, possible: set[Shape]) -> bool:
        """See :class:`Shape`."""
        return all(value in possible for _, value, required in self._declared if required)

    def _node(self) -> Node:
        return sequence(literal("{"), self._layout.opened, self._rule(self._first, 0))

    @cached_property
    def _properties(self) -> list[tuple[str, Shape, bool]]:
        return [one for one in self._declared if not one[1].is_impossible]

    def _rule(self, make: Callable[[int], Node], at: int) -> Node:
        return self._key.rule((make.__name__, at), partial(make, at))

    def _first(self, at: int) -> Node:
        names = self._names(at)
        return names if self._is_owed(at) else choice(names, self._closing())

    def _rest(self, at: int) -> Node:
        """What follows before the property ``at``, behind another."""
        if at == len(self._properties):
            return self._closing()
        return self._rule(self._more, at)

    def _more(self, at: int) -> Node:
        more = sequence(self._layout.comma, self._names(at))
        return more if self._is_owed(at) else choice(more, self._closing())

    def _is_owed(self, at: int) -> bool:
        """Some property from ``at`` on has to be there."""
        return any(required for *_, required in islice(self._properties, at, None))

    def _names(self, at: int) -> Node:
        """The properties that may come next: up to the first that has to."""
        options: list[Node] = []
        for i in range(at, len(self._properties)):
            if i > at and i % _BLOCK == 0:
                options.append(self._rule(self._names, i))
                break
            options.append(self._option(i))
            if self._properties[i][2]:
                break
        return choice(*options)

    def _option(self, at: int) -> Node:
        """The property ``at``, and what follows it."""
        if at not in self._options:
            name, value, _ = self._properties[at]
            self._options[at] = sequence(self._layout.key(name), value.node(), self._rest(at + 1))
        return self._options[at]

    def _closing(self) -> Node:
        return sequence(self._layout.closing, literal("}"))


def find_impossible(shapes: list[Shape]) -> None:
    """Find the shapes that have no instances, by a least fixpoint.

    Args:
        shapes: all there are; those that stand inside others rather before them.
    """
    possible: set[Shape] = set()
    waiting, before = shapes, -1
    while len(possible) != before:
        before = len(possible)
        for shape in waiting:
            if shape.is_possible(possible):
                possible.add(shape)
        waiting = [shape for shape in waiting if shape not in possible]
    for shape in waiting:
        shape.is_impossible = True
