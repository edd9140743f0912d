"""Sets of token ids as bitmasks: bit ``i % 32`` of word ``i // 32`` stands for id ``i``.

This is the layout of llguidance and XGrammar, so masks can be handed to their kernels. Knows nothing of tokens.

>>> packed(np.array([0, 33], dtype=np.int32), 40).tolist()
[1, 2]
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int32]  # token ids, nodes of the trie or states of an automaton
Bits = NDArray[np.uint32]  # ceil(V / 32) words


class Mask:
    """A mask that is shared, compared by identity: unions of the same masks are found without looking at their bits.

    Attributes:
        bits: uint32[ceil(V / 32)], made read-only.
    """

    __slots__ = ("__weakref__", "bits")

    def __init__(self, bits: Bits) -> None:
        bits.flags.writeable = False
        self.bits = bits


def packed(ids: Ids, size: int) -> Bits:
    """A mask with the bits of ``ids`` set: uint32[ceil(size / 32)]."""
    flags = np.zeros(-(-size // 32) * 32, dtype=bool)
    flags[ids] = True
    return packed_flags(flags)


def packed_flags(flags: NDArray[np.bool_]) -> Bits:
    """bool[V] as a mask: uint32[ceil(V / 32)]."""
    octets = np.packbits(flags, bitorder="little")
    if len(octets) % 4:
        octets = np.concatenate((octets, np.zeros(-len(octets) % 4, dtype=np.uint8)))
    return octets.view(np.uint32)


def unpacked(bits: Bits, size: int) -> NDArray[np.bool_]:
    """The mask as bool[size].

    >>> unpacked(np.array([5], dtype=np.uint32), 3).tolist()
    [True, False, True]
    """
    return np.unpackbits(bits.view(np.uint8), count=size, bitorder="little").view(bool)
