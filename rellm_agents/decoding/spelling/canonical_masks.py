"""The masks of a pattern in, the same with only the tokens that the tokenizer itself would write out, where that can be told.

Where few tokens fit - in names, members of enums, forced text - each is looked at; in free text, where thousands fit, all are allowed.
What a text was written with so far has a say in how it goes on, so a state is one of the pattern with the last tokens before it.

>>> from rellm_agents.decoding.masks import TokenMasks
>>> issubclass(CanonicalMasks, TokenMasks)
True
"""

from __future__ import annotations

import numpy as np

from rellm_agents.decoding.lru import LruCache
from rellm_agents.decoding.masks import ENDED, MAX_MASKS, AllowedTokens, TokenMasks
from rellm_agents.decoding.spelling.canonical import MAX_FOLLOWING, CanonicalSpelling
from rellm_agents.decoding.spelling.tokenizer_spelling import CONTEXT, speller_of
from rellm_agents.decoding.vocabulary import Bits, Vocabulary, packed
from rellm_agents.patterns import Pattern
from rellm_agents.patterns.machine import State


class SpelledState(State):
    """A state of a pattern, and the last tokens of the text that led to it.

    Attributes:
        inner: the state of the pattern.
        known: the tokens' ids.
    """

    __slots__ = ("inner", "known")

    def __init__(self, inner: State, known: tuple[int, ...]) -> None:
        super().__init__(inner.machine, inner.cells, accepting=inner.accepting)
        self.inner, self.known = inner, known


class CanonicalMasks(TokenMasks):
    """As :class:`TokenMasks`, in the tokenizer's own spelling; ``TokenMasks(..., spelling="canonical")`` makes one.

    With ``tokens_left`` all tokens are allowed again where those of the tokenizer's own would not end the text in time.

    Raises:
        VocabularyError: the vocabulary was not made of a tokenizer; or as for all masks.
    """

    def __init__(self, pattern: Pattern, vocabulary: Vocabulary, *, spelling: str = "canonical") -> None:  # noqa: ARG002 - the base's signature
        super().__init__(pattern, vocabulary)
        self._plain = TokenMasks(pattern, vocabulary)
        self._own = CanonicalSpelling(self._plain, speller_of(vocabulary))
        self._states: dict[tuple[int, tuple[int, ...]], SpelledState] = {}
        self._spelled = LruCache(MAX_MASKS, self._of_state)
        self.start = self._state(self._plain.start, ())

    def bits(self, state: State, tokens_left: int | None = None) -> Bits:
        """See :meth:`TokenMasks.bits`."""
        if not isinstance(state, SpelledState):
            return self._plain.bits(state, tokens_left)
        within = self._plain.bits(state.inner, tokens_left)
        found = self._spelled[state]
        if tokens_left is None or found is within:
            return found
        both = found & within
        return both if both.any() else within

    def advance(self, state: State, token_id: int) -> State:
        """See :meth:`TokenMasks.advance`; within a budget tokens of other spellings may be allowed, so they are taken here."""
        if not isinstance(state, SpelledState):
            return self._plain.advance(state, token_id)
        inner = self._plain.advance(state.inner, token_id)
        return ENDED if inner is ENDED else self._state(inner, (*state.known, token_id)[-CONTEXT:])

    def forced_bytes(self, state: State) -> bytes:
        """See :meth:`TokenMasks.forced_bytes`."""
        return self._plain.forced_bytes(state.inner if isinstance(state, SpelledState) else state)

    def tokens_needed(self, state: State) -> int:
        """Tokens that suffice, in any spelling."""
        return super().tokens_needed(state.inner if isinstance(state, SpelledState) else state)

    def _state(self, inner: State, known: tuple[int, ...]) -> SpelledState:
        key = inner.id, known
        found = self._states.get(key)
        if found is None:
            if len(self._states) >= MAX_MASKS:
                self._states.clear()  # equal states made later are other ones: only memos are lost
            found = self._states[key] = SpelledState(inner, known)
        return found

    def _of_state(self, state: State) -> Bits:
        assert isinstance(state, SpelledState)
        bits = self._plain.bits(state.inner)
        allowed = AllowedTokens.of(bits, self.vocabulary.size)
        if not allowed.keeps_few or allowed.count > MAX_FOLLOWING:
            return bits
        kept = [token_id for token_id in allowed.ids.tolist() if self._own.is_canonical(state.inner, state.known, token_id)]
        if not kept or len(kept) == allowed.count:
            return bits
        made = packed(np.array(kept, dtype=np.int32), self.vocabulary.size)
        made.flags.writeable = False
        return made
