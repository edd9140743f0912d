"""The masks of a pattern with only the tokens that the tokenizer itself would write, where that can be told.

Where few tokens fit - in names, members of enums, forced text - each is looked at; in free text, where thousands fit, all are allowed.
Whether a token is canonical depends on the tokens before it. So a state here is a state of the pattern with the last tokens that led to
it: after ``"na`` + ``me`` the state of the pattern is that after ``"name``, and the tokens that may follow are other ones.

Knows nothing of models or torch. How one token is judged is in ``canonical``.

>>> issubclass(CanonicalMasks, PatternMasks)
True
"""

from __future__ import annotations

import numpy as np

from rellm_agents.decoding.lru import BoundedCache, LruCache
from rellm_agents.decoding.masks import ENDED, MAX_MASKS, PatternMasks
from rellm_agents.decoding.spelling.canonical import CanonicalSpelling, few_ids
from rellm_agents.decoding.spelling.tokenizer_spelling import CONTEXT, speller_of
from rellm_agents.decoding.vocabulary import Bits, Vocabulary, packed
from rellm_agents.patterns import Pattern
from rellm_agents.patterns.machine import State


class SpelledState(State):
    """A state of a pattern, and the last tokens of the text that led to it.

    Attributes:
        inner: the state of the pattern.
        known: the ids of the tokens, at most ``CONTEXT``.
    """

    __slots__ = ("inner", "known")

    def __init__(self, inner: State, known: tuple[int, ...]) -> None:
        super().__init__(inner.machine, inner.cells, accepting=inner.accepting)
        self.inner, self.known = inner, known


class CanonicalMasks(PatternMasks):
    """As :class:`PatternMasks`, in the tokenizer's own spelling; ``TokenMasks(..., spelling="canonical")`` makes one.

    With ``tokens_left`` all tokens are allowed again where the canonical ones would not end the text in time. A state of the pattern
    without tokens, as :meth:`start_with` gives it, has the plain masks.

    Raises:
        VocabularyError: the vocabulary was not made of a tokenizer; or as for all masks.
    """

    def __init__(self, pattern: Pattern, vocabulary: Vocabulary) -> None:
        super().__init__(pattern, vocabulary)
        self._spelling = CanonicalSpelling(self, speller_of(vocabulary))
        self._states: BoundedCache[tuple[int, tuple[int, ...]], SpelledState] = BoundedCache(MAX_MASKS)
        self._spelled = LruCache(MAX_MASKS, self._canonical_bits)
        self.start = self._state(self.start, ())

    def bits(self, state: State, tokens_left: int | None = None) -> Bits:
        """See :meth:`PatternMasks.bits`."""
        if not isinstance(state, SpelledState):
            return super().bits(state, tokens_left)
        within = super().bits(state.inner, tokens_left)
        found = self._spelled[state]
        if tokens_left is None or found is within:
            return found
        both = found & within
        return both if both.any() else within

    def advance(self, state: State, token_id: int) -> State:
        """See :meth:`PatternMasks.advance`; within a budget tokens of other spellings may be allowed, so they are taken here."""
        if not isinstance(state, SpelledState):
            return super().advance(state, token_id)
        inner = super().advance(state.inner, token_id)
        return ENDED if inner is ENDED else self._state(inner, (*state.known, token_id)[-CONTEXT:])

    def forced_bytes(self, state: State) -> bytes:
        """See :meth:`PatternMasks.forced_bytes`."""
        return super().forced_bytes(state.inner if isinstance(state, SpelledState) else state)

    def tokens_needed(self, state: State) -> int:
        """Tokens that suffice, in any spelling."""
        return super().tokens_needed(state.inner if isinstance(state, SpelledState) else state)

    def _state(self, inner: State, known: tuple[int, ...]) -> SpelledState:
        key = inner.id, known
        found = self._states.get(key)  # equal states made after it was full are other ones: only memos are lost
        return self._states.remember(key, SpelledState(inner, known)) if found is None else found

    def _canonical_bits(self, state: State) -> Bits:
        assert isinstance(state, SpelledState)
        bits = super().bits(state.inner)
        ids = few_ids(bits, self.vocabulary.size)
        if ids is None:
            return bits
        canonical = [token_id for token_id in ids if self._spelling.is_canonical(state.inner, state.known, token_id)]
        if not canonical or len(canonical) == len(ids):
            return bits
        made = packed(np.array(canonical, dtype=np.int32), self.vocabulary.size)
        made.flags.writeable = False
        return made
