"""Cells: what a thread of the machine is reading, how far, and what must follow. Each cell reads bytes by itself.

    LiteralCell   in a literal, before one of its bytes
    SetCell       in one of many literals that begin alike, each with what follows it
    LexemeCell    in a state of an automaton
    CounterCell   in a counted repeat: a state of the automaton of its inner part, and how many iterations are done
    CaptureCell   in the text of a capture: a state of the machine of its inner part, and the text so far

A cell with its continuation is one term of a partial derivative (Antimirov, 1996; see :mod:`rellm_agents.patterns.machine.machine`).
Cells are immutable and interned by their machine: equal ones are the same object, compared and hashed by identity. A cell knows its
machine only as the :class:`CellMaker` that interns the cells it steps to. Knows nothing of tokens.

>>> from rellm_agents.patterns.machine import Machine
>>> from rellm_agents.patterns.ir import literal
>>> Machine.of(literal("abc")).start.cells[0].rest
b'abc'
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Protocol

from rellm_agents.patterns.automaton import DEAD, Automaton, may_end
from rellm_agents.patterns.ir import EMPTY, Capture, Node
from rellm_agents.patterns.machine.literal_set import LiteralSet

_ids = count(1)


class Continuation:
    """``node``, then ``then``; ``None`` in place of a continuation is the end of the text.

    Attributes:
        id: unique while the process lives, never 0; part of the keys of the tables that intern cells.
        depth: the number of continuations up to the end of the text; negative if they end in ``HOLE``.
    """

    __slots__ = ("__weakref__", "depth", "id", "node", "then")

    def __init__(self, node: Node, then: Continuation | None) -> None:
        self.node, self.then = node, then
        self.depth: int = 1 if then is None else then.depth + 1
        self.id = next(_ids)


HOLE = Continuation(EMPTY, None)
"""Stands for an unknown continuation, in machines of inner parts that are shared by all their uses."""
HOLE.depth = -(1 << 40)


class CellMaker(Protocol):
    """What cells ask of their machine: the interned cells and continuations that follow them. The machine has more."""

    def run(self, state: State, data: bytes, /) -> State:
        """The state after all bytes of ``data``."""

    def continuation(self, node: Node, then: Continuation | None, /) -> Continuation | None:
        """``node``, then ``then``."""

    def within_literal(self, cell: LiteralCell, offset: int, /) -> LiteralCell:
        """The cell before another byte of the same literal."""

    def set_cell(self, members: LiteralSet, low: int, high: int, offset: int, then: Continuation | None, /) -> SetCell | LiteralCell:
        """A cell of a set of literals."""

    def lexeme_cell(self, automaton: Automaton, state: int, then: Continuation | None, /) -> LexemeCell:
        """The cell of a state of an automaton."""

    def counter_cell(
        self, automaton: Automaton, state: int, done: int, minimum: int, maximum: int | None, then: Continuation | None, /
    ) -> Cell | None:
        """A cell of a counted repeat, if a byte can follow."""

    def capture_cell(self, node: Capture, state: State, text: bytes, then: Continuation | None, /) -> CaptureCell | None:
        """A cell in the text of a capture, if some longer text is allowed."""

    def after_capture(self, node: Capture, text: bytes, then: Continuation | None, /) -> Continuation | None:
        """What follows the text of a capture."""


class State:
    """A state of a machine: the set of its cells, and whether the text may end. Compared and hashed by identity.

    Attributes:
        id: unique while the process lives; a cheap cache key.
        machine: whose state it is; ``None`` only for the dead state.
        cells: in the order in which they were first made.
        accepting: the text may end here.
    """

    __slots__ = ("__weakref__", "accepting", "cells", "id", "machine")

    def __init__(self, machine: CellMaker | None, cells: tuple[Cell, ...], *, accepting: bool) -> None:
        self.machine, self.cells, self.accepting = machine, cells, accepting
        self.id = next(_ids)

    def after(self, data: bytes) -> State:
        """The state after all bytes of ``data``; one without a machine if no text begins so."""
        return self if self.machine is None else self.machine.run(self, data)

    @property
    def is_final(self) -> bool:
        """The text may end here and cannot be continued."""
        return self.accepting and not self.cells


Exit = tuple["Continuation | None", int]  # what follows a cell, and the offset in the data at which the cell may end


class _Cell(State):
    """What all cells have and can do. No protocol or abstract class: their instance checks are slow.

    A cell is also the state that consists of it alone and does not accept: most states are such, and need no object of their own.
    """

    __slots__ = ("then",)
    accepting = False  # in all of them

    def __init__(self, then: Continuation | None) -> None:
        self.then = then
        self.id = next(_ids)

    @property  # a stored tuple would be one more object, and a reference cycle
    def cells(self) -> tuple[Cell, ...]:  # type: ignore[override]
        """The cell itself."""
        return (self,)  # type: ignore[return-value]

    read: Callable[..., tuple[Cell | None, list[Exit]]]
    """Read ``data`` from offset ``at`` on: the cell in which ``data`` ends, if any, and the exits, where this cell may end before or
    with ``data``. Each class has its own. Args: the machine, ``data``, ``at``."""


class LiteralCell(_Cell):
    """Before byte ``offset`` of ``data``; then ``then``."""

    __slots__ = ("data", "key", "offset")

    def __init__(self, data: bytes, offset: int, then: Continuation | None, key: int) -> None:
        self.data, self.offset, self.then = data, offset, then
        self.key = key  # of the cell before the first byte of the same literal, in its machine
        self.id = next(_ids)

    @property
    def rest(self) -> bytes:
        """What is still to be read."""
        return self.data[self.offset :]

    def read(self, machine: CellMaker, data: bytes, at: int) -> tuple[Cell | None, list[Exit]]:
        """See :class:`_Cell`."""
        end = self.offset + len(data) - at
        if end < len(self.data):
            return (machine.within_literal(self, end) if self.data.startswith(data[at:] if at else data, self.offset) else None), []
        return None, [(self.then, len(data) - (end - len(self.data)))] if data.startswith(self.rest, at) else []


class SetCell(_Cell):
    """Before byte ``offset`` of members ``low`` to ``high`` of a set, which are equal up to there; then the rest of each, then ``then``."""

    __slots__ = ("high", "low", "members", "offset")

    def __init__(self, members: LiteralSet, low: int, high: int, offset: int, then: Continuation | None) -> None:
        super().__init__(then)
        self.members, self.low, self.high, self.offset = members, low, high, offset

    def read(self, machine: CellMaker, data: bytes, at: int) -> tuple[Cell | None, list[Exit]]:
        """See :class:`_Cell`."""
        members, low, high, offset = self.members, self.low, self.high, self.offset
        exits: list[Exit] = []
        while at < len(data):
            low, high = members.narrowed(low, high, offset, data[at])
            at, offset = at + 1, offset + 1
            if low < high and len(members.texts[low]) == offset:  # texts ascend: only the first can end here
                exits.append((machine.continuation(members.rests[low], self.then), at))
                low += 1
            if low == high:
                return None, exits
        return machine.set_cell(members, low, high, offset, self.then), exits


class LexemeCell(_Cell):
    """In ``state`` of ``automaton``, from which a byte can follow; then ``then``."""

    __slots__ = ("automaton", "state")

    def __init__(self, automaton: Automaton, state: int, then: Continuation | None) -> None:
        super().__init__(then)
        self.automaton, self.state = automaton, state

    def read(self, machine: CellMaker, data: bytes, at: int) -> tuple[Cell | None, list[Exit]]:
        """See :class:`_Cell`."""
        automaton, state = self.automaton, self.state
        accepting, rows = automaton.accepting, automaton.rows
        exits: list[Exit] = []
        for end in range(at, len(data)):
            state = (rows[state] or automaton.row(state))[data[end]]
            if state == DEAD:
                return None, exits
            if accepting[state]:
                exits.append((self.then, end + 1))
        if state == self.state:
            return self, exits
        return (None if automaton.is_final(state) else machine.lexeme_cell(automaton, state, self.then)), exits


class CounterCell(_Cell):
    """In a repeat of ``minimum`` to ``maximum`` iterations, of which ``done`` are done; then ``then``.

    ``automaton`` is that of the same repeat without bounds. No text of the repeated part begins with another of its texts,
    so each time the automaton accepts, one more iteration is done, and the count is known. If it is a ``CountedAutomaton``, some number of
    iterations that the bounds allow leads from here to the end, and a byte can follow.
    """

    __slots__ = ("automaton", "done", "maximum", "minimum", "state")

    def __init__(self, automaton: Automaton, state: int, done: int, minimum: int, maximum: int | None, then: Continuation | None) -> None:
        super().__init__(then)
        self.automaton, self.state, self.done = automaton, state, done
        self.minimum, self.maximum = minimum, maximum

    @property
    def missing(self) -> tuple[int, int | None]:
        """How many more iterations there may be, at least and at most, the one that was begun included; ``None``: any number."""
        return self.minimum - self.done, None if self.maximum is None else self.maximum - self.done

    def read(self, machine: CellMaker, data: bytes, at: int) -> tuple[Cell | None, list[Exit]]:
        """See :class:`_Cell`."""
        automaton, state, done = self.automaton, self.state, self.done
        accepting = automaton.accepting
        exits: list[Exit] = []
        for end in range(at, len(data)):
            if done == self.maximum and accepting[state]:
                return None, exits
            state = automaton.step(state, data[end])
            if state == DEAD:
                return None, exits
            if accepting[state]:
                done += 1
                if done >= self.minimum and may_end(automaton, state):
                    exits.append((self.then, end + 1))
        return machine.counter_cell(automaton, state, done, self.minimum, self.maximum, self.then), exits


class CaptureCell(_Cell):
    """In the text of ``node.inner``: ``text`` was read, which led the machine of the inner part to ``state``; then ``then``.

    Some longer text that begins with ``text`` is allowed.
    """

    __slots__ = ("node", "state", "text")

    def __init__(self, node: Capture, state: State, text: bytes, then: Continuation | None) -> None:
        super().__init__(then)
        self.node, self.state, self.text = node, state, text

    def read(self, machine: CellMaker, data: bytes, at: int) -> tuple[Cell | None, list[Exit]]:
        """See :class:`_Cell`."""
        node, state = self.node, self.state
        exits: list[Exit] = []
        for end in range(at + 1, len(data) + 1):
            state = state.after(data[end - 1 : end])
            if state.machine is None:
                return None, exits
            if state.accepting and (text := self.text + data[at:end]) not in node.excluded:
                exits.append((machine.after_capture(node, text, self.then), end))
        return machine.capture_cell(node, state, self.text + data[at:], self.then), exits


Cell = LiteralCell | SetCell | LexemeCell | CounterCell | CaptureCell
