r"""Makes nodes of the numbers without a sign between two bounds: digits alone, and with a point.

A number is brought into the form d.ddd x 10^n: its *magnitude* n and its digits, the first not 0. Two numbers compare by their magnitudes,
and where these are equal by their digits. So a range falls into at most three: the lowest magnitude with digits from a bound on, those in
between with any digits, and the highest with digits up to a bound.

    0.05 to 120    n = -2 and 5...    -1 <= n <= 1    n = 2 and up to 12

Knows nothing of signs, exponents and divisors.

>>> from rellm_agents.patterns import Pattern
>>> low = Pattern(range_node(Magnitudes.between(0, 20)))
>>> [low.fullmatch(text) for text in ("0", "20.0", "20.1", "9.99", "0.000")]
[True, True, False, True, True]
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from rellm_agents.json_schema.numbers.bounds import Magnitudes
from rellm_agents.json_schema.numbers.digits import any_digits, next_digits, places_between, whole_numbers
from rellm_agents.limits import DEFAULT_LIMITS, Limits
from rellm_agents.patterns import NOTHING, CharSet, Node, characters, choice, literal, optional, repeat, sequence

MAX_KNOWN = 2_048  # cached nodes
_COMPARED = 40  # digits of a bound, which is rounded inwards to so many
_POINT, _ZERO, _NONZERO = literal("."), literal("0"), characters(CharSet.span("1", "9"))


class Range(NamedTuple):
    """Numbers above 0 of some magnitudes, whose digits lie between bounds.

    Attributes:
        lowest: the least magnitude; ``None``: no bound.
        highest: the greatest.
        low: the least digits, without zeros at the end.
        high: the greatest; ``None``: no bound. Digits are bounded only where there is one magnitude.
    """

    lowest: int | None
    highest: int
    low: str = "1"
    high: str | None = None

    @property
    def is_bounded(self) -> bool:
        """Not all digits are in it."""
        return self.low != "1" or self.high is not None


def range_node(bounds: Magnitudes, limits: Limits = DEFAULT_LIMITS, *, has_point: bool = True) -> Node:
    """The texts of the numbers between two bounds.

    Args:
        bounds: of the values.
        limits: on the digits.
        has_point: also those with a point.
    """
    greatest = 10**limits.whole_digits - 1
    first, last = bounds.first, greatest if bounds.last is None else min(bounds.last, greatest)
    if first != last:
        first, last = _rounded_inwards(first, math.ceil), _rounded_inwards(last, math.floor)
    wholes = whole_numbers(first, last)
    if not has_point:
        return wholes
    has_wholes = (math.ceil(bounds.low), min(math.floor(bounds.high), greatest)) == (first, last)
    ranges = ranges_between(bounds.low, bounds.high)
    options = [] if has_wholes else [wholes]
    if bounds.low <= 0 <= bounds.high:
        all_below_1 = bool(ranges) and ranges[0].highest >= -1
        digits = any_digits(1, limits.decimal_places) if all_below_1 else repeat(_ZERO, 1, limits.decimal_places)
        options.append(sequence(_ZERO, places(digits, is_optional=has_wholes)))
    for one in ranges:
        options += [_from_1(one, limits, has_wholes=has_wholes), _below_1(one, limits)]
    return choice(*options)


def ranges_between(low: Fraction, high: Fraction) -> list[Range]:
    """The numbers above 0 between two bounds, lower magnitudes first; the first range has no lowest magnitude if all down to 0 are in."""
    if high <= 0 or low > high:
        return []
    highest, until = _magnitude_and_digits(high, math.floor)
    if low <= 0:
        return [Range(None, highest - 1), Range(highest, highest, high=until)]
    lowest, since = _magnitude_and_digits(low, math.ceil)
    if lowest == highest:
        return [Range(lowest, highest, since, until)]
    found = [Range(highest, highest, high=until)]
    if since != "1":
        found.append(Range(lowest, lowest, since))
        lowest += 1
    return [Range(lowest, highest - 1), *found] if lowest < highest else found


def _magnitude_and_digits(value: Fraction, rounded: Callable[[Fraction], int]) -> tuple[int, str]:
    """The magnitude and the digits of a number above 0, without zeros at the end."""
    magnitude = len(str(value.numerator)) - len(str(value.denominator))
    magnitude -= value < Fraction(10) ** magnitude
    digits = str(rounded(value / Fraction(10) ** (magnitude + 1 - _COMPARED)))  # one more where 9.99... is rounded to 10
    return magnitude + len(digits) - _COMPARED, digits.rstrip("0")


def places(digits: Node, *, is_optional: bool = False) -> Node:
    """A point and digits."""
    return optional(sequence(_POINT, digits)) if is_optional else sequence(_POINT, digits)


def _from_1(one: Range, limits: Limits, *, has_wholes: bool) -> Node:
    """With a point, or digits alone as well."""
    most = min(one.highest + 1, limits.whole_digits)
    if one.is_bounded:
        return _run(one.highest + 1, one.low, one.high, limits.decimal_places, has_wholes) if most == one.highest + 1 > 0 else NOTHING
    least = 1 + max(one.lowest or 0, 0)
    if least > most:
        return NOTHING
    point = places(any_digits(1, limits.decimal_places), is_optional=has_wholes)
    return sequence(_NONZERO, any_digits(least - 1, most - 1), point)


def _rounded_inwards(whole: int, rounded: Callable[[Fraction], int]) -> int:
    """A bound with fewer digits that are not 9 or 0: what is nested deeper is no node."""
    unit: int = 10 ** max(len(str(whole)) - _COMPARED, 0)
    return whole if (whole + 1) % unit == 0 else rounded(Fraction(whole, unit)) * unit


@lru_cache(maxsize=MAX_KNOWN)
def _run(left: int, low: str, high: str | None, most: int, has_wholes: bool) -> Node:  # noqa: FBT001 - a key of the cache
    """So many digits and a point, between bounds."""
    if left == 0:
        return places(places_between(low, high, most), is_optional=has_wholes and not low)
    if not low and not high:
        return sequence(any_digits(left, left) if high is None else repeat(_ZERO, left, left), _run(0, low, high, most, has_wholes))
    return choice(
        *(sequence(characters(digit), _run(left - 1, above, below, most, has_wholes)) for digit, above, below in next_digits(low, high))
    )


def _below_1(one: Range, limits: Limits) -> Node:
    """With a point, and a zero before it."""
    least, most = max(-one.highest - 1, 0), limits.decimal_places - 1  # zeros behind the point
    if one.is_bounded:
        if one.highest >= 0 or least > most:
            return NOTHING
        return sequence(_ZERO, _POINT, repeat(_ZERO, least, least), places_between(one.low, one.high, limits.decimal_places))
    if one.lowest is None:
        if one.highest >= -1:
            return NOTHING  # it is with zero
    else:
        most = min(-one.lowest - 1, most)
    if least > most:
        return NOTHING
    return sequence(_ZERO, _POINT, repeat(_ZERO, least, most), _NONZERO, any_digits(0, limits.decimal_places))
