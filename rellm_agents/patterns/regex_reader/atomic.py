"""Refuses possessive quantifiers and atomic groups that may take away texts; all others are as good as plain ones.

An atomic part changes nothing if, of all its matches, only the first that a backtracking matcher tries can be followed by the rest: if
what follows cannot begin where the part could be continued. What follows is over-approximated (without lookaround, recursion as any
text), so nothing is accepted by mistake.

    a++b    settled: after "a"s, "b" cannot begin with "a"      a++a    refused

>>> from rellm_agents.patterns.regex_parser import parse_regex
>>> tree, _, _, scanner = parse_regex("a++b")
>>> check_atomic(tree, EMPTY, scanner)
"""

from __future__ import annotations

from functools import lru_cache
from typing import assert_never

from rellm_agents.errors import PatternTooLarge
from rellm_agents.patterns.automaton import CHARACTERS, transitions
from rellm_agents.patterns.ir import EMPTY, NOTHING, TEXT, Characters, Literal, Node, characters, choice, intersection, repeat, sequence
from rellm_agents.patterns.regex_parser import Alternation, Atomic, Call, Class, Concat, Look, Repetition, Scanner, Tree, first_look

MAX_STATES = 200  # searched for a text with two different readings

_POSSESSIVE = "this possessive quantifier may change what matches: use the plain one"
_ATOMIC = "this atomic group may change what matches: use (?:...)"


def check_atomic(tree: Tree, then: Node, scanner: Scanner, *, backwards: bool = False) -> None:
    """Refuse the atomic parts of ``tree`` that change what matches.

    Args:
        tree: what is read.
        then: a superset of the texts that may follow.
        scanner: of the text, to refuse it.
        backwards: inside a lookbehind, where matching goes from right to left.

    Raises:
        RegexSyntaxError: such a part, with its offset.
    """
    match tree:
        case Class() | Call():
            return
        case Concat(parts):
            for part in reversed(parts):
                check_atomic(part, then, scanner, backwards=backwards)
                then = sequence(_superset(part), then)
        case Alternation(options):
            for option in options:
                check_atomic(option, then, scanner, backwards=backwards)
        case Look(inner, ahead):
            check_atomic(inner, TEXT, scanner, backwards=not ahead)
        case Atomic(inner, at):
            check_atomic(inner, then, scanner, backwards=backwards)
            if backwards or not _is_settled(inner, then):
                scanner.fail(_ATOMIC, at)
        case Repetition(inner, _, _, preference, at):
            check_atomic(inner, sequence(repeat(_superset(inner)), then), scanner, backwards=backwards)
            if preference == "possessive" and (backwards or not _is_settled(tree, then)):
                scanner.fail(_POSSESSIVE, at)
        case _:
            assert_never(tree)


def _is_settled(tree: Tree, then: Node) -> bool:
    """Whether, of the matches of ``tree``, only the first that is tried can be followed by ``then``."""
    match tree:
        case Class():
            return True
        case Look() | Call():
            return False
        case Atomic(inner):
            return _is_settled(inner, then)
        case Concat(parts):
            for part in reversed(parts):
                if not _is_settled(part, then):
                    return False
                then = sequence(_superset(part), then)
            return True
        case Alternation(options):
            if any(first_look(option) is not None for option in options):
                return False
            earlier: list[Node] = []
            for option in options:
                own = sequence(_superset(option), then)
                if not _is_settled(option, then) or not all(_are_apart(sequence(one, TEXT), own) for one in earlier):
                    return False
                earlier.append(_superset(option))
            return True
        case Repetition(inner, minimum, maximum, preference):
            once = _superset(inner)
            if once.nullable or not _is_settled(inner, sequence(repeat(once), then)):
                return False
            if minimum == maximum:
                return True
            return preference != "lazy" and _are_apart(then, sequence(once, TEXT))
        case _:
            assert_never(tree)


@lru_cache(maxsize=1_024)
def _superset(tree: Tree) -> Node:
    """A superset of the texts of a tree."""
    match tree:
        case Class(charset):
            return characters(charset)
        case Concat(parts):
            return sequence(*map(_superset, parts))
        case Alternation(options):
            return choice(*map(_superset, options))
        case Repetition(inner, minimum, maximum):
            return repeat(_superset(inner), minimum, maximum)
        case Look():
            return EMPTY
        case Atomic(inner):
            return _superset(inner)
        case Call():
            return TEXT
        case _:
            assert_never(tree)


def _are_apart(a: Node, b: Node) -> bool:
    """Whether no text is in both, as far as a bounded search can show."""
    if isinstance(a, Literal | Characters) and a is b:
        return False
    both = intersection(a, b)
    seen = {both}
    waiting = [both]
    try:
        for here in waiting:
            if here is NOTHING:
                continue
            if here.nullable or len(seen) > MAX_STATES:
                return False
            new = [target for _, target in transitions(here, CHARACTERS) if target not in seen]
            seen.update(new)
            waiting.extend(new)
    except PatternTooLarge:
        return False
    return True
