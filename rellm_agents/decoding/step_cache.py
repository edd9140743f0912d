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

    def find(self, ids: Sequence[int], config: Any) -> tuple[Cache | None, int]:
        """The beginning of a text that was read before, as a cache of its own.

        Args:
            ids: of the text.
            config: of the model.

        Returns:
            The cache and how many tokens it holds; ``None`` and 0 if nothing is known of the text.
        """
        with self._lock:
            known = max(self._entries, key=lambda one: common_length(one, ids), default=())
            length = common_length(known, ids)
            if not length:
                return None, 0
            self._entries.move_to_end(known)
            layers = self._entries[known]
        cache = DynamicCache(config=config)
        for at, (keys, values) in enumerate(layers):
            cache.update(keys[:, :, :length], values[:, :, :length], at)
        return cache, length

    def keep(self, ids: Sequence[int], cache: Cache, places: torch.Tensor) -> None:
        """Keep what was read.

        Args:
            ids: of the text.
            cache: of one row, not to be changed any more.
            places: int64[n], where its tokens are in the cache.
        """
        has_gaps = len(places) < cache.get_seq_length()
        layers: _Layers = []
        for layer in cache.layers:
            if type(layer) is not DynamicLayer or layer.keys is None or layer.values is None:
                return  # not all of it is there
            index = places.to(layer.keys.device)
            layers.append(tuple(one.index_select(2, index) if has_gaps else one for one in (layer.keys, layer.values)))
        key, size = tuple(ids), sum(part.nbytes for parts in layers for part in parts)
        if size > self.max_bytes:
            return
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
