"""The masks that users hold: those of a pattern under a vocabulary, in any spelling or in the tokenizer's own.

:class:`TokenMasks` is one name for both: ``spelling`` tells which class the object is of. The masks themselves are made in
``masks.pattern_masks`` and ``canonical_masks``.

>>> from rellm_agents.patterns import compile_regex
>>> masks = TokenMasks(compile_regex("ab+"), Vocabulary([b"a", b"ab", b"b", None], end_ids=[3]))
>>> masks.bits(masks.start).tolist(), masks.bits(masks.advance(masks.start, 1)).tolist()
([3], [12])
"""

from __future__ import annotations

from typing import Literal

from rellm_agents.arguments import instance_of
from rellm_agents.decoding.masks import PatternMasks
from rellm_agents.decoding.spelling.canonical_masks import CanonicalMasks
from rellm_agents.decoding.vocabulary import Vocabulary
from rellm_agents.errors import ArgumentValueError
from rellm_agents.patterns import Pattern

Spelling = Literal["canonical", "any"]
_PATTERN, _VOCABULARY = instance_of(Pattern), instance_of(Vocabulary, words="a Vocabulary, such as Vocabulary.from_tokenizer(...) makes")


class TokenMasks(PatternMasks):
    """The masks of one pattern under one vocabulary. Immutable to its users; safe to share between threads, sequences and beams.

    Args:
        pattern: what the text has to match.
        vocabulary: the tokens it is written with.
        spelling: ``"any"``: every tokenisation of a text of the pattern is allowed; ``"canonical"``: see
            :class:`rellm_agents.decoding.spelling.canonical_masks.CanonicalMasks`.

    Raises:
        VocabularyError: the vocabulary cannot spell any text of the pattern, or lacks a special token that the pattern names; or
            ``spelling="canonical"`` and the vocabulary was not made of a tokenizer.
        ValueError: another spelling.
    """

    def __new__(cls, pattern: Pattern, vocabulary: Vocabulary, *, spelling: Spelling = "any") -> TokenMasks:
        """An object of the class that ``spelling`` asks for."""
        _PATTERN.check("pattern", pattern)
        _VOCABULARY.check("vocabulary", vocabulary)
        if spelling not in ("any", "canonical"):
            raise ArgumentValueError("spelling", spelling, '"any" or "canonical"')
        return super().__new__(_CanonicalTokenMasks if spelling == "canonical" else cls)

    def __init__(self, pattern: Pattern, vocabulary: Vocabulary, *, spelling: Spelling = "any") -> None:  # noqa: ARG002 - the class tells
        super().__init__(pattern, vocabulary)


class _CanonicalTokenMasks(CanonicalMasks, TokenMasks):
    """Canonical masks that are an instance of :class:`TokenMasks` too."""

    def __init__(self, pattern: Pattern, vocabulary: Vocabulary, *, spelling: Spelling = "canonical") -> None:  # noqa: ARG002 - likewise
        super().__init__(pattern, vocabulary)
