r"""Single iterations of an automaton that counts them: from each state in which one may end, to those in which the next one does.

Where the conditions run by the states of an automaton over characters, and a character is an iteration, these steps are its moves, and
the bytes inside of an iteration, as those of a JSON escape, need not be looked at. Otherwise they are searched, byte by byte.

    characters as iterations, "[ab]é*"    from the start: to the state after "[ab]", by the single bytes a and b, with 1 byte at least
                                          from there: to itself, by no single byte, with 2 bytes at least

Knows nothing of how many iterations there are.

>>> from rellm_agents.patterns.ir import CHARACTER, repeat
>>> from rellm_agents.patterns.regex_reader import read_regex
>>> from rellm_agents.patterns.automaton import Automaton, CountedAutomaton
>>> steps = CountedAutomaton(Automaton.of(repeat(CHARACTER)), Automaton.of(read_regex("[ab]é*"))).steps
>>> (first,) = steps.of(1)
>>> first.single == 1 << ord("a") | 1 << ord("b"), first.fewest, steps.of(first.end)[0].fewest
(True, 1, 2)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from operator import itemgetter
from typing import NamedTuple, Protocol

from rellm_agents.patterns.automaton.derivative import BYTES, derived_as, transitions
from rellm_agents.patterns.automaton.length_bounds import witness
from rellm_agents.patterns.ir import COMMON_BYTES, EMPTY, Dfa, Node, Repeat, dfa

FAR = 1 << 29  # bytes: there is no text
_DEAD = 0
_common_ones = itemgetter(*COMMON_BYTES)
_COMMON = sum(1 << byte for byte in COMMON_BYTES)


class Step(NamedTuple):
    """The iterations from one state to the same end.

    Attributes:
        end: the state in which they end.
        single: those of one byte, a set of bytes as in ``derivative``.
        fewest: the bytes of a shortest one.
        common: the same of ``COMMON_BYTES`` alone; ``FAR``: there is none.
    """

    end: int
    single: int
    fewest: int
    common: int


class Rows(Protocol):
    """An automaton that accepts where iterations end; state 0 is dead."""

    accepting: list[bool]

    def row(self, state: int) -> list[int]: ...  # noqa: D102
    def node_of(self, state: int) -> Node: ...  # noqa: D102


class Steps:
    """The iterations of one automaton, remembered.

    Args:
        automaton: that accepts where they end.
        iterations: any number of them, a repeat.
        ended: the state of the automaton after an iteration, if the conditions on the rest of the text are a node.
    """

    def __init__(self, automaton: Rows, iterations: Node, ended: Callable[[Node], int]) -> None:
        self._automaton, self._ended = automaton, ended
        self._iteration = iterations.inner if isinstance(iterations, Repeat) else None
        self._of: dict[int, list[Step]] = {}

    def of(self, state: int) -> list[Step]:
        """The iterations that begin in a state, or go on from one inside of an iteration; for each end one."""
        found = self._of.get(state)
        if found is None:
            moves = self._moves(state) if self._automaton.accepting[state] else None
            found = self._of[state] = self._searched(state) if moves is None else moves
        return found

    def _moves(self, state: int) -> list[Step] | None:
        """By the moves of an automaton over characters, if the conditions run by one, and iterations are these characters."""
        node = self._automaton.node_of(state)
        match derived_as(node) or node:
            case Dfa(functions, at) if functions.symbol is not None and functions.symbol is self._iteration:
                found: dict[int, Step] = {}
                for texts, after in functions.moves(at):
                    assert isinstance(texts, Node)
                    end, (single, fewest, common) = self._ended(dfa(functions, after)), _sizes(texts)
                    known = found.get(end, Step(end, 0, FAR, FAR))
                    found[end] = Step(end, single | known.single, min(fewest, known.fewest), min(common, known.common))
                return [*found.values()]
        return None

    def _searched(self, state: int) -> list[Step]:
        single: dict[int, int] = {}
        for byte, target in enumerate(self._automaton.row(state)):
            if self._automaton.accepting[target]:
                single[target] = single.get(target, 0) | 1 << byte
        fewest, common = self._sizes_from(state, iter), self._sizes_from(state, _common_ones)
        return [Step(end, single.get(end, 0), size, common.get(end, FAR)) for end, size in fewest.items()]

    def _sizes_from(self, state: int, allowed: Callable[[list[int]], Iterable[int]]) -> dict[int, int]:
        """For each end of the iteration that begins or was begun in a state, the fewest bytes; ``allowed`` ones of a row are looked at."""
        automaton = self._automaton
        found: dict[int, int] = {}
        here, seen, size = [state], {state}, 0
        while here:
            size += 1
            inside: list[int] = []
            for one in here:
                for target in sorted({*allowed(automaton.row(one))}):
                    if target == _DEAD:
                        continue
                    if automaton.accepting[target]:
                        found.setdefault(target, size)
                    elif target not in seen:
                        seen.add(target)
                        inside.append(target)
            here = inside
        return found


@lru_cache(maxsize=1_024)
def _sizes(texts: Node) -> tuple[int, int, int]:
    """The single bytes among some texts, and the sizes of a shortest one, and of one of common bytes."""
    single = sum(symbols for symbols, rest in transitions(texts, BYTES) if rest is EMPTY)
    shortest, common = witness(texts), witness(texts, _COMMON)
    return single, FAR if shortest is None else len(shortest), FAR if common is None else len(common)
