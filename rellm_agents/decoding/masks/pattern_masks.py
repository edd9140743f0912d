"""The masks of one pattern: which tokens may come next in each of its states, in whatever way they spell the text.

This is the plain answer, in which every tokenisation of a text is allowed; ``spelling`` narrows it to the tokenizer's own. Masks and
moves are remembered by state. Near the end of a budget the tokens are left out after which the text could not be finished in time.

Knows nothing of tokenizers, models, torch or of the texts that are being written.

>>> from rellm_agents.patterns import compile_regex
>>> masks = PatternMasks(compile_regex("ab+"), Vocabulary([b"a", b"ab", b"b", None], end_ids=[3]))
>>> masks.bits(masks.start).tolist(), masks.bits(masks.advance(masks.start, 1)).tolist()
([3], [12])
"""

from __future__ import annotations

from functools import partial

import numpy as np

from rellm_agents.decoding.budget import IMPOSSIBLE, PartCosts
from rellm_agents.decoding.lru import BoundedCache, LruCache
from rellm_agents.decoding.masks.mask_assembly import ENDED, MAX_MASKS, MaskAssembly, shared_masks
from rellm_agents.decoding.vocabulary import Bits, Ids, Vocabulary
from rellm_agents.errors import ArgumentValueError, BudgetTooSmall, TokenRefused, VocabularyError
from rellm_agents.patterns import Pattern
from rellm_agents.patterns.automaton import Automaton
from rellm_agents.patterns.ir import byte_literal, parts_in
from rellm_agents.patterns.machine import DEAD_STATE, LiteralCell, Machine, State, first_bytes

MAX_MOVES = 65_536


class PatternMasks:
    """The masks of one pattern under one vocabulary. Immutable to its users; safe to share between threads, sequences and beams.

    Args:
        pattern: what the text has to match.
        vocabulary: the tokens it is written with.

    Raises:
        VocabularyError: the vocabulary cannot spell any text of the pattern, or lacks a special token that it names.
    """

    def __init__(self, pattern: Pattern, vocabulary: Vocabulary) -> None:
        self.pattern, self.vocabulary = pattern, vocabulary
        self._machine = pattern.machine
        self.start: State = self._machine.start
        self._shared = shared_masks(vocabulary)
        self._costs = self._shared.costs
        self._assembly = assembly = MaskAssembly(pattern, self._shared)
        self._masks = LruCache(MAX_MASKS, assembly.bits)
        self._cost_bounds = LruCache(MAX_MASKS, assembly.cost_bound)
        self._subsets = LruCache(MAX_MASKS, assembly.is_subset)
        self._forced = LruCache(MAX_MASKS, partial(_forced_bytes, self._machine))
        self._moves: BoundedCache[int, State] = BoundedCache(MAX_MOVES)  # by id of the state * V + token: one int, no tuple to collect
        self._part_costs: dict[str, PartCosts] = {}
        self._size = vocabulary.size
        self._named = vocabulary.named_ids(pattern.special_tokens)
        if not assembly.can_finish and self.tokens_needed(self.start) >= IMPOSSIBLE:
            raise VocabularyError(f"the vocabulary cannot spell any text of the pattern, such as {pattern.shortest()[:60]!r}")

    def bits(self, state: State, tokens_left: int | None = None) -> Bits:
        """The tokens that may come next.

        Args:
            state: ``start``, or what :meth:`advance` gave.
            tokens_left: how many tokens may still be written, the end-of-text token included: only those are allowed
                after which the text can still end in time. ``None``: no bound.

        Returns:
            uint32[ceil(V / 32)], read-only: bit ``i % 32`` of word ``i // 32`` is set if token ``i`` is allowed. An
            end-of-text token is allowed where the text may end, and, if the pattern names it, where it names it.

        Raises:
            BudgetTooSmall: even the shortest way to the end takes more than ``tokens_left``.
        """
        if tokens_left is not None and state is not ENDED and self._cost_bounds[state] >= tokens_left:
            needed = self.tokens_needed(state)
            if needed > tokens_left:
                raise BudgetTooSmall(needed, tokens_left)
            return self._assembly.bits_within(state, tokens_left - 1)
        return self._masks[state]

    def is_subset(self, state: State) -> bool:
        """Whether the mask may miss tokens that fit: an automaton of more states than are made leaves some out, see ``Automaton``."""
        return Automaton.some_are_cut and self._subsets[state]

    def advance(self, state: State, token_id: int) -> State:
        """The state after one more token.

        Raises:
            TokenRefused: the mask of ``state`` does not allow it.
        """
        if not 0 <= token_id < self._size:
            raise TokenRefused(f"token {token_id} writes no text")
        move = state.id * self._size + token_id
        after = self._moves.get(move)
        return self._moves.remember(move, self._make_move(state, token_id)) if after is None else after

    def is_accepting(self, state: State) -> bool:
        """Whether the text may end here."""
        return state.accepting

    def forced_bytes(self, state: State) -> bytes:
        """The bytes that every continuation begins with; empty where there is a choice, or the text may end."""
        return self._forced[state]

    def start_with(self, data: bytes) -> State:
        """The state at which ``data``, then a text of the pattern has to be written: for tokens that begin in what is written already."""
        if not data:
            return self.start
        machine = self._machine
        return machine.enter(machine.continuation(byte_literal(data), machine.continuation(machine.node, None)))

    def goes_beyond(self, state: State, data: bytes) -> bool:
        """Whether some token that may come next begins with ``data`` and is longer.

        Args:
            state: where the token begins.
            data: a beginning of every text that may follow.
        """
        longer = self.longer_tokens(data)
        return bool(len(longer)) and bool((self.bits(state)[longer >> 5] >> (longer & 31).astype(np.uint32) & 1).any())

    def longer_tokens(self, data: bytes) -> Ids:
        """Ids, int32[n], of the tokens that begin with ``data`` and are longer."""
        return self._shared.longer_tokens(data)

    def part_costs(self, name: str) -> PartCosts:
        """The costs to the end of the parts of this name.

        Raises:
            ValueError: the pattern has none.
        """
        if name not in self._part_costs:
            known = parts_in(self.pattern.node)
            if name not in known:
                raise ArgumentValueError.saying(
                    f"the pattern has no part named {name!r}, only {', '.join(map(repr, known)) or 'none at all'}"
                )
            self._part_costs[name] = PartCosts(name, known[name], self._assembly.transitions)
        return self._part_costs[name]

    def tokens_needed(self, state: State) -> int:
        """How many tokens suffice to finish from here, the end-of-text token included."""
        return 1 if state is ENDED else self._costs.of_state(state)

    def _make_move(self, state: State, token_id: int) -> State:
        if token_id in self.vocabulary.end_ids:
            if state.accepting or state is ENDED:
                return ENDED
            if token_id not in self._named:
                raise TokenRefused(f"token {token_id} ends the text, which may not end here")
        data = self._shared.token_bytes.get(token_id) or self._shared.read_bytes(token_id)
        if not data:
            raise TokenRefused(f"token {token_id} writes no text")
        after = self._machine.run(state, data)
        if after is DEAD_STATE or self._assembly.is_dead_end(after):
            raise TokenRefused(f"token {token_id} ({self.vocabulary.shown_bytes(token_id)!r}) does not fit the pattern here")
        return after


def _forced_bytes(machine: Machine, state: State) -> bytes:
    found = bytearray()
    while not state.accepting and state.machine is not None and len(found) < MAX_MOVES:
        if isinstance(state, LiteralCell):
            found += state.rest
            state = machine.enter(state.then)
            continue
        possible = first_bytes(state)
        if len(possible) > 1:
            break
        found += bytes(possible)
        state = machine.run(state, bytes(possible))
    return bytes(found)
