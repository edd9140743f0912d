r"""A node in, a shortest text of it out, where that is found without making the states of its intersections; else a bound on its length.

A regex with bounds on the length of its texts has a state for each length, and each of them has to be known to lead to the end. A
shortest text of the regex alone, which is found once for all lengths, tells that of most of them, and leads a search to the end of
the others. Knows no automata.

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
    Intersection,
    Lexeme,
    Literal,
    Node,
    Repeat,
    Sequence,
    Utf8Tail,
    choice,
    intersection,
    sequence,
)

ALL_BYTES = (1 << 256) - 1  # as ``derivative`` has sets of them
MAX_SEARCHED = 1_000  # derivatives of a node that is made of no others that are looked through for its shortest text
MAX_KNOWN = 1 << 13  # of each kind, least recently used dropped
INFINITE = 1 << 60
LARGE = 16  # times from which on a repeat in an intersection is a bound that may be left out


@lru_cache(maxsize=MAX_KNOWN)
def witness(node: Node, allowed: int = ALL_BYTES) -> bytes | None:
    """A shortest text of a node, among equals the one of lowest bytes.

    Args:
        node: without rules.
        allowed: the bytes that the text may hold; if not all, it may be a longer one.

    Returns:
        ``None``: none was found, though there may be texts.
    """
    match node:
        case Lexeme(inner):
            return witness(inner, allowed)
        case Sequence(parts):
            return _joined(witness(part, allowed) for part in parts)
        case Choice(options):
            texts = [witness(option, allowed) for option in options]
            found = [text for text in texts if text is not None]
            is_sure = len(found) == len(texts) or allowed != ALL_BYTES
            return min(found, key=lambda text: (len(text), text), default=None) if is_sure else None
        case Repeat(inner, minimum, _):
            once = witness(inner, allowed) if minimum else b""
            return None if once is None else once * minimum
        case Intersection(parts):  # no text of it is shorter than one of a part
            pairs = ((part, witness(part, allowed)) for part in parts)
            return next((t for one, t in pairs if t is not None and all(other is one or matches(other, t) for other in parts)), None)
        case Complement():
            return None
    return _searched(node, allowed)


def has_witness(node: Node, allowed: int) -> bool:
    """Whether a short text is found, of one of its options, if it is a choice."""
    return any(witness(one, allowed) is not None for one in (node.options if isinstance(node, Choice) else (node,)))


@lru_cache(maxsize=MAX_KNOWN)
def min_bytes(node: Node, allowed: int = ALL_BYTES) -> int:
    """No text of a node without rules has fewer bytes, if it holds those allowed only; ``INFINITE``: there is none, whatever it holds."""
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
    return len(_searched(node, allowed) or b"")


@lru_cache(maxsize=MAX_KNOWN)
def max_bytes(node: Node) -> int:
    """No text of a node without rules has more bytes; ``INFINITE``: it may have any number."""
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
    return INFINITE


@lru_cache(maxsize=MAX_KNOWN)
def relaxed(node: Node) -> Node:
    """A node that also matches all its texts, without the large bounds that intersections hold: it has fewer states.

    >>> from rellm_agents.patterns.ir import CHARACTER, TEXT, intersection, literal, repeat
    >>> relaxed(intersection(literal("a"), TEXT, repeat(CHARACTER, 0, 99))) is intersection(literal("a"), TEXT)
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
        case Intersection(parts):  # of what is left some texts may be none of the node, but none is left out
            kept = [relaxed(part) for part in parts if not _is_bound(part)]
            return intersection(*kept) if kept else node
    return node


def _is_bound(node: Node) -> bool:
    return isinstance(node, Repeat) and max(node.minimum, node.maximum or 0) > LARGE


def _joined(texts: Iterable[bytes | None]) -> bytes | None:
    found = b""
    for text in texts:
        if text is None:
            return None
        found += text
    return found


def _searched(start: Node, allowed: int) -> bytes | None:
    """The same of a node that is made of no others, breadth first, by ascending bytes."""
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
    """Whether a text is one of the node's."""
    for at in range(len(text) + 1):
        if isinstance(node, Repeat) and (times := _times(node.inner, text[at:])) is not None:
            return node.minimum <= times and (node.maximum is None or times <= node.maximum)
        if at < len(text):
            after = _after(node, text[at])
            if after is None:
                return False
            node = after
    return node.nullable


@lru_cache(maxsize=MAX_KNOWN)
def _times(inner: Node, text: bytes) -> int | None:
    """How many texts of ``inner`` make up a text, if it is made up of them and where one ends none could go on; else ``None``."""
    times, node = 0, inner
    for byte in text:
        after = _after(node, byte)
        if after is None or (after.nullable and after is not EMPTY):
            return None
        times, node = (times + 1, inner) if after is EMPTY else (times, after)
    return times if node is inner and not inner.nullable else None


def _after(node: Node, byte: int) -> Node | None:
    return next((target for symbols, target in transitions(node, BYTES) if symbols >> byte & 1), None)
