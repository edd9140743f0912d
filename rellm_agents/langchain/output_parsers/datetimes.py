"""A datetime parser in, the texts of its format out: dates that exist, with the zeros that ``strftime`` writes.

Which days a month has depends on its name and the year, wherever these stand: the dates are a choice of four kinds (days 1 to 28 of
any month; 29 and 30 of all but February; 31 of the long months; leap days), each filled into the format. What ``strptime`` reads past
- a weekday, the name of a zone - is refused: a text could say something else than what is read.

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
from rellm_agents.langchain.output_parsers.parser_pattern import ParserPattern, Wishes
from rellm_agents.patterns import Node, choice, literal, read_regex, sequence

Kind = dict[str, Node]  # the texts of each directive

_PARTS = re.compile(r"%(.?)|([^%]+)", re.DOTALL)
_ZONE = re.compile(r"(?:[^%]|%[^z])*%z(.*)", re.DOTALL)
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
# Directives that say the same thing, or nothing beside each other.
_RIVALS = ("Yy", "mbBj", "dj", "HI", "Hp", "M", "S", "f", "z", "p")
_REFUSED = {
    **dict.fromkeys("aAwu", "the weekday is read past: a text could give a wrong one"),
    **dict.fromkeys("UWGV", "weeks are read past, or read with a weekday only"),
    "Z": "the name of a zone is read past: write %z",
    **dict.fromkeys("cxX", "it depends on the locale: write the directives out"),
}
_FOURTH = "0[48]|[2468][048]|[13579][26]"
_YEAR = "[0-9]{3}[1-9]|[0-9]{2}[1-9]0|[0-9][1-9]00|[1-9]000"  # 0001 to 9999
_LEAP = {"Y": f"[0-9]{{2}}(?:{_FOURTH})|(?:{_FOURTH})00", "y": f"{_FOURTH}|00"}  # two digits stand for 1969 to 2068


def datetime_texts(parser: Any, wishes: Wishes) -> ParserPattern:  # noqa: ARG001 - as all of the table
    """The texts of the format of a ``DatetimeOutputParser``; see :func:`date_texts`."""
    return ParserPattern(date_texts(parser.format))


def date_texts(date_format: str) -> Node:
    """The texts that ``strptime`` reads by a format, and that say what is read.

    Args:
        date_format: directives of ``strptime``: ``%Y %y %m %b %B %d %j %H %I %p %M %S %f %z %%``. Names are those of the locale.

    Raises:
        ParserError: another directive, two that say the same, or space at an end, which the parser strips.
    """
    _check(date_format)
    parts = [(found[1], found[2]) for found in _PARTS.finditer(date_format)]
    used = {directive for directive, _ in parts if directive}

    def filled(kind: Kind) -> Node:
        return sequence(*(kind[directive] if text is None else literal(text) for directive, text in parts))

    return choice(*(filled(kind) for kind in _kinds(used)))


def _check(date_format: str) -> None:
    def fail(reason: str) -> None:
        raise ParserError(f"the format {date_format!r}: {reason}")

    if date_format != date_format.strip():
        fail("the parser strips a text, so that it cannot begin or end with space")
    directives = [found[1] for found in _PARTS.finditer(date_format) if found[2] is None]
    for directive in directives:
        if directive in _REFUSED:
            fail(f"%{directive}: {_REFUSED[directive]}")
        if directive not in {*_CLOCK, *"YymbBdjp%"}:
            fail(f"%{directive} is no directive that strptime reads everywhere")
    for rivals in _RIVALS:
        met = [directive for directive in directives if directive in rivals]
        if len(met) > 1:
            fail(f"%{met[0]} and %{met[1]} say the same, and could contradict each other: keep one of them")
    if "p" in directives and "I" not in directives:
        fail("%p is read with %I only")
    zone = _ZONE.match(date_format)
    if zone and any(re.match("[0-9:]", text) for text in _beginnings(zone[1])):
        fail("strptime takes digits and colons behind %z for seconds of the zone: write something else between, such as a space")


def _beginnings(parts: str) -> list[str]:
    """What the text of a part of a format, or what follows it, can begin with."""
    match parts[:2]:
        case "%b" | "%B":
            return [*calendar.month_abbr[1:], *calendar.month_name[1:]]
        case "%p" | "%%" | "":
            return []
    return ["0" if parts[0] == "%" else parts[0]]


def _kinds(used: set[str]) -> Iterator[Kind]:
    """Ways to fill the directives in, together all dates: of those, that name a month, a day and a year, which fit each other."""
    year = "Y" if "Y" in used else "y"
    any_year = {"Y": read_regex(_YEAR), "y": read_regex("[0-9]{2}")}
    leap_year = {"Y": read_regex(_LEAP["Y"]), "y": read_regex(_LEAP["y"])}
    clock = {name: read_regex(text) for name, text in _CLOCK.items()} | {"%": literal("%"), "p": _half_days()}
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
        yield always | {"d": _numbers(range(29, 32))}  # of January, which strptime takes then
        return
    yield always | _months(_ALL_BUT_FEBRUARY) | {"d": _numbers((29, 30))}
    yield always | _months(_LONG) | {"d": literal("31")}
    if year in used:  # without a year it is 1900, which had no leap day
        yield clock | leap_year | _months((2,)) | {"d": literal("29")}


def _months(numbers: Iterable[int]) -> Kind:
    numbers = tuple(numbers)
    return {
        "m": _numbers(numbers),
        "b": choice(*(literal(calendar.month_abbr[number]) for number in numbers)),
        "B": choice(*(literal(calendar.month_name[number]) for number in numbers)),
    }


def _numbers(numbers: Iterable[int], digits: int = 2) -> Node:
    return choice(*(literal(f"{number:0{digits}}") for number in numbers))


def _half_days() -> Node:
    return choice(*(literal(datetime(2000, 1, 1, hour).strftime("%p")) for hour in (0, 12)))  # noqa: DTZ001 - for its hour alone
