"""A vocabulary in, the number of tokens that suffice for whatever is left of a text out.

Literals are spelled with the fewest tokens; lexemes take the fewest tokens to where they may end; what follows is
added up. No token spans two parts in this count, so the true minimum may be lower, never higher - and from every place
some allowed token lowers the count by at least one, so that a text which fits its budget can always be finished.

>>> from rellm_agents.decoding.vocabulary import Vocabulary
>>> from rellm_agents.patterns import machine, read_regex
>>> costs = TokenCosts(Vocabulary([b"a", b"aa", b"b", None], end_ids=[3]))
>>> costs.of_state(machine.start(read_regex("aaab*b")))
4
"""

from __future__ import annotations

from functools import lru_cache
from weakref import WeakKeyDictionary

import numpy as np

from rellm_agents.decoding.trie import Ids
from rellm_agents.decoding.vocabulary import Vocabulary
from rellm_agents.patterns.automaton import START, Automaton
from rellm_agents.patterns.kinds import Literal, Node
from rellm_agents.patterns.machine import Cell, Continuation, LexemeCell, LiteralCell, State
from rellm_agents.patterns.measure import Measure

IMPOSSIBLE = 1 << 30
"""The cost of what the vocabulary cannot spell; larger than any budget."""

_LITERALS, _LEXEME_STATES = 4_096, 65_536  # remembered at a time


class TokenCosts:
    """Costs in tokens under one vocabulary, remembered. Safe to share between threads."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._trie = vocabulary.trie
        self._of_continuation: WeakKeyDictionary[Continuation, int] = WeakKeyDictionary()
        self._of_node = Measure(self._of_terminal)
        self.of_literal = lru_cache(maxsize=_LITERALS)(self._of_literal)
        self.of_lexeme = lru_cache(maxsize=_LEXEME_STATES)(self._of_lexeme)

    def of_state(self, state: State) -> int:
        """Tokens that suffice from here to the end, the end-of-text token included."""
        return 1 if state.accepting else 1 + min((self.of_cell(cell) for cell in state.cells), default=IMPOSSIBLE)

    def of_cell(self, cell: Cell) -> int:
        """Tokens that suffice from a cell to the end of the text."""
        match cell:
            case LiteralCell():
                own = self.of_literal(cell.data)[cell.offset]
            case LexemeCell():
                own = self.of_lexeme(cell.automaton, cell.state)
        return min(own + self.of_continuation(cell.then), IMPOSSIBLE)

    def of_continuation(self, then: Continuation | None) -> int:
        """Tokens that suffice for a continuation."""
        pending: list[Continuation] = []
        while then is not None and then not in self._of_continuation:
            pending.append(then)
            then = then.then
        total = 0 if then is None else self._of_continuation[then]
        for one in reversed(pending):
            own = self._of_node(one.node)
            total = IMPOSSIBLE if own is None else min(total + own, IMPOSSIBLE)
            self._of_continuation[one] = total
        return total

    def of_states(self, automaton: Automaton, states: Ids) -> Ids:
        """For each state of a lexeme's automaton, tokens that suffice to where the lexeme may end: int32[n]."""
        costs = np.zeros(int(states.max(initial=0)) + 1, dtype=np.int32)
        for state in np.flatnonzero(np.bincount(states)):
            costs[state] = self.of_lexeme(automaton, int(state))
        return costs[states]

    def _of_terminal(self, node: Node) -> int | None:
        if isinstance(node, Literal):
            cost = self.of_literal(node.data)[0]
        else:
            automaton = Automaton.of(node)
            cost = IMPOSSIBLE if automaton.is_empty else self.of_lexeme(automaton, START)
        return None if cost >= IMPOSSIBLE else cost

    def _of_literal(self, data: bytes) -> tuple[int, ...]:
        """For each offset, the fewest tokens that spell the rest."""
        costs = [0] * (len(data) + 1)
        for start in range(len(data) - 1, -1, -1):
            node, best = self._trie.root, IMPOSSIBLE
            for end in range(start, len(data)):
                node = self._trie.child(node, data[end])
                if not node:
                    break
                if self._trie.is_token[node]:
                    best = min(best, costs[end + 1] + 1)
            costs[start] = best
        return tuple(costs)

    def _of_lexeme(self, automaton: Automaton, state: int) -> int:
        """A breadth-first search, each token one edge."""
        root = np.zeros(1, dtype=np.int32)
        seen, frontier, cost = {state}, [state], 0
        while frontier:
            if any(automaton.accepting[s] for s in frontier):
                return cost
            cost += 1
            following: set[int] = set()
            for one in frontier:
                nodes, states = self._trie.walk(automaton, root, np.array([one], dtype=np.int32))
                following.update(np.unique(states[self._trie.is_token[nodes]]).tolist())
            frontier = sorted(following - seen)
            seen |= following
        return IMPOSSIBLE
