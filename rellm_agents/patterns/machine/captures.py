"""Whether a text that must differ from a finite set can still do so, and which bytes can come next in a state.

The excluded texts of a capture are a trie, and only the part of it below the bytes read so far matters. The machine of the inner part and
the trie are walked in step: as soon as the machine can read a byte that the trie does not have, or may end at a node of the trie where no
excluded text ends, an allowed text is sure. So the walk is never longer than the excluded texts together. Knows nothing of tokens.

    inner ab|ac|d, excluded ab, d       after "a": yes, by "ac"      after "ab": no      after "d": no

>>> from rellm_agents.patterns.machine import Machine, run
>>> from rellm_agents.patterns.ir import EMPTY, capture, choice, literal
>>> inner = choice(literal("ab"), literal("ac"), literal("d"))
>>> node = capture(inner, frozenset({b"ab", b"d"}), EMPTY, "captures.example", lambda text: EMPTY)
>>> start = Machine.of(inner).open_start
>>> can_avoid(node, start, b""), can_avoid(node, run(start, b"a"), b"a"), can_avoid(node, run(start, b"d"), b"d")
(True, True, False)
"""

from __future__ import annotations

from collections.abc import Set
from functools import lru_cache

from rellm_agents.patterns.automaton import Automaton, CountedAutomaton
from rellm_agents.patterns.ir import Capture
from rellm_agents.patterns.machine.cells import CaptureCell, Cell, CounterCell, LexemeCell, LiteralCell, SetCell, State


def can_avoid(node: Capture, state: State, text: bytes) -> bool:
    """Whether some longer text that begins with ``text`` is allowed.

    Args:
        node: the capture, with its excluded texts.
        state: of the machine of its inner part, after ``text``.
        text: the bytes read so far.
    """
    low, high = node.beginning(text)
    if low == high:
        return bool(state.cells)  # a machine has no cell from which the end cannot be reached
    ordered, size = node.ordered, len(text)
    waiting = [(state, text, low, high)]
    while waiting:
        state, text, low, high = waiting.pop()
        if ordered[low] == text:
            low += 1
        elif state.accepting and len(text) > size:
            return True
        possible = first_bytes(state)
        if len(possible) > high - low:
            return True
        inside: list[tuple[int, int, int]] = []
        while low < high:
            byte, until = ordered[low][len(text)], low
            longer = text + bytes((byte,))
            while until < high and ordered[until].startswith(longer):
                until += 1
            if byte in possible:
                inside.append((byte, low, until))
            low = until
        if len(possible) > len(inside):
            return True
        for byte, low, until in inside:
            longer = text + bytes((byte,))
            waiting.append((state.after(longer[-1:]), longer, low, until))
    return False


def first_bytes(state: State) -> Set[int]:
    """The bytes that can come next in a state: its first set."""
    if isinstance(state, LexemeCell):
        return _first_of(state.automaton, state.state)
    if len(state.cells) == 1:
        return _first_in(state.cells[0], state)
    return {byte for cell in state.cells for byte in _first_in(cell, state)}


def _first_in(cell: Cell, state: State) -> Set[int]:
    """The bytes that can come next in one cell of a state."""
    match cell:
        case LiteralCell():
            return {cell.data[cell.offset]}
        case SetCell():
            return {text[cell.offset] for text in cell.members.texts[cell.low : cell.high]}
        case CounterCell(automaton=CountedAutomaton() as automaton):
            low, high = cell.missing
            return {byte for byte, target in enumerate(automaton.row(cell.state)) if automaton.follows(target, low, high)}
        case LexemeCell() | CounterCell():
            return _first_of(cell.automaton, cell.state)
        case CaptureCell():
            low, high = cell.node.beginning(cell.text)
            inner = first_bytes(cell.state)
            return inner if low == high else {byte for byte in inner if state.after(bytes((byte,))).machine is not None}


@lru_cache(maxsize=4_096)
def _first_of(automaton: Automaton, state: int) -> frozenset[int]:
    return frozenset(byte for byte, target in enumerate(automaton.row(state)) if target)
