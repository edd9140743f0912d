"""A recall and where its text has got to in, whether it can still become one that is not barred out; also a shortest one.

Only the barred texts that begin with what was read matter. They are a trie: where a byte leaves it, or the text may end
inside it, the text is free. Knows nothing of tokens.

>>> from rellm_agents.patterns.machine.machine import Machine, run
>>> from rellm_agents.patterns.ir import EMPTY, choice, literal, capture
>>> inner = choice(literal("ab"), literal("ac"), literal("d"))
>>> node = capture(inner, frozenset({b"ab", b"d"}), EMPTY, "excluded.example", lambda text: EMPTY)
>>> start = Machine.of(inner).open_start
>>> can_avoid(node, start, b""), can_avoid(node, run(start, b"a"), b"a"), shortest_allowed(node, start)
(True, True, b'ac')
"""

from __future__ import annotations

from collections.abc import Hashable, Set
from functools import cache, lru_cache
from heapq import heappop, heappush

from rellm_agents.errors import PatternTooLarge
from rellm_agents.patterns.automaton import INFINITE, Automaton
from rellm_agents.patterns.ir import Capture
from rellm_agents.patterns.machine.cells import CaptureCell, Cell, Continuation, CounterCell, LexemeCell, LiteralCell, SetCell, State

MAX_SEARCHED = 50_000  # places in which a shortest text is looked for


def can_avoid(node: Capture, state: State, text: bytes) -> bool:
    """Whether some longer text that begins with ``text`` is not barred.

    Args:
        node: whose barred texts.
        state: of the machine of its inner part, after ``text``.
        text: what was read.
    """
    low, high = node.beginning(text)
    if low == high:
        return bool(state.cells)  # none from which the end cannot be reached
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


def shortest_allowed(node: Capture, start: State) -> bytes | None:
    """A shortest text that is not barred, among equals the one of lowest bytes; ``None`` if all are.

    Args:
        node: whose barred texts.
        start: of the machine of its inner part.

    Raises:
        PatternTooLarge: none was found among the first ``MAX_SEARCHED`` places.
    """
    from rellm_agents.patterns.machine.cheapest import allowed_length  # noqa: PLC0415 - which asks this module in turn

    @cache
    def behind(then: Continuation | None) -> int:
        return 0 if then is None else (allowed_length(then.node) or 0) + behind(then.then)

    def least(state: State) -> int:
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
                own = least(cell.state) + (allowed_length(cell.node.then) or 0)
        return own + behind(cell.then)

    queue = [(least(start), b"", start.id, start)]
    seen: set[State] = set()  # in which nothing barred is ahead, so that it does not matter how they were come to
    places = 0
    while queue:
        _, text, _, state = heappop(queue)
        if state.accepting and text not in node.excluded:
            return text
        low, high = node.beginning(text)
        if low == high:
            if state in seen:
                continue
            seen.add(state)
        places += 1
        if places > MAX_SEARCHED:
            raise PatternTooLarge(f"no text that is not barred was found among the first {MAX_SEARCHED} places of a recall")
        for byte in _different(node, state, text):
            longer = text + bytes((byte,))
            after = state.after(longer[-1:])
            if after.machine is not None:
                heappush(queue, (len(longer) + least(after), longer, after.id, after))
    return None


def _different(node: Capture, state: State, text: bytes) -> list[int]:
    """The bytes that can come next, ascending; of those that lead alike to where nothing is barred, the first."""
    possible = sorted(first_bytes(state))
    low, high = node.beginning(text)
    excluded = {one[len(text)] for one in node.ordered[low:high] if len(one) > len(text)}
    firsts: dict[Hashable, int] = {}
    for byte in possible:
        firsts.setdefault(("excluded", byte) if byte in excluded else _branch_of(state, byte), byte)
    return list(firsts.values())


def _branch_of(state: State, byte: int) -> Hashable:
    """Equal for two bytes that lead to where equally short texts end.

    Which text a recall inside holds does not matter where none of its barred ones is ahead: see what it asks of what follows.
    """
    if isinstance(state, LexemeCell):
        return state.automaton.row(state.state)[byte]
    assert state.machine is not None
    ways: list[Hashable] = []
    data = bytes((byte,))
    for cell in state.cells:
        if isinstance(cell, CaptureCell) and byte in first_bytes(cell.state):
            low, high = cell.node.beginning(cell.text + data)
            ways.append(_branch_of(cell.state, byte) if low == high else ("excluded", byte))
        else:
            stays, leaves = cell.read(state.machine, data, 0)
            ways.append((stays, *leaves))
    return tuple(ways)


def first_bytes(state: State) -> Set[int]:
    """The bytes that can come next in a state."""
    if isinstance(state, LexemeCell):
        return _first_of(state.automaton, state.state)
    found: set[int] = set()
    for cell in state.cells:
        match cell:
            case LiteralCell():
                found.add(cell.data[cell.offset])
            case SetCell():
                found.update(text[cell.offset] for text in cell.members.texts[cell.low : cell.high])
            case LexemeCell() | CounterCell():
                found |= _first_of(cell.automaton, cell.state)
            case CaptureCell():
                low, high = cell.node.beginning(cell.text)
                inner = first_bytes(cell.state)
                found |= inner if low == high else {byte for byte in inner if state.after(bytes((byte,))).machine is not None}
    return found


@lru_cache(maxsize=4_096)
def _first_of(automaton: Automaton, state: int) -> frozenset[int]:
    return frozenset(byte for byte, target in enumerate(automaton.row(state)) if target)
