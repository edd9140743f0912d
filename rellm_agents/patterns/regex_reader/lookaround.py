"""Compiles lookaround away by intersecting it with what comes before or after it, where the two can be separated.

An alternative is a sequence of plain parts and assertions. A lookahead is an intersection with the parts that follow, a lookbehind one with
those that precede, each as near as its width allows; so counted repeats and recursion stay as they are where they are out of reach. Knows
nothing of repeats around lookaround: those are :mod:`rellm_agents.patterns.regex_reader.lookaround_automaton`'s.

    (?=[ab])[a-z]c    Assertion([ab]), Plain([a-z]), Plain(c)    becomes    Plain([ab]), Plain(c)

>>> from rellm_agents.patterns.ir import literal
>>> first = Assertion(literal("a"), 1, CharSet.of("a"), ahead=True, positive=True)
>>> separated([(first, Plain(characters(CharSet.of("abc")), 1), Plain(literal("c"), 1))]) is literal("ac")
True
"""

from __future__ import annotations

from collections.abc import Sequence as Parts
from dataclasses import dataclass

from rellm_agents.patterns.automaton import Automaton
from rellm_agents.patterns.ir import (
    ALL_CHARACTERS,
    ANYTHING,
    EMPTY,
    NOTHING,
    TEXT,
    Characters,
    CharSet,
    Literal,
    Node,
    Repeat,
    Sequence,
    characters,
    choice,
    complement,
    intersection,
    literal,
    not_containing,
    repeat,
    sequence,
)

MAX_ALTERNATIVES = 64  # alternatives into which a regex with lookaround is split


class NotSeparableError(Exception):
    """A lookaround depends on another one, or on a repeat: an automaton is needed."""


@dataclass(frozen=True, slots=True)
class Plain:
    """A part without lookaround; ``low``: its least number of characters."""

    node: Node
    low: int


@dataclass(frozen=True, slots=True)
class Assertion:
    """A lookaround between parts.

    Attributes:
        inner: what it looks for.
        high: the largest number of characters of ``inner``; ``None``: no bound.
        one: the set, if it looks for one character.
        ahead: it looks at what follows.
        positive: ``inner`` must match; otherwise it must not.
    """

    inner: tuple[Part, ...] | Node
    high: int | None
    one: CharSet | None
    ahead: bool
    positive: bool


@dataclass(frozen=True, slots=True)
class NotFollowedBy:
    """Between parts: what precedes may have begun an excluded text, so none of the ``rests`` may follow."""

    rests: tuple[str, ...]

    @property
    def high(self) -> int:
        """How far it looks ahead."""
        return max(map(len, self.rests))

    @property
    def ahead(self) -> bool:
        """It looks at what follows."""
        return True


@dataclass(frozen=True, slots=True)
class Outside:
    """At an end of an alternative: unknown text comes before or after it."""

    high = 0
    ahead = True


Part = Plain | Assertion | NotFollowedBy | Outside
Alternative = tuple[Part, ...]


def separated(alternatives: Parts[Alternative]) -> Node:
    """The node of any of the alternatives, without lookaround.

    Raises:
        NotSeparableError: lookarounds cannot be separated.
    """
    done: list[Node] = []
    waiting = list(alternatives)
    tried = 0
    while waiting:
        tried += 1
        if tried > MAX_ALTERNATIVES:
            raise NotSeparableError
        parts = _ordered(waiting.pop(0))
        while not all(isinstance(part, Plain | Outside) for part in parts):
            shorter = _with_one_less(parts)
            if shorter is None:
                waiting[:0] = _split(parts)
                break
            parts = shorter
        else:
            done.append(sequence(*(part.node for part in parts if isinstance(part, Plain))))
    return choice(*done)


def tempered(charset: CharSet, excluded: Parts[str], minimum: int, maximum: int | None) -> Alternative:
    """The parts of ``(?:(?!excluded)[charset]){minimum,maximum}``, whose count stays a counter: no excluded text begins inside.

    Args:
        charset: of each character.
        excluded: texts, none empty.
        minimum: the least number of characters.
        maximum: the largest; ``None``: no bound.
    """
    inside = intersection(repeat(characters(charset), minimum, maximum), not_containing(*excluded))
    rests = tuple(dict.fromkeys(text[i:] for text in excluded for i in range(1, len(text))))
    return (Plain(inside, minimum), *([NotFollowedBy(rests)] if rests else []))


def _ordered(parts: Alternative) -> Alternative:
    """The parts, with lookbehinds before lookaheads at the same position."""
    found: list[Part] = []
    for part in parts:
        at = len(found)
        if isinstance(part, Assertion) and not part.ahead:
            while at and isinstance(last := found[at - 1], Assertion) and last.ahead:
                at -= 1
        found.insert(at, part)
    return tuple(found)


def _with_one_less(parts: Alternative) -> Alternative | None:
    """The parts without one of the lookarounds, if one has only plain parts within its reach."""
    for i, part in enumerate(parts):
        if isinstance(part, Plain | Outside):
            continue
        near = parts[i + 1 :] if part.ahead else parts[:i][::-1]
        reach, low, within = 0, 0, True
        while reach < len(near) and (part.high is None or low < part.high):
            one = near[reach]
            if not isinstance(one, Plain):
                within = False
                break
            low += one.low
            reach += 1
        if not within:
            continue
        plain = [one for one in near[:reach] if isinstance(one, Plain)]
        if part.high == 0:
            plain = []
        nodes = [one.node for one in (plain if part.ahead else plain[::-1])]
        if isinstance(part, NotFollowedBy):
            if _may_begin_with(sequence(*nodes), part.rests):
                raise NotSeparableError
            return (*parts[:i], *parts[i + 1 :])
        node = _restricted(sequence(*nodes), part)
        merged = (Plain(node, low),) if node is not EMPTY else ()
        if part.ahead:
            return (*parts[:i], *merged, *parts[i + 1 + len(plain) :])
        return (*parts[: i - len(plain)], *merged, *parts[i + 1 :])
    return None


def _may_begin_with(node: Node, texts: Parts[str]) -> bool:
    if node.has_rules:
        return True
    found = intersection(node, sequence(choice(*map(literal, texts)), TEXT))
    return not (found is NOTHING or Automaton.of(found).is_empty)


def _split(parts: Alternative) -> list[Alternative]:
    """Two alternatives, without and with a plain part that may be empty."""
    for i, part in enumerate(parts):
        if isinstance(part, Plain) and part.low == 0 and not part.node.has_rules and part.node.nullable:
            rest = _not_empty(part.node)
            return [(*parts[:i], *parts[i + 1 :]), (*parts[:i], *((Plain(rest, 1),) if rest is not NOTHING else ()), *parts[i + 1 :])][
                : 1 if rest is NOTHING else 2
            ]
    raise NotSeparableError


def _not_empty(node: Node) -> Node:
    match node:
        case Repeat(inner, _, maximum) if not inner.nullable:
            return repeat(inner, 1, maximum)
        case Literal():
            return NOTHING
        case _:
            return intersection(node, complement(EMPTY))


def _restricted(node: Node, look: Assertion) -> Node:
    """The texts of ``node`` at whose beginning, or end, the lookaround holds."""
    if node is NOTHING:
        return NOTHING
    if look.one is not None:
        if not look.positive and look.one == ALL_CHARACTERS and not node.has_rules:
            return EMPTY if node.nullable else NOTHING
        if (found := _by_first(node, look)) is not None:
            return found
    wanted = _wanted(look)
    if wanted is ANYTHING:
        return node
    if node.has_rules:
        if wanted is NOTHING:
            return NOTHING
        raise NotSeparableError
    if isinstance(node, Literal):
        return node if Automaton.of(wanted).matches(node.data) else NOTHING
    return intersection(node, wanted)


def _wanted(look: Assertion) -> Node:
    """All byte strings for which the lookaround holds."""
    if isinstance(look.inner, Node):
        inner = sequence(look.inner, TEXT) if look.ahead else sequence(TEXT, look.inner)
    else:
        beyond = Plain(TEXT, 0)
        inner = separated([(Outside(), *look.inner, beyond) if look.ahead else (beyond, *look.inner, Outside())])
    if inner.has_rules:
        raise NotSeparableError
    if look.positive:
        return ANYTHING if inner is TEXT else inner
    return NOTHING if inner is TEXT else ANYTHING if inner is NOTHING else complement(inner)


def _by_first(node: Node, look: Assertion) -> Node | None:
    """The node with a smaller set, if its first, or last, character is one of a set."""
    assert look.one is not None
    allowed = look.one if look.positive else ~look.one
    match node:
        case Characters(charset):
            return characters(charset & allowed)
        case Literal(data) if data:
            edge = node.text[0] if look.ahead else node.text[-1]
            return node if edge in allowed else NOTHING
        case Repeat(Characters(charset), minimum, maximum) if minimum:
            if not charset & ~allowed:
                return node
            one, more = characters(charset & allowed), repeat(node.inner, minimum - 1, None if maximum is None else maximum - 1)
            return sequence(one, more) if look.ahead else sequence(more, one)
        case Sequence(parts):
            edge_part = parts[0] if look.ahead else parts[-1]
            found = _by_first(edge_part, look)
            if found is None:
                return None
            return sequence(found, *parts[1:]) if look.ahead else sequence(*parts[:-1], found)
        case _:
            return None
