"""A named part of a pattern and a vocabulary in, how far it is from each state to the part's end out.

Costs are counted up to the mark in which the part ends (see :mod:`rellm_agents.patterns.ir.parts`): what leads out of the part costs
less than nothing. So a part can be held to a budget as a whole text is, and left where its budget is spent.

>>> _OUTSIDE < 0
True
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol
from weakref import WeakKeyDictionary

from rellm_agents.decoding.budget.token_costs import TokenCosts
from rellm_agents.decoding.transitions import IMPOSSIBLE, Walks
from rellm_agents.decoding.vocabulary import Bits, Mask
from rellm_agents.patterns.machine import Cell, Continuation, State, part_end

if TYPE_CHECKING:
    from rellm_agents.patterns import Node
    from rellm_agents.patterns.machine import Machine

_OUTSIDE = -2 * IMPOSSIBLE
"""The cost of what is not inside of the part, whatever else is added to it."""


class _Assembly(Protocol):
    def within(self, state: State, limit: int, costs: TokenCosts) -> Mask: ...
    def most_after(self, state: State, costs: TokenCosts) -> int: ...


class _ExitCosts(TokenCosts):
    """Costs up to the end of a part."""

    def __init__(self, walks: Walks, name: str) -> None:
        super().__init__(walks)
        self._name = name
        self._to_end: WeakKeyDictionary[Continuation, int] = WeakKeyDictionary()

    def of_continuation(self, then: Continuation | None) -> int:
        """Tokens that suffice up to the end of the part."""
        if then is None:
            return _OUTSIDE
        if then.depth < 0:  # inside of something that is looked at apart
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
            if not self.of_node.inside_cycle:
                self._to_end[then] = found
        return found


class PartExits:
    """The ways out of the parts of one name. Safe to share between threads and rows.

    Args:
        name: of the parts.
        nodes: what they look like.
        machine: of the whole pattern.
        walks: over the vocabulary.
        assembly: puts masks together.

    Attributes:
        needed: tokens that suffice for any of the parts.
    """

    def __init__(self, name: str, nodes: Sequence[Node], machine: Machine, walks: Walks, assembly: _Assembly) -> None:
        self.name, self._machine, self._assembly = name, machine, assembly
        self._costs = _ExitCosts(walks, name)
        self.needed = max(IMPOSSIBLE if (cost := self._costs.of_node(node)) is None else cost for node in nodes)
        self._most_after: WeakKeyDictionary[State, int] = WeakKeyDictionary()
        self._ends: WeakKeyDictionary[State, frozenset[Continuation]] = WeakKeyDictionary()

    def ends(self, state: State) -> frozenset[Continuation]:
        """The ends of the parts that the text may be inside of here, or at the end of, with nothing behind it yet."""
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
        most = self._most_after.get(state)
        if most is None:
            most = self._most_after[state] = self._assembly.most_after(state, self._costs) - 1
        return bits if most < left else bits & self._assembly.within(state, left, self._costs).bits

    def closed(self, state: State) -> State:
        """What is left of a state outside of the part, and behind it, where it can end here; if nothing, the state itself."""
        cells: set[Cell] = set()
        accepting = state.accepting
        for cell in state.cells:
            end = part_end(cell.then, self.name)
            if end is None:
                cells.add(cell)
            elif self._costs.of_cell(cell) == 0:
                behind = self._machine.enter(end)
                cells.update(behind.cells)
                accepting = accepting or behind.accepting
        return self._machine.state_of(cells, accepting=accepting) if cells or accepting else state
