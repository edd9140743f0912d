"""Immutable sets of characters, as sorted ranges of code points, closed under ``|``, ``&`` and ``~``.

Characters are Unicode scalar values: surrogates are never members, since UTF-8 cannot write them. Knows nothing of bytes, nodes and regex
text.

>>> vowels = CharSet.of("aeiou")
>>> (vowels & CharSet.span("a", "h")).ranges
((97, 97), (101, 101))
>>> "b" in ~vowels
True
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator

from rellm_agents.caches import cached_property

MAX_CODE_POINT = 0x10FFFF
_SURROGATES = (0xD800, 0xDFFF)

Range = tuple[int, int]  # first and last code point, both included

COMMON_BYTES = bytes((9, 10, 13, *range(0x20, 0x7F), *range(0x80, 0xC0), *range(0xC2, 0xF1)))
"""Bytes that every byte-level vocabulary can spell; rare ones, such as control characters, may be missing."""
_COMMON_RANGES: tuple[Range, ...] = ((0x20, 0x7E), (0x80, 0x3FFFF), (9, 10), (13, 13))  # characters written in such bytes


class CharSet:
    """A set of characters as sorted, disjoint, non-adjacent ranges of code points.

    Args:
        ranges: pairs ``(first, last)`` of code points, both included, in any order; surrogates among them are dropped.
    """

    __slots__ = ("__dict__", "_hash", "ranges")
    ranges: tuple[Range, ...]

    def __init__(self, ranges: Iterable[Range] = ()) -> None:
        self.ranges = tuple(_without_surrogates(_merged(ranges)))
        self._hash = hash(self.ranges)

    @classmethod
    def of(cls, characters: Iterable[str]) -> CharSet:
        """The set of these characters.

        >>> CharSet.of("cab").ranges
        ((97, 99),)
        """
        return cls((ord(c), ord(c)) for c in characters)

    @classmethod
    def span(cls, first: str, last: str) -> CharSet:
        """All characters from ``first`` to ``last``, both included."""
        return cls([(ord(first), ord(last))])

    def __or__(self, other: CharSet) -> CharSet:
        return CharSet((*self.ranges, *other.ranges))

    def __and__(self, other: CharSet) -> CharSet:
        return CharSet(_overlaps(self.ranges, other.ranges))

    def __invert__(self) -> CharSet:
        return CharSet(_gaps(self.ranges))

    def __bool__(self) -> bool:
        return bool(self.ranges)

    def __len__(self) -> int:
        return sum(last - first + 1 for first, last in self.ranges)

    def __contains__(self, character: str) -> bool:
        at = bisect_right(self.ranges, (ord(character), MAX_CODE_POINT)) - 1
        return at >= 0 and ord(character) <= self.ranges[at][1]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CharSet) and self.ranges == other.ranges

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return "CharSet(" + ", ".join(f"{first:#x}-{last:#x}" for first, last in self.ranges) + ")"

    @cached_property
    def printable_ascii(self) -> str:
        """Its members among the printable ASCII characters, in order."""
        return "".join(chr(i) for first, last in self.ranges for i in range(max(first, 0x20), min(last, 0x7E) + 1))

    @cached_property
    def is_spelled_by_common_bytes(self) -> bool:
        """Some member is written in ``COMMON_BYTES``."""
        return any(first <= end and last >= begin for begin, end in _COMMON_RANGES for first, last in self.ranges)

    def nth(self, index: int) -> str:
        """Its member at ``index``, ``0 <= index < len(self)``, in code point order.

        >>> CharSet.of("xyz").nth(1)
        'y'
        """
        for first, last in self.ranges:
            if index <= last - first:
                return chr(first + index)
            index -= last - first + 1
        raise IndexError("CharSet.nth: index out of range")


def _merged(ranges: Iterable[Range]) -> Iterator[Range]:
    current: Range | None = None
    for first, last in sorted(ranges):
        if not 0 <= first <= last <= MAX_CODE_POINT:
            raise ValueError(f"no range of code points: {first:#x}-{last:#x}")
        if current is None:
            current = (first, last)
        elif first <= current[1] + 1:
            current = (current[0], max(current[1], last))
        else:
            yield current
            current = (first, last)
    if current is not None:
        yield current


def _without_surrogates(ranges: Iterable[Range]) -> Iterator[Range]:
    low, high = _SURROGATES
    for first, last in ranges:
        if last < low or first > high:
            yield first, last
            continue
        if first < low:
            yield first, low - 1
        if last > high:
            yield high + 1, last


def _overlaps(a: tuple[Range, ...], b: tuple[Range, ...]) -> Iterator[Range]:
    i = j = 0
    while i < len(a) and j < len(b):
        first, last = max(a[i][0], b[j][0]), min(a[i][1], b[j][1])
        if first <= last:
            yield first, last
        if a[i][1] < b[j][1]:
            i += 1
        else:
            j += 1


def _gaps(ranges: tuple[Range, ...]) -> Iterator[Range]:
    start = 0
    for first, last in ranges:
        if start < first:
            yield start, first - 1
        start = last + 1
    if start <= MAX_CODE_POINT:
        yield start, MAX_CODE_POINT


ALL_CHARACTERS = ~CharSet()
