r"""Unions of what may follow, without options whose texts are all texts of another option: fewer and smaller states.

Where any number of some texts may come first (``X*``), another piece of such text before it adds nothing. So of two options

    prefix B        B, which begins with X*

the first is held by the second if ``prefix`` is itself made of texts of ``X``; and with ``X*`` dropped from ``B`` as well. In a counted
repeat of such a ``B`` fewer iterations hold more: ``(.*a){3}`` is a part of ``(.*a){2}``. Without this law ``(.*a){100}`` has states of a
hundred options each. Nothing but the form of nodes is looked at, so not all options that are held are found. Knows no automata.

>>> from rellm_agents.patterns.regex_reader import read_regex
>>> from rellm_agents.patterns.automaton.derivative import by_bytes
>>> either(read_regex(".*a(?:.*a){7}"), read_regex("(?:.*a){7}"), by_bytes) is read_regex("(?:.*a){7}")
True
>>> [either(read_regex(".*b"), read_regex(other), by_bytes) is read_regex(".*b") for other in ("b", r"\nb")]
[True, False]
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import NamedTuple

from rellm_agents.patterns.ir.constructors import EMPTY, choice, repeat, sequence
from rellm_agents.patterns.ir.node import Node
from rellm_agents.patterns.ir.node_types import Choice, Lexeme, Repeat, Sequence, directly_inside

MAX_COMPARED = 16  # options of a union that are compared with another; of more, all are kept
MAX_PAIRS = 64  # states of a piece of text and of what repeats it, beside each other, in which it is looked for what does not fit
MAX_CACHED = 1 << 13  # entries of each memo, the least recently used dropped


Moves = Callable[[Node], list[tuple[int, Node]]]
"""The derivatives of a node by bytes."""


Places = tuple[Node, frozenset[Node]]
"""A state of a node, and beside it the states of a repeat."""


class _Counted(NamedTuple):
    """An option as ``head``, then ``number`` times ``inner``, which begins with any number of some texts, then ``after``."""

    head: tuple[Node, ...]
    inner: Node
    number: int
    after: tuple[Node, ...]


def either(one: Node, other: Node, moves: Moves) -> Node:
    """The union of two nodes without rules, where options that are held by others are left out.

    Args:
        one: a node; a union in which no option is held by another.
        other: likewise.
        moves: the derivatives of any node.
    """
    both = choice(one, other)
    if type(both) is not Choice or both is one or both is other or len(both.options) > MAX_COMPARED:
        return both
    kept = _without_held(both.options, moves)
    return both if len(kept) == len(both.options) else choice(*kept)


def followed(node: Node, rest: Node, moves: Moves) -> Node:
    """A node, then another; options of the first that add nothing before the second are left out.

    Args:
        node: without rules.
        rest: likewise.
        moves: the derivatives of any node.

    >>> from rellm_agents.patterns.automaton.derivative import by_bytes
    >>> from rellm_agents.patterns.regex_reader import read_regex
    >>> followed(read_regex("|.*a"), read_regex("(?:.*a){7}"), by_bytes) is read_regex("(?:.*a){7}")
    True
    """
    if type(node) is Choice and not node.has_boolean and star_of(rest) is not None and len(node.options) <= MAX_COMPARED:
        options = tuple(sequence(option, rest) for option in node.options)
        kept = _without_held(options, moves)
        if len(kept) < len(options):
            return choice(*kept)
    return sequence(node, rest)


def _without_held(options: tuple[Node, ...], moves: Moves) -> tuple[Node, ...]:
    holders = [option for option in options if star_of(option) is not None]
    if not holders:
        return options
    kept = [*options]
    for option in options:
        if any(option is not holder and is_held(option, holder, moves) for holder in holders):
            kept.remove(option)
            if option in holders:
                holders.remove(option)
    return tuple(kept)


@lru_cache(maxsize=MAX_CACHED)
def star_of(node: Node) -> Node | None:
    """Any number of some texts that may as well be written before each text of a node, as ``X*``; ``None``: none is known."""
    match node:
        case Repeat(inner, _, None) if not inner.has_boolean:
            return repeat(inner)
        case Repeat(inner, minimum, _) if minimum:
            return star_of(inner)
        case Sequence(parts):
            return star_of(parts[0])
    return None


def is_held(node: Node, holder: Node, moves: Moves) -> bool:
    """Whether all texts of a node, no union, are known to be texts of another; ``False``: it is not known.

    >>> from rellm_agents.patterns.regex_reader import read_regex
    >>> from rellm_agents.patterns.automaton.derivative import by_bytes
    >>> [is_held(read_regex(a), read_regex(b), by_bytes) for a, b in (("ab.*c", ".*c"), (".*c", "ab.*c"), ("(.*a){9}b", "(.*a){5}b"))]
    [True, False, True]
    """
    star = star_of(holder)
    if star is None:
        return False
    inner, outer = _parts(node), _parts(holder)
    for end in (outer, outer[1:]) if outer[0] is star else (outer,):
        before = len(inner) - len(end)
        if before >= 0 and inner[before:] == end and _all_within(inner[:before], star, moves):
            return True
    less = _counted(holder, moves)
    if less is None or less.head:
        return False
    more = _counted(node, moves)
    return (
        more is not None
        and more.inner is less.inner
        and more.after == less.after
        and more.number >= less.number
        and _all_within((*more.head, less.inner), star, moves)
    )


def _parts(node: Node) -> tuple[Node, ...]:
    return node.parts if isinstance(node, Sequence) else (node,)


@lru_cache(maxsize=MAX_CACHED)
def _counted(node: Node, moves: Moves) -> _Counted | None:
    """A node as a counted repeat, which its own inner part and what it begins with are a part of; ``None``: there is none."""
    parts = _parts(node)
    for at, part in enumerate(parts):
        if isinstance(part, Repeat) and part.minimum and part.maximum is not None and (star := star_of(part.inner)) is not None:
            head, number, once = parts[:at], part.minimum, _parts(part.inner)
            while head[-len(once) :] == once:
                head, number = head[: -len(once)], number + 1
            if head and head[-1] is star:
                head = head[:-1]
            if part.minimum == part.maximum or _all_within(once, star, moves):  # then more iterations are among the least number of them
                return _Counted(head, part.inner, number, parts[at + 1 :])
            return None
    return None


def _all_within(parts: tuple[Node, ...], star: Node, moves: Moves) -> bool:
    return all(_is_within(part, star, moves) for part in parts)


@lru_cache(maxsize=MAX_CACHED)
def _is_within(node: Node, star: Node, moves: Moves) -> bool:
    """Whether each text of a node is known to consist of texts that a repeat without bounds repeats."""
    if node is star:
        return True
    if isinstance(node, Repeat | Lexeme):
        return _is_within(node.inner, star, moves)
    if isinstance(node, Sequence | Choice) and all(_is_within(one, star, moves) for one in directly_inside(node)):
        return True
    if node.has_boolean:
        return False
    assert isinstance(star, Repeat)
    # Beside each state of the node are the rests of the iteration that is being read. The derivatives of the repeat itself are not asked
    # for: they may be just what is being made.
    start: Places = (node, frozenset((EMPTY,)))
    found, seen = [start], {start}
    for here, rests in found:
        if len(seen) > MAX_PAIRS or (here.nullable and not any(rest.nullable for rest in rests)):
            return False
        following = [move for rest in rests for move in moves(rest)]
        if any(rest.nullable for rest in rests):
            following += moves(star.inner)
        for symbols, target in moves(here):
            for after in _split(symbols, following):
                if not after:
                    return False
                if (target, after) not in seen:
                    seen.add((target, after))
                    found.append((target, after))
    return True


def _split(symbols: int, moves: list[tuple[int, Node]]) -> Iterable[frozenset[Node]]:
    """The sets of nodes that may follow the members of a set of bytes."""
    pieces: list[tuple[int, frozenset[Node]]] = [(symbols, frozenset())]
    for others, target in moves:
        pieces = [
            (part, after) for one, known in pieces for part, after in ((one & others, known | {target}), (one & ~others, known)) if part
        ]
    return [after for _, after in pieces]
