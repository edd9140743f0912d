"""Shortest texts: of any node, and of a capture among the texts that it does not exclude.

The length is the cost of :class:`CheapestText <rellm_agents.patterns.machine.CheapestText>` with bytes as the unit; the text is read off by
taking, at each choice, an option of least length. What a capture excludes is a matter of single texts, so there the states of its inner
machine are searched best-first (A*: Hart, Nilsson and Raphael, 1968), with the length of what the cells still have to read as the bound.

    [ab]+ ";" without "a;" and "b;"      ";" no, "a;" no, "b;" no, then "aa;"

Knows nothing of chance and of tokens.

>>> from rellm_agents.patterns.ir import choice, literal, repeat, rule, sequence
>>> nested = rule("shortest.nested", lambda: choice(literal("()"), sequence(literal("("), nested, literal(")"))))
>>> shortest_length(nested), shortest_text(repeat(nested, 2))
(2, '()()')
"""

from __future__ import annotations

from collections.abc import Hashable
from functools import cache
from heapq import heappop, heappush
from typing import cast

from rellm_agents.errors import PatternTooLarge
from rellm_agents.patterns.automaton import INFINITE, shortest_bytes
from rellm_agents.patterns.ir import AnyNode, Capture, Choice, Node, Repeat, Rule, Sequence, Terminal, shown
from rellm_agents.patterns.machine import (
    CaptureCell,
    Cell,
    CheapestText,
    Continuation,
    CounterCell,
    LexemeCell,
    LiteralCell,
    LowerBound,
    Machine,
    SetCell,
    State,
    first_bytes,
)

MAX_SEARCHED = 50_000  # states in which a shortest allowed text is looked for


def shortest_text(node: Node) -> str:
    """A text of ``node``, which must match something, with the fewest bytes in UTF-8; a special token counts two more than its content."""
    return shown(shortest_data(node)).decode("utf-8")


def shortest_data(node: Node) -> bytes:
    """The same as the machine reads it, with the delimiters of special tokens."""
    out = bytearray()
    stack = [node]
    while stack:
        match cast(AnyNode, stack.pop()):
            case Sequence(parts):
                stack.extend(reversed(parts))
            case Choice(options):
                stack.append(shortest_option(options))
            case Repeat(inner, minimum, _):
                stack.extend([inner] * minimum)
            case Rule() as one:
                stack.append(one.witness)
            case Capture(_, _, then) as capture:
                text = shortest_captured(capture)
                out += text
                stack += [capture.continue_with(text), then]
            case Terminal() as terminal:
                out += shortest_bytes(terminal) or b""
    return bytes(out)


def shortest_captured(capture: Capture) -> bytes:
    """A shortest allowed text of a capture, which must have one."""
    found = shortest_length.cheapest(capture)
    assert found is not None
    return found[1]


def shortest_option(options: tuple[Node, ...]) -> Node:
    """An option with a shortest text; among equals the first without rules."""
    lengths = {option: length for option in options if (length := shortest_length(option)) is not None}
    return min(lengths, key=lambda option: (lengths[option], option.has_rules))


def shortest_allowed(node: Capture, start: State) -> bytes | None:
    """A shortest text that a capture allows, among equals the one of lowest bytes; ``None`` if it excludes all.

    Args:
        node: the capture, with its excluded texts.
        start: of the machine of its inner part.

    Raises:
        PatternTooLarge: none was found in the first ``MAX_SEARCHED`` states.

    >>> from rellm_agents.patterns.ir import EMPTY, capture, choice, literal
    >>> inner = choice(literal("ab"), literal("ac"), literal("d"))
    >>> node = capture(inner, frozenset({b"ab", b"d"}), EMPTY, "shortest.example", lambda text: EMPTY)
    >>> shortest_allowed(node, Machine.of(inner).open_start)
    b'ac'
    """

    @cache
    def length_of(then: Continuation | None) -> int:
        return 0 if then is None else (allowed_length(then.node) or 0) + length_of(then.then)

    def min_bytes(state: State) -> int:
        """No text leads from a state to the end in fewer bytes."""
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
                own = min_bytes(cell.state) + (allowed_length(cell.node.then) or 0)
        return own + length_of(cell.then)

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
        if searched > MAX_SEARCHED:
            raise PatternTooLarge(f"no text that is not excluded was found in the first {MAX_SEARCHED} states of a capture")
        for byte in _representatives(node, state, text):
            longer = text + bytes((byte,))
            after = state.after(longer[-1:])
            if after.machine is not None:
                heappush(queue, (len(longer) + min_bytes(after), longer, after.id, after))
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


def _bytes_of_terminal(node: Node) -> int | None:
    text = shortest_bytes(node)
    return None if text is None else len(text)


def _cheapest_allowed(capture: Capture) -> tuple[int, bytes] | None:
    if not capture.excluded:  # no search is needed, unless the text is asked for inside itself
        length = shortest_length(capture.inner)
        if length is not None and not shortest_length.inside_cycle:
            return length, shortest_data(capture.inner)
    text = shortest_allowed(capture, Machine.of(capture.inner).open_start)
    return None if text is None else (len(text), text)


allowed_length = LowerBound(_bytes_of_terminal, lambda _: (0, b""))
"""A lower bound on the length in bytes of a shortest text: as if captures excluded nothing."""
shortest_length = CheapestText(_bytes_of_terminal, _cheapest_allowed, allowed_length)
"""The length in bytes of a shortest text of a node; ``None`` if nothing matches."""
