"""The masks of the patterns that requests to an engine ask for: compiled once, with what is refused before a request begins.

Knows the fields of requests and a vocabulary; knows no engine and no torch.

>>> from rellm_agents.decoding import Vocabulary
>>> patterns = CompiledPatterns(Vocabulary([b"yes", b"no", None], end_ids=[2]), context=100)
>>> patterns.check({"rellm_regex": "yes|no"}, 2) is None, patterns.check({}, 1) is None
(True, True)
>>> patterns.check({"rellm_regex": "yes|no"}, 1)
Traceback (most recent call last):
  ...
rellm_agents.errors.BudgetTooSmall: ...
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from rellm_agents.decoding import TokenMasks, Vocabulary
from rellm_agents.errors import BudgetTooSmall, RELLMError
from rellm_agents.patterns import compile_regex
from rellm_agents.serving.engines.masked_sequence import MaskedSequence
from rellm_agents.serving.pattern_fields import pattern_of

_MAX_MASKS: Final = 256
_log = logging.getLogger(__name__)


class CompiledPatterns:
    """Masks by pattern, under the vocabulary of one model. Safe to share between threads.

    Args:
        vocabulary: of the model.
        context: how many tokens the engine takes, prompt and text together.
    """

    def __init__(self, vocabulary: Vocabulary, context: int) -> None:
        self.vocabulary, self.context = vocabulary, context
        self._masks = lru_cache(_MAX_MASKS)(lambda pattern: TokenMasks(pattern, vocabulary))

    def masks_of(self, fields: Mapping[str, Any]) -> TokenMasks | None:
        """The masks of the pattern that a request asks for; ``None``: for none.

        Raises:
            ArgumentTypeError, ArgumentValueError: the fields cannot be read.
            VocabularyError: the vocabulary cannot spell any text of the pattern.
        """
        pattern = pattern_of(fields)
        return None if pattern is None else self._masks(pattern)

    def check(self, fields: Mapping[str, Any], max_tokens: int | None) -> None:
        """Refuse a request whose pattern cannot be held.

        Args:
            fields: of the request.
            max_tokens: its budget; ``None``: what the context leaves.

        Raises:
            BudgetTooSmall: the shortest text needs more.
            ArgumentTypeError, ArgumentValueError, VocabularyError: as :meth:`masks_of`.
        """
        masks = self.masks_of(fields)
        if masks is not None:
            budget = self.context if max_tokens is None else min(max_tokens, self.context)
            needed = masks.tokens_needed(masks.start)
            if needed > budget:
                raise BudgetTooSmall(needed, budget)

    def sequence(self, fields: Mapping[str, Any], max_tokens: int | None, prompt_length: int) -> MaskedSequence | None:
        """The sequence of a request that was checked; ``None``: it asks for no pattern. Raises nothing, see ``masked_sequence``."""
        try:
            masks = self.masks_of(fields)
        except RELLMError:
            _log.exception("a request that was not checked asks for a pattern that cannot be held: nothing but its end is allowed")
            return MaskedSequence(self._masks(compile_regex("")), 1)
        left = self.context - prompt_length
        return None if masks is None else MaskedSequence(masks, left if max_tokens is None else min(max_tokens, left))
