"""Holds the bounds on the schemas that are compiled, and on the texts that a pattern has for one value.

Without them a model could loop in the digits of a number, and a schema could ask for more work than it is worth. A pattern depends
on them, so they are part of the key of whatever is cached. Not a public option yet.

>>> Limits().whitespace, Limits(whitespace=3) == Limits()
(20, False)
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Upper bounds.

    Attributes:
        nesting: schemas inside of schemas; at the target of a reference the count starts anew.
        references: followed from one to the next, to find the meaning of one schema.
        conditions: that some property of an object has to satisfy, as a negated object leaves them.
        name_classes: into which patterns of names divide the names of an object.
        counted: names or items that are listed, to know how many there can be.
        serializations: of one item that may not come twice.
        whitespace: characters in one run, where whitespace is flexible.
        whole_digits: before the decimal point, where the bounds of the number need no more.
        longest_whole: digits before the decimal point in any case.
        decimal_places: digits after the decimal point.
        exponent: of a number, in both directions. Up to 299, no double overflows or loses digits.
        divisor_states: of the automaton that tells the multiples of a number from other numbers.
    """

    nesting: int = 80
    references: int = 200
    conditions: int = 6
    name_classes: int = 64
    counted: int = 256
    serializations: int = 720
    whitespace: int = 20
    whole_digits: int = 20
    longest_whole: int = 40
    decimal_places: int = 20
    exponent: int = 299
    divisor_states: int = 1_000


DEFAULT_LIMITS = Limits()
