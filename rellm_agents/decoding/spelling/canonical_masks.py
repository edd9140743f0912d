"""The masks of a pattern without the tokens that the tokenizer itself would not write, where the text is known.

Known are names, members of enums and forced text; in free text all tokens are allowed that the pattern allows, so no text is lost.
Whether a token is canonical depends on the tokens before it. So a state here is a state of the pattern with the last tokens that led to
it: after ``"na`` + ``me`` the state of the pattern is that after ``"name``, and the tokens that may follow are other ones.

Knows nothing of models or torch. Which tokens are refused is told in ``canonical``.

>>> issubclass(CanonicalMasks, PatternMasks)
True
"""

from __future__ import annotations

from rellm_agents.decoding.lru import BoundedCache
from rellm_agents.decoding.masks import ENDED, MAX_MASKS, PatternMasks
from rellm_agents.decoding.spelling.canonical import CanonicalSpelling
from rellm_agents.decoding.spelling.tokenizer_spelling import CONTEXT, speller_of
from rellm_agents.decoding.vocabulary import Bits, Vocabulary
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

    Where ``tokens_left`` leaves out what the tokenizer would write, other tokens for the same text are allowed. A state of the pattern
    without tokens, as :meth:`start_with` gives it, has the plain masks.

    Raises:
        VocabularyError: the vocabulary was not made of a tokenizer; or as for all masks.
    """

    def __init__(self, pattern: Pattern, vocabulary: Vocabulary) -> None:
        super().__init__(pattern, vocabulary)
        self._spelling = CanonicalSpelling(self, speller_of(vocabulary))
        self._states: BoundedCache[tuple[int, tuple[int, ...]], SpelledState] = BoundedCache(MAX_MASKS)
        self.start = self._state(self.start, ())

    def bits(self, state: State, tokens_left: int | None = None) -> Bits:
        """See :meth:`PatternMasks.bits`."""
        if not isinstance(state, SpelledState):
            return super().bits(state, tokens_left)
        return self._spelling.narrowed(super().bits(state.inner, tokens_left), state.inner, state.known)

    def is_subset(self, state: State) -> bool:
        """See :meth:`PatternMasks.is_subset`."""
        return super().is_subset(state.inner if isinstance(state, SpelledState) else state)

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
