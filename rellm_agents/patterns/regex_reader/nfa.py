"""The nondeterministic automaton of a regex's syntax tree, with its choices in order of preference.

Thompson's construction (Thompson, "Regular expression search algorithm", 1968): a state either reads one character, or leads without
reading to any of several states. These stand in the order in which a backtracking matcher would try them, so the same automaton serves
a search that prefers some matches to others and a plain reading that does not. Lookaround is a state that asks a question: it has the
first state of an automaton of its own, which ends in state 0 too. Knows nothing of how it is followed.

    a*b    2: then 3, 1      3: reads a, then 2      1: reads b, then 0

>>> from rellm_agents.patterns.regex_parser import parse_regex
>>> nfa = Nfa(parse_regex("a*b")[0], max_states=9, refusal="more than 9 states")
>>> [(state.free, state.then) for state in nfa.states], nfa.first
([([], -1), ([], 0), ([3, 1], -1), ([], 2)], 2)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import assert_never

from rellm_agents.errors import PatternTooLarge
from rellm_agents.patterns.ir import CharSet
from rellm_agents.patterns.regex_parser import Alternation, Atomic, Call, Class, Concat, Look, Repetition, Tree

END = 0  # the state after the whole tree, and after that of a lookaround


@dataclass
class NfaState:
    """One state.

    Attributes:
        free: the states that follow without a character, the preferred first.
        reads: the characters that lead to ``then``; ``None``: it reads none.
        then: the state after one of these characters.
        look: the lookaround that has to hold here, if any.
        inner: the first state of what it looks for.
    """

    free: list[int] = field(default_factory=list)
    reads: CharSet | None = None
    then: int = -1
    look: Look | None = None
    inner: int = -1


class Nfa:
    """The automaton of a tree without calls. Atomic groups are taken for plain ones.

    Args:
        tree: the whole.
        max_states: a bound on the states, repeats written out.
        refusal: the message of the error for more.

    Raises:
        PatternTooLarge: there are more states.

    Attributes:
        states: by number; ``END`` is 0.
        first: the state before the tree.
        symbols: disjoint sets of characters that no state tells apart; characters that no state reads are in none.
        reads: for each state, the indices of the symbols that it reads.
    """

    def __init__(self, tree: Tree, *, max_states: int, refusal: str) -> None:
        self.states = [NfaState()]
        self._max_states, self._refusal = max_states, refusal
        self.first = self._before(tree, END)
        charsets = dict.fromkeys(state.reads for state in self.states if state.reads is not None)
        self.symbols = _disjoint(charsets)
        indices = {charset: frozenset(i for i, symbol in enumerate(self.symbols) if symbol & charset) for charset in charsets}
        self.reads = [indices[state.reads] if state.reads is not None else frozenset[int]() for state in self.states]

    def _new(self, state: NfaState) -> int:
        if len(self.states) >= self._max_states:
            raise PatternTooLarge(self._refusal)
        self.states.append(state)
        return len(self.states) - 1

    def _before(self, tree: Tree, then: int) -> int:
        """The state before ``tree``, where ``then`` is the state after it."""
        match tree:
            case Class(charset):
                return self._new(NfaState(reads=charset, then=then))
            case Concat(parts):
                for part in reversed(parts):
                    then = self._before(part, then)
                return then
            case Alternation(options):
                return self._new(NfaState([self._before(option, then) for option in options]))
            case Repetition(inner, minimum, maximum, preference):
                after, step = then, -1 if preference == "lazy" else 1
                if maximum is None:
                    then = self._new(NfaState())
                    self.states[then].free = [self._before(inner, then), after][::step]
                else:
                    for _ in range(maximum - minimum):
                        then = self._new(NfaState([self._before(inner, then), after][::step]))
                for _ in range(minimum):
                    then = self._before(inner, then)
                return then
            case Look(inner):
                return self._new(NfaState([then], look=tree, inner=self._before(inner, END)))
            case Atomic(inner):
                return self._before(inner, then)
            case Call():
                raise AssertionError("a call is written out before")
            case _:
                assert_never(tree)


def _disjoint(charsets: Iterable[CharSet]) -> list[CharSet]:
    """The largest sets that each lie in or outside of each of these; characters outside of all are left out."""
    found: list[CharSet] = []
    for charset in charsets:
        left = charset
        split = []
        for one in found:
            both = one & left
            if both:
                split.append(both)
                left = left & ~both
            if outside := one & ~both:
                split.append(outside)
        found = [*split, left] if left else split
    return found
