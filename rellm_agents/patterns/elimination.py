"""A node with intersections and complements in, an equal one without them out.

Its automaton over characters is made whole, then its states are removed one by one (Brzozowski and McCluskey, "Signal
flow graph techniques for sequential circuit state diagrams", 1963). For what is printed or sampled, not for what is run.

>>> from rellm_agents.patterns.nodes import difference, literal, choice
>>> ab = choice(literal("a"), literal("b"))
>>> without_boolean(difference(ab, literal("b"))) is literal("a")
True
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from rellm_agents.errors import PatternTooLarge
from rellm_agents.patterns.charset import CharSet
from rellm_agents.patterns.derivative import CHARACTERS, transitions
from rellm_agents.patterns.kinds import Node
from rellm_agents.patterns.nodes import EMPTY, NOTHING, characters, choice, repeat, sequence

MAX_STATES = 2_000


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

    to_end = {i: 0 for i, here in enumerate(nodes) if here.nullable}
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
    kept = [i for i in range(len(nodes)) if i in to_end]
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
        PatternTooLarge: its automaton has too many states.
    """
    automaton = character_automaton(node)
    start, end = -1, -2
    edges: dict[int, dict[int, Node]] = {start: {0: EMPTY}, end: {}}  # edges[a][b]: the texts that lead from a to b
    for i, out in enumerate(automaton.moves):
        edges[i] = {}
        for charset, j in out:
            edges[i][j] = choice(edges[i].get(j, NOTHING), characters(charset))
        if automaton.to_end[i] == 0:
            edges[i][end] = EMPTY
    left = set(range(len(automaton.moves)))
    while left:
        gone = min(left, key=lambda i: (sum(i in edges[j] for j in edges if j != i) * len(edges[i]), -i))
        left.discard(gone)
        out_of = edges.pop(gone)
        around = repeat(out_of.pop(gone, NOTHING))
        for sources in edges.values():
            into = sources.pop(gone, None)
            if into is None:
                continue
            for target, after in out_of.items():
                sources[target] = choice(sources.get(target, NOTHING), sequence(into, around, after))
    return edges[start].get(end, NOTHING)
