r"""Regex text in, a node out; what is outside the dialect, or not regular, is an error with a caret.

Two dialects are read: that of the ``regex`` module (versions 0 and 1), as ``regex.fullmatch`` takes it, and ECMA-262 with
the ``u`` flag, as the JSON Schema keyword ``pattern`` has it. Knows nothing of JSON, tokens or what a pattern is for.
In reading order:

    syntax       the tree that both dialects are read into
    reading      text under a finger; bounds on nesting and counts
    flags        the letters i f s m x a w
    classes      what a class holds, with and without case
    sets         escapes and classes of the ``regex`` module's dialect
    parser       the ``regex`` module's dialect -> tree
    ecma         ECMA-262 -> tree
    atomic       refuses atomic parts that change what matches
    lookaround   lookaround by meeting what stands beside it
    context      lookaround anywhere, by an automaton
    compiler     tree -> node

>>> from rellm_agents.patterns.ir import literal
>>> read_regex("a(?:b)") is literal("ab")
True
>>> read_regex(r"(a)\1")
Traceback (most recent call last):
  ...
rellm_agents.errors.RegexSyntaxError: a back-reference is not regular: write out what may stand here, at position 3:
  (a)\1
     ^
"""

from __future__ import annotations

from collections.abc import Callable, Container
from functools import lru_cache
from typing import Literal

from rellm_agents.errors import PatternTooLarge, RegexSyntaxError
from rellm_agents.patterns.ir import Node
from rellm_agents.patterns.regex_parser import (
    ANY_CHARACTER,
    MAX_COUNT,
    MAX_NESTING,
    Concat,
    Repetition,
    Scanner,
    Tree,
    first_look,
    parse_ecma,
    parse_regex,
    widths,
)
from rellm_agents.patterns.regex_reader.compiler import compile_tree

__all__ = ["MAX_COUNT", "MAX_NESTING", "read_composed", "read_regex"]


@lru_cache(maxsize=1_024)
def read_regex(text: str, *, dialect: Literal["regex", "ecma"] = "regex", search: bool = False) -> Node:
    """The node of the texts that a regex matches as a whole.

    Args:
        text: regex text.
        dialect: ``"regex"``, the ``regex`` module's; ``"ecma"``, ECMA-262 with the ``u`` flag.
        search: the texts that the regex matches somewhere inside, as the JSON Schema keyword ``pattern`` asks for.

    Raises:
        RegexSyntaxError: the text is not in the dialect, or says what is not regular; names the place.

    >>> read_regex("^a", dialect="ecma", search=True) is read_regex("(?s)a.*")
    True
    """
    reading: Scanner
    groups: dict[int, Tree] = {}
    if dialect == "ecma":
        tree, reading = parse_ecma(text)
    else:
        tree, groups, _, reading = parse_regex(text)
    if search:
        anything = Repetition(ANY_CHARACTER, 0, None, "greedy", 0)
        parts = _without_ends(tree) if dialect == "ecma" else (tree,)
        tree = Concat((anything, *parts, anything)) if parts else anything
    try:
        return compile_tree(tree, groups, reading)
    except PatternTooLarge as error:
        raise RegexSyntaxError(text, 0, str(error)) from error


def _without_ends(tree: Tree) -> tuple[Tree, ...]:
    """The parts to be searched for, e.g. ``.*ab?`` -> ``a``: what may be empty at either end is found wherever the rest is.

    Not where parts are atomic, or call others, which ECMA-262 does not have.
    """
    parts = list(tree.parts) if isinstance(tree, Concat) else [tree]
    for end in (0, -1):
        while parts and widths(parts[end], {})[0] == 0 and first_look(parts[end]) is None:
            parts.pop(end)
    return tuple(parts)


def read_composed(text: str, parts: Container[str], part: Callable[[str], Node]) -> Node:
    """The node of a regex in the ``regex`` module's dialect that calls parts by name, which are made elsewhere.

    Args:
        text: regex text; ``(?&name)`` stands for the part of this name.
        parts: what may be called.
        part: makes the part of a name.

    Raises:
        RegexSyntaxError: as :func:`read_regex`.

    >>> from rellm_agents.patterns.ir import literal
    >>> read_composed("a(?&b)", {"b"}, literal) is literal("ab")
    True
    """
    tree, groups, called, reading = parse_regex(text, parts)
    return compile_tree(tree, groups, reading, {number: part(name) for number, name in called.items()})
