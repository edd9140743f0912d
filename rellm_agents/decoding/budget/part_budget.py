"""A part of a pattern and its budget in, what the budget leaves of each mask, and when the part is over, out.

Goes with one text while it is written. Each part of the name has the whole budget, of which every token that begins in the part
takes one. The end of the text within its own budget goes before: where both cannot be held, as with a part that may be followed by texts of
very different lengths, the part may take more.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from rellm_agents.errors import BudgetTooSmall

if TYPE_CHECKING:
    from rellm_agents.decoding.budget.part_costs import PartExits
    from rellm_agents.decoding.vocabulary import Bits
    from rellm_agents.patterns.machine import State


class PartBudget:
    """The budget of the parts of one name.

    Args:
        exits: of the parts.
        tokens: that may be written in each of them.

    Raises:
        BudgetTooSmall: the shortest text of a part needs more.
    """

    def __init__(self, exits: PartExits, tokens: int) -> None:
        if exits.needed > tokens:
            raise BudgetTooSmall(exits.needed, tokens, part=exits.name)
        self._exits, self._tokens, self._left = exits, tokens, tokens

    @property
    def name(self) -> str:
        """Of the parts."""
        return self._exits.name

    def narrowed(self, bits: Bits, state: State) -> Bits:
        """The tokens of a mask after which the part can still end in time.

        Args:
            bits: uint32[ceil(V / 32)], not changed.
            state: whose mask it is.
        """
        left = max(self._left, 0) if self._exits.ends(state) else self._tokens + 1
        found = self._exits.narrowed(bits, state, left)
        return found if found is bits or found.any() else bits

    def lasts(self, states: Sequence[State]) -> bool:
        """Whether the budget lasts for tokens that lead from the first of some states to the last, one after the other."""
        left = self._left
        for before, after in pairwise(states):
            if left <= 0 and self._exits.ends(before):
                return False
            left = self._left_after(left, before, after)
        return self._exits.tokens_needed(states[-1]) <= left

    def spend(self, before: State, after: State) -> None:
        """Count a token that led from one state to another."""
        self._left = self._left_after(self._left, before, after)

    def _left_after(self, left: int, before: State, after: State) -> int:
        return left - 1 if self._exits.ends(before) & self._exits.ends(after) else self._tokens

    def behind(self, state: State) -> State:
        """The state behind the part, if the budget is spent; else the state itself."""
        return self._exits.closed(state) if self._left <= 0 and self._exits.ends(state) else state
