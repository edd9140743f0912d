"""The tables in which a machine interns its continuations and cells: equal fields give the same object.

So hashing a cell is cheap, and what is known about one is found again (hash consing). Each table is bounded: a full one is emptied, and
equal objects made later are other ones. States in use stay valid; only memos are lost, never correctness. Knows nothing of reading.

>>> from rellm_agents.patterns.ir import EMPTY, literal
>>> table = CellTable()
>>> table.continuation(literal("a"), None) is table.continuation(literal("a"), None), table.continuation(EMPTY, None)
(True, None)
"""

from __future__ import annotations

from typing import Any, TypeVar, cast

from rellm_agents.patterns.automaton import Automaton, CountedAutomaton
from rellm_agents.patterns.ir import EMPTY, Capture, Node
from rellm_agents.patterns.machine.captures import can_avoid
from rellm_agents.patterns.machine.cells import CaptureCell, Cell, Continuation, CounterCell, LexemeCell, LiteralCell, SetCell, State
from rellm_agents.patterns.machine.literal_set import LiteralSet

MAX_INTERNED = 50_000  # entries of each table of one machine
_ID_BITS, _STATE_BITS = 64, 40  # more than an object's ``id``, a state of an automaton, an offset have

Key = TypeVar("Key")
Made = TypeVar("Made")


class CellTable:
    """Continuations and cells of one machine. Dictionary operations are atomic, so two threads get the same object."""

    def __init__(self) -> None:
        # Keys are numbers where they can be, since the garbage collector goes through tuples. An ``id`` in a key is that of an object
        # that the value holds, so it belongs to no other object as long as the entry is there.
        self._continuations: dict[int, Continuation] = {}
        self._literal_cells: dict[int, LiteralCell] = {}
        self._lexeme_cells: dict[int, LexemeCell] = {}
        self._others: dict[Any, Any] = {}  # all else

    def _clear(self) -> None:
        """Empty all tables."""
        for table in (self._continuations, self._literal_cells, self._lexeme_cells, self._others):
            table.clear()

    def continuation(self, node: Node, then: Continuation | None) -> Continuation | None:
        """``node``, then ``then``."""
        if node is EMPTY:
            return then
        key = id(node) if then is None else then.id << _ID_BITS | id(node)
        found = self._continuations.get(key)
        return found if found is not None else _interned(self._continuations, key, Continuation(node, then))

    def literal_cell(self, data: bytes, then: Continuation | None, offset: int = 0) -> LiteralCell:
        """The cell before a byte of a literal, by default the first."""
        key = (id(data) if then is None else then.id << _ID_BITS | id(data)) << _STATE_BITS
        found = self._literal_cells.get(key + offset)
        return found if found is not None else _interned(self._literal_cells, key + offset, LiteralCell(data, offset, then, key))

    def within_literal(self, cell: LiteralCell, offset: int) -> LiteralCell:
        """The cell before another byte of the same literal."""
        key = cell.key + offset
        found = self._literal_cells.get(key)
        return found if found is not None else _interned(self._literal_cells, key, LiteralCell(cell.data, offset, cell.then, cell.key))

    def set_cell(self, members: LiteralSet, low: int, high: int, offset: int, then: Continuation | None) -> SetCell | LiteralCell:
        """A cell of a set of literals; of its one literal, if only one is left."""
        if high - low == 1:
            return self.literal_cell(members.texts[low], self.continuation(members.rests[low], then), offset)
        key = (members, low, high, offset, then)
        found = self._others.get(key)
        return cast(SetCell, found) if found is not None else self._intern(key, SetCell(members, low, high, offset, then))

    def lexeme_cell(self, automaton: Automaton, state: int, then: Continuation | None) -> LexemeCell:
        """The cell of a state of an automaton."""
        key = (id(automaton) if then is None else then.id << _ID_BITS | id(automaton)) << _STATE_BITS | state
        found = self._lexeme_cells.get(key)
        return found if found is not None else _interned(self._lexeme_cells, key, LexemeCell(automaton, state, then))

    def counter_cell(
        self, automaton: Automaton, state: int, done: int, minimum: int, maximum: int | None, then: Continuation | None
    ) -> Cell | None:
        """A cell of a counted repeat, if a byte can follow; where the count no longer matters, one of the repeat without bounds."""
        if isinstance(automaton, CountedAutomaton):
            if not automaton.can_go_on(state, minimum - done, None if maximum is None else maximum - done):
                return None
            if maximum is None:
                done = min(done, minimum)
        elif maximum is None:
            if done >= minimum:
                return self.lexeme_cell(automaton, state, then)
        elif done == maximum and automaton.accepting[state]:
            return None
        key = (automaton, state, done, minimum, maximum, then)
        found = self._others.get(key)
        return cast(Cell, found) if found is not None else self._intern(key, CounterCell(automaton, state, done, minimum, maximum, then))

    def capture_cell(self, node: Capture, state: State, text: bytes, then: Continuation | None) -> CaptureCell | None:
        """A cell in the text of a capture, if some longer text is allowed."""
        key = (node, text, then)
        found = self._others.get(key)
        if found is None:
            if not can_avoid(node, state, text):
                return None
            found = self._intern(key, CaptureCell(node, state, text, then))
        return cast(CaptureCell, found)

    def after_capture(self, node: Capture, text: bytes, then: Continuation | None) -> Continuation | None:
        """What follows the text of a capture."""
        key = (node, then, text)
        found = self._others.get(key, self)  # ``self`` where nothing is known: ``None`` is the end of the text
        if found is self:
            found = self._intern(key, self.continuation(node.then, self.continuation(node.continue_with(text), then)))
        return cast("Continuation | None", found)

    def _intern(self, key: Any, made: Any) -> Any:
        return _interned(self._others, key, made)


def _interned(table: dict[Key, Made], key: Key, made: Made) -> Made:
    """What ``table`` has for ``key``; ``made`` if it has nothing yet."""
    if len(table) >= MAX_INTERNED:
        table.clear()
    return table.setdefault(key, made)
