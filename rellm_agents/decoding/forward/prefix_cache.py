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
from threading import Lock
from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import Cache, DynamicLayer

from rellm_agents.decoding.forward.fingerprint import Fingerprint

MAX_BYTES = 256 << 20
"""Upper bound of the keys and values that a decoder keeps, by default."""

_Layers = list[tuple[torch.Tensor, ...]]  # keys and values of each


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

    def find(self, texts: Sequence[Sequence[int]], config: Any, in_force: Fingerprint) -> tuple[Cache, torch.Tensor]:
        """The prefixes of texts that were read before, as the cache of a batch.

        Args:
            texts: ids of each.
            config: of the model.
            in_force: the fingerprint of the model.

        Returns:
            The cache, and its attention mask, int64[texts, length]: 1 for each position that belongs to a text, 0 for padding on the
            left; of length 0 if no prefix was read.
        """
        found = [self._prefix(ids, in_force) for ids in texts]
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

    def _prefix(self, ids: Sequence[int], in_force: Fingerprint) -> tuple[_Layers, int]:
        """The layers of the text with the longest common prefix, and the length of that prefix."""
        with self._lock:
            own = (text for of, text in self._entries if of == in_force)
            nearest = max(own, key=lambda one: common_length(one, ids), default=())
            length = common_length(nearest, ids)
            if not length:
                return [], 0
            self._entries.move_to_end((in_force, nearest))
            return self._entries[in_force, nearest], length

    def keep(self, ids: Sequence[int], cache: Cache, row: int, positions: torch.Tensor, in_force: Fingerprint) -> None:
        """Remember a text: its keys and values are copied, so that nothing holds on to the batch that it was read in.

        Args:
            ids: of the text.
            cache: of the batch.
            row: its number in the batch.
            positions: int64[n], where its tokens are in the cache.
            in_force: the fingerprint of the model that has read it.
        """
        whole: _Layers = []
        for layer in cache.layers:
            if type(layer) is not DynamicLayer or layer.keys is None or layer.values is None:
                return  # such a layer does not hold all that was read
            whole.append((layer.keys[row : row + 1], layer.values[row : row + 1]))
        key, size = tuple(ids), len(positions) * sum(part[:, :, :1].nbytes for parts in whole for part in parts)
        if size > self.max_bytes:
            return
        layers = [tuple(part.index_select(2, positions.to(part.device)) for part in parts) for parts in whole]
        with self._lock:
            for of, text in [(of, one) for of, one in self._entries if of == in_force and common_length(one, key) == len(one)]:
                self._drop((of, text))
            self._entries[in_force, key] = layers
            self.held_bytes += size
            while self.held_bytes > self.max_bytes:
                self._drop(next(iter(self._entries)))

    def _drop(self, key: tuple[Fingerprint, tuple[int, ...]]) -> None:
        self.held_bytes -= sum(part.nbytes for parts in self._entries.pop(key) for part in parts)


def common_length(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens two texts begin with alike."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
