r"""Searches for texts that a format can write and its reader would cut in the wrong place.

A reader ends a slot at the first occurrence of the delimiter after it. A slot whose texts ``L`` are followed by the delimiter ``d`` is
ambiguous exactly if some text of ``L d`` holds ``d`` before its end, that is if ``L d`` and ``.* d .* .`` have a text in common. Both are
regular, so the emptiness of an intersection decides it (Rabin and Scott, 1959), and a shortest text of that is the counterexample to show.

    L = ab | a>    d = ">>"    L d = "ab>>", "a>>>"    "a>>>" is cut after "a": ambiguous

Some quick tests of the delimiters alone avoid building large automata. Knows nothing of declarations.

>>> early_end(choice(literal("ab"), literal("a>")), ">>"), early_end(literal("ab"), ">>")
('a>>>', None)
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from rellm_agents.patterns import TEXT, Node, choice, intersection, lexeme, literal, not_containing, read_regex, repeat, sequence
from rellm_agents.patterns.ir import CHARACTER
from rellm_agents.patterns.machine import has_text
from rellm_agents.patterns.sampling import shortest_text

# JSON is spelled with punctuation, numbers and names outside of strings, and with strings without control characters.
_PUNCTUATION = r"[{}\[\],:+\-.0-9Eaeflnrstu ]"
_OUTSIDE, _INSIDE = read_regex(_PUNCTUATION), read_regex(r'(?:[^"\\\x00-\x1f]|\\.)*')


def json_superset(banned: Iterable[str], *, has_lines: bool = False) -> Node:
    """A regular superset of all JSON texts whose strings hold none of some texts.

    Args:
        banned: the texts.
        has_lines: tabs and line breaks may stand between parts, and not only spaces.
    """
    string = sequence(literal('"'), intersection(_INSIDE, not_containing(*banned)), literal('"'))
    return lexeme(repeat(choice(_OUTSIDE, *map(literal, "\t\r\n" if has_lines else ""), string)))


def early_end(node: Node, delimiter: str) -> str | None:
    """A shortest text, with its delimiter, in which the delimiter occurs before the end; ``None``: there is none."""
    return common_text(sequence(node, literal(delimiter)), sequence(TEXT, literal(delimiter), TEXT, CHARACTER))


def cannot_occur(text: str, delimiters: Iterable[str], punctuation: str = _PUNCTUATION) -> bool:
    """Whether a text that no string holds cannot occur in a text of delimiters, strings and punctuation, as a quick test says.

    Args:
        text: the text that is searched for.
        delimiters: all texts that stand between strings and punctuation, quotes among them where they are not those of JSON.
        punctuation: a regex of one character of it.

    Returns:
        False also means that the quick test cannot say.
    """
    is_foreign = '"' not in text and any(not re.match(punctuation, c) for c in text)
    return is_foreign and not can_overlap(text, text) and not any(can_share(text, one) for one in delimiters)


def can_share(text: str, delimiter: str) -> bool:
    """Whether an occurrence of the text, anything before and after the delimiter, can share a character with the delimiter."""
    return text in delimiter or delimiter in text or can_overlap(text, delimiter) or can_overlap(delimiter, text)


def can_overlap(one: str, other: str) -> bool:
    """Whether some end of the one, not all of it, is a beginning of the other.

    >>> can_overlap("aba", "bac"), can_overlap("ab", "a")
    (True, False)
    """
    return any(one[-length:] == other[:length] for length in range(1, min(len(one), len(other))))


def common_text(one: Node, other: Node) -> str | None:
    """A shortest text of both; ``None``: there is none."""
    both = intersection(one, other)
    return shortest_text(both) if has_text(both) else None
