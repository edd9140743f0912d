"""A node with intersections and complements in, an equal one without them out.

Its automaton over characters is made whole, then its states are removed one by one (Brzozowski and McCluskey, "Signal
flow graph techniques for sequential circuit state diagrams", 1963). For what is printed or sampled, not for what is run.

>>> from rellm_agents.patterns.ir import difference, literal, choice
>>> ab = choice(literal("a"), literal("b"))
>>> without_boolean(difference(ab, literal("b"))) is literal("a")
True
"""

from __future__ import annotations

from collections.abc import Sequence as Sequence_
from collections.abc import Set
from dataclasses import dataclass
from functools import lru_cache

from rellm_agents.errors import PatternTooLarge
from rellm_agents.patterns.automaton.derivative import CHARACTERS, transitions
from rellm_agents.patterns.ir import (
    EMPTY,
    NOTHING,
    Characters,
    CharSet,
    Choice,
    Literal,
    Node,
    Repeat,
    Sequence,
    characters,
    choice,
    escape_set,
    repeat,
    sequence,
)

MAX_STATES = 2_000
MAX_LENGTH = 2_000_000  # characters, about, of what is written without intersections and complements


@dataclass(frozen=True)
class CharacterAutomaton:
    """An automaton over characters; state 0 is the start, every state can reach the end. Without states: no text matches.

    Attributes:
        moves: for each state, pairs of a set of characters and the next state.
        to_end: for each state, the least number of characters to the end; 0: the text may end here.
    """

    moves: tuple[tuple[tuple[CharSet, int], ...], ...]
    to_end: tuple[int, ...]


@lru_cache(maxsize=256)
def character_automaton(node: Node) -> CharacterAutomaton:
    """The automaton over characters of a node without rules.

    Raises:
        PatternTooLarge: it has more than ``MAX_STATES`` states.
    """
    numbers = {node: 0}
    nodes = [node]
    moves: list[list[tuple[CharSet, int]]] = []
    for here in nodes:
        found = []
        for charset, target in transitions(here, CHARACTERS):
            if target not in numbers:
                numbers[target] = len(nodes)
                nodes.append(target)
                if len(nodes) > MAX_STATES:
                    raise PatternTooLarge(
                        f"an intersection or complement has more than {MAX_STATES} states: it cannot be written as a regex"
                    )
            found.append((charset, numbers[target]))
        moves.append(found)

    return trim(moves, {i for i, here in enumerate(nodes) if here.nullable})


def trim(moves: Sequence_[Sequence_[tuple[CharSet, int]]], ends: Set[int]) -> CharacterAutomaton:
    """The automaton of some states, without those that do not reach the end.

    Args:
        moves: for each state, pairs of a set of characters and the next state; state 0 is the start.
        ends: the states where a text may end.
    """
    to_end = dict.fromkeys(ends, 0)
    changed = True
    while changed:
        changed = False
        for i, out in enumerate(moves):
            best = min((to_end[j] + 1 for _, j in out if j in to_end), default=None)
            if best is not None and best < to_end.get(i, best + 1):
                to_end[i] = best
                changed = True

    if 0 not in to_end:
        return CharacterAutomaton((), ())
    kept = [i for i in range(len(moves)) if i in to_end]
    renamed = {old: new for new, old in enumerate(kept)}
    return CharacterAutomaton(
        tuple(tuple((charset, renamed[j]) for charset, j in moves[i] if j in to_end) for i in kept),
        tuple(to_end[i] for i in kept),
    )


@lru_cache(maxsize=256)
def without_boolean(node: Node) -> Node:
    """An equal node without intersections and complements.

    Args:
        node: a node without rules; begins and ends between characters.

    Raises:
        PatternTooLarge: its automaton has too many states, or what is made of it is too long.
    """
    return node_of_automaton(character_automaton(node))


def node_of_automaton(automaton: CharacterAutomaton) -> Node:
    """The node of the texts that an automaton reads, without intersections and complements.

    Raises:
        PatternTooLarge: it is too long.
    """
    automaton = minimised(automaton)
    if not automaton.moves:
        return NOTHING
    start, end = -1, -2
    edges: dict[int, dict[int, Node]] = {start: {0: EMPTY}, end: {}}  # edges[a][b]: the texts that lead from a to b
    for i, out in enumerate(automaton.moves):
        edges[i] = {j: characters(charset) for charset, j in out}
        if automaton.to_end[i] == 0:
            edges[i][end] = EMPTY
    into: dict[int, set[int]] = {i: set() for i in edges}
    for i, targets in edges.items():
        for j in targets:
            into[j].add(i)
    lengths: dict[Node, int] = {}
    while len(edges) > 2:
        gone = min((i for i in edges if i >= 0), key=lambda i: (_weight(i, edges, into, lengths), -i))
        out_of = edges.pop(gone)
        around = repeat(out_of.pop(gone, NOTHING))
        sources = into.pop(gone) - {gone}
        for target in out_of:
            into[target].discard(gone)
        for source in sources:
            before = sequence(edges[source].pop(gone), around)
            for target, after in out_of.items():
                made = _either(edges[source].get(target, NOTHING), sequence(before, after))
                if _length(made, lengths) > MAX_LENGTH:
                    raise PatternTooLarge(f"an intersection or complement has more than {MAX_LENGTH} characters when written as a regex")
                edges[source][target] = made
                into[target].add(source)
    return edges[start].get(end, NOTHING)


def minimised(automaton: CharacterAutomaton) -> CharacterAutomaton:
    """The least automaton of the same texts: states are told apart as long as their moves do (Moore, 1956)."""
    block_of = [int(steps > 0) for steps in automaton.to_end]
    count = 0
    while count < len(set(block_of)):
        count = len(set(block_of))
        numbers: dict[object, int] = {}
        block_of = [
            numbers.setdefault((block_of[i], frozenset(_merged_moves(out, block_of).items())), len(numbers))
            for i, out in enumerate(automaton.moves)
        ]
    first = {block: i for i, block in reversed(list(enumerate(block_of)))}
    return CharacterAutomaton(
        tuple(
            tuple((charset, block) for block, charset in _merged_moves(automaton.moves[first[b]], block_of).items()) for b in range(count)
        ),
        tuple(automaton.to_end[first[b]] for b in range(count)),
    )


def _merged_moves(out: tuple[tuple[CharSet, int], ...], block_of: list[int]) -> dict[int, CharSet]:
    merged: dict[int, CharSet] = {}
    for charset, target in out:
        block = block_of[target]
        merged[block] = merged[block] | charset if block in merged else charset
    return merged


def _weight(state: int, edges: dict[int, dict[int, Node]], into: dict[int, set[int]], lengths: dict[Node, int]) -> int:
    """How much is written anew without ``state`` (after Delgado and Morais, "Approximation to the smallest regular expression", 2004)."""
    out = [_length(node, lengths) for j, node in edges[state].items() if j != state]
    come = [_length(edges[i][state], lengths) for i in into[state] if i != state]
    loop = _length(edges[state][state], lengths) if state in edges[state] else 0
    return sum(come) * len(out) + sum(out) * len(come) + loop * len(come) * len(out)


def _length(node: Node, lengths: dict[Node, int]) -> int:
    if node not in lengths:
        match node:
            case Literal(data):
                lengths[node] = len(data)
            case Characters(charset):
                lengths[node] = len(escape_set(charset, braces=True))
            case Sequence(parts) | Choice(parts):
                lengths[node] = 3 + sum(_length(part, lengths) for part in parts)
            case Repeat(inner):
                lengths[node] = 1 + _length(inner, lengths)
            case _:
                raise AssertionError(f"{node!r} is nothing that edges hold")
    return lengths[node]


def _either(one: Node, other: Node) -> Node:
    """A choice, with what both begin or end with written once."""
    if one is NOTHING or other is NOTHING or one is other:
        return choice(one, other)
    if isinstance(one, Characters | Literal) and isinstance(other, Characters | Literal) and (both := _as_set(one, other)):
        return characters(both)
    a, b = _parts(one), _parts(other)
    head = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x is not y), min(len(a), len(b)))
    a, begin, b = a[head:], a[:head], b[head:]
    tail = next((i for i, (x, y) in enumerate(zip(reversed(a), reversed(b), strict=False)) if x is not y), min(len(a), len(b)))
    finish = a[len(a) - tail :]
    a, b = a[: len(a) - tail], b[: len(b) - tail]
    if not head and not tail:
        return choice(one, other)
    if not a and len(b) == 1 and isinstance(b[0], Repeat) and b[0].minimum == 0:
        return sequence(*begin, b[0], *finish)
    if not b and len(a) == 1 and isinstance(a[0], Repeat) and a[0].minimum == 0:
        return sequence(*begin, a[0], *finish)
    return sequence(*begin, _either(sequence(*a), sequence(*b)), *finish)


def _parts(node: Node) -> tuple[Node, ...]:
    return node.parts if isinstance(node, Sequence) else () if node is EMPTY else (node,)


def _as_set(one: Node, other: Node) -> CharSet | None:
    """Both together, if they are one character each."""
    found = CharSet()
    for node in (one, other):
        if isinstance(node, Characters):
            found |= node.charset
        elif isinstance(node, Literal) and len(node.text) == 1:
            found |= CharSet.of(node.text)
        else:
            return None
    return found
