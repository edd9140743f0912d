"""Any node in, a state machine over bytes out: threads of terminals with what must follow each.

A state is a set of *cells*. A cell is the place in a terminal - an offset in a literal, a state in the automaton of
a lexeme - with its *continuation*, the nodes that follow (Antimirov, "Partial derivatives of regular expressions",
1996). A continuation grows where a rule is entered, so recursion needs no bound and nothing that was not met is made.
Cells, continuations and states are interned: equal ones are the same object, and hashing them is cheap.
Knows nothing of tokens.

>>> from rellm_agents.patterns.nodes import literal, repeat, sequence
>>> state = start(sequence(repeat(literal("a")), literal("b")))
>>> [step(state, byte) is DEAD_STATE for byte in b"abc"]
[False, False, True]
>>> step(state, ord("b")).accepting
True
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import lru_cache
from itertools import count
from typing import Any, cast
from weakref import WeakValueDictionary

from rellm_agents.errors import PatternTooLarge
from rellm_agents.patterns.automaton import DEAD, START, Automaton
from rellm_agents.patterns.kinds import (
    AnyNode,
    Characters,
    Choice,
    Complement,
    Intersection,
    Lexeme,
    Literal,
    Node,
    Repeat,
    Rule,
    Sequence,
    Tail,
)
from rellm_agents.patterns.measure import byte_length
from rellm_agents.patterns.nodes import EMPTY, repeat

MAX_EXPANSION = 100_000  # nodes entered before a byte is read
MAX_CELLS = 10_000  # alternatives alive at the same place
MAX_STEPS = 32_768  # remembered, least recently used dropped


class Continuation:
    """``node``, then ``then``; ``None`` in place of a continuation is the end of the text."""

    __slots__ = ("__weakref__", "node", "then")

    def __init__(self, node: Node, then: Continuation | None) -> None:
        self.node, self.then = node, then


class LiteralCell:
    """Before byte ``offset`` of ``data``; then ``then``."""

    __slots__ = ("__weakref__", "data", "offset", "serial", "then")

    def __init__(self, data: bytes, offset: int, then: Continuation | None) -> None:
        self.data, self.offset, self.then = data, offset, then
        self.serial = next(_serial)


class LexemeCell:
    """In ``state`` of ``automaton``, from which a byte can follow; then ``then``."""

    __slots__ = ("__weakref__", "automaton", "serial", "state", "then")

    def __init__(self, automaton: Automaton, state: int, then: Continuation | None) -> None:
        self.automaton, self.state, self.then = automaton, state, then
        self.serial = next(_serial)


Cell = LiteralCell | LexemeCell


class State:
    """Where the machine stands.

    Attributes:
        cells: the places it may be in, in the order they were first made.
        accepting: the text may end here.
    """

    __slots__ = ("__weakref__", "accepting", "cells")

    def __init__(self, cells: tuple[Cell, ...], *, accepting: bool) -> None:
        self.cells, self.accepting = cells, accepting

    @property
    def is_final(self) -> bool:
        """The text may end here and cannot go on."""
        return self.accepting and not self.cells


_serial = count()
_interned: WeakValueDictionary[tuple[Any, ...], Any] = WeakValueDictionary()
_lock = threading.RLock()


def _intern(kind: Callable[..., Any], *fields: Any) -> Any:
    key = (kind, *fields)
    found = _interned.get(key)
    if found is None:
        with _lock:
            found = _interned.get(key)
            if found is None:
                found = _interned[key] = kind(*fields)
    return found


def _state(cells: tuple[Cell, ...], accepting: bool) -> State:  # noqa: FBT001  # fields of an interned value
    return State(cells, accepting=accepting)


DEAD_STATE = State((), accepting=False)


def start(node: Node) -> State:
    """The state before the first byte of ``node``."""
    return expand(node, None)


@lru_cache(maxsize=MAX_STEPS)
def step(state: State, byte: int) -> State:
    """The state after one more byte; ``DEAD_STATE`` if no text goes on with it.

    Raises:
        PatternTooLarge: a bound of this module or of an automaton is passed, as by a rule that begins with itself.
    """
    gathered = _Gathered()
    for cell in state.cells:
        if isinstance(cell, LiteralCell):
            if cell.data[cell.offset] == byte:
                gathered.literal(cell.data, cell.offset + 1, cell.then)
        else:
            gathered.lexeme(cell.automaton, cell.automaton.step(cell.state, byte), cell.then)
    return gathered.state()


def expand(node: Node, then: Continuation | None) -> State:
    """The state before ``node`` followed by ``then``."""
    return resume(_continuation(node, then))


def resume(then: Continuation | None) -> State:
    """The state before what ``then`` says."""
    gathered = _Gathered()
    gathered.go_on(then)
    return gathered.state()


def run(state: State, data: bytes) -> State:
    """The state after all bytes of ``data``; the same as by :func:`step`, but where one cell is alive in longer strides."""
    at = 0
    while at < len(data) and state is not DEAD_STATE:
        if len(state.cells) == 1:
            state, at = _stride(state.cells[0], data, at)
        else:
            state = step(state, data[at])
            at += 1
    return state


def _stride(cell: Cell, data: bytes, at: int) -> tuple[State, int]:
    """The state after bytes of ``data`` from ``at`` on that concern ``cell`` alone, and where they end."""
    gathered = _Gathered()
    match cell:
        case LiteralCell():
            taken = min(len(cell.data) - cell.offset, len(data) - at)
            if data[at : at + taken] == cell.data[cell.offset : cell.offset + taken]:
                gathered.literal(cell.data, cell.offset + taken, cell.then)
            return gathered.state(), at + taken
        case LexemeCell():
            automaton, state = cell.automaton, cell.state
            while at < len(data):
                state = automaton.step(state, data[at])
                at += 1
                if state == DEAD or automaton.accepting[state]:
                    break
            gathered.lexeme(automaton, state, cell.then)
            return gathered.state(), at


class _Gathered:
    """The cells of one state while it is put together."""

    def __init__(self) -> None:
        self.cells: set[Cell] = set()
        self.accepting = False
        self._waiting: list[Continuation] = []
        self._seen: set[Continuation] = set()

    def state(self) -> State:
        self.enter_waiting()
        if not self.cells and not self.accepting:
            return DEAD_STATE
        if len(self.cells) > MAX_CELLS:
            raise PatternTooLarge(f"the pattern keeps more than {MAX_CELLS} alternatives open at the same place")
        ordered = tuple(sorted(self.cells, key=lambda cell: cell.serial))
        return cast(State, _intern(_state, ordered, self.accepting))

    def literal(self, data: bytes, offset: int, then: Continuation | None) -> None:
        if offset < len(data):
            self.cells.add(_intern(LiteralCell, data, offset, then))
        else:
            self.go_on(then)

    def lexeme(self, automaton: Automaton, state: int, then: Continuation | None) -> None:
        if state == DEAD:
            return
        if not automaton.is_final(state):
            self.cells.add(_intern(LexemeCell, automaton, state, then))
        if automaton.accepting[state]:
            self.go_on(then)

    def go_on(self, then: Continuation | None) -> None:
        if then is None:
            self.accepting = True
        else:
            self._waiting.append(then)

    def enter_waiting(self) -> None:
        while self._waiting:
            place = self._waiting.pop()
            if place in self._seen:
                continue
            self._seen.add(place)
            if len(self._seen) > MAX_EXPANSION:
                raise PatternTooLarge(
                    f"more than {MAX_EXPANSION} parts can stand at the same place: too many alternatives, or a rule that begins with itself"
                )
            self._enter(place.node, place.then)

    def _enter(self, node: Node, then: Continuation | None) -> None:
        if (node.has_rules or node.has_boolean) and byte_length(node) is None:
            return  # no text: the end could not be reached from inside
        match cast(AnyNode, node):
            case Literal(data):
                self.literal(data, 0, then)
            case Sequence(parts):
                for part in reversed(parts):
                    then = _continuation(part, then)
                self.go_on(then)
            case Choice(options):
                for option in options:
                    self.go_on(_continuation(option, then))
            case Rule() as rule:
                self.go_on(_continuation(rule.body, then))
            case Repeat(inner, minimum, maximum) if not node.is_plain:
                rest = repeat(inner, max(minimum - 1, 0), None if maximum is None else maximum - 1)
                self.go_on(_continuation(inner, _continuation(rest, then)))
                if minimum == 0:
                    self.go_on(then)
            case Characters() | Tail() | Repeat() | Intersection() | Complement() | Lexeme():
                self.lexeme(Automaton.of(node), START, then)


def _continuation(node: Node, then: Continuation | None) -> Continuation | None:
    return then if node is EMPTY else cast(Continuation, _intern(Continuation, node, then))
