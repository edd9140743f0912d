"""Fields in, the one continuation or cell of a machine that has them out: equal ones are the same object.

So hashing them is cheap, and what is known of one is found again. Each table is bounded; what is dropped was only remembered.

>>> from rellm_agents.patterns.ir import EMPTY, literal
>>> table = CellTable()
>>> table.continuation(literal("a"), None) is table.continuation(literal("a"), None), table.continuation(EMPTY, None)
(True, None)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from rellm_agents.patterns.automaton import Automaton
from rellm_agents.patterns.ir import EMPTY, Capture, Node
from rellm_agents.patterns.machine.captures import can_avoid
from rellm_agents.patterns.machine.cells import CaptureCell, Cell, Continuation, CounterCell, LexemeCell, LiteralCell, SetCell, State
from rellm_agents.patterns.machine.literal_set import LiteralSet

if TYPE_CHECKING:
    pass

MAX_REMEMBERED = 50_000  # of each kind of what one machine makes; then it begins to remember anew
_ID_BITS, _STATE_BITS = 64, 40  # more than an object's ``id``, a state of an automaton, an offset have

Key = TypeVar("Key")
Made = TypeVar("Made")


class CellTable:
    """What one machine has made so far."""

    def __init__(self) -> None:
        # What was made, by its fields. Keys are numbers where they can be, since the garbage collector goes through tuples. An ``id``
        # in a key is that of something the value holds, so it stands for nothing else as long as the entry is there.
        self._continuations: dict[int, Continuation] = {}
        self._literal_cells: dict[int, LiteralCell] = {}
        self._lexeme_cells: dict[int, LexemeCell] = {}
        self._remembered: dict[Any, Any] = {}  # all else

    def _forget(self) -> None:
        """Drop what is remembered. Equal objects made later are other ones: only memos are lost."""
        for table in (self._continuations, self._literal_cells, self._lexeme_cells, self._remembered):
            table.clear()

    # A dictionary's own operations are atomic, so that two threads get the same object.

    def continuation(self, node: Node, then: Continuation | None) -> Continuation | None:
        """``node``, then ``then``."""
        if node is EMPTY:
            return then
        key = id(node) if then is None else then.id << _ID_BITS | id(node)
        found = self._continuations.get(key)
        return found if found is not None else _kept(self._continuations, key, Continuation(node, then))

    def literal_cell(self, data: bytes, then: Continuation | None, offset: int = 0) -> LiteralCell:
        """The place before a byte of a literal, by default the first."""
        key = (id(data) if then is None else then.id << _ID_BITS | id(data)) << _STATE_BITS
        found = self._literal_cells.get(key + offset)
        return found if found is not None else _kept(self._literal_cells, key + offset, LiteralCell(data, offset, then, key))

    def within_literal(self, cell: LiteralCell, offset: int) -> LiteralCell:
        """The place before another byte of the same literal."""
        key = cell.key + offset
        found = self._literal_cells.get(key)
        return found if found is not None else _kept(self._literal_cells, key, LiteralCell(cell.data, offset, cell.then, cell.key))

    def set_cell(self, members: LiteralSet, low: int, high: int, offset: int, then: Continuation | None) -> SetCell | LiteralCell:
        """A place in a set; in its one literal, if only one is left."""
        if high - low == 1:
            return self.literal_cell(members.texts[low], self.continuation(members.rests[low], then), offset)
        key = (members, low, high, offset, then)
        found = self._remembered.get(key)
        return cast(SetCell, found) if found is not None else self._remember(key, SetCell(members, low, high, offset, then))

    def lexeme_cell(self, automaton: Automaton, state: int, then: Continuation | None) -> LexemeCell:
        """A state of an automaton."""
        key = (id(automaton) if then is None else then.id << _ID_BITS | id(automaton)) << _STATE_BITS | state
        found = self._lexeme_cells.get(key)
        return found if found is not None else _kept(self._lexeme_cells, key, LexemeCell(automaton, state, then))

    def counter_cell(
        self, automaton: Automaton, state: int, done: int, minimum: int, maximum: int | None, then: Continuation | None
    ) -> Cell | None:
        """A place in a counted repeat, if it can go on; where the count no longer matters, in the repeat without bounds."""
        if maximum is None:
            if done >= minimum:
                return self.lexeme_cell(automaton, state, then)
        elif done == maximum and automaton.accepting[state]:
            return None
        key = (automaton, state, done, minimum, maximum, then)
        found = self._remembered.get(key)
        return cast(Cell, found) if found is not None else self._remember(key, CounterCell(automaton, state, done, minimum, maximum, then))

    def capture_cell(self, node: Capture, state: State, text: bytes, then: Continuation | None) -> CaptureCell | None:
        """A place in the text of a recall, if some text that is longer is not barred."""
        key = (node, text, then)
        found = self._remembered.get(key)
        if found is None:
            if not can_avoid(node, state, text):
                return None
            found = self._remember(key, CaptureCell(node, state, text, then))
        return cast(CaptureCell, found)

    def after_capture(self, node: Capture, text: bytes, then: Continuation | None) -> Continuation | None:
        """What follows a recall's text."""
        key = (node, then, text)
        found = self._remembered.get(key, self)  # itself, where nothing is known: the end of the text is ``None``
        if found is self:
            found = self._remember(key, self.continuation(node.then, self.continuation(node.continue_with(text), then)))
        return cast("Continuation | None", found)

    def _remember(self, key: Any, made: Any) -> Any:
        return _kept(self._remembered, key, made)


def _kept(table: dict[Key, Made], key: Key, made: Made) -> Made:
    """What ``table`` has for ``key``, ``made`` if it had nothing: threads get the same object."""
    if len(table) >= MAX_REMEMBERED:
        table.clear()  # what is in use stays as it is; equal objects made later are other ones: only memos are lost
    return table.setdefault(key, made)
