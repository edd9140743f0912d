"""What all nodes have: they are immutable and interned, so that equal nodes are the same object and a node is a cheap dictionary key.

Interning (hash consing: Filliatre and Conchon, "Type-safe modular hash-consing", 2006) is by the type and the fields of a node, with nodes
in the fields taken by identity. The table holds nodes weakly. Knows no type of node.

    literal("a") twice: one object, whose id is part of the key of sequence(literal("a"), ...)

>>> RULES | HAS_LEXEME, MAYBE_EMPTY
(3, 32)
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Self
from weakref import ref

from rellm_agents.errors import PatternTooLarge

MAX_DEPTH = 150  # nodes inside each other, since derivatives are taken recursively

RULES, HAS_LEXEME, CLASSES, BOOLEAN, RARE_BYTES, MAYBE_EMPTY, SPECIAL = (1 << i for i in range(7))
"""Flags of a node: what occurs somewhere inside it; see the properties of :class:`Node`."""


class Node:
    """A set of texts. Compared and hashed by identity; equal nodes are the same object.

    Attributes:
        nullable: the empty text is a member. Only known for nodes without rules (``False`` for rules).
        depth: nodes inside each other, up to the next rule.
        positions: characters and bytes of literals, repeats written out: about the number of states of its automaton.
        inside: a bit mask of the flags ``RULES`` to ``SPECIAL``, the union of those of all inner nodes: one ``&`` answers on hot paths.
    """

    __slots__ = ("__weakref__", "depth", "inside", "nullable", "positions")
    nullable: bool
    depth: int
    positions: int
    inside: int

    _interned: ClassVar[dict[tuple[Any, ...], _Interned]] = {}
    _lock: ClassVar[threading.RLock] = threading.RLock()

    @classmethod
    def _make(cls, *fields: Any) -> Self:
        """The one node of this type with these fields."""
        # Inner nodes are in the key by their id, which belongs to them as long as the node that holds them lives. A key that held the
        # nodes themselves would keep a node alive that can be reached from its inner nodes, as through the body of a rule.
        key = (cls, *[id(field) if isinstance(field, Node) else field for field in fields])
        return cls._made_once(key, *fields)

    @classmethod
    def _made_once(cls, key: tuple[Any, ...], *fields: Any) -> Self:
        """The node that is interned under ``key``; made of ``fields`` if there is none yet."""
        found = Node._known(key)
        if found is None:
            with Node._lock:
                found = Node._known(key) or cls._intern(key, *fields)
        return found  # type: ignore[return-value]  # the class is part of the key

    @staticmethod
    def _known(key: tuple[Any, ...]) -> Node | None:
        reference = Node._interned.get(key)
        return None if reference is None else reference()

    @classmethod
    def _made_of(cls, *parts: Node) -> Self:
        """The same for types whose fields are all nodes; faster."""
        key = (cls, *map(id, parts))
        reference = Node._interned.get(key)
        found = None if reference is None else reference()
        if found is None:
            with Node._lock:
                found = Node._known(key) or cls._intern(key, *parts)
        return found  # type: ignore[return-value]

    @classmethod
    def _intern(cls, key: tuple[Any, ...], *fields: Any) -> Self:
        made = cls.__new__(cls)
        made._fill(*fields)
        reference = Node._interned[key] = _Interned(made, _forget)
        reference.key = key
        return made

    _fill: Callable[..., None]  # sets the fields; each type has its own

    def _inherit(self, parts: Iterable[Node], *, nullable: bool) -> None:
        inside = depth = positions = 0
        for part in parts:
            inside |= part.inside
            positions += part.positions
            if part.depth > depth:  # noqa: PLR1730 - many times faster than ``max``
                depth = part.depth
        if depth >= MAX_DEPTH:
            raise PatternTooLarge(f"a pattern is nested {depth + 1} deep, {MAX_DEPTH} at most: a rule can stand for its inner part")
        self.nullable, self.inside, self.depth, self.positions = nullable, inside, depth + 1, positions

    @property
    def has_rules(self) -> bool:
        """A rule occurs inside."""
        return bool(self.inside & RULES)

    @property
    def has_boolean(self) -> bool:
        """An intersection, a complement or a DFA occurs inside."""
        return bool(self.inside & BOOLEAN)

    @property
    def has_classes(self) -> bool:
        """A set of characters, an intersection, a complement or a DFA occurs inside: more than literals."""
        return bool(self.inside & CLASSES)

    @property
    def has_special(self) -> bool:
        """A special token occurs inside."""
        return bool(self.inside & SPECIAL)

    @property
    def is_plain(self) -> bool:
        """Neither rules nor lexemes occur inside: one automaton can stand for the whole node."""
        return not self.inside & (RULES | HAS_LEXEME)

    @property
    def is_spelled_by_common_bytes(self) -> bool:
        """Every text that was begun can be finished with ``COMMON_BYTES`` alone. ``False`` if that is not known."""
        return not self.inside & RARE_BYTES

    @property
    def may_be_empty(self) -> bool:
        """Perhaps no text matches; only a search can tell."""
        return bool(self.inside & MAYBE_EMPTY)


class _Interned(ref[Node]):
    """A weak reference to a node, with its key. A ``WeakValueDictionary`` does the same in three times the time."""

    __slots__ = ("key",)
    key: tuple[Any, ...]


def _forget(dead: _Interned, lock: threading.RLock = Node._lock, interned: dict[Any, _Interned] = Node._interned) -> None:
    """Called for a dead node. ``Node`` is not named here: when the interpreter ends, the name is gone before the last nodes are."""
    with lock:
        if interned.get(dead.key) is dead:
            del interned[dead.key]
