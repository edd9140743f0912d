"""Whole automata over characters: made state by state from any notion of a state, trimmed, and minimised.

:func:`explored` is the subset construction with the states left open (Rabin and Scott, "Finite automata and their decision problems",
1959): a state may be a node, whose derivatives are its moves, or a set of states of a nondeterministic automaton. For what is written or
sampled; what is run over bytes is :class:`rellm_agents.patterns.automaton.Automaton`, which is made lazily. Knows nothing of regex text.

    a|ab    0 --a--> 1 (end) --b--> 2 (end)        moves ((({a}, 1),), (({b}, 2),), ())        to_end (1, 0, 0)

>>> from rellm_agents.patterns.regex_reader import read_regex
>>> character_automaton(read_regex("a|ab")).to_end
(1, 0, 0)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from rellm_agents.errors import PatternTooLarge
from rellm_agents.patterns.automaton.derivative import CHARACTERS, transitions
from rellm_agents.patterns.ir import CharSet, Node

MAX_STATES = 2_000  # of the automaton of a node

State = TypeVar("State")


@dataclass(frozen=True)
class CharacterAutomaton:
    """A deterministic automaton over characters; state 0 is the start, every state can reach the end. Without states: no text matches.

    Attributes:
        moves: for each state, pairs of a set of characters and the next state; the sets are disjoint.
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
    return explored(
        node,
        lambda one: transitions(one, CHARACTERS),
        lambda one: one.nullable,
        MAX_STATES,
        f"an intersection or complement has more than {MAX_STATES} states: it cannot be written as a regex",
    )


def explored(
    start: State,
    moves_of: Callable[[State], Iterable[tuple[CharSet, State]]],
    accepts: Callable[[State], bool],
    limit: int,
    refusal: str,
) -> CharacterAutomaton:
    """The automaton of all states that can be reached, without those that do not reach the end.

    Args:
        start: any hashable value.
        moves_of: for each state, disjoint sets of characters and the states that follow; asked once for each state, in order of discovery.
        accepts: whether a text may end in a state; asked when all states are known.
        limit: the largest number of states.
        refusal: the message of the error for more.

    Raises:
        PatternTooLarge: there are more than ``limit`` states.
    """
    numbers, states = {start: 0}, [start]
    moves: list[list[tuple[CharSet, int]]] = []
    for state in states:
        out = []
        for charset, target in moves_of(state):
            if target not in numbers:
                if len(states) >= limit:
                    raise PatternTooLarge(refusal)
                numbers[target] = len(states)
                states.append(target)
            out.append((charset, numbers[target]))
        moves.append(out)
    return _trimmed(moves, {number for state, number in numbers.items() if accepts(state)})


def _trimmed(moves: Sequence[Sequence[tuple[CharSet, int]]], ends: Set[int]) -> CharacterAutomaton:
    """The automaton without the states from which the end cannot be reached; ``ends`` are the states in which a text may end."""
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
    alive = [i for i in range(len(moves)) if i in to_end]
    renamed = {old: new for new, old in enumerate(alive)}
    return CharacterAutomaton(
        tuple(tuple((charset, renamed[j]) for charset, j in moves[i] if j in to_end) for i in alive),
        tuple(to_end[i] for i in alive),
    )


def minimised(automaton: CharacterAutomaton) -> CharacterAutomaton:
    """The automaton of the same texts with the fewest states, by partition refinement (Moore, "Gedanken-experiments", 1956)."""
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
    together: dict[int, list[CharSet]] = {}
    for charset, target in out:
        together.setdefault(block_of[target], []).append(charset)
    return {block: sets[0] if len(sets) == 1 else CharSet(pair for one in sets for pair in one.ranges) for block, sets in together.items()}
