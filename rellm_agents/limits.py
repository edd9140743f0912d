"""Bounds on the work that a schema or a regex may ask for, and on the texts that a pattern has for one value.

Without them a model could loop in the digits of a number, and a few lines of a schema could ask for hours of work. They count work, and
never seconds, so the same schema is always taken or always refused. What passes one is refused when it is compiled, and the error names the
limit, so that it can be lifted:

    compile_schema(schema, limits=Limits(options=5_000))

A pattern depends on its limits, so they are part of the key of whatever is cached. This module knows neither schemas nor patterns.

>>> Limits().whitespace, Limits(whitespace=3) == Limits()
(20, False)
>>> Limits(options=2).refusal("options", 3, "write fewer")
'options of one union: 3, and Limits(options=2) is the limit: write fewer, or lift the limit with limits=Limits(options=3)'
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
        expansions: subschemas that are written out to tell the options of ``oneOf``, ``not`` and ``allOf`` apart, each as often as a
            reference leads to it.
        one_of: ``oneOf`` inside of each other, as references lead from one to the next.
        options: of one union, as the normal form leaves it: ``allOf`` of unions multiplies them.
        least_properties: that an object must have at least, beside those that are required.
        undeclared_properties: that an object must have at least, in a list in which no item may come twice: all orders are one object.
        least_items: that an array must have at least.
        least_contained: items of an array that must satisfy ``contains`` at least.
        least_characters: that a string must have at least.
        regex_characters: of the text of a regex, or of all patterns of one string.
        patterns: that one string, or the text of a regex, has to match or to avoid at the same time, lookarounds among them.
        groups: of a regex, inside each other.
        repeats: that a regex may count.
        calls: of groups of a regex that do not call themselves, written out.
        lookaround_states: of the automaton of a regex with lookaround inside of repeats; it is made of as many states, repeats written out,
            and in as many steps as is in proportion.
        routes: of an array, to have enough items that satisfy ``contains`` or are different.
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
    expansions: int = 10_000
    one_of: int = 8
    options: int = 1_000
    least_properties: int = 256
    undeclared_properties: int = 6
    least_items: int = 1_000_000
    least_contained: int = 1_000
    least_characters: int = 10_000_000
    regex_characters: int = 1_000_000
    patterns: int = 8
    groups: int = 40
    repeats: int = 20_000
    calls: int = 200
    lookaround_states: int = 250
    routes: int = 20_000

    def passed(self, name: str, advice: str) -> str:
        """Why more is refused than a limit allows, where it is not known how much more is asked for.

        Args:
            name: of the limit.
            advice: what to do instead.

        >>> Limits(calls=3).passed("calls", "call fewer")[41:]
        'more than 3, and Limits(calls=3) is the limit: call fewer, or lift the limit with limits=Limits(calls=6)'
        """
        limit = getattr(self, name)
        is_limit = f"{_MEANINGS[name]}: more than {limit}, and Limits({name}={limit}) is the limit"
        return f"{is_limit}: {advice}, or lift the limit with limits=Limits({name}={2 * limit})"

    def refusal(self, name: str, value: int, advice: str) -> str | None:
        """Why so much is refused; ``None``: it is within the limit.

        Args:
            name: of the limit.
            value: what a schema or regex asks for.
            advice: what to do instead.
        """
        limit = getattr(self, name)
        if value <= limit:
            return None
        is_limit = f"{_MEANINGS[name]}: {value}, and Limits({name}={limit}) is the limit"
        return f"{is_limit}: {advice}, or lift the limit with limits=Limits({name}={value})"


_MEANINGS = {
    "expansions": "subschemas written out to tell options apart",
    "one_of": '"oneOf" inside of each other',
    "options": "options of one union",
    "least_properties": "properties that an object must have",
    "undeclared_properties": "properties that are not declared and that an object in a list without repetitions must have",
    "least_items": "items that an array must have",
    "least_contained": 'items that must satisfy "contains"',
    "least_characters": "characters that a string must have",
    "regex_characters": "characters of a regex",
    "patterns": "patterns or lookarounds that hold at the same time",
    "nesting": "schemas inside of each other",
    "references": "references that lead from one to the next",
    "conditions": "conditions that some property has to meet",
    "name_classes": "ways in which patterns of names overlap",
    "different_items": "different items that have to come, where it is not known whether there are so many",
    "whole_digits": "digits before the decimal point, of the least of these numbers",
    "divisor_states": "states of the automaton of multiples",
    "groups": "groups of a regex inside of each other",
    "repeats": "repeats in a regex",
    "calls": "calls of groups of a regex, written out",
    "lookaround_states": "states of a regex with lookaround",
    "routes": "ways to have enough items",
}


DEFAULT_LIMITS = Limits()
