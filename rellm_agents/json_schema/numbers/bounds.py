"""Finds which values a number without a sign may have between two bounds: as an integer, and as a double.

``json.loads`` reads digits alone as an integer, exactly, and all else as the nearest double. A text fits if the decimal number that it
says fits, and what it is read as does too: below 1 is what is rounded to a double below 1, up to half of the last step.

    exclusiveMaximum 1    0.99999999999999994 is read as 0.9999999999999999, 0.99999999999999995 as 1.0

Knows nothing of digits.

>>> below_1 = Magnitudes.between(0, 1, exclusive_maximum=True)
>>> below_1.first, below_1.last, float(below_1.high), below_1.high < 1
(0, 0, 0.9999999999999999, True)
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
_READ_DIGITS = 30  # of the decimals between two doubles, as far as they are told apart
_AFTER_DOUBLES = Fraction(2) ** 1024  # what would be the next double after the greatest


class Magnitudes(NamedTuple):
    """Values from 0 on; the bounds are included.

    Attributes:
        first: of texts read as integers, the least value.
        last: of those, the greatest; ``None``: no bound.
        low: of texts read as doubles, the least value.
        high: of those, the greatest; never one that would be read as infinite.
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
            return cls(first, None, low, _last_read_as(float_info.max))
        last, high = _outermost(maximum, strict=exclusive_maximum)
        return cls(first, last, low, min(high, _last_read_as(float_info.max)))

    @classmethod
    def of(cls, value: Number) -> Magnitudes:
        """One number from 0 on, as it is written: texts that mean it exactly, and are read as equal to it."""
        decimal = exact(value)
        is_read_as_integer = decimal.denominator == 1 and decimal == Fraction(value)
        first, last = (int(decimal), int(decimal)) if is_read_as_integer else (1, 0)
        is_read_as_double = not isinstance(value, int) or Fraction(_nearest(decimal)) == decimal
        return cls(first, last, decimal, decimal if is_read_as_double and decimal <= _last_read_as(float_info.max) else Fraction(-1))


def negated(number: Number) -> Number:
    """The same on the other side of 0, exactly: ``-`` rounds a ``Decimal``."""
    return number.copy_negate() if isinstance(number, Decimal) else -number


def exact(number: Number) -> Fraction:
    """The value: a float counts as it is written, 0.1 as a tenth.

    Raises:
        PatternTooLarge: it has more than ``MAX_NUMBER_DIGITS`` digits.
    """
    if isinstance(number, float):
        return Fraction(repr(number))
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
    """The greatest integer, and the greatest decimal to be read as a double, that are not beyond ``bound``."""
    value = exact(bound)
    nearest = _nearest(value)
    written, double_value = Fraction(repr(nearest)), Fraction(nearest)
    decimals, doubles = {value}, {double_value}  # what exact decimals are compared with, and what doubles are
    if isinstance(bound, int):
        # A schema that says 1e23 may have been read as the double or as the integer: the values that fit are inside of both.
        decimals = doubles = {written, double_value} if value in (written, double_value) else {value}
    integer = min(math.ceil(one) - 1 if strict else math.floor(one) for one in decimals | doubles)
    double, least = nearest, min(doubles)
    while Fraction(double) > least or (strict and Fraction(double) == least):
        double = math.nextafter(double, -math.inf)
        if math.isinf(double):
            return integer, -_BEYOND_DOUBLES
    decimal, last = _last_read_as(double), min(decimals)
    if strict and decimal >= last:
        decimal = last - Fraction(10) ** (len(str(abs(math.ceil(last)))) - _READ_DIGITS)
    return integer, min(decimal, last)


def _nearest(value: Fraction) -> float:
    try:
        return float(value)
    except OverflowError:
        return float_info.max if value > 0 else -float_info.max


@lru_cache(maxsize=MAX_KNOWN)
def _last_read_as(double: float) -> Fraction:
    """About the greatest decimal that is read as a double: rounded down to ``_READ_DIGITS`` digits."""
    following = math.nextafter(double, math.inf)
    half = (Fraction(double) + (_AFTER_DOUBLES if math.isinf(following) else Fraction(following))) / 2
    if not half:
        return half
    magnitude = len(str(abs(half.numerator))) - len(str(half.denominator))
    step = Fraction(10) ** (magnitude - _READ_DIGITS)
    rounded = math.floor(half / step) * step
    return rounded - step if rounded == half and float(half) != double else rounded
