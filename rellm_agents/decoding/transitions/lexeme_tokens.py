"""An automaton, one of its states and a spot of the token trie in; the tokens it allows, and where it may end inside them, out.

Lexemes know nothing of the pattern they stand in, so this work is done once per vocabulary and shared by all patterns. A token
that ends where the vocabulary cannot spell any rest of the lexeme is not among those allowed.

>>> from rellm_agents.decoding.vocabulary import Vocabulary
>>> from rellm_agents.patterns import read_regex
>>> walks = Walks(Vocabulary([b"a", b"aa", b"ab", None], end_ids=[3]))
>>> walk = walks.of(Automaton.of(read_regex("a+")), 1, walks.spots.root)
>>> walk.mask.bits.tolist(), walk.exits.child(ord("b")).token_ids
([3], (2,))
"""

from __future__ import annotations

from functools import lru_cache, partial
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from rellm_agents.decoding.vocabulary import Ids, Mask, Spot, Spots, TokenTrie, Vocabulary, packed, packed_flags
from rellm_agents.patterns.automaton import DEAD, Automaton

IMPOSSIBLE = 1 << 30
"""The cost of what the vocabulary cannot spell; larger than any budget."""

MAX_WALKS = 1_024  # remembered per vocabulary, least recently used dropped; a mask each, 6 kB for 49,152 tokens
MAX_COUNTED_WALKS = 64  # about 20 bytes per token each
MAX_REFERENCES = 64
_FEW = 64  # tokens that are kept as ids rather than as a mask
_WORTH_A_DELTA = 0.25  # of all nodes: if fewer differ from a walk already done, only they are walked


class Walk:
    """What an automaton allows from one of its states and from one spot on.

    Attributes:
        ids: the tokens, if they are few.
        mask: the tokens, if they are many.
        ends: the states of the automaton in which they end.
        exits: the places in which the automaton may end with more of a token to come.
    """

    __slots__ = ("automaton", "ends", "exits", "ids", "mask", "spot", "state")

    def __init__(
        self, automaton: Automaton, state: int, spot: Spot, tokens: tuple[int, ...] | Mask, ends: tuple[int, ...], exits: Spot
    ) -> None:
        self.automaton, self.state, self.spot = automaton, state, spot
        self.ids, self.mask = tokens if isinstance(tokens, tuple) else (), tokens if isinstance(tokens, Mask) else None
        self.ends, self.exits = ends, exits


class CountedWalk:
    """The same for the automaton of a repeat without bounds, with the times of the repeat that each token holds.

    Attributes:
        most: the most times that any token begins.
        ends: how many times are done and the state of the automaton at the ends of tokens, each pair once.
    """

    def __init__(self, walks: Walks, automaton: Automaton, state: int, spot: Spot) -> None:
        self.automaton, self.state, self.spot = automaton, state, spot
        self._spots = spots = walks.spots
        self._trie = spots.trie
        nodes, states, done = _counted(self._trie, automaton, state, spot, is_root=spot is spots.root)
        complete = automaton.accepting_flags(states)
        begun = done + ~complete - (not automaton.accepting[state])  # a time that was begun before the token is not begun by it
        is_end = walks.without_stuck(automaton, self._trie.is_token[nodes], states)
        at = np.flatnonzero(is_end)
        at = at[np.argsort(begun[at], kind="stable")]
        self._ids = self._trie.tokens_at(nodes[at])  # of tokens, so that a mask is a beginning of them
        at = np.repeat(at, self._trie.token_counts(nodes[at]))
        self._begun, self._done, self._states = begun[at], done[at], states[at]
        self.most = int(self._begun.max(initial=0))
        kinds = int(self._states.max(initial=0)) + 1
        self.ends: list[tuple[int, int]] = [divmod(pair, kinds) for pair in _distinct(self._done * kinds + self._states)]
        is_exit = complete & (self._trie.child_count[nodes] > 0)
        self._exit_nodes, self._exit_done = nodes[is_exit], done[is_exit]
        self._masks: dict[int, Mask] = {}
        self._exits: dict[tuple[int, int], Spot] = {}

    def mask(self, room: int | None) -> Mask:
        """The tokens that begin at most ``room`` times; ``None``: any number."""
        room = self.most if room is None else min(room, self.most)
        found = self._masks.get(room)
        if found is None:
            ids = self._ids[: np.searchsorted(self._begun, room, side="right")]
            found = self._masks[room] = Mask(packed(ids, self._trie.vocabulary_size))
        return found

    def exits(self, missing: int, room: int | None) -> Spot:
        """The places at which at least ``missing`` and at most ``room`` times are done, with more of a token to come."""
        most = int(self._exit_done.max(initial=0))
        key = (min(max(missing, 1), most + 1), most if room is None else min(room, most))
        found = self._exits.get(key)
        if found is None:
            low, high = key
            nodes = self._exit_nodes[(self._exit_done >= low) & (self._exit_done <= high)]
            found = self._exits[key] = self._spots.at(nodes, self.spot.depth + 1)
        return found

    def tokens(self) -> tuple[Ids, Ids, Ids, Ids]:
        """For each token, by ascending times begun: its id, the times it begins and completes, the automaton's state: int32[n]."""
        return self._ids, self._begun, self._done, self._states


class Walks:
    """The walks over one vocabulary. Safe to use from several threads.

    Args:
        vocabulary: whose tokens they walk over.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.spots = Spots(vocabulary.trie)
        self.of = lru_cache(maxsize=MAX_WALKS)(self._of)
        self.counted = lru_cache(maxsize=MAX_COUNTED_WALKS)(partial(CountedWalk, self))
        self._reference = lru_cache(maxsize=MAX_REFERENCES)(_Reference)
        self._is_watching = vocabulary.spells_common_bytes and not vocabulary.spells_every_text  # else never, or all is measured
        self._open: WeakKeyDictionary[Automaton, dict[int, bool]] = WeakKeyDictionary()

    def is_stuck(self, automaton: Automaton, state: int) -> bool:
        """Whether the vocabulary can spell no way from a state of an automaton to an end; only where it spells the common bytes."""
        return self._is_watching and not (automaton.ends_in_common_bytes(state) or self._is_open(automaton, state))

    def without_stuck(self, automaton: Automaton, flags: NDArray[np.bool_], states: Ids) -> NDArray[np.bool_]:
        """``flags``, bool[n], without those of ``states``, int[n], that are stuck."""
        if automaton.node.is_spelled_by_common_bytes or not self._is_watching:
            return flags
        stuck = [state for state in _distinct(states[flags]) if self.is_stuck(automaton, state)]
        return flags & ~np.isin(states, stuck) if stuck else flags

    def _is_open(self, automaton: Automaton, state: int) -> bool:
        """Whether tokens lead to an end, as some may that hold a byte which is no token of its own."""
        known = self._open.setdefault(automaton, {})
        if state not in known:
            seen, waiting = {state}, [state]
            root = self.spots.root.nodes
            while waiting and not any(map(automaton.ends_in_common_bytes, seen)):
                nodes, states = self.vocabulary.trie.walk(automaton, root, np.array([waiting.pop()], dtype=np.int32))
                new = {*_distinct(states[self.vocabulary.trie.is_token[nodes]])} - seen
                seen |= new
                waiting += sorted(new)
            known[state] = any(map(automaton.ends_in_common_bytes, seen))
        return known[state]

    def _of(self, automaton: Automaton, state: int, spot: Spot) -> Walk:
        """The walk from ``state`` at ``spot``."""
        trie = self.vocabulary.trie
        if spot is self.spots.root:
            reference = self._reference(automaton)
            walk = self._by_difference(reference, state)
            if walk is not None:
                return walk
            all_states = trie.walk_all(automaton, state)
            if all_states is not None:
                return self._summed_up(reference, state, all_states)
        nodes, states = trie.walk(automaton, spot.nodes, np.full(len(spot.nodes), state, dtype=np.int32))
        is_end = self.without_stuck(automaton, trie.is_token[nodes], states)
        exits = self.spots.at(trie.inner(nodes[automaton.accepting_flags(states)]), spot.depth + 1)
        return Walk(automaton, state, spot, self._few_or_packed(trie.tokens_at(nodes[is_end])), _distinct(states[is_end]), exits)

    def _summed_up(self, reference: _Reference, state: int, all_states: NDArray[np.intp]) -> Walk:
        automaton, trie = reference.automaton, self.vocabulary.trie
        at_tokens = trie.at_tokens(all_states)
        at_tokens = np.where(self.without_stuck(automaton, at_tokens != DEAD, at_tokens), at_tokens, DEAD)
        nodes = np.flatnonzero(automaton.accepting_flags(all_states)).astype(np.int32)
        bits = packed_flags(at_tokens != DEAD)
        walk = Walk(automaton, state, self.spots.root, Mask(bits), _distinct(at_tokens), self.spots.at(trie.inner(nodes), 1))
        reference.known = walk, at_tokens.astype(np.uint16)
        return walk

    def _by_difference(self, reference: _Reference, state: int) -> Walk | None:
        """The walk from ``state`` as a change of one from another state: only below bytes after which the two differ."""
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
        is_end = self.without_stuck(automaton, trie.is_token[nodes], states)
        is_new_token = trie.at_tokens(is_new)
        assert known.mask is not None
        bits = known.mask.bits & ~packed_flags(is_new_token) | packed(trie.tokens_at(nodes[is_end]), trie.vocabulary_size)
        ends = {*_distinct(states_at_tokens[~is_new_token]), *_distinct(states[is_end])}
        is_exit = np.zeros(trie.size, dtype=bool)
        is_exit[known.exits.nodes] = True
        is_exit &= ~is_new
        is_exit[trie.inner(nodes[automaton.accepting_flags(states)])] = True
        exits = np.flatnonzero(is_exit).astype(np.int32)  # ascending, which a sort of tens of thousands would take a millisecond for
        return Walk(automaton, state, known.spot, Mask(bits), tuple(ends), self.spots.at(exits, 1))

    def _few_or_packed(self, ids: Ids) -> tuple[int, ...] | Mask:
        return tuple(ids.tolist()) if len(ids) <= _FEW else Mask(packed(ids, self.vocabulary.size))


class _Reference:
    """The last wide walk from the root with an automaton, by which others are found."""

    def __init__(self, automaton: Automaton) -> None:
        self.automaton = automaton
        self.known: tuple[Walk, NDArray[np.uint16]] | None = None  # with the state in which each token ends


def _counted(trie: TokenTrie, automaton: Automaton, state: int, spot: Spot, *, is_root: bool) -> tuple[Ids, Ids, Ids]:
    """The nodes below a spot, the state at each, and how often the automaton accepted on the way to it: int32[n] each."""
    all_states = trie.walk_all(automaton, state) if is_root else None
    if all_states is not None:
        done = trie.added_up(automaton.accepting_flags(all_states))
        nodes = np.flatnonzero(all_states)
        return nodes.astype(np.int32), all_states[nodes].astype(np.int32), done[nodes].astype(np.int32)
    return trie.walk_counting(automaton, spot.nodes, np.full(len(spot.nodes), state, dtype=np.int32))


def _distinct(states: Ids) -> tuple[int, ...]:
    """The states among ``states``, each once, ``DEAD`` not counted."""
    found: list[int] = np.flatnonzero(np.bincount(states)).tolist()
    return tuple(found[1:] if found and found[0] == DEAD else found)
