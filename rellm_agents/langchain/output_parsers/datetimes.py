"""Compiles datetime parsers to the dates of their format: only dates that exist, with the leading zeros that ``strftime`` writes.

The number of days depends on the month and the year, which may stand anywhere in the format. So the texts are a union of four groups, each
filled into the format: days 1 to 28 of any month; days 29 and 30 of all months but February; day 31 of the long months; leap days.
Directives that ``strptime`` ignores - weekdays, names of zones - are refused: a text could contradict the date that is read.

>>> from rellm_agents.patterns import Pattern
>>> days = Pattern(date_texts("%d %b %Y, %H:%M"))
>>> [days.fullmatch(text) for text in ("29 Feb 2024, 23:59", "29 Feb 2023, 10:00", "31 Apr 2024, 10:00", "1 May 2024, 10:00")]
[True, False, False, False]
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from rellm_agents.errors import ParserError
from rellm_agents.langchain.output_parsers.parser_pattern import ParserOptions, ParserPattern
from rellm_agents.patterns import Node, choice, literal, read_regex, sequence

DirectiveTexts = dict[str, Node]  # by the letter of the directive

_DIRECTIVES = re.compile(r"%(.?)|([^%]+)", re.DOTALL)
_BEFORE_ZONE_END = re.compile(r"(?:[^%]|%[^z])*%z(.*)", re.DOTALL)
_LONG = (1, 3, 5, 7, 8, 10, 12)
_MONTHS, _ALL_BUT_FEBRUARY = range(1, 13), (1, *range(3, 13))

_CLOCK = {
    "H": "[01][0-9]|2[0-3]",
    "I": "0[1-9]|1[0-2]",
    "M": "[0-5][0-9]",
    "S": "[0-5][0-9]",
    "f": "[0-9]{6}",
    "z": "[+](?:[01][0-9]|2[0-3])[0-5][0-9]|-(?:(?:[01][0-9]|2[0-3])(?:[0-5][1-9]|[1-5]0)|(?:0[1-9]|1[0-9]|2[0-3])00)",  # not -0000
}
# Directives that mean the same thing: at most one of each group may occur, once.
_CONFLICTS = ("Yy", "mbBj", "dj", "HI", "Hp", "M", "S", "f", "z", "p")
_REFUSED = {
    **dict.fromkeys("aAwu", "strptime ignores the weekday: a text could name a wrong one"),
    **dict.fromkeys("UWGV", "strptime ignores weeks, or reads them with a weekday only"),
    "Z": "strptime ignores the name of a zone: write %z",
    **dict.fromkeys("cxX", "it depends on the locale: write the directives out"),
}
_LEAP_YEARS = "0[48]|[2468][048]|[13579][26]"
_YEAR = "[0-9]{3}[1-9]|[0-9]{2}[1-9]0|[0-9][1-9]00|[1-9]000"  # 0001 to 9999
_LEAP = {"Y": f"[0-9]{{2}}(?:{_LEAP_YEARS})|(?:{_LEAP_YEARS})00", "y": f"{_LEAP_YEARS}|00"}  # two digits stand for 1969 to 2068


def datetime_texts(parser: Any, _: ParserOptions) -> ParserPattern:
    """The texts of the format of a ``DatetimeOutputParser``; see :func:`date_texts`."""
    return ParserPattern(date_texts(parser.format))


def date_texts(date_format: str) -> Node:
    """The texts of a format that ``strptime`` reads, and that mean just the date that is read.

    Args:
        date_format: directives of ``strptime``: ``%Y %y %m %b %B %d %j %H %I %p %M %S %f %z %%``. Names are those of the locale.

    Raises:
        ParserError: another directive, two that mean the same, or whitespace at an end of the format, which the parser strips.
    """
    _check(date_format)
    parts = [(found[1], found[2]) for found in _DIRECTIVES.finditer(date_format)]
    used = {directive for directive, _ in parts if directive}

    def filled(texts: DirectiveTexts) -> Node:
        return sequence(*(texts[directive] if text is None else literal(text) for directive, text in parts))

    return choice(*(filled(texts) for texts in _day_groups(used)))


def _check(date_format: str) -> None:
    def fail(reason: str) -> None:
        raise ParserError(f"the format {date_format!r}: {reason}")

    if date_format != date_format.strip():
        fail("the parser strips a text, so that it cannot begin or end with space")
    directives = [found[1] for found in _DIRECTIVES.finditer(date_format) if found[2] is None]
    for directive in directives:
        if directive in _REFUSED:
            fail(f"%{directive}: {_REFUSED[directive]}")
        if directive not in {*_CLOCK, *"YymbBdjp%"}:
            fail(f"%{directive} is no directive that strptime reads everywhere")
    for conflicting in _CONFLICTS:
        present = [directive for directive in directives if directive in conflicting]
        if len(present) > 1:
            fail(f"%{present[0]} and %{present[1]} mean the same, and could contradict each other: keep one of them")
    if "p" in directives and "I" not in directives:
        fail("%p is read with %I only")
    zone = _BEFORE_ZONE_END.match(date_format)
    if zone and any(re.match("[0-9:]", text) for text in _first_texts(zone[1])):
        fail("strptime reads digits and colons after %z as seconds of the zone: write something else between, such as a space")


def _first_texts(parts: str) -> list[str]:
    """Texts that the rest of a format, after ``%z``, can begin with: the first characters decide."""
    match parts[:2]:
        case "%b" | "%B":
            return [*calendar.month_abbr[1:], *calendar.month_name[1:]]
        case "%p" | "%%" | "":
            return []
    return ["0" if parts[0] == "%" else parts[0]]


def _day_groups(used: set[str]) -> Iterator[DirectiveTexts]:
    """The groups of dates, each as texts for the directives: within a group, any day fits any month and any year."""
    year = "Y" if "Y" in used else "y"
    any_year = {"Y": read_regex(_YEAR), "y": read_regex("[0-9]{2}")}
    leap_year = {"Y": read_regex(_LEAP["Y"]), "y": read_regex(_LEAP["y"])}
    clock = {name: read_regex(text) for name, text in _CLOCK.items()} | {"%": literal("%"), "p": _am_pm()}
    always = clock | any_year
    if "j" in used:
        yield always | {"j": _numbers(range(1, 366), 3)}
        if year in used:
            yield clock | leap_year | {"j": literal("366")}
        return
    if "d" not in used:
        yield always | _months(_MONTHS)
        return
    yield always | _months(_MONTHS) | {"d": _numbers(range(1, 29))}
    if not used & set("mbB"):
        yield always | {"d": _numbers(range(29, 32))}  # of January, the month that strptime assumes
        return
    yield always | _months(_ALL_BUT_FEBRUARY) | {"d": _numbers((29, 30))}
    yield always | _months(_LONG) | {"d": literal("31")}
    if year in used:  # without a year strptime assumes 1900, which had no leap day
        yield clock | leap_year | _months((2,)) | {"d": literal("29")}


def _months(numbers: Iterable[int]) -> DirectiveTexts:
    numbers = tuple(numbers)
    return {
        "m": _numbers(numbers),
        "b": choice(*(literal(calendar.month_abbr[number]) for number in numbers)),
        "B": choice(*(literal(calendar.month_name[number]) for number in numbers)),
    }


def _numbers(numbers: Iterable[int], digits: int = 2) -> Node:
    return choice(*(literal(f"{number:0{digits}}") for number in numbers))


def _am_pm() -> Node:
    return choice(*(literal(datetime(2000, 1, 1, hour).strftime("%p")) for hour in (0, 12)))  # noqa: DTZ001 - only its hour is used
