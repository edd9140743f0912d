"""Bounds on the length of a node's texts, and witnesses, found without making the states of intersections.

A regex with bounds on the length of its texts has a state for each length, and of each it must be known whether it leads to the end. A
shortest text of the regex alone, found once for all lengths, is a witness for most of them (it lies in the other parts of the
intersection, too), and its length is an admissible bound that guides the search for the rest. :func:`relaxed` drops the length bounds: what
is empty without them is empty with them. Knows no automata.

    [a-c]+:[a-c]+ of 2 to 2,000 characters: "a:a" is a witness      of 9 to 2,000: none found, but at least 9 bytes

>>> from rellm_agents.patterns.regex_reader import read_regex
>>> from rellm_agents.patterns.ir import CHARACTER, intersection, repeat
>>> witness(intersection(read_regex("[a-c]+:[a-c]+"), repeat(CHARACTER, 2, 2_000)))
b'a:a'
>>> longer = intersection(read_regex("[a-c]+:[a-c]+"), repeat(CHARACTER, 9, 2_000))
>>> witness(longer) is None, min_bytes(longer)  # there is one, though
(True, 9)
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from functools import lru_cache

from rellm_agents.patterns.automaton.derivative import BYTES, transitions
from rellm_agents.patterns.ir import (
    EMPTY,
    Characters,
    Choice,
    Complement,
    Dfa,
    Intersection,
    Lexeme,
    Literal,
    Node,
    Repeat,
    Sequence,
    Utf8Tail,
    choice,
    intersection,
    repeat,
    sequence,
)

ALL_BYTES = (1 << 256) - 1  # a set of bytes as in ``derivative``
MAX_SEARCHED = 1_000  # derivatives of a node without inner nodes in which its shortest text is looked for
MAX_CACHED = 1 << 13  # entries of each memo, the least recently used dropped
INFINITE = 1 << 60
LARGE = 16  # iterations from which on a repeat in an intersection is a bound that a relaxation drops


@lru_cache(maxsize=MAX_CACHED)
def witness(node: Node, allowed: int = ALL_BYTES) -> bytes | None:
    """A shortest text of a node, among equals the one of lowest bytes.

    Args:
        node: without rules.
        allowed: the bytes that the text may hold; if these are not all bytes, the text need not be a shortest one.

    Returns:
        The text; ``None`` if none was found, though there may be texts.
    """
    match node:
        case Lexeme(inner):
            return witness(inner, allowed)
        case Sequence(parts):
            return _concatenated(witness(part, allowed) for part in parts)
        case Choice(options):
            texts = [witness(option, allowed) for option in options]
            found = [text for text in texts if text is not None]
            is_sure = len(found) == len(texts) or allowed != ALL_BYTES
            return min(found, key=lambda text: (len(text), text), default=None) if is_sure else None
        case Repeat(inner, minimum, _):
            once = witness(inner, allowed) if minimum else b""
            return None if once is None else once * minimum
        case Intersection(parts):  # no text of it is shorter than the shortest of a part
            pairs = ((part, witness(part, allowed)) for part in parts)
            return next((t for one, t in pairs if t is not None and all(other is one or matches(other, t) for other in parts)), None)
        case Complement():
            return None
        case Dfa(functions, state) if (extent := functions.extent(state)) is not None:
            return witness(extent.shortest, allowed)
    return _searched(node, allowed)


def has_witness(node: Node, allowed: int) -> bool:
    """Whether a witness is found: for a choice, of any of its options."""
    return any(witness(one, allowed) is not None for one in (node.options if isinstance(node, Choice) else (node,)))


@lru_cache(maxsize=MAX_CACHED)
def min_bytes(node: Node, allowed: int = ALL_BYTES) -> int:
    """A lower bound on the length in bytes of the texts that hold allowed bytes only; ``INFINITE`` if there is no text at all."""
    match node:
        case Lexeme(inner):
            return min_bytes(inner, allowed)
        case Sequence(parts):
            return min(sum(min_bytes(part, allowed) for part in parts), INFINITE)
        case Choice(options):
            return min((min_bytes(option, allowed) for option in options), default=INFINITE)
        case Repeat(inner, minimum, _):
            return min(min_bytes(inner, allowed) * minimum, INFINITE) if minimum else 0
        case Intersection(parts):
            least, most = max(min_bytes(part, allowed) for part in parts), min(map(max_bytes, parts))
            return least if least <= most else INFINITE
        case Complement():
            return 0
        case Dfa(functions, state) if (extent := functions.extent(state)) is not None:
            return extent.fewest
    return len(_searched(node, allowed) or b"")


@lru_cache(maxsize=MAX_CACHED)
def max_bytes(node: Node) -> int:
    """An upper bound on the length in bytes of the texts of a node without rules; ``INFINITE`` if there is none."""
    match node:
        case Literal(data):
            return len(data)
        case Characters(charset):
            return len(chr(charset.ranges[-1][1]).encode()) if charset else 0
        case Utf8Tail(_, count):
            return count
        case Lexeme(inner):
            return max_bytes(inner)
        case Sequence(parts):
            return min(sum(map(max_bytes, parts)), INFINITE)
        case Choice(options):
            return max(map(max_bytes, options), default=0)
        case Repeat(inner, _, maximum):
            most = max_bytes(inner)
            return 0 if not most else INFINITE if maximum is None else min(most * maximum, INFINITE)
        case Intersection(parts):
            return min(map(max_bytes, parts))
        case Dfa(functions, state) if (extent := functions.extent(state)) is not None and extent.most is not None:
            return extent.most
    return INFINITE


@lru_cache(maxsize=MAX_CACHED)
def relaxed(node: Node) -> Node:
    """A superset of a node with fewer states: large repeats in its intersections, which bound the length, are dropped or lose their bound.

    >>> from rellm_agents.patterns.ir import CHARACTER, intersection, literal, repeat
    >>> relaxed(intersection(literal("a"), literal("b"), repeat(CHARACTER, 0, 99))) is intersection(literal("a"), literal("b"))
    True
    """
    if not node.has_boolean:
        return node
    match node:
        case Lexeme(inner):
            return relaxed(inner)
        case Sequence(parts):
            return sequence(*map(relaxed, parts))
        case Choice(options):
            return choice(*map(relaxed, options))
        case Intersection(parts):  # dropping a part of an intersection only adds texts
            rest = [unbounded(relaxed(part)) for part in parts if not _is_bound(part)]
            return intersection(*rest) if rest else node
    return node


@lru_cache(maxsize=MAX_CACHED)
def unbounded(node: Node) -> Node:
    """A superset of a node: its large repeats of single characters have no bound.

    >>> from rellm_agents.patterns.ir import CHARACTER, literal, repeat, sequence
    >>> unbounded(sequence(literal("a"), repeat(CHARACTER, 0, 999))) is sequence(literal("a"), repeat(CHARACTER))
    True
    """
    match node:
        case Repeat(Characters() | Literal() as inner) if _is_bound(node):
            return repeat(inner)
        case Sequence(parts):
            return sequence(*map(unbounded, parts))
        case Choice(options):
            return choice(*map(unbounded, options))
        case Lexeme(inner):
            return unbounded(inner)
    return node


def _is_bound(node: Node) -> bool:
    return isinstance(node, Repeat) and max(node.minimum, node.maximum or 0) > LARGE


def _concatenated(texts: Iterable[bytes | None]) -> bytes | None:
    found = b""
    for text in texts:
        if text is None:
            return None
        found += text
    return found


def _searched(start: Node, allowed: int) -> bytes | None:
    """A shortest text of a node by breadth-first search, by ascending bytes."""
    seen, queue = {start}, deque([(start, b"")])
    while queue and len(seen) <= MAX_SEARCHED:
        here, text = queue.popleft()
        if here.nullable:
            return text
        lowest = ((both & -both, target) for symbols, target in transitions(here, BYTES) if (both := symbols & allowed))
        for low, target in sorted(lowest, key=lambda one: one[0]):
            if target not in seen:
                seen.add(target)
                queue.append((target, text + bytes((low.bit_length() - 1,))))
    return None


def matches(node: Node, text: bytes) -> bool:
    """Whether ``text`` is a text of ``node``; for repeats by counting, where the inner texts are a prefix code."""
    for at in range(len(text) + 1):
        if isinstance(node, Repeat) and (count := _iterations(node.inner, text[at:])) is not None:
            return node.minimum <= count and (node.maximum is None or count <= node.maximum)
        if at < len(text):
            after = _after(node, text[at])
            if after is None:
                return False
            node = after
    return node.nullable


@lru_cache(maxsize=MAX_CACHED)
def _iterations(inner: Node, text: bytes) -> int | None:
    """The number of texts of ``inner`` that ``text`` consists of, if none of them can be continued to another; otherwise ``None``."""
    count, node = 0, inner
    for byte in text:
        after = _after(node, byte)
        if after is None or (after.nullable and after is not EMPTY):
            return None
        count, node = (count + 1, inner) if after is EMPTY else (count, after)
    return count if node is inner and not inner.nullable else None


def _after(node: Node, byte: int) -> Node | None:
    return next((target for symbols, target in transitions(node, BYTES) if symbols >> byte & 1), None)
