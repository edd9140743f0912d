"""The forward passes of one batch, with its cache, its attention mask and the positions of its tokens.

Sequences need not be of one length: the shorter ones are padded on the left, and tokens that were read in vain are masked out, so that
the cache is never cropped. Where a model cannot attend around positions that are masked out between others, sequences go on token by
token. How far a model can do this is its :class:`Resumption`.

    cache            pad the cat sat Lo        a draft that was rejected: Lo
    attention mask    0   1   1   1   0
    position              0   1   2   3        the next token takes the position of Lo

>>> ForwardPasses.mask_out.__name__
'mask_out'
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, Final

import torch
from transformers import DynamicCache, EncoderDecoderCache
from transformers.cache_utils import Cache, DynamicLayer

from rellm_agents.decoding.forward.resumption import Resumption
from rellm_agents.decoding.forward.scorer import EncodedPrompts, Scorer, Scores, padded

MOST_ROOM: Final = 1.5
"""How long a cache may be for its longest sequence before what belongs to none is left out of it."""


class ForwardPasses:
    """The passes of one batch.

    Args:
        scorer: of the model.
        size: how many sequences there are. Where the model does not take batches, they have to be of one length.
        cache: what the model has read so far, as the model itself keeps it; by default nothing.
        attention_mask: int64[size, length]: 1 for each position in the cache that belongs to a sequence, 0 for padding.
        encoded: what an encoder made of the prompts.
        embedded: what is read before the first tokens, in place of a prompt's tokens.
        owns_cache: nobody else uses the cache, so positions may be masked out in it, and sequences may leave it.

    Attributes:
        can_take_back: tokens that were read can be taken back.
        can_shrink: sequences can leave the batch.
        made: how many passes were made.
    """

    def __init__(
        self,
        scorer: Scorer,
        size: int,
        *,
        cache: Any = None,
        attention_mask: torch.Tensor | None = None,
        encoded: EncodedPrompts | None = None,
        embedded: EncodedPrompts | None = None,
        owns_cache: bool = True,
    ) -> None:
        self._scorer, self._encoded, self._embedded = scorer, encoded, embedded
        self._texts: list[list[int]] = [[] for _ in range(size)]  # what was read of each sequence, if nothing was before
        self._again = [*self._texts]  # what is read once more before the next tokens
        self.cache = scorer.new_cache() if cache is None else cache
        self._is_new, self.made = cache is None, 0
        way = scorer.resumption
        self.can_take_back = way is Resumption.READS_AGAIN or (way.takes_back and owns_cache and _grows(self.cache))
        self._selects = isinstance(self.cache, Cache) and all(_selector(layer) is not None for layer in _layers(self.cache))
        self.can_shrink = owns_cache and self._selects and way.takes_batches
        device = scorer.device
        self._attention = torch.ones((size, 0), dtype=torch.long, device=device) if attention_mask is None else attention_mask
        self._next = self._attention.sum(-1, keepdim=True)  # position of each sequence's next token

    def forward(self, tokens: Sequence[Sequence[int]], scored: int) -> Scores:
        """Let the model read the next tokens of each sequence.

        Args:
            tokens: ids of each sequence, one at least; none where the prompts are embedded, which are read first, by themselves, and of
                those that only others are read beside.
            scored: at how many positions, counted from the last, scores may be asked for.
        """
        tokens = [[*again, *new] for again, new in zip(self._again, tokens, strict=True)]
        self._texts = [[*old, *new] for old, new in zip(self._texts, tokens, strict=True)]
        self._again = [[] for _ in tokens]
        way, width = self._scorer.resumption, max(map(len, tokens))
        if way is Resumption.READS_AGAIN:
            return self._read_again(scored)
        if way is Resumption.ONE_BY_ONE and width > 1 and not self._is_new:
            return Scores.joined([self._pass([row[at : at + 1] for row in tokens], 1) for at in range(width)][-scored:])
        return self._pass(tokens, scored)

    def _read_again(self, scored: int) -> Scores:
        """One pass over all that was read of each sequence, which are of one length."""
        input_ids, _ = padded(self._texts, device=self._attention.device)
        return self._run({"input_ids" if self._encoded is None else "decoder_input_ids": input_ids}, scored)

    def _pass(self, tokens: Sequence[Sequence[int]], scored: int) -> Scores:
        """One pass over the next tokens of each sequence."""
        input_ids, attention_mask = padded(tokens, device=self._attention.device)
        if self._encoded is not None:
            return self._run({"decoder_input_ids": input_ids}, scored)
        inputs = {"input_ids": input_ids}
        if self._embedded is not None:
            inputs, attention_mask, self._embedded = {"inputs_embeds": self._embedded.vectors}, self._embedded.attention_mask, None
        self._attention = torch.cat([self._attention, attention_mask], dim=1)
        positions = (self._next + attention_mask.cumsum(-1) - 1).clamp(min=0)
        self._next = self._next + attention_mask.sum(-1, keepdim=True)
        if self._scorer.resumption.takes_batches or not self._attention.all():  # else some take a mask for that of what is new
            inputs["attention_mask"] = self._attention
        return self._run({**inputs, "position_ids": positions + self._scorer.first_position}, scored)

    def _run(self, inputs: dict[str, Any], scored: int) -> Scores:
        if self._encoded is not None:
            inputs |= {"encoder_outputs": (self._encoded.vectors,), "attention_mask": self._encoded.attention_mask}
        scores, self.cache = self._scorer.run(inputs, self.cache, scored)
        self._is_new = False
        self.made += 1
        return scores

    @property
    def reads_ahead(self) -> bool:
        """Whether tokens can be read in several passes as well as in one, some sequences longer than others."""
        return self._scorer.keeps_prompts and self.can_take_back and self._embedded is None

    @property
    def reads_embeddings_next(self) -> bool:
        """Whether the next pass reads embedded prompts."""
        return self._embedded is not None

    def mask_out(self, row: int, count: int) -> None:
        """Take back the last tokens that a sequence has read."""
        if count:
            del self._texts[row][-count:]
            self._attention[row, -count:] = 0
            self._next[row] -= count

    def select(self, rows: Sequence[int]) -> None:
        """Go on with some sequences only."""
        index = torch.tensor(rows)  # on the CPU, as layers may be on several devices
        for layer in _layers(self.cache):
            selector = _selector(layer)
            assert selector is not None
            selector(index)
        self._texts, self._again = [self._texts[row] for row in rows], [self._again[row] for row in rows]
        self._attention, self._next = self._attention[index], self._next[index]
        self._encoded, self._embedded = (
            one and EncodedPrompts(one.vectors[index], one.attention_mask[index]) for one in (self._encoded, self._embedded)
        )
        if self._can_move and self._attention.shape[1] > MOST_ROOM * int(self._next.max()) + 1:
            self._close_up()

    def can_join(self, other: ForwardPasses) -> bool:
        """Whether these passes can go on with the sequences of others too."""
        return self._scorer is other._scorer and self._can_move and other._can_move

    def join(self, other: ForwardPasses) -> None:
        """Go on with the sequences of other passes too, which come after these; the other passes are used up."""
        length = max(int(self._next.max()), int(other._next.max()))
        self._close_up(length)
        other._close_up(length)
        for own, more in zip(_layers(self.cache), _layers(other.cache), strict=True):
            own.keys, own.values = torch.cat([own.keys, more.keys]), torch.cat([own.values, more.values])
        self._texts, self._again = [*self._texts, *other._texts], [*self._again, *other._again]
        self._attention, self._next = torch.cat([self._attention, other._attention]), torch.cat([self._next, other._next])

    @property
    def _can_move(self) -> bool:
        """Whether what was read of the sequences can stand anywhere in the cache, which holds all of it."""
        reads_ids = self._encoded is None and self._embedded is None
        return reads_ids and self.can_shrink and self.can_take_back and all(map(_is_filled, _layers(self.cache)))

    def _close_up(self, length: int | None = None) -> None:
        """Leave nothing between the tokens of a sequence in the cache, nor behind them; before them is what fills it up.

        Args:
            length: of the cache, at least that of the longest sequence, which is the default.
        """
        length = int(self._next.max()) if length is None else length
        order = self._attention.argsort(dim=1, stable=True)[:, -length:]
        order = torch.nn.functional.pad(order, (length - order.shape[1], 0))
        for layer in _layers(self.cache):
            index = order[:, None, :, None].to(layer.keys.device)
            layer.keys, layer.values = layer.keys.take_along_dim(index, 2), layer.values.take_along_dim(index, 2)
        self._attention = (torch.arange(length, device=order.device) >= length - self._next).long()

    def branched(self, rows: Sequence[int]) -> ForwardPasses:
        """Passes that go on from what some sequences have read, one for each of ``rows``, which may repeat; these stay as they are.

        Where what the model keeps cannot be copied for each of them, or not be gone on from by several tokens, all is read again.
        """
        if self._reads_branches_again:
            index = torch.tensor(rows, device=self._attention.device)
            encoded = self._encoded and EncodedPrompts(self._encoded.vectors[index], self._encoded.attention_mask[index])
            made = ForwardPasses(self._scorer, len(rows), encoded=encoded)
            made._again = [self._texts[row] for row in rows]
            return made
        made = copy.copy(self)
        made.cache = copy.deepcopy(self.cache)
        made.select(rows)
        return made

    @property
    def _reads_branches_again(self) -> bool:
        return not (self._selects and self._scorer.resumption.takes_batches)

    @property
    def read_again(self) -> int:
        """How many tokens a branch has to read again."""
        return max(map(len, self._texts)) if self._reads_branches_again else 0

    @property
    def bytes_per_sequence(self) -> int:
        """Keys and values of one sequence in the cache, in bytes."""
        kept = (getattr(layer, name, None) for layer in _layers(self.cache) for name in ("keys", "values"))
        return sum(part.nbytes // len(part) for part in kept if part is not None and len(part))

    def cache_positions(self, row: int) -> torch.Tensor:
        """int64[n]: where in the cache the tokens of a sequence are."""
        return self._attention[row].nonzero()[:, 0]


def _layers(cache: Any) -> list[Any]:
    """What a cache holds for each layer, those of attention to an encoder's vectors too; nothing where it is no cache of transformers."""
    if isinstance(cache, EncoderDecoderCache):
        return [*cache.self_attention_cache.layers, *cache.cross_attention_cache.layers]
    return list(cache.layers) if isinstance(cache, Cache) else []


def _selector(layer: Any) -> Callable[[torch.Tensor], None] | None:
    """Goes on with some sequences only; ``None`` where a layer cannot. Layers of one state reorder it only, which may leave some out."""
    return getattr(layer, "reorder_cache" if hasattr(layer, "conv_states") else "batch_select_indices", None)


def _is_filled(layer: Any) -> bool:
    """True if a layer holds keys and values of tokens, float[sequences, heads, length, width]."""
    parts = (layer.keys, layer.values) if type(layer) is DynamicLayer else (None,)
    return all(part is not None and part.dim() == 4 for part in parts)


def _grows(cache: Any) -> bool:
    """True if a cache takes any number of tokens and keeps all of them."""
    return isinstance(cache, DynamicCache) and all(type(layer) is DynamicLayer for layer in cache.layers)
