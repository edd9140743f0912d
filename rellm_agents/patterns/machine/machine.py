"""Any node as a state machine over bytes, by partial derivatives with continuations.

A state is a set of *cells* (see :mod:`rellm_agents.patterns.machine.cells`), each with its *continuation*, the nodes that must follow
(Antimirov, "Partial derivatives of regular expressions and finite automaton constructions", 1996). A continuation grows where a rule is
entered, as the stack of a pushdown automaton does, so recursion needs no bound, and nothing is made that no text reaches. Continuations,
cells and states are interned by their machine: equal ones are the same object.

    a*b"c"    start: {a*, then b"c"}, {b, then "c"}       after "b": {"c", then the end}

Knows nothing of tokens.

>>> from rellm_agents.patterns.ir import literal, repeat, sequence
>>> state = start(sequence(repeat(literal("a")), literal("b")))
>>> [step(state, byte) is DEAD_STATE for byte in b"abc"]
[False, False, True]
>>> step(state, ord("b")).accepting
True
"""

from __future__ import annotations

from typing import ClassVar, cast
from weakref import WeakValueDictionary

from rellm_agents.errors import PatternError, PatternTooLarge
from rellm_agents.patterns.automaton import START, Automaton, RepeatStrategy, counter_of, strategy_of
from rellm_agents.patterns.ir import (
    EMPTY,
    MAYBE_EMPTY,
    AnyNode,
    Capture,
    Choice,
    Intersection,
    Lexeme,
    Literal,
    Node,
    Repeat,
    Rule,
    Sequence,
    Terminal,
    repeat,
)
from rellm_agents.patterns.machine.allowed_text import ShortestText
from rellm_agents.patterns.machine.captures import can_avoid
from rellm_agents.patterns.machine.cells import HOLE, Cell, Continuation, Exit, State
from rellm_agents.patterns.machine.cheapest import CheapestText, LowerBound
from rellm_agents.patterns.machine.interning import MAX_INTERNED, CellTable
from rellm_agents.patterns.machine.literal_set import MIN_LITERALS, LiteralSet, begins_with_literal
from rellm_agents.patterns.machine.whitespace_runs import fuse_whitespace

MAX_EXPANSION = 100_000  # nodes entered before a byte is read
MAX_CELLS = 10_000  # of one state
_STRIDE = 64  # bytes that each cell reads before the cells are merged to states again
_MAX_CHAIN = 64  # nodes that are entered one after the other before alternatives are looked for

DEAD_STATE = State(None, (), accepting=False)
"""The state from which no text is accepted."""


def start(node: Node) -> State:
    """The state before the first byte of ``node``."""
    return Machine.of(node).start


def step(state: State, byte: int) -> State:
    """The state after one more byte; ``DEAD_STATE`` if no text begins so.

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


class Machine(CellTable):
    """The machine of a node, with the states it has made. Use :meth:`of`, which shares machines.

    Safe to share between threads: what two threads make at once is equal, and the tables give both the same object.

    Attributes:
        node: what it reads.
    """

    _machines: ClassVar[WeakValueDictionary[Node, Machine]] = WeakValueDictionary()

    def __init__(self, node: Node) -> None:
        self.node = node
        self._users: set[int] = set()
        super().__init__()
        self._entered: dict[Continuation, State] = {}
        self.enter(self.continuation(node, None))  # now, under the lock of ``of``, so that threads find one start

    @property
    def start(self) -> State:
        """The state before the first byte."""
        return self.enter(self.continuation(self.node, None))

    @property
    def open_start(self) -> State:
        """The start state with ``HOLE`` as the continuation: the inner part of a capture, whatever follows it."""
        return self.enter(self.continuation(self.node, HOLE))

    def acquire(self, user: int) -> None:
        """Note that a pattern, told by its ``id``, uses this machine."""
        self._users.add(user)

    def release(self, user: int) -> None:
        """Note that it does no longer; after the last one the tables, which hold reference cycles, are emptied, to spare the collector.

        The collector may call this while its thread holds any lock, so none is taken; operations on sets are atomic.
        """
        self._users.discard(user)
        if not self._users:
            self._clear()

    def _clear(self) -> None:
        """Empty all tables, so that no reference cycle is left; states in use stay valid."""
        super()._clear()
        self._entered.clear()

    @staticmethod
    def of(node: Node) -> Machine:
        """The machine of ``node``, shared with whoever else holds it."""
        found = Machine._machines.get(node)
        if found is None:
            with Rule.lock:
                found = Machine._machines.get(node)
                if found is None:
                    found = Machine._machines[node] = Machine(node)
        return found

    def run(self, state: State, data: bytes) -> State:
        """The state after all bytes of ``data``, ``DEAD_STATE`` if there is none."""
        at, size = 0, len(data)
        if size > _STRIDE:
            for begin in range(0, size, _STRIDE):
                if state is DEAD_STATE:
                    break
                state = self.run(state, data[begin : begin + _STRIDE])
            return state
        while at < size and type(state) is not State:  # a single cell
            inside, exits = state.read(self, data, at)  # type: ignore[attr-defined]
            if not exits:
                return DEAD_STATE if inside is None else self._alone(inside)
            if inside is not None or len(exits) > 1:
                break
            then, at = exits[0]
            state = self.enter(then)
        return state if at == size else self._read(state, data, at)

    def _read(self, state: State, data: bytes, begin: int) -> State:
        """Every cell reads by itself; each exit is entered once, and its cells read the rest."""
        size, accepting = len(data), False
        reached: set[Cell] = set()
        waiting: list[tuple[Cell, int]] = [(cell, begin) for cell in state.cells]
        seen: set[Exit] = set()
        while waiting:
            cell, at = waiting.pop()
            inside, exits = cell.read(self, data, at)
            if inside is not None:
                reached.add(inside)
            for one in exits:
                if one in seen:
                    continue
                seen.add(one)
                then, at = one
                if at == size:
                    after = self.enter(then)
                    accepting = accepting or after.accepting
                    reached.update(after.cells)
                elif then is not None:
                    waiting.extend([(cell, at) for cell in self.enter(then).cells])
        return self.state_of(reached, accepting=accepting)

    def enter(self, then: Continuation | None) -> State:
        """The state at the beginning of a continuation."""
        if then is None:
            return self._end()
        state = self._entered.get(then)
        if state is None:
            if len(self._entered) >= MAX_INTERNED:
                self._clear()
            state = self._entered[then] = self._enter(then)
        return state

    def _enter(self, first: Continuation) -> State:
        """The short cut for most continuations, which begin with one terminal and no alternatives."""
        node, then = first.node, first.then
        for _ in range(_MAX_CHAIN):
            if node.inside & MAYBE_EMPTY:
                break
            type_ = type(node)  # faster than ``match``
            if type_ is Sequence:
                parts = fuse_whitespace(node.parts)  # type: ignore[attr-defined]
                for part in parts[:0:-1]:
                    then = self.continuation(part, then)
                node = parts[0]
            elif type_ is Rule:
                node = node.body  # type: ignore[attr-defined]
            elif type_ is Literal and not node.nullable:
                return self._alone(self.literal_cell(node.data, then))  # type: ignore[attr-defined]
            elif type_ is Lexeme and not node.nullable:
                automaton = Automaton.of(node)
                return DEAD_STATE if automaton.is_empty else self._alone(self.lexeme_cell(automaton, START, then))
            else:
                break
        return self._expanded(first)

    def _expanded(self, first: Continuation) -> State:  # noqa: PLR0915 - one case for each type of node
        cells: set[Cell] = set()
        accepting = False
        waiting, seen = [first], {first}

        while waiting:
            here = waiting.pop()
            entered = self._entered.get(here)
            if entered is not None:
                cells.update(entered.cells)
                accepting = accepting or entered.accepting
                continue
            node, then = here.node, here.then
            if node is EMPTY:  # e.g. the body of an empty rule
                accepting = True
                continue
            if not has_text(node):
                continue  # otherwise a state would be entered from which no text is accepted
            if isinstance(node, Sequence):
                parts = fuse_whitespace(node.parts)
                for part in parts[:0:-1]:
                    then = self.continuation(part, then)
                node = parts[0]
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
                case Capture(inner) as capture:
                    begin = Machine.of(inner).open_start
                    if begin.accepting:
                        raise PatternError("a capture of a text that may be empty, as only its rules tell")
                    text_cell = self.capture_cell(capture, begin, b"", then)
                    if text_cell is not None:
                        cells.add(text_cell)
                case Repeat(inner, minimum, maximum) as one if strategy_of(one) is RepeatStrategy.UNROLLED:
                    rest = repeat(inner, max(minimum - 1, 0), None if maximum is None else maximum - 1)
                    less = self.continuation(rest, then)
                    following = [self.continuation(inner, less)]
                    if inner.nullable and rest is not EMPTY and less is not None:
                        seen.add(less)  # an iteration without text leads to nothing new: what may follow it may follow here
                    if minimum == 0:
                        following.append(then)
                case Repeat() | Intersection() if (counter := counter_of(node)) is not None:
                    cell = self.counter_cell(counter.automaton, START, 0, counter.minimum, counter.maximum, then)
                    if cell is not None:
                        cells.add(cell)
                    if counter.nullable:
                        following = [then]
                case Repeat() | Terminal():
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
                    f"more than {MAX_EXPANSION} parts can come next: too many alternatives, or a rule that begins with itself"
                )
        return self.state_of(cells, accepting=accepting)

    def _options(self, node: Choice) -> tuple[LiteralSet | None, tuple[Node, ...]]:
        """The options that begin with a literal, as a set, if there are many; and the other options."""
        found = self._others.get(node)
        if found is None:
            literals = [option for option in node.options if begins_with_literal(option)]
            if len(literals) < MIN_LITERALS:
                found = None, node.options
            else:
                found = LiteralSet.of(literals), tuple(option for option in node.options if not begins_with_literal(option))
            found = self._intern(node, found)
        return cast("tuple[LiteralSet | None, tuple[Node, ...]]", found)

    def _end(self) -> State:
        """The state at the end of the text."""
        return cast(State, self._others.get(((),))) or self.state_of(set(), accepting=True)

    def _alone(self, cell: Cell) -> State:
        """A cell as a state."""
        cell.machine = self
        return cell

    def state_of(self, cells: set[Cell], *, accepting: bool) -> State:
        """The state that consists of some cells of this machine."""
        if not accepting and len(cells) < 2:
            return self._alone(next(iter(cells))) if cells else DEAD_STATE
        if len(cells) > MAX_CELLS:
            raise PatternTooLarge(f"the pattern has more than {MAX_CELLS} alternatives that can be continued at the same time")
        ordered = tuple(sorted(cells, key=_id_of))
        key = (ordered,) if accepting else ordered  # no cell is a tuple
        found = self._others.get(key)
        return cast(State, found) if found is not None else self._intern(key, State(self, ordered, accepting=accepting))


def has_allowed_text(node: Capture) -> bool:
    """Whether some text of the inner part of a capture is not excluded."""
    return not node.excluded or can_avoid(node, Machine.of(node.inner).open_start, b"")


def has_text(node: Node) -> bool:
    """Whether some text matches ``node``: the emptiness test of a context-free grammar; of a capture, an allowed text is tried.

    Raises:
        PatternTooLarge: an automaton passes a bound.
    """
    return not node.may_be_empty or _exists(node) is not None


def _cost_of_terminal(node: Node) -> int | None:
    if not node.may_be_empty:
        return 0
    counter = counter_of(node)
    return None if (Automaton.of(node) if counter is None else counter).is_empty else 0


def _allowed(node: Capture) -> tuple[int, bytes] | None:
    found = shortest_length.cheapest(node)
    return None if found is None else (0, found[1])


shortest_length = ShortestText(lambda inner: Machine.of(inner).open_start)
"""The length in bytes of a shortest text of a node, and such a text."""

_exists = CheapestText(_cost_of_terminal, _allowed, LowerBound(_cost_of_terminal, lambda _: (0, b"")))


def _id_of(cell: Cell) -> int:
    return cell.id
