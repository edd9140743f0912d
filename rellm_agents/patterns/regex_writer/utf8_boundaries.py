"""Refuses nodes whose complements meet inside a character, which no regex text can say.

A complement matches all byte strings but some, those that are not UTF-8 included. Next to texts this does no harm: what remains of a text
without its texts is a text. But two complements in a row can split a character between them.

>>> from rellm_agents.patterns.ir import TEXT, complement, intersection, literal, sequence
>>> refuse_split_characters(sequence(intersection(TEXT, complement(literal("a"))), complement(literal("b"))))
>>> refuse_split_characters(sequence(complement(literal("a")), complement(literal("b"))))
Traceback (most recent call last):
    ...
rellm_agents.errors.PatternError: complements meet inside a character: ...
"""

from __future__ import annotations

from typing import cast

from rellm_agents.errors import PatternError, UnsupportedRegex
from rellm_agents.patterns.ir import (
    AnyNode,
    Capture,
    Characters,
    Choice,
    Complement,
    Dfa,
    Intersection,
    Lexeme,
    Literal,
    Node,
    Repeat,
    Rule,
    Sequence,
    Utf8Tail,
)


def refuse_split_characters(node: Node) -> None:
    """Refuse a node with complements that can split a character, or with captures.

    Raises:
        PatternError: two parts in a row, or a repeated part, match byte strings that are not UTF-8.
        UnsupportedRegex: the node holds a capture.
    """
    _Check().whole(node)


class _Check:
    def __init__(self) -> None:
        self.bodies: dict[Rule, None] = {}
        self.known: dict[Node, bool] = {}

    def whole(self, node: Node) -> None:
        found = [self.is_beyond_utf8(node)]
        done = 0
        while done < len(self.bodies):  # a body may name further rules
            found.append(self.is_beyond_utf8(list(self.bodies)[done].body))
            done += 1
        if done and any(found):
            raise _refused()

    def is_beyond_utf8(self, node: Node) -> bool:
        """Whether byte strings may match that are not UTF-8."""
        if node not in self.known:
            self.known[node] = self.decided(node)
        return self.known[node]

    def count_beyond_utf8(self, nodes: tuple[Node, ...]) -> int:
        return sum(self.is_beyond_utf8(node) for node in nodes)

    def decided(self, node: Node) -> bool:
        match cast(AnyNode, node):
            case Literal() | Characters() | Utf8Tail() | Dfa():
                return False
            case Complement(inner):
                self.is_beyond_utf8(inner)
                return True
            case Intersection(parts):
                return self.count_beyond_utf8(parts) == len(parts)
            case Choice(options):
                return self.count_beyond_utf8(options) > 0
            case Sequence(parts):
                beyond = self.count_beyond_utf8(parts)
                if beyond > 1:
                    raise _refused()
                return beyond == 1
            case Repeat(inner, _, maximum):
                if self.is_beyond_utf8(inner) and maximum != 1:
                    raise _refused()
                return self.known[inner]
            case Lexeme(inner):
                return self.is_beyond_utf8(inner)
            case Rule() as rule:
                self.bodies[rule] = None
                return False
            case Capture():
                raise UnsupportedRegex(
                    "no regular expression says that a text may not come twice, such as a name in an object or an item of a list: for a "
                    'schema, write "additionalProperties": false into its objects and leave out "uniqueItems"'
                )


def _refused() -> PatternError:
    return PatternError(
        "complements meet inside a character: two in a row, or one that is repeated, split it between them; "
        "meet each with TEXT, e.g. intersection(TEXT, complement(a))"
    )
