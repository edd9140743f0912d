"""A node as regex text that means the same to all engines that servers use: no lookaround, calls, flags or named groups, or an error.

Written are literals and sets, characters one by one, groups, ``|``, and the counts ``* + ? {m} {m,} {m,n}``: what XGrammar, llguidance
and Rust's ``regex`` read alike; outlines-core ends where an option was read that another one goes on from. They match whole texts with it.
Rules are written where they are used, intersections and complements by state elimination; options that match nothing are dropped.

>>> from rellm_agents.patterns.ir import difference, literal
>>> from rellm_agents.patterns.regex_reader import read_regex
>>> write_portable_regex(difference(read_regex("[a-c]"), literal("b")))
'[ac]'
"""

from __future__ import annotations

from typing import cast

from rellm_agents.errors import PatternTooLarge, UnsupportedRegex
from rellm_agents.patterns.automaton import without_boolean
from rellm_agents.patterns.ir import (
    EMPTY,
    MAX_DEPTH,
    NOTHING,
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
    choice,
    escape,
    escape_set,
    quantifier,
    repeat,
    sequence,
)
from rellm_agents.patterns.machine import has_text
from rellm_agents.patterns.regex_writer.utf8_boundaries import refuse_split_characters

MAX_LENGTH = 500_000  # characters; servers refuse far shorter texts

_ALTERNATION, _SEQUENCE, _ATOM = range(3)  # how tightly a text binds


def write_portable_regex(node: Node) -> str:
    """Regex text for ``node``, which must match something.

    Raises:
        UnsupportedRegex: a rule occurs inside itself, or the node holds a capture.
        PatternTooLarge: the text would be longer than ``MAX_LENGTH``, or rules are too deep inside each other.
        PatternError: complements meet inside a character, which no regex text can say.
    """
    refuse_split_characters(node)
    plain = _Expansion().of(node)
    return _text(plain, _ALTERNATION)


class _Expansion:
    """Nodes without rules, lexemes, intersections and complements, equal to given ones."""

    def __init__(self) -> None:
        self.known: dict[Node, Node] = {}
        self.lengths = _Lengths()
        self.open: set[Rule] = set()

    def of(self, node: Node) -> Node:
        if node not in self.known:
            made = self.made(node) if has_text(node) else NOTHING
            length = self.lengths.of(made)
            if length > MAX_LENGTH:
                raise PatternTooLarge(
                    f"the portable regex of this pattern has {length} characters or more, {MAX_LENGTH} at most: "
                    "it has neither lookahead nor named parts to say it shorter, as Pattern.regex has"
                )
            self.known[node] = made
        return self.known[node]

    def made(self, node: Node) -> Node:
        match cast(AnyNode, node):
            case Literal() | Characters():
                return node
            case Sequence(parts):
                return sequence(*map(self.of, parts))
            case Choice(options):
                return choice(*map(self.of, options))
            case Repeat(inner, minimum, maximum):
                return repeat(self.of(inner), minimum, maximum)
            case Lexeme(inner):
                return self.of(inner)
            case Intersection() | Complement() | Dfa():
                return without_boolean(node)
            case Rule() as rule:
                return self.body(rule)
            case Capture():
                raise AssertionError("captures are refused before")
            case Utf8Tail():
                raise AssertionError("a part of a character is made by derivatives only, and never written")

    def body(self, rule: Rule) -> Node:
        if rule in self.open:
            raise UnsupportedRegex(
                "a part of this pattern stands inside itself, which a portable regex cannot say: Pattern.regex and Pattern.gbnf can"
            )
        if len(self.open) >= MAX_DEPTH:
            raise PatternTooLarge(
                f"more than {MAX_DEPTH} rules stand inside each other, too deep for a portable regex: Pattern.regex can say it"
            )
        self.open.add(rule)
        body = self.of(rule.body)
        self.open.discard(rule)
        return body


class _Lengths:
    """About how long texts are, without making them: nodes that occur twice count twice."""

    def __init__(self) -> None:
        self.known: dict[Node, int] = {}

    def of(self, node: Node) -> int:
        if node not in self.known:
            self.known[node] = self.added_up(node)
        return self.known[node]

    def added_up(self, node: Node) -> int:
        match node:
            case Sequence(parts) | Choice(parts):
                return sum(map(self.of, parts)) + len(parts) + 3
            case Repeat(inner, minimum, maximum):
                return self.of(inner) + len(quantifier(minimum, maximum))
            case _:
                return len(_text(node, _ALTERNATION))


def _text(node: Node, binding: int) -> str:
    written, own = _written(node)
    return written if own >= binding else f"({written})"


def _written(node: Node) -> tuple[str, int]:
    match node:
        case Literal() as one:
            return escape(one.text, portable=True), _ATOM if len(one.text) == 1 else _SEQUENCE
        case Characters(charset):
            return escape_set(charset, portable=True), _ATOM
        case Sequence(parts):
            return "".join(_text(part, _SEQUENCE) for part in parts), _SEQUENCE
        case Choice(options) if EMPTY in options:  # e.g. a||b -> (?:a|b)?
            return f"{_text(choice(*(o for o in options if o is not EMPTY)), _ATOM)}?", _SEQUENCE
        case Choice(options):
            return "|".join(_text(option, _ALTERNATION) for option in options), _ALTERNATION
        case Repeat(inner, minimum, maximum):
            return _text(inner, _ATOM) + quantifier(minimum, maximum), _SEQUENCE
        case _:
            raise AssertionError(f"{node!r} is expanded before it is written")
