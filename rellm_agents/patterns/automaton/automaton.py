"""A node without rules as a deterministic automaton over bytes, whose states are made when they are first entered.

A state is a derivative (see ``derivative.py``), so equal rests of a text are one state, and only states that some text reaches are made. A
state that cannot reach the end is never entered: it is ``DEAD``. Automata are shared by all patterns that hold the node. Knows nothing of
tokens.

An automaton of very many states is never refused while a text is read: from some number of states on, or where it takes too long to tell
whether a state reaches the end, new states are left out, but for those on one way to the end. Fewer texts match then, and none is wrong.

    (ab)+    1 --a--> 2 --b--> 3 (accepting) --a--> 2

>>> from rellm_agents.patterns.ir import literal, repeat
>>> automaton = Automaton.of(repeat(literal("ab"), 1))
>>> automaton.matches(b"abab"), automaton.matches(b"aba")
(True, False)
"""

from __future__ import annotations

import threading
from functools import lru_cache
from heapq import heappop, heappush
from operator import itemgetter
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rellm_agents.caches import add_bytes
from rellm_agents.errors import PatternTooLarge
from rellm_agents.patterns.automaton.derivative import BYTES, members, transitions
from rellm_agents.patterns.automaton.emptiness import Emptiness
from rellm_agents.patterns.automaton.length_bounds import min_bytes
from rellm_agents.patterns.ir import COMMON_BYTES, NOTHING, Lexeme, Node

DEAD = 0
START = 1
MAX_STATES = 50_000  # of one automaton, from which on new ones are only made on one way to the end
MAX_WHOLE = 256  # states of an automaton that is made completely at once
ROW_BYTES = 256 * (8 + 4)  # of a row, in its list and in the table
MAX_SHARED_AUTOMATA = 4_096  # the least recently used is dropped
_COMMON = sum(1 << byte for byte in COMMON_BYTES)


class Automaton:
    """A deterministic automaton over bytes, made lazily from derivatives.

    States are numbers: ``DEAD`` (0), ``START`` (1), then in order of discovery. Use :meth:`of`, which shares automata. Safe to share
    between threads: rows are made under a lock and never changed.

    Attributes:
        rows: for each state, the next state by byte; ``None`` until it is made. A list of lists: the fastest table to step in Python. The
            same rows are in an int32 array, for whole levels of a trie at a time (:meth:`table`).
        accepting: for each state, whether a text may end there.
        cut: the states whose rows leave out states that there would be.
        some_are_cut: an automaton of this process has such rows; nearly never.
    """

    some_are_cut: ClassVar[bool] = False

    def __init__(self, node: Node) -> None:
        self.node = node
        self._lock = threading.RLock()
        self._nodes: list[Node] = [NOTHING]
        self._numbers: dict[Node, int] = {NOTHING: DEAD}
        self._emptiness = Emptiness()
        self._common_emptiness = Emptiness(_COMMON)
        self.rows: list[list[int] | None] = [[DEAD] * 256]
        self._made = 1  # rows
        self._table = np.zeros((8, 256), dtype=np.int32)
        self._is_whole: bool | None = None
        self.accepting: list[bool] = [False]
        self.cut: set[int] = set()
        self._shortest: dict[int, tuple[int, int, int]] = {}
        self._exits: dict[int, bytes] = {}  # where new states are left out: a text that leads to the end
        if self._number(node) == DEAD:  # keep START a number of its own even where nothing matches
            self._nodes.append(NOTHING)
            self.rows.append([DEAD] * 256)
            self._made += 1
            self.accepting.append(False)

    @staticmethod
    def of(node: Node) -> Automaton:
        """The automaton of ``node``, shared with whoever else asks for it.

        Args:
            node: a node without rules.
        """
        return _shared(node.inner if isinstance(node, Lexeme) else node)

    @property
    def size(self) -> int:
        """The number of states made so far, ``DEAD`` included."""
        return len(self._nodes)

    @property
    def is_empty(self) -> bool:
        """Nothing matches."""
        return self._nodes[START] is NOTHING

    def step(self, state: int, byte: int) -> int:
        """The state after one more byte; ``DEAD`` if no text begins so."""
        row = self.rows[state]
        return (row if row is not None else self._make_row(state))[byte]

    def row(self, state: int) -> list[int]:
        """The next state for each of the 256 bytes; shared, not to be changed."""
        row = self.rows[state]
        return row if row is not None else self._make_row(state)

    def table(self, states: NDArray[Any]) -> NDArray[np.int32]:
        """The transition table, int32[>= largest state + 1, 256], with at least the rows of ``states`` filled."""
        if self._made < len(self.rows):
            for state in np.flatnonzero(np.bincount(states)).tolist():
                if self.rows[state] is None:
                    self._make_row(state)
        return self._table

    def accepting_flags(self, states: NDArray[Any]) -> NDArray[np.bool_]:
        """For each of ``states``, int[n], whether a text may end there: bool[n]."""
        return np.array(self.accepting[: int(states.max(initial=0)) + 1], dtype=bool).take(states)

    def whole_table(self) -> NDArray[np.int32] | None:
        """The table, int32[states, 256], with all rows filled; ``None`` if there are more than ``MAX_WHOLE`` states."""
        if self._is_whole is None:
            state = START
            while state < len(self._nodes) <= MAX_WHOLE:
                self.row(state)
                state += 1
            self._is_whole = state == len(self._nodes)
        return self._table if self._is_whole else None

    def is_final(self, state: int) -> bool:
        """Accepting, and nothing may follow."""
        return self.accepting[state] and not any(self.row(state))

    def node_of(self, state: int) -> Node:
        """The node that the rest of a text must match in a state."""
        return self._nodes[state]

    def state_of(self, node: Node) -> int:
        """The state in which the rest of a text must match a node; ``DEAD`` if nothing matches."""
        with self._lock:
            return self._number(node)

    def leaves_out(self, states: NDArray[Any]) -> bool:
        """Whether the row of one of ``states``, int[n], leaves out states that there would be."""
        return not self.cut.isdisjoint(states.tolist())

    def min_bytes(self, state: int) -> int:
        """A lower bound on the bytes from ``state`` to the end."""
        return min_bytes(self._nodes[state])

    def way(self, state: int) -> tuple[int, int, int]:
        """How many bytes are the shortest way to an end, and the first of them with the state that it leads to; see ``shortest_way``.

        Args:
            state: not ``DEAD``.
        """
        found = self._shortest.get(state)
        if found is None:
            _find_way(self, state, self._shortest)
            found = self._shortest[state]
        return found

    def ends_in_common_bytes(self, state: int) -> bool:
        """Whether some text of ``COMMON_BYTES`` leads from ``state`` to the end."""
        return self._common_emptiness.has_text(self._nodes[state])

    def matches(self, data: bytes) -> bool:
        """Whether ``data`` is one of the texts."""
        state = START
        for byte in data:
            state = self.step(state, byte)
            if state == DEAD:
                return False
        return self.accepting[state]

    def _make_row(self, state: int) -> list[int]:
        with self._lock:
            made = self.rows[state]
            if made is not None:
                return made
            row = [DEAD] * 256
            is_cut = False
            for mask, target in transitions(self._nodes[state], BYTES):
                try:
                    number = self._number(target)
                except PatternTooLarge:
                    is_cut = True
                    continue
                if number != DEAD:
                    for byte in members(mask):
                        row[byte] = number
            if is_cut:
                self.cut.add(state)
                Automaton.some_are_cut = True
            if (is_cut or state in self._exits) and not self.accepting[state]:
                self._keep_exit(state, row)
            self._keep(state, row)
            return row

    def _keep_exit(self, state: int, row: list[int]) -> None:
        """Let a row lead to the end: by a text that gets shorter with each state, so that no circle is all that is left."""
        node = self._nodes[state]
        text = self._exits.get(state) or self._emptiness.some_text(node, self._common_emptiness)
        mask, target = next(pair for pair in transitions(node, BYTES) if pair[0] >> text[0] & 1)
        number = self._numbers.get(target, DEAD)
        if number == DEAD:
            number = self._add(target)
        for byte in members(mask):
            row[byte] = number
        self._exits.setdefault(number, text[1:])

    def _keep(self, state: int, row: list[int]) -> None:
        if len(self._nodes) > len(self._table):
            grown = np.zeros((max(2 * len(self._table), len(self._nodes)), 256), dtype=np.int32)
            grown[: len(self._table)] = self._table
            self._table = grown
        self._table[state] = row
        self.rows[state] = row
        self._made += 1
        add_bytes(ROW_BYTES)

    def _number(self, node: Node) -> int:
        number = self._numbers.get(node)
        if number is not None:
            return number
        if node.has_boolean and not (self._common_emptiness.has_text(node) or self._emptiness.has_text(node)):
            self._numbers[node] = DEAD
            return DEAD
        if len(self._nodes) > MAX_STATES:
            raise PatternTooLarge(
                f"an automaton of this pattern has more than {MAX_STATES} states: bound its repeats, or use fewer of them"
            )
        return self._add(node)

    def _add(self, node: Node) -> int:
        number = len(self._nodes)
        self._nodes.append(node)
        self.rows.append(None)
        self.accepting.append(node.nullable)
        self._numbers[node] = number
        return number


def shortest_way(automaton: Automaton, start: int) -> bytes:
    """The fewest bytes, among equals the lowest, from a state of an automaton, not ``DEAD``, to a state in which a text may end.

    >>> from rellm_agents.patterns.ir import choice, literal, sequence
    >>> shortest_way(Automaton.of(sequence(literal("a"), choice(literal("bb"), literal("c")))), START)
    b'ac'
    """
    left, byte, after = automaton.way(start)
    text = bytearray()
    while left:
        text.append(byte)
        left, byte, after = automaton.way(after)
    return bytes(text)


def _find_way(automaton: Automaton, start: int, known: dict[int, tuple[int, int, int]]) -> None:
    """Add the states on a shortest way to those whose way is known.

    The search is A* (Hart, Nilsson and Raphael, "A formal basis for the heuristic determination of minimum cost paths", 1968): the bytes
    read so far plus a lower bound on the bytes that are missing, which is :meth:`Automaton.min_bytes`.
    """
    best = {start: b""}
    queue = [(0, b"", start)]
    while queue:
        _, text, state = heappop(queue)
        if automaton.accepting[state]:
            known[state] = 0, 0, DEAD
        if state in known:
            break
        if text != best[state]:
            continue  # a better text leads to the same state
        for target, byte in _lowest(automaton.row(state)):
            longer = text + bytes((byte,))
            before = best.get(target)
            if before is None or (len(longer), longer) < (len(before), before):
                best[target] = longer
                left = known[target][0] if target in known else automaton.min_bytes(target)
                heappush(queue, (len(longer) + left, longer, target))
    else:
        raise AssertionError("an automaton enters no state that cannot reach the end")
    total = len(text) + known[state][0]
    here = start
    for done, byte in enumerate(text):
        target = automaton.step(here, byte)
        known[here] = total - done, byte, target
        here = target


def _lowest(row: list[int]) -> list[tuple[int, int]]:
    """The states that follow, each with the lowest byte that leads to it; by the bytes."""
    first = dict(zip(reversed(row), range(255, -1, -1), strict=True))
    first.pop(DEAD, None)
    return sorted(first.items(), key=itemgetter(1))


@lru_cache(maxsize=MAX_SHARED_AUTOMATA)
def _shared(node: Node) -> Automaton:
    return Automaton(node)
