"""A pattern and a vocabulary in, for each state the mask of the tokens that may come next out.

A mask is assembled from its cells: a literal walks its bytes down the token trie; a lexeme has a mask computed once per
vocabulary, with the places where it ends inside a token, from which only what follows is walked. Near the end of a
budget the same walk leaves out the tokens after which the text could not be finished.

>>> from rellm_agents.patterns import compile_regex
>>> masks = TokenMasks(compile_regex("ab+"), Vocabulary([b"a", b"ab", b"b", None], end_ids=[3]))
>>> masks.bits(masks.start).tolist(), masks.bits(masks.advance(masks.start, 1)).tolist()
([3], [12])
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rellm_agents.decoding.token_costs import IMPOSSIBLE, TokenCosts
from rellm_agents.decoding.trie import Bits, Ids, packed
from rellm_agents.decoding.vocabulary import Vocabulary
from rellm_agents.errors import BudgetTooSmall, TokenRefused, VocabularyError
from rellm_agents.patterns import Pattern, machine
from rellm_agents.patterns.automaton import Automaton
from rellm_agents.patterns.machine import Cell, Continuation, LiteralCell, State

MAX_MASKS = 4_096  # remembered per pattern, least recently used dropped
MAX_MOVES = 65_536
MAX_LEXEME_MASKS = 512  # remembered per vocabulary

_ROOT: Ids = np.zeros(1, dtype=np.int32)

ENDED = State((), accepting=False)
"""The state behind the end-of-text token, in which only that token is allowed, again and again."""


@dataclass(frozen=True)
class _Mask:
    """What may come next: the allowed tokens, and the most that any of them leaves to be written."""

    bits: Bits
    most_after: int


@dataclass(frozen=True)
class _LexemeMask:
    """The same for a state of a lexeme alone, and the nodes of the trie at which it may end with more bytes to come."""

    bits: Bits
    most_after: int
    exits: Ids


class _SharedMasks:
    """What is the same for all patterns under one vocabulary: costs, and the masks of lexemes."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary, self.trie = vocabulary, vocabulary.trie
        self.costs = TokenCosts(vocabulary)
        self.of_lexeme = lru_cache(maxsize=MAX_LEXEME_MASKS)(self._of_lexeme)

    def _of_lexeme(self, automaton: Automaton, state: int) -> _LexemeMask:
        nodes, states = self.trie.walk(automaton, _ROOT, np.array([state], dtype=np.int32))
        ends = self.trie.is_token[nodes]
        bits = self.trie.bits_at(nodes[ends])
        most = int(self.costs.of_states(automaton, states[ends]).max(initial=0))
        return _LexemeMask(_frozen(bits), most, self.trie.inner(nodes[_accepting(automaton, states)]))


@lru_cache(maxsize=16)
def _shared(vocabulary: Vocabulary) -> _SharedMasks:
    return _SharedMasks(vocabulary)


class TokenMasks:
    """The masks of one pattern under one vocabulary. Immutable to its users; safe to share between threads, rows, beams.

    Args:
        pattern: what the text has to match.
        vocabulary: the tokens it is written with.
        spelling: ``"any"``: every tokenisation of a text of the pattern is allowed.

    Raises:
        VocabularyError: the vocabulary cannot spell any text of the pattern.
        ValueError: another spelling.
    """

    def __init__(self, pattern: Pattern, vocabulary: Vocabulary, *, spelling: str = "any") -> None:
        if spelling != "any":
            raise ValueError(f'spelling={spelling!r}: only "any" is supported')
        self.pattern, self.vocabulary = pattern, vocabulary
        self.start: State = machine.start(pattern.node)
        self._shared = _shared(vocabulary)
        self._costs, self._trie = self._shared.costs, self._shared.trie
        self._end_bits = _frozen(packed(np.array(vocabulary.end_ids, dtype=np.int32), vocabulary.size))
        self._mask = lru_cache(maxsize=MAX_MASKS)(self._make_mask)
        self._move = lru_cache(maxsize=MAX_MOVES)(self._make_move)
        if self.tokens_needed(self.start) >= IMPOSSIBLE:
            raise VocabularyError(f"the vocabulary cannot spell any text of the pattern, such as {pattern.shortest()[:60]!r}")

    def bits(self, state: State, tokens_left: int | None = None) -> Bits:
        """The tokens that may come next.

        Args:
            state: ``start``, or what :meth:`advance` gave.
            tokens_left: how many tokens may still be written, the end-of-text token included: only those are allowed
                after which the text can still end in time. ``None``: no bound.

        Returns:
            uint32[ceil(V / 32)], read-only: bit ``i % 32`` of word ``i // 32`` is set if token ``i`` is allowed. An
            end-of-text token is allowed exactly where the text may end.

        Raises:
            BudgetTooSmall: even the shortest way to the end takes more than ``tokens_left``.
        """
        if state is ENDED:
            return self._end_bits
        mask = self._mask(state)
        if tokens_left is None or mask.most_after < tokens_left:
            return mask.bits
        needed = self.tokens_needed(state)
        if needed > tokens_left:
            raise BudgetTooSmall(needed, tokens_left)
        return self._within(state, tokens_left - 1)

    def advance(self, state: State, token_id: int) -> State:
        """The state after one more token.

        Raises:
            TokenRefused: the mask of ``state`` does not allow it.
        """
        return self._move(state, token_id)

    def is_accepting(self, state: State) -> bool:
        """Whether the text may end here."""
        return state.accepting

    def forced_bytes(self, state: State) -> bytes:
        """The bytes that every continuation begins with; empty where there is a choice, or the text may end."""
        found = bytearray()
        while not state.accepting and len(state.cells) == 1 and len(found) < MAX_MOVES:
            (cell,) = state.cells
            if isinstance(cell, LiteralCell):
                found += cell.data[cell.offset :]
                state = machine.resume(cell.then)
                continue
            possible = {byte for byte, target in enumerate(cell.automaton.row(cell.state)) if target}
            if len(possible) > 1:
                break
            found += bytes(possible)
            state = machine.step(state, found[-1])
        return bytes(found)

    def tokens_needed(self, state: State) -> int:
        """How many tokens suffice to finish from here, the end-of-text token included."""
        return 1 if state is ENDED else self._costs.of_state(state)

    def _make_move(self, state: State, token_id: int) -> State:
        end_ids = self.vocabulary.end_ids
        if token_id in end_ids:
            if state.accepting or state is ENDED:
                return ENDED
            raise TokenRefused(f"token {token_id} ends the text, which may not end here")
        data = self.vocabulary.token_bytes[token_id] if 0 <= token_id < self.vocabulary.size else None
        if not data:
            raise TokenRefused(f"token {token_id} writes no text")
        after = machine.run(state, data)
        if after is machine.DEAD_STATE or (not self.vocabulary.spells_every_text and self._costs.of_state(after) >= IMPOSSIBLE):
            raise TokenRefused(f"token {token_id} ({data!r}) does not fit the pattern here")
        return after

    def _make_mask(self, state: State) -> _Mask:
        bits = self._end_bits.copy() if state.accepting else np.zeros_like(self._end_bits)
        most = 0
        nodes: list[Ids] = []
        for cell in state.cells:
            if isinstance(cell, LiteralCell):
                found = self._reached((cell, _ROOT))
            else:
                own = self._shared.of_lexeme(cell.automaton, cell.state)
                bits |= own.bits
                most = max(most, own.most_after + self._costs.of_continuation(cell.then))
                found = self._reached_by(cell.then, own.exits)
            for at, costs in found:
                nodes.append(at)
                most = max(most, int(costs.max(initial=0)))
        if nodes:
            bits |= self._trie.bits_at(np.concatenate(nodes))
        if most >= IMPOSSIBLE:
            return _Mask(self._within(state, IMPOSSIBLE - 1), IMPOSSIBLE)
        return _Mask(_frozen(bits), most + 1)

    def _within(self, state: State, tokens_after: int) -> Bits:
        """The tokens after which ``tokens_after`` more suffice, the end-of-text token included."""
        bits = self._end_bits.copy() if state.accepting else np.zeros_like(self._end_bits)
        nodes = [at[costs < tokens_after] for cell in state.cells for at, costs in self._reached((cell, _ROOT))]
        if nodes:
            bits |= self._trie.bits_at(np.concatenate(nodes))
        return _frozen(bits)

    def _reached_by(self, then: Continuation | None, nodes: Ids) -> Iterator[tuple[Ids, Ids]]:
        """The same as :meth:`_reached` for a continuation."""
        return self._reached(*((cell, nodes) for cell in _first_cells(then, nodes)))

    def _reached(self, *places: tuple[Cell, Ids]) -> Iterator[tuple[Ids, Ids]]:
        """The ends of tokens below ``places`` that their cells and what follows allow, each with the tokens it then takes to the end.

        What follows depends on cell and node alone: however many ways lead to a place, it is walked on from once.
        """
        seen: dict[Cell, Ids] = {}
        waiting = deque(places)
        while waiting:
            cell, nodes = waiting.popleft()
            before = seen.get(cell)
            if before is not None:
                nodes = np.setdiff1d(nodes, before)
            if not len(nodes):
                continue
            seen[cell] = nodes if before is None else np.union1d(before, nodes)
            after = self._costs.of_continuation(cell.then)
            if isinstance(cell, LiteralCell):
                costs = self._costs.of_literal(cell.data)
                for offset in range(cell.offset, len(cell.data)):
                    nodes = self._trie.children(nodes, cell.data[offset])
                    if not len(nodes):
                        break
                    ends = nodes[self._trie.is_token[nodes]]
                    yield ends, np.full(len(ends), min(costs[offset + 1] + after, IMPOSSIBLE), dtype=np.int64)
                exits = self._trie.inner(nodes)
            else:
                nodes, states = self._trie.walk(cell.automaton, nodes, np.full(len(nodes), cell.state, dtype=np.int32))
                is_end = self._trie.is_token[nodes]
                yield nodes[is_end], self._costs.of_states(cell.automaton, states[is_end]) + np.int64(after)
                exits = self._trie.inner(nodes[_accepting(cell.automaton, states)])
            waiting.extend((following, exits) for following in _first_cells(cell.then, exits))


def _first_cells(then: Continuation | None, nodes: Ids) -> tuple[Cell, ...]:
    """The cells of a continuation, if any token goes on at ``nodes``."""
    return machine.resume(then).cells if then is not None and len(nodes) else ()


def _accepting(automaton: Automaton, states: Ids) -> NDArray[np.bool_]:
    """For each of ``states``, whether the automaton may end there."""
    flags = np.zeros(int(states.max(initial=0)) + 1, dtype=bool)
    for state in np.flatnonzero(np.bincount(states)):
        flags[state] = automaton.accepting[state]
    return flags[states]


def _frozen(bits: Bits) -> Bits:
    bits.flags.writeable = False
    return bits
