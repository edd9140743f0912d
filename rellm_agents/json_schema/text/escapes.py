r"""Describes how JSON text writes one character of a string: as it is, by a short escape, by its number in hex digits of either case.

    é    é  \u00e9  \u00E9        /    /  \/  \u002f  \u002F
    "    \"  \u0022               😀   😀  \ud83d\ude00  \uD83D\uDE00  ...

No text of a character is one of another character, and none begins with another text: they are a prefix code. So is the hex of
characters beyond U+FFFF, which is a pair of surrogates (RFC 8259, section 7); a surrogate alone is no character and is never written.
Knows nothing of strings.

>>> from rellm_agents.patterns import Pattern
>>> slash = Pattern(character_texts(CharSet.of("/")))
>>> [slash.fullmatch(text) for text in ("/", r"\/", r"\u002F", r"\u002e")]
[True, True, True, False]
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

from rellm_agents.patterns import CharSet, Node, characters, choice, literal, repeat, sequence
from rellm_agents.patterns.ir import EMPTY, Range

Escapes = Literal["json", "common"]
r"""Which escapes are written: all that JSON reads; or those that Python and YAML read as JSON does, which are neither ``\/`` nor pairs of
surrogates."""

SHORT_ESCAPES = {"\b": "b", "\t": "t", "\n": "n", "\f": "f", "\r": "r", '"': '"', "\\": "\\"}  # RFC 8259, section 7
ALWAYS_ESCAPED = CharSet([(0, 0x1F)]) | CharSet.of('"\\')
IN_ESCAPES = CharSet.of("0123456789abcdefABCDEFnrtu/")
"""The characters in escapes, but for quotes and backslashes."""

_BASIC = CharSet([(0, 0xFFFF)])
_NO_CHARACTER = CharSet()
_HIGH, _LOW = 0xD800, 0xDC00  # the first of the surrogates that begin a pair, and of those that end one
_BEYOND_COMMON = re.compile(r"(?:[^\\]|\\[^/u]|\\u(?![dD][89a-fA-F]))*+.", re.DOTALL)

_Ranges = tuple[Range, ...]
_Digits = tuple[str, ...]  # how each of the 16 is written
_LOWER: _Digits = tuple("0123456789abcdef")
_EITHER: _Digits = tuple(f"{digit}{digit.upper()}" for digit in _LOWER)
_ALL = tuple(range(16))


@lru_cache(maxsize=4_096)
def character_texts(charset: CharSet, escapes: Escapes = "json", *, unique: bool = False, escaped: CharSet = _NO_CHARACTER) -> Node:
    r"""The texts of one character of a set.

    Args:
        charset: the set.
        escapes: which are written.
        unique: each character has one text: an escape, a short one if there is, only where it is needed.
        escaped: characters that are not written as they are, beside those that JSON never does.

    >>> character_texts(CharSet.of('"a'), unique=True) is choice(literal("a"), literal(r'\"'))
    True
    """
    hidden = ALWAYS_ESCAPED | escaped
    letters = [letter for c, letter in SHORT_ESCAPES.items() if c in charset]
    if unique:
        number = _number(charset & hidden & ~CharSet.of(SHORT_ESCAPES), _LOWER)
    elif escapes == "common":
        number = _number(charset & _BASIC, _EITHER)
    else:
        letters += ["/"] if "/" in charset else []
        number = _number(charset, _EITHER)
    return choice(characters(charset & ~hidden), sequence(literal("\\"), choice(characters(CharSet.of(letters)), number)))


def is_common(text: str) -> bool:
    r"""Whether a JSON string holds no escapes that Python and YAML read otherwise.

    >>> is_common(r'"\u00e9\\/"'), is_common(r'"\/"'), is_common(r'"\ud83d\ude00"')
    (True, False, False)
    """
    return _BEYOND_COMMON.match(text) is None


def _number(charset: CharSet, digits: _Digits) -> Node:
    """The letter of an escape by number, and the number."""
    pairs: dict[_Ranges, list[Range]] = {}  # the low surrogates, and the high ones that stand before just these
    for high, lows in _pairs((charset & ~_BASIC).ranges):
        pairs.setdefault(lows, []).append(high)
    numbers = [((charset & _BASIC).ranges, EMPTY)]
    numbers += [(tuple(highs), sequence(literal("\\u"), _hex(((lows, EMPTY),), 4, digits))) for lows, highs in pairs.items()]
    return sequence(literal("u"), _hex(tuple(numbers), 4, digits))


def _pairs(ranges: _Ranges) -> list[tuple[Range, _Ranges]]:
    """The surrogates of characters beyond U+FFFF: ranges of high ones, each with the low ones that may follow."""
    whole = ((_LOW, _LOW + 0x3FF),)
    found: list[tuple[Range, _Ranges]] = []
    parts: dict[int, list[Range]] = {}
    for first, last in ranges:
        top, end = (first - 0x10000) >> 10, (last - 0x10000) >> 10
        low, high = _LOW + (first & 0x3FF), _LOW + (last & 0x3FF)
        if top == end:
            parts.setdefault(top, []).append((low, high))
            continue
        if low > _LOW:
            parts.setdefault(top, []).append((low, _LOW + 0x3FF))
            top += 1
        if high < _LOW + 0x3FF:
            parts.setdefault(end, []).append((_LOW, high))
            end -= 1
        if top <= end:
            found.append(((_HIGH + top, _HIGH + end), whole))
    return [*found, *(((_HIGH + one, _HIGH + one), tuple(lows)) for one, lows in sorted(parts.items()))]


def _hex(numbers: tuple[tuple[_Ranges, Node], ...], count: int, digits: _Digits) -> Node:
    """Numbers in hex, each of so many digits: first digits, each set of them with the numbers that it leaves.

    Args:
        numbers: ranges that do not overlap, and what follows the numbers in them.
        count: of digits.
        digits: how they are written.

    >>> _hex(((((0x20, 0x2F),), EMPTY),), 2, _LOWER) is sequence(literal("2"), characters(CharSet.of("0123456789abcdef")))
    True
    """
    if not count:
        ((_, then),) = numbers
        return then
    size = 16 ** (count - 1)
    firsts: dict[tuple[tuple[_Ranges, Node], ...], tuple[int, ...]] = {}
    for i in range(16):
        left = tuple((rest, then) for ranges, then in numbers if (rest := _within(ranges, i * size, size)))
        if left:
            firsts[left] = (*firsts.get(left, ()), i)
    options = []
    for left, first in firsts.items():
        is_any = left[0][0] == ((0, size - 1),)
        others = sequence(repeat(_digit(_ALL, digits), count - 1, count - 1), left[0][1]) if is_any else _hex(left, count - 1, digits)
        options.append(sequence(_digit(first, digits), others))
    return choice(*options)


@lru_cache(maxsize=1_024)
def _digit(values: tuple[int, ...], digits: _Digits) -> Node:
    """A digit of one of these values."""
    return characters(CharSet.of("".join(digits[value] for value in values)))


def _within(ranges: _Ranges, low: int, size: int) -> _Ranges:
    """The numbers in some ranges from ``low`` on, less that; ``size`` of them at most."""
    return tuple((max(first, low) - low, min(last, low + size - 1) - low) for first, last in ranges if first < low + size and last >= low)
