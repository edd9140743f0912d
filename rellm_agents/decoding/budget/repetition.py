"""Tells whether a text has begun to go round in circles: whether it ends in one and the same piece again and again.

>>> ends_in_repeats([1, 2, *[7, 8, 9, 5] * 3], times=3), ends_in_repeats([7] * 11, times=3), ends_in_repeats([7] * 12, times=3)
(True, False, True)
"""

from __future__ import annotations

from collections.abc import Sequence

SHORTEST, LONGEST = 4, 64
"""Tokens of a piece. A shorter one, as a single token, is a piece of this length once it has been written often enough."""


def ends_in_repeats(ids: Sequence[int], times: int) -> bool:
    """Whether a text ends in a piece of 4 to 64 tokens, this many times in a row.

    Args:
        ids: of the tokens of the text.
        times: at least 2.
    """
    for length in range(SHORTEST, min(LONGEST, len(ids) // times) + 1):
        if ids[-1] == ids[-1 - length] and ids[-length * times : -length] == ids[-length * (times - 1) :]:
            return True
    return False
