"""Reads JSON values strictly: a value is of the wanted type or refused with its place, and no field passes that nobody reads.

A reader is a function of a value and its place in the request. Knows nothing of what the fields mean.

>>> point = record({"x": integer(0, 9), "name": text}, required=("x",))
>>> point({"x": 5, "name": None}, "points[0]")
{'x': 5}
>>> point({"x": "5"}, "points[0]")
Traceback (most recent call last):
rellm_agents.serving.server.refusals.Refusal: points[0].x: an integer from 0 to 9, not the string '5'
>>> point({"x": 5, "nam": 1}, "points[0]")
Traceback (most recent call last):
rellm_agents.serving.server.refusals.Refusal: points[0].nam: there is no such field here (did you mean 'name'?), only x, name
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Collection, Mapping
from typing import Any, NoReturn

from rellm_agents.serving.server.refusals import Refusal

Reader = Callable[[Any, str], Any]

_SHOWN = 40  # characters of a wrong value


def refuse(place: str, reason: str, code: str = "invalid_value") -> NoReturn:
    """Refuse the value at a place.

    Raises:
        Refusal: always.
    """
    raise Refusal(f"{place}: {reason}", param=place, code=code)


def text(value: Any, place: str) -> str:
    """A string."""
    return value if isinstance(value, str) else wrong(place, value, "a string")


def flag(value: Any, place: str) -> bool:
    """A boolean."""
    return value if isinstance(value, bool) else wrong(place, value, "true or false")


def number(value: Any, place: str) -> float:
    """A number that a double can hold."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        wrong(place, value, "a number")
    try:
        found = float(value)
    except OverflowError:
        found = math.inf
    return found if math.isfinite(found) else refuse(place, "a number that a double can hold")


def any_object(value: Any, place: str) -> dict[str, Any]:
    """An object with any fields."""
    return value if isinstance(value, dict) else wrong(place, value, "an object")


def integer(least: int, most: int) -> Reader:
    """Integers in a range."""

    def read(value: Any, place: str) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            wrong(place, value, f"an integer from {least} to {most}")
        return value if least <= value <= most else refuse(place, f"an integer from {least} to {most}, not {_beginning(str(value))}")

    return read


def one_of(*words: str) -> Reader:
    """One of a few strings."""
    told = " or ".join(f'"{word}"' for word in words)

    def read(value: Any, place: str) -> str:
        return value if isinstance(value, str) and value in words else wrong(place, value, told)

    return read


def just(reason: str, *, value: Any) -> Reader:
    """One value, and no other."""

    def read(given: Any, place: str) -> Any:
        return given if given == value and isinstance(given, type(value)) else refuse(place, reason, "unsupported_value")

    return read


def refused(reason: str) -> Reader:
    """Nothing: a field that is not supported."""

    def read(_: Any, place: str) -> NoReturn:
        refuse(place, f"is not supported: {reason}", "unsupported_field")

    return read


def list_of(reader: Reader, *, least: int = 0, most: int) -> Reader:
    """Lists of some length."""

    def read(value: Any, place: str) -> list[Any]:
        if not isinstance(value, list):
            wrong(place, value, "a list")
        if not least <= len(value) <= most:
            refuse(place, f"a list of {least} to {most} items, not of {len(value)}")
        return [reader(one, f"{place}[{index}]") for index, one in enumerate(value)]

    return read


def mapping_of(reader: Reader) -> Reader:
    """Objects with any names of fields, and values of one kind."""

    def read(value: Any, place: str) -> dict[str, Any]:
        return {name: reader(one, f"{place}.{name}") for name, one in any_object(value, place).items()}

    return read


def text_or(other: Reader) -> Reader:
    """A string, or what another reader reads."""

    def read(value: Any, place: str) -> Any:
        return value if isinstance(value, str) else other(value, place)

    return read


def record(fields: Mapping[str, Reader], *, required: Collection[str] = ()) -> Reader:
    """Objects with certain fields; ``null`` is a field that is not given."""

    def read(value: Any, place: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            wrong(place or "the body", value, "an object")
        before = f"{place}." if place else ""
        found = {}
        for name, one in value.items():
            if name not in fields:
                refuse(
                    f"{before}{_beginning(name)}",
                    f"there is no such field here{_near(name, fields)}, only {', '.join(fields)}",
                    "unknown_field",
                )
            if one is not None:
                found[name] = fields[name](one, f"{before}{name}")
        for name in required:
            if name not in found:
                refuse(f"{before}{name}", "is required", "missing_field")
        return found

    return read


def by_word(name: str, readers: Mapping[str, Reader]) -> Reader:
    """Objects that one of their fields tells apart, such as ``type``."""
    word = one_of(*readers)

    def read(value: Any, place: str) -> dict[str, Any]:
        given = any_object(value, place)
        if name not in given:
            refuse(f"{place}.{name}", "is required", "missing_field")
        found: dict[str, Any] = readers[word(given[name], f"{place}.{name}")](given, place)
        return found

    return read


def wrong(place: str, value: Any, wanted: str) -> NoReturn:
    """Refuse a value of another type than is wanted."""
    match value:
        case None:
            shown = "null"
        case bool():
            shown = str(value).lower()
        case str():
            shown = f"the string {_beginning(value)!r}"
        case int() | float():
            shown = f"the number {_beginning(str(value))}"
        case _:
            shown = "an object" if isinstance(value, dict) else "a list"
    refuse(place, f"{wanted}, not {shown}", "invalid_type")


def _near(name: str, fields: Collection[str]) -> str:
    near = difflib.get_close_matches(name[:_SHOWN], fields, n=1, cutoff=0.7)
    return f" (did you mean {near[0]!r}?)" if near else ""


def _beginning(value: str) -> str:
    return value if len(value) <= _SHOWN else f"{value[:_SHOWN]}..."
