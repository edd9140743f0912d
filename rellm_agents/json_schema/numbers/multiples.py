r"""Makes nodes of the decimal numbers that are multiples of a divisor, or of those that are not.

A number is a multiple of 0.05 if a hundred times the number is one of 5: its digits are read as one whole number, with as
many places as the divisor has. A state is what digits would have to follow: for each count, which run of that many digits
makes a multiple, if one does. So no two states are alike (Myhill and Nerode: the automaton is minimal), and there are few where the
last digits decide: 4 for 1,000. Knows nothing of how else numbers are written.

>>> from rellm_agents.patterns import Pattern
>>> minutes = Pattern(multiples_of(Fraction(15)))
>>> [minutes.fullmatch(text) for text in ("0", "-45", "100", "15.0", "7.5")]
[True, True, False, True, False]
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import count
from typing import ClassVar

from rellm_agents.errors import PatternTooLarge
from rellm_agents.limits import DEFAULT_LIMITS, Limits
from rellm_agents.patterns import Node, dfa, ir

_Completions = tuple[int | None, ...]  # at i: the run of i digits, read as a number, that makes a multiple
_State = tuple[_Completions | None, int | None]  # None: no multiple whatever follows; places read, None before the point


def multiples_of(divisor: Fraction, *, negated: bool = False, limits: Limits = DEFAULT_LIMITS) -> Node:
    """Plain decimals, such as ``-12.50``, that are multiples of ``divisor``.

    Args:
        divisor: positive, with finitely many decimal places.
        negated: those that are no multiples instead.
        limits: on the states of the automaton.

    Raises:
        PatternTooLarge: more states than the limits allow are needed to tell multiples from others.
    """
    places = decimal_places(divisor)
    multiples = _Multiples(int(divisor * 10**places), places, negated)
    _refuse_too_many_states(multiples, divisor, limits)
    return dfa(multiples, multiples.start)


def decimal_places(number: Fraction) -> int:
    """How many decimal places a number has that is written with finitely many."""
    return next(places for places in count() if (number * 10**places).denominator == 1)


@dataclass(frozen=True)
class _Multiples:
    """Reads plain decimals; see :class:`rellm_agents.patterns.ir.node_types.TransitionFunctions`."""

    divisor: int
    places: int
    negated: bool
    symbol: ClassVar[None] = None
    flags: ClassVar[int] = ir.BOOLEAN | ir.RARE_BYTES | ir.MAYBE_EMPTY

    def __str__(self) -> str:
        return f"{'no multiple' if self.negated else 'a multiple'} of {Decimal(self.divisor).scaleb(-self.places)}"

    @property
    def start(self) -> _State:
        completions: _Completions = (0,)
        while 10 ** (len(completions) - 1) < self.divisor:
            completions = (*completions, 0)
        return completions, None

    def accepts(self, state: _State) -> bool:
        completions, read = state
        return (completions is not None and self.completion(completions, self.places - (read or 0)) == 0) != self.negated

    def moves(self, state: _State) -> Iterable[tuple[str, _State]]:
        completions, read = state
        if read is None:
            yield "-", state
            yield ".", (completions, 0)
        if completions is None:
            yield "0123456789", state
        elif read == self.places:
            yield "0", state
            yield "123456789", (None, read)
        else:
            for digit in range(10):
                yield str(digit), (self.after(completions, digit), None if read is None else read + 1)

    def extent(self, _state: _State) -> None:
        """It is not known before a search."""

    def after(self, completions: _Completions, digit: int) -> _Completions:
        """With one more digit: what was the first of those that would have to follow."""
        found: list[int | None] = []
        for i in range(len(completions)):
            longer = self.completion(completions, i + 1)
            left = None if longer is None else (longer - digit * 10**i) % self.divisor
            found.append(left if left is not None and left < 10**i else None)
        return tuple(found)

    def completion(self, completions: _Completions, length: int) -> int | None:
        """The least run of ``length`` digits that makes a multiple; one always does where there are as many as the divisor."""
        beyond = length - len(completions) + 1
        if beyond <= 0:
            return completions[length]
        last = completions[-1]
        return None if last is None else last * 10**beyond % self.divisor


def _refuse_too_many_states(multiples: _Multiples, divisor: Fraction, limits: Limits) -> None:
    if multiples.divisor <= limits.divisor_states:
        return  # there are no more states than remainders
    start, _ = multiples.start
    assert start is not None
    seen, waiting = {start}, [start]
    while waiting:
        state = waiting.pop()
        for after in {multiples.after(state, digit) for digit in range(10)} - seen:
            seen.add(after)
            waiting.append(after)
        if len(seen) > limits.divisor_states:
            raise PatternTooLarge(limits.passed("divisor_states", f"multiples of {divisor} are too many to tell apart: use a rounder one"))
