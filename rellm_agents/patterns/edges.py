r"""Characters that a reader strips in, the texts that it leaves as they are out: those with none of them at either end.

>>> from rellm_agents.patterns import Pattern
>>> [Pattern(ends_outside(SPACES)).fullmatch(text) for text in ("a b", " a", "a\x1f", "")]
[True, False, False, True]
"""

from __future__ import annotations

from rellm_agents.patterns.charset import CharSet
from rellm_agents.patterns.node import Node
from rellm_agents.patterns.nodes import EMPTY, TEXT, characters, choice, sequence

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
