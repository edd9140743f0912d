r"""What ``str.strip`` strips, as characters and as texts that it leaves as they are.

>>> from rellm_agents.patterns import Pattern
>>> [Pattern(STRIPPED).fullmatch(text) for text in ("a b", " a", "a\x1f", "")]
[True, False, False, True]
"""

from __future__ import annotations

from rellm_agents.patterns import EMPTY, TEXT, CharSet, characters, choice, sequence

SPACES = CharSet.of(character for character in map(chr, range(0x3001)) if character.isspace())  # there are none behind U+3000

_EDGE = characters(~SPACES)
STRIPPED = choice(EMPTY, _EDGE, sequence(_EDGE, TEXT, _EDGE))
