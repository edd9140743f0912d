"""The transitions of a pattern: for each cell the tokens that fit it and what follows it, grouped by the cell in which they end.

A token may end inside a cell, or go through it into what follows. So the walk alternates: a cell is *expanded* to the tokens that end
inside it and to its exits, which are continuations with the cursor below which tokens go on; then the cells of each continuation are
expanded below that cursor. What follows depends on continuation and cursor alone, so it is looked up by these two, however many ways
lead to it. This is the product of the pattern's automaton with the trie of the vocabulary (Willard and Louf, "Efficient Guided
Generation for Large Language Models", 2023), made lazily and with one automaton for each lexeme.

    pattern ab+    cell a: token a ends before b     token ab goes on into b+ and ends there

Masks need the union of the tokens only, budgets need the groups; both use the same expansion and gather its results in their own way.

>>> from rellm_agents.decoding.vocabulary import Vocabulary
>>> from rellm_agents.patterns import read_regex
>>> transitions = TokenTransitions(Machine.of(read_regex("ab+")), LexemeTokenCache(Vocabulary([b"a", b"ab", b"b", None], end_ids=[3])))
>>> [group.ids for _, group in transitions.of_state(transitions.machine.start)]
[(0,), (1,)]
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial
from typing import ClassVar, cast
from weakref import WeakKeyDictionary, WeakValueDictionary

from rellm_agents.decoding.lru import BoundedCache
from rellm_agents.decoding.transitions.captures import CaptureTransitions, InnerTokens, TokenBoundaries
from rellm_agents.decoding.transitions.counted_tokens import counted_tokens
from rellm_agents.decoding.transitions.lexeme_tokens import LexemeTokenCache
from rellm_agents.decoding.transitions.literal_set_tokens import LiteralSetTokens
from rellm_agents.decoding.transitions.token_groups import CounterGroup, Exit, LiteralGroup, RestrictedGroup, Transition
from rellm_agents.decoding.vocabulary import Mask, TrieCursor
from rellm_agents.patterns.automaton import CountedAutomaton
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

MAX_SET_TOKENS = 1_024
MAX_TRANSITIONS = 8_192  # continuations and cursors whose tokens are remembered, per pattern
MAX_PARTS = 256
_DEEP = 10  # continuations, from which on a node is looked through apart from what follows it
_MERGED = 2  # lexemes a token may pass before the nodes where they end are told apart, lest there be too many sets of them


class TokenUnion:
    """The tokens that fit a continuation, not grouped.

    Attributes:
        ids: some of the tokens.
        masks: masks of the others; and the cursors at which ``HOLE`` is reached inside tokens, below which they may go on.
    """

    __slots__ = ("ids", "masks")

    def __init__(self, ids: tuple[int, ...], masks: tuple[Mask | TrieCursor, ...]) -> None:
        self.ids, self.masks = ids, masks


class TokenTransitions:
    """The transitions of one pattern, or one part of patterns, under one vocabulary, cached. Safe to share between threads.

    Args:
        machine: of the pattern, or the part.
        lexemes: the tokens of lexemes under the vocabulary.
    """

    _shared: ClassVar[WeakKeyDictionary[LexemeTokenCache, WeakValueDictionary[Machine, TokenTransitions]]] = WeakKeyDictionary()

    @staticmethod
    def of(machine: Machine, lexemes: LexemeTokenCache) -> TokenTransitions:
        """The transitions of ``machine``, shared with whoever else holds them."""
        shared = TokenTransitions._shared.setdefault(lexemes, WeakValueDictionary())
        found = shared.get(machine)
        return shared.setdefault(machine, TokenTransitions(machine, lexemes)) if found is None else found

    def __init__(self, machine: Machine, lexemes: LexemeTokenCache) -> None:
        self.machine, self.lexemes = machine, lexemes
        self._max_length = lexemes.vocabulary.trie.max_length
        # By ``id`` of the continuation or state << 64 | ``id`` of the cursor: one int is quicker to hash than a tuple, and not collected.
        self._unions: BoundedCache[int, tuple[int, ...] | TokenUnion] = BoundedCache(MAX_TRANSITIONS)
        self._transitions: BoundedCache[int, tuple[Transition | TrieCursor, ...]] = BoundedCache(MAX_TRANSITIONS)
        self._inner_tokens: BoundedCache[int, InnerTokens] = BoundedCache(MAX_TRANSITIONS)
        self._boundaries: BoundedCache[tuple[int, int, bytes], TokenBoundaries] = BoundedCache(MAX_TRANSITIONS)
        self._captures = CaptureTransitions(lexemes)
        self._parts = lru_cache(maxsize=MAX_PARTS)(partial(TokenTransitions.of, lexemes=lexemes))
        # Sets hold what follows them, so they are held no longer than the pattern.
        self._of_set = lru_cache(maxsize=MAX_SET_TOKENS)(partial(LiteralSetTokens, lexemes.cursors))

    def gather(self, cell: Cell, cursor: TrieCursor, ids: list[int], masks: list[Mask | TrieCursor]) -> None:
        """Add the tokens below ``cursor`` that fit ``cell`` and what follows it to ``ids`` and ``masks``, not grouped.

        Where ``HOLE`` is reached inside tokens, the cursor below which they may go on is added to ``masks``.
        """
        if type(cell) is LexemeCell:  # most cells are lexemes and literals: nothing is made for them
            tokens = self.lexemes.of(cell.automaton, cell.state, cursor)
            ids += tokens.ids
            masks += tokens.masks
            self._gather_after(cell.then, tokens.residual, ids, masks)
            return
        if type(cell) is LiteralCell:  # children are asked without a call
            data, offset = cell.data, cell.offset
            for byte in data[offset:] if offset else data:
                cursor = cursor.children.get(byte) or cursor.step(byte)
                if cursor.token_ids:
                    ids += cursor.token_ids
                if not cursor.has_children:
                    return
            self._gather_after(cell.then, cursor, ids, masks)
            return
        transitions, exits = self._expand(cell, cursor)
        for _, group in transitions:
            ids += group.ids
            masks += group.masks
        for then, below in exits:
            self._gather_after(then, below, ids, masks)

    def _gather_after(self, then: Continuation | None, cursor: TrieCursor, ids: list[int], masks: list[Mask | TrieCursor]) -> None:
        """The same for what a continuation says."""
        if then is None or not cursor.has_children:
            return
        key = then.id << 64 | cursor.id
        found = self._unions.get(key)
        if found is None:
            found = self._unions.remember(key, self._make_union(then, cursor))
        if isinstance(found, TokenUnion):
            ids += found.ids
            masks += found.masks
        else:
            ids += found

    def _make_union(self, then: Continuation, cursor: TrieCursor) -> tuple[int, ...] | TokenUnion:
        ids: list[int] = []
        masks: list[Mask | TrieCursor] = []
        if then.depth > _DEEP:
            # Inside many others, the same stands again and again with other things around it, which few tokens reach.
            inside: list[Mask | TrieCursor] = []
            self._gather_after(self.machine.continuation(then.node, HOLE), cursor, ids, inside)
            for one in inside:
                if isinstance(one, Mask):
                    masks.append(one)
                else:
                    self._gather_after(then.then, one, ids, masks)
        else:
            entered = self.machine.enter(then)
            for here in self._entered(cursor):
                for cell in entered.cells:
                    self.gather(cell, here, ids, masks)
                if entered.accepting and then.depth < 0:
                    masks.append(here)
        return TokenUnion(tuple(ids), tuple(masks)) if masks else tuple(ids)

    def of_state(self, state: State) -> list[Transition]:
        """The transitions of all tokens that fit a state of the whole pattern; a token may be in several."""
        root = self.lexemes.cursors.root
        return cast("list[Transition]", self._below(state, root))  # no cursors, since what follows is known up to the end of the text

    def _below(self, state: State, cursor: TrieCursor) -> list[Transition | TrieCursor]:
        """The transitions of the tokens below ``cursor``; and the cursors below which tokens go on at ``HOLE``."""
        found: list[Transition | TrieCursor] = []
        for cell in state.cells:
            transitions, exits = self._expand(cell, cursor)
            found += transitions
            for then, below in exits:
                found += self._after(then, below)
        return found

    def _after(self, then: Continuation | None, cursor: TrieCursor) -> tuple[Transition | TrieCursor, ...]:
        """The same for what a continuation says."""
        if then is None or not cursor.has_children:
            return ()
        key = then.id << 64 | cursor.id
        known = self._transitions.get(key)
        if known is not None:
            return known
        found: list[Transition | TrieCursor] = []
        entered = self.machine.enter(then)
        for here in self._entered(cursor):
            found += self._below(entered, here)
            if entered.accepting and then.depth < 0:
                found.append(here)
        return self._transitions.remember(key, tuple(found))

    def _entered(self, cursor: TrieCursor) -> Sequence[TrieCursor]:
        return (cursor,) if cursor.lexeme_count <= _MERGED else self.lexemes.cursors.split(cursor)

    def _expand(self, cell: Cell, cursor: TrieCursor) -> tuple[Sequence[Transition], Sequence[Exit]]:
        """The tokens below ``cursor`` that end inside ``cell``, and its exits: where it ends inside tokens, and what follows."""
        match cell:
            case LexemeCell():
                tokens = self.lexemes.of(cell.automaton, cell.state, cursor)
                return ((cell, tokens),), ((cell.then, tokens.residual),)
            case SetCell():
                members = self._of_set(cell.members, cell.low, cell.high, cell.offset, cursor)
                after, then = self.machine.continuation, cell.then
                return ((cell, members),), [(after(cell.members.rests[member], then), below) for member, below in members.residuals]
            case CounterCell(automaton=CountedAutomaton() as automaton):
                restricted = counted_tokens(self.lexemes, automaton, cell.state, cursor)
                return ((cell, RestrictedGroup(restricted, restricted.within(*cell.missing))),), (
                    (cell.then, restricted.residual(*cell.missing)),
                )
            case CounterCell():
                counted = self.lexemes.counted(cell.automaton, cell.state, cursor)
                left = None if cell.maximum is None else cell.maximum - cell.done
                may_begin = None if left is None else left - (not cell.automaton.accepting[cell.state])  # one may have begun already
                exit_ = cell.then, counted.residual(cell.minimum - cell.done, left)
                return ((cell, CounterGroup(counted, may_begin)),), (exit_,)
            case CaptureCell():
                return self._captures.expand(self, cell, cursor)
            case LiteralCell():
                return self._expand_literal(cell, cursor)

    def _expand_literal(self, cell: LiteralCell, cursor: TrieCursor) -> tuple[Sequence[Transition], Sequence[Exit]]:
        ids: list[int] = []
        ends: list[int] = []
        end = cell.offset
        for byte in cell.data[end : end + self._max_length]:
            cursor = cursor.step(byte)
            end += 1
            if cursor.token_ids:
                ids += cursor.token_ids
                ends += [end] * len(cursor.token_ids)
            if not cursor.has_children:
                break
        return ((cell, LiteralGroup(ids, ends)),) if ids else (), ((cell.then, cursor),) if end == len(cell.data) else ()

    def submachine(self, state: State) -> TokenTransitions:
        """The transitions of the machine of a part, whose state is ``state``."""
        assert isinstance(state.machine, Machine)
        return self._parts(state.machine)

    def inner_tokens(self, state: State, cursor: TrieCursor) -> InnerTokens:
        """The tokens below ``cursor`` that fit a state of a part, and where the part may end inside them."""
        key = state.id << 64 | cursor.id
        found = self._inner_tokens.get(key)
        if found is None:
            below = self._below(state, cursor)
            ends = [one for one in below if isinstance(one, TrieCursor)]  # where the part's continuation ``HOLE`` is reached
            transitions = tuple(one for one in below if not isinstance(one, TrieCursor))
            found = self._inner_tokens.remember(key, InnerTokens(transitions, cursor, ends))
        return found

    def token_boundaries(self, state: State, cursor: TrieCursor, data: bytes) -> TokenBoundaries:
        """The tokens that write beginnings of ``data`` from a state of a part."""
        key = state.id, cursor.id, data
        found = self._boundaries.get(key)
        return self._boundaries.remember(key, _token_boundaries(state, cursor, data)) if found is None else found


def _token_boundaries(state: State, cursor: TrieCursor, data: bytes) -> TokenBoundaries:
    found: list[tuple[int, tuple[int, ...], State]] = []
    read = 0
    for size, byte in enumerate(data, 1):
        cursor = cursor.step(byte)
        if cursor.token_ids:
            state, read = state.after(data[read:size]), size
            if state.machine is None:
                return tuple(found), size
            found.append((size, cursor.token_ids, state))
        if not cursor.has_children:
            return tuple(found), size
    return tuple(found), 0
