"""Masks and logits in, chosen tokens out: masks are applied here, and here only.

>>> import torch
>>> choose(torch.tensor([0.0, 3.0, 2.0]), AllowedTokens(np.array([5], dtype=np.uint32), 3))
2
"""

from __future__ import annotations

import numpy as np
import torch

from rellm_agents.decoding.trie import Bits, unpacked


class AllowedTokens:
    """A mask, ready to be applied: as the few ids it allows, or the few it denies, whichever are fewer.

    Args:
        bits: uint32[ceil(V / 32)].
        size: V, the number of entries of the vocabulary.
    """

    def __init__(self, bits: Bits, size: int) -> None:
        flags = unpacked(bits, size)
        self.size, self.count = size, int(flags.sum())
        self.keeps_few = 2 * self.count <= size
        self.ids = torch.from_numpy(np.flatnonzero(flags if self.keeps_few else ~flags))

    def only(self) -> int | None:
        """The one allowed token, if there is just one."""
        return int(self.ids[0]) if self.count == 1 else None

    def apply_(self, logits: torch.Tensor) -> torch.Tensor:
        """Set the logits of denied tokens to minus infinity, in place.

        Args:
            logits: float[>= V], on any device; entries beyond the vocabulary are denied.

        Returns:
            ``logits``.
        """
        ids = self.ids.to(logits.device)
        if self.keeps_few:
            kept = logits[ids]
            logits.fill_(-torch.inf)
            logits[ids] = kept
        else:
            logits[self.size :] = -torch.inf
            logits.index_fill_(0, ids[ids < len(logits)], -torch.inf)
        return logits


def choose(
    logits: torch.Tensor,
    allowed: AllowedTokens,
    *,
    temperature: float = 0.0,
    top_k: int | None = None,
    top_p: float | None = None,
    generator: torch.Generator | None = None,
) -> int:
    """The next token.

    Args:
        logits: float[>= V]; not changed.
        allowed: the mask, under which the probabilities are taken anew.
        temperature: 0: the most likely token; else the logits are divided by it and one is drawn.
        top_k: draw from the ``top_k`` most likely allowed tokens only.
        top_p: draw from the fewest allowed tokens whose probabilities add up to ``top_p`` or more.
        generator: the source of chance, on the CPU.
    """
    only = allowed.only()
    if only is not None:
        return only
    if allowed.keeps_few:
        ids = allowed.ids
        scores = logits[ids.to(logits.device)].float().cpu()
    else:
        ids = None
        scores = allowed.apply_(logits.float().cpu().clone())
    at = (
        int(scores.argmax()) if temperature <= 0 else _drawn((scores.double() - float(scores.max())) / temperature, top_k, top_p, generator)
    )
    return at if ids is None else int(ids[at])


def _drawn(scores: torch.Tensor, top_k: int | None, top_p: float | None, generator: torch.Generator | None) -> int:
    probabilities = torch.softmax(scores, dim=0)
    if top_k is not None or top_p is not None:
        ordered, order = probabilities.sort(descending=True)
        kept = len(ordered) if top_k is None else min(top_k, len(ordered))
        if top_p is not None:
            kept = min(kept, int((ordered.cumsum(0) < top_p).sum()) + 1)
        ids, probabilities = order[:kept], ordered[:kept]
    else:
        ids = None
    cumulated = probabilities.cumsum(0)
    drawn = torch.rand((), generator=generator, dtype=torch.float64) * cumulated[-1]
    at = min(int(torch.searchsorted(cumulated, drawn, right=True)), int(probabilities.nonzero()[-1]))
    return at if ids is None else int(ids[at])
