r"""What a reader strips or looks for in, the texts that it leaves as they are out, told by what they begin and end with.

>>> from rellm_agents.patterns.pattern import Pattern
>>> [Pattern(ends_outside(SPACES)).fullmatch(text) for text in ("a b", " a", "a\x1f", "")]
[True, False, False, True]
"""

from __future__ import annotations

from collections.abc import Iterable

from rellm_agents.patterns.ir.charset import CharSet
from rellm_agents.patterns.ir.constructors import EMPTY, TEXT, characters, choice, sequence
from rellm_agents.patterns.ir.node import Node

# The re module's \s holds them too; the regex module's leaves the information separators out. There are none behind U+3000.
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


def early_ends(marks: Iterable[str], words: str) -> tuple[str, ...]:
    """What a text without some marks cannot end with, since with the words behind it one of them would begin in it.

    Args:
        marks: what a reader looks for.
        words: what stands behind the text.

    >>> early_ends(["</a>", "aab"], ">>"), early_ends(["aab", "abab"], "abab")
    (('</a',), ('a', 'ab'))
    """
    pieces = ((mark[:i], mark[i:]) for mark in marks for i in range(1, len(mark)))
    return tuple(dict.fromkeys(end for end, rest in pieces if words.startswith(rest) or rest.startswith(words)))
