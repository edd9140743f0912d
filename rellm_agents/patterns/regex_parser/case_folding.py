"""The syntax tree of a string under full case folding, where one character may match several.

Some characters fold to several, as the sharp s to two. So the folded string is cut into stretches that no such character crosses, and each
stretch becomes the alternation of all spellings to write it. Knows no flags.

    "ass"    a, then  ss | the sharp s

>>> type(folded("a")).__name__
'Class'
"""

from __future__ import annotations

from rellm_agents.patterns.ir import CharSet
from rellm_agents.patterns.regex_parser import classes
from rellm_agents.patterns.regex_parser.scanner import concat
from rellm_agents.patterns.regex_parser.syntax import NO_TEXT, Alternation, Class, Tree


def folded(text: str) -> Tree:
    """The tree of a stretch of text under full case folding."""
    letters, pieces = classes.full_foldings(text)
    longer: dict[str, list[str]] = {}
    single: dict[str, list[str]] = {}
    for c, piece in pieces.items():
        (single if len(piece) == 1 else longer).setdefault(piece, []).append(c)

    def between(begin: int, end: int) -> Tree:
        """All spellings of the stretch from ``begin`` to ``end``."""
        if begin == end:
            return NO_TEXT
        spellings: list[Tree] = []
        for stop in range(begin + 1, min(begin + 3, end) + 1):
            found = (single if stop == begin + 1 else longer).get(letters[begin:stop])
            if found:
                spellings.append(concat([Class(CharSet.of(found)), between(stop, end)]))
        return spellings[0] if len(spellings) == 1 else Alternation(tuple(spellings))

    parts: list[Tree] = []
    begin = reach = 0
    for i in range(len(letters)):
        reach = max(reach, i + 1, *(i + len(piece) for piece in longer if letters.startswith(piece, i)))
        if reach == i + 1:
            parts.append(between(begin, reach))
            begin = reach
    return concat(parts)
