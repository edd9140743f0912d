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
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch

from rellm_agents.decoding.forward.allowed_tokens import AllowedTokens
from rellm_agents.decoding.forward.cache_names import cache_name, taken_from
from rellm_agents.errors import DecodingError

if TYPE_CHECKING:
    from transformers import PreTrainedModel
    from transformers.cache_utils import Cache

FEW_ROWS = 2048
"""Up to so many tokens, only their rows of the output layer are computed."""

_log = logging.getLogger(__name__)


def padded(tokens: Sequence[Sequence[int]], *, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """The tokens of a batch as ids, int64[rows, width], padded on the left, and its attention mask, int64[rows, width]."""
    width = max(map(len, tokens))
    ids = [[0] * (width - len(row)) + list(row) for row in tokens]
    attention_mask = [[0] * (width - len(row)) + [1] * len(row) for row in tokens]
    return torch.tensor(ids, dtype=torch.long, device=device), torch.tensor(attention_mask, dtype=torch.long, device=device)


class Scorer:
    """What a model can do, found out once.

    Args:
        model: a transformers causal language model, or one with an encoder, which reads the prompt.

    Attributes:
        has_encoder: the prompt is read by an encoder.
        takes_batches: sequences can be padded, and can leave a batch: the model keeps keys and values of each token, instead of one state.
        can_mask_out: tokens that were read can be masked out between others: the model takes a position for each token, and attends to all.

    Raises:
        DecodingError: the model takes no cache, so it would read each text anew at every token.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        self.model = model
        takes = inspect.signature(model.forward).parameters
        self._last_logits_only = "logits_to_keep" in takes
        self._positions = "position_ids" in takes
        name = cache_name(model.forward)
        if name is None:
            raise DecodingError(f"{type(model).__name__} takes no cache: what it has read cannot be kept for the next token")
        self._cache_name = name
        config = model.config
        self.has_encoder: bool = config.is_encoder_decoder
        self.takes_batches: bool = not model._is_stateful  # the mark transformers itself goes by
        self.can_mask_out = self._positions and self.takes_batches and not self.has_encoder and not _has_sliding_window(config)

    @cached_property
    def head(self) -> torch.nn.Linear | None:
        """The output layer, if the model's scores are just what it gives. This is tried out: models may scale or cap their scores."""
        model = self.model
        head = model.get_output_embeddings() if hasattr(model, "get_output_embeddings") else None
        inner = getattr(model, "base_model", model)
        if type(head) is not torch.nn.Linear or inner is model or hasattr(model, "_hf_hook") or not self.can_mask_out:
            _log.debug("%s: all scores are computed at each token", type(model).__name__)
            return None
        ids = torch.tensor([[0, min(1, head.out_features - 1)]], device=model.device)
        whole, parts = model(input_ids=ids, use_cache=False).logits, head(inner(input_ids=ids, use_cache=False)[0])
        if whole.shape == parts.shape and torch.allclose(whole, parts, rtol=1e-4, atol=1e-4):
            return head
        _log.debug("%s: its scores are not those of its output layer alone, so all are computed at each token", type(model).__name__)
        return None

    def run(self, inputs: dict[str, Any], cache: Cache, scored: int) -> Scores:
        """One forward pass.

        Args:
            inputs: ``input_ids``, ``attention_mask``, ``position_ids``; or those of a decoder.
            cache: is added to.
            scored: at how many positions, counted from the last, scores may be asked for.

        Raises:
            DecodingError: the model has not added to the cache, but to none or to another.
        """
        if not self._positions:
            inputs = {name: value for name, value in inputs.items() if name != "position_ids"}
        of_head = not _is_watched(self.model) and self.head is not None
        keep = {"logits_to_keep": scored} if self._last_logits_only and not of_head else {}
        model = self.model.base_model if of_head else self.model
        outputs = model(**inputs, **keep, **{self._cache_name: cache}, use_cache=True)
        if taken_from(vars(outputs)) is not cache:
            raise DecodingError(
                f"{type(model).__name__} does not keep what it has read in the {type(cache).__name__} that it is given as "
                f"{self._cache_name!r}, so it would know nothing of it at the next token"
            )
        return Scores(outputs[0][:, -scored:], self.head) if of_head else Scores(outputs.logits[:, -scored:], None)

    def encoded(self, prompts: Sequence[Sequence[int]]) -> EncodedPrompts:
        """The prompts as the encoder's vectors."""
        input_ids, attention_mask = padded(prompts, device=self.model.device)
        return EncodedPrompts(self.model.get_encoder()(input_ids=input_ids, attention_mask=attention_mask)[0], attention_mask)


class Scores:
    """The scores of tokens after the last positions of a pass; those of few tokens are computed when they are asked for.

    Args:
        made: float[rows, positions, V]; or float[rows, positions, width], the hidden states that ``head`` makes it of.
        head: the output layer, if it is still to be applied.
    """

    def __init__(self, made: torch.Tensor, head: torch.nn.Linear | None) -> None:
        self._made, self._head = made, head
        self._all: dict[tuple[int, int], torch.Tensor] = {}

    def prepare(self, positions: Sequence[tuple[int, int]]) -> None:
        """Compute all scores at some positions at once, where they are not known; each is a row and how far back from the last."""
        positions = [one for one in positions if one not in self._all]
        if self._head is not None and positions:
            rows, backs = zip(*positions, strict=True)
            made = self._head(self._made[list(rows), [-1 - back for back in backs]])
            self._all.update(zip(positions, made, strict=True))

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


def _is_watched(model: PreTrainedModel) -> bool:
    """True if the whole model has to be called: it has hooks, or a ``forward`` of its own, as a compiled one has."""
    return bool(model._forward_hooks or model._forward_pre_hooks) or "forward" in vars(model)


def _has_sliding_window(config: Any) -> bool:
    """True if some layer attends to a number of last positions only, so that none of them may be masked out."""
    text = config.get_text_config(decoder=True)
    kinds = getattr(text, "layer_types", None)
    if kinds:
        return any(kind != "full_attention" for kind in kinds)
    return getattr(text, "sliding_window", None) is not None and getattr(text, "use_sliding_window", True)
