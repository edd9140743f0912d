r"""Reads regex text into a node; text that is outside the dialect, or not regular, is an error with a caret.

Three dialects are read: that of the ``regex`` module (versions 0 and 1), as ``regex.fullmatch`` takes it; that of Python's own ``re``
module, as ``re.fullmatch`` takes it; and ECMA-262 with the ``u`` flag, as the JSON Schema keyword ``pattern`` has it. Patterns that the
two modules have compiled are read with their flags.

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

import re
from collections.abc import Callable, Container
from functools import lru_cache

from rellm_agents.errors import PatternTooLarge, RegexSyntaxError
from rellm_agents.limits import DEFAULT_LIMITS, Limits
from rellm_agents.patterns.ir import Node
from rellm_agents.patterns.regex_parser import (
    ANY_CHARACTER,
    Concat,
    Dialect,
    Flags,
    RegexLike,
    Repetition,
    Scanner,
    Tree,
    first_look,
    parse_ecma,
    parse_re,
    parse_regex,
    source_of,
    widths,
)
from rellm_agents.patterns.regex_reader.compiler import compile_tree


def read_regex(text: RegexLike, *, dialect: Dialect = "regex", search: bool = False, limits: Limits = DEFAULT_LIMITS) -> Node:
    """The node of the texts that a regex matches as a whole.

    Args:
        text: regex text, or a compiled pattern of ``regex`` or of ``re``, which means what it means to its module.
        dialect: of a text: ``"regex"``, the ``regex`` module's; ``"re"``, the ``re`` module's; ``"ecma"``, ECMA-262 with the ``u`` flag.
        search: the texts that the regex matches somewhere inside, as the JSON Schema keyword ``pattern`` asks for.
        limits: on what it may ask for.

    Raises:
        RegexSyntaxError: the text is not in the dialect, or says what is not regular; names the offset. Or a flag that a pattern was
            compiled with has no counterpart; names it.
        TypeError: neither text nor a compiled pattern.

    >>> read_regex("^a", dialect="ecma", search=True) is read_regex("(?s)a.*")
    True
    >>> read_regex(re.compile("a{,}", re.I)) is read_regex("[aA]*")
    True
    """
    if not isinstance(text, str):
        source = source_of(text)
    elif dialect == "re":
        try:
            source = source_of(re.compile(text))
        except re.error as error:
            raise RegexSyntaxError(text, error.pos or 0, f"the re module does not read this: {error.msg}") from error
    else:
        return _read(text, dialect, None, search, limits)
    return _read(source.text, source.dialect, source.flags, search, limits)


@lru_cache(maxsize=1_024)
def _read(text: str, dialect: Dialect, flags: Flags | None, search: bool, limits: Limits) -> Node:  # noqa: FBT001 - the key of a memo
    scanner: Scanner
    groups: dict[int, Tree] = {}
    if dialect == "ecma":
        tree, scanner = parse_ecma(text, limits)
    elif dialect == "re":
        tree, scanner = parse_re(text, flags or Flags(), limits)
    else:
        tree, groups, _, scanner = parse_regex(text, flags=flags, limits=limits)
    if search:
        anything = Repetition(ANY_CHARACTER, 0, None, "greedy", 0)
        parts = _without_ends(tree) if dialect == "ecma" else (tree,)
        tree = Concat((anything, *parts, anything)) if parts else anything
    try:
        return compile_tree(tree, groups, scanner)
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


def read_composed(text: RegexLike, parts: Container[str], part: Callable[[str], Node], limits: Limits = DEFAULT_LIMITS) -> Node:
    """The node of a regex that calls parts by name, which are made elsewhere.

    Args:
        text: regex text in the ``regex`` module's dialect; ``(?&name)`` stands for the part of this name. Or a compiled pattern, which
            calls none: its module would not have compiled it.
        parts: what may be called.
        part: makes the part of a name.
        limits: on what it may ask for.

    Raises:
        RegexSyntaxError: as :func:`read_regex`.

    >>> from rellm_agents.patterns.ir import literal
    >>> read_composed("a(?&b)", {"b"}, literal) is literal("ab")
    True
    """
    if not isinstance(text, str):
        return read_regex(text, limits=limits)
    tree, groups, called, scanner = parse_regex(text, parts, limits=limits)
    return compile_tree(tree, groups, scanner, {number: part(name) for number, name in called.items()})
