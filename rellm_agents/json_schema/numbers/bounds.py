"""Finds which values a number without a sign may have between two bounds: as an integer, and as a double.

``json.loads`` reads digits alone as an integer, exactly, and all else as a double. A double fits if it is not beyond
the outermost double that fits; so does what is rounded to it from inside. Knows nothing of digits.

>>> below_1 = Magnitudes.between(0, 1, exclusive_maximum=True)
>>> below_1.first, below_1.last, float(below_1.high)
(0, 0, 0.9999999999999999)
"""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from sys import float_info
from typing import NamedTuple

from rellm_agents.errors import PatternTooLarge

Number = int | float | Decimal

MAX_NUMBER_DIGITS = 1_000  # of a bound or a divisor: arithmetic with it is exact, and no text of a number is nearly as long
MAX_KNOWN = 4_096  # cached bounds
_FAR = 400  # a bound beyond 1e400, or nearer to 0 than 1e-400, is as good as that
_BEYOND_DOUBLES = Fraction(10**_FAR)
_SHORT = 1e15  # integers below are written as they are
_GREATEST = Fraction(repr(float_info.max))


class Magnitudes(NamedTuple):
    """Values from 0 on; the bounds are included.

    Attributes:
        first: of texts read as integers, the least value.
        last: of those, the greatest; ``None``: no bound.
        low: of texts read as doubles, the least value.
        high: of those, the greatest.
    """

    first: int
    last: int | None
    low: Fraction
    high: Fraction

    @classmethod
    def between(
        cls,
        minimum: Number | None,
        maximum: Number | None,
        *,
        exclusive_minimum: bool = False,
        exclusive_maximum: bool = False,
    ) -> Magnitudes:
        """Numbers from 0 on between two bounds; ``None``: no bound.

        Raises:
            PatternTooLarge: a bound has more than ``MAX_NUMBER_DIGITS`` digits.
        """
        if minimum is None or minimum < 0:
            first, low = 0, Fraction(0)
        else:
            last, high = _outermost(negated(minimum), strict=exclusive_minimum)
            first, low = -last, -high
        if maximum is None:
            return cls(first, None, low, _GREATEST)
        last, high = _outermost(maximum, strict=exclusive_maximum)
        return cls(first, last, low, high)


def negated(number: Number) -> Number:
    """The same on the other side of 0, exactly: ``-`` rounds a ``Decimal``."""
    return number.copy_negate() if isinstance(number, Decimal) else -number


def exact(number: Number) -> Fraction:
    """The value: a float with a fraction counts as it is written, 0.1 as a tenth.

    Raises:
        PatternTooLarge: it has more than ``MAX_NUMBER_DIGITS`` digits.
    """
    if isinstance(number, float):
        return Fraction(int(number)) if number.is_integer() else Fraction(repr(number))
    if isinstance(number, Decimal):
        if number and not -_FAR <= number.adjusted() <= _FAR:
            number = Decimal((number.is_signed(), (1,), _FAR if number.adjusted() > 0 else -_FAR))
        if len(number.as_tuple().digits) <= MAX_NUMBER_DIGITS:
            return Fraction(number)
    elif number.bit_length() <= 3 * MAX_NUMBER_DIGITS:
        return Fraction(number)
    raise PatternTooLarge(f"a number with more than {MAX_NUMBER_DIGITS} digits")


@lru_cache(maxsize=MAX_KNOWN)
def _outermost(bound: Number, *, strict: bool) -> tuple[int, Fraction]:
    """The greatest integer and the greatest double, as it is written, that are not beyond ``bound``."""
    value = exact(bound)
    try:
        nearest = float(value)
    except OverflowError:
        nearest = float_info.max if value > 0 else -float_info.max
    written = _written(nearest)
    # 0.1 is meant where it is written, though the double is a bit more; an integer is compared with the double itself.
    is_double = nearest == bound or (written == value and not isinstance(bound, int))
    reached = value if is_double else max(written, Fraction(nearest))
    # A schema that says 1e23 may have been read as the double or as the integer: the values that fit are inside of both.
    is_ambiguous = not isinstance(bound, int) or written == value
    if reached > value or (strict and (is_ambiguous or reached == value)):
        written = _written(math.nextafter(nearest, -math.inf))
    integers = (math.ceil(one) - 1 if strict else math.floor(one) for one in ((value, Fraction(nearest)) if is_ambiguous else (value,)))
    return min(integers), written


def _written(double: float) -> Fraction:
    if abs(double) < _SHORT:
        return exact(double)
    return Fraction(repr(double)) if math.isfinite(double) else -_BEYOND_DOUBLES
