"""A logits processor for plain ``model.generate``, beams included: it denies the tokens that the mask of a pattern denies.

It knows neither the model nor who chooses the tokens, so forced text costs a pass for each token; ``custom_generate`` saves those.

    model.generate(**inputs, logits_processor=[ConstrainedLogitsProcessor(pattern, tokenizer, prompt_length=n, max_new_tokens=64)])

>>> issubclass(ConstrainedLogitsProcessor, LogitsProcessor)
True
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from transformers import LogitsProcessor

from rellm_agents.decoding.forward import AllowedTokens
from rellm_agents.decoding.masks import ENDED
from rellm_agents.decoding.spelling import TokenMasks
from rellm_agents.decoding.vocabulary import Vocabulary
from rellm_agents.errors import BudgetTooSmall, TokenRefused
from rellm_agents.patterns import Pattern
from rellm_agents.patterns.machine import State

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_LOST = State(None, (), accepting=False)
"""The state of a text that holds a denied token: a beam of no probability, which transformers carries along to fill up."""


class ConstrainedLogitsProcessor(LogitsProcessor):
    """Holds every text to a pattern, and to an end within the budget. Make one for each call of ``generate``.

    Args:
        pattern: what is written after the prompt has to match it.
        tokenizer: the model's fast tokenizer, or its :class:`Vocabulary`, to build it only once.
        prompt_length: tokens of the prompt, padding included: ``inputs["input_ids"].shape[1]``.
        max_new_tokens: as passed to ``generate``; the end-of-text token counts.
        spelling: ``"any"``; or ``"canonical"``: names, members of enums and forced text as the tokenizer itself writes them.

    Raises:
        BudgetTooSmall: the pattern needs more tokens.
        VocabularyError: the tokenizer cannot be read, or cannot spell any text of the pattern.
    """

    def __init__(
        self,
        pattern: Pattern,
        tokenizer: PreTrainedTokenizerBase | Vocabulary,
        *,
        prompt_length: int,
        max_new_tokens: int,
        spelling: Literal["any", "canonical"] = "any",
    ) -> None:
        vocabulary = tokenizer if isinstance(tokenizer, Vocabulary) else Vocabulary.from_tokenizer(tokenizer)
        self.masks = TokenMasks(pattern, vocabulary, spelling=spelling)
        self._prompt_length, self._budget = prompt_length, max_new_tokens
        needed = self.masks.tokens_needed(self.masks.start)
        if needed > max_new_tokens:
            raise BudgetTooSmall(needed, max_new_tokens)
        self._states: dict[tuple[int, ...], State] = {(): self.masks.start}

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        """Deny the tokens that do not fit.

        Args:
            input_ids: int64[rows, length], prompts and what was written so far.
            scores: float[rows, >= V], changed in place.

        Returns:
            ``scores``.

        Raises:
            TokenRefused: the texts of all rows hold a denied token.
        """
        written = [tuple(row) for row in input_ids[:, self._prompt_length :].tolist()]
        states = {row: self._state(row) for row in written}
        if all(state is _LOST for state in states.values()):
            raise TokenRefused(
                f"no row matches the pattern after {self._prompt_length} tokens of prompt: is that its length, padding included?"
            )
        self._states = states  # of this step; beams go on from any of them
        left = self._budget - (input_ids.shape[1] - self._prompt_length)
        for row, logits in zip(written, scores, strict=True):
            state = states[row]
            bits = self.masks.bits(ENDED if state is _LOST else state, left)
            AllowedTokens.of(bits, self.masks.vocabulary.size).apply_(logits)
        return scores

    def _state(self, row: tuple[int, ...]) -> State:
        """The state after the tokens of a text, mostly one token after a state of the last step."""
        found = self._states.get(row)
        if found is not None:
            return found
        before = self._states.get(row[:-1])
        if before is not None:
            return self._after(before, row[-1])
        state = self.masks.start
        for token_id in row:
            state = self._after(state, token_id)
        return state

    def _after(self, state: State, token_id: int) -> State:
        if state in (ENDED, _LOST):  # what follows the end is padding
            return state
        try:
            return self.masks.advance(state, token_id)
        except TokenRefused:
            return _LOST
