r"""Makes nodes of the JSON numbers that fit bounds and divisors.

How numbers are written:

- whole numbers as ``json.dumps`` writes them, ``-0`` too where not only integers are meant;
- with a point: ``12.50``, with bounded numbers of digits before and after it. An integer of up to ``EXACT_DIGITS`` digits as
  ``1.0``, unless ``fractions=False``;
- with an exponent where ``json.dumps`` takes one, below 0.0001 and from 1e16 on: ``1e-07``, ``1.5e+16``, also ``1e-7``,
  ``1.5e16``, up to a bounded exponent. Not for integers, not with divisors.

The bounds on digits and exponents are those of :class:`Limits`. Numbers count by their decimal value:
19.99 is a multiple of 0.01, as it is for ``jsonschema`` where all numbers are loaded with ``parse_float=Decimal``.

``json.loads`` reads texts with a point or an exponent as doubles. So that these fit too,

- such texts lie between the outermost doubles that fit: below 1 is up to 0.9999999999999999;
- with divisors, they have as many places as the divisors (at least 1, or 6 if the multiples are excluded), and
  ``EXACT_DIGITS`` digits in all, which doubles tell apart;
- where integers are excluded, they have up to 9 digits before the point, and of the first 6 places after it not all are 0
  and not all 9.

Knows nothing of schemas.

>>> from rellm_agents.patterns import Pattern
>>> percentage = Pattern(numbers_node(Numbers(minimum=0, maximum=100, integers=True)))
>>> [percentage.fullmatch(text) for text in ("0", "100", "99.0", "101", "-1", "1.5")]
[True, True, True, False, False, False]
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache, partial
from typing import NamedTuple

from rellm_agents.errors import PatternTooLarge
from rellm_agents.json_schema.limits import DEFAULT_LIMITS, Limits
from rellm_agents.json_schema.numbers.bounds import Magnitudes, Number, exact, negated
from rellm_agents.json_schema.numbers.digits import digits_between, whole_numbers
from rellm_agents.json_schema.numbers.multiples import decimal_places, multiples_of
from rellm_agents.patterns import NOTHING, Node, choice, intersection, lexeme, literal, optional, read_regex, repeat, sequence
from rellm_agents.patterns.automaton import Automaton
from rellm_agents.patterns.ir import Lexeme

EXACT_DIGITS = 15  # decimals of so many digits are different doubles if they are different
MAX_KNOWN = 1_024  # cached nodes

_SMALL, _LARGE = -5, 16  # the exponents from which on json.dumps writes them
_MINUS, _PLUS, _POINT, _ZERO, _E = map(literal, "-+.0e")


@dataclass(frozen=True)
class Numbers:
    """The conditions on a number.

    Attributes:
        minimum: the least value; ``None``: no bound.
        exclusive_minimum: ``minimum`` itself is out.
        maximum: the greatest value; ``None``: no bound.
        exclusive_maximum: ``maximum`` itself is out.
        multiple_of: positive numbers; the value is a multiple of each.
        not_multiple_of: positive numbers; the value is a multiple of none.
        integers: only integers.
        excludes_integers: no integers.
        fractions: an integer may be written ``1.0``.
    """

    minimum: Number | None = None
    exclusive_minimum: bool = False
    maximum: Number | None = None
    exclusive_maximum: bool = False
    multiple_of: tuple[Number, ...] = ()
    not_multiple_of: tuple[Number, ...] = ()
    integers: bool = False
    excludes_integers: bool = False
    fractions: bool = True


@lru_cache(maxsize=MAX_KNOWN)
def numbers_node(conditions: Numbers, limits: Limits = DEFAULT_LIMITS) -> Node:
    """The texts of the numbers that fit: a lexeme, or ``NOTHING`` if none does.

    Args:
        conditions: on the value.
        limits: on the digits and exponents that are written.

    Raises:
        PatternTooLarge: a bound or a divisor has too many digits, or an automaton too many states.
    """
    notation, filters = _notation_of(conditions, limits)
    low, strict_low = conditions.minimum, conditions.exclusive_minimum
    high, strict_high = conditions.maximum, conditions.exclusive_maximum
    above = Magnitudes.between(low, high, exclusive_minimum=strict_low, exclusive_maximum=strict_high)
    mirrored = [None if bound is None else negated(bound) for bound in (high, low)]
    below = Magnitudes.between(*mirrored, exclusive_minimum=strict_high, exclusive_maximum=strict_low)
    if notation.integers:  # which are written without -0
        below = below._replace(first=max(below.first, 1), low=max(below.low, Fraction(1)))
    positive, negative = _unsigned(above, notation), _unsigned(below, notation)
    node = sequence(optional(_MINUS), positive) if positive is negative else choice(positive, sequence(_MINUS, negative))
    if node is NOTHING and max(above.first, below.first) >= 10**limits.longest_whole:
        raise PatternTooLarge(f"the least of these numbers has more than {limits.longest_whole} digits")
    if filters:
        node = intersection(node, *filters)
        if Automaton.of(node).is_empty:
            return NOTHING
    return lexeme(node)


def canonical_numbers(node: Node) -> Node:
    """Those numbers of a node that are written without zeros at the end, an exponent, or more digits than doubles tell apart.

    Equal numbers are the same text then.

    >>> from rellm_agents.patterns import Pattern
    >>> pattern = Pattern(canonical_numbers(numbers_node(Numbers())))
    >>> [pattern.fullmatch(text) for text in ("-2", "0.5", "1.0", "0.50", "-0", "1e+16")]
    [True, True, False, False, False, False]
    """
    inner = node.inner if isinstance(node, Lexeme) else node
    once = intersection(inner, read_regex(rf"0|-?[1-9][0-9]*|-?(?:0|[1-9][0-9]{{0,6}})\.[0-9]{{0,{EXACT_DIGITS - 8}}}[1-9]"))
    return NOTHING if Automaton.of(once).is_empty else lexeme(once)


def without_exponents(node: Node) -> Node:
    """Those numbers of a node that are written without an exponent.

    >>> from rellm_agents.patterns import Pattern
    >>> pattern = Pattern(without_exponents(numbers_node(Numbers())))
    >>> [pattern.fullmatch(text) for text in ("-2", "0.50", "0.00001", "1e-05", "1e+16")]
    [True, True, True, False, False]
    """
    inner = node.inner if isinstance(node, Lexeme) else node
    plain = intersection(inner, read_regex("[-.0-9]+"))
    return NOTHING if Automaton.of(plain).is_empty else lexeme(plain)


class _Notation(NamedTuple):
    """Which forms of text there are, and how many digits.

    Attributes:
        limits: on what is written.
        digits: before the point, at most.
        places: after the point, at most.
        integers: all values are integers.
        wholes: there are texts of digits alone.
        points: there are texts with a point.
        exponents: the ranges of exponents, first and last.
    """

    limits: Limits
    digits: int
    places: int
    integers: bool = False
    wholes: bool = True
    points: bool = True
    exponents: tuple[tuple[int, int], ...] = ()


def _notation_of(conditions: Numbers, limits: Limits) -> tuple[_Notation, list[Node]]:
    """How the texts are written, and what each of them has to match as well."""
    divisors = [*map(exact, conditions.multiple_of), *([Fraction(1)] if conditions.integers else [])]
    divisor = _least_common_multiple(divisors) if divisors else None
    excluded = list(map(exact, conditions.not_multiple_of))
    integers = divisor is not None and divisor.denominator == 1
    points = conditions.fractions or not integers
    if conditions.excludes_integers and (divisor is not None or excluded):
        excluded.append(Fraction(1))
    if not excluded and (divisor is None or divisor == 1):
        if integers:
            return _Notation(limits, EXACT_DIGITS, 1, integers=True, points=points), []
        free = _Notation(limits, limits.longest_whole, limits.decimal_places)
        small, large = (-limits.exponent, _SMALL), (_LARGE, limits.exponent)
        if conditions.excludes_integers:
            return free._replace(wholes=False, exponents=(small,)), [_away_from_integers()]
        return free._replace(exponents=(small, large)), []
    filters = [multiples_of(one, negated=True, limits=limits) for one in excluded]
    if divisor is not None:
        filters.append(multiples_of(divisor, limits=limits))
    places = max(6 if excluded else 1, *map(decimal_places, [*excluded, divisor or Fraction(1)]))
    if places >= EXACT_DIGITS:
        raise PatternTooLarge(f"a divisor has {places} decimal places, {EXACT_DIGITS - 1} at most: doubles have {EXACT_DIGITS} digits")
    return _Notation(limits, EXACT_DIGITS - places, places, integers, points=points), filters


def _least_common_multiple(numbers: list[Fraction]) -> Fraction:
    scale = math.lcm(*(number.denominator for number in numbers))
    return Fraction(math.lcm(*(int(number * scale) for number in numbers)), scale)


@lru_cache(maxsize=1)
def _away_from_integers() -> Node:
    return read_regex(r"-?(?:[0-9]{1,9}\.(?!9{6})0{0,5}[1-9][0-9]*|[0-9.]*e[-0-9]*)")


def _unsigned(bounds: Magnitudes, notation: _Notation) -> Node:
    return choice(_plain(bounds, notation), *(_scientific(bounds, notation.limits, *exponents) for exponents in notation.exponents))


def _plain(bounds: Magnitudes, notation: _Notation) -> Node:
    """Digits, and digits with a point."""
    first, last = bounds.first, _last_written(bounds.first, bounds.last, notation.limits.longest_whole, notation.limits)
    wholes = whole_numbers(first, last) if notation.wholes else NOTHING
    if not notation.points:
        return wholes
    scale: int = 1 if notation.integers else 10**notation.places
    low, high = math.ceil(bounds.low * scale), math.floor(bounds.high * scale)
    high = min(high, (_last_written(low // scale, high // scale, notation.digits, notation.limits) + 1) * scale - 1)
    as_wholes = notation.wholes and (-(-low // scale), high // scale) == (first, last)

    def part(first: int, last: int, low: str, high: str | None) -> Node:
        places = repeat(_ZERO, 1, notation.places) if notation.integers else digits_between(low, high, 1, notation.places)
        point = sequence(_POINT, places)
        return sequence(whole_numbers(first, last), optional(point) if as_wholes and not low else point)

    def rest(scaled: int) -> str:
        return str(scaled % scale).zfill(notation.places).rstrip("0")

    pointed = _between_edges(low // scale, high // scale, rest(low), None if (high + 1) % scale == 0 else rest(high), part)
    return pointed if as_wholes else choice(wholes, pointed)


def _last_written(first: int, last: int | None, most: int, limits: Limits) -> int:
    """The last whole number that is written: ``last``, if it has no more than ``most`` digits."""
    if last is not None and last < 10**most:
        return last
    return int(10 ** min(max(limits.whole_digits, len(str(first))), most)) - 1


def _scientific(bounds: Magnitudes, limits: Limits, first: int, last: int) -> Node:
    """With an exponent, ``first`` to ``last``."""
    places = limits.decimal_places
    low, high = max(bounds.low, _power(first)), bounds.high
    if low > high or low >= _power(last + 1):
        return NOTHING
    first, begin = _normalised(low, math.ceil, places)
    nines = end = "9" * (1 + places)
    if high < _power(last + 1):
        last, end = _normalised(high, math.floor, places)
    with_exponent = partial(_with_exponent, places)
    return _between_edges(first, last, "" if begin == "1" else begin, None if end == nines else end, with_exponent)


def _normalised(value: Fraction, rounded: Callable[[Fraction], int], places: int) -> tuple[int, str]:
    """The exponent and the digits of the mantissa of a positive number, without zeros at the end."""
    exponent = len(str(value.numerator)) - len(str(value.denominator))
    exponent -= value < _power(exponent)
    digits = str(rounded(value / _power(exponent - places)))  # one digit more where 9.99... is rounded to 10
    return exponent + len(digits) - 1 - places, digits.rstrip("0")


@lru_cache(maxsize=MAX_KNOWN)
def _power(exponent: int) -> Fraction:
    return Fraction(10) ** exponent


@lru_cache(maxsize=MAX_KNOWN)
def _with_exponent(places: int, first: int, last: int, low: str, high: str | None) -> Node:
    """Mantissas from ``low`` to ``high``, their digits without the point, and exponents from ``first`` to ``last``."""

    def mantissa(first: int, last: int, low: str, high: str | None) -> Node:
        point = sequence(_POINT, digits_between(low, high, 1, places))
        return sequence(whole_numbers(first, last), point if low else optional(point))

    low = low or "1"
    mantissas = _between_edges(int(low[0]), 9 if high is None else int(high[0]), low[1:], None if high is None else high[1:], mantissa)
    exponents = choice(
        sequence(optional(_PLUS), _padded(max(first, 0), last)),
        sequence(_MINUS, _padded(max(-last, 1), -first)),
    )
    return sequence(mantissas, _E, exponents)


def _padded(first: int, last: int) -> Node:
    """Exponents, those of one digit also with a zero before it."""
    return choice(whole_numbers(first, last), sequence(_ZERO, whole_numbers(first, min(last, 9))))


def _between_edges(first: int, last: int, low: str, high: str | None, part: Callable[[int, int, str, str | None], Node]) -> Node:
    """From ``first`` followed by the digits ``low`` to ``last`` followed by the digits ``high``.

    Args:
        first: what is decided first: the digits before a point, or an exponent.
        last: the same, of the upper bound.
        low: the digits that decide where it is ``first``; none: all digits after ``first`` are in.
        high: the same, of the upper bound; ``None``: all is in.
        part: the texts of such a range.
    """
    if first > last:
        return NOTHING
    if first == last:
        return part(first, last, low, high)
    options: list[Node] = []
    if low:
        options.append(part(first, first, low, None))
        first += 1
    if high is not None:
        options.append(part(last, last, "", high))
        last -= 1
    if first <= last:
        options.append(part(first, last, "", None))
    return choice(*options)
