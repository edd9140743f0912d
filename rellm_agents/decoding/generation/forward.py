"""Tokens of a batch of rows in, the scores of what may follow out: the model's forward passes, and all that is kept between them.

Rows need not be of one length: what one row has less of in a pass is filled up, and what a row has read in vain is masked out, so
that no cache has to be cut. Where a model cannot leave out places in between, rows go on token by token.

>>> Chunk([[1, 2], [3]]).filled(pad=0), Chunk([[1, 2], [3]]).is_read
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
from transformers import DynamicCache, EncoderDecoderCache
from transformers.cache_utils import DynamicLayer

from rellm_agents.decoding.cache_names import cache_name, taken_from
from rellm_agents.decoding.masks import AllowedTokens
from rellm_agents.errors import DecodingError

if TYPE_CHECKING:
    from transformers import PreTrainedModel
    from transformers.cache_utils import Cache

FEW_ROWS = 2048
"""Up to so many tokens, only their rows of the output layer are computed."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Chunk:
    """The tokens that each row has for one pass."""

    tokens: Sequence[Sequence[int]]

    @property
    def width(self) -> int:
        """Tokens of the longest row."""
        return max(map(len, self.tokens))

    def filled(self, pad: int) -> list[list[int]]:
        """All rows of one length, filled up on the left."""
        return [[pad] * (self.width - len(ids)) + list(ids) for ids in self.tokens]

    @property
    def is_read(self) -> list[list[int]]:
        """1 for a token, 0 for what a row is filled up with."""
        return [[0] * (self.width - len(ids)) + [1] * len(ids) for ids in self.tokens]


class Scorer:
    """What a model can do, found out once.

    Args:
        model: a transformers causal language model, or one with an encoder, which reads the prompt.

    Attributes:
        has_encoder: the prompt is read by an encoder.
        takes_batches: rows can be filled up, and leave a batch: it keeps a token's traces apart, instead of one state for all.
        leaves_out: places between a row's tokens can be left out: it is told where each token stands, and looks at all of them.

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
        self.leaves_out = self._positions and self.takes_batches and not self.has_encoder and not _slides(config)

    @cached_property
    def head(self) -> torch.nn.Linear | None:
        """The output layer, if the model's scores are just what it gives. It is tried: models scale and cap them in their ways."""
        model = self.model
        head = model.get_output_embeddings() if hasattr(model, "get_output_embeddings") else None
        inner = getattr(model, "base_model", model)
        if type(head) is not torch.nn.Linear or inner is model or hasattr(model, "_hf_hook") or not self.leaves_out:
            _log.debug("%s: all scores are computed at each token", type(model).__name__)
            return None
        ids = torch.tensor([[0, min(1, head.out_features - 1)]], device=model.device)
        whole, parts = model(input_ids=ids, use_cache=False).logits, head(inner(input_ids=ids, use_cache=False)[0])
        if whole.shape == parts.shape and torch.allclose(whole, parts, rtol=1e-4, atol=1e-4):
            return head
        _log.debug("%s: its scores are not those of its output layer alone, so all are computed at each token", type(model).__name__)
        return None

    def run(self, inputs: dict[str, Any], cache: Cache, kept: int) -> Scores:
        """One forward pass.

        Args:
            inputs: ``input_ids``, ``attention_mask``, ``position_ids``; or those of a decoder.
            cache: is added to.
            kept: at how many places, counted from the last, scores may be asked for.

        Raises:
            DecodingError: the model has not added to the cache, but to none or to another.
        """
        if not self._positions:
            inputs = {name: value for name, value in inputs.items() if name != "position_ids"}
        of_head = not _is_watched(self.model) and self.head is not None
        keep = {"logits_to_keep": kept} if self._last_logits_only and not of_head else {}
        model = self.model.base_model if of_head else self.model
        outputs = model(**inputs, **keep, **{self._cache_name: cache}, use_cache=True)
        if taken_from(vars(outputs)) is not cache:
            raise DecodingError(
                f"{type(model).__name__} does not keep what it has read in the {type(cache).__name__} that it is given as "
                f"{self._cache_name!r}, so it would know nothing of it at the next token"
            )
        return Scores(outputs[0][:, -kept:], self.head) if of_head else Scores(outputs.logits[:, -kept:], None)

    def encoded(self, prompts: Sequence[Sequence[int]]) -> Encoded:
        """What the encoder makes of prompts."""
        chunk = Chunk(prompts)
        input_ids = torch.tensor(chunk.filled(pad=prompts[0][0]), device=self.model.device)
        is_read = torch.tensor(chunk.is_read, device=self.model.device)
        return Encoded(self.model.get_encoder()(input_ids=input_ids, attention_mask=is_read)[0], is_read)


class Scores:
    """The scores of tokens after each place of a pass.

    Args:
        made: float[rows, places, V], or what the head makes it of.
        head: the output layer, if it is still to be applied.
    """

    def __init__(self, made: torch.Tensor, head: torch.nn.Linear | None) -> None:
        self._made, self._head = made, head
        self._all: dict[tuple[int, int], torch.Tensor] = {}

    def prepare(self, places: Sequence[tuple[int, int]]) -> None:
        """Compute all scores of some places, row and places back from the last, at once."""
        if self._head is not None and places:
            rows, backs = zip(*places, strict=True)
            made = self._head(self._made[list(rows), [-1 - back for back in backs]])
            self._all.update(zip(places, made, strict=True))

    def all(self, row: int, back: int) -> torch.Tensor:
        """float[V]: of all tokens."""
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
        """Whether only the scores of these tokens are computed."""
        return self._head is not None and allowed.keeps_few and allowed.count <= FEW_ROWS


@dataclass(frozen=True)
class Encoded:
    """What stands for a batch's prompts instead of tokens.

    Attributes:
        vectors: float[rows, length, width]: what an encoder made of them, or embeddings.
        is_read: int64[rows, length]: 1 for what is to be looked at, 0 for what is filled up.
    """

    vectors: torch.Tensor
    is_read: torch.Tensor

    def of_row(self, number: int) -> Encoded:
        """The same for one row alone, without what it is filled up with."""
        is_read = self.is_read[number].bool()
        return Encoded(self.vectors[number, is_read][None], self.is_read[number, is_read][None])


class Passes:
    """The passes of one batch.

    Args:
        scorer: of the model.
        rows: how many.
        cache: what the model has read so far; by default nothing.
        read: int64[rows, length]: 1 for each place in the cache that belongs to a row, 0 for one that is filled up.
        encoded: what an encoder made of the prompts.
        embedded: what is read before the first tokens, in place of a prompt's tokens.
        may_gape: the cache is of no use to anybody else, so that places may be left out in it.

    Attributes:
        leaves_out: places between a row's tokens can be left out.
        lets_go: rows can leave the batch.
    """

    def __init__(
        self,
        scorer: Scorer,
        rows: int,
        *,
        cache: Cache | None = None,
        read: torch.Tensor | None = None,
        encoded: Encoded | None = None,
        embedded: Encoded | None = None,
        may_gape: bool = True,
    ) -> None:
        self._scorer, self._encoded, self._embedded = scorer, encoded, embedded
        config, device = scorer.model.config, scorer.model.device
        if cache is None:
            own = DynamicCache(config=config)
            cache = own if encoded is None else EncoderDecoderCache(own, DynamicCache(config=config))
        self.cache = cache
        self.leaves_out = may_gape and scorer.leaves_out and _grows(cache)
        of_decoder = cache.self_attention_cache if isinstance(cache, EncoderDecoderCache) else cache
        self.lets_go = may_gape and all(hasattr(layer, "batch_select_indices") for layer in of_decoder.layers)
        self._attention = torch.ones((rows, 0), dtype=torch.long, device=device) if read is None else read
        self._next = self._attention.sum(-1, keepdim=True)  # position of each row's next token

    def feed(self, tokens: Sequence[Sequence[int]], kept: int) -> Scores:
        """Let the model read the next tokens of each row.

        Args:
            tokens: ids of each row, one at least; none where the prompts are embedded, which are read first, by themselves.
            kept: at how many places, counted from the last, scores may be asked for.
        """
        chunk = Chunk(tokens)
        device = self._attention.device
        input_ids = torch.tensor(chunk.filled(pad=0), dtype=torch.long, device=device)
        if self._encoded is not None:
            encoder = {"encoder_outputs": (self._encoded.vectors,), "attention_mask": self._encoded.is_read}
            return self._scorer.run({"decoder_input_ids": input_ids, **encoder}, self.cache, kept)
        is_read = torch.tensor(chunk.is_read, dtype=torch.long, device=device)
        inputs = {"input_ids": input_ids}
        if self._embedded is not None:
            inputs, is_read, self._embedded = {"inputs_embeds": self._embedded.vectors}, self._embedded.is_read, None
        self._attention = torch.cat([self._attention, is_read], dim=1)
        positions = (self._next + is_read.cumsum(-1) - 1).clamp(min=0)
        self._next = self._next + is_read.sum(-1, keepdim=True)
        if self._scorer.takes_batches or not self._attention.all():  # some models of one state take a mask for that of what is new
            inputs["attention_mask"] = self._attention
        return self._scorer.run({**inputs, "position_ids": positions}, self.cache, kept)

    @property
    def begins_embedded(self) -> bool:
        """Whether the next pass reads embedded prompts."""
        return self._embedded is not None

    def leave_out(self, row: int, count: int) -> None:
        """The last tokens that a row has read are not part of its text."""
        if count:
            self._attention[row, -count:] = 0
            self._next[row] -= count

    def select(self, rows: Sequence[int]) -> None:
        """Go on with some rows only."""
        index = torch.tensor(rows, device=self._attention.device)
        self.cache.batch_select_indices(index)
        self._attention, self._next = self._attention[index], self._next[index]
        self._encoded, self._embedded = (one and Encoded(one.vectors[index], one.is_read[index]) for one in (self._encoded, self._embedded))

    def places(self, row: int) -> torch.Tensor:
        """int64[n]: where in the cache the tokens of a row are."""
        return self._attention[row].nonzero()[:, 0]


def _grows(cache: Cache) -> bool:
    """Whether a cache takes any number of tokens and keeps all of them."""
    return isinstance(cache, DynamicCache) and all(type(layer) is DynamicLayer for layer in cache.layers)


def _is_watched(model: PreTrainedModel) -> bool:
    """Whether somebody counts on the whole model being called: by a hook, or by a ``forward`` of its own, as of a compiled one."""
    return bool(model._forward_hooks or model._forward_pre_hooks) or "forward" in vars(model)


def _slides(config: Any) -> bool:
    """Whether some layer looks back for a number of places only, which then must not be left empty."""
    text = config.get_text_config(decoder=True)
    kinds = getattr(text, "layer_types", None)
    if kinds:
        return any(kind != "full_attention" for kind in kinds)
    return getattr(text, "sliding_window", None) is not None and getattr(text, "use_sliding_window", True)
