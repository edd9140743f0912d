r"""Makes nodes of the numbers without a sign between two bounds that are written with an exponent.

The magnitude n of a number (see ``ranges``) is known where its exponent e begins: n = e + (digits before the point) - 1, or
n = e - (zeros behind the point) - 1. So each number of digits, or of zeros, has a range of exponents of its own; there are as many ranges
as the limits allow digits.

    up to 20    2e1 20e0 200e-1    1.5e1 15e0 but not 15e1

Multiples of a divisor: let M be the digits as a whole number without the zeros at its end, so that the number is M x 10^s, and let the
divisor be c x 10^p, where c has no factor 10. Then s is at least p, since M has no factor 10 either; and c divides M x 10^(s - p), in
which the power of ten may bring twos or fives that M lacks. So the remainder of M tells the least exponent, if there is one.

    multiples of 100    5e2 50e1 0.5e3    not 5e1
    multiples of 0.3    3e-1 0.3e0 6e5    not 1e0
    multiples of 4      4e0 5e2 100e0     not 5e1

Knows nothing of signs.

>>> from rellm_agents.patterns import Pattern
>>> low = Pattern(scaled_node(Magnitudes.between(0, 20)))
>>> [low.fullmatch(text) for text in ("2e1", "2.1E+01", "200e-1", "0.02e3", "0.03e3", "0e5")]
[True, False, True, True, False, True]
>>> hundreds = Pattern(scaled_node(Magnitudes.between(0, 1000), Fraction(100)))
>>> [hundreds.fullmatch(text) for text in ("5e2", "0.5E3", "50e1", "5e1", "12e2", "300.0e0", "5000e-1")]
[True, True, True, False, False, True, True]
>>> quarters = Pattern(scaled_node(Magnitudes.between(0, 1000), Fraction(1, 4)))
>>> [quarters.fullmatch(text) for text in ("25e-2", "0.75E0", "5e-1", "3e+01", "2e-1", "125e-3", "0.0e-7")]
[True, True, True, True, False, False, True]
"""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from rellm_agents.json_schema.numbers.bounds import Magnitudes
from rellm_agents.json_schema.numbers.digits import any_digits, next_digits, places_between, whole_numbers
from rellm_agents.json_schema.numbers.multiples import decimal_places
from rellm_agents.json_schema.numbers.ranges import Range, places, ranges_between
from rellm_agents.limits import DEFAULT_LIMITS, Limits
from rellm_agents.patterns import NOTHING, CharSet, Node, characters, choice, literal, optional, repeat, sequence

MAX_KNOWN = 2_048  # cached nodes: of one range they are some hundreds at most
FEWEST_DIGITS = 4  # if an automaton within the limits could read fewer, there are no exponents
_POINT, _ZERO, _PLUS, _MINUS, _E = literal("."), literal("0"), literal("+"), literal("-"), characters(CharSet.of("eE"))
_ANY = -math.inf  # the least exponent, where all exponents make a multiple
_NEVER = math.inf  # where none does


class _Divisor(NamedTuple):
    """The number ``core`` x 10^``power``; ``core`` has no factor 10."""

    core: int
    power: int

    @classmethod
    def of(cls, divisor: Fraction) -> _Divisor:
        power = -decimal_places(divisor)
        core = int(divisor / Fraction(10) ** power)
        while core % 10 == 0:
            core, power = core // 10, power + 1
        return cls(core, power)

    def least_exponent(self, remainder: int) -> float:
        """The least exponent that makes a multiple of a whole number of which the core leaves a remainder."""
        for missing in range(self.core.bit_length() + 1):
            if remainder * 10**missing % self.core == 0:
                return self.power + missing
        return _NEVER


class _Scale(NamedTuple):
    """Which exponents bring digits to a value in a range.

    Attributes:
        lowest, highest: the magnitudes of the range.
        divisor: the value is a multiple of it; ``None``: it need not be one.
        limits: on the digits.
    """

    lowest: float
    highest: int
    divisor: _Divisor | None
    limits: Limits

    def exponents(self, magnitude: int, least: float) -> Node:
        """The exponents after digits of some magnitude.

        Args:
            magnitude: of the digits, as if there were no exponent.
            least: exponent that makes a multiple.
        """
        return _exponents(max(self.lowest - magnitude, least), self.highest - magnitude, self.limits)

    def least_exponent(self, remainder: int) -> float:
        return _ANY if self.divisor is None else self.divisor.least_exponent(remainder)


class _Next(NamedTuple):
    """Digits that may come next in a number, and what is known then.

    Attributes:
        digits: one of them.
        is_zero: it is 0; of multiples only, else it is not asked.
        remainder: that the core of the divisor leaves of all digits.
        low, high: the bounds of the digits that may follow.
    """

    digits: Node
    is_zero: bool
    remainder: int
    low: str
    high: str | None


def scaled_node(bounds: Magnitudes, divisor: Fraction | None = None, limits: Limits = DEFAULT_LIMITS) -> Node:
    """The texts with an exponent of the numbers between two bounds.

    Args:
        bounds: of the values, which are read as doubles.
        divisor: only its multiples; ``None``: all. It is positive and has finitely many decimal places.
        limits: on the digits.
    """
    if divisor is not None:
        limits = replace(limits, scaled_digits=min(limits.scaled_digits, digits_of_multiples(divisor, limits)))
    known = None if divisor is None else _Divisor.of(divisor)
    ranges, options = ranges_between(bounds.low, bounds.high), []
    has_all_zeros = divisor is None and bool(ranges) and ranges[0].lowest is None and ranges[0].highest >= limits.greatest_exponent - 1
    if bounds.low <= 0 <= bounds.high:
        most = limits.decimal_places
        digits = any_digits(1, most) if has_all_zeros else repeat(_ZERO, 1, most)
        options.append(sequence(_ZERO, places(digits, is_optional=True), _exponents(-math.inf, math.inf, limits)))
    for one in ranges:
        scale = _Scale(-math.inf if one.lowest is None else one.lowest, one.highest, known, limits)
        for digit in _next(one.low, one.high, 0, scale):
            least = scale.least_exponent(digit.remainder)
            options.append(sequence(digit.digits, _after_digits(1, digit.remainder, least, digit.low, digit.high, scale)))
        if not has_all_zeros or one is not ranges[0]:
            options.append(sequence(_ZERO, _POINT, _after_zeros(0, one, scale)))
    return choice(*options)


def digits_of_multiples(divisor: Fraction, limits: Limits = DEFAULT_LIMITS) -> int:
    """How many digits the multiples of a divisor have at most before an exponent; 0: they are written without exponents.

    Zeros at the beginning, and at the end behind the point, are not counted. For each magnitude, the automaton has about as many
    states as the core times the digits.

    >>> [digits_of_multiples(Fraction(divisor)) for divisor in ("1000", "0.5", "7", "0.25", "365")]
    [12, 8, 7, 4, 0]
    """
    within_states = math.isqrt(limits.scaled_states // _Divisor.of(divisor).core)
    return min(limits.multiple_digits, within_states) if within_states >= FEWEST_DIGITS else 0


@lru_cache(maxsize=MAX_KNOWN)
def _after_digits(read: int, remainder: int, least: float, low: str, high: str | None, scale: _Scale) -> Node:
    """What follows the first digits of a number before its point.

    Args:
        read: how many there are.
        remainder: that the core of the divisor leaves of them.
        least: exponent that makes a multiple of them.
        low: the least digits that may follow.
        high: the greatest; ``None``: no bound.
        scale: of the range.
    """
    limits, exponents = scale.limits, scale.exponents(read - 1, least)
    if scale.divisor is None:
        options = [sequence(places(places_between(low, high, limits.decimal_places), is_optional=not low), exponents)]
    else:
        zero_places = optional(places(repeat(_ZERO, 1, limits.decimal_places)))
        options = [sequence(_POINT, _after_places(0, read - 1, remainder, low, high, scale))]
        options += [] if low else [sequence(zero_places, exponents)]
    if read < limits.scaled_digits:
        for digit in _next(low, high, remainder, scale):
            then = least - 1 if digit.is_zero else scale.least_exponent(digit.remainder)
            options.append(sequence(digit.digits, _after_digits(read + 1, digit.remainder, then, digit.low, digit.high, scale)))
    return choice(*options)


@lru_cache(maxsize=MAX_KNOWN)
def _after_places(read: int, magnitude: int, remainder: int, low: str, high: str | None, scale: _Scale) -> Node:
    """What follows so many digits behind the point: others, one of which is not 0, as the last one that is not 0 decides."""
    if read + magnitude + 1 == scale.limits.scaled_digits:
        return NOTHING
    return choice(*(_place(read, magnitude, digit, scale) for digit in _next(low, high, remainder, scale)))


@lru_cache(maxsize=MAX_KNOWN)
def _after_zeros(read: int, one: Range, scale: _Scale) -> Node:
    """What follows so many zeros behind the point of a number below 1."""
    if scale.divisor is None:
        found = sequence(places_between(one.low, one.high, scale.limits.decimal_places), scale.exponents(-read - 1, _ANY))
    else:
        found = choice(*(_place(read, -read - 1, digit, scale) for digit in _next(one.low, one.high, 0, scale)))
    if read == scale.limits.scaled_digits:
        return found
    return choice(found, sequence(_ZERO, _after_zeros(read + 1, one, scale)))


def _place(read: int, magnitude: int, digit: _Next, scale: _Scale) -> Node:
    """One more digit behind the point of a multiple, and what follows it: others, one of which is not 0, or also only zeros."""
    digits, is_zero, remainder, low, high = digit
    after = _after_places if is_zero or low else _after_last
    return sequence(digits, after(read + 1, magnitude, remainder, low, high, scale))


@lru_cache(maxsize=MAX_KNOWN)
def _after_last(read: int, magnitude: int, remainder: int, low: str, high: str | None, scale: _Scale) -> Node:
    """What follows so many digits behind the point, of which the last that is not 0 may have been read."""
    exponents = scale.exponents(magnitude, scale.least_exponent(remainder) + read)
    only_zeros = sequence(repeat(_ZERO, 0, scale.limits.decimal_places), exponents)
    return choice(_after_places(read, magnitude, remainder, low, high, scale), only_zeros)


@lru_cache(maxsize=MAX_KNOWN)
def _next(low: str, high: str | None, remainder: int, scale: _Scale) -> tuple[_Next, ...]:
    """As :func:`next_digits`; of multiples, digits apart that leave other remainders, and 0 apart from others."""
    found = []
    for digits, above, below in next_digits(low, high):
        if scale.divisor is None:
            found.append(_Next(characters(digits), is_zero=False, remainder=0, low=above, high=below))
            continue
        parts: dict[tuple[bool, int], str] = {}
        for digit in filter(digits.__contains__, "0123456789"):
            key = digit == "0", (remainder * 10 + int(digit)) % scale.divisor.core
            parts[key] = parts.get(key, "") + digit
        found += [_Next(characters(CharSet.of(part)), is_zero, left, above, below) for (is_zero, left), part in parts.items()]
    return tuple(found)


@lru_cache(maxsize=MAX_KNOWN)
def _exponents(first: float, last: float, limits: Limits) -> Node:
    """The exponents of a range, with the letter before them."""
    if first > last:
        return NOTHING
    least, most = int(max(first, limits.least_exponent)), int(min(last, limits.greatest_exponent))
    if least > most:
        return NOTHING
    zeros = repeat(_ZERO, 0, limits.exponent_zeros)
    options = []
    if most >= 0:
        options.append(sequence(optional(_PLUS), zeros, whole_numbers(max(least, 0), most)))
    if least <= 0:
        options.append(sequence(_MINUS, zeros, whole_numbers(max(-most, 0), -least)))
    return sequence(_E, choice(*options))
