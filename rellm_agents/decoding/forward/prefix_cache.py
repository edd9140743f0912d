"""Keys and values of recent texts, so that a prompt is read from where it differs from all of them.

The prompts of one agent grow at their ends: each begins with the last prompt and the text that was written after it. The longest common
prefix with a remembered text is copied into the cache of the new batch (prefix caching, as inference servers have it, for whole texts
instead of blocks).

    remembered   the prompt of step 1  its text
    new          the prompt of step 1  its text  the observation        read: the observation

Keys and values hold for the weights and adapters that made them: each text is kept with the :class:`Fingerprint` of the model.

>>> common_length((1, 2, 3), (1, 2, 4)), common_length((), (1,))
(2, 0)
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import Cache, DynamicLayer

from rellm_agents.decoding.forward.fingerprint import Fingerprint

MAX_BYTES = 256 << 20
"""Upper bound of the keys and values that a decoder keeps, by default."""

_Layers = list[tuple[torch.Tensor, ...]]  # keys and values of each


@dataclass(frozen=True)
class Prefix:
    """What was read of the beginning of a text.

    Attributes:
        layers: keys and values of each layer, float[1, heads, n, width]; they may be those of a longer text.
        length: how many of their tokens count.
    """

    layers: _Layers
    length: int

    @staticmethod
    def of_row(cache: Cache, row: int, positions: torch.Tensor) -> Prefix | None:
        """A copy of what was read of one text of a batch; ``None`` where a layer does not hold all that was read.

        Args:
            cache: of the batch.
            row: the text's number in the batch.
            positions: int64[n], where its tokens are in the cache.
        """
        layers: _Layers = []
        for layer in cache.layers:
            if type(layer) is not DynamicLayer or layer.keys is None or layer.values is None:
                return None
            layers.append(tuple(part[row : row + 1].index_select(2, positions.to(part.device)) for part in (layer.keys, layer.values)))
        return Prefix(layers, len(positions))

    @staticmethod
    def joined(prefixes: Sequence[Prefix], config: Any) -> tuple[Cache, torch.Tensor]:
        """The cache of a batch that goes on from some prefixes.

        Args:
            prefixes: one for each text.
            config: of the model.

        Returns:
            The cache, and its attention mask, int64[texts, length]: 1 for each position that belongs to a text, 0 for padding on the
            left; of length 0 if no prefix was read.
        """
        lengths = torch.tensor([one.length for one in prefixes])
        longest = int(lengths.max())
        cache = DynamicCache(config=config)
        for at, parts in enumerate(max(prefixes, key=lambda one: one.length).layers if longest else []):
            keys, values = (part.new_zeros((len(prefixes), part.shape[1], longest, part.shape[3])) for part in parts)
            for number, one in enumerate(prefixes):
                if one.length:
                    for whole, part in zip((keys, values), one.layers[at], strict=True):
                        whole[number, :, longest - one.length :] = part[0, :, : one.length]
            cache.update(keys, values, at)
        return cache, (torch.arange(longest) >= longest - lengths[:, None]).long()


class PrefixCache:
    """Keys and values of recent texts, the least recently used dropped first. Safe to share between threads: a lock guards it.

    Args:
        max_bytes: upper bound of what is kept.

    Attributes:
        held_bytes: how much is kept now.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self.max_bytes, self.held_bytes = max_bytes, 0
        self._entries: OrderedDict[tuple[Fingerprint, tuple[int, ...]], _Layers] = OrderedDict()
        self._lock = Lock()

    def clear(self) -> None:
        """Forget all texts."""
        with self._lock:
            self._entries.clear()
            self.held_bytes = 0

    def find(self, ids: Sequence[int], in_force: Fingerprint) -> Prefix:
        """What was read of the beginning of a text: the longest common prefix with a remembered text.

        Args:
            ids: of the text.
            in_force: the fingerprint of the model.
        """
        with self._lock:
            own = (text for of, text in self._entries if of == in_force)
            nearest = max(own, key=lambda one: common_length(one, ids), default=())
            length = common_length(nearest, ids)
            if not length:
                return Prefix([], 0)
            self._entries.move_to_end((in_force, nearest))
            return Prefix(self._entries[in_force, nearest], length)

    def keep(self, ids: Sequence[int], cache: Cache, row: int, positions: torch.Tensor, in_force: Fingerprint) -> None:
        """Remember a text: its keys and values are copied, so that nothing holds on to the batch that it was read in.

        Args:
            ids: of the text.
            cache: of the batch.
            row: its number in the batch.
            positions: int64[n], where its tokens are in the cache.
            in_force: the fingerprint of the model that has read it.
        """
        size = len(positions) * _bytes_per_token(cache)
        if size > self.max_bytes or (prefix := Prefix.of_row(cache, row, positions)) is None:
            return
        key = tuple(ids)
        with self._lock:
            for of, text in [(of, one) for of, one in self._entries if of == in_force and common_length(one, key) == len(one)]:
                self._drop((of, text))
            self._entries[in_force, key] = prefix.layers
            self.held_bytes += size
            while self.held_bytes > self.max_bytes:
                self._drop(next(iter(self._entries)))

    def _drop(self, key: tuple[Fingerprint, tuple[int, ...]]) -> None:
        self.held_bytes -= sum(part.nbytes for parts in self._entries.pop(key) for part in parts)


def _bytes_per_token(cache: Cache) -> int:
    """Keys and values of one token of one text, in bytes."""
    parts = (part for layer in cache.layers for part in (getattr(layer, "keys", None), getattr(layer, "values", None)))
    return sum(part[:1, :, :1].nbytes for part in parts if part is not None)


def common_length(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens two texts begin with alike."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
