"""Decimals with a limited number of digits, as numbers that are multiples of powers of ten within bounds.

>>> limited_digits(4, 2)
{'multipleOf': 0.01, 'exclusiveMinimum': -100, 'exclusiveMaximum': 100}
"""

from __future__ import annotations

from typing import Any

MOST_PLACES = 12  # after the point: JSON Schema's multiples of 1e-13 have too many digits to be told exactly


def limited_digits(digits: int | None, places: int | None) -> dict[str, Any]:
    """The schema of numbers with so many digits, so many of them after the point.

    Args:
        digits: before and after the point together; ``None`` for any number.
        places: after the point.

    >>> limited_digits(None, 2), len(limited_digits(3, None)["anyOf"])  # three digits: 123, 12.3, 1.23, 0.123
    ({'multipleOf': 0.01}, 4)
    """
    if digits is None:
        return {"multipleOf": _power(min(places or 0, MOST_PLACES))}
    if places is not None:
        before = max(digits - places, 0)
        found = _bounded(min(places, digits, MOST_PLACES), before)
        return found if before else {**found, "not": {"const": 0}}  # the digit 0 stands before the point
    return {"anyOf": [_bounded(after, digits - after) for after in range(min(digits, MOST_PLACES) + 1)]}


def _bounded(places: int, before: int) -> dict[str, Any]:
    return {"multipleOf": _power(places), "exclusiveMinimum": -(10**before), "exclusiveMaximum": 10**before}


def _power(places: int) -> float:
    return 1 if places == 0 else float(f"1e-{places}")
