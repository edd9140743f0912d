"""A transformers causal model, prompts and patterns in, completions that match out.

The budget is a promise: close to it only tokens are allowed after which the text can still be finished. What the pattern forces
costs no forward pass of its own, and what the model has read of earlier prompts is not read again.

>>> Completion("ab", (0, 2), 2, "accepted").text
'ab'
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, TypedDict, Unpack, get_args, overload

import torch

from rellm_agents.decoding import step_cache
from rellm_agents.decoding.logits import AllowedTokens, pick
from rellm_agents.decoding.passes import Passes, Scorer, Scores
from rellm_agents.decoding.rows import Completion, Row, Spelling
from rellm_agents.decoding.spelling import Speller
from rellm_agents.decoding.step_cache import StepCache
from rellm_agents.decoding.stops import Stops
from rellm_agents.decoding.token_masks import TokenMasks
from rellm_agents.decoding.vocabulary import Vocabulary
from rellm_agents.errors import BudgetTooSmall
from rellm_agents.patterns import Pattern

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

MAX_PATTERNS = 64  # whose masks a decoder remembers, least recently used dropped


class DecodingOptions(TypedDict, total=False):
    """How texts are written.

    Attributes:
        max_new_tokens: the budget of each text in tokens, its end-of-text token included; 256 by default.
        temperature: 0, the default: greedy; else the logits are divided by it before a token is drawn.
        top_k: draw from this many likeliest tokens only.
        top_p: draw from the likeliest tokens only that have this much probability together.
        seed: makes drawing repeatable. Each row draws from a source of its own, so its text does not depend on the rows
            beside it; pass a list with a seed for each row to get different texts for the same prompt.
        stop: a text ends before the first of these strings in it.
        stop_behind: where given, a stop string only counts behind a text of this pattern, with spaces or lines between or not.
        spelling: ``"canonical"``, the default: text is written with the tokens that the tokenizer itself writes it with, but where
            the budget is nearly spent; ``"any"``: with any tokens, each chosen by its probability.
        healing: where a token spans the end of the prompt and the beginning of a text, it can be chosen, as if the prompt's last
            tokens were not written yet; on by default.
    """

    max_new_tokens: int
    temperature: float
    top_k: int | None
    top_p: float | None
    seed: int | Sequence[int] | None
    stop: Sequence[str]
    stop_behind: Pattern | None
    spelling: Spelling
    healing: bool


@dataclass(frozen=True)
class _Request:
    """The options with their defaults, checked."""

    max_new_tokens: int = 256
    temperature: float = 0.0
    top_k: int | None = None
    top_p: float | None = None
    seed: int | Sequence[int] | None = None
    stop: Sequence[str] = ()
    stop_behind: Pattern | None = None
    spelling: Spelling = "canonical"
    healing: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < float("inf"):
            raise ValueError(f"temperature={self.temperature}: 0 for greedy, or a positive number")
        if self.top_k is not None and self.top_k < 1:
            raise ValueError(f"top_k={self.top_k}: at least 1, or None for all")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise ValueError(f"top_p={self.top_p}: above 0 and at most 1, or None for all")
        if isinstance(self.stop, str) or "" in self.stop:
            raise ValueError(f"stop={self.stop!r}: a list of strings that are not empty")
        if self.spelling not in get_args(Spelling):
            raise ValueError(f"spelling={self.spelling!r}: one of {', '.join(map(repr, get_args(Spelling)))}")


class ConstrainedDecoder:
    """Generates texts of patterns with one model. Safe to share between threads as far as the model is.

    Args:
        model: a transformers causal language model, or one with an encoder such as T5, on any device.
        tokenizer: its fast tokenizer.
        kept_bytes: keys and values of earlier prompts and texts that are kept, so that a prompt that begins like one of them
            is read from there on only; 0: none. Make a new decoder when the model's weights change.

    Raises:
        VocabularyError: the tokenizer's tokens cannot be read, or it has no end-of-text token.
    """

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, *, kept_bytes: int = step_cache.MAX_BYTES) -> None:
        self.model, self.tokenizer = model, tokenizer
        self.vocabulary = Vocabulary.from_tokenizer(tokenizer, end_ids=_end_ids(model, tokenizer))
        self.masks = lru_cache(maxsize=MAX_PATTERNS)(self._masks)
        self._speller = Speller(tokenizer, self.vocabulary)
        self._scorer = Scorer(model)
        self._steps = StepCache(kept_bytes)
        self._start = _start_of_decoder(model) if self._scorer.has_encoder else ()

    def _masks(self, pattern: Pattern) -> TokenMasks:
        """The masks of a pattern, shared by all its generations."""
        return TokenMasks(pattern, self.vocabulary)

    @overload
    def generate(  # type: ignore[overload-overlap]  # a str is a sequence of str too: the first signature is taken
        self, prompt: str, pattern: Pattern, **options: Unpack[DecodingOptions]
    ) -> Completion: ...

    @overload
    def generate(
        self, prompt: Sequence[str], pattern: Pattern | Sequence[Pattern], **options: Unpack[DecodingOptions]
    ) -> list[Completion]: ...

    def generate(
        self, prompt: str | Sequence[str], pattern: Pattern | Sequence[Pattern], **options: Unpack[DecodingOptions]
    ) -> Completion | list[Completion]:
        """Write a text of the pattern after each prompt.

        Args:
            prompt: one prompt, or several to be decoded together.
            pattern: one for all prompts, or one for each.
            **options: see :class:`DecodingOptions`.

        Returns:
            A completion for one prompt, a list of them for several.

        Raises:
            BudgetTooSmall: a pattern needs more than ``max_new_tokens``; before the first forward pass.
            VocabularyError: the tokenizer cannot spell any text of a pattern.
            ValueError: an option is out of its range, the numbers of prompts, patterns and seeds do not fit together, or a
                prompt is empty.
        """
        prompts = [prompt] if isinstance(prompt, str) else list(prompt)
        request = _Request(**options)
        rows = self._rows(prompts, pattern, request)
        for _ in self._decode(rows, request):
            pass
        completions = [row.completion() for row in rows]
        return completions[0] if isinstance(prompt, str) else completions

    def stream(self, prompt: str, pattern: Pattern, **options: Unpack[DecodingOptions]) -> Generator[str, None, Completion]:
        """As :meth:`generate` for one prompt, in pieces of whole characters as they are certain.

        Yields:
            Pieces of the text, not empty; together they are the completion's text.

        Returns:
            The completion.
        """
        request = _Request(**options)
        (row,) = rows = self._rows([prompt], pattern, request)
        shown = 0
        for _ in self._decode(rows, request):
            certain = row.certain_text()
            if len(certain) > shown:
                yield certain[shown:]
                shown = len(certain)
        completion = row.completion()
        if len(completion.text) > shown:
            yield completion.text[shown:]
        return completion

    def _rows(self, prompts: list[str], pattern: Pattern | Sequence[Pattern], request: _Request) -> list[Row]:
        patterns = [pattern] * len(prompts) if isinstance(pattern, Pattern) else list(pattern)
        seed = request.seed
        seeds = [seed] * len(prompts) if seed is None or isinstance(seed, int) else list(seed)
        if not len(prompts) == len(patterns) == len(seeds):
            raise ValueError(
                f"{len(prompts)} prompts with {len(patterns)} patterns and {len(seeds)} seeds: give one for all, or one for each"
            )
        for one in patterns:
            masks = self.masks(one)
            needed = masks.tokens_needed(masks.start)
            if needed > request.max_new_tokens:
                raise BudgetTooSmall(needed, request.max_new_tokens)
        stops = Stops(tuple(request.stop), request.stop_behind)
        return [
            Row(
                self.masks(one),
                self._speller,
                self._encoded(prompt),
                start=self._start,
                budget=request.max_new_tokens,
                seed=own_seed,
                stops=stops,
                spelling=request.spelling,
                healing=request.healing,
            )
            for prompt, one, own_seed in zip(prompts, patterns, seeds, strict=True)
        ]

    @torch.inference_mode()
    def _decode(self, rows: list[Row], request: _Request) -> Iterator[None]:
        """Decode all rows to their ends, a step at a time."""
        live = [row for row in rows if not row.is_settled]
        if not live:
            return
        if len(live) > 1 and not self._scorer.takes_batches:
            for row in live:
                yield from self._decode([row], request)
            return
        is_alone, leaves_out = len(live) == 1, self._scorer.leaves_out
        cache, length = self._steps.find(live[0].known[:-1], self.model.config) if is_alone and leaves_out else (None, 0)
        prompts = [row.prompt for row in live] if self._scorer.has_encoder else None
        passes = Passes(self._scorer, len(live), cache=cache, length=length, prompts=prompts)
        for row in live:
            row.fed = length
        in_step = not (is_alone or leaves_out)
        while True:
            is_first = not live[0].forward_passes
            read = self._read(passes, live, in_step=in_step and not (is_first and prompts is None))
            chosen = [(i, row) for i, row in enumerate(live) if row.fed == len(row.known)]
            self._choose(passes, read, chosen, request)
            yield
            kept = [i for i, row in enumerate(live) if not row.is_settled]
            if not kept:
                if is_alone and leaves_out:
                    row = live[0]
                    self._steps.keep(row.known[: row.fed], passes.cache, passes.places(0))
                return
            if len(kept) < len(live):
                live = [live[i] for i in kept]
                passes.select(kept)

    def _read(self, passes: Passes, live: list[Row], *, in_step: bool) -> Scores:
        """One forward pass: what is certain and not read yet, and drafts; where rows have to go on in step, a token of each."""
        tokens = []
        for row in live:
            if not self._scorer.leaves_out:
                row.drafts = []
            new = row.known[row.fed : row.fed + 1 if in_step else None]
            tokens.append([*new, *row.drafts])
            row.fed += len(new)
            row.forward_passes += 1
        return passes.feed(tokens, kept=1 + max(len(row.drafts) for row in live))

    def _choose(self, passes: Passes, scores: Scores, rows: list[tuple[int, Row]], request: _Request) -> None:
        """Let rows choose their next tokens."""

        def choose(row: Row, at: int, allowed: AllowedTokens) -> int:
            only = allowed.only()
            if only is not None:
                return only
            made, ids = scores.of(places[row], len(drafts[row]) - at, allowed)
            return pick(made, ids, temperature=request.temperature, top_k=request.top_k, top_p=request.top_p, generator=row.generator)

        places = {row: i for i, row in rows}
        drafts = {row: row.drafts for _, row in rows}
        scores.prepare([(i, len(row.drafts)) for i, row in rows if not scores.few(row.allowed())])
        for i, row in rows:
            passes.leave_out(i, row.take(choose))

    def _encoded(self, prompt: str) -> list[int]:
        ids: list[int] = self.tokenizer.encode(prompt)
        if not ids:
            start = self.tokenizer.bos_token_id
            if start is None:
                raise ValueError("the prompt is empty, and the tokenizer has no beginning-of-text token to begin with")
            ids = [start]
        return ids


def _end_ids(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Ids that end a text, by the model's generation config and the tokenizer."""
    configured = getattr(model.generation_config, "eos_token_id", None)
    ids = configured if isinstance(configured, list) else [configured]
    return sorted({id_ for id_ in (*ids, tokenizer.eos_token_id) if id_ is not None})


def _start_of_decoder(model: PreTrainedModel) -> tuple[int, ...]:
    """The token that texts begin behind, where an encoder reads the prompt."""
    start = model.generation_config.decoder_start_token_id
    if start is None:
        raise ValueError(
            f"{type(model).__name__} does not say which token its texts begin behind: set generation_config.decoder_start_token_id"
        )
    return (start,)
