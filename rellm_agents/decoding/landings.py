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

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import ClassVar, Protocol

import numpy as np

from rellm_agents.decoding.spots import Spot
from rellm_agents.decoding.token_costs import IMPOSSIBLE, TokenCosts
from rellm_agents.decoding.trie import Ids, Mask, TokenTrie
from rellm_agents.decoding.walks import CountedWalk, Walk, Walks
from rellm_agents.patterns.cells import Cell, Continuation, CounterCell, LexemeCell, LiteralCell, SetCell
from rellm_agents.patterns.literal_set import LiteralSet
from rellm_agents.patterns.machine import Machine

MAX_LANDINGS = 8_192  # places from which landings are remembered, per pattern, least recently used dropped
_WIDE = 48  # members of a set that are walked all at once
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
        """The most tokens that any of them leaves to be written, the end of the text not included."""
        ...

    def within(self, costs: TokenCosts, limit: int) -> Iterable[int]:
        """Those that leave less than ``limit`` tokens to be written."""
        ...


class CellLanding:
    """Tokens that end before a byte of a literal, or of a set of literals."""

    __slots__ = ("cell", "ids")
    mask: ClassVar[None] = None

    def __init__(self, ids: tuple[int, ...], cell: LiteralCell | SetCell) -> None:
        self.ids, self.cell = ids, cell

    def most_after(self, costs: TokenCosts) -> int:
        """See :class:`Landing`."""
        return costs.of_cell(self.cell)

    def within(self, costs: TokenCosts, limit: int) -> Iterable[int]:
        """See :class:`Landing`."""
        return self.ids if costs.of_cell(self.cell) < limit else ()


class EndLanding:
    """Tokens that end where a part does."""

    __slots__ = ("ids", "then")
    mask: ClassVar[None] = None

    def __init__(self, ids: tuple[int, ...], then: Continuation | None) -> None:
        self.ids, self.then = ids, then

    def most_after(self, costs: TokenCosts) -> int:
        """See :class:`Landing`."""
        return costs.of_continuation(self.then)

    def within(self, costs: TokenCosts, limit: int) -> Iterable[int]:
        """See :class:`Landing`."""
        return self.ids if costs.of_continuation(self.then) < limit else ()


class WideSetLanding:
    """Tokens that end in a large set of literals, or where its members do."""

    __slots__ = ("mask", "parts")
    ids: ClassVar[tuple[int, ...]] = ()

    def __init__(self, mask: Mask, parts: Iterable[Landing]) -> None:
        self.mask = mask
        self.parts = parts  # told apart only where the end of the budget is near

    def most_after(self, costs: TokenCosts) -> int:
        """See :class:`Landing`."""
        return max((part.most_after(costs) for part in self.parts), default=0)

    def within(self, costs: TokenCosts, limit: int) -> Iterable[int]:
        """See :class:`Landing`."""
        return [id_ for part in self.parts for id_ in part.within(costs, limit)]


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


class Landings:
    """Where tokens land in one pattern under one vocabulary, remembered. Safe to share between threads."""

    def __init__(self, machine: Machine, walks: Walks) -> None:
        self.machine, self.walks = machine, walks
        self._trie = walks.vocabulary.trie
        self._after = lru_cache(maxsize=MAX_LANDINGS)(self._make_after)

    def of_cell(self, cell: Cell, spot: Spot) -> Iterator[Landing]:
        """The landings of the tokens below ``spot`` that fit ``cell`` and what follows it; a token may land in several places."""
        match cell:
            case LiteralCell():
                yield from self._of_literal(cell, spot)
            case SetCell():
                if cell.high - cell.low > _WIDE and spot.only_node is not None:
                    yield from self._of_wide_set(cell, spot, spot.only_node)
                else:
                    yield from self._of_set(cell, spot)
            case LexemeCell():
                walk = self.walks.of(cell.automaton, cell.state, spot)
                yield LexemeLanding(walk, cell.then, self._trie)
                yield from self.after(cell.then, walk.exits)
            case CounterCell():
                counted = self.walks.counted(cell.automaton, cell.state, spot)
                yield CounterLanding(counted, cell, self._trie)
                room = None if cell.maximum is None else cell.maximum - cell.done
                yield from self.after(cell.then, counted.exits(cell.minimum - cell.done, room))

    def after(self, then: Continuation | None, spot: Spot) -> tuple[Landing, ...]:
        """The landings below ``spot`` of what a continuation says."""
        return self._after(then, spot) if then is not None and spot.goes_on else ()

    def _make_after(self, then: Continuation, spot: Spot) -> tuple[Landing, ...]:
        cells = self.machine.enter(then).cells
        spots = (spot,) if spot.depth <= _MERGED else self.walks.spots.each(spot)
        return tuple(landing for one in spots for cell in cells for landing in self.of_cell(cell, one))

    def _of_literal(self, cell: LiteralCell, spot: Spot) -> Iterator[Landing]:
        data, then = cell.data, cell.then
        last = len(data) - 1
        for at in range(cell.offset, last):
            spot = spot.child(data[at])
            if spot.token_ids:
                yield CellLanding(spot.token_ids, self.machine.literal_cell(data, at + 1, then))
            if not spot.goes_on:
                return
        spot = spot.child(data[last])
        if spot.token_ids:
            yield EndLanding(spot.token_ids, then)
        yield from self.after(then, spot)

    def _of_set(self, cell: SetCell, spot: Spot) -> Iterator[Landing]:
        """Byte by byte, all members that go on alike together."""
        members, low, offset = cell.members, cell.low, cell.offset
        while low < cell.high:
            byte = members.texts[low][offset]
            _, high = members.narrowed(low, cell.high, offset, byte)
            below = spot.child(byte)
            if below.token_ids or below.goes_on:
                yield from self._of_alike(cell, low, high, below)
            low = high

    def _of_alike(self, cell: SetCell, low: int, high: int, spot: Spot) -> Iterator[Landing]:
        """The members ``low`` to ``high``, one byte further than ``cell``; ``spot`` is behind that byte."""
        members, offset = cell.members, cell.offset + 1
        if len(members.texts[low]) == offset:
            then = self.machine.continuation(members.rests[low], cell.then)
            if spot.token_ids:
                yield EndLanding(spot.token_ids, then)
            yield from self.after(then, spot)
            low += 1
        if low < high:
            rest = self.machine.set_cell(members, low, high, offset, cell.then)
            if spot.token_ids:
                yield CellLanding(spot.token_ids, rest)
            if spot.goes_on:
                yield from self._of_set(rest, spot) if isinstance(rest, SetCell) else self._of_literal(rest, spot)

    def _of_wide_set(self, cell: SetCell, spot: Spot, node: int) -> Iterator[Landing]:
        nodes, over = _walk_set(self._trie, cell.members, cell.low, cell.high, cell.offset, node)
        yield WideSetLanding(Mask(self._trie.bits_at(nodes)), _Lazily(self, cell, spot))
        for member, end in over:
            then = self.machine.continuation(cell.members.rests[member], cell.then)
            yield from self.after(then, self.walks.spots.of_node(end, spot.depth))

    def narrow(self, cell: SetCell, spot: Spot) -> Iterator[Landing]:
        """The landings in a set, told apart."""
        return self._of_set(cell, spot)


class _Lazily:
    """The landings in a set, looked up anew each time they are gone through."""

    __slots__ = ("_cell", "_landings", "_spot")

    def __init__(self, landings: Landings, cell: SetCell, spot: Spot) -> None:
        self._landings, self._cell, self._spot = landings, cell, spot

    def __iter__(self) -> Iterator[Landing]:
        return self._landings.narrow(self._cell, self._spot)


def _walk_set(trie: TokenTrie, members: LiteralSet, low: int, high: int, offset: int, node: int) -> tuple[Ids, list[tuple[int, int]]]:
    """All members at once, byte by byte.

    Returns:
        The nodes of the tokens that end in a member or with it, int32[n], maybe some twice; and for each member that is over
        inside a token: its number, and the node.
    """
    texts = [text[offset : offset + trie.max_length] for text in members.texts[low:high]]
    lengths = np.array([len(text) for text in texts])
    width = int(lengths.max())
    table = np.frombuffer(b"".join(text.ljust(width, b"\0") for text in texts), dtype=np.uint8).reshape(len(texts), width)
    whole = np.array([len(text) - offset for text in members.texts[low:high]])
    rows, nodes = np.arange(len(texts), dtype=np.int32), np.full(len(texts), node, dtype=np.int32)
    ends: list[Ids] = []
    over: list[tuple[int, int]] = []
    for at in range(width):
        goes_on = lengths[rows] > at
        rows, nodes = trie.each_child(rows[goes_on], nodes[goes_on], table[:, at])
        if not len(rows):
            break
        ends.append(nodes[trie.is_token[nodes]])
        is_over = (whole[rows] == at + 1) & (trie.child_count[nodes] > 0)
        over.extend(zip((rows[is_over] + low).tolist(), nodes[is_over].tolist(), strict=True))
    return np.concatenate(ends) if ends else nodes[:0], over
