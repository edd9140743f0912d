"""Runs of optional whitespace and short literals in a sequence, fused to one lexeme each.

Flexible JSON has ``whitespace : whitespace`` between a name and its value. As one lexeme, its tokens are found once for all patterns, and
a position in it is one cell rather than two. Knows nothing of machines.

    "name" ws ":" ws "value"    becomes    "name" lexeme(ws ":" ws) "value"

>>> from rellm_agents.patterns.ir import CharSet
>>> from rellm_agents.patterns.ir import characters, lexeme, literal, repeat
>>> some = lexeme(repeat(characters(CharSet.of("- ")), 0, 9))
>>> [type(part).__name__ for part in fuse_whitespace((literal("name"), some, literal(":"), some, literal("value")))]
['Literal', 'Lexeme', 'Literal']
"""

from __future__ import annotations

from functools import lru_cache

from rellm_agents.patterns.ir import Characters, Lexeme, Literal, Node, Repeat, lexeme, sequence

MAX_LITERAL = 2  # bytes of a literal that is fused: longer ones differ from pattern to pattern
MAX_CHARACTERS = 8  # that may stand in optional whitespace


def fuse_whitespace(parts: tuple[Node, ...]) -> tuple[Node, ...]:
    """The parts of an equal sequence."""
    for part in parts:
        if part.nullable and type(part) is Lexeme and _is_space(part):
            return _fused(parts)
    return parts


def _fused(parts: tuple[Node, ...]) -> tuple[Node, ...]:
    found: list[Node] = []
    run: list[Node] = []
    for part in parts:
        if (type(part) is Literal and len(part.data) <= MAX_LITERAL) or (type(part) is Lexeme and part.nullable and _is_space(part)):
            run.append(part)
            continue
        found += _as_one(run)
        run = []
        found.append(part)
    found += _as_one(run)
    return tuple(found)


def _as_one(run: list[Node]) -> list[Node]:
    return run if len(run) < 2 or all(type(part) is Literal for part in run) else [_lexeme_of(tuple(run))]


@lru_cache(maxsize=256)
def _lexeme_of(run: tuple[Node, ...]) -> Node:
    return lexeme(sequence(*run))


@lru_cache(maxsize=256)
def _is_space(part: Lexeme) -> bool:
    inner = part.inner
    return (
        type(inner) is Repeat
        and type(inner.inner) is Characters
        and sum(last - first + 1 for first, last in inner.inner.charset.ranges) <= MAX_CHARACTERS
    )
