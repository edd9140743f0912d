r"""Patterns of what a format writes in, a text out that its reader would take for another one, if there is such a text.

A reader ends what stands in a text where the words behind it first occur. So what a declaration allows can be looked through for
texts that would be cut elsewhere.

>>> cut_early(choice(literal("ab"), literal("a>")), ">>"), cut_early(literal("ab"), ">>")
('a>>>', None)
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from rellm_agents.patterns import TEXT, Node, choice, intersection, lexeme, literal, not_containing, read_regex, repeat, sequence
from rellm_agents.patterns.ir import CHARACTER
from rellm_agents.patterns.machine import has_text
from rellm_agents.patterns.sampling import shortest_text

# What any JSON is spelled with: punctuation, numbers and names outside of strings, and strings without control characters.
_PUNCTUATION = r"[{}\[\],:+\-.0-9Eaeflnrstu ]"
_OUTSIDE, _INSIDE = read_regex(_PUNCTUATION), read_regex(r'(?:[^"\\\x00-\x1f]|\\.)*')


def json_like(without: Iterable[str], *, has_lines: bool = False) -> Node:
    """All JSON texts whose strings hold none of some texts, and more.

    Args:
        without: the texts.
        has_lines: there may be more than spaces between parts.
    """
    string = sequence(literal('"'), intersection(_INSIDE, not_containing(*without)), literal('"'))
    return lexeme(repeat(choice(_OUTSIDE, *map(literal, "\t\r\n" if has_lines else ""), string)))


def cut_early(node: Node, words: str) -> str | None:
    """A text that would be cut too early at the words behind it, with these; ``None``: there is none."""
    return common(sequence(node, literal(words)), sequence(TEXT, literal(words), TEXT, CHARACTER))


def stands_apart(text: str, words: Iterable[str], outside: str = _PUNCTUATION) -> bool:
    """Whether a text that no string holds cannot stand in what words, strings and punctuation make up, told without looking at it.

    Args:
        text: that is looked for.
        words: all that stand between strings and punctuation, quotes among them where they are not of JSON.
        outside: a regex of one character of the punctuation.
    """
    is_foreign = '"' not in text and any(not re.match(outside, c) for c in text)
    return is_foreign and not can_overlap(text, text) and not any(touches(text, one) for one in words)


def touches(text: str, words: str) -> bool:
    """A text of words, with anything before and behind, may hold a text that covers one of their characters."""
    return text in words or words in text or can_overlap(text, words) or can_overlap(words, text)


def can_overlap(one: str, other: str) -> bool:
    """The one may end in the midst of the other."""
    return any(one[-length:] == other[:length] for length in range(1, min(len(one), len(other))))


def common(one: Node, other: Node) -> str | None:
    """A shortest text of both; ``None``: there is none."""
    both = intersection(one, other)
    return shortest_text(both) if has_text(both) else None
