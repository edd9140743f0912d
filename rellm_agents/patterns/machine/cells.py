"""Places in a pattern: what is being read, how far, and what must follow. Each cell reads bytes by itself.

    LiteralCell   in a literal, before one of its bytes
    SetCell       in one of many literals that begin alike, each with what follows it
    LexemeCell    in a state of an automaton
    CounterCell   in a counted repeat: a state of the automaton of its inner part, and how many are done
    CaptureCell    in a part on whose text it depends what follows: a state of the part's own machine, and the text so far

Cells are interned by their machine, so equal ones are the same object. Knows nothing of tokens.

>>> from rellm_agents.patterns.machine.machine import Machine
>>> from rellm_agents.patterns.ir import literal
>>> Machine.of(literal("abc")).start.cells[0].rest
b'abc'
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING

from rellm_agents.patterns.automaton import DEAD, Automaton
from rellm_agents.patterns.ir import EMPTY, Capture, Node
from rellm_agents.patterns.machine.literal_set import LiteralSet

if TYPE_CHECKING:
    from rellm_agents.patterns.machine.machine import Machine

_ids = count(1)


class Continuation:
    """``node``, then ``then``; ``None`` in place of a continuation is the end of the text.

    Attributes:
        id: tells it from all others, never 0.
        depth: continuations up to the end of the text; negative: up to ``HOLE``.
    """

    __slots__ = ("__weakref__", "depth", "id", "node", "then")

    def __init__(self, node: Node, then: Continuation | None) -> None:
        self.node, self.then = node, then
        self.depth: int = 1 if then is None else then.depth + 1
        self.id = next(_ids)


HOLE = Continuation(EMPTY, None)
"""In place of the end of the text: whatever may follow a node, not known yet."""
HOLE.depth = -(1 << 40)


class State:
    """Where a machine stands.

    Attributes:
        id: tells it from all other states.
        machine: whose state it is.
        cells: the places it may be in, in the order they were first made.
        accepting: the text may end here.
    """

    __slots__ = ("__weakref__", "accepting", "cells", "id", "machine")

    def __init__(self, machine: Machine | None, cells: tuple[Cell, ...], *, accepting: bool) -> None:
        self.machine, self.cells, self.accepting = machine, cells, accepting
        self.id = next(_ids)

    def after(self, data: bytes) -> State:
        """The state after all bytes of ``data``; one without a machine if no text goes on with them."""
        return self if self.machine is None else self.machine.run(self, data)

    @property
    def is_final(self) -> bool:
        """The text may end here and cannot go on."""
        return self.accepting and not self.cells


Exits = tuple["Continuation | None", int]  # a cell has been read to its end, before byte ``int``; what follows it


class _Place(State):
    """What all cells have and can do. No protocol or abstract class: their instance checks are slow.

    A cell is the state of being in it alone, where the text may not end: most states are such, and need no object of their own.
    """

    __slots__ = ("then",)
    accepting = False  # in all of them

    def __init__(self, then: Continuation | None) -> None:
        self.then = then
        self.id = next(_ids)

    @property  # a tuple that was kept would be one more object, and hold itself
    def cells(self) -> tuple[Cell, ...]:  # type: ignore[override]
        """The cell itself."""
        return (self,)  # type: ignore[return-value]

    read: Callable[..., tuple[Cell | None, list[Exits]]]
    """Read ``data`` in ``machine`` from ``at`` on, each kind in its way: the cell in which ``data`` ends, if any, and the places in
    ``data`` at which this one may be over."""


class LiteralCell(_Place):
    """Before byte ``offset`` of ``data``; then ``then``."""

    __slots__ = ("data", "key", "offset")

    def __init__(self, data: bytes, offset: int, then: Continuation | None, key: int) -> None:
        self.data, self.offset, self.then = data, offset, then
        self.key = key  # of the place before the first byte of the same literal, in its machine
        self.id = next(_ids)

    @property
    def rest(self) -> bytes:
        """What is still to be read."""
        return self.data[self.offset :]

    def read(self, machine: Machine, data: bytes, at: int) -> tuple[Cell | None, list[Exits]]:
        """See :class:`Cell`."""
        end = self.offset + len(data) - at
        if end < len(self.data):
            return (machine.within_literal(self, end) if self.data.startswith(data[at:] if at else data, self.offset) else None), []
        return None, [(self.then, len(data) - (end - len(self.data)))] if data.startswith(self.rest, at) else []


class SetCell(_Place):
    """Before byte ``offset`` of members ``low`` to ``high`` of a set, alike up to there; then what follows them, then ``then``."""

    __slots__ = ("high", "low", "members", "offset")

    def __init__(self, members: LiteralSet, low: int, high: int, offset: int, then: Continuation | None) -> None:
        super().__init__(then)
        self.members, self.low, self.high, self.offset = members, low, high, offset

    def read(self, machine: Machine, data: bytes, at: int) -> tuple[Cell | None, list[Exits]]:
        """See :class:`Cell`."""
        members, low, high, offset = self.members, self.low, self.high, self.offset
        leaves: list[Exits] = []
        while at < len(data):
            low, high = members.narrowed(low, high, offset, data[at])
            at, offset = at + 1, offset + 1
            if low < high and len(members.texts[low]) == offset:  # texts ascend: only the first can be over
                leaves.append((machine.continuation(members.rests[low], self.then), at))
                low += 1
            if low == high:
                return None, leaves
        return machine.set_cell(members, low, high, offset, self.then), leaves


class LexemeCell(_Place):
    """In ``state`` of ``automaton``, from which a byte can follow; then ``then``."""

    __slots__ = ("automaton", "state")

    def __init__(self, automaton: Automaton, state: int, then: Continuation | None) -> None:
        super().__init__(then)
        self.automaton, self.state = automaton, state

    def read(self, machine: Machine, data: bytes, at: int) -> tuple[Cell | None, list[Exits]]:
        """See :class:`Cell`."""
        automaton, state = self.automaton, self.state
        accepting, rows = automaton.accepting, automaton.rows
        leaves: list[Exits] = []
        for end in range(at, len(data)):
            state = (rows[state] or automaton.row(state))[data[end]]
            if state == DEAD:
                return None, leaves
            if accepting[state]:
                leaves.append((self.then, end + 1))
        if state == self.state:
            return self, leaves
        return (None if automaton.is_final(state) else machine.lexeme_cell(automaton, state, self.then)), leaves


class CounterCell(_Place):
    """In a repeat of ``minimum`` to ``maximum`` times, of which ``done`` are done; then ``then``.

    ``automaton`` is that of the same repeat without bounds. No text of the repeated part begins with another of its texts,
    so wherever the automaton accepts one more is done, and the count is known.
    """

    __slots__ = ("automaton", "done", "maximum", "minimum", "state")

    def __init__(self, automaton: Automaton, state: int, done: int, minimum: int, maximum: int | None, then: Continuation | None) -> None:
        super().__init__(then)
        self.automaton, self.state, self.done = automaton, state, done
        self.minimum, self.maximum = minimum, maximum

    def read(self, machine: Machine, data: bytes, at: int) -> tuple[Cell | None, list[Exits]]:
        """See :class:`Cell`."""
        automaton, state, done = self.automaton, self.state, self.done
        accepting = automaton.accepting
        leaves: list[Exits] = []
        for end in range(at, len(data)):
            if done == self.maximum and accepting[state]:
                return None, leaves
            state = automaton.step(state, data[end])
            if state == DEAD:
                return None, leaves
            if accepting[state]:
                done += 1
                if done >= self.minimum:
                    leaves.append((self.then, end + 1))
        return machine.counter_cell(automaton, state, done, self.minimum, self.maximum, self.then), leaves


class CaptureCell(_Place):
    """In the text of ``node.inner``: ``text`` was read, which led the machine of the inner part, as a part, to ``state``; then ``then``.

    Some longer text that begins with ``text`` is not barred.
    """

    __slots__ = ("node", "state", "text")

    def __init__(self, node: Capture, state: State, text: bytes, then: Continuation | None) -> None:
        super().__init__(then)
        self.node, self.state, self.text = node, state, text

    def read(self, machine: Machine, data: bytes, at: int) -> tuple[Cell | None, list[Exits]]:
        """See :class:`Cell`."""
        node, state = self.node, self.state
        leaves: list[Exits] = []
        for end in range(at + 1, len(data) + 1):
            state = state.after(data[end - 1 : end])
            if state.machine is None:
                return None, leaves
            if state.accepting and (text := self.text + data[at:end]) not in node.excluded:
                leaves.append((machine.after_capture(node, text, self.then), end))
        return machine.capture_cell(node, state, self.text + data[at:], self.then), leaves


Cell = LiteralCell | SetCell | LexemeCell | CounterCell | CaptureCell
