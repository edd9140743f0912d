"""The types of nodes, each with its fields and what it derives from them: whether it matches the empty text, its depth, its flags.

Front ends call none of these: the constructors in ``constructors.py`` do, which own the invariants. Knows no automata.

>>> Literal._make(b"a") is Literal._make(b"a")
True
"""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Hashable, Iterable
from typing import Any, ClassVar, NamedTuple, Protocol, cast

from rellm_agents.errors import PatternError
from rellm_agents.patterns.ir.after_capture import AllDifferent, WrittenAgain
from rellm_agents.patterns.ir.charset import COMMON_BYTES, CharSet, Range
from rellm_agents.patterns.ir.node import BOOLEAN, CLASSES, HAS_LEXEME, MAYBE_EMPTY, RARE_BYTES, RULES, SPECIAL, Node
from rellm_agents.patterns.ir.special_tokens import holds_special, shown


class Terminal(Node):
    """A node without rules and captures inside: one automaton stands for it."""

    __slots__ = ()


class Literal(Terminal):
    """Exactly ``data``: UTF-8 and special tokens. Only derivatives make literals that begin inside a character or token."""

    __slots__ = ("data",)
    __match_args__ = ("data",)
    data: bytes

    def _fill(self, data: bytes) -> None:
        self.data, self.nullable, self.depth, self.positions = data, not data, 1, len(data)
        self.inside = (RARE_BYTES | SPECIAL if holds_special(data) else RARE_BYTES) if data.translate(None, COMMON_BYTES) else 0

    @property
    def text(self) -> str:
        """The data as text, special tokens as their contents."""
        return shown(self.data).decode("utf-8")


class Characters(Terminal):
    """One character of ``charset``."""

    __slots__ = ("charset",)
    __match_args__ = ("charset",)
    charset: CharSet

    def _fill(self, charset: CharSet) -> None:
        self.charset = charset
        self._inherit((), nullable=False)
        self.positions, self.inside = 1, CLASSES if charset.is_spelled_by_common_bytes else CLASSES | RARE_BYTES


class Utf8Tail(Terminal):
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
            self.inside = MAYBE_EMPTY


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


class Intersection(Terminal):
    """Texts that all of ``parts`` match; at least two."""

    __slots__ = ("parts",)
    __match_args__ = ("parts",)
    parts: tuple[Node, ...]

    def _fill(self, *parts: Node) -> None:
        self.parts = parts
        self._inherit(parts, nullable=all(p.nullable for p in parts))
        self.inside = CLASSES | BOOLEAN | RARE_BYTES | MAYBE_EMPTY


class Complement(Terminal):
    """Byte strings that ``inner`` does not match."""

    __slots__ = ("inner",)
    __match_args__ = ("inner",)
    inner: Node

    def _fill(self, inner: Node) -> None:
        self.inner = inner
        self._inherit((inner,), nullable=not inner.nullable)
        self.inside = CLASSES | BOOLEAN | RARE_BYTES | MAYBE_EMPTY


class Rule(Node):
    """A nonterminal of the grammar: ``key`` tells rules apart; the body is made once, when it is first asked for.

    Attributes:
        lock: is held while a body is made, which may need machines and automata, whose locks are taken after this one. The lock of
            nodes comes last: whoever holds it asks for no other.
    """

    lock: ClassVar[threading.RLock] = threading.RLock()
    __slots__ = ("_body", "_make_body", "_make_witness", "_witness", "key")
    __match_args__ = ("key",)
    key: Hashable

    def _fill(self, key: Hashable, make: Callable[[], Node], flags: int, make_witness: Callable[[], Node] | None = None) -> None:
        self.key = key
        self._make_body: Callable[[], Node] | None = make  # both are dropped once called: they may hold objects that hold this rule
        self._make_witness = make_witness
        self._body: Node | None = None
        self._witness: Node | None = None
        self._inherit((), nullable=False)
        self.inside = RULES | flags

    @property
    def body(self) -> Node:
        """The node that the rule stands for."""
        if self._body is None:
            with Rule.lock:
                if self._body is None:
                    assert self._make_body is not None
                    made = self._make_body()
                    if made.has_special and not self.has_special:
                        raise PatternError(f"the rule {self.key!r} holds a special token and does not say so: rule(..., special=True)")
                    self._body, self._make_body = made, None
        return self._body

    @property
    def has_witness(self) -> bool:
        """A witness of its own is measured in place of the body, which may be too large to be looked through."""
        return self._make_witness is not None or self._witness is not None

    @property
    def witness(self) -> Node:
        """A node that holds a cheapest text of the body and no texts but its own; or the body. It is what costs are taken of."""
        if not self.has_witness:
            return self.body
        if self._witness is None:
            with Rule.lock:
                if self._witness is None:
                    assert self._make_witness is not None
                    self._witness = self._make_witness()
                    self._make_witness = None
        return self._witness


class Capture(Node):
    """A text of ``inner`` that is none of ``excluded``, then ``then``, then the node that :meth:`continue_with` gives for that text.

    Attributes:
        inner: the texts that can be captured; none is empty.
        excluded: the texts that may not be captured.
        then: what follows the text, whatever it was.
        key: tells this capture from others with the same nodes.
        first_bytes: the bytes with which the texts of :meth:`continue_with` can begin; ``None`` if they are not known.
        leaves: what has to be written after the text; ``None``: no text leaves more than a cheapest one.
    """

    __slots__ = ("_longest", "_make_continuation", "_ordered", "excluded", "first_bytes", "inner", "key", "leaves", "then")
    __match_args__ = ("inner", "excluded", "then", "key")
    inner: Node
    excluded: frozenset[bytes]
    then: Node
    key: Hashable
    first_bytes: frozenset[int] | None

    def _fill(  # noqa: PLR0917 - one for each field
        self,
        inner: Node,
        excluded: frozenset[bytes],
        then: Node,
        key: Hashable,
        make: Callable[[bytes], Node],
        flags: int,
        first_bytes: bytes | None,
        leaves: AllDifferent | WrittenAgain | None = None,
    ) -> None:
        self.leaves = leaves
        self.inner, self.excluded, self.then, self.key, self._make_continuation = inner, excluded, then, key, make
        self.first_bytes = None if first_bytes is None else frozenset(first_bytes)
        self._ordered: list[bytes] | None = None
        self._longest: int | None = None
        self._inherit((inner, then), nullable=False)
        self.inside = RULES | flags | (then.inside & SPECIAL)

    def continue_with(self, text: bytes) -> Node:
        """The node that follows ``then`` after the text ``text``.

        Raises:
            PatternError: it holds a special token, which nothing could know beforehand.
        """
        made = self._make_continuation(text)
        if made.has_special:
            raise PatternError("what follows the text of a capture holds a special token: put it into ``then``, or after the capture")
        return made

    @property
    def ordered(self) -> list[bytes]:
        """The excluded texts, ascending."""
        if self._ordered is None:
            self._ordered = sorted(self.excluded)
        return self._ordered

    @property
    def longest_excluded(self) -> int:
        """The number of bytes of the longest excluded text."""
        if self._longest is None:
            self._longest = max(map(len, self.excluded), default=0)
        return self._longest

    def beginning(self, text: bytes) -> tuple[int, int]:
        """The range of indices of those ``ordered`` texts that begin with ``text``: first, and one after the last."""
        ordered = self.ordered
        low = bisect_left(ordered, text)
        if low == len(ordered) or not ordered[low].startswith(text):
            return low, low
        size = len(text)
        return low, bisect_right(ordered, text, low, key=lambda one: one[:size])


class Lexeme(Terminal):
    """``inner``, with an automaton of its own that all patterns share."""

    __slots__ = ("inner",)
    __match_args__ = ("inner",)
    inner: Node

    def _fill(self, inner: Node) -> None:
        self.inner = inner
        self._inherit((inner,), nullable=inner.nullable)
        self.inside |= HAS_LEXEME


class Extent(NamedTuple):
    """How long the texts are that lead from a state to an end.

    Attributes:
        fewest: a lower bound on their bytes.
        most: an upper bound; ``None``: there is none.
        shortest: a node of some of these texts, the shortest ones as a rule.
    """

    fewest: int
    most: int | None
    shortest: Node


class TransitionFunctions(Protocol):
    """An automaton that is given by functions: pure, with a hash and a ``repr`` by value.

    States have them by value too; from each state, finitely many can be reached.

    Attributes:
        symbol: the node of whose texts each move reads one, where that is known.
        flags: those of ``BOOLEAN``, ``RARE_BYTES`` and ``MAYBE_EMPTY`` that hold of some state; ``BOOLEAN``: the end has to be searched.
    """

    @property
    def symbol(self) -> Node | None: ...  # noqa: D102
    @property
    def flags(self) -> int: ...  # noqa: D102

    def accepts(self, state: Any, /) -> bool:
        """Whether a text may end in ``state``."""

    def moves(self, state: Any, /) -> Iterable[tuple[str | Node, Any]]:
        """Characters of ASCII, or a node, and the state that follows. No two moves share a text, and none begins with another's."""

    def extent(self, state: Any, /) -> Extent | None:
        """How long the texts from ``state`` are; ``None``: it is found by a search."""

    def __hash__(self) -> int: ...


class Dfa(Terminal):
    """Texts that lead ``functions`` from ``state`` to where it accepts."""

    __slots__ = ("functions", "state")
    __match_args__ = ("functions", "state")
    functions: TransitionFunctions
    state: Hashable

    def _fill(self, functions: TransitionFunctions, state: Hashable) -> None:
        self.functions, self.state = functions, state
        self._inherit((), nullable=functions.accepts(state))
        self.positions, self.inside = 1, CLASSES | functions.flags


AnyNode = Literal | Characters | Utf8Tail | Sequence | Choice | Repeat | Intersection | Complement | Dfa | Rule | Capture | Lexeme


def directly_inside(node: Node) -> tuple[Node, ...]:
    """The nodes in the fields of a node; none of a rule, whose body is made only on demand."""
    match cast(AnyNode, node):
        case Sequence(parts) | Choice(parts) | Intersection(parts):
            return parts
        case Repeat(inner) | Complement(inner) | Lexeme(inner):
            return (inner,)
        case Capture(inner, _, then):
            return (inner, then)
        case Literal() | Characters() | Utf8Tail() | Dfa() | Rule():
            return ()


def conditions_at_once(node: Node) -> int:
    """How many nodes without rules a text has to match or to avoid at the same time, at most.

    >>> from rellm_agents.patterns.ir.constructors import complement, intersection, literal, repeat
    >>> conditions_at_once(intersection(repeat(literal("a")), repeat(literal("aa")), complement(literal("aa"))))
    3
    """
    most, waiting, seen = 1, [node], {node}
    while waiting:
        match waiting.pop():
            case Intersection(parts):
                most, inner = max(most, len(parts)), parts
            case Sequence(parts) | Choice(parts):
                inner = parts
            case Repeat(one) | Complement(one) | Lexeme(one):
                inner = (one,)
            case _:
                inner = ()
        new = [part for part in inner if part.inside & BOOLEAN and part not in seen]
        seen.update(new)
        waiting += new
    return most
