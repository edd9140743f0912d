"""Puts the masks of one pattern together, from work that all patterns under one vocabulary share.

A mask is a union: the few tokens that end inside literals, the masks of lexemes, and what the tokens reach in what follows. Unions are
remembered by the identity of their operands, so two states that allow the same tokens hold the same array.

Knows nothing of texts that are being written: what remembers the masks of a pattern's states is ``pattern_masks``.

>>> from rellm_agents.patterns import compile_regex
>>> pattern = compile_regex("ab+")
>>> shared = shared_masks(Vocabulary([b"a", b"ab", b"b", None], end_ids=[3]))
>>> MaskAssembly(pattern, shared).bits(pattern.machine.start).tolist()
[3]
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import cast

import numpy as np

from rellm_agents.caches import clear_if_full, has_caches
from rellm_agents.decoding.budget import IMPOSSIBLE, CaptureCosts, TokenCosts, cost_bound, tokens_within
from rellm_agents.decoding.lru import BoundedCache, LruCache
from rellm_agents.decoding.transitions import LexemeTokenCache, TokenTransitions
from rellm_agents.decoding.vocabulary import Bits, Ids, Mask, TokenTrie, TrieCursor, Vocabulary, packed
from rellm_agents.patterns import Pattern
from rellm_agents.patterns.automaton import CountedAutomaton, is_finished_by_common_bytes
from rellm_agents.patterns.machine import CaptureCell, Cell, CounterCell, LexemeCell, State

MAX_MASKS = 4_096  # remembered per pattern, least recently used dropped
MAX_VOCABULARIES = 16
MAX_SHARED_BYTES = 32 << 20  # of masks remembered per vocabulary for all patterns
_FEW = 64  # tokens that are set one by one
_LIMIT_BITS = 40  # more than tokens that are left have

ENDED = State(None, (), accepting=False)
"""The state after the end-of-text token, in which only that token is allowed, again and again."""


class SharedMasks:
    """The part of masks that is the same for all patterns under one vocabulary: tokens of lexemes, costs, and unions of tokens.

    Args:
        vocabulary: of the masks.

    Attributes:
        token_bytes: what patterns read of the tokens that were written so far; a dictionary, since the hot path asks it without a call.
        longer_tokens: ids, int32[n], of the tokens that begin with some bytes and go on.
        within: masks of states near the end of a budget, by state and tokens that are left.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.lexemes = LexemeTokenCache(vocabulary)
        self.costs = TokenCosts(self.lexemes, CaptureCosts)
        self._nothing = np.zeros(-(-vocabulary.size // 32), dtype=np.uint32)
        most = max(64, MAX_SHARED_BYTES // max(self._nothing.nbytes, 1))
        self._unions = LruCache(most, self._make_union)
        self.within: BoundedCache[int, Bits] = BoundedCache(most)
        self.token_bytes: dict[int, bytes] = {}
        self.longer_tokens = lru_cache(maxsize=MAX_MASKS)(self._longer_tokens)
        has_caches(self)

    def clear(self) -> None:
        """Forget all masks and tokens that were found."""
        self.lexemes.clear()
        self._unions.clear()
        self.within.clear()
        self.longer_tokens.cache_clear()

    def read_bytes(self, token_id: int) -> bytes | None:
        """The bytes that patterns read of a token, remembered in ``token_bytes``."""
        data = self.vocabulary.read_bytes(token_id)
        if data:
            self.token_bytes[token_id] = data
        return data

    def _longer_tokens(self, data: bytes) -> Ids:
        trie, node = self.vocabulary.trie, TokenTrie.root
        for byte in data:
            node = trie.child(node, byte)
            if node == TokenTrie.root:
                return np.zeros(0, dtype=np.int32)
        return trie.tokens_at(trie.below(node))

    def union(self, masks: list[Mask], ids: list[int]) -> Mask:
        """The mask of all tokens of ``masks`` and ``ids``; the same object for the same operands."""
        if not ids and len(masks) == 1:
            return masks[0]
        return self._unions[(*masks, *ids) if masks else tuple(ids)]

    def bits_of(self, ids: list[int]) -> Bits:
        """The bits of some tokens."""
        return Mask(self._packed(ids)).bits if len(ids) > _FEW else self.union([], ids).bits

    def _packed(self, ids: Sequence[int]) -> Bits:
        return packed(np.array(ids, dtype=np.int32), self.vocabulary.size)

    def _make_union(self, operands: tuple[Mask | int, ...]) -> Mask:
        masks = [operand for operand in operands if isinstance(operand, Mask)]
        ids = cast("tuple[int, ...]", operands[len(masks) :])
        bits = masks[0].bits if masks else self._nothing
        for mask in masks[1:]:
            bits = bits | mask.bits
        if len(ids) > _FEW:
            return Mask(bits | self._packed(ids))
        bits = bits.copy()
        words = bits.data
        for id_ in ids:
            words[id_ >> 5] |= 1 << (id_ & 31)
        return Mask(bits)


def shared_masks(vocabulary: Vocabulary) -> SharedMasks:
    """The shared part of the masks under a vocabulary, the same object each time."""
    clear_if_full()
    return _of_vocabularies[vocabulary]


class MaskAssembly:
    """Puts the masks of one pattern together.

    Apart from :class:`PatternMasks`, which remembers them: so those masks hold no reference to themselves, and are freed at once.

    Args:
        pattern: of the masks.
        shared: of the vocabulary.

    Attributes:
        transitions: of the pattern.
        can_finish: the vocabulary spells a way to the end from everywhere but dead ends inside lexemes, which their tokens leave out
            already; so costs need not be looked at.
    """

    def __init__(self, pattern: Pattern, shared: SharedMasks) -> None:
        self._shared, self._costs, vocabulary = shared, shared.costs, shared.vocabulary
        self.transitions = TokenTransitions(pattern.machine, shared.lexemes)
        self._end_ids = vocabulary.end_ids
        self.can_finish = vocabulary.spells_every_text or (vocabulary.spells_common_bytes and is_finished_by_common_bytes(pattern.node))

    def bits(self, state: State) -> Bits:
        """All tokens that may come next."""
        if not self.can_finish and self.cost_bound(state) >= IMPOSSIBLE:
            return self.bits_within(state, IMPOSSIBLE - 1)
        ids: list[int] = [*self._end_ids] if state.accepting or state is ENDED else []
        masks: list[Mask | TrieCursor] = []
        root, gather = self._shared.lexemes.cursors.root, self.transitions.gather
        if type(state) is State:
            for cell in state.cells:
                gather(cell, root, ids, masks)
        else:
            gather(cast(Cell, state), root, ids, masks)
        return self._shared.union(cast(list[Mask], masks), ids).bits  # no cursors, since what follows is known up to the end of the text

    def cost_bound(self, state: State) -> int:
        """An upper bound of the tokens that any token allowed here leaves to be written, the end-of-text token included."""
        return 1 + cost_bound(self.transitions.of_state(state), self._costs)

    def bits_within(self, state: State, limit: int) -> Bits:
        """The tokens after which ``limit`` more suffice, the end-of-text token included."""
        key = state.id << _LIMIT_BITS | limit
        found = self._shared.within.get(key)
        if found is None:
            ids = tokens_within(self.transitions.of_state(state), self._costs, limit)
            found = self._shared.within.remember(key, self._shared.bits_of([*self._end_ids, *ids] if state.accepting else ids))
        return found

    def is_subset(self, state: State) -> bool:
        """Whether tokens that would be allowed may be missing, as automata of very many states leave some of them out."""
        return any(map(self._leaves_out, state.cells))

    def _leaves_out(self, cell: Cell) -> bool:
        if isinstance(cell, CaptureCell):
            return self.is_subset(cell.state)
        if not isinstance(cell, LexemeCell | CounterCell):
            return False
        start = np.array([cell.state], dtype=np.int32)
        _, states = self._shared.vocabulary.trie.walk(cell.automaton, np.zeros(1, dtype=np.int32), start)
        return cell.automaton.leaves_out(np.union1d(start, states))

    def is_dead_end(self, state: State) -> bool:
        """Whether the text cannot be finished from here with this vocabulary."""
        if self.can_finish:
            return not state.accepting and all(map(self._is_dead_end_in, state.cells))
        return self._costs.of_state(state) >= IMPOSSIBLE

    def _is_dead_end_in(self, cell: Cell) -> bool:
        if isinstance(cell, CaptureCell):
            return all(map(self._is_dead_end_in, cell.state.cells))
        if isinstance(cell, CounterCell) and isinstance(cell.automaton, CountedAutomaton):
            return self._shared.lexemes.is_dead_end_of_count(cell.automaton, cell.state, *cell.missing)
        return isinstance(cell, LexemeCell | CounterCell) and self._shared.lexemes.is_dead_end(cell.automaton, cell.state)


_of_vocabularies = LruCache(MAX_VOCABULARIES, SharedMasks)
