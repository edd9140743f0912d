"""Holds the parts of a text to budgets of their own, such as the thoughts of an agent, while the text is written.

One budget goes with one text. Each part of the name has the whole budget, and every token that begins in the part takes one of it. The
whole text's budget has priority over a part's: where both cannot be held, as with a part that may be followed by texts of very different
lengths, the part may take more.

Knows nothing of how costs are computed; that is ``part_costs``.

>>> import numpy as np
>>> from rellm_agents.decoding.transitions import LexemeTokenCache, TokenTransitions
>>> from rellm_agents.decoding.vocabulary import Vocabulary, unpacked
>>> from rellm_agents.patterns import read_regex
>>> from rellm_agents.patterns.ir import part
>>> from rellm_agents.patterns.machine import Machine
>>> thought = read_regex("a*b")
>>> transitions = TokenTransitions(Machine.of(part("t", thought)), LexemeTokenCache(Vocabulary([b"a", b"b", None], end_ids=[2])))
>>> budget, start = PartBudget(PartCosts("t", [thought], transitions), 1), transitions.machine.start
>>> unpacked(budget.narrowed(np.array([0b11], dtype=np.uint32), start), 3).tolist()  # no token is left for an a
[False, True, False]
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from rellm_agents.decoding.budget.part_costs import PartCosts
from rellm_agents.decoding.vocabulary import Bits
from rellm_agents.errors import BudgetTooSmall
from rellm_agents.patterns.machine import State


class PartBudget:
    """The budget of the parts of one name.

    Args:
        costs: to the ends of the parts.
        tokens: that may be written in each of them.

    Attributes:
        name: of the parts.

    Raises:
        BudgetTooSmall: the shortest text of a part needs more.
    """

    def __init__(self, costs: PartCosts, tokens: int) -> None:
        if costs.needed > tokens:
            raise BudgetTooSmall(costs.needed, tokens, part=costs.name)
        self.name = costs.name
        self._costs, self._tokens, self._left = costs, tokens, tokens

    def narrowed(self, bits: Bits, state: State) -> Bits:
        """The tokens of a mask after which the part can still end in time.

        Args:
            bits: uint32[ceil(V / 32)], not changed.
            state: whose mask it is.
        """
        left = max(self._left, 0) if self._costs.ends(state) else self._tokens + 1
        found = self._costs.narrowed(bits, state, left)
        return found if found is bits or found.any() else bits

    def lasts(self, states: Sequence[State]) -> bool:
        """Whether the budget lasts for tokens that lead from the first of some states to the last, one after the other."""
        left = self._left
        for before, after in pairwise(states):
            if left <= 0 and self._costs.ends(before):
                return False
            left = self._left_after(left, before, after)
        return self._costs.tokens_needed(states[-1]) <= left

    def spend(self, before: State, after: State) -> None:
        """Count a token that led from one state to another."""
        self._left = self._left_after(self._left, before, after)

    def _left_after(self, left: int, before: State, after: State) -> int:
        return left - 1 if self._costs.ends(before) & self._costs.ends(after) else self._tokens

    def after_part(self, state: State) -> State:
        """The state after the part, if the budget is spent; else the state itself."""
        return self._costs.after_part(state) if self._left <= 0 and self._costs.ends(state) else state
