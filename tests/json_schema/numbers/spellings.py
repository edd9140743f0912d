"""Random spellings of a number in JSON, and what a schema with bounds and divisors says of a text."""

from __future__ import annotations

import json
import math
from decimal import Decimal, localcontext
from fractions import Fraction
from random import Random
from typing import Any

from rellm_agents.json_schema.numbers import Numbers


def decimal_text(value: Fraction) -> str:
    """Without an exponent, and without needless zeros."""
    places = next(n for n in range(2_000) if (value * 10**n).denominator == 1)
    digits = str(abs(int(value * 10**places))).zfill(places + 1)
    whole, rest = digits[: len(digits) - places], digits[len(digits) - places :]
    return ("-" if value < 0 else "") + whole + (f".{rest}" if places else "")


def spelling(value: Fraction, random: Random, *, digits: int = 12) -> str:
    """One of the texts of a number with finitely many places, with at most so many digits before the point if there is an exponent."""
    sign = "-" if value < 0 or (value == 0 and random.random() < 0.3) else ""
    text = decimal_text(abs(value))
    if random.random() < 0.3:
        return sign + _with_zeros(text, random)
    if value == 0:
        mantissa, exponent = "0", random.randint(-30, 30)
    else:
        magnitude = len(str(abs(value.numerator))) - len(str(value.denominator))
        exponent = magnitude - random.randint(-4, digits - 2)
        mantissa = decimal_text(abs(value) / Fraction(10) ** exponent)
    letter, zeros = random.choice("eE"), "0" * random.choice([0, 0, 1, 2])
    exponent_sign = "-" if exponent < 0 else random.choice(["", "+"]) if exponent else random.choice(["", "+", "-"])
    return f"{sign}{_with_zeros(mantissa, random)}{letter}{exponent_sign}{zeros}{abs(exponent)}"


def _with_zeros(text: str, random: Random) -> str:
    zeros = "0" * random.choice([0, 0, 0, 1, 2])
    return text + (zeros if "." in text else f".{zeros}" if zeros else "")


def is_admitted(given: Numbers, text: str) -> bool:
    """Whether both the decimal number that a text says and the one that ``json.loads`` makes of it fit, as ``jsonschema`` compares."""
    read = json.loads(text)
    if isinstance(read, float) and not math.isfinite(read):
        return False
    exact = Fraction(text)
    divisors = [Fraction(str(one)) for one in given.multiple_of] + [Fraction(1)] * given.integers
    excluded = [Fraction(str(one)) for one in given.not_multiple_of] + [Fraction(1)] * given.excludes_integers
    if any(exact % one != 0 for one in divisors) or any(exact % one == 0 for one in excluded):
        return False
    if (given.integers and Fraction(read) % 1) or (given.excludes_integers and not Fraction(read) % 1):
        return False
    bounds = ((given.minimum, given.exclusive_minimum, 1), (given.maximum, given.exclusive_maximum, -1))
    return all(
        bound is None or _is_within(value * side, reading * side, strict=strict)
        for bound, strict, side in bounds
        for value, reading in _compared(exact, read, bound)
    )


def _is_within(value: Fraction, bound: Fraction, *, strict: bool) -> bool:
    return value > bound if strict else value >= bound


def _compared(exact: Fraction, read: float, bound: Any) -> list[tuple[Fraction, Fraction]]:
    """The pairs of a value and a bound that readers compare: all are exact, or all are doubles where that is what JSON says."""
    if bound is None:
        return []
    written, double = Fraction(str(bound)), Fraction(float(bound))
    if not isinstance(bound, int):
        return [(exact, written), (Fraction(read), double)]
    readings = {double, Fraction(repr(float(bound)))}  # of 1e23, as a schema may say: the double, or the integer
    readings = readings if written in readings else {written}
    return [(value, one) for value in (exact, Fraction(read)) for one in readings]


def is_valid(schema: Any, text: str, validator: Any) -> bool:
    """What ``jsonschema`` says of a text, read as exact decimals."""
    with localcontext(prec=700):
        return bool(validator(schema).is_valid(json.loads(text, parse_float=Decimal)))
