"""Any node in, a state machine over bytes out: threads of terminals with what must follow each.

A state is a set of *cells* (see :mod:`rellm_agents.patterns.cells`), each with its *continuation*, the nodes that follow
(Antimirov, "Partial derivatives of regular expressions", 1996). A continuation grows where a rule is entered, so
recursion needs no bound and nothing that was not met is made. Continuations, cells and states are interned by their
machine: equal ones are the same object, and hashing them is cheap. Knows nothing of tokens.

>>> from rellm_agents.patterns.nodes import literal, repeat, sequence
>>> state = start(sequence(repeat(literal("a")), literal("b")))
>>> [step(state, byte) is DEAD_STATE for byte in b"abc"]
[False, False, True]
>>> step(state, ord("b")).accepting
True
"""

from __future__ import annotations

import threading
from typing import Any, ClassVar, cast
from weakref import WeakValueDictionary

from rellm_agents.errors import PatternError, PatternTooLarge
from rellm_agents.patterns.automaton import START, Automaton
from rellm_agents.patterns.barred import goes_on
from rellm_agents.patterns.cells import Cell, Continuation, CounterCell, Leaves, LexemeCell, LiteralCell, RecallCell, SetCell, State
from rellm_agents.patterns.kinds import (
    AnyNode,
    Characters,
    Choice,
    Complement,
    Intersection,
    Lexeme,
    Literal,
    Node,
    Recall,
    Repeat,
    Rule,
    Sequence,
    Steps,
    Tail,
)
from rellm_agents.patterns.literal_set import WORTHWHILE, LiteralSet, begins_with_literal
from rellm_agents.patterns.measure import byte_length
from rellm_agents.patterns.nodes import EMPTY, repeat
from rellm_agents.patterns.repeats import Way, way_of

MAX_EXPANSION = 100_000  # nodes entered before a byte is read
MAX_CELLS = 10_000  # alternatives alive at the same place
MAX_REMEMBERED = 50_000  # cells, continuations and states of one machine; then it begins to remember anew
_STRIDE = 64  # bytes that are read cell by cell before the cells are put together again

DEAD_STATE = State(None, (), accepting=False)
"""The state in which no text goes on."""


def start(node: Node) -> State:
    """The state before the first byte of ``node``."""
    return Machine.of(node).start


def step(state: State, byte: int) -> State:
    """The state after one more byte; ``DEAD_STATE`` if no text goes on with it.

    Raises:
        PatternTooLarge: a bound of this module or of an automaton is passed, as by a rule that begins with itself.
    """
    return run(state, bytes((byte,)))


def run(state: State, data: bytes) -> State:
    """The state after all bytes of ``data``.

    Raises:
        PatternTooLarge: as :func:`step`.
    """
    return DEAD_STATE if state.machine is None else state.machine.run(state, data)


class Machine:
    """The machine of a node, with what it has met so far. Safe to use from several threads. Use :meth:`of`, which shares machines.

    Attributes:
        node: what it reads.
        start: the state before the first byte.
    """

    _machines: ClassVar[WeakValueDictionary[Node, Machine]] = WeakValueDictionary()
    _lock = threading.RLock()

    def __init__(self, node: Node) -> None:
        self.node = node
        self._remembered: dict[Any, Any] = {}
        self._end = self._state(set(), accepting=True)
        self.start = self.enter(self.continuation(node, None))

    @staticmethod
    def of(node: Node) -> Machine:
        """The machine of ``node``, shared with whoever else holds it."""
        found = Machine._machines.get(node)
        if found is None:
            with Machine._lock:
                found = Machine._machines.get(node)
                if found is None:
                    found = Machine._machines[node] = Machine(node)
        return found

    def run(self, state: State, data: bytes) -> State:
        """The state after all bytes of ``data``, ``DEAD_STATE`` if there is none."""
        if len(state.cells) == 1 and 0 < len(data) <= _STRIDE:
            stays, leaves = state.cells[0].read(self, data, 0)
            if not leaves:
                return DEAD_STATE if stays is None else self._alone(stays)
        for at in range(0, len(data), _STRIDE):
            if state is DEAD_STATE:
                break
            state = self._read(state, data[at : at + _STRIDE])
        return state

    def _read(self, state: State, data: bytes) -> State:
        """Each cell reads on its own, what follows it goes on from where it is over - from each place once."""
        size, accepting = len(data), False
        reached: set[Cell] = set()
        waiting: list[tuple[Cell, int]] = [(cell, 0) for cell in state.cells]
        seen: set[Leaves] = set()
        while waiting:
            cell, at = waiting.pop()
            stays, leaves = cell.read(self, data, at)
            if stays is not None:
                reached.add(stays)
            for place in leaves:
                if place in seen:
                    continue
                seen.add(place)
                then, at = place
                if at == size:
                    after = self.enter(then)
                    accepting = accepting or after.accepting
                    reached.update(after.cells)
                elif then is not None:
                    waiting.extend([(one, at) for one in self.enter(then).cells])
        return self._state(reached, accepting=accepting)

    def enter(self, then: Continuation | None) -> State:
        """The state before what ``then`` says."""
        if then is None:
            return self._end
        if then.entered is None:
            then.entered = self._entered(then)
        return then.entered

    def _entered(self, first: Continuation) -> State:  # noqa: PLR0915 - one case a kind of node
        cells: set[Cell] = set()
        accepting = False
        waiting, seen = [first], {first}

        while waiting:
            place = waiting.pop()
            if place.entered is not None:
                cells.update(place.entered.cells)
                accepting = accepting or place.entered.accepting
                continue
            node, then = place.node, place.then
            if node.is_doubtful and byte_length(node) is None:
                continue  # no text: the end could not be reached from inside
            if isinstance(node, Sequence):
                for part in reversed(node.parts[1:]):
                    then = self.continuation(part, then)
                node = node.parts[0]
            following: list[Continuation | None] = []
            match cast(AnyNode, node):
                case Literal(data):
                    cells.add(self.literal_cell(data, then))
                case Choice() as one:
                    members, others = self._options(one)
                    if members is not None:
                        cells.add(self.set_cell(members, 0, len(members.texts), 0, then))
                    following = [self.continuation(option, then) for option in others]
                case Rule() as rule:
                    following = [self.continuation(rule.body, then)]
                case Recall(inner) as recall:
                    begin = Machine.of(inner).start
                    if begin.accepting:
                        raise PatternError("a recall of what may be empty, as only its rules tell")
                    text_cell = self.recall_cell(recall, begin, b"", then)
                    if text_cell is not None:
                        cells.add(text_cell)
                case Repeat(inner, minimum, maximum) as one if way_of(one) is Way.UNROLLED:
                    rest = repeat(inner, max(minimum - 1, 0), None if maximum is None else maximum - 1)
                    following = [self.continuation(inner, self.continuation(rest, then))]
                    if minimum == 0:
                        following.append(then)
                case Repeat(inner, minimum, maximum) as one if way_of(one) is Way.COUNTER:
                    counter = self.counter_cell(Automaton.of(repeat(inner)), START, 0, minimum, maximum, then)
                    if counter is not None:
                        cells.add(counter)
                    if minimum == 0:
                        following = [then]
                case Characters() | Tail() | Repeat() | Intersection() | Complement() | Steps() | Lexeme():
                    automaton = Automaton.of(node)
                    if automaton.is_empty:
                        continue
                    if not automaton.is_final(START):
                        cells.add(self.lexeme_cell(automaton, START, then))
                    if automaton.accepting[START]:
                        following = [then]
                case Sequence():
                    raise AssertionError("a sequence holds no sequence")
            for after in following:
                if after is None:
                    accepting = True
                elif after not in seen:
                    seen.add(after)
                    waiting.append(after)
            if len(seen) > MAX_EXPANSION:
                raise PatternTooLarge(
                    f"more than {MAX_EXPANSION} parts can stand at the same place: too many alternatives, or a rule that begins with itself"
                )
        return self._state(cells, accepting=accepting)

    # One object for equal fields. A dictionary's own operations are atomic, so that two threads get the same one.

    def continuation(self, node: Node, then: Continuation | None) -> Continuation | None:
        """``node``, then ``then``."""
        if node is EMPTY:
            return then
        key = (node, then)
        found = self._remembered.get(key)
        return cast(Continuation, found) if found is not None else self._remember(key, Continuation(node, then))

    def literal_cell(self, data: bytes, then: Continuation | None) -> LiteralCell:
        """The place before a literal; it knows the places inside."""
        key = (data, then)
        found = self._remembered.get(key)
        return cast(LiteralCell, found) if found is not None else self._remember(key, LiteralCell(data, 0, then))

    def set_cell(self, members: LiteralSet, low: int, high: int, offset: int, then: Continuation | None) -> SetCell | LiteralCell:
        """A place in a set; in its one literal, if only one is left."""
        if high - low == 1:
            return self.literal_cell(members.texts[low], self.continuation(members.rests[low], then)).at(offset)
        key = (members, low, high, offset, then)
        found = self._remembered.get(key)
        return cast(SetCell, found) if found is not None else self._remember(key, SetCell(members, low, high, offset, then))

    def lexeme_cell(self, automaton: Automaton, state: int, then: Continuation | None) -> LexemeCell:
        """A state of an automaton."""
        key = (automaton, state, then)
        found = self._remembered.get(key)
        return cast(LexemeCell, found) if found is not None else self._remember(key, LexemeCell(automaton, state, then))

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

    def recall_cell(self, node: Recall, state: State, text: bytes, then: Continuation | None) -> RecallCell | None:
        """A place in the text of a recall, if some text that is longer is not barred."""
        key = (node, text, then)
        found = self._remembered.get(key)
        if found is None:
            if not goes_on(node, state, text):
                return None
            found = self._remember(key, RecallCell(node, state, text, then))
        return cast(RecallCell, found)

    def recalled(self, node: Recall, text: bytes, then: Continuation | None) -> Continuation | None:
        """What follows a recall's text."""
        key = (node, then, text)
        found = self._remembered.get(key, self)  # itself, where nothing is known: the end of the text is ``None``
        if found is self:
            found = self._remember(key, self.continuation(node.between, self.continuation(node.after(text), then)))
        return cast("Continuation | None", found)

    def _options(self, node: Choice) -> tuple[LiteralSet | None, tuple[Node, ...]]:
        """The options that begin with a literal as a set, if they are many, and the others."""
        found = self._remembered.get(node)
        if found is None:
            literals = [option for option in node.options if begins_with_literal(option)]
            if len(literals) < WORTHWHILE:
                found = None, node.options
            else:
                found = LiteralSet.of(literals), tuple(option for option in node.options if not begins_with_literal(option))
            found = self._remember(node, found)
        return cast("tuple[LiteralSet | None, tuple[Node, ...]]", found)

    def _alone(self, cell: Cell) -> State:
        """The state of one cell, where the text may not end."""
        state = cell.alone
        if state is None:
            state = cell.alone = State(self, (cell,), accepting=False)
        return state

    def _state(self, cells: set[Cell], *, accepting: bool) -> State:
        if not accepting and len(cells) < 2:
            return self._alone(next(iter(cells))) if cells else DEAD_STATE
        if len(cells) > MAX_CELLS:
            raise PatternTooLarge(f"the pattern keeps more than {MAX_CELLS} alternatives open at the same place")
        ordered = tuple(sorted(cells, key=_serial_of))
        key = (accepting, *ordered)
        found = self._remembered.get(key)
        return cast(State, found) if found is not None else self._remember(key, State(self, ordered, accepting=accepting))

    def _remember(self, key: Any, made: Any) -> Any:
        if len(self._remembered) >= MAX_REMEMBERED:
            self._remembered.clear()  # what is in use stays as it is; equal objects made later are other ones: only memos are lost
        return self._remembered.setdefault(key, made)


def _serial_of(cell: Cell) -> int:
    return cell.serial
