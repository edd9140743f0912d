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
from typing import TYPE_CHECKING, ClassVar, Protocol, TypeVar
from weakref import WeakKeyDictionary, WeakValueDictionary

import numpy as np

from rellm_agents.decoding.transitions.captures import Along, CaptureTransitions, Inside
from rellm_agents.decoding.transitions.lexeme_tokens import IMPOSSIBLE, CountedWalk, Walk, Walks
from rellm_agents.decoding.transitions.literal_set_tokens import SetWalk
from rellm_agents.decoding.vocabulary import Mask, Spot, TokenTrie
from rellm_agents.patterns.machine import (
    HOLE,
    CaptureCell,
    Cell,
    Continuation,
    CounterCell,
    LexemeCell,
    LiteralCell,
    Machine,
    SetCell,
    State,
)

if TYPE_CHECKING:
    from rellm_agents.decoding.budget import TokenCosts

Key = TypeVar("Key")
Made = TypeVar("Made")

MAX_SET_WALKS = 1_024
MAX_LANDINGS = 8_192  # places from which landings are remembered, per pattern; then it begins to remember anew
MAX_PARTS = 256
_DEEP = 10  # continuations, from which on a node is looked through apart from what follows it
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
        own = max((costs.at_most_of_lexeme(self.walk.automaton, end) for end in self.walk.ends), default=0)
        return min(own + costs.of_continuation(self.then), IMPOSSIBLE)

    def within(self, costs: TokenCosts, limit: int) -> Iterable[int]:
        """See :class:`Landing`."""
        walk, starts = self.walk, self.walk.spot.nodes
        nodes, states = self._trie.walk(walk.automaton, starts, np.full(len(starts), walk.state, dtype=np.int32))
        own = np.full(int(states.max(initial=0)) + 1, IMPOSSIBLE, dtype=np.int64)
        rest = costs.of_continuation(self.then)
        for end in walk.ends:
            most = costs.at_most_of_lexeme(walk.automaton, end)
            own[end] = most if most + rest < limit else costs.of_lexeme(walk.automaton, end)
        ids: list[int] = self._trie.tokens_at(nodes[own[states] + rest < limit]).tolist()
        return ids


class CounterLanding:
    """Tokens that end inside a counted repeat."""

    __slots__ = ("cell", "mask", "room", "walk")
    ids: ClassVar[tuple[int, ...]] = ()

    def __init__(self, walk: CountedWalk, cell: CounterCell) -> None:
        self.walk, self.cell = walk, cell
        self.room = _room(cell)
        self.mask = walk.mask(self.room)

    def most_after(self, costs: TokenCosts) -> int:
        """See :class:`Landing`."""
        own = max((self._own_cost(costs, done, end) for done, end in self.walk.ends), default=0)
        return min(own + costs.of_continuation(self.cell.then), IMPOSSIBLE)

    def within(self, costs: TokenCosts, limit: int) -> Iterable[int]:
        """See :class:`Landing`."""
        tokens, begun, done, states = self.walk.tokens()
        fits = begun <= (self.walk.most if self.room is None else self.room)
        after = costs.of_continuation(self.cell.then)
        for times, end in self.walk.ends:
            if self._own_cost(costs, times, end) + after >= limit:
                fits &= (done != times) | (states != end)
        ids: list[int] = tokens[fits].tolist()
        return ids

    def _own_cost(self, costs: TokenCosts, times: int, state: int) -> int:
        return costs.of_counter(self.cell.automaton, state, self.cell.minimum - self.cell.done - times)


class Gathered:
    """Tokens that fit, many of them.

    Attributes:
        ids: some of the tokens.
        masks: masks of the others; and where ``HOLE`` is reached inside tokens, from which they may go on.
    """

    __slots__ = ("ids", "masks")

    def __init__(self, ids: tuple[int, ...], masks: tuple[Mask | Spot, ...]) -> None:
        self.ids, self.masks = ids, masks


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
        self._gathered: dict[int, tuple[int, ...] | Gathered] = {}
        self._landed: dict[int, tuple[Landing | Spot, ...]] = {}
        self._insides: dict[int, Inside] = {}
        self._alongs: dict[tuple[int, int, bytes], Along] = {}
        self._of_capture = CaptureTransitions(walks)
        self._parts = lru_cache(maxsize=MAX_PARTS)(partial(Landings.of, walks=walks))
        self._of_set = lru_cache(maxsize=MAX_SET_WALKS)(partial(SetWalk, walks.spots))  # sets hold what follows: not for longer than here

    def gather(self, cell: Cell, spot: Spot, ids: list[int], masks: list[Mask | Spot]) -> None:
        """Add the tokens below ``spot`` that fit ``cell`` and what follows it to ``ids`` and ``masks``, wherever they land."""
        if type(cell) is LiteralCell:  # quicker than ``match``
            data, offset = cell.data, cell.offset
            for byte in data[offset:] if offset else data:
                spot = spot.children.get(byte) or spot.child(byte)
                if spot.token_ids:
                    ids += spot.token_ids
                if not spot.has_children:
                    return
            self._gather_after(cell.then, spot, ids, masks)
            return
        match cell:
            case LexemeCell():
                walk = self.walks.of(cell.automaton, cell.state, spot)
                if walk.mask is None:
                    ids += walk.ids
                else:
                    masks.append(walk.mask)
                if walk.exits.has_children:
                    self._gather_after(cell.then, walk.exits, ids, masks)
            case SetCell():
                several = self._of_set(cell.members, cell.low, cell.high, cell.offset, spot)
                ids += several.ids
                if several.mask is not None:
                    masks.append(several.mask)
                for member, exit_ in several.exits:
                    self._gather_after(self.machine.continuation(cell.members.rests[member], cell.then), exit_, ids, masks)
            case CounterCell():
                counted = self.walks.counted(cell.automaton, cell.state, spot)
                masks.append(counted.mask(_room(cell)))
                room = None if cell.maximum is None else cell.maximum - cell.done
                self._gather_after(cell.then, counted.exits(cell.minimum - cell.done, room), ids, masks)
            case CaptureCell():
                for one in self._of_capture.spots(cell, spot):
                    for then, over in self._of_capture.gather(self, cell, one, ids, masks):
                        self._gather_after(then, over, ids, masks)

    def _gather_after(self, then: Continuation | None, spot: Spot, ids: list[int], masks: list[Mask | Spot]) -> None:
        """The same for what a continuation says."""
        if then is None or not spot.has_children:
            return
        key = then.id << 64 | spot.id
        found = self._gathered.get(key)
        if found is None:
            found = self._make_gathered(then, spot)
            _keep(self._gathered, key, found)
        if isinstance(found, Gathered):
            ids += found.ids
            masks += found.masks
        else:
            ids += found

    def _make_gathered(self, then: Continuation, spot: Spot) -> tuple[int, ...] | Gathered:
        ids: list[int] = []
        masks: list[Mask | Spot] = []
        if then.depth > _DEEP:
            # Inside many others, the same stands again and again with other things around it, which few tokens reach.
            inside: list[Mask | Spot] = []
            self._gather_after(self.machine.continuation(then.node, HOLE), spot, ids, inside)
            for one in inside:
                if isinstance(one, Mask):
                    masks.append(one)
                else:
                    self._gather_after(then.then, one, ids, masks)
        else:
            entered = self.machine.enter(then)
            for here in (spot,) if spot.depth <= _MERGED else self.walks.spots.each(spot):
                for cell in entered.cells:
                    self.gather(cell, here, ids, masks)
                if entered.accepting and then.depth < 0:
                    masks.append(here)
        return Gathered(tuple(ids), tuple(masks)) if masks else tuple(ids)

    def of_cell(self, cell: Cell, spot: Spot) -> list[Landing | Spot]:
        """The landings of the tokens below ``spot`` that fit ``cell`` and what follows it; a token may land in several places.

        Where ``HOLE`` is reached inside tokens, also the spot from which they may go on.
        """
        found: list[Landing | Spot] = []
        self._add(cell, spot, found)
        return found

    def submachine(self, state: State) -> Landings:
        """The landings of the machine of a part, whose state is ``state``."""
        assert isinstance(state.machine, Machine)
        return self._parts(state.machine)

    def inside(self, state: State, spot: Spot) -> Inside:
        """Where tokens below ``spot`` land that fit a state of a part, and where the part may be over inside them."""
        key = state.id << 64 | spot.id
        found = self._insides.get(key)
        if found is None:
            found = Inside([one for cell in state.cells for one in self.of_cell(cell, spot)])
            _keep(self._insides, key, found)
        return found

    def along(self, state: State, spot: Spot, data: bytes) -> Along:
        """Where tokens end that write the beginning of ``data``: after how many bytes, the tokens, and the state, where one is left.

        Returns:
            These; and after how many bytes no token goes on, 0 if some still may.
        """
        key = state.id, spot.id, data
        found = self._alongs.get(key)
        if found is None:
            found = self._walk_along(state, spot, data)
            _keep(self._alongs, key, found)
        return found

    def _walk_along(self, state: State, spot: Spot, data: bytes) -> Along:
        found: list[tuple[int, tuple[int, ...], State]] = []
        read = 0
        for size, byte in enumerate(data, 1):
            spot = spot.child(byte)
            if spot.token_ids:
                state, read = state.after(data[read:size]), size
                if state.machine is None:
                    return tuple(found), size
                found.append((size, spot.token_ids, state))
            if not spot.has_children:
                return tuple(found), size
        return tuple(found), 0

    def _add(self, cell: Cell, spot: Spot, found: list[Landing | Spot]) -> None:
        match cell:
            case LiteralCell():
                self._add_literal(cell, spot, found)
            case SetCell():
                several = self._of_set(cell.members, cell.low, cell.high, cell.offset, spot)
                found.append(SetLanding(several, cell))
                for member, exit_ in several.exits:
                    found.extend(self._after(self.machine.continuation(cell.members.rests[member], cell.then), exit_))
            case LexemeCell():
                walk = self.walks.of(cell.automaton, cell.state, spot)
                found.append(LexemeLanding(walk, cell.then, self._trie))
                found.extend(self._after(cell.then, walk.exits))
            case CounterCell():
                counted = self.walks.counted(cell.automaton, cell.state, spot)
                found.append(CounterLanding(counted, cell))
                room = None if cell.maximum is None else cell.maximum - cell.done
                found.extend(self._after(cell.then, counted.exits(cell.minimum - cell.done, room)))
            case CaptureCell():
                for one in self._of_capture.spots(cell, spot):
                    landings, following = self._of_capture.of_cell(self, cell, one)
                    found += landings
                    for then, over in following:
                        found.extend(self._after(then, over))

    def _add_literal(self, cell: LiteralCell, spot: Spot, found: list[Landing | Spot]) -> None:
        ids: list[int] = []
        ends: list[int] = []
        end = cell.offset
        for byte in cell.data[end : end + self._trie.max_length]:
            spot = spot.child(byte)
            end += 1
            if spot.token_ids:
                ids += spot.token_ids
                ends += [end] * len(spot.token_ids)
            if not spot.has_children:
                break
        if ids:
            found.append(LiteralLanding(cell, ids, ends))
        if end == len(cell.data) and spot.has_children:
            found.extend(self._after(cell.then, spot))

    def _after(self, then: Continuation | None, spot: Spot) -> tuple[Landing | Spot, ...]:
        """The landings below ``spot`` of what a continuation says."""
        if then is None or not spot.has_children:
            return ()
        key = then.id << 64 | spot.id
        known = self._landed.get(key)
        if known is not None:
            return known
        found: list[Landing | Spot] = []
        entered = self.machine.enter(then)
        for here in (spot,) if spot.depth <= _MERGED else self.walks.spots.each(spot):
            for cell in entered.cells:
                self._add(cell, here, found)
            if entered.accepting and then.depth < 0:
                found.append(here)
        made = tuple(found)
        _keep(self._landed, key, made)
        return made


def _keep(table: dict[Key, Made], key: Key, made: Made) -> None:
    if len(table) >= MAX_LANDINGS:
        table.clear()
    table[key] = made


def _room(cell: CounterCell) -> int | None:
    """How many times may still begin."""
    return None if cell.maximum is None else cell.maximum - cell.done - (not cell.automaton.accepting[cell.state])
