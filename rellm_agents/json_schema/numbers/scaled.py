r"""Makes nodes of the numbers without a sign between two bounds that are written with an exponent.

The magnitude n of a number (see ``ranges``) is known where its exponent e begins: n = e + (digits before the point) - 1, or
n = e - (zeros behind the point) - 1. So each number of digits, or of zeros, has a range of exponents of its own; there are as many ranges
as the limits allow digits.

    up to 20    2e1 20e0 200e-1    1.5e1 15e0 but not 15e1

Where only multiples of a power of ten are wanted, the last digit that is not 0 decides: the exponent has to move it far enough.

    multiples of 100    5e2 50e1 0.5e3    not 5e1

Knows nothing of signs.

>>> from rellm_agents.patterns import Pattern
>>> low = Pattern(scaled_node(Magnitudes.between(0, 20)))
>>> [low.fullmatch(text) for text in ("2e1", "2.1E+01", "200e-1", "0.02e3", "0.03e3", "0e5")]
[True, False, True, True, False, True]
>>> hundreds = Pattern(scaled_node(Magnitudes.between(0, 1000), 2))
>>> [hundreds.fullmatch(text) for text in ("5e2", "0.5E3", "50e1", "5e1", "12e2", "300.0e0", "5000e-1")]
[True, True, True, False, False, True, True]
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from rellm_agents.json_schema.limits import DEFAULT_LIMITS, Limits
from rellm_agents.json_schema.numbers.bounds import Magnitudes
from rellm_agents.json_schema.numbers.digits import any_digits, next_digits, places_between, whole_numbers
from rellm_agents.json_schema.numbers.ranges import Range, places, ranges_between
from rellm_agents.patterns import NOTHING, CharSet, Node, characters, choice, literal, optional, repeat, sequence

MAX_KNOWN = 2_048  # cached nodes: of one range they are some hundreds at most
_POINT, _ZERO, _PLUS, _MINUS, _E = literal("."), literal("0"), literal("+"), literal("-"), characters(CharSet.of("eE"))
_ONLY_ZERO = CharSet.of("0")


class _Scale(NamedTuple):
    """Which exponents bring digits to a value in a range.

    Attributes:
        lowest, highest: the magnitudes of the range.
        power: the value is a multiple of this power of ten; ``None``: that does not matter.
        limits: on the digits.
    """

    lowest: float
    highest: int
    power: int | None
    limits: Limits

    def exponents(self, magnitude: int, last: int) -> Node:
        """The exponents after digits of some magnitude.

        Args:
            magnitude: of the digits, as if there were no exponent.
            last: that of the last digit which is not 0.
        """
        first = self.lowest - magnitude
        if self.power is not None:
            first = max(first, self.power - last)
        return _exponents(first, self.highest - magnitude, self.limits)


def scaled_node(bounds: Magnitudes, power: int | None = None, limits: Limits = DEFAULT_LIMITS) -> Node:
    """The texts with an exponent of the numbers between two bounds.

    Args:
        bounds: of the values, which are read as doubles.
        power: only multiples of this power of ten; ``None``: all.
        limits: on the digits.
    """
    if power is not None:
        limits = replace(limits, scaled_digits=min(limits.scaled_digits, limits.multiple_digits))
    ranges, options = ranges_between(bounds.low, bounds.high), []
    has_all_zeros = power is None and bool(ranges) and ranges[0].lowest is None and ranges[0].highest >= limits.greatest_exponent - 1
    if bounds.low <= 0 <= bounds.high:
        most = limits.decimal_places
        digits = any_digits(1, most) if has_all_zeros else repeat(_ZERO, 1, most)
        options.append(sequence(_ZERO, places(digits, is_optional=True), _exponents(-math.inf, math.inf, limits)))
    for one in ranges:
        scale = _Scale(-math.inf if one.lowest is None else one.lowest, one.highest, power, limits)
        first = _next(one.low, one.high, splits_zero=power is not None)
        options += [sequence(digit, _after_digits(1, 0, low, high, scale)) for digit, _, low, high in first]
        if not has_all_zeros or one is not ranges[0]:
            options.append(sequence(_ZERO, _POINT, _after_zeros(0, one, scale)))
    return choice(*options)


@lru_cache(maxsize=MAX_KNOWN)
def _after_digits(read: int, zeros: int, low: str, high: str | None, scale: _Scale) -> Node:
    """What follows the first digits of a number before its point.

    Args:
        read: how many there are.
        zeros: how many of them, at the end, are 0; counted only where that matters.
        low: the least digits that may follow.
        high: the greatest; ``None``: no bound.
        scale: of the range.
    """
    limits, exponents = scale.limits, scale.exponents(read - 1, zeros)
    if scale.power is None:
        options = [sequence(places(places_between(low, high, limits.decimal_places), is_optional=not low), exponents)]
    else:
        zero_places = optional(places(repeat(_ZERO, 1, limits.decimal_places)))
        options = [sequence(_POINT, _after_places(0, read - 1, low, high, scale))]
        options += [] if low else [sequence(zero_places, exponents)]
    if read < limits.scaled_digits:
        for digit, is_zero, above, below in _next(low, high, splits_zero=scale.power is not None):
            options.append(sequence(digit, _after_digits(read + 1, zeros + 1 if is_zero else 0, above, below, scale)))
    return choice(*options)


@lru_cache(maxsize=MAX_KNOWN)
def _after_places(read: int, magnitude: int, low: str, high: str | None, scale: _Scale) -> Node:
    """What follows so many digits behind the point: others, one of which is not 0, as the last one that is not 0 decides."""
    if read == scale.limits.scaled_digits + max(-magnitude, 0):
        return NOTHING
    options = []
    for digit, is_zero, above, below in _next(low, high, splits_zero=scale.power is not None):
        if not (is_zero or above):
            rest = repeat(_ZERO, 0, scale.limits.decimal_places)
            options.append(sequence(digit, rest, scale.exponents(magnitude, -read - 1)))
        options.append(sequence(digit, _after_places(read + 1, magnitude, above, below, scale)))
    return choice(*options)


@lru_cache(maxsize=MAX_KNOWN)
def _after_zeros(read: int, one: Range, scale: _Scale) -> Node:
    """What follows so many zeros behind the point of a number below 1."""
    if scale.power is None:
        found = sequence(places_between(one.low, one.high, scale.limits.decimal_places), scale.exponents(-read - 1, 0))
    else:
        found = _first_place(read, one, scale)
    if read == scale.limits.scaled_digits:
        return found
    return choice(found, sequence(_ZERO, _after_zeros(read + 1, one, scale)))


def _first_place(read: int, one: Range, scale: _Scale) -> Node:
    """The first digit that is not 0 behind the point, and what follows it."""
    options = []
    for digit, _, above, below in _next(one.low, one.high, splits_zero=True):
        if not above:
            rest = repeat(_ZERO, 0, scale.limits.decimal_places)
            options.append(sequence(digit, rest, scale.exponents(-read - 1, -read - 1)))
        options.append(sequence(digit, _after_places(read + 1, -read - 1, above, below, scale)))
    return choice(*options)


@lru_cache(maxsize=MAX_KNOWN)
def _next(low: str, high: str | None, *, splits_zero: bool) -> tuple[tuple[Node, bool, str, str | None], ...]:
    """As :func:`next_digits`; where that matters, 0 apart from other digits, and with whether it is one."""
    found = []
    for digit, above, below in next_digits(low, high):
        for part, is_zero in ((digit & _ONLY_ZERO, True), (digit & ~_ONLY_ZERO, False)) if splits_zero else ((digit, False),):
            if part:
                found.append((characters(part), is_zero, above, below))
    return tuple(found)


@lru_cache(maxsize=MAX_KNOWN)
def _exponents(first: float, last: float, limits: Limits) -> Node:
    """The exponents of a range, with the letter before them."""
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
