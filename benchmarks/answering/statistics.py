"""Computes what paired results prove: McNemar's exact test, Holm's correction, and a bootstrap interval of a difference.

Knows no tasks: a result is right or wrong, and the results of two modes belong to the same items.

>>> round(mcnemar(8, 1), 4)
0.0391
>>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
[0.03, 0.06, 0.06]
>>> difference_interval([True] * 5, [True] * 5)
(0.0, 0.0)
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb

import numpy as np

DRAWS = 10_000
"""Resampled sets of items of an interval."""


def mcnemar(only_first: int, only_second: int) -> float:
    """The two-sided exact p value for the number of items that only one of two modes got right (McNemar 1947, binomial).

    Args:
        only_first: items that only the first mode got right.
        only_second: items that only the second did.

    Returns:
        How likely a split at least as uneven is, if for each of these items both modes are as likely to be the one that is right.
    """
    total, fewer = only_first + only_second, min(only_first, only_second)
    return min(1.0, 2 * sum(comb(total, k) for k in range(fewer + 1)) / (1 << total))


def holm(p_values: Sequence[float]) -> list[float]:
    """The p values of several tests, corrected so that all of them together err as seldom as one would (Holm 1979)."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    corrected, highest = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[i]))
        corrected[i] = highest
    return corrected


def difference_interval(first: Sequence[bool], second: Sequence[bool], *, level: float = 0.95, seed: int = 0) -> tuple[float, float]:
    """The percentile bootstrap interval of how much larger the share of the second is (Efron 1979); items are drawn in pairs.

    Args:
        first: whether each item was right in the first mode; at least one.
        second: the same items in the second.
        level: how much of the resampled differences lies inside.
        seed: of the draws.

    Returns:
        The lower and the upper end, as shares between -1 and 1.
    """
    differences = np.asarray(second, dtype=float) - np.asarray(first, dtype=float)
    drawn = np.random.default_rng(seed).integers(len(differences), size=(DRAWS, len(differences)))
    low, high = np.quantile(differences[drawn].mean(axis=1), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
