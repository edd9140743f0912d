r"""Computes how far each state of a pattern is from the end of a named part that the text may be inside of.

Costs are counted up to the end of the part (see :mod:`rellm_agents.patterns.ir`). Outside the part the cost is minus infinity, so leaving
is always allowed. So a part can be held to a budget as a whole text is, and left where its budget is spent.

    <think>.*</think>\n{"a": 1}  part .*      inside it: tokens to </think>     after it: nothing to pay

Knows nothing of texts that are being written; what a budget has left is in ``part_budget``.

>>> _OUTSIDE < 0
True
"""

from __future__ import annotations

from collections.abc import Sequence
from weakref import WeakKeyDictionary

import numpy as np

from rellm_agents.decoding.budget.capture_costs import CaptureCosts
from rellm_agents.decoding.budget.group_costs import cost_bound, tokens_within
from rellm_agents.decoding.budget.token_costs import IMPOSSIBLE, TokenCosts
from rellm_agents.decoding.transitions import LexemeTokenCache, TokenTransitions
from rellm_agents.decoding.vocabulary import Bits, packed
from rellm_agents.patterns import Node
from rellm_agents.patterns.machine import Cell, Continuation, State, part_end

_OUTSIDE = -2 * IMPOSSIBLE
"""The cost of what is not inside the part, whatever else is added to it."""


class _CostsToPartEnd(TokenCosts):
    """Costs up to the end of a part."""

    def __init__(self, lexemes: LexemeTokenCache, name: str) -> None:
        super().__init__(lexemes, CaptureCosts)
        self._name = name
        self._to_end: WeakKeyDictionary[Continuation, int] = WeakKeyDictionary()

    def of_continuation(self, then: Continuation | None) -> int:
        """Tokens that suffice up to the end of the part."""
        if then is None:
            return _OUTSIDE
        if then.depth < 0:  # in a sub-machine, whatever follows it
            return super().of_continuation(then)
        found = self._to_end.get(then)
        if found is None:
            end = part_end(then, self._name)
            if end is None:
                found = _OUTSIDE
            else:
                found = 0
                one: Continuation | None = then
                while one is not end and one is not None:
                    own = self.of_node(one.node)
                    found = IMPOSSIBLE if own is None else min(found + own, IMPOSSIBLE)
                    one = one.then
            self.settled(self._to_end, then, found)
        return found


class PartCosts:
    """Costs to the end of the parts of one name. Safe to share between threads and sequences.

    Args:
        name: of the parts.
        nodes: their patterns.
        transitions: of the whole pattern.

    Attributes:
        needed: tokens that suffice for any of the parts.
    """

    def __init__(self, name: str, nodes: Sequence[Node], transitions: TokenTransitions) -> None:
        self.name, self._transitions = name, transitions
        self._vocabulary = transitions.lexemes.vocabulary
        self._costs = _CostsToPartEnd(transitions.lexemes, name)
        self.needed = max(IMPOSSIBLE if (cost := self._costs.of_node(node)) is None else cost for node in nodes)
        self._bounds: WeakKeyDictionary[State, int] = WeakKeyDictionary()
        self._ends: WeakKeyDictionary[State, frozenset[Continuation]] = WeakKeyDictionary()

    def ends(self, state: State) -> frozenset[Continuation]:
        """The ends of the parts that the text may be inside of here, or at the end of with nothing after it yet."""
        found = self._ends.get(state)
        if found is None:
            ends = (part_end(cell.then, self.name) for cell in state.cells)
            found = self._ends[state] = frozenset(end for end in ends if end is not None)
        return found

    def tokens_needed(self, state: State) -> int:
        """Tokens that suffice to come to the end of the part; 0 outside of one."""
        return max(0, min(map(self._costs.of_cell, state.cells), default=0))

    def narrowed(self, bits: Bits, state: State, left: int) -> Bits:
        """The tokens of a mask that lead out of the part, or to where less than ``left`` tokens suffice to its end.

        Args:
            bits: uint32[ceil(V / 32)], not changed.
            state: whose mask it is.
            left: how many.
        """
        bound = self._bounds.get(state)
        if bound is None:
            bound = self._bounds[state] = cost_bound(self._transitions.of_state(state), self._costs)
        if bound < left:
            return bits
        ids = tokens_within(self._transitions.of_state(state), self._costs, left)
        ids += self._vocabulary.end_ids if state.accepting else ()
        return bits & packed(np.array(ids, dtype=np.int32), self._vocabulary.size)

    def after_part(self, state: State) -> State:
        """The same state without the cells of the part, which has ended where it can; if nothing is left, the state itself."""
        cells: set[Cell] = set()
        accepting, machine = state.accepting, self._transitions.machine
        for cell in state.cells:
            end = part_end(cell.then, self.name)
            if end is None:
                cells.add(cell)
            elif self._costs.of_cell(cell) == 0:
                after = machine.enter(end)
                cells.update(after.cells)
                accepting = accepting or after.accepting
        return machine.state_of(cells, accepting=accepting) if cells or accepting else state
