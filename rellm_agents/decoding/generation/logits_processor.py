"""A logits processor for plain ``model.generate``, beams included: it denies the tokens that the mask of a pattern denies.

It knows neither the model nor who chooses the tokens, so forced text costs a pass for each token; ``custom_generate`` saves those. Nor
does it know what else ``generate`` was told: other processors are called before it, and what they deny cannot be had back.

    model.generate(**inputs, logits_processor=[ConstrainedLogitsProcessor(pattern, tokenizer, prompt_length=n, max_new_tokens=64)])

>>> issubclass(ConstrainedLogitsProcessor, LogitsProcessor)
True
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING, Literal

import torch
from transformers import LogitsProcessor

from rellm_agents.arguments import INTEGER, TEXT, checked
from rellm_agents.decoding.forward import AllowedTokens
from rellm_agents.decoding.generation.options import one_or_all
from rellm_agents.decoding.masks import ENDED
from rellm_agents.decoding.spelling import TokenMasks
from rellm_agents.decoding.vocabulary import Vocabulary
from rellm_agents.errors import ArgumentTypeError, ArgumentValueError, BudgetTooSmall, ScoresNotFinite, TokenRefused
from rellm_agents.patterns import Pattern
from rellm_agents.patterns.machine import State

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_log = logging.getLogger(__name__)

_LOST = State(None, (), accepting=False)
"""The state of a text that holds a denied token: a beam of no probability, which transformers carries along to fill up."""
_UNHEARD = -1e5
"""The score of allowed tokens that others deny, where there are further rows of a prompt: such a beam is the last to be chosen.

It is far above the score of the places for beams that transformers has not filled yet, -1e9.
"""
_OTHER_TOKENIZER = "an assistant with a tokenizer of its own (assistant_tokenizer) shows other ids to this processor, and cannot be used"


class ConstrainedLogitsProcessor(LogitsProcessor):
    """Holds every text to a pattern, and to an end within the budget. Make one for each call of ``generate``.

    Args:
        pattern: what is written after the prompt has to match it.
        tokenizer: the model's fast tokenizer, or its :class:`Vocabulary`, to build it only once.
        prompt_length: how many tokens ``generate`` begins with, padding included: ``inputs["input_ids"].shape[1]``; for a model with an
            encoder, those that the decoder begins with, mostly 1; 0 for ``inputs_embeds`` alone.
        max_new_tokens: as passed to ``generate``; the end-of-text token counts.
        spelling: ``"any"``; or ``"canonical"``: names, members of enums and forced text as the tokenizer itself writes them.

    Raises:
        BudgetTooSmall: the pattern needs more tokens.
        VocabularyError: the tokenizer cannot be read, or cannot spell any text of the pattern.
        TypeError: the pattern is none, but a regex or a schema.
    """

    @checked(prompt_length=INTEGER, max_new_tokens=INTEGER, spelling=TEXT)
    def __init__(
        self,
        pattern: Pattern,
        tokenizer: PreTrainedTokenizerBase | Vocabulary,
        *,
        prompt_length: int,
        max_new_tokens: int,
        spelling: Literal["any", "canonical"] = "any",
    ) -> None:
        if not isinstance(one_or_all(pattern), Pattern):
            raise ArgumentTypeError("pattern", pattern, "a Pattern", advice="one for all rows")
        if prompt_length < 0:
            raise ArgumentValueError("prompt_length", prompt_length, "tokens of the prompt, 0 or more")
        vocabulary = tokenizer if isinstance(tokenizer, Vocabulary) else Vocabulary.from_tokenizer(tokenizer)
        self.masks = TokenMasks(pattern, vocabulary, spelling=spelling)
        self._prompt_length, self._budget = prompt_length, max_new_tokens
        needed = self.masks.tokens_needed(self.masks.start)
        if needed > max_new_tokens:
            raise BudgetTooSmall(needed, max_new_tokens)
        self._states: dict[tuple[int, ...], State] = {(): self.masks.start}
        self._prompts: set[tuple[int, ...]] = set()  # none before the first call
        self._returned: dict[tuple[int, ...], torch.Tensor] = {}  # the scores of the last call by prompt and text

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        """Deny the tokens that do not fit.

        Args:
            input_ids: int64[rows, length], prompts and what was written so far.
            scores: float[rows, >= V].

        Returns:
            The scores, those of denied tokens minus infinity. Where other processors leave none of the allowed tokens to one of several
            rows of the same prompt, such as a beam, all allowed ones are equally improbable: the pattern goes first.

        Raises:
            ScoresNotFinite: what the model scores is no number.
            TokenRefused: ``generate`` began with another number of tokens, or the text of the only row of a prompt holds a denied token.
            ValueError: other processors deny all that the pattern allows, or the rows are not those of one call: tells the way out.
        """
        rows = [tuple(row) for row in input_ids.tolist()]
        prompts = [row[: self._prompt_length] for row in rows]
        self._check(rows, prompts, scores)
        states = [self._state_of(row) for row in rows]
        made, left = scores.clone(), self._budget - (input_ids.shape[1] - self._prompt_length)
        allowed = [
            AllowedTokens.of(self.masks.bits(ENDED if state is _LOST else state, left), self.masks.vocabulary.size) for state in states
        ]
        for one, logits in zip(allowed, made, strict=True):
            one.apply_(logits)
        is_lost, has_any = [state is _LOST for state in states], (made > -torch.inf).any(dim=1).tolist()
        stuck = [not (any_left or state in (ENDED, _LOST)) for any_left, state in zip(has_any, states, strict=True)]  # others deny all
        alone, all_lost = Counter(prompts), all(is_lost)
        self._check_numbers(rows, [state in (ENDED, _LOST) for state in states], made)
        for number, (row, prompt) in enumerate(zip(rows, prompts, strict=True)):
            if (stuck[number] and alone[prompt] == 1) or (is_lost[number] and (alone[prompt] == 1 or all_lost)):
                raise self._refusal(row, allowed[number], is_lost=is_lost[number])
            if stuck[number]:
                _log.warning("other processors of generate deny all that the pattern allows to row %d: it has priority", number)
                made[number, allowed[number].ids_allowed().to(made.device)] = max(_UNHEARD, torch.finfo(made.dtype).min / 2)
        self._states = dict(zip((row[self._prompt_length :] for row in rows), states, strict=True))  # beams go on from any of them
        self._returned = dict(zip(rows, made, strict=True))
        return made  # type: ignore[return-value]  # torch has no type of its own for floats

    def _check(self, rows: list[tuple[int, ...]], prompts: list[tuple[int, ...]], scores: torch.Tensor) -> None:
        """Refuse what is not a step of one call of ``generate`` after prompts of the given length."""
        length = len(rows[0])
        if scores.shape[1] < self.masks.vocabulary.size:
            raise ArgumentValueError.saying(
                f"scores of {scores.shape[1]} tokens, and the tokenizer has {self.masks.vocabulary.size}: they are of another model; "
                f"{_OTHER_TOKENIZER}"
            )
        if length == self._prompt_length:
            self._prompts = set(prompts)
        elif not self._prompts:
            raise TokenRefused(
                f"prompt_length={self._prompt_length}: generate begins with {length} tokens, and the pattern would begin "
                f"after {self._prompt_length} tokens of prompt: pass prompt_length={length}. With an encoder it counts what the decoder "
                f"begins with; it is 0 for inputs_embeds alone; {_OTHER_TOKENIZER}"
            )
        elif not self._prompts.issuperset(prompts):
            raise ArgumentValueError.saying(
                f"the prompts are not those of the first call: make one processor for each call of generate; {_OTHER_TOKENIZER}"
            )

    def _check_numbers(self, rows: list[tuple[int, ...]], is_over: list[bool], made: torch.Tensor) -> None:
        """Refuse to let a token be chosen by scores that are no numbers."""
        for row, over, likeliest in zip(rows, is_over, made.max(dim=1).values.tolist(), strict=True):
            if not over and not likeliest < float("inf"):
                text = row[self._prompt_length :]
                after = b"".join(map(self.masks.vocabulary.shown_bytes, text)).decode(errors="replace")
                raise ScoresNotFinite("the model", len(text) + 1, str(made.dtype).removeprefix("torch."), after=after)

    def _refusal(self, row: tuple[int, ...], allowed: AllowedTokens, *, is_lost: bool) -> ValueError:
        """The error of a prompt with no row that can go on."""
        written = b"".join(map(self.masks.vocabulary.shown_bytes, row[self._prompt_length :])).decode(errors="replace")
        if is_lost:
            return TokenRefused(
                f"no row matches the pattern after {self._prompt_length} tokens of prompt: a processor or criterion that comes after this "
                f"one has chosen {written!r}; {_OTHER_TOKENIZER}"
            )
        return ValueError(
            f"after {written!r} the pattern allows {allowed.count} tokens, and other processors of generate deny all of them: leave out "
            "what denies them (min_new_tokens, min_length, no_repeat_ngram_size, bad_words_ids, suppress_tokens, ...), or pass "
            "custom_generate=decoder.custom_generate(pattern), where the pattern goes first"
        )

    def _state_of(self, row: tuple[int, ...]) -> State:
        """The state after the text of a row; lost, too, if the last call has told that its last token cannot be."""
        before = self._returned.get(row[:-1]) if len(row) > self._prompt_length else None
        if before is not None and before[row[-1]] == -torch.inf and self._states.get(row[self._prompt_length : -1]) is not ENDED:
            return _LOST
        return self._state(row[self._prompt_length :])

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
