"""Computes which tokens a lexeme allows from one of its states, and where it may end inside them: once per vocabulary.

A lexeme is a part of a pattern that is matched by one automaton, such as a JSON string. It knows nothing of the pattern it stands in,
so this work is shared by all patterns. A token that ends where the vocabulary cannot spell any rest of the lexeme is not among those
allowed.

The walk of a whole trie costs a millisecond for 50,000 tokens. Most states of an automaton agree on most bytes: inside a string all
states but those after a backslash do. So the tokens of a state are found as a difference from those of another state of the same
automaton: only the nodes below bytes on which the two differ are walked.

    a+ from its start     tokens a, aa  allowed     token ab: the lexeme ends after a, the residual cursor continues with b

Knows nothing of what follows a lexeme; that is ``token_transitions``.

>>> from rellm_agents.decoding.vocabulary import Vocabulary
>>> from rellm_agents.patterns import read_regex
>>> lexemes = LexemeTokenCache(Vocabulary([b"a", b"aa", b"ab", None], end_ids=[3]))
>>> tokens = lexemes.of(Automaton.of(read_regex("a+")), 1, lexemes.cursors.root)
>>> tokens.masks[0].bits.tolist(), tokens.residual.step(ord("b")).token_ids
([3], (2,))
"""

from __future__ import annotations

from functools import lru_cache, partial
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from rellm_agents.caches import add_bytes
from rellm_agents.decoding.vocabulary import Ids, Mask, TokenTrie, TrieCursor, TrieCursors, Vocabulary, packed, packed_flags
from rellm_agents.patterns.automaton import DEAD, START, Automaton, CountedAutomaton

MAX_LEXEME_TOKENS = 1_024  # states per vocabulary, least recently used dropped; a mask each, 6 kB for 49,152 tokens
MAX_COUNTER_TOKENS = 64  # about 20 bytes per token each
MAX_ENDS = 16  # 8 bytes for each token
MAX_REFERENCES = 64
_FEW = 64  # tokens that are held as ids rather than as a mask
_WORTH_A_DELTA = 0.25  # of all nodes: if fewer differ from a state that was walked, only they are walked


class LexemeTokens:
    """The tokens that an automaton allows from one of its states, below one cursor.

    Attributes:
        automaton: of the lexeme.
        state: from which the tokens are read.
        cursor: below which they are.
        ids: the tokens, if they are few; else empty. Setting few bits costs less than the union of two masks.
        masks: the one mask of the tokens, if they are many; else empty.
        ends: the states of the automaton in which they end, each once.
        residual: trie nodes where the lexeme has accepted and the token goes on.
    """

    __slots__ = ("automaton", "cursor", "ends", "ids", "masks", "residual", "state")

    def __init__(
        self, automaton: Automaton, state: int, cursor: TrieCursor, tokens: Ids | Mask, ends: tuple[int, ...], residual: TrieCursor
    ) -> None:
        self.automaton, self.state, self.cursor = automaton, state, cursor
        self.ids: tuple[int, ...] = () if isinstance(tokens, Mask) else tuple(tokens.tolist())
        self.masks: tuple[Mask, ...] = (tokens,) if isinstance(tokens, Mask) else ()
        self.ends, self.residual = ends, residual
        add_bytes(residual.nodes.nbytes + (tokens.bits.nbytes if isinstance(tokens, Mask) else 0))


class CounterTokens:
    """The tokens of the automaton of a repeat without bounds, with the iterations that each token holds.

    Held apart from the bounds, so that one walk serves all of ``[a-z]{3,8}``, ``[a-z]{2,}`` and whatever count is reached.

    Attributes:
        automaton: of the repeat without bounds.
        state: from which the tokens are read.
        cursor: below which they are.
        most: the largest number of iterations that any token begins.
        ends: for the ends of tokens the iterations done and the state of the automaton, each pair once.
    """

    def __init__(self, lexemes: LexemeTokenCache, automaton: Automaton, state: int, cursor: TrieCursor) -> None:
        self.automaton, self.state, self.cursor = automaton, state, cursor
        self._cursors = cursors = lexemes.cursors
        self._trie = cursors.trie
        nodes, states, done = counted_nodes(self._trie, automaton, state, cursor, is_root=cursor is cursors.root)
        complete = automaton.accepting_flags(states)
        begun = done + ~complete - (not automaton.accepting[state])  # an iteration that was begun before the token is not begun by it
        is_end = lexemes.without_dead_ends(automaton, self._trie.is_token[nodes], states)
        at = np.flatnonzero(is_end)
        at = at[np.argsort(begun[at], kind="stable")]
        self._ids = self._trie.tokens_at(nodes[at])  # ascending by iterations begun, so that a mask is a slice from the start
        at = np.repeat(at, self._trie.token_counts(nodes[at]))
        self._begun, self._done, self._states = begun[at], done[at], states[at]
        self.most = int(self._begun.max(initial=0))
        size = int(self._states.max(initial=0)) + 1
        self.ends: list[tuple[int, int]] = [divmod(pair, size) for pair in _distinct(self._done * size + self._states)]
        is_residual = complete & (self._trie.child_count[nodes] > 0)
        self._residual_nodes, self._residual_done = nodes[is_residual], done[is_residual]
        add_bytes(sum(one.nbytes for one in (self._ids, self._begun, self._done, self._states)))
        self._masks: dict[int, Mask] = {}
        self._residuals: dict[tuple[int, int], TrieCursor] = {}

    def mask(self, limit: int | None) -> Mask:
        """The tokens that begin at most ``limit`` iterations; ``None``: any number."""
        limit = self.most if limit is None else min(limit, self.most)
        found = self._masks.get(limit)
        if found is None:
            ids = self._ids[: np.searchsorted(self._begun, limit, side="right")]
            found = self._masks[limit] = Mask(packed(ids, self._trie.vocabulary_size))
        return found

    def residual(self, missing: int, limit: int | None) -> TrieCursor:
        """The nodes with longer tokens at which at least ``missing`` and at most ``limit`` iterations are done."""
        most = int(self._residual_done.max(initial=0))
        key = (min(max(missing, 1), most + 1), most if limit is None else min(limit, most))
        found = self._residuals.get(key)
        if found is None:
            low, high = key
            nodes = self._residual_nodes[(self._residual_done >= low) & (self._residual_done <= high)]
            found = self._residuals[key] = self._cursors.below(nodes, self.cursor.lexeme_count + 1)
        return found

    def tokens(self) -> tuple[Ids, Ids, Ids, Ids]:
        """For each token, by ascending iterations begun: its id, the iterations it begins and completes, its end state: int32[n]."""
        return self._ids, self._begun, self._done, self._states


class LexemeTokenCache:
    """The tokens of all lexemes under one vocabulary. Safe to use from several threads.

    Args:
        vocabulary: whose tokens they are.

    Attributes:
        cursors: into the trie of the vocabulary.
        of: the tokens of an automaton, one of its states, and a cursor: :class:`LexemeTokens`.
        counted: likewise of a repeat: :class:`CounterTokens`.
        ends_of_tokens: likewise the tokens, whether or not they lead to an end, and the state in which each ends: int32[n] both.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.cursors = TrieCursors(vocabulary.trie)
        self.of = lru_cache(maxsize=MAX_LEXEME_TOKENS)(self._of)
        self.counted = lru_cache(maxsize=MAX_COUNTER_TOKENS)(partial(CounterTokens, self))
        self.ends_of_tokens = lru_cache(maxsize=MAX_ENDS)(_ends_of_tokens)  # asked for near the end of a budget alone
        self._reference = lru_cache(maxsize=MAX_REFERENCES)(_Reference)
        # Else there are no dead ends, or all is measured before it is allowed.
        self._must_check_spelling = vocabulary.spells_common_bytes and not vocabulary.spells_every_text
        self._can_end: WeakKeyDictionary[Automaton, dict[int, bool]] = WeakKeyDictionary()

    def clear(self) -> None:
        """Forget all tokens that were found."""
        for one in (self.of, self.counted, self.ends_of_tokens, self._reference):
            one.cache_clear()

    def is_dead_end(self, automaton: Automaton, state: int) -> bool:
        """Whether the vocabulary cannot spell any text from a state to an end of the lexeme.

        False for all states if it spells every text, or not even the common bytes: such vocabularies are checked by costs.
        """
        return self._must_check_spelling and not (automaton.ends_in_common_bytes(state) or self._spells_an_end(automaton, state))

    def is_dead_end_of_count(self, automaton: CountedAutomaton, state: int, low: int, high: int | None) -> bool:
        """The same where ``low`` to ``high`` iterations are missing. Only common bytes are looked at, if any text is spelled by them."""
        if not self._must_check_spelling or automaton.node.is_spelled_by_common_bytes or not automaton.ends_in_common_bytes(START):
            return False
        return automaton.fewest_bytes(state, low, high) is None

    def without_dead_ends(self, automaton: Automaton, flags: NDArray[np.bool_], states: Ids) -> NDArray[np.bool_]:
        """``flags``, bool[n], without those of ``states``, int[n], that are dead ends."""
        if automaton.node.is_spelled_by_common_bytes or not self._must_check_spelling:
            return flags
        dead_ends = [state for state in _distinct(states[flags]) if self.is_dead_end(automaton, state)]
        return flags & ~np.isin(states, dead_ends) if dead_ends else flags

    def _spells_an_end(self, automaton: Automaton, state: int) -> bool:
        """Whether tokens lead to an end, as those may that hold a byte which is no token of its own."""
        known = self._can_end.setdefault(automaton, {})
        if state not in known:
            seen, waiting = {state}, [state]
            root, trie = self.cursors.root.nodes, self.vocabulary.trie
            while waiting and not any(map(automaton.ends_in_common_bytes, seen)):
                nodes, states = trie.walk(automaton, root, np.array([waiting.pop()], dtype=np.int32))
                new = {*_distinct(states[trie.is_token[nodes]])} - seen
                seen |= new
                waiting += sorted(new)
            known[state] = any(map(automaton.ends_in_common_bytes, seen))
        return known[state]

    def _of(self, automaton: Automaton, state: int, cursor: TrieCursor) -> LexemeTokens:
        trie = self.vocabulary.trie
        if cursor is self.cursors.root:
            reference = self._reference(automaton)
            found = self._by_difference(reference, state)
            if found is not None:
                return found
            all_states = trie.walk_all(automaton, state)
            if all_states is not None:
                return self._of_whole_trie(reference, state, all_states)
        nodes, states = trie.walk(automaton, cursor.nodes, np.full(len(cursor.nodes), state, dtype=np.int32))
        is_end = self.without_dead_ends(automaton, trie.is_token[nodes], states)
        residual = self.cursors.below(trie.inner(nodes[automaton.accepting_flags(states)]), cursor.lexeme_count + 1)
        ids = trie.tokens_at(nodes[is_end])
        tokens = ids if len(ids) <= _FEW else Mask(packed(ids, self.vocabulary.size))
        return LexemeTokens(automaton, state, cursor, tokens, _distinct(states[is_end]), residual)

    def _of_whole_trie(self, reference: _Reference, state: int, all_states: NDArray[np.intp]) -> LexemeTokens:
        automaton, trie = reference.automaton, self.vocabulary.trie
        at_tokens = trie.at_tokens(all_states)
        at_tokens = np.where(self.without_dead_ends(automaton, at_tokens != DEAD, at_tokens), at_tokens, DEAD)
        nodes = np.flatnonzero(automaton.accepting_flags(all_states)).astype(np.int32)
        mask, residual = Mask(packed_flags(at_tokens != DEAD)), self.cursors.below(trie.inner(nodes), 1)
        found = LexemeTokens(automaton, state, self.cursors.root, mask, _distinct(at_tokens), residual)
        reference.known = found, at_tokens.astype(np.uint16)
        return found

    def _by_difference(self, reference: _Reference, state: int) -> LexemeTokens | None:
        """The tokens of ``state`` as a change of those of another state: only below bytes after which the two differ."""
        if reference.known is None:
            return None
        known, states_at_tokens = reference.known
        automaton, trie = known.automaton, self.vocabulary.trie
        row = automaton.row(state)
        differ = np.array(row) != np.array(automaton.row(known.state))
        if trie.below_byte[differ].sum() > _WORTH_A_DELTA * trie.size:
            return None
        is_new = differ[trie.first_byte]
        starts = np.array(
            [n for b in np.flatnonzero(differ).tolist() if row[b] != DEAD and (n := trie.child(trie.root, b))], dtype=np.int32
        )
        start_states = np.array([row[b] for b in trie.byte[starts].tolist()], dtype=np.int32)
        below, below_states = trie.walk(automaton, starts, start_states)
        nodes, states = np.concatenate((starts, below)), np.concatenate((start_states, below_states))
        is_end = self.without_dead_ends(automaton, trie.is_token[nodes], states)
        is_new_token = trie.at_tokens(is_new)
        bits = known.masks[0].bits & ~packed_flags(is_new_token) | packed(trie.tokens_at(nodes[is_end]), trie.vocabulary_size)
        ends = {*_distinct(states_at_tokens[~is_new_token]), *_distinct(states[is_end])}
        is_residual = np.zeros(trie.size, dtype=bool)
        is_residual[known.residual.nodes] = True
        is_residual &= ~is_new
        is_residual[trie.inner(nodes[automaton.accepting_flags(states)])] = True
        residual = np.flatnonzero(is_residual).astype(np.int32)  # ascending: a sort of tens of thousands would take a millisecond
        return LexemeTokens(automaton, state, known.cursor, Mask(bits), tuple(ends), self.cursors.below(residual, 1))


def _ends_of_tokens(automaton: Automaton, state: int, cursor: TrieCursor) -> tuple[Ids, Ids]:
    nodes, states = cursor.trie.walk(automaton, cursor.nodes, np.full(len(cursor.nodes), state, dtype=np.int32))
    tokens, ends = cursor.trie.tokens_at(nodes), np.repeat(states, cursor.trie.token_counts(nodes)).astype(np.int32)
    add_bytes(tokens.nbytes + ends.nbytes)
    return tokens, ends


class _Reference:
    """The last state of an automaton that was walked over the whole trie: others are found as differences from it."""

    def __init__(self, automaton: Automaton) -> None:
        self.automaton = automaton
        self.known: tuple[LexemeTokens, NDArray[np.uint16]] | None = None  # with the state in which each token ends, [V]


def counted_nodes(trie: TokenTrie, automaton: Automaton, state: int, cursor: TrieCursor, *, is_root: bool) -> tuple[Ids, Ids, Ids]:
    """The nodes below a cursor, the state at each, and how often the automaton accepted on the way to it: int32[n] each."""
    all_states = trie.walk_all(automaton, state) if is_root else None
    if all_states is not None:
        done = trie.added_up(automaton.accepting_flags(all_states))
        nodes = np.flatnonzero(all_states)
        return nodes.astype(np.int32), all_states[nodes].astype(np.int32), done[nodes].astype(np.int32)
    return trie.walk_counting(automaton, cursor.nodes, np.full(len(cursor.nodes), state, dtype=np.int32))


def _distinct(states: Ids) -> tuple[int, ...]:
    """The states among ``states``, each once, ``DEAD`` not counted."""
    found: list[int] = np.flatnonzero(np.bincount(states)).tolist()
    return tuple(found[1:] if found and found[0] == DEAD else found)
