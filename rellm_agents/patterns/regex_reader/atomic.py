r"""A tree in; refused where a possessive quantifier or an atomic group may take away texts, otherwise nothing happens.

An atomic part is as good as a plain one where the first way that a matcher tries is the only one that can come to an end:
what follows cannot begin where the part could have gone on. What follows is taken for more than it is (without
lookaround, recursion as any text), so that nothing is let through by mistake.
"""

from __future__ import annotations

from functools import lru_cache
from typing import assert_never

from rellm_agents.errors import PatternTooLarge
from rellm_agents.patterns.automaton import CHARACTERS, transitions
from rellm_agents.patterns.ir import EMPTY, NOTHING, TEXT, Characters, Literal, Node, characters, choice, intersection, repeat, sequence
from rellm_agents.patterns.regex_parser import Alternation, Atomic, Call, Class, Concat, Look, Repetition, Scanner, Tree, first_look

MAX_STATES = 200  # searched for a text that two ways would read differently

_POSSESSIVE = "this possessive quantifier may change what matches: use the plain one"
_ATOMIC = "this atomic group may change what matches: use (?:...)"


def check_atomic(tree: Tree, then: Node, reading: Scanner, *, backwards: bool = False) -> None:
    """Refuse the atomic parts of ``tree`` that change what matches.

    Args:
        tree: what is read.
        then: all texts that may follow it, or more.
        reading: what refuses.
        backwards: inside a lookbehind, where matching goes from right to left.

    Raises:
        RegexSyntaxError: the place of such a part.
    """
    match tree:
        case Class() | Call():
            return
        case Concat(parts):
            for part in reversed(parts):
                check_atomic(part, then, reading, backwards=backwards)
                then = sequence(_widest(part), then)
        case Alternation(options):
            for option in options:
                check_atomic(option, then, reading, backwards=backwards)
        case Look(inner, ahead):
            check_atomic(inner, TEXT, reading, backwards=not ahead)
        case Atomic(inner, at):
            check_atomic(inner, then, reading, backwards=backwards)
            if backwards or not _is_settled(inner, then):
                reading.fail(_ATOMIC, at)
        case Repetition(inner, _, _, preference, at):
            check_atomic(inner, sequence(repeat(_widest(inner)), then), reading, backwards=backwards)
            if preference == "possessive" and (backwards or not _is_settled(tree, then)):
                reading.fail(_POSSESSIVE, at)
        case _:
            assert_never(tree)


def _is_settled(tree: Tree, then: Node) -> bool:
    """Whether, of the ways to read a text, the first one tried is the only one that can be followed by ``then``."""
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
                then = sequence(_widest(part), then)
            return True
        case Alternation(options):
            if any(first_look(option) is not None for option in options):
                return False
            earlier: list[Node] = []
            for option in options:
                own = sequence(_widest(option), then)
                if not _is_settled(option, then) or not all(_are_apart(sequence(one, TEXT), own) for one in earlier):
                    return False
                earlier.append(_widest(option))
            return True
        case Repetition(inner, minimum, maximum, preference):
            once = _widest(inner)
            if once.nullable or not _is_settled(inner, sequence(repeat(once), then)):
                return False
            if minimum == maximum:
                return True
            return preference != "lazy" and _are_apart(then, sequence(once, TEXT))
        case _:
            assert_never(tree)


@lru_cache(maxsize=1_024)
def _widest(tree: Tree) -> Node:
    """All texts of a tree, or more."""
    match tree:
        case Class(charset):
            return characters(charset)
        case Concat(parts):
            return sequence(*map(_widest, parts))
        case Alternation(options):
            return choice(*map(_widest, options))
        case Repetition(inner, minimum, maximum):
            return repeat(_widest(inner), minimum, maximum)
        case Look():
            return EMPTY
        case Atomic(inner):
            return _widest(inner)
        case Call():
            return TEXT
        case _:
            assert_never(tree)


def _are_apart(a: Node, b: Node) -> bool:
    """No text is in both, as far as a bounded search can show."""
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
