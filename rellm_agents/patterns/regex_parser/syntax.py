r"""The syntax tree of a regex: every dialect is parsed into it, and it is compiled into a node.

Anchors and word boundaries are lookaround (``\A`` is "no character before"), case-insensitive characters are the sets they match: the
dialect's parser resolves them, so the tree knows neither dialects nor flags.

    a|b*    Alternation((Class({a}), Repetition(Class({b}), 0, None, "greedy", at=3)))

>>> widths(Concat((Class(CharSet.of("a")), Repetition(Class(CharSet.of("b")), 0, 3, "greedy", 0))), {})
(1, 4)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, assert_never

from rellm_agents.patterns.ir import ALL_CHARACTERS, CharSet

Preference = Literal["greedy", "lazy", "possessive"]


@dataclass(frozen=True, slots=True)
class Class:
    """One character of a set."""

    charset: CharSet


@dataclass(frozen=True, slots=True)
class Concat:
    """The parts one after the other."""

    parts: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Alternation:
    """Any of the options; a backtracking matcher tries them in this order."""

    options: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Repetition:
    """``inner``, ``minimum`` to ``maximum`` times; ``None``: no upper bound."""

    inner: Tree
    minimum: int
    maximum: int | None
    preference: Preference
    at: int


@dataclass(frozen=True, slots=True)
class Look:
    """Lookaround: ``inner`` matches after this position (``ahead``) or before it; if not ``positive``, it does not. Nothing is read."""

    inner: Tree
    ahead: bool
    positive: bool
    at: int


@dataclass(frozen=True, slots=True)
class Atomic:
    """``inner``, of whose matches only the first is tried."""

    inner: Tree
    at: int


@dataclass(frozen=True, slots=True)
class Call:
    """The group of this number, once more; 0 is the whole regex."""

    number: int
    at: int


Tree = Class | Concat | Alternation | Repetition | Look | Atomic | Call
Groups = Mapping[int, Tree]

ANY_CHARACTER = Class(ALL_CHARACTERS)
NO_TEXT = Concat(())


def text_start(at: int) -> Look:
    """The lookaround that no character comes before."""
    return Look(ANY_CHARACTER, ahead=False, positive=False, at=at)


def text_end(at: int) -> Look:
    """The lookaround that no character comes after."""
    return Look(ANY_CHARACTER, ahead=True, positive=False, at=at)


def last_line_end(at: int) -> Look:
    """The lookaround that nothing comes after but perhaps a line feed."""
    line_feed = Repetition(Class(CharSet.of("\n")), 0, 1, "greedy", at)
    return Look(Concat((line_feed, text_end(at))), ahead=True, positive=True, at=at)


def any_line_start(line_breaks: CharSet, at: int) -> Tree:
    """The start of the text or of any line."""
    return Alternation((text_start(at), Look(Class(line_breaks), ahead=False, positive=True, at=at)))


def any_line_end(line_breaks: CharSet, at: int) -> Tree:
    """The end of the text or of any line."""
    return Alternation((Look(Class(line_breaks), ahead=True, positive=True, at=at), text_end(at)))


def boundary(word: CharSet, *, before: bool | None, differs: bool, at: int) -> Tree:
    """A position between a character of ``word`` and another one (``differs``), or between two of the same sort.

    Args:
        word: the characters of words.
        before: whether the character before is of ``word``; ``None``: either.
        differs: whether the character after is of the other sort. The ends of the text are no characters of words.
        at: the offset in the regex.
    """
    sides = [before] if before is not None else [True, False]
    one = Class(word)
    options = tuple(
        Concat((Look(one, ahead=False, positive=side, at=at), Look(one, ahead=True, positive=side is not differs, at=at))) for side in sides
    )
    return options[0] if len(options) == 1 else Alternation(options)


def first_look(tree: Tree) -> Look | None:
    """The first lookaround of a tree, outside of calls."""
    match tree:
        case Look():
            return tree
        case Class() | Call():
            return None
        case Concat(parts) | Alternation(parts):
            return next((found for part in parts if (found := first_look(part)) is not None), None)
        case Repetition(inner) | Atomic(inner):
            return first_look(inner)
        case _:
            assert_never(tree)


def widths(tree: Tree, groups: Groups, inside: frozenset[int] = frozenset()) -> tuple[int, int | None]:
    """The least and the largest number of characters; ``None``: no bound. Recursion counts as any number."""
    match tree:
        case Class():
            return 1, 1
        case Concat(parts):
            low, high = 0, 0
            endless = False
            for part in parts:
                least, most = widths(part, groups, inside)
                low += least
                endless |= most is None
                high += most or 0
            return low, None if endless else high
        case Alternation(options):
            found = [widths(option, groups, inside) for option in options]
            endless = any(high is None for _, high in found)
            return min((low for low, _ in found), default=0), None if endless else max((high or 0 for _, high in found), default=0)
        case Repetition(inner, minimum, maximum):
            least, most_of_one = widths(inner, groups, inside)
            if most_of_one == 0 or maximum == 0:
                return 0, 0
            return least * minimum, None if maximum is None or most_of_one is None else most_of_one * maximum
        case Look():
            return 0, 0
        case Atomic(inner):
            return widths(inner, groups, inside)
        case Call(number):
            if number in inside or number not in groups:
                return 0, None
            return widths(groups[number], groups, inside | {number})
        case _:
            assert_never(tree)
