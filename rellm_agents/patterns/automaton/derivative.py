"""Derivatives: what may come first in a text of a node without rules, and what must follow it.

``transitions(node, BYTES)`` splits the 256 bytes, ``transitions(node, CHARACTERS)`` the characters, into disjoint sets, each with the node
that the rest of the text must then match (Brzozowski, "Derivatives of regular expressions", 1964; with symbolic sets: Stanford, Veanes and
Bjorner, "Symbolic Boolean derivatives for efficiently solving extended regular expression constraints", 2021). Sets after which no text
follows are left out. Intersection and complement come for free: the derivative of ``a & b`` is the derivative of ``a`` & that of ``b``.

    (ab)*c    {a} -> b(ab)*c    {c} -> ""

Knows no automata: a state of one is just a node.

>>> from rellm_agents.patterns.ir import literal, repeat
>>> [(sorted(members(s)), rest is literal("b")) for s, rest in transitions(literal("ab"), BYTES)]
[([97], True)]
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, TypeVar, cast
from weakref import WeakKeyDictionary

from rellm_agents.patterns.ir import (
    ALL_CHARACTERS,
    ANYTHING,
    EMPTY,
    END,
    MAX_CODE_POINT,
    NOTHING,
    AnyNode,
    Capture,
    Characters,
    CharSet,
    Choice,
    Complement,
    Dfa,
    Intersection,
    Lexeme,
    Literal,
    Node,
    Range,
    Repeat,
    Rule,
    Sequence,
    TransitionFunctions,
    Utf8Tail,
    byte_literal,
    complement,
    dfa,
    directly_inside,
    either,
    followed,
    intersection,
    literal,
    repeat,
    sequence,
    tail,
)

ByteMask = int  # bit b set: byte b is a member
Symbols = TypeVar("Symbols", int, CharSet)
Transitions = list[tuple[Symbols, Node]]

_ALL_BYTES = (1 << END) - 1  # without the delimiters of special tokens, so that no complement holds one


@dataclass(frozen=True)
class Alphabet(Generic[Symbols]):
    """What a text is made of: bytes or characters.

    Attributes:
        everything: the set of all symbols.
        first: the transitions of a node without inner nodes: a literal, a set of characters, a rest of a character.
        of_ascii: the set of some characters of ASCII.
    """

    everything: Symbols
    first: Callable[[Node], Transitions[Symbols]]
    of_ascii: Callable[[str], Symbols]


_DERIVED_AS: WeakKeyDictionary[Node, Node] = WeakKeyDictionary()


def derive_as(node: Node, other: Node) -> None:
    """Let the derivatives of a node be those of another one of the same texts, which take less time; both without rules."""
    _DERIVED_AS[node] = other


def derived_as(node: Node) -> Node | None:
    """The node whose derivatives stand for those of ``node``; ``None``: its own do."""
    return _DERIVED_AS.get(node)


@lru_cache(maxsize=4_096)
def members(mask: ByteMask) -> tuple[int, ...]:
    """The bytes of a mask, in order."""
    found = []
    while mask:
        low = mask & -mask
        found.append(low.bit_length() - 1)
        mask ^= low
    return tuple(found)


@lru_cache(maxsize=1 << 15)
def transitions(node: Node, alphabet: Alphabet[Symbols]) -> Transitions[Symbols]:
    """The derivatives of ``node``, by what may come first.

    Args:
        node: a node without rules.
        alphabet: ``BYTES`` or ``CHARACTERS``.

    Returns:
        Pairs of a set of symbols and the node of the rest; the sets are disjoint, no rest is ``NOTHING``. Shared: not to be changed.
    """
    match cast(AnyNode, _DERIVED_AS.get(node, node)):
        case Literal() | Characters() | Utf8Tail() as node:
            return alphabet.first(node)
        case Dfa(functions, state):
            return _of_moves(functions, state, alphabet)
        case Lexeme(inner):
            return transitions(inner, alphabet)
        case Choice(options):
            return _union(transitions(option, alphabet) for option in options)
        case Sequence(parts):
            return _union(_of_sequence(parts, alphabet))
        case Repeat(inner, minimum, maximum):
            rest = repeat(inner, max(minimum - 1, 0), None if maximum is None else maximum - 1)
            return _followed_by(transitions(inner, alphabet), rest)
        case Intersection(parts):
            found = transitions(parts[0], alphabet)
            for part in parts[1:]:
                found = _collect((both, intersection(a, b)) for s, a in found for t, b in transitions(part, alphabet) if (both := s & t))
            return found
        case Complement(inner):
            return _of_complement(inner, alphabet)
        case Rule() | Capture():
            raise AssertionError("a rule has no derivative: it is expanded before")


def by_bytes(node: Node) -> Transitions[int]:
    """The derivatives of ``node`` by bytes."""
    return transitions(node, BYTES)


def _of_sequence(parts: tuple[Node, ...], alphabet: Alphabet[Symbols]) -> Iterator[Transitions[Symbols]]:
    for i, part in enumerate(parts):
        yield _followed_by(transitions(part, alphabet), sequence(*parts[i + 1 :]))
        if not part.nullable:
            return


def _of_complement(inner: Node, alphabet: Alphabet[Symbols]) -> Transitions[Symbols]:
    outside = alphabet.everything
    found: Transitions[Symbols] = []
    for symbols, rest in transitions(inner, alphabet):
        outside = outside & ~symbols
        found.append((symbols, complement(rest)))
    if outside:
        found.append((outside, ANYTHING))
    return _collect(found)


def _of_moves(functions: TransitionFunctions, state: Hashable, alphabet: Alphabet[Symbols]) -> Transitions[Symbols]:
    lists: list[Transitions[Symbols]] = []
    for first, after in functions.moves(state):
        rest = dfa(functions, after)
        lists.append([(alphabet.of_ascii(first), rest)] if isinstance(first, str) else _followed_by(transitions(first, alphabet), rest))
    return _union(lists)


def _followed_by(found: Transitions[Symbols], rest: Node) -> Transitions[Symbols]:
    return [(symbols, followed(target, rest, by_bytes)) for symbols, target in found]


def _union(lists: Iterable[Transitions[Symbols]]) -> Transitions[Symbols]:
    """The transitions of a choice: overlapping sets are split; in the overlap, either rest may follow."""
    result: Transitions[Symbols] = []
    for added in lists:
        split: Transitions[Symbols] = []
        for symbols, target in added:
            left = symbols
            kept: Transitions[Symbols] = []
            for other, rest in result:
                both = other & left
                if both:
                    split.append((both, either(rest, target, by_bytes)))
                    left = left & ~both
                if outside := other & ~both:
                    kept.append((outside, rest))
            result = kept
            if left:
                split.append((left, target))
        split.extend(result)
        result = _collect(split)
    return result


def _collect(found: Iterable[tuple[Symbols, Node]]) -> Transitions[Symbols]:
    by_target: dict[Node, Any] = {}
    for symbols, target in found:
        if target is not NOTHING:
            by_target[target] = by_target[target] | symbols if target in by_target else symbols
    return [(symbols, target) for target, symbols in by_target.items()]


def _first_character(node: Node) -> Transitions[CharSet]:
    match node:
        case Literal() if not node.has_special:
            return [(CharSet.of(node.text[0]), literal(node.text[1:]))] if node.data else []
        case Characters(charset):
            return [(charset, EMPTY)]
        case _:
            raise AssertionError(f"{node!r} begins inside a character, or holds a special token")


def _first_byte(node: Node) -> Transitions[ByteMask]:
    match node:
        case Literal(data):
            return [(1 << data[0], byte_literal(data[1:]))] if data else []
        case Characters(charset):
            return _lead_bytes(charset)
        case Utf8Tail(ranges, count):
            return _continuation_bytes(ranges, count)
        case _:
            raise AssertionError(f"{node!r} has no first byte of its own")


def _mask(ascii_characters: str) -> ByteMask:
    return sum(1 << byte for byte in ascii_characters.encode("ascii"))


# UTF-8 (RFC 3629): lead byte, payload bits it leaves to continuation bytes, first and last code point.
_LENGTHS = ((0x00, 0, 0x00, 0x7F), (0xC0, 6, 0x80, 0x7FF), (0xE0, 12, 0x800, 0xFFFF), (0xF0, 18, 0x10000, MAX_CODE_POINT))


def _lead_bytes(charset: CharSet) -> Transitions[ByteMask]:
    found: list[tuple[ByteMask, Node]] = []
    for lead, bits, low, high in _LENGTHS:
        ranges = tuple((max(first, low), min(last, high)) for first, last in charset.ranges if first <= high and last >= low)
        found.extend((mask << lead, rest) for mask, rest in _by_leading_bits(ranges, bits))
    return _collect(found)


def _continuation_bytes(ranges: tuple[Range, ...], count: int) -> Transitions[ByteMask]:
    return [(mask << 0x80, rest) for mask, rest in _by_leading_bits(ranges, 6 * (count - 1))]


def _by_leading_bits(ranges: tuple[Range, ...], bits: int) -> Transitions[ByteMask]:
    """Groups numbers by the bits above their lowest ``bits``; the lowest bits follow as continuation bytes."""
    size = 1 << bits
    blocks: dict[int, list[Range]] = {}
    full = 0  # the blocks that are covered completely share one rest
    for first, last in ranges:
        top, end = first >> bits, last >> bits
        for block in range(top, end + 1):
            low = first & (size - 1) if block == top else 0
            high = last & (size - 1) if block == end else size - 1
            if low == 0 and high == size - 1:
                full |= 1 << block
            else:
                blocks.setdefault(block, []).append((low, high))
    found = [(full, tail(((0, size - 1),), bits // 6))] if full else []
    found += [(1 << block, tail(tuple(parts), bits // 6)) for block, parts in blocks.items()]
    return _collect(found)


BYTES: Alphabet[int] = Alphabet(_ALL_BYTES, _first_byte, _mask)
CHARACTERS: Alphabet[CharSet] = Alphabet(ALL_CHARACTERS, _first_character, CharSet.of)

_BEYOND_ASCII = ALL_CHARACTERS & CharSet([(0x80, MAX_CODE_POINT)])
_UTF8_KINDS = (0x80, 0x90, 0xA0, 0xC0, 0xC2, 0xE0, 0xE1, 0xED, 0xEE, 0xF0, 0xF1, 0xF4, 0xF5)  # where bytes of another kind begin


@lru_cache(maxsize=256)
def byte_classes(node: Node) -> tuple[int, ...]:
    """For each byte a number from 0 on, the same for bytes that neither ``node`` nor what is derived of it tells apart.

    Bytes with other numbers may be alike nevertheless.

    >>> found = byte_classes(sequence(Characters._make(CharSet.span("a", "f")), literal("e")))
    >>> found[ord("a")] == found[ord("f")], found[ord("a")] == found[ord("e")]
    (True, False)
    """
    singled, sets = set[int](), set[int]()
    waiting, seen = [node], {node}
    while waiting:
        one = waiting.pop()
        if isinstance(one, Dfa) or one in _DERIVED_AS:
            return tuple(range(256))
        match one:
            case Literal(data):
                singled.update(data)
            case Characters(charset):
                sets.add(sum(1 << byte for byte in range(0x80) if chr(byte) in charset))
                beyond = charset & _BEYOND_ASCII
                if beyond and beyond != _BEYOND_ASCII:
                    singled.update(range(0x80, 0x100))
            case Utf8Tail():
                singled.update(range(0x80, 0x100))
        new = [inner for inner in directly_inside(one) if inner not in seen]
        seen.update(new)
        waiting += new
    numbers: dict[object, int] = {}
    kinds = (bisect_right(_UTF8_KINDS, byte) for byte in range(256))
    keys = (byte if byte in singled else (kind, *(mask >> byte & 1 for mask in sets)) for byte, kind in enumerate(kinds))
    return tuple(numbers.setdefault(key, len(numbers)) for key in keys)
