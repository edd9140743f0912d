"""A decode loop for ``model.generate(custom_generate=...)``: it writes texts of patterns with all that ``generate`` prepares.

``generate`` prepares what it always does - sampling parameters, penalties, caches, copies of a prompt -, and the loop of this
package writes the texts: forced text costs no forward pass, and the end comes within ``max_new_tokens``. Which arguments it honours is
decided in ``generate_arguments``.

>>> CustomGenerate.__call__.__name__
'__call__'
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any, cast

import torch
from transformers.generation.utils import GenerateDecoderOnlyOutput, GenerateEncoderDecoderOutput

from rellm_agents.decoding.forward import AllowedTokens, ForwardPasses, Resumption, Scores, output_name, taken_from
from rellm_agents.decoding.generation.decode_loop import Choose, choose_by_options, decode
from rellm_agents.decoding.generation.generate_arguments import (
    cached_mask,
    check_arguments,
    check_size,
    encoded_prompts,
    has_fixed_size,
    may_be_callers,
    prefixes_of,
)
from rellm_agents.decoding.generation.measured import Completion
from rellm_agents.decoding.generation.options import TextOptions, one_or_all
from rellm_agents.decoding.generation.sampling import pick
from rellm_agents.decoding.generation.sequence import TextSequence
from rellm_agents.errors import ArgumentValueError
from rellm_agents.patterns import Pattern

if TYPE_CHECKING:
    from transformers import GenerationConfig, LogitsProcessorList, PreTrainedModel, StoppingCriteriaList
    from transformers.generation.streamers import BaseStreamer

    from rellm_agents.decoding.generation.engine import Engine

_log = logging.getLogger(__name__)

_OF_BATCHES = frozenset(
    {
        "EncoderNoRepeatNGramLogitsProcessor",
        "EncoderRepetitionPenaltyLogitsProcessor",
        "PrefixConstrainedLogitsProcessor",
        "RepetitionPenaltyLogitsProcessor",
    }
)
"""Processors that know a text by its number in the batch."""
_OURS = frozenset({"EosTokenCriteria", "MaxLengthCriteria"})  # what the budget and the masks already say


class CustomGenerate:
    """Writes texts of patterns as the loop of ``generate``; see :meth:`ConstrainedDecoder.custom_generate`.

    Logits processors are called for one text at a time, where a token is chosen, on scores that the pattern has masked. The pattern
    has priority: text that is forced is not shown to them, and where they deny all that is allowed they are not heard. Stopping
    criteria are asked after every token, forced ones included. ``generate`` does not hand its ``streamer`` on to a loop of
    somebody else's (transformers 5.23), so it is given here. As ``assistant_model`` it does not hand on either, texts are the same
    with it as without.

    Args:
        engine: of the model that is used.
        pattern: one for all prompts, or one for each.
        options: how texts are written; budget, seeds and temperature are those of ``generate``.
        streamer: is given the prompt, then the tokens of its text as they are committed, and an end.

    Attributes:
        completions: of the last call, one for each row.
    """

    def __init__(self, engine: Engine, pattern: Pattern | Sequence[Pattern], options: TextOptions, streamer: BaseStreamer | None) -> None:
        self._engine, self._pattern, self._options, self._streamer = engine, one_or_all(pattern), options, streamer
        self.completions: list[Completion] = []

    @torch.no_grad()  # not inference mode: what is returned may be trained on
    def __call__(
        self,
        model: PreTrainedModel,
        input_ids: torch.LongTensor,
        logits_processor: LogitsProcessorList,
        stopping_criteria: StoppingCriteriaList,
        generation_config: GenerationConfig,
        synced_gpus: bool = False,  # noqa: FBT001, FBT002  # the signature of transformers' loops
        streamer: BaseStreamer | None = None,
        **model_kwargs: Any,
    ) -> torch.Tensor | GenerateDecoderOnlyOutput | GenerateEncoderDecoderOutput:
        """As ``generate`` calls it.

        Returns:
            int64[rows, length]: prompts and texts, filled up with the padding token; or what ``return_dict_in_generate`` asks for.

        Raises:
            BudgetTooSmall: a pattern needs more than ``max_new_tokens``; before the first forward pass.
            ContextOverflow: a prompt leaves too little of the model's context for ``max_new_tokens``; likewise.
            ScoresNotFinite: what the model scores is no number, at the pass where that happens.
            ValueError: ``generate`` was asked for something that this loop cannot do, or that contradicts the pattern.
        """
        streamer = streamer or self._streamer
        self._engine.refresh()
        check_arguments(
            self._engine.model,
            self._engine.vocabulary.end_ids,
            model,
            input_ids,
            logits_processor,
            generation_config,
            model_kwargs,
            is_streamed=streamer is not None,
            synced_gpus=synced_gpus,
        )
        prefixes = prefixes_of(model, input_ids, model_kwargs)
        options = replace(
            self._options,
            max_new_tokens=(generation_config.max_length or 0) - input_ids.shape[1],
            seed=torch.randint(1 << 62, (len(prefixes),)).tolist(),  # from the source of chance that ``set_seed`` sets
            temperature=1.0 if generation_config.do_sample else 0.0,  # another temperature is the work of a processor
        )
        embedded = model_kwargs.get("inputs_embeds")
        before = 0 if embedded is None else embedded.shape[1]
        sequences = self._engine.sequences(prefixes, self._patterns(len(prefixes), generation_config), options, before=before)
        criteria = [one for one in stopping_criteria if type(one).__name__ not in _OURS]
        seen = [len(one.prefix) for one in sequences]
        choose = _chooser(sequences, input_ids, logits_processor) if logits_processor else choose_by_options
        is_shared = bool(generation_config.return_dict_in_generate)  # the cache is handed to the caller
        with _streaming(streamer, None if streamer is not self._streamer else input_ids):
            for _ in chain([None], self._decode(sequences, choose, input_ids, model_kwargs, is_shared=is_shared)):
                for number, sequence in enumerate(sequences):
                    _stop(sequence, seen[number], criteria, input_ids[number])
                    if streamer is not None and len(sequence.committed) > seen[number]:
                        streamer.put(torch.tensor(sequence.committed[seen[number] :]))
                    seen[number] = max(seen[number], len(sequence.committed))
            if streamer is not None and sequences[0].end_id is not None:
                streamer.put(torch.tensor([sequences[0].end_id]))
        self.completions = [sequence.completion() for sequence in sequences]
        written = _written(sequences, input_ids, generation_config)
        if not generation_config.return_dict_in_generate:
            return written
        kind = GenerateEncoderDecoderOutput if model.config.is_encoder_decoder else GenerateDecoderOnlyOutput
        cache: dict[str, Any] = {output_name(kind): taken_from(model_kwargs)}
        return kind(sequences=cast(torch.LongTensor, written), **cache)

    def _patterns(self, number: int, generation_config: GenerationConfig) -> Pattern | list[Pattern]:
        """A pattern for each text: ``generate`` repeats each prompt as often as texts are asked for."""
        if isinstance(self._pattern, Pattern):
            return self._pattern
        copies = generation_config.num_return_sequences or 1
        repeated = [pattern for pattern in self._pattern for _ in range(copies)]
        if len(repeated) != number:
            raise ArgumentValueError.saying(
                f"{number // copies} prompts with {len(self._pattern)} patterns: give one for all, or one for each"
            )
        return repeated

    def _decode(
        self, sequences: list[TextSequence], choose: Choose, input_ids: torch.Tensor, model_kwargs: dict[str, Any], *, is_shared: bool
    ) -> Iterator[None]:
        """Write the texts with the cache and the vectors that ``generate`` has prepared."""
        scorer = self._engine.scorer
        encoded, embedded = (encoded_prompts(model_kwargs, name) for name in ("encoder_outputs", "inputs_embeds"))
        if embedded is not None:
            if scorer.resumption is Resumption.READS_AGAIN:
                raise ArgumentValueError.saying(
                    f"inputs_embeds: {scorer.name} reads each text again in each pass, which takes its ids: pass input_ids"
                )
            for sequence in sequences:
                sequence.consumed = len(sequence.prefix)
        if len(sequences) > 1 and not scorer.takes_batches:
            for number, sequence in enumerate(sequences):
                passes = ForwardPasses(scorer, 1, embedded=embedded and embedded.of_row(number))
                yield from decode(passes, [sequence], choose)
            return
        cache = taken_from(model_kwargs)
        mask = cached_mask(cache, input_ids, model_kwargs) if embedded is None and encoded is None else None
        if mask is not None:
            for sequence, is_read in zip(sequences, mask, strict=True):
                sequence.consumed = int(is_read.sum())
        owns_cache = not (is_shared or may_be_callers(cache))
        if owns_cache and mask is None and has_fixed_size(cache):
            cache = None  # one that grows serves as well, and as many texts as there are
        prompt = input_ids if embedded is None else embedded.vectors
        check_size(cache, prompt.shape[1], sequences[0].options.max_new_tokens, len(sequences))
        passes = ForwardPasses(
            scorer, len(sequences), cache=cache, attention_mask=mask, encoded=encoded, embedded=embedded, owns_cache=owns_cache
        )
        yield from decode(passes, sequences, choose)


@contextmanager
def _streaming(streamer: BaseStreamer | None, prompt: torch.Tensor | None) -> Iterator[None]:
    """Give a streamer the prompt, where ``generate`` has not, and an end in any case: somebody may wait for it in another thread."""
    if streamer is not None and prompt is not None:
        streamer.put(prompt.cpu())
    try:
        yield
    finally:
        if streamer is not None:
            streamer.end()


def _chooser(sequences: list[TextSequence], prompts: torch.Tensor, processors: LogitsProcessorList) -> Choose:
    """A chooser that asks the logits processors of ``generate``."""
    numbers = {sequence: number for number, sequence in enumerate(sequences)}

    def choose(sequence: TextSequence, scores: Scores, number: int, back: int, allowed: AllowedTokens) -> int:
        own = numbers[sequence]
        ids = _ids(sequence, prompts[own], len(sequence.committed))
        masked = allowed.apply_(scores.all(number, back).float().clone())[None]
        scores.check(float(masked.max()), sequence.next_number, sequence.text)
        made = masked.clone()
        for processor in processors:
            if type(processor).__name__ in _OF_BATCHES:  # shown a batch of texts like this one, it finds it by its number
                made = processor(ids.expand(len(sequences), -1), made.expand(len(sequences), -1).clone())[own : own + 1]
            else:
                made = processor(ids, made)
        made = allowed.apply_(made[0].clone())
        if not bool((made > -torch.inf).any()):
            names = ", ".join(type(one).__name__ for one in processors)
            _log.warning("after %r the pattern allows only tokens that are denied by %s: it has priority", sequence.text[-60:], names)
            made = masked[0]
        return pick(made.cpu(), None, temperature=sequence.options.temperature, generator=sequence.generator)

    return choose


def _ids(sequence: TextSequence, prompt: torch.Tensor, length: int) -> torch.Tensor:
    """int64[1, n]: the prompt as it was given, and the text up to the first ``length`` of the committed tokens."""
    written = sequence.committed[len(sequence.prefix) : length]
    return torch.cat([prompt, torch.tensor(written, dtype=prompt.dtype, device=prompt.device)])[None]


def _stop(sequence: TextSequence, seen: int, criteria: Sequence[Any], prompt: torch.Tensor) -> None:
    """End a text where a criterion says so: after each of its new tokens, forced ones included."""
    for length in range(seen + 1, len(sequence.committed) + 1) if criteria else ():
        ids = _ids(sequence, prompt, length)
        if any(bool(one(ids, None)[0]) for one in criteria):
            sequence.truncate(length)
            return


def _written(sequences: list[TextSequence], input_ids: torch.Tensor, generation_config: GenerationConfig) -> torch.Tensor:
    """Prompts and texts, of one length."""
    written = [one.committed[len(one.prefix) :] + ([] if one.end_id is None else [one.end_id]) for one in sequences]
    ends = generation_config.eos_token_id
    pad = next((one for one in (generation_config.pad_token_id, ends[0] if isinstance(ends, list) else ends) if one is not None), 0)
    width = max(map(len, written))
    filled = [ids + [pad] * (width - len(ids)) for ids in written]
    return torch.cat([input_ids, torch.tensor(filled, dtype=input_ids.dtype, device=input_ids.device).reshape(len(written), width)], dim=1)
