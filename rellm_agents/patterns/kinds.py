"""The kinds of pattern nodes: immutable, interned, so that equal nodes are the same object.

Nothing here is called by front ends: :mod:`rellm_agents.patterns.nodes` has the constructors, which own the invariants.

>>> Literal._make(b"a") is Literal._make(b"a")
True
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable
from typing import Any, ClassVar, Self
from weakref import ref

from rellm_agents.errors import PatternTooLarge
from rellm_agents.patterns.charset import COMMON_BYTES, CharSet, Range

MAX_DEPTH = 150  # nodes inside each other, since derivatives are taken recursively


RULES, MARKS, CLASSES, BOOLEAN, UNCOMMON, DOUBTFUL = (1 << i for i in range(6))
"""What stands somewhere inside a node; see the properties of :class:`Node`."""


class Node:
    """A set of texts. Compared and hashed by identity; equal nodes are the same object.

    Attributes:
        nullable: the empty text is a member. Only known for nodes without rules (``False`` for rules).
        depth: nodes inside each other, up to the next rule.
        positions: characters and bytes of literals, repeats spelled out: about the states of its automaton.
        inside: what stands somewhere inside, put together from ``RULES`` and its likes.
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
        """The one node of this kind with these fields."""
        # Parts stand in the key by their identity, which is theirs as long as the node that holds them lives: a key that held
        # them would keep a node alive that is reached from its own parts, as through the body of a rule.
        key = (cls, *[id(field) if isinstance(field, Node) else field for field in fields])
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
        """The same for kinds whose fields are all nodes, faster."""
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

    _fill: Callable[..., None]  # sets the fields; each kind has its own

    def _inherit(self, parts: Iterable[Node], *, nullable: bool) -> None:
        inside = depth = positions = 0
        for part in parts:
            inside |= part.inside
            positions += part.positions
            if part.depth > depth:  # many times faster than ``max``
                depth = part.depth
        if depth >= MAX_DEPTH:
            raise PatternTooLarge(f"a pattern is nested {depth + 1} deep, {MAX_DEPTH} at most: a rule can stand for its inner part")
        self.nullable, self.inside, self.depth, self.positions = nullable, inside, depth + 1, positions

    @property
    def has_rules(self) -> bool:
        """A rule stands somewhere inside."""
        return bool(self.inside & RULES)

    @property
    def has_boolean(self) -> bool:
        """An intersection or a complement stands somewhere inside."""
        return bool(self.inside & BOOLEAN)

    @property
    def has_classes(self) -> bool:
        """Something else than literals, put together, stands somewhere inside."""
        return bool(self.inside & CLASSES)

    @property
    def is_plain(self) -> bool:
        """Neither rules nor lexeme marks inside: one automaton can stand for the whole node."""
        return not self.inside & (RULES | MARKS)

    @property
    def is_common(self) -> bool:
        """Known to be finished, from everywhere inside, by ``COMMON_BYTES`` alone."""
        return not self.inside & UNCOMMON

    @property
    def is_doubtful(self) -> bool:
        """Maybe no text matches a part of it, which has to be searched to know."""
        return bool(self.inside & DOUBTFUL)


class Literal(Node):
    """Exactly ``data``, UTF-8 bytes. Only derivatives make literals that begin inside a character."""

    __slots__ = ("data",)
    __match_args__ = ("data",)
    data: bytes

    def _fill(self, data: bytes) -> None:
        self.data, self.nullable, self.depth, self.positions = data, not data, 1, len(data)
        self.inside = UNCOMMON if data.translate(None, COMMON_BYTES) else 0

    @property
    def text(self) -> str:
        """The same as text."""
        return self.data.decode("utf-8")


class Characters(Node):
    """One character of ``charset``."""

    __slots__ = ("charset",)
    __match_args__ = ("charset",)
    charset: CharSet

    def _fill(self, charset: CharSet) -> None:
        self.charset = charset
        self._inherit((), nullable=False)
        self.positions, self.inside = 1, CLASSES if charset.is_common else CLASSES | UNCOMMON


class Tail(Node):
    """The last ``count`` bytes (all continuation bytes) of a character; only derivatives make these.

    ``ranges`` are over the ``6 * count`` payload bits of those bytes.
    """

    __slots__ = ("count", "ranges")
    __match_args__ = ("ranges", "count")
    ranges: tuple[Range, ...]
    count: int

    def _fill(self, ranges: tuple[Range, ...], count: int) -> None:
        self.ranges, self.count = ranges, count
        self._inherit((), nullable=False)
        self.positions, self.inside = 1, CLASSES


class Sequence(Node):
    """The parts one after the other; at least two, none of them a sequence or empty."""

    __slots__ = ("parts",)
    __match_args__ = ("parts",)
    parts: tuple[Node, ...]

    def _fill(self, *parts: Node) -> None:
        self.parts = parts
        nullable = True
        for part in parts:
            if not part.nullable:
                nullable = False
                break
        self._inherit(parts, nullable=nullable)


class Choice(Node):
    """Any of the options; none of them a choice, none twice. No options: nothing matches."""

    __slots__ = ("options",)
    __match_args__ = ("options",)
    options: tuple[Node, ...]

    def _fill(self, *options: Node) -> None:
        self.options = options
        self._inherit(options, nullable=any(p.nullable for p in options))
        if not options:
            self.inside = DOUBTFUL


class Repeat(Node):
    """``inner``, ``minimum`` to ``maximum`` times; ``None``: without end."""

    __slots__ = ("inner", "maximum", "minimum")
    __match_args__ = ("inner", "minimum", "maximum")
    inner: Node
    minimum: int
    maximum: int | None

    def _fill(self, inner: Node, minimum: int, maximum: int | None) -> None:
        self.inner, self.minimum, self.maximum = inner, minimum, maximum
        self._inherit((inner,), nullable=minimum == 0)
        self.positions *= max(minimum, maximum or 1)


class Intersection(Node):
    """Texts that all of ``parts`` match; at least two."""

    __slots__ = ("parts",)
    __match_args__ = ("parts",)
    parts: tuple[Node, ...]

    def _fill(self, *parts: Node) -> None:
        self.parts = parts
        self._inherit(parts, nullable=all(p.nullable for p in parts))
        self.inside = CLASSES | BOOLEAN | UNCOMMON | DOUBTFUL


class Complement(Node):
    """Byte strings that ``inner`` does not match."""

    __slots__ = ("inner",)
    __match_args__ = ("inner",)
    inner: Node

    def _fill(self, inner: Node) -> None:
        self.inner = inner
        self._inherit((inner,), nullable=not inner.nullable)
        self.inside = CLASSES | BOOLEAN | UNCOMMON | DOUBTFUL


class Rule(Node):
    """A named part. ``key`` tells rules apart; the body is made once, when it is first asked for."""

    __slots__ = ("_body", "_make_body", "key")
    __match_args__ = ("key",)
    key: Hashable

    def _fill(self, key: Hashable, make: Callable[[], Node], doubts: int) -> None:
        self.key = key
        self._make_body: Callable[[], Node] | None = make
        self._body: Node | None = None
        self._inherit((), nullable=False)
        self.inside = RULES | doubts

    @property
    def body(self) -> Node:
        """What the rule stands for."""
        if self._body is None:
            with Node._lock:
                if self._body is None:
                    assert self._make_body is not None
                    self._body = self._make_body()
                    self._make_body = None  # it may hold what holds this rule
        return self._body


class Lexeme(Node):
    """``inner``, with an automaton of its own that all patterns share."""

    __slots__ = ("inner",)
    __match_args__ = ("inner",)
    inner: Node

    def _fill(self, inner: Node) -> None:
        self.inner = inner
        self._inherit((inner,), nullable=inner.nullable)
        self.inside |= MARKS


class _Interned(ref[Node]):
    """A node, not kept alive. A ``WeakValueDictionary`` does the same at three times the price, for thousands of nodes a schema."""

    __slots__ = ("key",)
    key: tuple[Any, ...]


def _forget(dead: _Interned) -> None:
    with Node._lock:
        if Node._interned.get(dead.key) is dead:
            del Node._interned[dead.key]


AnyNode = Literal | Characters | Tail | Sequence | Choice | Repeat | Intersection | Complement | Rule | Lexeme
