"""A transformers causal model, prompts and patterns in, completions that match out.

The budget is a promise: close to it only tokens are allowed after which the text can still be finished. What the pattern forces
costs no forward pass of its own, and what the model has read of earlier prompts is not read again.

>>> Completion("ab", (0, 2), 2, "accepted").text
'ab'
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, TypedDict, Unpack, overload

import torch

from rellm_agents.decoding.generation import prefix_cache as step_cache
from rellm_agents.decoding.generation.allowed_probability import log_kept
from rellm_agents.decoding.generation.custom_generate import CustomGenerate
from rellm_agents.decoding.generation.decode_loop import Choose, Sampling, decode
from rellm_agents.decoding.generation.forward import Passes, Scorer
from rellm_agents.decoding.generation.prefix_cache import StepCache
from rellm_agents.decoding.generation.sequence import Completion, Manner, Row, Spelling
from rellm_agents.decoding.generation.stop_strings import Stops
from rellm_agents.decoding.spelling import TokenMasks, speller_of
from rellm_agents.decoding.vocabulary import Vocabulary
from rellm_agents.errors import BudgetTooSmall
from rellm_agents.patterns import Pattern

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase
    from transformers.generation.streamers import BaseStreamer

MAX_PATTERNS = 64  # whose masks a decoder remembers, least recently used dropped


class TextOptions(TypedDict, total=False):
    """How texts are written, whoever chooses the tokens.

    Attributes:
        stop: a text ends before the first of these strings in it.
        stop_behind: where given, a stop string only counts behind a text of this pattern, with spaces or lines between or not.
        spelling: ``"canonical"``, the default: text is written with the tokens that the tokenizer itself writes it with, but where
            the budget is nearly spent; ``"any"``: with any tokens, each chosen by its probability.
        part_tokens: for named parts of the pattern, how many tokens each may have: where they are spent, the part is closed the
            shortest way, and the rest is written with what is left of the whole budget.
    """

    stop: Sequence[str]
    stop_behind: Pattern | None
    spelling: Spelling
    part_tokens: Mapping[str, int]


class DecodingOptions(TextOptions, total=False):
    """How texts are written, and how tokens are chosen.

    Attributes:
        max_new_tokens: the budget of each text in tokens, its end-of-text token included; 256 by default.
        temperature: 0, the default: greedy; else the logits are divided by it before a token is drawn.
        top_k: draw from this many likeliest tokens only.
        top_p: draw from the likeliest tokens only that have this much probability together.
        seed: makes drawing repeatable. Each row draws from a source of its own, so its text does not depend on the rows
            beside it; pass a list with a seed for each row to get different texts for the same prompt.
        add_special_tokens: the tokenizer puts its own tokens around a prompt, such as that of the beginning, on by default; prompts of a
            chat template have them.
        healing: where a token spans the end of the prompt and the beginning of a text, it can be chosen, as if the prompt's last
            tokens were not written yet; on by default.
        with_kept: measure what the pattern took from the model, see ``Completion.kept``; reads each prompt and text once more.
    """

    max_new_tokens: int
    temperature: float
    top_k: int | None
    top_p: float | None
    seed: int | Sequence[int] | None
    add_special_tokens: bool
    healing: bool
    with_kept: bool


@dataclass(frozen=True)
class _Request:
    """The options with their defaults, checked."""

    max_new_tokens: int
    seed: int | Sequence[int] | None
    with_kept: bool
    add_special_tokens: bool
    sampling: Sampling
    manner: Manner

    @staticmethod
    def of(
        *,
        max_new_tokens: int = 256,
        temperature: float = 0.0,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int | Sequence[int] | None = None,
        stop: Sequence[str] = (),
        stop_behind: Pattern | None = None,
        spelling: Spelling = "canonical",
        part_tokens: Mapping[str, int] | None = None,
        add_special_tokens: bool = True,
        healing: bool = True,
        with_kept: bool = False,
    ) -> _Request:
        manner = _manner(stop=stop, stop_behind=stop_behind, spelling=spelling, part_tokens=part_tokens, healing=healing)
        return _Request(max_new_tokens, seed, with_kept, add_special_tokens, Sampling(temperature, top_k, top_p), manner)


def _manner(
    *,
    stop: Sequence[str] = (),
    stop_behind: Pattern | None = None,
    spelling: Spelling = "canonical",
    part_tokens: Mapping[str, int] | None = None,
    healing: bool,
) -> Manner:
    return Manner(Stops.of(stop, stop_behind), spelling, healing, part_tokens or {})


@dataclass
class Begun:
    """A text that is being written, see :meth:`ConstrainedDecoder.begin`.

    Attributes:
        row: the text.
        prompt_ids: the tokens of its prompt.
        sampling: how its tokens are chosen.
        with_kept: what the pattern took from the model is measured.
        shown: how many of its characters :meth:`new_text` has given out.
    """

    row: Row
    prompt_ids: list[int]
    sampling: Sampling
    with_kept: bool
    shown: int = 0

    def new_text(self) -> str:
        """What has become certain since it was last asked for."""
        certain = self.row.certain_text()
        new, self.shown = certain[self.shown :], max(self.shown, len(certain))
        return new


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
        self._speller = speller_of(self.vocabulary)
        self.scorer = Scorer(model)
        self._steps = StepCache(kept_bytes)
        self._start = _start_of_decoder(model) if self.scorer.has_encoder else ()

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
        begun = self.begin([prompt] if isinstance(prompt, str) else prompt, pattern, **options)
        for _ in self.steps(begun):
            pass
        completions = [self.completion(one) for one in begun]
        return completions[0] if isinstance(prompt, str) else completions

    def stream(self, prompt: str, pattern: Pattern, **options: Unpack[DecodingOptions]) -> Generator[str, None, Completion]:
        """As :meth:`generate` for one prompt, in pieces of whole characters as they are certain.

        Yields:
            Pieces of the text, not empty; together they are the completion's text.

        Returns:
            The completion.
        """
        (begun,) = self.begin([prompt], pattern, **options)
        for _ in self.steps([begun]):
            if piece := begun.new_text():
                yield piece
        completion = self.completion(begun)
        if rest := completion.text[begun.shown :]:
            yield rest
        return completion

    def begin(self, prompts: Sequence[str], pattern: Pattern | Sequence[Pattern], **options: Unpack[DecodingOptions]) -> list[Begun]:
        """Texts that are to be written, as :meth:`generate` takes and refuses them."""
        request = _Request.of(**options)
        ids = [self._ids_of(prompt, request) for prompt in prompts]
        behind = [self._start] * len(ids) if self.scorer.has_encoder else ids
        rows = self.rows(behind, pattern, request.seed, budget=request.max_new_tokens, manner=request.manner)
        return [Begun(row, own, request.sampling, request.with_kept) for row, own in zip(rows, ids, strict=True)]

    def steps(self, begun: Sequence[Begun]) -> Iterator[None]:
        """Write texts to their ends, all together, a step at a time.

        Args:
            begun: texts whose tokens are chosen in the same way; they may have been begun apart.
        """
        if not begun:
            return iter(())
        (sampling,) = {one.sampling for one in begun}
        return self._decode([one.row for one in begun], [one.prompt_ids for one in begun], sampling)

    def custom_generate(
        self, pattern: Pattern | Sequence[Pattern], *, streamer: BaseStreamer | None = None, **options: Unpack[TextOptions]
    ) -> CustomGenerate:
        """For ``model.generate(..., custom_generate=...)``: the same loop, with all that ``generate`` brings.

            model.generate(**inputs, custom_generate=decoder.custom_generate(pattern), max_new_tokens=64, do_sample=True, top_k=5)

        Args:
            pattern: one for all prompts, or one for each.
            streamer: is told of the tokens as they are certain, of one prompt; ``generate`` keeps its own ``streamer`` for itself.
            **options: see :class:`TextOptions`; how tokens are chosen, and how many, is told to ``generate``.
        """
        return CustomGenerate(self, pattern, _manner(**options, healing=False), streamer)

    def rows(
        self,
        begun: Sequence[Sequence[int]],
        pattern: Pattern | Sequence[Pattern],
        seed: int | Sequence[int | None] | None,
        *,
        budget: int,
        manner: Manner,
    ) -> list[Row]:
        """Texts that are to be written, each behind some ids.

        Raises:
            BudgetTooSmall: a pattern needs more than the budget.
            ValueError: the numbers of prompts, patterns and seeds do not fit together.
        """
        patterns = [pattern] * len(begun) if isinstance(pattern, Pattern) else list(pattern)
        seeds = [seed] * len(begun) if seed is None or isinstance(seed, int) else list(seed)
        if not len(begun) == len(patterns) == len(seeds):
            raise ValueError(
                f"{len(begun)} prompts with {len(patterns)} patterns and {len(seeds)} seeds: give one for all, or one for each"
            )
        for one in patterns:
            masks = self.masks(one)
            needed = masks.tokens_needed(masks.start)
            if needed > budget:
                raise BudgetTooSmall(needed, budget)
        return [
            Row(self.masks(one), self._speller, begin, budget=budget, seed=own_seed, manner=manner)
            for begin, one, own_seed in zip(begun, patterns, seeds, strict=True)
        ]

    @torch.inference_mode()
    def completion(self, begun: Begun) -> Completion:
        """A text that has been written."""
        row, kept = begun.row, None
        if begun.with_kept:
            encoded = self.scorer.encoded([begun.prompt_ids]) if self.scorer.has_encoder else None
            kept = log_kept(Passes(self.scorer, 1, encoded=encoded), row)
        return replace(row.completion(kept), prompt_tokens=len(begun.prompt_ids))

    @torch.inference_mode()
    def _decode(self, rows: list[Row], prompts: list[list[int]], choose: Choose) -> Iterator[None]:
        """Write all rows to their ends, a step at a time."""
        scorer = self.scorer
        if len(rows) > 1 and not scorer.takes_batches:
            for row, prompt in zip(rows, prompts, strict=True):
                yield from self._decode([row], [prompt], choose)
        elif scorer.leaves_out:
            cache, read = self._steps.find([row.known[:-1] for row in rows], self.model.config)
            for row, is_read in zip(rows, read, strict=True):
                row.fed = int(is_read.sum())
            passes = Passes(scorer, len(rows), cache=cache, read=read.to(self.model.device))

            def keep(number: int, row: Row) -> None:
                self._steps.keep(row.known[: row.fed], passes.cache, number, passes.places(number))

            yield from decode(passes, rows, choose, keep)
        else:
            encoded = scorer.encoded(prompts) if scorer.has_encoder else None
            yield from decode(Passes(scorer, len(rows), encoded=encoded), rows, choose)

    def _ids_of(self, prompt: str, request: _Request) -> list[int]:
        ids: list[int] = self.tokenizer.encode(prompt, add_special_tokens=request.add_special_tokens)
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
