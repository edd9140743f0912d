"""Shortest texts of nodes, and of captures among the texts that they allow.

The length is the cost of :class:`CheapestText <rellm_agents.patterns.machine.CheapestText>` with bytes as the unit; the text is read off by
taking, at each choice, an option of least length. What a capture excludes is a matter of single texts, so there the states of the machine
of its inner part are searched best-first (A*: Hart, Nilsson and Raphael, "A formal basis for the heuristic determination of minimum cost
paths", 1968), with the length of what the cells still have to read as the estimate. That holds what the captures inside leave to be
written, too: without it, each text of an inner capture would seem to be near the end, and there may be any number of them.

Knows a machine only by its states.

>>> from rellm_agents.patterns.ir import EMPTY, capture, choice, literal
>>> from rellm_agents.patterns.machine.machine import shortest_length
>>> inner = choice(literal("ab"), literal("ac"), literal("d"))
>>> node = capture(inner, frozenset({b"ab", b"d"}), EMPTY, "allowed_text", lambda text: EMPTY)
>>> shortest_length(node), shortest_length.data(node)
(2, b'ac')
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import cache
from heapq import heapify, heappop, heappush
from typing import cast

from rellm_agents.patterns.automaton import INFINITE, shortest_bytes
from rellm_agents.patterns.ir import AnyNode, Capture, Choice, Node, Repeat, Rule, Sequence, Terminal
from rellm_agents.patterns.machine.captures import first_bytes
from rellm_agents.patterns.machine.cells import CaptureCell, Cell, Continuation, CounterCell, LexemeCell, LiteralCell, SetCell, State
from rellm_agents.patterns.machine.cheapest import CheapestText, LowerBound

MAX_SEARCHED = 5_000  # states in which a shortest allowed text is looked for; from then on any is


def bytes_of_terminal(node: Node) -> int | None:
    """The length in bytes of a shortest text of a node that one automaton stands for; ``None`` if nothing matches."""
    text = shortest_bytes(node)
    return None if text is None else len(text)


allowed_length = LowerBound(bytes_of_terminal, lambda _: (0, b""))
"""A lower bound on the length in bytes of a shortest text: as if captures excluded nothing."""


class ShortestText(CheapestText):
    """The length in bytes of a shortest text of a node; ``None`` if nothing matches.

    Args:
        open_start: the state before the inner part of a capture, whatever follows it.
    """

    def __init__(self, open_start: Callable[[Node], State]) -> None:
        super().__init__(bytes_of_terminal, self._cheapest_allowed, allowed_length)
        self._open_start = open_start

    def data(self, node: Node) -> bytes:
        """A shortest text of ``node``, which must match something, as the machine reads it."""
        out = bytearray()
        stack = [node]
        while stack:
            match cast(AnyNode, stack.pop()):
                case Sequence(parts):
                    stack.extend(reversed(parts))
                case Choice(options):
                    stack.append(self.option(options))
                case Repeat(inner, minimum, _):
                    stack.extend([inner] * minimum)
                case Rule() as one:
                    stack.append(one.witness)
                case Capture(_, _, then) as capture:
                    text = self.captured(capture)
                    out += text
                    stack += [capture.continue_with(text), then]
                case Terminal() as terminal:
                    out += shortest_bytes(terminal) or b""
        return bytes(out)

    def option(self, options: tuple[Node, ...]) -> Node:
        """An option with a shortest text; among equals the first without rules."""
        lengths = {option: length for option in options if (length := self(option)) is not None}
        return min(lengths, key=lambda option: (lengths[option], option.has_rules))

    def captured(self, capture: Capture) -> bytes:
        """A shortest allowed text of a capture, which must have one."""
        found = self.cheapest(capture)
        assert found is not None
        return found[1]

    def _cheapest_allowed(self, capture: Capture) -> tuple[int, bytes] | None:
        if not capture.excluded:  # no search is needed, unless the text is asked for inside itself
            length = self(capture.inner)
            if length is not None and not self.inside_cycle:
                return length, self.data(capture.inner)
        text = self._search(capture)
        return None if text is None else (len(text), text)

    def _left_by(self, capture: Capture) -> int:
        """The length of what a shortest text of a capture leaves to be written; 0 while it is looked for."""
        found = self.cheapest(capture)
        return 0 if found is None else (self(capture.continue_with(found[1])) or 0)

    def _search(self, node: Capture) -> bytes | None:
        """A shortest text that a capture allows, among equals the one of lowest bytes; ``None`` if it excludes all.

        If none was found in the first ``MAX_SEARCHED`` states, it is a text that was found soon: then the states next to an end go first.
        """

        @cache
        def length_of(then: Continuation | None) -> int:
            return 0 if then is None else (self(then.node) or 0) + length_of(then.then)

        @cache
        def after_capture(capture: Capture) -> int:
            return (self(capture.then) or 0) + self._left_by(capture)

        def min_bytes(state: State) -> int:
            """About the fewest bytes from a state to the end."""
            return 0 if state.accepting else min(map(of_cell, state.cells), default=INFINITE)

        def of_cell(cell: Cell) -> int:
            match cell:
                case LiteralCell(data=data, offset=offset):
                    own = len(data) - offset
                case SetCell(low=low, high=high, offset=offset):
                    own = min(map(len, cell.members.texts[low:high])) - offset
                case LexemeCell(automaton=automaton):
                    own = automaton.min_bytes(cell.state)
                case CounterCell():
                    own = max(cell.minimum - cell.done, 0)
                case CaptureCell():
                    own = min_bytes(cell.state) + after_capture(cell.node)
            return own + length_of(cell.then)

        start = self._open_start(node.inner)
        queue = [(min_bytes(start), b"", start.id, start)]
        seen: set[State] = set()  # those with no excluded text ahead: the way to them does not matter
        searched = 0
        while queue:
            _, text, _, state = heappop(queue)
            if state.accepting and text not in node.excluded:
                return text
            low, high = node.beginning(text)
            if low == high:
                if state in seen:
                    continue
                seen.add(state)
            searched += 1
            if searched == MAX_SEARCHED:
                queue = [(cost - len(one), one, id_, after) for cost, one, id_, after in queue]
                heapify(queue)
            for byte in _representatives(node, state, text):
                longer = text + bytes((byte,))
                after = state.after(longer[-1:])
                if after.machine is not None:
                    done = len(longer) if searched < MAX_SEARCHED else 0
                    heappush(queue, (done + min_bytes(after), longer, after.id, after))
        return None


def _representatives(node: Capture, state: State, text: bytes) -> list[int]:
    """The bytes that can come next, ascending; of those that lead to the same target, with no excluded text ahead, the lowest."""
    low, high = node.beginning(text)
    excluded = {one[len(text)] for one in node.ordered[low:high] if len(one) > len(text)}
    lowest: dict[Hashable, int] = {}
    for byte in sorted(first_bytes(state)):
        lowest.setdefault(("excluded", byte) if byte in excluded else _target(state, byte), byte)
    return list(lowest.values())


def _target(state: State, byte: int) -> Hashable:
    """Equal for two bytes that lead to states from which equally short texts lead to the end.

    The text of a capture inside does not matter where none of its excluded texts is ahead: by contract, what follows costs no more.
    """
    if isinstance(state, LexemeCell):
        return state.automaton.row(state.state)[byte]
    assert state.machine is not None
    targets: list[Hashable] = []
    data = bytes((byte,))
    for cell in state.cells:
        if isinstance(cell, CaptureCell) and byte in first_bytes(cell.state):
            low, high = cell.node.beginning(cell.text + data)
            targets.append(_target(cell.state, byte) if low == high else ("excluded", byte))
        else:
            inside, exits = cell.read(state.machine, data, 0)
            targets.append((inside, *exits))
    return tuple(targets)
