"""A decoder and patterns in, what ``model.generate(custom_generate=...)`` calls out.

``generate`` prepares what it always does - sampling parameters, penalties, caches, copies of a prompt -, and the loop of this
package writes the texts: forced text costs no forward pass, and the end comes within ``max_new_tokens``.

>>> CustomGenerate.__call__.__name__
'__call__'
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, cast

import torch
import transformers
from packaging.version import Version
from transformers.generation.utils import GenerateDecoderOnlyOutput, GenerateEncoderDecoderOutput

from rellm_agents.decoding import cache_names
from rellm_agents.decoding.logits import AllowedTokens, pick
from rellm_agents.decoding.loop import Choose, Sampling, decode
from rellm_agents.decoding.passes import Encoded, Passes, Scores
from rellm_agents.decoding.rows import Completion, Manner, Row
from rellm_agents.patterns import Pattern

if TYPE_CHECKING:
    from transformers import GenerationConfig, LogitsProcessorList, PreTrainedModel, StoppingCriteriaList
    from transformers.cache_utils import Cache
    from transformers.generation.streamers import BaseStreamer

    from rellm_agents.decoding.decoder import ConstrainedDecoder

_log = logging.getLogger(__name__)

_TAKEN = frozenset({"attention_mask", "encoder_outputs", "inputs_embeds", "position_ids", *cache_names.NAMES})
_HARMLESS = frozenset({"cache_position", "logits_to_keep", "use_cache"})  # this loop finds them out by itself
_OF_BATCHES = frozenset(
    {
        "EncoderNoRepeatNGramLogitsProcessor",
        "EncoderRepetitionPenaltyLogitsProcessor",
        "PrefixConstrainedLogitsProcessor",
        "RepetitionPenaltyLogitsProcessor",
    }
)
"""Processors that tell rows apart by their numbers."""
_OF_STEPS = frozenset(
    {"ClassifierFreeGuidanceLogitsProcessor", "SynthIDTextWatermarkLogitsProcessor", "UnbatchedClassifierFreeGuidanceLogitsProcessor"}
)
_OURS = frozenset({"EosTokenCriteria", "MaxLengthCriteria"})  # what the budget and the masks already say
_TOLD_WHOSE = Version(transformers.__version__) >= Version("5.17")  # ``generate`` marks a cache of its caller, which has to stay whole
_PLAIN = "pass a ConstrainedLogitsProcessor to generate instead, which leaves the loop to transformers"


class CustomGenerate:
    """Writes texts of patterns as the loop of ``generate``; see :meth:`ConstrainedDecoder.custom_generate`.

    Logits processors are called for one row at a time, where a token is chosen, on scores that the pattern has masked. The pattern
    goes before: text that is forced is not shown to them, and where they deny all that is allowed they are not heard. Stopping
    criteria are asked after every token, forced ones included. ``generate`` does not hand its ``streamer`` on to a loop of
    somebody else's (transformers 5.23), so it is given here. As ``assistant_model`` it does not hand on either, texts are the same
    with it as without.

    Args:
        decoder: whose model is used.
        pattern: one for all prompts, or one for each.
        manner: how texts are written.
        streamer: is told of the tokens of the only prompt as they are certain.

    Attributes:
        completions: of the last call, a row each.
    """

    def __init__(
        self, decoder: ConstrainedDecoder, pattern: Pattern | Sequence[Pattern], manner: Manner, streamer: BaseStreamer | None
    ) -> None:
        self._decoder, self._pattern, self._manner, self._streamer = decoder, pattern, manner, streamer
        self.completions: list[Completion] = []

    @torch.inference_mode()
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
            ValueError: ``generate`` was asked for something that this loop cannot do, or that contradicts the pattern.
        """
        streamer = streamer or self._streamer
        self._check(model, input_ids, logits_processor, generation_config, model_kwargs, is_streamed=streamer is not None)
        if synced_gpus:
            raise ValueError(f"synced_gpus: rows on several machines end at different steps; {_PLAIN}")
        begun = _begun(model, input_ids, model_kwargs)
        rows = self._decoder.rows(
            begun,
            self._patterns(len(begun), generation_config),
            torch.randint(1 << 62, (len(begun),)).tolist(),  # from the source of chance that ``set_seed`` sets
            budget=(generation_config.max_length or 0) - input_ids.shape[1],
            manner=self._manner,
        )
        criteria = [one for one in stopping_criteria if type(one).__name__ not in _OURS]
        seen = [len(row.begin) for row in rows]
        choose = _chooser(rows, input_ids, logits_processor, generation_config)
        for _ in chain([None], self._decode(rows, choose, model_kwargs, is_kept=bool(generation_config.return_dict_in_generate))):
            for number, row in enumerate(rows):
                _stop(row, seen[number], criteria, input_ids[number])
                if streamer is not None and len(row.known) > seen[number]:
                    streamer.put(torch.tensor(row.known[seen[number] :]))
                seen[number] = max(seen[number], len(row.known))
        if streamer is not None:
            if rows[0].end_id is not None:
                streamer.put(torch.tensor([rows[0].end_id]))
            streamer.end()
        self.completions = [row.completion() for row in rows]
        sequences = _sequences(rows, input_ids, generation_config)
        if not generation_config.return_dict_in_generate:
            return sequences
        kind = GenerateEncoderDecoderOutput if model.config.is_encoder_decoder else GenerateDecoderOnlyOutput
        held: dict[str, Any] = {cache_names.output_name(kind): cache_names.taken_from(model_kwargs)}
        return kind(sequences=cast(torch.LongTensor, sequences), **held)

    def _patterns(self, number: int, generation_config: GenerationConfig) -> Pattern | list[Pattern]:
        """A pattern for each row: ``generate`` repeats each prompt as often as texts are asked for."""
        if isinstance(self._pattern, Pattern):
            return self._pattern
        copies = generation_config.num_return_sequences or 1
        repeated = [pattern for pattern in self._pattern for _ in range(copies)]
        if len(repeated) != number:
            raise ValueError(f"{number // copies} prompts with {len(self._pattern)} patterns: give one for all, or one for each")
        return repeated

    def _check(
        self,
        model: PreTrainedModel,
        input_ids: torch.Tensor,
        processors: LogitsProcessorList,
        generation_config: GenerationConfig,
        model_kwargs: dict[str, Any],
        *,
        is_streamed: bool,
    ) -> None:
        """Refuse what would be left out or done wrong."""
        decoder, rows = self._decoder, len(input_ids)
        if model is not decoder.model:
            raise ValueError(f"this loop was made for another model than the {type(model).__name__} that calls it")
        if (generation_config.num_beams or 1) > 1:
            raise ValueError(f"num_beams={generation_config.num_beams}: this loop writes each row by itself; {_PLAIN}")
        for name in ("output_scores", "output_logits", "output_attentions", "output_hidden_states"):
            if generation_config.return_dict_in_generate and getattr(generation_config, name):
                raise ValueError(f"{name}=True: forced tokens are not scored one by one; {_PLAIN}")
        if is_streamed and rows > 1:
            raise ValueError(f"a streamer takes one text at a time, not {rows}")
        ends = generation_config.eos_token_id
        unknown = set(ends if isinstance(ends, list) else [ends]) - {None, *decoder.vocabulary.end_ids}
        if unknown:
            raise ValueError(
                f"eos_token_id={ends}: texts end with one of {list(decoder.vocabulary.end_ids)}, as the model's generation config and the "
                "tokenizer said when the decoder was made; set them before"
            )
        for name in (type(one).__name__ for one in processors):
            if name in _OF_STEPS:
                raise ValueError(f"{name} counts on seeing all rows at each step, but this loop calls it for one row at a time; {_PLAIN}")
        others = sorted(name for name, value in model_kwargs.items() if value is not None and name not in _TAKEN | _HARMLESS)
        if others:
            raise ValueError(f"this loop does not hand {', '.join(others)} to the model; {_PLAIN}")

    def _decode(self, rows: list[Row], choose: Choose, model_kwargs: dict[str, Any], *, is_kept: bool) -> Iterator[None]:
        scorer, device = self._decoder.scorer, self._decoder.model.device
        encoded, embedded = (self._vectors(model_kwargs, name) for name in ("encoder_outputs", "inputs_embeds"))
        if embedded is not None:
            for row in rows:
                row.fed = len(row.begin)
        if len(rows) > 1 and not scorer.takes_batches:
            for number, row in enumerate(rows):
                yield from decode(Passes(scorer, 1, embedded=embedded and embedded.of_row(number)), [row], choose)
            return
        cache: Cache | None = cache_names.taken_from(model_kwargs)
        attention, read = model_kwargs.get("attention_mask"), None
        if embedded is None and encoded is None and cache is not None and (length := _length(cache)):
            read = torch.ones((len(rows), length), dtype=torch.long, device=device) if attention is None else attention[:, :length]
            for row, is_read in zip(rows, read, strict=True):
                row.fed = int(is_read.sum())
        may_gape = not (is_kept or getattr(cache, "_is_user_defined", not _TOLD_WHOSE))
        passes = Passes(scorer, len(rows), cache=cache, read=read, encoded=encoded, embedded=embedded, may_gape=may_gape)
        yield from decode(passes, rows, choose)

    def _vectors(self, model_kwargs: dict[str, Any], name: str) -> Encoded | None:
        """What stands for the prompts, if anything does."""
        given = model_kwargs.get(name)
        if given is None:
            return None
        vectors = given if isinstance(given, torch.Tensor) else given[0]
        attention = model_kwargs.get("attention_mask")
        return Encoded(vectors, torch.ones(vectors.shape[:2], dtype=torch.long, device=vectors.device) if attention is None else attention)


def _length(cache: Cache) -> int:
    """How many places of a cache are filled."""
    try:
        return cache.get_seq_length()
    except ValueError as error:  # of a model that keeps one state for all tokens
        if cache.has_previous_state():
            raise ValueError(f"a {type(cache).__name__} of one state does not tell how many tokens were read into it; {_PLAIN}") from error
        return 0


def _begun(model: PreTrainedModel, input_ids: torch.Tensor, model_kwargs: dict[str, Any]) -> list[list[int]]:
    """The tokens of each row, without what is filled up."""
    attention = model_kwargs.get("attention_mask")
    if model.config.is_encoder_decoder or model_kwargs.get("inputs_embeds") is not None:
        return cast("list[list[int]]", input_ids.tolist())
    is_read = torch.ones_like(input_ids) if attention is None else attention
    positions, counted = model_kwargs.get("position_ids"), is_read.cumsum(-1) - 1
    if positions is not None and bool((positions != counted[:, -positions.shape[-1] :])[is_read[:, -positions.shape[-1] :].bool()].any()):
        raise ValueError(f"position_ids other than those that are counted along the attention mask; {_PLAIN}")
    return [row[one.bool()].tolist() for row, one in zip(input_ids, is_read, strict=True)]


def _chooser(rows: list[Row], prompts: torch.Tensor, processors: LogitsProcessorList, generation_config: GenerationConfig) -> Choose:
    """What chooses tokens as ``generate`` was asked to."""
    temperature = 1.0 if generation_config.do_sample else 0.0  # another one is the work of a processor
    if not processors:
        return Sampling(temperature)
    numbers = {row: number for number, row in enumerate(rows)}

    def choose(row: Row, scores: Scores, number: int, back: int, allowed: AllowedTokens) -> int:
        own = numbers[row]
        ids = _ids(row, prompts[own], len(row.known))
        masked = allowed.apply_(scores.all(number, back).float().clone())[None]
        made = masked.clone()
        for processor in processors:
            if type(processor).__name__ in _OF_BATCHES:  # shown a batch of rows like this one, it finds it by its number
                made = processor(ids.expand(len(rows), -1), made.expand(len(rows), -1).clone())[own : own + 1]
            else:
                made = processor(ids, made)
        made = allowed.apply_(made[0].clone())
        if not bool((made > -torch.inf).any()):
            names = ", ".join(type(one).__name__ for one in processors)
            _log.warning("behind %r the pattern allows only tokens that are denied by %s: it goes before", row.text[-60:], names)
            made = masked[0]
        return pick(made.cpu(), None, temperature=temperature, generator=row.generator)

    return choose


def _ids(row: Row, prompt: torch.Tensor, length: int) -> torch.Tensor:
    """int64[1, n]: the prompt as it was given, and the text up to so many of the row's tokens."""
    written = row.known[len(row.begin) : length]
    return torch.cat([prompt, torch.tensor(written, dtype=prompt.dtype, device=prompt.device)])[None]


def _stop(row: Row, seen: int, criteria: Sequence[Any], prompt: torch.Tensor) -> None:
    """End a row where a criterion says so: after each of its new tokens, forced ones included."""
    for length in range(seen + 1, len(row.known) + 1) if criteria else ():
        ids = _ids(row, prompt, length)
        if any(bool(one(ids, None)[0]) for one in criteria):
            row.cut(length)
            return


def _sequences(rows: list[Row], input_ids: torch.Tensor, generation_config: GenerationConfig) -> torch.Tensor:
    """Prompts and texts, of one length."""
    written = [row.known[len(row.begin) :] + ([] if row.end_id is None else [row.end_id]) for row in rows]
    ends = generation_config.eos_token_id
    pad = next((one for one in (generation_config.pad_token_id, ends[0] if isinstance(ends, list) else ends) if one is not None), 0)
    width = max(map(len, written))
    filled = [ids + [pad] * (width - len(ids)) for ids in written]
    return torch.cat([input_ids, torch.tensor(filled, dtype=input_ids.dtype, device=input_ids.device).reshape(len(rows), width)], dim=1)
