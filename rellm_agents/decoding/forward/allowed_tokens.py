"""A mask made ready for logits: masks are applied here, and here only.

Knows neither patterns nor how a token is chosen among those that are allowed.

>>> AllowedTokens(np.array([4], dtype=np.uint32), 3).scores(torch.tensor([0.0, 3.0, 2.0]))
(tensor([2.]), tensor([2]))
"""

from __future__ import annotations

import numpy as np
import torch

from rellm_agents.caches import cached_property, has_caches
from rellm_agents.decoding.lru import SizedLruCache
from rellm_agents.decoding.vocabulary import Bits, unpacked

FEW_IDS = 1024
"""Up to so many ids, single entries are written; above, a row of bounds is laid over the logits, which is as fast or faster."""
ID_BYTES = 8
MAX_BYTES = 64 << 20
"""Upper bound of the ids that are remembered, in bytes, and of the rows of bounds."""


class AllowedTokens:
    """A mask as the ids that it allows, or those that it denies, whichever are fewer.

    Args:
        bits: uint32[ceil(V / 32)].
        size: V, the number of entries of the vocabulary.

    Attributes:
        count: how many tokens are allowed.
        keeps_few: ``ids`` are those that are allowed; else those that are denied.
    """

    def __init__(self, bits: Bits, size: int) -> None:
        whole, rest = divmod(size, 32)
        last = int(bits[whole]) & ((1 << rest) - 1) if rest else 0
        self.bits, self.size, self.count = bits, size, int(np.bitwise_count(bits[:whole]).sum(dtype=np.int64)) + last.bit_count()
        self.keeps_few = 2 * self.count <= size

    @cached_property
    def ids(self) -> torch.Tensor:
        """int64[n], on the CPU, see ``keeps_few``; the shorter list is the cheaper one to write into logits."""
        flags = unpacked(self.bits, self.size)
        return torch.from_numpy(np.flatnonzero(flags if self.keeps_few else ~flags))

    @staticmethod
    def of(bits: Bits, size: int) -> AllowedTokens:
        """The tokens of a mask, remembered if its array is read-only, as those of ``TokenMasks`` are."""
        if bits.flags.writeable:
            return AllowedTokens(bits, size)

        def make() -> tuple[AllowedTokens, int]:
            made = AllowedTokens(bits, size)
            return made, ID_BYTES * min(made.count, size - made.count) + bits.nbytes

        return _MASKS.get((id(bits), size), make)

    def ids_allowed(self) -> torch.Tensor:
        """int64[count]: the ids of all allowed tokens."""
        return self.ids if self.keeps_few else torch.from_numpy(np.flatnonzero(unpacked(self.bits, self.size)))

    def only(self) -> int | None:
        """The one allowed token, if there is just one."""
        return int(self.ids[0]) if self.count == 1 else None

    def allows(self, token_id: int) -> bool:
        """Whether a token is allowed."""
        return token_id < self.size and bool(self.bits[token_id >> 5] >> np.uint32(token_id & 31) & 1)

    def apply_(self, logits: torch.Tensor) -> torch.Tensor:
        """Set the logits of denied tokens to minus infinity, in place; those of allowed tokens keep their bits.

        Args:
            logits: float[>= V], on any device; entries beyond the vocabulary are denied. A denied logit that is not a
                number may stay one.

        Returns:
            ``logits``.
        """
        if min(self.count, self.size - self.count) > FEW_IDS:
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
        """float[V], the upper bound of each logit: plus infinity if allowed, else minus infinity."""

        def make() -> tuple[tuple[AllowedTokens, torch.Tensor], int]:
            row = torch.full((self.size,), -torch.inf if self.keeps_few else torch.inf, dtype=dtype)
            row = row.index_fill_(0, self.ids, torch.inf if self.keeps_few else -torch.inf).to(device)
            return (self, row), row.nbytes + self.ids.nbytes

        return _BOUNDS.get((id(self), device, dtype), make)[1]


# By identity, which holds while the value keeps its array alive.
_MASKS: SizedLruCache[tuple[int, int], AllowedTokens] = SizedLruCache(MAX_BYTES)
_BOUNDS: SizedLruCache[tuple[int, torch.device, torch.dtype], tuple[AllowedTokens, torch.Tensor]] = SizedLruCache(MAX_BYTES)
has_caches(_MASKS)
has_caches(_BOUNDS)
