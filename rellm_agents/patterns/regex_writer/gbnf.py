r"""A node as a grammar in GBNF, the notation of llama.cpp's ``grammars/README.md``: recursion is said, lookaround is written out.

Rules, and large nodes that occur several times, become rules of the grammar, so that the text is linear in the node. Intersections and
complements become automata, with a rule for each state, which reads a character and goes on with another. The rule ``root`` is the whole.

>>> from rellm_agents.patterns.ir import literal, optional, rule, sequence
>>> nested = rule("gbnf.nested", lambda: sequence(literal("("), optional(nested), literal(")")))
>>> print(write_gbnf(nested))
root ::= r1
r1 ::= "(" r1? ")"
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import cast

from rellm_agents.errors import PatternTooLarge, UnsupportedRegex
from rellm_agents.patterns.automaton import character_automaton, minimised
from rellm_agents.patterns.ir import (
    EMPTY,
    AnyNode,
    Capture,
    Characters,
    CharSet,
    Choice,
    Complement,
    Dfa,
    Intersection,
    Lexeme,
    Literal,
    Node,
    Range,
    Repeat,
    Rule,
    Sequence,
    Utf8Tail,
    characters,
    choice,
    quantifier,
    without_name,
)
from rellm_agents.patterns.machine import has_text
from rellm_agents.patterns.regex_writer.automaton_rules import automaton_rules, is_worth_a_rule
from rellm_agents.patterns.regex_writer.utf8_boundaries import refuse_split_characters

MAX_LENGTH = 500_000  # characters; servers refuse far shorter grammars
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

_ALTERNATION, _SEQUENCE, _ATOM = range(3)  # how tightly a text binds
_SHORT = {"\0": "\\x00", '"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_SHORT_IN_CLASS = {"\\": "\\\\", "]": "\\]", "[": "\\[", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_CODED_IN_CLASS = "\0^-"  # no character, or one with a meaning of its own at its place, and no short escape


def write_gbnf(node: Node) -> str:
    """The grammar of ``node``, which must match something; rules end in line feeds.

    Raises:
        UnsupportedRegex: the node holds a capture, or names a special token, which is no text.
        PatternTooLarge: the grammar would be longer than ``MAX_LENGTH``, or an intersection needs too many states.
        PatternError: complements meet inside a character, which no grammar of characters can say.
    """
    refuse_split_characters(node)
    if node.has_special:
        raise UnsupportedRegex("this pattern names special tokens, which a grammar of characters cannot say")
    return _Writer().whole(node)


class _Writer:
    def __init__(self) -> None:
        self.plain: dict[Node, Node] = {}
        self.uses: Counter[Node] = Counter()
        self.names: dict[Node, str] = {}
        self.named = 0
        self.waiting: list[Node] = []
        self.known: dict[Node, tuple[str, int]] = {}

    def whole(self, node: Node) -> str:
        self.count(node)
        rules = [f"root ::= {self.text(node, _ALTERNATION)}"]
        length = len(rules[0])
        while self.waiting:
            one = self.waiting.pop(0)
            made = list(self.rules_of(one))
            rules += made
            length += sum(map(len, made))
            if length > MAX_LENGTH:
                raise PatternTooLarge(f"the grammar of this pattern has {length} characters or more, {MAX_LENGTH} at most")
        return "\n".join(rules)

    def rules_of(self, node: Node) -> Iterator[str]:
        """The rules of a node that has a name."""
        name = self.names[node]
        match node:
            case Rule():
                self.count(node.body)
                yield f"{name} ::= {self.text(node.body, _ALTERNATION)}"
            case Intersection() | Complement() | Dfa():
                automaton = minimised(character_automaton(node))
                self.uses.update(characters(charset) for moves in automaton.moves for charset, _ in moves)
                yield from automaton_rules(automaton, name, self.new_name, lambda charset: self.text(characters(charset), _ATOM))
            case _:
                yield f"{name} ::= {self.written(node)[0]}"

    def of(self, node: Node) -> Node:
        """The node without what no grammar has a word for."""
        if node not in self.plain:
            made = without_name(node)
            match cast(AnyNode, made):
                case Lexeme(inner):
                    made = self.of(inner)
                case Choice(options):
                    kept = choice(*(option for option in options if has_text(option)))
                    made = made if kept is made else self.of(kept)
                case Repeat(inner, 0) if not has_text(inner):
                    made = EMPTY
                case _:
                    pass
            self.plain[node] = made
        return self.plain[node]

    def count(self, node: Node) -> None:
        """How often each node stands in the text of another, with inner ones that occur twice counted once."""
        waiting = [node]
        while waiting:
            one = self.of(waiting.pop())
            self.uses[one] += 1
            if self.uses[one] > 1:
                continue
            match one:
                case Sequence(parts) | Choice(parts):
                    waiting += parts
                case Repeat(inner):
                    waiting.append(inner)
                case _:
                    pass

    def text(self, node: Node, binding: int) -> str:
        node = self.of(node)
        if isinstance(node, (Rule, Intersection, Complement, Dfa)):
            return self.called(node)
        if node not in self.known:
            self.known[node] = self.written(node)
        written, own = self.known[node]
        if node in self.names or is_worth_a_rule(len(written), self.uses[node]):
            return self.called(node)
        return written if own >= binding else f"({written})"

    def called(self, node: Node) -> str:
        if node not in self.names:
            self.names[node] = self.new_name()
            self.waiting.append(node)
        return self.names[node]

    def new_name(self) -> str:
        """A name that no rule has: ``r`` and a number, in base 36 since there may be thousands."""
        self.named += 1
        number, digits = self.named, ""
        while number:
            number, digit = divmod(number, len(_DIGITS))
            digits = _DIGITS[digit] + digits
        return f"r{digits}"

    def written(self, node: Node) -> tuple[str, int]:
        match cast(AnyNode, node):
            case Literal() as one:
                return _quoted(one.text), _ATOM
            case Characters(charset):
                return _class(charset), _ATOM
            case Sequence(parts):
                return " ".join(self.text(part, _SEQUENCE) for part in parts), _SEQUENCE
            case Choice(options) if EMPTY in options:
                rest = [option for option in options if option is not EMPTY]
                return f"({' | '.join(self.text(one, _ALTERNATION) for one in rest)})?", _SEQUENCE
            case Choice(options):
                return " | ".join(self.text(option, _ALTERNATION) for option in options), _ALTERNATION
            case Repeat(inner, minimum, maximum):
                return self.text(inner, _ATOM) + quantifier(minimum, maximum), _SEQUENCE
            case Capture():
                raise AssertionError("captures are refused before")
            case Utf8Tail() | Lexeme() | Intersection() | Complement() | Dfa() | Rule():
                raise AssertionError(f"{node!r} is replaced before it is written")


def _quoted(text: str) -> str:
    return f'"{"".join(_SHORT.get(c, c) for c in text)}"'


def _class(charset: CharSet) -> str:
    inverse = ~charset
    if not inverse:
        return '([^\\n] | "\\n")'
    negated = len(inverse.ranges) < len(charset.ranges)
    members = inverse if negated else charset
    coded = [c for c in _CODED_IN_CLASS if c in members]  # written last, where no hexadecimal digit follows
    written = [*map(_range, (members & ~CharSet.of("".join(coded))).ranges), *(f"\\x{ord(c):02x}" for c in coded)]
    return f"[{'^' if negated else ''}{''.join(written)}]"


def _range(pair: Range) -> str:
    first, last = (_SHORT_IN_CLASS.get(chr(code), chr(code)) for code in pair)
    if pair[0] == pair[1]:
        return first
    return first + last if pair[0] + 1 == pair[1] else f"{first}-{last}"
