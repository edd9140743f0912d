"""A cell of a pattern and a spot of the token trie in; the tokens below it that fit, by where they land, out.

Tokens may end inside the cell, or go through it into what follows. What follows depends on continuation and spot alone,
so it is looked up from there once, however many ways lead to it. Each landing knows what its tokens leave to be written.

>>> from rellm_agents.decoding.vocabulary import Vocabulary
>>> from rellm_agents.patterns import read_regex
>>> from rellm_agents.patterns.machine import Machine
>>> landings = Landings(Machine.of(read_regex("ab+")), Walks(Vocabulary([b"a", b"ab", b"b", None], end_ids=[3])))
>>> [landing.ids for landing in landings.of_cell(landings.machine.start.cells[0], landings.walks.spots.root)]
[(0,), (1,)]
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache, partial
from typing import TYPE_CHECKING, ClassVar, Protocol
from weakref import WeakKeyDictionary, WeakValueDictionary

import numpy as np

from rellm_agents.decoding.recalls import Inside, RecallLandings
from rellm_agents.decoding.set_walks import SetWalk
from rellm_agents.decoding.spots import Spot
from rellm_agents.decoding.trie import Mask, TokenTrie
from rellm_agents.decoding.walks import IMPOSSIBLE, CountedWalk, Walk, Walks
from rellm_agents.patterns.cells import Cell, Continuation, CounterCell, LexemeCell, LiteralCell, RecallCell, SetCell, State
from rellm_agents.patterns.machine import Machine

if TYPE_CHECKING:
    from rellm_agents.decoding.token_costs import TokenCosts

MAX_SET_WALKS = 1_024
MAX_LANDINGS = 8_192  # places from which landings are remembered, per pattern, least recently used dropped
MAX_INSIDE = 4_096
MAX_PARTS = 256
_MERGED = 2  # lexemes a token may go through before the places where they end are told apart, lest there be too many sets of them


class Landing(Protocol):
    """Tokens that fit, and end in the same part of the pattern.

    Attributes:
        ids: the tokens, if they are few.
        mask: the tokens, if they are many.
    """

    @property
    def ids(self) -> tuple[int, ...]: ...  # noqa: D102
    @property
    def mask(self) -> Mask | None: ...  # noqa: D102

    def most_after(self, costs: TokenCosts) -> int:
        """The most tokens that any of them leaves to be written, or more; the end of the text not included."""
        ...

    def within(self, costs: TokenCosts, limit: int) -> Iterable[int]:
        """Those that leave less than ``limit`` tokens to be written."""
        ...


class LiteralLanding:
    """Tokens that end in a literal, or with it.

    Attributes:
        ends: for each of the tokens, where in the literal it ends.
    """

    __slots__ = ("data", "ends", "ids", "then")
    mask: ClassVar[None] = None

    def __init__(self, cell: LiteralCell, ids: list[int], ends: list[int]) -> None:
        self.data, self.then = cell.data, cell.then
        self.ids, self.ends = tuple(ids), tuple(ends)

    def most_after(self, costs: TokenCosts) -> int:
        """See :class:`Landing`."""
        own = costs.of_literal(self.data)
        return min(max(own[end] for end in self.ends) + costs.of_continuation(self.then), IMPOSSIBLE)

    def within(self, costs: TokenCosts, limit: int) -> Iterable[int]:
        """See :class:`Landing`."""
        own, rest = costs.of_literal(self.data), costs.of_continuation(self.then)
        return [id_ for id_, end in zip(self.ids, self.ends, strict=True) if own[end] + rest < limit]


class SetLanding:
    """Tokens that end in one of the literals of a set, or with it."""

    __slots__ = ("cell", "ids", "mask", "walk")

    def __init__(self, walk: SetWalk, cell: SetCell) -> None:
        self.walk, self.cell = walk, cell
        self.ids, self.mask = walk.ids, walk.mask

    def most_after(self, costs: TokenCosts) -> int:
        """See :class:`Landing`; for a set only a bound, which is found without going through its members."""
        return min(costs.most_of_set(self.cell.members) + costs.of_continuation(self.cell.then), IMPOSSIBLE)

    def within(self, costs: TokenCosts, limit: int) -> Iterable[int]:
        """See :class:`Landing`."""
        members, rest = self.cell.members, costs.of_continuation(self.cell.then)
        return [i for low, high, offset, ids in self.walk.ends if costs.of_set(members, low, high, offset) + rest < limit for i in ids]


class LexemeLanding:
    """Tokens that end inside a lexeme."""

    __slots__ = ("_trie", "ids", "mask", "then", "walk")

    def __init__(self, walk: Walk, then: Continuation | None, trie: TokenTrie) -> None:
        self.walk, self.then, self._trie = walk, then, trie
        self.ids, self.mask = walk.ids, walk.mask

    def most_after(self, costs: TokenCosts) -> int:
        """See :class:`Landing`."""
        own = max((costs.of_lexeme(self.walk.automaton, end) for end in self.walk.ends), default=0)
        return min(own + costs.of_continuation(self.then), IMPOSSIBLE)

    def within(self, costs: TokenCosts, limit: int) -> Iterable[int]:
        """See :class:`Landing`."""
        walk, starts = self.walk, self.walk.spot.nodes
        nodes, states = self._trie.walk(walk.automaton, starts, np.full(len(starts), walk.state, dtype=np.int32))
        own = np.zeros(int(states.max(initial=0)) + 1, dtype=np.int64)
        for end in walk.ends:
            own[end] = costs.of_lexeme(walk.automaton, end)
        ids: list[int] = self._trie.tokens_at(nodes[own[states] + costs.of_continuation(self.then) < limit]).tolist()
        return ids


class CounterLanding:
    """Tokens that end inside a counted repeat."""

    __slots__ = ("_trie", "cell", "mask", "room", "walk")
    ids: ClassVar[tuple[int, ...]] = ()

    def __init__(self, walk: CountedWalk, cell: CounterCell, trie: TokenTrie) -> None:
        self.walk, self.cell, self._trie = walk, cell, trie
        begun = cell.done + (not cell.automaton.accepting[cell.state])
        self.room = None if cell.maximum is None else cell.maximum - begun  # how many times may still begin
        self.mask = walk.mask(self.room)

    def most_after(self, costs: TokenCosts) -> int:
        """See :class:`Landing`."""
        own = max((self._own_cost(costs, done, end) for done, end in self.walk.ends), default=0)
        return min(own + costs.of_continuation(self.cell.then), IMPOSSIBLE)

    def within(self, costs: TokenCosts, limit: int) -> Iterable[int]:
        """See :class:`Landing`."""
        nodes, begun, done, states = self.walk.tokens()
        fits = begun <= (self.walk.most if self.room is None else self.room)
        after = costs.of_continuation(self.cell.then)
        for times, end in self.walk.ends:
            if self._own_cost(costs, times, end) + after >= limit:
                fits &= (done != times) | (states != end)
        ids: list[int] = self._trie.tokens_at(nodes[fits]).tolist()
        return ids

    def _own_cost(self, costs: TokenCosts, times: int, state: int) -> int:
        return costs.of_counter(self.cell.automaton, state, self.cell.minimum - self.cell.done - times)


class Over:
    """No tokens: here the text ends, and some tokens go on."""

    __slots__ = ("spot",)
    ids: ClassVar[tuple[int, ...]] = ()
    mask: ClassVar[None] = None

    def __init__(self, spot: Spot) -> None:
        self.spot = spot

    def most_after(self, costs: TokenCosts) -> int:  # noqa: ARG002 - as all landings
        """See :class:`Landing`."""
        return 0

    def within(self, costs: TokenCosts, limit: int) -> Iterable[int]:  # noqa: ARG002 - as all landings
        """See :class:`Landing`."""
        return ()


class Landings:
    """Where tokens land in one pattern, or one part of patterns, under one vocabulary, remembered. Safe to share between threads."""

    _known: ClassVar[WeakKeyDictionary[Walks, WeakValueDictionary[Machine, Landings]]] = WeakKeyDictionary()

    @staticmethod
    def of(machine: Machine, walks: Walks) -> Landings:
        """The landings of ``machine``, shared with whoever else holds them."""
        known = Landings._known.setdefault(walks, WeakValueDictionary())
        found = known.get(machine)
        if found is None:
            found = known.setdefault(machine, Landings(machine, walks))
        return found

    def __init__(self, machine: Machine, walks: Walks) -> None:
        self.machine, self.walks = machine, walks
        self._trie = walks.vocabulary.trie
        self.after = lru_cache(maxsize=MAX_LANDINGS)(self._make_after)
        self.inside = lru_cache(maxsize=MAX_INSIDE)(self._make_inside)
        self.along = lru_cache(maxsize=MAX_LANDINGS)(self._walk_along)
        self._parts = lru_cache(maxsize=MAX_PARTS)(partial(Landings.of, walks=walks))
        self._of_recall = RecallLandings(self)
        self._of_set = lru_cache(maxsize=MAX_SET_WALKS)(partial(SetWalk, walks.spots))  # sets hold what follows: not for longer than here

    def of_cell(self, cell: Cell, spot: Spot) -> list[Landing]:
        """The landings of the tokens below ``spot`` that fit ``cell`` and what follows it; a token may land in several places."""
        found: list[Landing] = []
        self._add(cell, spot, found)
        return found

    def of_part(self, state: State) -> Landings:
        """The landings of the machine of a part, whose state is ``state``."""
        assert state.machine is not None
        return self._parts(state.machine)

    def _make_inside(self, state: State, spot: Spot) -> Inside:
        """Where tokens below ``spot`` land that fit a state, and where they go beyond the end."""
        found = [landing for cell in state.cells for landing in self.of_cell(cell, spot)]
        return Inside([one for one in found if not isinstance(one, Over)], [one.spot for one in found if isinstance(one, Over)])

    def _walk_along(self, state: State, spot: Spot, data: bytes) -> tuple[tuple[int, tuple[int, ...], State], ...]:
        """Where tokens end that write the beginning of ``data``: after how many bytes, the tokens, and the state, where one is left."""
        found = []
        read = 0
        for size, byte in enumerate(data, 1):
            spot = spot.child(byte)
            if spot.token_ids:
                state, read = state.after(data[read:size]), size
                if state.machine is None:
                    break
                found.append((size, spot.token_ids, state))
            if not spot.goes_on:
                break
        return tuple(found)

    def _add(self, cell: Cell, spot: Spot, found: list[Landing]) -> None:
        match cell:
            case LiteralCell():
                self._add_literal(cell, spot, found)
            case SetCell():
                several = self._of_set(cell.members, cell.low, cell.high, cell.offset, spot)
                found.append(SetLanding(several, cell))
                for member, exit_ in several.exits:
                    found.extend(self.after(self.machine.continuation(cell.members.rests[member], cell.then), exit_))
            case LexemeCell():
                walk = self.walks.of(cell.automaton, cell.state, spot)
                found.append(LexemeLanding(walk, cell.then, self._trie))
                found.extend(self.after(cell.then, walk.exits))
            case CounterCell():
                counted = self.walks.counted(cell.automaton, cell.state, spot)
                found.append(CounterLanding(counted, cell, self._trie))
                room = None if cell.maximum is None else cell.maximum - cell.done
                found.extend(self.after(cell.then, counted.exits(cell.minimum - cell.done, room)))
            case RecallCell():
                for one in (spot,) if spot.only_node is not None else self.walks.spots.each(spot):
                    found.extend(self._of_recall.of_cell(cell, one))

    def _add_literal(self, cell: LiteralCell, spot: Spot, found: list[Landing]) -> None:
        ids: list[int] = []
        ends: list[int] = []
        end = cell.offset
        for byte in cell.data[end : end + self._trie.max_length]:
            spot = spot.child(byte)
            end += 1
            if spot.token_ids:
                ids += spot.token_ids
                ends += [end] * len(spot.token_ids)
            if not spot.goes_on:
                break
        if ids:
            found.append(LiteralLanding(cell, ids, ends))
        if end == len(cell.data) and spot.goes_on:
            found.extend(self.after(cell.then, spot))

    def _make_after(self, then: Continuation | None, spot: Spot) -> tuple[Landing, ...]:
        """The landings below ``spot`` of what a continuation says."""
        if not spot.goes_on:
            return ()
        if then is None:
            return (Over(spot),)
        found: list[Landing] = []
        for one in (spot,) if spot.depth <= _MERGED else self.walks.spots.each(spot):
            for cell in self.machine.enter(then).cells:
                self._add(cell, one, found)
        return tuple(found)
