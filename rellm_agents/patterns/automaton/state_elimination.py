"""Nodes without intersections and complements: an automaton over characters is turned into a regular expression.

States are removed one by one; each pair of an arc into the state and an arc out of it becomes one arc (Brzozowski and McCluskey, "Signal
flow graph techniques for sequential circuit state diagrams", 1963). The state with the least text to be written goes first, and common
beginnings and ends of two arcs are written once. For what is printed, not for what is run.

    0 --a--> 1 --c--> 2,  1 --b--> 1        without 1:   0 --ab*c--> 2

>>> from rellm_agents.patterns.ir import difference, literal, choice
>>> ab = choice(literal("a"), literal("b"))
>>> without_boolean(difference(ab, literal("b"))) is literal("a")
True
"""

from __future__ import annotations

from functools import lru_cache

from rellm_agents.errors import PatternTooLarge
from rellm_agents.patterns.automaton.character_automata import CharacterAutomaton, character_automaton, minimised
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

MAX_LENGTH = 2_000_000  # characters, about, of what is written without intersections and complements


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
    arcs: dict[int, dict[int, Node]] = {start: {0: EMPTY}, end: {}}  # arcs[a][b]: the texts that lead from a to b
    for i, out in enumerate(automaton.moves):
        arcs[i] = {j: characters(charset) for charset, j in out}
        if automaton.to_end[i] == 0:
            arcs[i][end] = EMPTY
    into: dict[int, set[int]] = {i: set() for i in arcs}
    for i, targets in arcs.items():
        for j in targets:
            into[j].add(i)
    lengths: dict[Node, int] = {}
    while len(arcs) > 2:
        gone = min((i for i in arcs if i >= 0), key=lambda i: (_weight(i, arcs, into, lengths), -i))
        out_of = arcs.pop(gone)
        around = repeat(out_of.pop(gone, NOTHING))
        sources = into.pop(gone) - {gone}
        for target in out_of:
            into[target].discard(gone)
        for source in sources:
            before = sequence(arcs[source].pop(gone), around)
            for target, after in out_of.items():
                made = _shared(arcs[source].get(target, NOTHING), sequence(before, after))
                if _length(made, lengths) > MAX_LENGTH:
                    raise PatternTooLarge(f"an automaton has more than {MAX_LENGTH} characters when written as a regex")
                arcs[source][target] = made
                into[target].add(source)
    return arcs[start].get(end, NOTHING)


def _weight(state: int, arcs: dict[int, dict[int, Node]], into: dict[int, set[int]], lengths: dict[Node, int]) -> int:
    """How much text removing ``state`` adds (after Delgado and Morais, "Approximation to the smallest regular expression", 2004)."""
    out = [_length(node, lengths) for j, node in arcs[state].items() if j != state]
    come = [_length(arcs[i][state], lengths) for i in into[state] if i != state]
    loop = _length(arcs[state][state], lengths) if state in arcs[state] else 0
    return sum(come) * len(out) + sum(out) * len(come) + loop * len(come) * len(out)


def _length(node: Node, lengths: dict[Node, int]) -> int:
    if node not in lengths:
        match node:
            case Literal(data):
                lengths[node] = len(data)
            case Characters(charset):
                lengths[node] = len(escape_set(charset, portable=True))
            case Sequence(parts) | Choice(parts):
                lengths[node] = 3 + sum(_length(part, lengths) for part in parts)
            case Repeat(inner):
                lengths[node] = 1 + _length(inner, lengths)
            case _:
                raise AssertionError(f"{node!r} does not occur on arcs")
    return lengths[node]


def _shared(one: Node, other: Node) -> Node:
    """The choice of two nodes, with a common beginning and a common end written once."""
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
    return sequence(*begin, _shared(sequence(*a), sequence(*b)), *finish)


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
