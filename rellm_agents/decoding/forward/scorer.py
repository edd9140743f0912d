"""What one model can do, found out once; one forward pass of it; and the scores that the pass gives.

Most of a small model's time goes into its output layer, which has a row for each token of the vocabulary. Where a mask leaves a few
tokens, only their rows are computed, if the model's scores are just what that layer gives.

>>> ids, attention_mask = padded([[1, 2], [3]], device=torch.device("cpu"))
>>> ids.tolist(), attention_mask.tolist()
([[1, 2], [0, 3]], [[1, 1], [0, 1]])
"""

from __future__ import annotations

import inspect
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from transformers import DynamicCache, EncoderDecoderCache

from rellm_agents.caches import cached_property
from rellm_agents.decoding.forward.allowed_tokens import AllowedTokens
from rellm_agents.decoding.forward.cache_names import COMMON_NAMES, cache_name, taken_from
from rellm_agents.decoding.forward.context import context_length, first_position
from rellm_agents.decoding.forward.module import called, in_eval_mode, input_device, inside, is_plain, is_watched
from rellm_agents.decoding.forward.resumption import Resumption
from rellm_agents.errors import DecodingError, ScoresNotFinite

if TYPE_CHECKING:
    from transformers import PreTrainedModel

FEW_ROWS = 2048
"""Up to so many tokens, only their rows of the output layer are computed."""
MAX_ROWS = 32
"""Texts that are read in one pass; more are read in groups, one after the other, so that memory does not grow with their number."""

MAX_SHOWN = 60
"""Characters of a text that an error shows."""

_log = logging.getLogger(__name__)


def padded(tokens: Sequence[Sequence[int]], *, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """The tokens of a batch as ids, int64[rows, width], padded on the left, and its attention mask, int64[rows, width]."""
    width = max(map(len, tokens))
    ids = [[0] * (width - len(row)) + list(row) for row in tokens]
    attention_mask = [[0] * (width - len(row)) + [1] * len(row) for row in tokens]
    return torch.tensor(ids, dtype=torch.long, device=device), torch.tensor(attention_mask, dtype=torch.long, device=device)


class Scorer:
    """One model, in the one way in which it goes on from what it has read.

    Args:
        model: a transformers causal language model, or one with an encoder, which reads the prompt; wrapped or not.
        resumption: how it goes on; ``scorer_of`` finds it out.

    Attributes:
        model: as given.
        resumption: as given.
        has_encoder: the prompt is read by an encoder.
        takes_batches: texts of several lengths are read in one pass.
        max_rows: how many.
        keeps_prompts: keys and values of a text can be kept for other texts that begin alike.
        first_position: the position of the first token of a text.
        config: of the model.
        device: on which it takes its inputs.
    """

    def __init__(self, model: PreTrainedModel, resumption: Resumption) -> None:
        self.model, self.resumption = model, resumption
        self._inside = inside(model)
        takes = inspect.signature(self._inside.forward).parameters
        self._hands_on = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in takes.values())
        self._takes, self._cache_name = takes, cache_name(self._inside.forward)
        self.config, self.device = self._inside.config, input_device(self._inside)
        self.has_encoder: bool = self.config.is_encoder_decoder
        self.takes_batches = resumption.takes_batches
        self.max_rows = MAX_ROWS if self.takes_batches else 1
        self.keeps_prompts = resumption is Resumption.MASKS_OUT
        self.first_position = first_position(self._inside) if "position_ids" in takes else 0

    @property
    def name(self) -> str:
        """The name of the model's class, for messages."""
        return type(self._inside).__name__

    @cached_property
    def context_length(self) -> int | None:
        """How many tokens a text may have together with its prompt, or behind an encoder; ``None`` if there is no bound."""
        return context_length(self._inside)

    @cached_property
    def prompt_length(self) -> int | None:
        """How many tokens the prompt may have; ``None`` if there is no bound."""
        return context_length(self._inside, of_encoder=True) if self.has_encoder else self.context_length

    @property
    def takes_cache(self) -> bool:
        """Whether the model says that it can go on from what it has read."""
        return self._cache_name is not None

    @property
    def can_mask_out(self) -> bool:
        """Whether it looks as if tokens could be masked out between others: it takes a position for each token, and attends to all."""
        takes_positions = "position_ids" in self._takes and not getattr(self._inside, "_is_stateful", False)
        return takes_positions and self.takes_cache and not self.has_encoder and not _has_windows(self.config)

    def new_cache(self, *, needed: bool = False) -> Any:
        """What a model is given that has read nothing; ``None`` where it makes its own, or keeps nothing, unless it is needed."""
        model = self._inside
        makes_own = not getattr(model, "_supports_default_dynamic_cache", lambda: True)()  # the mark transformers itself goes by
        keeps_nothing = self.resumption is Resumption.READS_AGAIN and not needed
        if self._cache_name not in COMMON_NAMES or makes_own or keeps_nothing:
            return None
        own = DynamicCache(config=self.config)
        return EncoderDecoderCache(own, DynamicCache(config=self.config)) if self.has_encoder else own

    @cached_property
    def head(self) -> torch.nn.Linear | None:
        """The output layer, if the model's scores are just what it gives. This is tried out: models may scale or cap their scores."""
        model = self._inside
        head = model.get_output_embeddings() if hasattr(model, "get_output_embeddings") else None
        inner = getattr(model, "base_model", model)
        if type(head) is not torch.nn.Linear or not is_plain(head.weight) or inner is model or not self.keeps_prompts:
            _log.debug("%s: all scores are computed at each token", type(model).__name__)
            return None
        ids = torch.tensor([[0, min(1, head.out_features - 1)]], device=self.device)
        whole, parts = model(input_ids=ids, use_cache=False).logits, head(inner(input_ids=ids, use_cache=False)[0])
        if whole.shape == parts.shape and torch.allclose(whole, parts, rtol=1e-4, atol=1e-4):
            return head
        _log.debug("%s: its scores are not those of its output layer alone, so all are computed at each token", type(model).__name__)
        return None

    def run(self, inputs: dict[str, Any], cache: Any, scored: int) -> tuple[Scores, Any]:
        """One forward pass, without dropout.

        Args:
            inputs: ``input_ids``, ``attention_mask``, ``position_ids``; or those of a decoder.
            cache: what was read before.
            scored: at how many positions, counted from the last, scores may be asked for.

        Returns:
            The scores, and what the model keeps for the next pass.

        Raises:
            DecodingError: the model keeps nothing, though it goes on from what it keeps.
        """
        goes_on = self.resumption is not Resumption.READS_AGAIN
        with in_eval_mode(self.model):
            model = called(self.model)
            head = self.head if model is self._inside and not is_watched(model) else None
            of_head = head is not None and not is_watched(head)
            given = {name: value for name, value in inputs.items() if self._is_taken(name)}
            if "logits_to_keep" in self._takes and not of_head:
                given["logits_to_keep"] = scored
            if self._is_taken("use_cache"):
                given["use_cache"] = goes_on
            if goes_on and self._cache_name is not None:
                given[self._cache_name] = cache
            outputs = (model.base_model if of_head else model)(**given)
        kept = taken_from(vars(outputs)) if goes_on else None
        kept = cache if kept is None else kept  # which some add to and do not give back
        if goes_on and kept is None:
            raise DecodingError(f"{self.name} keeps nothing of what it has read, so it knows nothing of it at the next token")
        made = outputs[0] if of_head else outputs.logits
        return Scores(made[:, -scored:], head if of_head else None, model=self.name), kept

    def _is_taken(self, name: str) -> bool:
        return name in self._takes or (self._hands_on and name != "position_ids")

    def in_one_pass(self, ids: Sequence[int], encoded: EncodedPrompts | None = None) -> torch.Tensor:
        """float[n, V]: what the model scores after each token of a text that it reads at once, keeping nothing."""
        input_ids = torch.tensor([list(ids)], device=self.device)
        given: dict[str, Any] = {"input_ids": input_ids}
        if encoded is not None:
            given = {"decoder_input_ids": input_ids, "encoder_outputs": (encoded.vectors,), "attention_mask": encoded.attention_mask}
        if self._is_taken("use_cache"):
            given["use_cache"] = False
        own = self._takes.get(self._cache_name or "")
        if own is not None and own.default is inspect.Parameter.empty:
            given[own.name] = self.new_cache(needed=True)
        with in_eval_mode(self.model):
            scores: torch.Tensor = called(self.model)(**given).logits
        return scores[0]

    def encoded(self, prompts: Sequence[Sequence[int]]) -> EncodedPrompts:
        """The prompts as the encoder's vectors, each read without padding, which some encoders would count as text."""
        with in_eval_mode(self.model):
            encoder = self._inside.get_encoder()
            device = input_device(encoder)
            read = [encoder(input_ids=torch.tensor([list(ids)], device=device))[0][0].to(self.device) for ids in prompts]
        width = max(map(len, read))
        vectors = torch.stack([torch.nn.functional.pad(one, (0, 0, width - len(one), 0)) for one in read])
        is_read = [[0] * (width - len(one)) + [1] * len(one) for one in read]
        return EncodedPrompts(vectors, torch.tensor(is_read, device=vectors.device))


class Scores:
    """The scores of tokens after the last positions of a pass; those of few tokens are computed when they are asked for.

    Args:
        made: float[rows, positions, V]; or float[rows, positions, width], the hidden states that ``head`` makes it of.
        head: the output layer, if it is still to be applied.
        model: the name of the model's class, for messages.
    """

    def __init__(self, made: torch.Tensor, head: torch.nn.Linear | None, *, model: str) -> None:
        self._made, self._head, self._model = made, head, model
        self._all: dict[tuple[int, int], torch.Tensor] = {}
        self._best: dict[tuple[int, int], tuple[float, int]] = {}

    @staticmethod
    def joined(parts: Sequence[Scores]) -> Scores:
        """The scores of passes that were made one after the other."""
        return Scores(torch.cat([one._made for one in parts], dim=1), parts[0]._head, model=parts[0]._model)

    def prepare(self, positions: Sequence[tuple[int, int]], *, best: bool = False) -> None:
        """Compute all scores at some positions at once, where they are not known; each is a row and how far back from the last.

        Args:
            positions: the positions.
            best: find the likeliest of all tokens at each of them too, for :meth:`best`.
        """
        positions = [one for one in positions if one not in self._all]
        if not positions or (self._head is None and not best):
            return
        rows, backs = zip(*positions, strict=True)
        made = self._made[list(rows), [-1 - back for back in backs]]
        if self._head is not None:
            made = self._head(made)
            self._all.update(zip(positions, made, strict=True))
        if best:
            highest, ids = made.max(dim=-1)
            self._best.update(zip(positions, zip(highest.tolist(), ids.tolist(), strict=True), strict=True))

    def best(self, row: int, back: int) -> tuple[float, int] | None:
        """The score and the id of the likeliest of all tokens, the first of equal ones, where it was prepared."""
        return self._best.get((row, back))

    def all(self, row: int, back: int) -> torch.Tensor:
        """float[V]: the scores of all tokens."""
        if self._head is None:
            return self._made[row, -1 - back]
        if (row, back) not in self._all:
            self.prepare([(row, back)])
        return self._all[row, back]

    def of(self, row: int, back: int, allowed: AllowedTokens) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The scores of allowed tokens.

        Returns:
            Their scores, float[n] on the CPU, and ids, int64[n]; or float[V] and ``None``, where the others have minus infinity.
        """
        if self.few(allowed) and (row, back) not in self._all:
            ids = allowed.ids.to(self._made.device)
            head = self._head
            assert head is not None
            bias = None if head.bias is None else head.bias.index_select(0, ids)
            scores = torch.nn.functional.linear(self._made[row, -1 - back], head.weight.index_select(0, ids), bias)
            return scores.float().cpu(), allowed.ids
        return allowed.scores(self.all(row, back))

    def check(self, likeliest: float, token: int | None = None, after: str = "") -> None:
        """Refuse to choose by scores that are no numbers.

        Args:
            likeliest: the highest of the scores that a token is chosen by; NaN if any of them is.
            token: the number of the token in its text, from 1; ``None`` for one of an option.
            after: the text before it.

        Raises:
            ScoresNotFinite: NaN, or infinite.
        """
        if not math.isfinite(likeliest):
            raise ScoresNotFinite(self._model, token, str(self._made.dtype).removeprefix("torch."), after=after[-MAX_SHOWN:])

    def few(self, allowed: AllowedTokens) -> bool:
        """Whether only the scores of these tokens are computed, not those of the whole vocabulary."""
        return self._head is not None and allowed.keeps_few and allowed.count <= FEW_ROWS


@dataclass(frozen=True)
class EncodedPrompts:
    """Vectors that a batch of prompts is read as, instead of tokens.

    Attributes:
        vectors: float[rows, length, width]: what an encoder made of them, or embeddings.
        attention_mask: int64[rows, length]: 1 for a vector, 0 for padding.
    """

    vectors: torch.Tensor
    attention_mask: torch.Tensor

    def of_row(self, number: int) -> EncodedPrompts:
        """One prompt alone, without padding."""
        is_read = self.attention_mask[number].bool()
        return EncodedPrompts(self.vectors[number, is_read][None], self.attention_mask[number, is_read][None])


def _has_windows(config: Any) -> bool:
    """True if some layer attends to a number of last positions only, so that none of them may be masked out."""
    text = config.get_text_config(decoder=True)
    kinds = getattr(text, "layer_types", None) or getattr(text, "attention_layers", None)
    if kinds:
        return any(kind not in ("full_attention", "global") for kind in kinds)
    return getattr(text, "sliding_window", None) is not None and getattr(text, "use_sliding_window", True)
