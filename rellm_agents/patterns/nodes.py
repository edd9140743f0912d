"""Smart constructors in, interned immutable pattern nodes out: the one representation every stage shares.

Equal nodes are the same object, so a node is a dictionary key and comparing two costs nothing. Only the functions
in lower case make nodes; they flatten, drop what cannot match, and refuse what cannot be said. A node describes a
set of texts; it knows nothing of automata, regex text, JSON or tokens.

    literal("ab")                 the text itself
    characters(charset)           one character of a set
    sequence(a, b, ...)           one after the other
    choice(a, b, ...)             any of them
    repeat(a, minimum, maximum)   counted; no maximum: any number
    intersection(a, b, ...)       texts that all of them match
    complement(a)                 byte strings that ``a`` does not match; meet it with ``TEXT`` to stay in UTF-8
    rule(key, make)               a named part whose body is made when it is first needed: recursion, and large families
    lexeme(a)                     ``a``; marks a part worth an automaton of its own, shared by all patterns that hold it

>>> sequence(literal("a"), sequence(literal("b"), EMPTY)) is literal("ab")
True
>>> choice(literal("a"), NOTHING) is literal("a")
True
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable
from typing import Any, ClassVar, Self
from weakref import WeakValueDictionary

from rellm_agents.errors import PatternError, PatternTooLarge
from rellm_agents.patterns.charset import ALL_CHARACTERS, CharSet, Range

MAX_DEPTH = 150  # nodes inside each other, since derivatives are taken recursively


class Node:
    """A set of texts. Compared and hashed by identity; equal nodes are the same object.

    Attributes:
        nullable: the empty text is a member. Only known for nodes without rules (``False`` for rules).
        has_rules: a rule stands somewhere inside.
        has_marks: a lexeme mark stands somewhere inside.
        depth: nodes inside each other, up to the next rule.
        has_boolean: an intersection or a complement stands somewhere inside, so that emptiness has to be searched.
    """

    __slots__ = ("__weakref__", "depth", "has_boolean", "has_marks", "has_rules", "nullable")
    nullable: bool
    depth: int
    has_rules: bool
    has_marks: bool
    has_boolean: bool

    _interned: ClassVar[WeakValueDictionary[tuple[Any, ...], Node]] = WeakValueDictionary()
    _lock: ClassVar[threading.RLock] = threading.RLock()

    @classmethod
    def _make(cls, *fields: Any) -> Self:
        """The one node of this kind with these fields."""
        key = (cls, *fields)
        found = Node._interned.get(key)
        if found is None:
            with Node._lock:
                found = Node._interned.get(key)
                if found is None:
                    found = cls.__new__(cls)
                    found._fill(*fields)
                    Node._interned[key] = found
        return found  # type: ignore[return-value]  # the class is part of the key

    _fill: Callable[..., None]  # sets the fields; each kind has its own

    def _inherit(self, parts: Iterable[Node], *, nullable: bool) -> None:
        self.nullable = nullable
        self.has_rules = self.has_marks = self.has_boolean = False
        self.depth = 1
        for part in parts:
            self.depth = max(self.depth, part.depth + 1)
            self.has_rules |= part.has_rules
            self.has_marks |= part.has_marks
            self.has_boolean |= part.has_boolean
        if self.depth > MAX_DEPTH:
            raise PatternTooLarge(f"a pattern is nested {self.depth} deep, {MAX_DEPTH} at most: a rule can stand for its inner part")

    @property
    def is_plain(self) -> bool:
        """Neither rules nor lexeme marks inside: one automaton can stand for the whole node."""
        return not (self.has_rules or self.has_marks)


class Literal(Node):
    """Exactly ``data``, UTF-8 bytes. Only derivatives make literals that begin inside a character."""

    __slots__ = ("data",)
    __match_args__ = ("data",)
    data: bytes

    def _fill(self, data: bytes) -> None:
        self.data = data
        self._inherit((), nullable=not data)

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


class Sequence(Node):
    """The parts one after the other; at least two, none of them a sequence or empty."""

    __slots__ = ("parts",)
    __match_args__ = ("parts",)
    parts: tuple[Node, ...]

    def _fill(self, *parts: Node) -> None:
        self.parts = parts
        self._inherit(parts, nullable=all(p.nullable for p in parts))


class Choice(Node):
    """Any of the options; none of them a choice, none twice. No options: nothing matches."""

    __slots__ = ("options",)
    __match_args__ = ("options",)
    options: tuple[Node, ...]

    def _fill(self, *options: Node) -> None:
        self.options = options
        self._inherit(options, nullable=any(p.nullable for p in options))


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


class Intersection(Node):
    """Texts that all of ``parts`` match; at least two."""

    __slots__ = ("parts",)
    __match_args__ = ("parts",)
    parts: tuple[Node, ...]

    def _fill(self, *parts: Node) -> None:
        self.parts = parts
        self._inherit(parts, nullable=all(p.nullable for p in parts))
        self.has_boolean, self.has_marks = True, False


class Complement(Node):
    """Byte strings that ``inner`` does not match."""

    __slots__ = ("inner",)
    __match_args__ = ("inner",)
    inner: Node

    def _fill(self, inner: Node) -> None:
        self.inner = inner
        self._inherit((inner,), nullable=not inner.nullable)
        self.has_boolean, self.has_marks = True, False


class Rule(Node):
    """A named part. ``key`` tells rules apart; the body is made once, when it is first asked for."""

    __slots__ = ("_body", "_make_body", "key")
    __match_args__ = ("key",)
    key: Hashable

    def _fill(self, key: Hashable, make: Callable[[], Node]) -> None:
        self.key, self._make_body = key, make
        self._body: Node | None = None
        self._inherit((), nullable=False)
        self.has_rules = True

    @property
    def body(self) -> Node:
        """What the rule stands for."""
        if self._body is None:
            with Node._lock:
                if self._body is None:
                    self._body = self._make_body()
        return self._body


class Lexeme(Node):
    """``inner``, with an automaton of its own that all patterns share."""

    __slots__ = ("inner",)
    __match_args__ = ("inner",)
    inner: Node

    def _fill(self, inner: Node) -> None:
        self.inner = inner
        self._inherit((inner,), nullable=inner.nullable)
        self.has_marks = True


AnyNode = Literal | Characters | Tail | Sequence | Choice | Repeat | Intersection | Complement | Rule | Lexeme


def literal(text: str | bytes) -> Node:
    """Exactly ``text``.

    Args:
        text: characters, or the same in UTF-8.

    Raises:
        PatternError: the characters hold a lone surrogate, or the bytes are no UTF-8.
    """
    try:
        return byte_literal((text if isinstance(text, str) else text.decode("utf-8")).encode("utf-8"))
    except UnicodeEncodeError as error:
        raise PatternError(f"{text!r} holds a lone surrogate at position {error.start}, which UTF-8 cannot write") from error
    except UnicodeDecodeError as error:
        raise PatternError(f"{text!r} is no UTF-8: {error.reason} at position {error.start}") from error


def byte_literal(data: bytes) -> Node:
    """Exactly these bytes, which may begin inside a character; for derivatives only."""
    return Literal._make(data)


def characters(charset: CharSet) -> Node:
    """One character of ``charset``; the empty set matches nothing."""
    if not charset:
        return NOTHING
    (first, last), *others = charset.ranges
    if first == last and not others:
        return literal(chr(first))
    return Characters._make(charset)


def tail(ranges: tuple[Range, ...], count: int) -> Node:
    """The last ``count`` bytes of a character, their payload in ``ranges``; see :class:`Tail`."""
    return Tail._make(ranges, count) if count else EMPTY


def sequence(*parts: Node) -> Node:
    """The parts one after the other.

    >>> sequence() is EMPTY, sequence(literal("a"), NOTHING) is NOTHING
    (True, True)
    """
    flat: list[Node] = []
    for part in parts:
        for piece in part.parts if isinstance(part, Sequence) else (part,):
            if piece is NOTHING:
                return NOTHING
            if isinstance(piece, Literal) and flat and isinstance(flat[-1], Literal):
                flat[-1] = Literal._make(flat[-1].data + piece.data)  # e.g. "a", "b" -> "ab"
            elif piece is not EMPTY:
                flat.append(piece)
    if len(flat) < 2:
        return flat[0] if flat else EMPTY
    return Sequence._make(*flat)


def choice(*options: Node) -> Node:
    """Any of the options.

    >>> choice(literal("a"), literal("a")) is literal("a")
    True
    """
    flat: dict[Node, None] = {}
    for option in options:
        for one in option.options if isinstance(option, Choice) else (option,):
            if one is ANYTHING:
                return ANYTHING
            flat[one] = None
    if len(flat) == 1:
        return next(iter(flat))
    return Choice._make(*flat)


def optional(inner: Node) -> Node:
    """``inner`` or the empty text."""
    return repeat(inner, 0, 1)


def repeat(inner: Node, minimum: int = 0, maximum: int | None = None) -> Node:
    """``inner``, ``minimum`` to ``maximum`` times; no maximum: any number of times.

    Raises:
        PatternError: the bounds are negative or the wrong way round.
    """
    if minimum < 0 or (maximum is not None and maximum < minimum):
        raise PatternError(f"no repeat from {minimum} to {maximum} times: the bounds must be 0 <= minimum <= maximum")
    if inner is NOTHING:
        return EMPTY if minimum == 0 else NOTHING
    if maximum == 0 or inner is EMPTY:
        return EMPTY
    if minimum == maximum == 1:
        return inner
    if inner.nullable:
        minimum = 0  # e.g. (a?){2,3} -> (a?){0,3}
    match inner:
        case Repeat(_, 0 | 1, None) if maximum is None:
            return repeat(inner.inner, minimum * inner.minimum)  # e.g. (a+){2,} -> a{2,}
    return Repeat._make(inner, minimum, maximum)


def intersection(*parts: Node) -> Node:
    """Texts that all of the parts match.

    Raises:
        PatternError: a part holds rules; what recurses cannot be intersected.
    """
    flat: dict[Node, None] = {}
    for part in parts:
        _refuse_rules(part, "an intersection")
        for one in part.parts if isinstance(part, Intersection) else (part,):
            if one is NOTHING:
                return NOTHING
            if one is not ANYTHING:
                flat[one] = None
    if len(flat) < 2:
        return next(iter(flat), ANYTHING)
    return Intersection._make(*flat)


def complement(inner: Node) -> Node:
    """Byte strings that ``inner`` does not match.

    Raises:
        PatternError: ``inner`` holds rules; what recurses cannot be complemented.
    """
    _refuse_rules(inner, "a complement")
    return inner.inner if isinstance(inner, Complement) else Complement._make(inner)


def difference(whole: Node, *minus: Node) -> Node:
    """Texts of ``whole`` that none of ``minus`` match."""
    return intersection(whole, *(complement(m) for m in minus))


def not_containing(*parts: Node | str) -> Node:
    """Any text in which none of ``parts`` occurs.

    >>> from rellm_agents.patterns.automaton import Automaton
    >>> Automaton.of(not_containing("stop")).matches(b"no sto p here")
    True
    """
    inner = choice(*(literal(p) if isinstance(p, str) else p for p in parts))
    return difference(TEXT, sequence(TEXT, inner, TEXT))


def rule(key: Hashable, make: Callable[[], Node]) -> Node:
    """A named part whose body ``make()`` is called for when it is first needed.

    Args:
        key: what tells this rule from all others in the process; put the object that owns the family into it.
        make: the body; may name this rule again, behind at least one character.
    """
    found = Node._interned.get((Rule, key))
    if found is not None:
        return found
    with Node._lock:
        found = Node._interned.get((Rule, key))
        if found is None:
            found = Rule.__new__(Rule)
            found._fill(key, make)
            Node._interned[(Rule, key)] = found
    return found


def lexeme(inner: Node) -> Node:
    """``inner``; its automaton and all token work on it are shared by the patterns that hold it.

    Raises:
        PatternError: ``inner`` holds rules.
    """
    _refuse_rules(inner, "a lexeme")
    return inner if isinstance(inner, (Literal, Lexeme)) or inner is NOTHING else Lexeme._make(inner)


def _refuse_rules(node: Node, where: str) -> None:
    if node.has_rules:
        raise PatternError(f"{where} cannot hold a rule (a part that is made on demand and may recurse): only what one automaton can say")


EMPTY: Node = Literal._make(b"")
NOTHING: Node = Choice._make()
ANYTHING: Node = Complement._make(NOTHING)  # every byte string
CHARACTER: Node = Characters._make(ALL_CHARACTERS)
TEXT: Node = Repeat._make(CHARACTER, 0, None)  # every text
