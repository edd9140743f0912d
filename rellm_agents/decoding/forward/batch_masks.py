"""Masks of several rows of a batch, laid over its logits in one operation of tensors, for engines that batch by themselves.

Masks are packed, a bit for each token, as llguidance and XGrammar pack theirs: a row costs a copy of few kilobytes, and only these bits
travel to the device of the logits. Knows neither patterns nor how a token is chosen.

>>> logits = torch.zeros(2, 4)
>>> deny_(logits, {1: np.array([5], dtype=np.uint32)}, 3)
tensor([[0., 0., 0., 0.],
        [0., -inf, 0., -inf]])
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from rellm_agents.decoding.vocabulary import Bits

_WORD = 32
_ALL = np.uint32(0xFFFFFFFF)


def deny_(logits: torch.Tensor, masks: Mapping[int, Bits], size: int) -> torch.Tensor:
    """Set the logits of tokens that the mask of their row denies to minus infinity, in place.

    Args:
        logits: float[rows, V], on any device; rows without a mask are left as they are.
        masks: uint32[ceil(size / 32)] by row.
        size: the number of entries of the vocabulary; entries of V beyond it are denied.

    Returns:
        ``logits``.
    """
    if masks:
        packed = open_rows(*logits.shape)
        for row, bits in masks.items():
            fill_row_(packed, row, bits, size)
        deny_packed_(logits, packed)
    return logits


def open_rows(rows: int, width: int) -> torch.Tensor:
    """Packed masks that allow everything: int32[rows, ceil(width / 32)], on the CPU."""
    return torch.full((rows, -(-width // _WORD)), -1, dtype=torch.int32)


def fill_row_(packed: torch.Tensor, row: int, bits: Bits, size: int) -> None:
    """Write one mask into packed masks on the CPU.

    Args:
        packed: int32[rows, words].
        row: to be written.
        bits: uint32[ceil(size / 32)].
        size: the number of entries of the vocabulary; tokens beyond it are denied.
    """
    target = packed[row].numpy().view(np.uint32)
    kept = bits[: len(target)]
    target[: len(kept)] = kept
    target[len(kept) :] = 0
    words, rest = divmod(size, _WORD)
    if rest and words < len(target):
        target[words] &= ~(_ALL << np.uint32(rest))


def deny_packed_(logits: torch.Tensor, packed: torch.Tensor) -> None:
    """Set the logits of tokens that packed masks deny to minus infinity, in place.

    Args:
        logits: float[rows, V].
        packed: int32[rows, ceil(V / 32)], on the same device.
    """
    width = min(logits.shape[1], packed.shape[1] * _WORD)
    logits[:, :width].masked_fill_(_flags(~packed, width), -torch.inf)


def _flags(packed: torch.Tensor, width: int) -> torch.Tensor:
    """bool[rows, width] of packed bits."""
    if packed.device.type == "cpu":
        return torch.from_numpy(np.unpackbits(packed.numpy().view(np.uint8), axis=1, count=width, bitorder="little").view(bool))
    shifts = torch.arange(_WORD, dtype=torch.int32, device=packed.device)
    return ((packed.unsqueeze(2) >> shifts) & 1).bool().flatten(1)[:, :width]
