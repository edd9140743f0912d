"""A mask made ready for logits: masks are applied here, and here only.

Knows neither patterns nor how a token is chosen among those that are allowed.

>>> AllowedTokens(np.array([5], dtype=np.uint32), 3).scores(torch.tensor([0.0, 3.0, 2.0]))
(tensor([0., 2.]), tensor([0, 2]))
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from threading import Lock
from typing import Any

import numpy as np
import torch

from rellm_agents.decoding.vocabulary import Bits, Ids, packed, unpacked

FEW_IDS = 1024
"""Up to so many ids, single entries are written; above, a row of bounds is laid over the logits, which is as fast or faster."""
MAX_BYTES = 64 << 20
"""Bytes of ids, and as many of rows of bounds, that are remembered."""


class _Remembered:
    """What was made for masks, the least recently used dropped first; values keep their masks alive, so identities hold."""

    def __init__(self, limit: int) -> None:
        self.limit, self.held = limit, 0
        self._values: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable, make: Callable[[], tuple[Any, int]]) -> Any:
        """The value of a key; ``make`` gives it and its bytes."""
        with self._lock:
            known = self._values.get(key)
            if known is None:
                known = self._values[key] = make()
                self.held += known[1]
                while self.held > self.limit and len(self._values) > 1:
                    self.held -= self._values.popitem(last=False)[1][1]
            else:
                self._values.move_to_end(key)
            return known[0]


_MASKS, _ROWS = _Remembered(MAX_BYTES), _Remembered(MAX_BYTES)


class AllowedTokens:
    """A mask, ready to be applied: as the few ids it allows, or the few it denies, whichever are fewer.

    Args:
        bits: uint32[ceil(V / 32)].
        size: V, the number of entries of the vocabulary.
    """

    def __init__(self, bits: Bits, size: int) -> None:
        flags = unpacked(bits, size)
        self.bits, self.size, self.count = bits, size, int(flags.sum())
        self.keeps_few = 2 * self.count <= size
        self.ids = torch.from_numpy(np.flatnonzero(flags if self.keeps_few else ~flags))

    @staticmethod
    def of(bits: Bits, size: int) -> AllowedTokens:
        """The same, made once for an array that is read-only and asked for again, as those of ``TokenMasks`` are."""
        if bits.flags.writeable:
            return AllowedTokens(bits, size)

        def make() -> tuple[AllowedTokens, int]:
            made = AllowedTokens(bits, size)
            return made, made.ids.nbytes + bits.nbytes

        allowed: AllowedTokens = _MASKS.get((id(bits), size), make)
        return allowed

    def without(self, ids: Sequence[int]) -> AllowedTokens:
        """The same without some tokens."""
        bits = self.bits.copy()
        for id_ in ids:
            bits[id_ >> 5] &= ~np.uint32(1 << (id_ & 31))
        return AllowedTokens(bits, self.size)

    def among(self, ids: Ids) -> AllowedTokens:
        """Those of ``ids``, int32[n], that are allowed."""
        return AllowedTokens(self.bits & packed(ids, self.size), self.size)

    def ids_allowed(self) -> torch.Tensor:
        """int64[count]: the ids of all allowed tokens."""
        return self.ids if self.keeps_few else torch.from_numpy(np.flatnonzero(unpacked(self.bits, self.size)))

    def only(self) -> int | None:
        """The one allowed token, if there is just one."""
        return int(self.ids[0]) if self.count == 1 else None

    def apply_(self, logits: torch.Tensor) -> torch.Tensor:
        """Set the logits of denied tokens to minus infinity, in place; those of allowed tokens keep their bits.

        Args:
            logits: float[>= V], on any device; entries beyond the vocabulary are denied. A denied logit that is not a
                number may stay one.

        Returns:
            ``logits``.
        """
        if len(self.ids) > FEW_IDS:
            logits[self.size :] = -torch.inf
            inside = logits[: self.size]
            torch.minimum(inside, self._bounds(logits.device, logits.dtype)[: len(inside)], out=inside)
            return logits
        ids = self.ids.to(logits.device)
        if self.keeps_few:
            kept = logits.index_select(0, ids)
            logits.fill_(-torch.inf)
            logits.index_copy_(0, ids, kept)
        else:
            logits[self.size :] = -torch.inf
            logits.index_fill_(0, ids if len(logits) >= self.size else ids[ids < len(logits)], -torch.inf)
        return logits

    def scores(self, logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The logits of allowed tokens.

        Args:
            logits: float[>= V]; not changed.

        Returns:
            float[n] on the CPU, and ids, int64[n]; or float[>= V] and ``None``, where the others have minus infinity.
        """
        if self.keeps_few:
            return logits[self.ids.to(logits.device)].float().cpu(), self.ids
        return self.apply_(logits.float().cpu().clone()), None

    def _bounds(self, device: torch.device, dtype: torch.dtype) -> torch.Tensor:
        """The most each logit may be: plus infinity if allowed, else minus infinity."""

        def make() -> tuple[tuple[AllowedTokens, torch.Tensor], int]:
            row = torch.full((self.size,), -torch.inf if self.keeps_few else torch.inf, dtype=dtype)
            row = row.index_fill_(0, self.ids, torch.inf if self.keeps_few else -torch.inf).to(device)
            return (self, row), row.nbytes + self.ids.nbytes

        held: tuple[AllowedTokens, torch.Tensor] = _ROWS.get((id(self), device, dtype), make)
        return held[1]
