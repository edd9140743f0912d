r"""A row of nodes with lookaround between them in, a node without any out: by meeting each with what stands beside it.

Lookahead is an intersection with what follows, lookbehind one with what precedes, each as near as its width allows, so
that counted repeats and recursion stay as they are where they are out of its reach. Knows nothing of repeats around
lookaround: those are :mod:`rellm_agents.patterns.regex_reader.lookaround_automaton`'s.
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

MAX_ALTERNATIVES = 64  # alternatives that lookaround is worked out in


class NotSeparableError(Exception):
    """What one lookaround asks for depends on another, or on a repeat: an automaton has to tell."""


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
        high: the largest number of characters of that; ``None``: without end.
        one: the set, where it looks for one character of it.
        ahead: it looks at what follows.
        positive: that has to be there.
    """

    inner: tuple[Part, ...] | Node
    high: int | None
    one: CharSet | None
    ahead: bool
    positive: bool


@dataclass(frozen=True, slots=True)
class Begun:
    """Between parts: what is before may have begun a text that must not be there; none of the ``rests`` may follow then."""

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
    """At an end of a row: something stands beyond it, which is not known here."""

    high = 0
    ahead = True


Part = Plain | Assertion | Begun | Outside
Alternative = tuple[Part, ...]


def met(rows: Parts[Alternative]) -> Node:
    """The node of any of the rows.

    Raises:
        NotSeparableError: this way does not lead there.
    """
    done: list[Node] = []
    waiting = list(rows)
    tried = 0
    while waiting:
        tried += 1
        if tried > MAX_ALTERNATIVES:
            raise NotSeparableError
        row = _ordered(waiting.pop(0))
        while not all(isinstance(part, Plain | Outside) for part in row):
            shorter = _with_one_less(row)
            if shorter is None:
                waiting[:0] = _split(row)
                break
            row = shorter
        else:
            done.append(sequence(*(part.node for part in row if isinstance(part, Plain))))
    return choice(*done)


def tempered(charset: CharSet, excluded: Parts[str], minimum: int, maximum: int | None) -> Alternative:
    """The row of ``(?:(?!barred)[charset]){minimum,maximum}``, whose count stays a counter: no barred text begins inside of it.

    Args:
        charset: of each character.
        excluded: texts, none empty.
        minimum: how many characters there are at least.
        maximum: and at most; ``None``: without end.
    """
    inside = intersection(repeat(characters(charset), minimum, maximum), not_containing(*excluded))
    rests = tuple(dict.fromkeys(text[i:] for text in excluded for i in range(1, len(text))))
    return (Plain(inside, minimum), *([Begun(rests)] if rests else []))


def _ordered(row: Alternative) -> Alternative:
    """Lookaround at the same place: behind first."""
    found: list[Part] = []
    for part in row:
        at = len(found)
        if isinstance(part, Assertion) and not part.ahead:
            while at and isinstance(last := found[at - 1], Assertion) and last.ahead:
                at -= 1
        found.insert(at, part)
    return tuple(found)


def _with_one_less(row: Alternative) -> Alternative | None:
    """The row without one of its lookarounds, if one has only plain parts within its reach."""
    for i, part in enumerate(row):
        if isinstance(part, Plain | Outside):
            continue
        beside = row[i + 1 :] if part.ahead else row[:i][::-1]
        reach, low, within = 0, 0, True
        while reach < len(beside) and (part.high is None or low < part.high):
            one = beside[reach]
            if not isinstance(one, Plain):
                within = False
                break
            low += one.low
            reach += 1
        if not within:
            continue
        plain = [one for one in beside[:reach] if isinstance(one, Plain)]
        if part.high == 0:
            plain = []
        nodes = [one.node for one in (plain if part.ahead else plain[::-1])]
        if isinstance(part, Begun):
            if _may_begin_with(sequence(*nodes), part.rests):
                raise NotSeparableError
            return (*row[:i], *row[i + 1 :])
        node = _restricted(sequence(*nodes), part)
        merged = (Plain(node, low),) if node is not EMPTY else ()
        if part.ahead:
            return (*row[:i], *merged, *row[i + 1 + len(plain) :])
        return (*row[: i - len(plain)], *merged, *row[i + 1 :])
    return None


def _may_begin_with(node: Node, texts: Parts[str]) -> bool:
    if node.has_rules:
        return True
    found = intersection(node, sequence(choice(*map(literal, texts)), TEXT))
    return not (found is NOTHING or Automaton.of(found).is_empty)


def _split(row: Alternative) -> list[Alternative]:
    """Two rows where a plain part that may be empty stands between lookarounds: with it, and without."""
    for i, part in enumerate(row):
        if isinstance(part, Plain) and part.low == 0 and not part.node.has_rules and part.node.nullable:
            rest = _not_empty(part.node)
            return [(*row[:i], *row[i + 1 :]), (*row[:i], *((Plain(rest, 1),) if rest is not NOTHING else ()), *row[i + 1 :])][
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
    """The texts of ``node`` at whose edge the lookaround holds."""
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
    """All byte strings beside which the lookaround holds."""
    if isinstance(look.inner, Node):
        inner = sequence(look.inner, TEXT) if look.ahead else sequence(TEXT, look.inner)
    else:
        beyond = Plain(TEXT, 0)
        inner = met([(Outside(), *look.inner, beyond) if look.ahead else (beyond, *look.inner, Outside())])
    if inner.has_rules:
        raise NotSeparableError
    if look.positive:
        return ANYTHING if inner is TEXT else inner
    return NOTHING if inner is TEXT else ANYTHING if inner is NOTHING else complement(inner)


def _by_first(node: Node, look: Assertion) -> Node | None:
    """Where the edge of the node is one character of a set: that set, made smaller."""
    assert look.one is not None
    kept = look.one if look.positive else ~look.one
    match node:
        case Characters(charset):
            return characters(charset & kept)
        case Literal(data) if data:
            edge = node.text[0] if look.ahead else node.text[-1]
            return node if edge in kept else NOTHING
        case Repeat(Characters(charset), minimum, maximum) if minimum:
            if not charset & ~kept:
                return node
            one, more = characters(charset & kept), repeat(node.inner, minimum - 1, None if maximum is None else maximum - 1)
            return sequence(one, more) if look.ahead else sequence(more, one)
        case Sequence(parts):
            edge_part = parts[0] if look.ahead else parts[-1]
            found = _by_first(edge_part, look)
            if found is None:
                return None
            return sequence(found, *parts[1:]) if look.ahead else sequence(*parts[:-1], found)
        case _:
            return None
