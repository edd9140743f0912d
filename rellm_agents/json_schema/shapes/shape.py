"""What a schema says, read and checked, in; the node of its instances as JSON text out, made where it is needed.

A shape is one small value per kind of instance; objects and arrays become rules, so of a large schema only what a text comes to
is ever made into nodes. Here are the shapes without parts of their own; see ``objects`` and ``arrays`` for the others.
Knows nothing of keywords.

>>> from rellm_agents.patterns import Pattern, literal
>>> Pattern(Union([Ready(literal("1")), Never(), Ready(literal("2"))]).node()).regex
'1|2'
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

from rellm_agents.json_schema.text import Layout
from rellm_agents.patterns import NOTHING, Node, choice, rule
from rellm_agents.patterns.automaton import is_finished_by_common_bytes
from rellm_agents.patterns.ir import RARE_BYTES, SPECIAL


@dataclass(frozen=True)
class Source:
    """What patterns are made of; rules of equal sources are the same.

    Attributes:
        schema: the whole schema, as text.
        options: how it was asked to be read.
    """

    schema: str
    options: str

    @cached_property
    def fingerprint(self) -> str:
        """A digest, the same in every process."""
        return sha256(f"{self.options}\0{self.schema}".encode()).hexdigest()


class Rules:
    """The rules of one schema.

    Args:
        source: of the schema.
        is_spelled_by_common_bytes: its text holds nothing but ``COMMON_BYTES``.
        special: special tokens stand in its texts.

    Attributes:
        flags: which doubts there are about what its rules hold inside, see :func:`rellm_agents.patterns.rule`.
    """

    def __init__(self, source: Source, *, is_spelled_by_common_bytes: bool, special: bool = False) -> None:
        self.source = source
        self.flags = (0 if is_spelled_by_common_bytes else RARE_BYTES) | (SPECIAL | RARE_BYTES if special else 0)

    def leaf(self, node: Node) -> Node:
        """A node that the schema holds, noted down: what the rules hold inside has to be known before they are made."""
        if not (self.flags or node.is_spelled_by_common_bytes or is_finished_by_common_bytes(node)):
            self.flags = RARE_BYTES
        return node

    def key(self, part: str, name: Hashable) -> Hashable:
        """What tells a rule, or a text that is remembered, from all others in the process."""
        return self.source, part, name

    def rule(self, part: str, name: Hashable, make: Callable[[], Node], exit_: Callable[[], Node] | None = None) -> Node:
        """A rule of a part, which has a text.

        Args:
            part: its path in the normal form.
            name: tells it from other rules of the part.
            make: makes its body.
            exit_: makes a cheapest text of it, where the body is too large to be looked through for one.
        """
        return rule(self.key(part, name), make, flags=self.flags, witness=exit_)


@dataclass(frozen=True)
class Style:
    """How instances are written.

    Attributes:
        layout: the whitespace.
        unique: equal values have one text only, but for the order of undeclared properties.
    """

    layout: Layout
    unique: bool = False

    @property
    def suffix(self) -> str:
        """Tells the styles of one schema apart."""
        return f"{self.layout.separators[1]}{'=' if self.unique else ''}"


Alive = Callable[["Shape"], bool]


class Shape(ABC):
    """The instances of a schema.

    Attributes:
        is_sure: there are some, which does not have to be found out.
        is_impossible: there are none; known once :func:`find_impossible` was asked.
        is_flat: none of them is an array or an object.
    """

    is_sure = False
    is_impossible = False
    is_flat = False

    def is_possible(self, alive: Alive) -> bool:  # noqa: ARG002
        """Whether there is an instance, if there are instances of the shapes of which ``alive`` says so."""
        return True

    def node(self) -> Node:
        """The JSON text of the instances."""
        return NOTHING if self.is_impossible else self._node()

    @abstractmethod
    def _node(self) -> Node: ...


class Never(Shape):
    """No instance."""

    is_flat = True
    is_impossible = True

    def is_possible(self, alive: Alive) -> bool:  # noqa: ARG002
        """See :class:`Shape`."""
        return False

    def _node(self) -> Node:
        return NOTHING


class Ready(Shape):
    """What a node says that was made already."""

    def __init__(self, node: Node, *, is_flat: bool = True) -> None:
        self._made, self.is_flat, self.is_sure = node, is_flat, node is not NOTHING

    def is_possible(self, alive: Alive) -> bool:  # noqa: ARG002
        """See :class:`Shape`."""
        return self.is_sure

    def _node(self) -> Node:
        return self._made


class Later(Shape):
    """Instances, of which there are some; their node is made when it is asked for."""

    is_sure = True

    def __init__(self, make: Callable[[], Node], *, is_flat: bool = False) -> None:
        self._make, self.is_flat = make, is_flat

    @cached_property
    def _made(self) -> Node:
        return self._make()

    def _node(self) -> Node:
        return self._made


class Union(Shape):
    """Instances of any of the options."""

    def __init__(self, options: list[Shape]) -> None:
        self._options = options
        self.is_flat = all(option.is_flat for option in options)
        self.is_sure = any(option.is_sure for option in options)

    def is_possible(self, alive: Alive) -> bool:
        """See :class:`Shape`."""
        return any(map(alive, self._options))

    def _node(self) -> Node:
        return choice(*(option.node() for option in self._options))


class Reference(Shape):
    """What ``target`` says, which is set once it is known.

    Args:
        rules: of its schema.
        part: where it stands, for its rule.
        cheapest: a cheapest text of it, if that is known.
    """

    target: Shape

    def __init__(self, rules: Rules, part: str, cheapest: Node | None = None) -> None:
        self.is_sure = cheapest is not None
        self._rules, self._part, self._cheapest = rules, part, cheapest

    def is_possible(self, alive: Alive) -> bool:
        """See :class:`Shape`."""
        return alive(self.target)

    def _node(self) -> Node:
        cheapest = self._cheapest
        return self._rules.rule(self._part, "", self._target_node, None if cheapest is None else lambda: cheapest)

    def _target_node(self) -> Node:
        return self.target.node()  # which is not known yet where the rule is made


def find_impossible(shapes: list[Shape]) -> None:
    """Find the shapes that have no instances, by a least fixpoint.

    Args:
        shapes: all that are not sure to have some; those that stand inside others rather before them.
    """
    possible: set[Shape] = set()
    waiting, before = shapes, -1

    def alive(shape: Shape) -> bool:
        return shape.is_sure or shape in possible

    while len(possible) != before:
        before = len(possible)
        for shape in waiting:
            if shape.is_possible(alive):
                possible.add(shape)
        waiting = [shape for shape in waiting if shape not in possible]
    for shape in waiting:
        shape.is_impossible = True
