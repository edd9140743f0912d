r"""Texts that a reader's ``str.strip`` leaves alone, and ends that a text cannot have if a delimiter must not begin in it.

Knows nothing of readers beyond what they strip or look for.

>>> from rellm_agents.patterns.pattern import Pattern
>>> [Pattern(ends_outside(SPACES)).fullmatch(text) for text in ("a b", " a", "a\x1f", "")]
[True, False, False, True]
"""

from __future__ import annotations

from collections.abc import Iterable

from rellm_agents.patterns.ir.charset import CharSet
from rellm_agents.patterns.ir.constructors import EMPTY, TEXT, characters, choice, sequence
from rellm_agents.patterns.ir.node import Node

# The re module's \s holds the same; the regex module's lacks the information separators. None comes after U+3000.
SPACES = CharSet.of(character for character in map(chr, range(0x3001)) if character.isspace())
"""What ``str.strip`` strips."""


def ends_outside(stripped: CharSet, *, may_be_empty: bool = True) -> Node:
    """Texts that neither begin nor end with a character of a set.

    Args:
        stripped: the characters.
        may_be_empty: the empty text is among them.
    """
    edge = characters(~stripped)
    return choice(edge, sequence(edge, TEXT, edge), *([EMPTY] if may_be_empty else []))


def early_ends(delimiters: Iterable[str], after: str) -> tuple[str, ...]:
    """The ends that a text without some delimiters cannot have, since one would begin in it and be completed by what follows.

    Args:
        delimiters: what a reader looks for.
        after: what follows the text.

    >>> early_ends(["</a>", "aab"], ">>"), early_ends(["aab", "abab"], "abab")
    (('</a',), ('a', 'ab'))
    """
    pieces = ((one[:i], one[i:]) for one in delimiters for i in range(1, len(one)))
    return tuple(dict.fromkeys(end for end, rest in pieces if after.startswith(rest) or rest.startswith(after)))
