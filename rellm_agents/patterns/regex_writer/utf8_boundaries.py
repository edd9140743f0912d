"""A node in, nothing out: refused are nodes whose complements meet inside a character, so that no text alone tells them apart.

A complement matches byte strings, those that are no text included. Beside texts that does no harm - what is left of a
text without its texts is a text -, but two such complements can split a character between them.

>>> from rellm_agents.patterns.ir import TEXT, complement, intersection, literal, sequence
>>> refuse_parts_of_characters(sequence(intersection(TEXT, complement(literal("a"))), complement(literal("b"))))
>>> refuse_parts_of_characters(sequence(complement(literal("a")), complement(literal("b"))))
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


def refuse_parts_of_characters(node: Node) -> None:
    """Check a node.

    Raises:
        PatternError: two parts in a row, or a repeated one, match byte strings that are no text.
        UnsupportedRegex: what follows a part depends on its text.
    """
    _Check().whole(node)


class _Check:
    def __init__(self) -> None:
        self.bodies: dict[Rule, None] = {}
        self.known: dict[Node, bool] = {}

    def whole(self, node: Node) -> None:
        found = [self.beyond_text(node)]
        done = 0
        while done < len(self.bodies):  # a body may name further rules
            found.append(self.beyond_text(list(self.bodies)[done].body))
            done += 1
        if done and any(found):
            raise _refused()

    def beyond_text(self, node: Node) -> bool:
        """Whether byte strings may match that are no text."""
        if node not in self.known:
            self.known[node] = self.decided(node)
        return self.known[node]

    def number_beyond_text(self, nodes: tuple[Node, ...]) -> int:
        return sum(self.beyond_text(node) for node in nodes)

    def decided(self, node: Node) -> bool:
        match cast(AnyNode, node):
            case Literal() | Characters() | Utf8Tail() | Dfa():
                return False
            case Complement(inner):
                self.beyond_text(inner)
                return True
            case Intersection(parts):
                return self.number_beyond_text(parts) == len(parts)
            case Choice(options):
                return self.number_beyond_text(options) > 0
            case Sequence(parts):
                beyond = self.number_beyond_text(parts)
                if beyond > 1:
                    raise _refused()
                return beyond == 1
            case Repeat(inner, _, maximum):
                if self.beyond_text(inner) and maximum != 1:
                    raise _refused()
                return self.known[inner]
            case Lexeme(inner):
                return self.beyond_text(inner)
            case Rule() as rule:
                self.bodies[rule] = None
                return False
            case Capture():
                raise UnsupportedRegex("a text which may not be written twice is beyond regular expressions")


def _refused() -> PatternError:
    return PatternError(
        "complements meet inside a character: two in a row, or one that is repeated, split it between them; "
        "meet each with TEXT, e.g. intersection(TEXT, complement(a))"
    )
