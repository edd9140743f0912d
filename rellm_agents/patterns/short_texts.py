r"""A node in, a shortest text of it out, where that is found without making the states of its intersections; else a bound on its length.

A regex with bounds on the length of its texts has a state for each length, and each of them has to be known to lead to the end. A
shortest text of the regex alone, which is found once for all lengths, tells that of most of them, and leads a search to the end of
the others. Knows no automata.

>>> from rellm_agents.patterns import read_regex
>>> from rellm_agents.patterns.nodes import CHARACTER, intersection, repeat
>>> short_text(intersection(read_regex("[a-c]+:[a-c]+"), repeat(CHARACTER, 2, 2_000)))
b'a:a'
>>> longer = intersection(read_regex("[a-c]+:[a-c]+"), repeat(CHARACTER, 9, 2_000))
>>> short_text(longer) is None, least_bytes(longer)  # there is one, though
(True, 9)
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from functools import lru_cache

from rellm_agents.patterns.derivative import BYTES, transitions
from rellm_agents.patterns.kinds import Choice, Intersection, Lexeme, Repeat, Sequence
from rellm_agents.patterns.node import Node
from rellm_agents.patterns.nodes import EMPTY

ALL_BYTES = (1 << 256) - 1  # as ``derivative`` has sets of them
MAX_SEARCHED = 1_000  # derivatives of a node that are looked through for its shortest text
MAX_KNOWN = 1 << 14

_known: dict[tuple[Node, int], bytes | None] = {}


def short_text(node: Node, allowed: int = ALL_BYTES) -> bytes | None:
    """A shortest text of a node, among equals the one of lowest bytes.

    Args:
        node: without rules.
        allowed: the bytes that the text may hold.

    Returns:
        ``None``: none was found, though there may be texts.
    """
    if not node.has_boolean:
        return _searched(node, allowed)
    match node:
        case Lexeme(inner):
            return short_text(inner, allowed)
        case Sequence(parts):
            return _joined(short_text(part, allowed) for part in parts)
        case Choice(options):
            found = [short_text(option, allowed) for option in options]
            return None if None in found else min((text for text in found if text is not None), key=lambda text: (len(text), text))
        case Repeat(inner, minimum, _):
            return _joined(short_text(inner, allowed) for _ in range(minimum))
        case Intersection(parts):  # no text of it is shorter than one of a part
            texts = ((part, short_text(part, allowed)) for part in parts)
            return next((t for one, t in texts if t is not None and all(other is one or _is_text(other, t) for other in parts)), None)
    return None


def has_short_text(node: Node, allowed: int) -> bool:
    """Whether a short text is found, of one of its options, if it is a choice."""
    return any(short_text(one, allowed) is not None for one in (node.options if isinstance(node, Choice) else (node,)))


@lru_cache(maxsize=MAX_KNOWN)
def least_bytes(node: Node, allowed: int = ALL_BYTES) -> int:
    """No text of a node without rules has fewer bytes, if it holds those allowed only."""
    if not node.has_boolean:
        return len(_searched(node, allowed) or b"")
    match node:
        case Lexeme(inner):
            return least_bytes(inner, allowed)
        case Sequence(parts):
            return sum(least_bytes(part, allowed) for part in parts)
        case Choice(options):
            return min(least_bytes(option, allowed) for option in options)
        case Repeat(inner, minimum, _):
            return least_bytes(inner, allowed) * minimum
        case Intersection(parts):
            return max(least_bytes(part, allowed) for part in parts)
    return 0


def _joined(texts: Iterable[bytes | None]) -> bytes | None:
    found = b""
    for text in texts:
        if text is None:
            return None
        found += text
    return found


def _searched(node: Node, allowed: int) -> bytes | None:
    key = node, allowed
    if key not in _known:
        if len(_known) >= MAX_KNOWN:
            _known.clear()
        _search(node, allowed)
    return _known.get(key)


def _search(start: Node, allowed: int) -> None:
    """Breadth first, by ascending bytes; the rest of a shortest text is one of what is left there."""
    came_from: dict[Node, tuple[Node, int]] = {}
    seen, queue = {start}, deque([start])
    _known[start, allowed] = None
    while queue and len(seen) <= MAX_SEARCHED:
        here = queue.popleft()
        if here.nullable:
            text = b""
            while True:
                _known[here, allowed] = text
                if here is start:
                    return
                here, byte = came_from[here]
                text = bytes((byte,)) + text
        lowest = ((both & -both, target) for symbols, target in transitions(here, BYTES) if (both := symbols & allowed))
        for low, target in sorted(lowest, key=lambda one: one[0]):
            if target not in seen:
                seen.add(target)
                came_from[target] = here, low.bit_length() - 1
                queue.append(target)


def _is_text(node: Node, text: bytes) -> bool:
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
