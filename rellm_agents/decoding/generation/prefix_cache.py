"""What a model has read of earlier prompts and texts in, what it need not read again out.

The prompts of one agent grow at their ends: each begins with the last one and the text written after it.

>>> common_length((1, 2, 3), (1, 2, 4)), common_length((), (1,))
(2, 0)
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock
from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import Cache, DynamicLayer

MAX_BYTES = 256 << 20
"""Of keys and values that a decoder keeps."""

_Layers = list[tuple[torch.Tensor, ...]]  # keys and values of each


class StepCache:
    """Keys and values of recent texts, the least recently used dropped first. Safe to share between threads.

    Args:
        max_bytes: how much is kept.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self.max_bytes, self.held = max_bytes, 0
        self._entries: OrderedDict[tuple[int, ...], _Layers] = OrderedDict()
        self._lock = Lock()

    def find(self, texts: Sequence[Sequence[int]], config: Any) -> tuple[Cache, torch.Tensor]:
        """The beginnings of texts that were read before, as the cache of a batch.

        Args:
            texts: ids of each.
            config: of the model.

        Returns:
            The cache, and int64[rows, length]: 1 for each place in it that belongs to a row, 0 for what a row is filled up with on the
            left; of length 0 if nothing is known of any.
        """
        found = [self._beginning(ids) for ids in texts]
        lengths = torch.tensor([length for _, length in found])
        longest = int(lengths.max())
        cache = DynamicCache(config=config)
        for at, parts in enumerate(max(found, key=lambda one: one[1])[0]):
            keys, values = (part.new_zeros((len(texts), part.shape[1], longest, part.shape[3])) for part in parts)
            for number, (layers, length) in enumerate(found):
                if length:
                    for whole, part in zip((keys, values), layers[at], strict=True):
                        whole[number, :, longest - length :] = part[0, :, :length]
            cache.update(keys, values, at)
        return cache, (torch.arange(longest) >= longest - lengths[:, None]).long()

    def _beginning(self, ids: Sequence[int]) -> tuple[_Layers, int]:
        """What was read of a text that begins like this one, and how many of its tokens are the same."""
        with self._lock:
            known = max(self._entries, key=lambda one: common_length(one, ids), default=())
            length = common_length(known, ids)
            if not length:
                return [], 0
            self._entries.move_to_end(known)
            return self._entries[known], length

    def keep(self, ids: Sequence[int], cache: Cache, row: int, places: torch.Tensor) -> None:
        """Keep what was read of a text, apart from the batch that it was read in.

        Args:
            ids: of the text.
            cache: of the batch.
            row: its number there.
            places: int64[n], where its tokens are in the cache.
        """
        whole: _Layers = []
        for layer in cache.layers:
            if type(layer) is not DynamicLayer or layer.keys is None or layer.values is None:
                return  # not all of it is there
            whole.append((layer.keys[row : row + 1], layer.values[row : row + 1]))
        key, size = tuple(ids), len(places) * sum(part[:, :, :1].nbytes for parts in whole for part in parts)
        if size > self.max_bytes:
            return
        layers = [tuple(part.index_select(2, places.to(part.device)) for part in parts) for parts in whole]
        with self._lock:
            for known in [one for one in self._entries if common_length(one, key) == len(one)]:
                self._drop(known)
            self._entries[key] = layers
            self.held += size
            while self.held > self.max_bytes:
                self._drop(next(iter(self._entries)))

    def _drop(self, ids: tuple[int, ...]) -> None:
        self.held -= sum(part.nbytes for parts in self._entries.pop(ids) for part in parts)


def common_length(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens two texts begin with alike."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
