"""Characters side by side in, the tree of all that full case folding takes for the same out.

Some characters fold to several, as the sharp s to two: a stretch of text is taken apart wherever one of these may stand in it.

>>> type(folded("a")).__name__
'Class'
"""

from __future__ import annotations

from rellm_agents.patterns.ir import CharSet
from rellm_agents.patterns.regex_parser import classes
from rellm_agents.patterns.regex_parser.scanner import row
from rellm_agents.patterns.regex_parser.syntax import NO_TEXT, Alternation, Class, Tree


def folded(text: str) -> Tree:
    """The tree of a stretch of text under full case folding."""
    letters, pieces = classes.full_foldings(text)
    longer: dict[str, list[str]] = {}
    single: dict[str, list[str]] = {}
    for c, piece in pieces.items():
        (single if len(piece) == 1 else longer).setdefault(piece, []).append(c)

    def between(begin: int, end: int) -> Tree:
        """All ways to write this stretch, none of which reads past it."""
        if begin == end:
            return NO_TEXT
        ways: list[Tree] = []
        for stop in range(begin + 1, min(begin + 3, end) + 1):
            found = (single if stop == begin + 1 else longer).get(letters[begin:stop])
            if found:
                ways.append(row([Class(CharSet.of(found)), between(stop, end)]))
        return ways[0] if len(ways) == 1 else Alternation(tuple(ways))

    parts: list[Tree] = []
    begin = reach = 0
    for i in range(len(letters)):
        reach = max(reach, i + 1, *(i + len(piece) for piece in longer if letters.startswith(piece, i)))
        if reach == i + 1:
            parts.append(between(begin, reach))
            begin = reach
    return row(parts)
