"""The tokens of an automaton that counts iterations which other conditions restrict, by the state and the count where they end.

One walk of the vocabulary serves all counts: what is kept of it is, for each state and number of iterations in which tokens end, the
tokens. Which of these ends can lead to the end of the text depends on how many iterations are still missing, and is asked for each mask.

    (a|bb)* of 2 to 3 characters    from the start: "a" ends after 1, "bb" after 2, "abb" after 3; "abbb" does not fit

Knows nothing of budgets and of what follows.

>>> from rellm_agents.decoding.transitions.lexeme_tokens import LexemeTokenCache
>>> from rellm_agents.decoding.vocabulary import Vocabulary
>>> from rellm_agents.patterns.automaton import START, Automaton
>>> from rellm_agents.patterns.ir import CHARACTER, repeat
>>> from rellm_agents.patterns import read_regex
>>> automaton = CountedAutomaton(Automaton.of(repeat(CHARACTER)), Automaton.of(read_regex("(?:a|bb)*")))
>>> lexemes = LexemeTokenCache(Vocabulary([b"a", b"bb", b"abb", b"abbb", None], end_ids=[4]))
>>> tokens = CountedTokens(lexemes, automaton, START, lexemes.cursors.root)
>>> tokens.mask(tokens.within(2, 3)).bits.tolist()
[7]
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from rellm_agents.decoding.lru import BoundedCache, SizedLruCache
from rellm_agents.decoding.transitions.lexeme_tokens import LexemeTokenCache, counted_nodes
from rellm_agents.decoding.vocabulary import Ids, Mask, TrieCursor, packed
from rellm_agents.patterns.automaton import CountedAutomaton

MAX_BYTES = 64 << 20  # of such tokens, per vocabulary
_MASKS = 32  # of one state, for numbers of iterations near the bounds

Window = tuple[int, int | None]  # how many iterations are missing, at least and at most


class CountedTokens:
    """The tokens from one state of an automaton, below one cursor, whatever number of iterations is missing.

    Attributes:
        automaton, state, cursor: see above.
        ends: the number of iterations that end in tokens, and the state in which the tokens end: each pair once.
    """

    def __init__(self, lexemes: LexemeTokenCache, automaton: CountedAutomaton, state: int, cursor: TrieCursor) -> None:
        self.automaton, self.state, self.cursor = automaton, state, cursor
        self._is_dead_end = lexemes.is_dead_end_of_count
        self._cursors = cursors = lexemes.cursors
        self._trie = trie = cursors.trie
        nodes, states, done = counted_nodes(trie, automaton, state, cursor, is_root=cursor is cursors.root)
        at = np.flatnonzero(lexemes.without_dead_ends(automaton, trie.is_token[nodes], states))
        size = int(states.max(initial=0)) + 1
        pairs = done[at].astype(np.int64) * size + states[at]
        order = np.argsort(pairs, kind="stable")
        at, pairs = at[order], pairs[order]
        counts = trie.token_counts(nodes[at])
        self._ids: Ids = trie.tokens_at(nodes[at])
        pairs = np.repeat(pairs, counts)
        self._starts: NDArray[np.intp] = np.flatnonzero(np.diff(pairs, prepend=-1))
        self.ends: list[tuple[int, int]] = [divmod(pair, size) for pair in pairs[self._starts].tolist()]
        may_end = np.array(automaton.may_end[:size], dtype=bool)
        is_residual = may_end[states] & (trie.child_count[nodes] > 0)
        self._residual_nodes, self._residual_done = nodes[is_residual], done[is_residual]
        self._masks: BoundedCache[tuple[int, ...], Mask] = BoundedCache(_MASKS)
        self._residuals: BoundedCache[Window, TrieCursor] = BoundedCache(_MASKS)
        self._within: BoundedCache[Window, tuple[int, ...]] = BoundedCache(_MASKS)

    def within(self, low: int, high: int | None) -> tuple[int, ...]:
        """The indices of those ends from which ``low`` to ``high`` iterations, those in the tokens included, lead to the end."""
        found = self._within.get((low, high))
        if found is None:
            alive = [i for i, (n, end) in enumerate(self.ends) if self._is_alive(end, low - n, None if high is None else high - n)]
            found = self._within.remember((low, high), tuple(alive))
        return found

    def _is_alive(self, state: int, low: int, high: int | None) -> bool:
        return self.automaton.has_rest(state, low, high) and not self._is_dead_end(self.automaton, state, low, high)

    def mask(self, ends: tuple[int, ...]) -> Mask:
        """The tokens of some ends."""
        found = self._masks.get(ends)
        if found is None:
            found = self._masks.remember(ends, Mask(packed(self.ids(ends), self._trie.vocabulary_size)))
        return found

    def ids(self, ends: tuple[int, ...]) -> Ids:
        """The tokens of some ends: int32[n]."""
        if len(ends) == len(self.ends):
            return self._ids
        stops = np.append(self._starts[1:], len(self._ids))
        is_in = np.zeros(len(self.ends), dtype=bool)
        is_in[list(ends)] = True
        found: Ids = self._ids[np.repeat(is_in, stops - self._starts)]
        return found

    def residual(self, low: int, high: int | None) -> TrieCursor:
        """The nodes with longer tokens at which the text may end after ``low`` to ``high`` iterations."""
        most = int(self._residual_done.max(initial=0))
        key = (min(max(low, 0), most + 1), most if high is None else min(high, most))
        found = self._residuals.get(key)
        if found is None:
            nodes = self._residual_nodes[(self._residual_done >= key[0]) & (self._residual_done <= key[1])]
            found = self._residuals.remember(key, self._cursors.below(np.sort(nodes), self.cursor.lexeme_count + 1))
        return found

    @property
    def nbytes(self) -> int:
        """About how much memory it takes."""
        return 4 * (len(self._ids) + 2 * len(self._residual_nodes)) + 200 * len(self.ends) + _MASKS * self._trie.vocabulary_size // 32


_Place = tuple[CountedAutomaton, int, TrieCursor]
_KNOWN: WeakKeyDictionary[LexemeTokenCache, SizedLruCache[_Place, CountedTokens]] = WeakKeyDictionary()


def counted_tokens(lexemes: LexemeTokenCache, automaton: CountedAutomaton, state: int, cursor: TrieCursor) -> CountedTokens:
    """The tokens from one state of an automaton, below one cursor, remembered."""

    def make() -> tuple[CountedTokens, int]:
        made = CountedTokens(lexemes, automaton, state, cursor)
        return made, made.nbytes

    known = _KNOWN.get(lexemes)
    if known is None:
        known = _KNOWN.setdefault(lexemes, SizedLruCache(MAX_BYTES))
    return known.get((automaton, state, cursor), make)
