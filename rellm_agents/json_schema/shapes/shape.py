"""Shapes: the instance sets of subschemas, read and checked, whose nodes are made only where a text comes to them.

There is one small class per kind of instance set; objects and arrays become rules, so of a large schema only a small part is ever made
into nodes. Here are the shapes without properties or items; see ``objects`` and ``arrays`` for the others. Knows nothing of keywords.

Which shapes are empty is found by the least fixpoint of the rule "a shape has an instance if those it needs have one": the generating
symbols of a context-free grammar (Hopcroft, Motwani, Ullman, "Introduction to Automata Theory", section 7.1).

    A = {"b": B}    B = [] or [A]    B has an instance: [], then A has one: {"b": []}
    C = [C]         needs itself: none

>>> from rellm_agents.patterns import Pattern, literal
>>> Pattern(Union([Ready(literal("1")), Ready(literal("2"))]).node()).regex
'1|2'
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from hashlib import sha256

from rellm_agents.caches import cached_property
from rellm_agents.json_schema.text import Layout
from rellm_agents.patterns import EMPTY, NOTHING, Node, capture, choice, rule
from rellm_agents.patterns.automaton import is_finished_by_common_bytes
from rellm_agents.patterns.ir import RARE_BYTES, SPECIAL, AllDifferent, Capture, WrittenAgain
from rellm_agents.patterns.machine import has_allowed_text


@dataclass(frozen=True)
class SchemaKey:
    """Identifies a schema and the way it is compiled: rules of equal keys are the same.

    Attributes:
        schema: the whole schema, as text.
        options: how it is compiled.
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
        schema: its key.
        is_spelled_by_common_bytes: its text holds nothing but ``COMMON_BYTES``.
        special: special tokens stand in its texts.

    Attributes:
        flags: of its rules, see :func:`rellm_agents.patterns.rule`; known before any body is made.
    """

    def __init__(self, schema: SchemaKey, *, is_spelled_by_common_bytes: bool, special: bool = False) -> None:
        self._schema = schema
        self.flags = (0 if is_spelled_by_common_bytes else RARE_BYTES) | (SPECIAL | RARE_BYTES if special else 0)

    def leaf(self, node: Node) -> Node:
        """The same node; records whether it needs rare bytes, before any rule body exists."""
        if not (self.flags or node.is_spelled_by_common_bytes or is_finished_by_common_bytes(node)):
            self.flags = RARE_BYTES
        return node

    def key(self, path: str, name: Hashable) -> Hashable:
        """The key of a rule or a capture, which no other one in the process has."""
        return self._schema, path, name

    def rule(self, path: str, name: Hashable, make: Callable[[], Node], witness: Callable[[], Node] | None = None) -> Node:
        """A rule, which has a text.

        Args:
            path: of its subschema in the normal form.
            name: differs between the rules of one path.
            make: makes its body.
            witness: makes a cheapest text of it, where the body is too large to be searched for one.
        """
        return rule(self.key(path, name), make, flags=self.flags, witness=witness)

    def capture(
        self,
        path: str,
        name: Hashable,
        inner: Node,
        make: Callable[[bytes], Node],
        *,
        excluded: frozenset[bytes],
        then: Node = EMPTY,
        first_bytes: bytes | None = None,
        leaves: AllDifferent | WrittenAgain | None = None,
    ) -> Node:
        """A capture, see :func:`rellm_agents.patterns.capture`; ``NOTHING`` if all its texts are excluded."""
        key = self.key(path, name)
        found = capture(inner, excluded, then, key, make, flags=self.flags, first_bytes=first_bytes, leaves=leaves)
        return NOTHING if isinstance(found, Capture) and not has_allowed_text(found) else found


@dataclass(frozen=True)
class Style:
    """How instances are written: a layout, and whether equal values have to look alike.

    Attributes:
        layout: of whitespace and strings.
        unique: equal values have one text only, but for the order of undeclared properties. So it is for the names of properties, too.
        in_order: declared properties have the order of the source, and there are few undeclared ones.
    """

    layout: Layout
    unique: bool = False
    in_order: bool = False

    @property
    def suffix(self) -> str:
        """Differs between the styles of one schema."""
        return f"{self.layout.separators[1]}{'=' if self.unique else ''}{'<' if self.in_order else ''}"


HasInstance = Callable[["Shape"], bool]


class Shape(ABC):
    """The instances of a subschema.

    Attributes:
        known_nonempty: there are some for sure; False if that has to be found out.
        is_empty: there are none; known once :func:`mark_empty` has run.
        is_flat: none of them is an array or an object.
    """

    known_nonempty = False
    is_empty = False
    is_flat = False

    def has_instance(self, known: HasInstance) -> bool:  # noqa: ARG002
        """Whether there is an instance, given the shapes that are ``known`` to have one."""
        return True

    def find_lack(self) -> bool:
        """Whether there is no instance, though the parts have some; known once it is known which other shapes are empty."""
        return False

    def node(self) -> Node:
        """The JSON text of the instances."""
        return NOTHING if self.is_empty else self._node()

    @abstractmethod
    def _node(self) -> Node: ...


class Ready(Shape):
    """Instances whose node is already made; ``NOTHING``: there are none."""

    def __init__(self, node: Node, *, is_flat: bool = True) -> None:
        self._made, self.is_flat, self.known_nonempty = node, is_flat, node is not NOTHING

    def has_instance(self, known: HasInstance) -> bool:  # noqa: ARG002
        """See :class:`Shape`."""
        return self.known_nonempty

    def _node(self) -> Node:
        return self._made


class Deferred(Shape):
    """Instances, of which there are some; their node is made when it is needed."""

    known_nonempty = True

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
        self.known_nonempty = any(option.known_nonempty for option in options)

    def has_instance(self, known: HasInstance) -> bool:
        """See :class:`Shape`."""
        return any(map(known, self._options))

    def _node(self) -> Node:
        return choice(*(option.node() for option in self._options))


class Reference(Shape):
    """The instances of another shape, ``target``, which is set once it is known.

    Args:
        rules: of its schema.
        path: where it stands, for its rule.
        cheapest: a cheapest text of it, if that is known.
    """

    target: Shape

    def __init__(self, rules: Rules, path: str, cheapest: Node | None = None) -> None:
        self.known_nonempty = cheapest is not None
        self._rules, self._path, self._cheapest = rules, path, cheapest

    def has_instance(self, known: HasInstance) -> bool:
        """See :class:`Shape`."""
        return known(self.target)

    def _node(self) -> Node:
        cheapest = self._cheapest
        return self._rules.rule(self._path, "", self._target_node, None if cheapest is None else lambda: cheapest)

    def _target_node(self) -> Node:
        return self.target.node()  # which is not known yet where the rule is made


def mark_empty(shapes: list[Shape]) -> None:
    """Mark the shapes that have no instances, by a least fixpoint.

    Args:
        shapes: all that are not known to have some; inner ones before outer ones, which takes fewer rounds.
    """
    nonempty: set[Shape] = set()
    waiting, before = shapes, -1

    def known(shape: Shape) -> bool:
        return shape.known_nonempty or shape in nonempty

    while len(nonempty) != before:
        before = len(nonempty)
        for shape in waiting:
            if shape.has_instance(known):
                nonempty.add(shape)
        waiting = [shape for shape in waiting if shape not in nonempty]
    for shape in waiting:
        shape.is_empty = True
