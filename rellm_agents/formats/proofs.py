r"""Patterns of what a format writes in, a text out that its reader would take for another one, if there is such a text.

A reader ends what stands in a text where the words behind it first occur. So what a declaration allows can be looked through for
texts that would be cut elsewhere.

>>> cut_early(choice(literal("ab"), literal("a>")), ">>"), cut_early(literal("ab"), ">>")
('a>>>', None)
"""

from __future__ import annotations

from collections.abc import Iterable

from rellm_agents.patterns import TEXT, Node, choice, intersection, lexeme, literal, not_containing, read_regex, repeat, sequence
from rellm_agents.patterns.measure import byte_length
from rellm_agents.patterns.nodes import CHARACTER
from rellm_agents.patterns.sampler import shortest_text

# What any JSON is spelled with: punctuation, numbers and names outside of strings, and strings without control characters.
_OUTSIDE, _INSIDE = read_regex(r"[{}\[\],:+\-.0-9Eaeflnrstu]"), read_regex(r'(?:[^"\\\x00-\x1f]|\\.)*')


def json_like(without: Iterable[str], *, blank: str = " \t\r\n") -> Node:
    """All JSON texts whose strings hold none of some texts, and more.

    Args:
        without: the texts.
        blank: what white space there may be outside of strings.
    """
    string = sequence(literal('"'), intersection(_INSIDE, not_containing(*without)), literal('"'))
    return lexeme(repeat(choice(_OUTSIDE, *map(literal, blank), string)))


def cut_early(node: Node, words: str) -> str | None:
    """A text that would be cut too early at the words behind it, with these; ``None``: there is none."""
    return common(sequence(node, literal(words)), sequence(TEXT, literal(words), TEXT, CHARACTER))


def common(one: Node, other: Node) -> str | None:
    """A shortest text of both; ``None``: there is none."""
    both = intersection(one, other)
    return None if byte_length(both) is None else shortest_text(both)
