"""The forward passes of one batch, with its cache, its attention mask and the positions of its tokens.

Sequences need not be of one length: the shorter ones are padded on the left, and tokens that were read in vain are masked out, so that
the cache is never cropped. Where a model cannot attend around positions that are masked out between others, sequences go on token by
token.

    cache            pad the cat sat Lo        a draft that was rejected: Lo
    attention mask    0   1   1   1   0
    position              0   1   2   3        the next token takes the position of Lo

>>> ForwardPasses.mask_out.__name__
'mask_out'
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from transformers import DynamicCache, EncoderDecoderCache
from transformers.cache_utils import DynamicLayer

from rellm_agents.decoding.forward.scorer import EncodedPrompts, Scorer, Scores, padded

if TYPE_CHECKING:
    from transformers.cache_utils import Cache


class ForwardPasses:
    """The passes of one batch.

    Args:
        scorer: of the model.
        size: how many sequences there are.
        cache: what the model has read so far; by default nothing.
        attention_mask: int64[size, length]: 1 for each position in the cache that belongs to a sequence, 0 for padding.
        encoded: what an encoder made of the prompts.
        embedded: what is read before the first tokens, in place of a prompt's tokens.
        owns_cache: nobody else uses the cache, so positions may be masked out in it, and sequences may leave it.

    Attributes:
        can_mask_out: tokens can be masked out between others.
        can_shrink: sequences can leave the batch.
    """

    def __init__(
        self,
        scorer: Scorer,
        size: int,
        *,
        cache: Cache | None = None,
        attention_mask: torch.Tensor | None = None,
        encoded: EncodedPrompts | None = None,
        embedded: EncodedPrompts | None = None,
        owns_cache: bool = True,
    ) -> None:
        self._scorer, self._encoded, self._embedded = scorer, encoded, embedded
        self._read: list[list[int]] = [[] for _ in range(size)]  # by models that keep one state
        self._again = [*self._read]  # what is read once more before the next tokens
        config, device = scorer.model.config, scorer.model.device
        if cache is None:
            own = DynamicCache(config=config)
            cache = own if encoded is None else EncoderDecoderCache(own, DynamicCache(config=config))
        self.cache = cache
        self.can_mask_out = owns_cache and scorer.can_mask_out and _grows(cache)
        of_decoder = cache.self_attention_cache if isinstance(cache, EncoderDecoderCache) else cache
        self.can_shrink = owns_cache and all(hasattr(layer, "batch_select_indices") for layer in of_decoder.layers)
        self._attention = torch.ones((size, 0), dtype=torch.long, device=device) if attention_mask is None else attention_mask
        self._next = self._attention.sum(-1, keepdim=True)  # position of each sequence's next token

    def forward(self, tokens: Sequence[Sequence[int]], scored: int) -> Scores:
        """Let the model read the next tokens of each sequence.

        Args:
            tokens: ids of each sequence, one at least; none where the prompts are embedded, which are read first, by themselves.
            scored: at how many positions, counted from the last, scores may be asked for.
        """
        if not self._scorer.takes_batches:
            tokens = [[*again, *new] for again, new in zip(self._again, tokens, strict=True)]
            self._read, self._again = [[*old, *new] for old, new in zip(self._read, tokens, strict=True)], [[] for _ in tokens]
        input_ids, attention_mask = padded(tokens, device=self._attention.device)
        if self._encoded is not None:
            encoder = {"encoder_outputs": (self._encoded.vectors,), "attention_mask": self._encoded.attention_mask}
            return self._scorer.run({"decoder_input_ids": input_ids, **encoder}, self.cache, scored)
        inputs = {"input_ids": input_ids}
        if self._embedded is not None:
            inputs, attention_mask, self._embedded = {"inputs_embeds": self._embedded.vectors}, self._embedded.attention_mask, None
        self._attention = torch.cat([self._attention, attention_mask], dim=1)
        positions = (self._next + attention_mask.cumsum(-1) - 1).clamp(min=0)
        self._next = self._next + attention_mask.sum(-1, keepdim=True)
        if self._scorer.takes_batches or not self._attention.all():  # some models of one state take a mask for that of what is new
            inputs["attention_mask"] = self._attention
        return self._scorer.run({**inputs, "position_ids": positions}, self.cache, scored)

    @property
    def reads_embeddings_next(self) -> bool:
        """Whether the next pass reads embedded prompts."""
        return self._embedded is not None

    def mask_out(self, row: int, count: int) -> None:
        """Take back the last tokens that a sequence has read."""
        if count:
            self._attention[row, -count:] = 0
            self._next[row] -= count

    def select(self, rows: Sequence[int]) -> None:
        """Go on with some sequences only."""
        index = torch.tensor(rows, device=self._attention.device)
        self.cache.batch_select_indices(index)
        self._attention, self._next = self._attention[index], self._next[index]
        self._encoded, self._embedded = (
            one and EncodedPrompts(one.vectors[index], one.attention_mask[index]) for one in (self._encoded, self._embedded)
        )

    def branched(self, rows: Sequence[int]) -> ForwardPasses:
        """Passes that go on from what some sequences have read, one for each of ``rows``, which may repeat; these stay as they are.

        A model that keeps one state would read several tokens after it otherwise than one by one, so it reads all of them again.
        """
        if not self._scorer.takes_batches:
            made = ForwardPasses(self._scorer, len(rows))
            made._again = [self._read[row] for row in rows]
            return made
        made = copy.copy(self)
        made.cache = copy.deepcopy(self.cache)
        made.select(rows)
        return made

    @property
    def read_again(self) -> int:
        """How many tokens a branch has to read again."""
        return 0 if self._scorer.takes_batches else max(map(len, self._read))

    @property
    def bytes_per_sequence(self) -> int:
        """Keys and values of one sequence in the cache, in bytes."""
        of_decoder = self.cache.self_attention_cache if isinstance(self.cache, EncoderDecoderCache) else self.cache
        kept = (getattr(layer, name, None) for layer in of_decoder.layers for name in ("keys", "values"))
        return sum(part.nbytes // len(part) for part in kept if part is not None and len(part))

    def cache_positions(self, row: int) -> torch.Tensor:
        """int64[n]: where in the cache the tokens of a sequence are."""
        return self._attention[row].nonzero()[:, 0]


def _grows(cache: Cache) -> bool:
    """True if a cache takes any number of tokens and keeps all of them."""
    return isinstance(cache, DynamicCache) and all(type(layer) is DynamicLayer for layer in cache.layers)
