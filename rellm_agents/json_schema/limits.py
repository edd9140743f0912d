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
        different: texts of items that are listed, where none may come twice, to know how many there are; more, if more have to come.
        different_items: that have to come in a list where none may come twice, if there may be fewer.
        whitespace: characters in one run, where whitespace is flexible.
        whole_digits: before the decimal point. No double has more than 309, and all with 308 are finite.
        decimal_places: digits after the decimal point. The least double has 324 places, 323 of them zeros.
        scaled_digits: before the decimal point of a number with an exponent; and zeros right behind it.
        multiple_digits: the same, of a multiple of some number; all its digits but zeros at the beginning, and at the end behind the point.
        greatest_exponent: of a number. That of the greatest double is 308.
        least_exponent: of a number. Below -324 a number is read as 0.
        exponent_zeros: before the first digit of an exponent.
        divisor_states: of the automaton that tells the multiples of a number from other numbers.
        scaled_states: the same, where they are written with an exponent; digits are left out that need more.
    """

    nesting: int = 80
    references: int = 200
    conditions: int = 6
    name_classes: int = 64
    counted: int = 256
    serializations: int = 720
    different: int = 2_048
    different_items: int = 100_000
    whitespace: int = 20
    whole_digits: int = 308
    decimal_places: int = 340
    scaled_digits: int = 20
    multiple_digits: int = 12
    greatest_exponent: int = 308
    least_exponent: int = -400
    exponent_zeros: int = 20
    divisor_states: int = 1_000
    scaled_states: int = 400


DEFAULT_LIMITS = Limits()
