r"""Makes nodes of the runs of digits between two bounds: whole numbers, and digits after a point.

The classical construction of a numeric range as a regular expression: the digits that both bounds begin with; then either the lower
bound's digit and a range above it, or a digit in between and any others, or the upper bound's digit and a range below it.

    120 to 345    12[0-9] 1[3-9][0-9]    2[0-9]{2}    3[0-3][0-9] 34[0-5]

 Knows nothing of signs, points and exponents.

>>> from rellm_agents.patterns import Pattern
>>> Pattern(whole_numbers(0, 120)).regex
'0|1(?:20|[01][0-9])|[1-9][0-9]?'
>>> Pattern(digits_between("25", None, 1, 3)).regex  # .25 and more
'2[5-9][0-9]?|[3-9][0-9]{0,2}'
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from rellm_agents.patterns import EMPTY, NOTHING, CharSet, Node, characters, choice, literal, optional, repeat, sequence

MAX_KNOWN = 2_048  # cached nodes


@lru_cache(maxsize=MAX_KNOWN)
def whole_numbers(first: int, last: int) -> Node:
    """The whole numbers ``first`` to ``last``, both included, without leading zeros; ``0 <= first``."""
    if last < first:
        return NOTHING
    if first == 0:
        return choice(literal("0"), whole_numbers(1, last))
    if first == last:
        return literal(str(first))
    low, high = str(first), str(last)
    shortest, longest = len(low), len(high)
    lower = low.rstrip("0")
    upper = high.rstrip("0") if high.strip("9") else None
    if shortest == longest:
        return digits_between(lower, upper, shortest, shortest)
    options: list[Node] = []
    if lower != "1":
        options.append(digits_between(lower, None, shortest, shortest))
        shortest += 1
    if upper is not None:
        options.append(digits_between("1", upper, longest, longest))
        longest -= 1
    if shortest <= longest:
        options.append(digits_between("1", None, shortest, longest))  # of these lengths, all
    return choice(*options)


@lru_cache(maxsize=MAX_KNOWN)
def digits_between(low: str, high: str | None, least: int, most: int) -> Node:
    """Runs of ``least`` to ``most`` digits that, read after a point, are ``low`` to ``high``, both included.

    Args:
        low: digits after a point, at most ``most``, without zeros at the end.
        high: the same; ``None``: no upper bound.
        least: how many digits at least.
        most: how many digits at most.
    """
    if high is not None and len(high) == most and not high.strip("9"):
        high = None
    if not low and high is None:
        return any_digits(least, most)
    if high == "":
        return NOTHING if low else repeat(literal("0"), least, most)
    if most == 0:
        return NOTHING if low else EMPTY
    less = max(least - 1, 0)
    options: list[Node] = [EMPTY] if not low and least == 0 else []
    options += [sequence(characters(digit), digits_between(above, below, less, most - 1)) for digit, above, below in next_digits(low, high)]
    return choice(*options)


@lru_cache(maxsize=MAX_KNOWN)
def places_between(low: str, high: str | None, most: int) -> Node:
    """Digits after a point, from ``low`` to ``high``, both included: one at least, and ``most`` after those that decide it.

    Unlike in :func:`digits_between`, the ends of runs are the same nodes, wherever they begin.
    """
    if not low and high is None:
        return any_digits(1, most)
    if high == "":
        return NOTHING if low else repeat(literal("0"), 1, most)
    return choice(*(sequence(characters(digit), _more_places(above, below, most)) for digit, above, below in next_digits(low, high)))


def _more_places(low: str, high: str | None, most: int) -> Node:
    return places_between(low, high, most) if low else optional(places_between(low, high, most))


def next_digits(low: str, high: str | None) -> Iterator[tuple[CharSet, str, str | None]]:
    """The digits that may come next in a run between two bounds, each with the bounds of the rest of the run."""
    first, last = int(low[:1] or 0), 9 if high is None else int(high[:1] or 0)
    low_rest, high_rest = low[1:], None if high is None else high[1:]
    if first >= last:
        if first == last:
            yield _span(first, last), low_rest, high_rest
        return
    if low_rest:
        yield _span(first, first), low_rest, None
        first += 1
    if high_rest is not None:
        yield _span(last, last), "", high_rest
        last -= 1
    if first <= last:
        yield _span(first, last), "", None


@lru_cache(maxsize=MAX_KNOWN)
def any_digits(least: int, most: int) -> Node:
    """``least`` to ``most`` digits, whatever they are."""
    return repeat(characters(_span(0, 9)), least, most)


@lru_cache(maxsize=64)
def _span(first: int, last: int) -> CharSet:
    return CharSet.span(str(first), str(last))
