r"""Makes nodes of the JSON numbers that fit bounds and divisors.

A text is one of them if the decimal number that it says fits, and if the double does that ``json.loads`` reads it as. Digits alone are
read as an integer, exactly. Which spellings there are is the *notation*:

    any       all that JSON has: 300, 300.0, 3e2, 0.3E+03
    plain     no exponents
    python    as json.dumps writes numbers: 300, 300.0, 1e-07, 1.5e+16
    digits    digits alone: 300

The digits are bounded by :class:`Limits`. Numbers count by their decimal value: 19.99 is a multiple of 0.01, as it is for ``jsonschema``
where all numbers are loaded with ``parse_float=Decimal``. So that the doubles fit too,

- multiples of divisors other than 1 that are not digits alone have ``EXACT_DIGITS`` digits in all, which doubles tell apart. Exponents
  they have only where the automaton that reads their digits stays within the limits;
- where integers or multiples are excluded, there are no exponents, up to 9 digits before the point and 6 after it, not all of which are 0,
  and not all 9.

Knows nothing of schemas.

>>> from rellm_agents.patterns import Pattern
>>> percentage = Pattern(numbers_node(Numbers(minimum=0, maximum=100, integers=True)))
>>> [percentage.fullmatch(text) for text in ("0", "100", "99.0", "1e2", "101", "-1", "1.5")]
[True, True, True, True, False, False, False]
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from typing import Literal

from rellm_agents.errors import PatternTooLarge
from rellm_agents.json_schema.numbers.bounds import Magnitudes, Number, exact, negated
from rellm_agents.json_schema.numbers.multiples import decimal_places, multiples_of
from rellm_agents.json_schema.numbers.ranges import range_node
from rellm_agents.json_schema.numbers.scaled import digits_of_multiples, scaled_node
from rellm_agents.limits import DEFAULT_LIMITS, Limits
from rellm_agents.patterns import NOTHING, Node, choice, intersection, lexeme, literal, optional, read_regex, sequence
from rellm_agents.patterns.automaton import Automaton
from rellm_agents.patterns.ir import Lexeme

Notation = Literal["any", "plain", "python", "digits"]

_PLACES = 21  # json.dumps writes no more without an exponent: 0.0001 and 17 digits
EXACT_DIGITS = 15  # decimals of so many digits are different doubles if they are different
MAX_KNOWN = 256  # cached nodes of conditions
MAX_GIVEN = 64  # of given numbers

_MINUS = literal("-")
_NONE = Magnitudes(1, 0, Fraction(1), Fraction(0))
_WHOLE = r"-?(?:0|[1-9][0-9]*)"
_PYTHON_PLAIN = rf"{_WHOLE}|-?(?!0\.0{{4}})(?:0|[1-9][0-9]{{0,15}})\.(?:0|[0-9]*[1-9])"
_PYTHON_SCALED = r"-?[1-9](?:\.[0-9]*[1-9])?e(?:\+(?:1[6-9]|[2-9][0-9]|[1-9][0-9]{2})|-(?:0[5-9]|[1-9][0-9]{1,2}))"


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
    """

    minimum: Number | None = None
    exclusive_minimum: bool = False
    maximum: Number | None = None
    exclusive_maximum: bool = False
    multiple_of: tuple[Number, ...] = ()
    not_multiple_of: tuple[Number, ...] = ()
    integers: bool = False
    excludes_integers: bool = False


@lru_cache(maxsize=MAX_KNOWN)
def numbers_node(conditions: Numbers, notation: Notation = "any", limits: Limits = DEFAULT_LIMITS) -> Node:
    """The texts of the numbers that fit: a lexeme, or ``NOTHING`` if none does.

    Args:
        conditions: on the value.
        notation: which spellings of it there are.
        limits: on the digits that are written.

    Raises:
        PatternTooLarge: a bound or a divisor has too many digits, or an automaton too many states.
    """
    low, strict_low = conditions.minimum, conditions.exclusive_minimum
    high, strict_high = conditions.maximum, conditions.exclusive_maximum
    above = Magnitudes.between(low, high, exclusive_minimum=strict_low, exclusive_maximum=strict_high)
    mirrored = [None if bound is None else negated(bound) for bound in (high, low)]
    below = Magnitudes.between(*mirrored, exclusive_minimum=strict_high, exclusive_maximum=strict_low)
    if notation == "digits":  # -0 is no integer of Python
        below = below._replace(first=max(below.first, 1))
    divisor = _divisor_of(conditions)
    if divisor not in (None, 1):
        greatest = Fraction(10) ** (EXACT_DIGITS - _exact_places(divisor)) - Fraction(1, 10 ** decimal_places(divisor))
        above, below = (one._replace(high=min(one.high, greatest)) for one in (above, below))
    filters = _filters(conditions, divisor, notation, limits)
    node = _matching(_plain(above, below, notation, _with_few_places(limits) if filters else limits), *filters)
    if notation in ("any", "python") and narrowing_of(conditions, notation, limits) is None:
        node = choice(node, _scaled(above, below, notation, divisor, limits))
    if node is NOTHING:
        digits = len(str(int(max(above.first, below.first))))
        if refusal := limits.refusal("whole_digits", digits, "ask for smaller ones"):
            raise PatternTooLarge(refusal)
    return _lexeme(node)


def narrowing_of(conditions: Numbers, notation: Notation, limits: Limits = DEFAULT_LIMITS) -> str | None:
    """Which spellings of numbers that fit are not written; ``None``: all of the notation are.

    >>> narrowing_of(Numbers(multiple_of=(365,)), "any"), narrowing_of(Numbers(multiple_of=(0.07,)), "any")
    ('multiples of 365 have no exponents', None)
    """
    if notation == "digits":
        return None
    if conditions.not_multiple_of or conditions.excludes_integers:
        return "numbers have no exponents and few places where multiples or integers are excluded"
    divisor = _divisor_of(conditions)
    if notation == "plain" or divisor is None or digits_of_multiples(divisor, limits):
        return None
    return f"multiples of {divisor} have no exponents"


@lru_cache(maxsize=MAX_GIVEN)
def value_node(values: tuple[Number, ...], notation: Notation = "any", limits: Limits = DEFAULT_LIMITS) -> Node:
    """The texts of given numbers, each as it is written: a lexeme, or ``NOTHING`` if all are beyond the limits.

    >>> from rellm_agents.patterns import Pattern
    >>> pattern = Pattern(value_node((-2.5, 300)))
    >>> [pattern.fullmatch(text) for text in ("-2.50", "-25e-1", "2.5", "300", "3E2", "300.1")]
    [True, True, False, True, True, False]
    """
    options = []
    for value in values:
        is_negative = value < 0 or (value == 0 and str(value).startswith("-"))
        bounds = Magnitudes.of(negated(value) if is_negative else value)
        signs = (bounds if not is_negative or not value else _NONE, bounds if is_negative or not value else _NONE)
        options.append(_plain(*signs, notation, limits))
        if notation in ("any", "python"):
            options.append(_scaled(*signs, notation, None, limits))
    return _lexeme(choice(*options))


def canonical_numbers(node: Node) -> Node:
    """Those numbers of a node that are written without zeros at the end, an exponent, or more digits than doubles tell apart.

    Equal numbers are the same text then.

    >>> from rellm_agents.patterns import Pattern
    >>> pattern = Pattern(canonical_numbers(numbers_node(Numbers())))
    >>> [pattern.fullmatch(text) for text in ("-2", "0.5", "1.0", "0.50", "-0", "1e+16")]
    [True, True, False, False, False, False]
    """
    inner = node.inner if isinstance(node, Lexeme) else node
    return _lexeme(_matching(inner, read_regex(rf"0|-?[1-9][0-9]*|-?(?:0|[1-9][0-9]{{0,6}})\.[0-9]{{0,{EXACT_DIGITS - 8}}}[1-9]")))


def _plain(above: Magnitudes, below: Magnitudes, notation: Notation, limits: Limits) -> Node:
    """Digits, and digits with a point."""
    if notation == "python":
        limits = _with_few_places(limits)
    node = _signed(above, below, lambda bounds: range_node(bounds, limits, has_point=notation != "digits"))
    return _matching(node, read_regex(_PYTHON_PLAIN)) if notation == "python" else node


def _scaled(above: Magnitudes, below: Magnitudes, notation: Notation, divisor: Fraction | None, limits: Limits) -> Node:
    """With an exponent."""
    if notation == "python":
        limits = replace(_with_few_places(limits), scaled_digits=1, exponent_zeros=1)
    node = _signed(above, below, lambda bounds: scaled_node(bounds, divisor, limits))
    return _matching(node, read_regex(_PYTHON_SCALED)) if notation == "python" else node


def _with_few_places(limits: Limits) -> Limits:
    """What is read by two automata at once counts few places, so that it stays small; those of a double are fewer."""
    return replace(limits, decimal_places=min(limits.decimal_places, _PLACES))


def _signed(above: Magnitudes, below: Magnitudes, make: Callable[[Magnitudes], Node]) -> Node:
    """Numbers with both signs.

    Args:
        above: those without a sign.
        below: those after a minus.
        make: their texts, without a sign.
    """
    positive, negative = make(above), make(below)
    return sequence(optional(_MINUS), positive) if positive is negative else choice(positive, sequence(_MINUS, negative))


def _matching(node: Node, *filters: Node) -> Node:
    if filters:
        node = intersection(node, *filters)
        if Automaton.of(node).is_empty:
            return NOTHING
    return node


def _lexeme(node: Node) -> Node:
    return node if node is NOTHING else lexeme(node)


def _filters(conditions: Numbers, divisor: Fraction | None, notation: Notation, limits: Limits) -> list[Node]:
    """What numbers without an exponent have to match as well."""
    excluded = list(map(exact, conditions.not_multiple_of))
    if conditions.excludes_integers and not excluded and divisor is None:
        return [read_regex(r"-?[0-9]{1,9}\.(?!9{6})0{0,5}[1-9][0-9]*")]
    if conditions.excludes_integers:
        excluded.append(Fraction(1))
    filters = [multiples_of(one, negated=True, limits=limits) for one in excluded]
    if excluded:
        places = max(6, *map(_exact_places, [*excluded, divisor or Fraction(1)]))
        filters.append(read_regex(rf"{_WHOLE}|-?[0-9]{{1,{EXACT_DIGITS - places}}}\.[0-9]{{1,{places}}}"))
    if divisor is not None and (divisor != 1 or notation != "digits"):
        filters.append(multiples_of(divisor, limits=limits))
    return filters


def _divisor_of(conditions: Numbers) -> Fraction | None:
    divisors = [*map(exact, conditions.multiple_of), *([Fraction(1)] if conditions.integers else [])]
    if not divisors:
        return None
    scale = math.lcm(*(number.denominator for number in divisors))
    return Fraction(math.lcm(*(int(number * scale) for number in divisors)), scale)


def _exact_places(divisor: Fraction) -> int:
    places = max(decimal_places(divisor), 1)
    if places >= EXACT_DIGITS:
        raise PatternTooLarge(f"a divisor has {places} decimal places, {EXACT_DIGITS - 1} at most: doubles have {EXACT_DIGITS} digits")
    return places
