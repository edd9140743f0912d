r"""A node in, regex text in the ``regex`` module's dialect out: ``regex.fullmatch`` accepts the same texts.

Rules become named groups of a ``(?(DEFINE)...)`` block, called as ``(?&name)``. Intersections and complements are
written out by removing the states of their automaton.

>>> from rellm_agents.patterns.regex_text import read_regex
>>> write_regex(read_regex(r"(\{|[a-c]{2,}?)\n"))
'(?:\\{|[a-c]{2,})\\n'
"""

from __future__ import annotations

from typing import cast

from rellm_agents.patterns.charset import CharSet, Range
from rellm_agents.patterns.elimination import without_boolean
from rellm_agents.patterns.kinds import (
    AnyNode,
    Characters,
    Choice,
    Complement,
    Intersection,
    Lexeme,
    Literal,
    Node,
    Repeat,
    Rule,
    Sequence,
    Tail,
)

_SPECIAL = frozenset("\\.^$*+?{}[]|()")
_SPECIAL_IN_CLASS = frozenset("\\]^-[&|~")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\f": "\\f", "\v": "\\v"}
_NOTHING = "(?!)"

_ALTERNATION, _SEQUENCE, _ATOM = range(3)  # how tightly a text binds


def write_regex(node: Node) -> str:
    """Regex text for ``node``.

    Raises:
        PatternTooLarge: an intersection or complement has too many states to be written out.
    """
    writer = _Writer()
    main = writer.text(node, _ALTERNATION)
    return writer.definitions() + main


class _Writer:
    def __init__(self) -> None:
        self.names: dict[Rule, str] = {}

    def definitions(self) -> str:
        bodies = []
        for rule, name in self._all_rules():
            bodies.append(f"(?<{name}>{self.text(rule.body, _ALTERNATION)})")
        return f"(?(DEFINE){''.join(bodies)})" if bodies else ""

    def _all_rules(self) -> list[tuple[Rule, str]]:
        done: list[tuple[Rule, str]] = []
        while len(done) < len(self.names):  # writing a body may name further rules
            for rule, name in list(self.names.items())[len(done) :]:
                self.text(rule.body, _ALTERNATION)
                done.append((rule, name))
        return done

    def text(self, node: Node, binding: int) -> str:
        written, own = self._written(node)
        return written if own >= binding else f"(?:{written})"

    def _written(self, node: Node) -> tuple[str, int]:
        match cast(AnyNode, node):
            case Literal() as one:
                return "".join(map(_character, one.text)), _ATOM if len(one.text) == 1 else _SEQUENCE
            case Characters(charset):
                return _class(charset), _ATOM
            case Sequence(parts):
                return "".join(self.text(part, _SEQUENCE) for part in parts), _SEQUENCE
            case Choice(options):
                if not options:
                    return _NOTHING, _ATOM
                return "|".join(self.text(option, _ALTERNATION) for option in options), _ALTERNATION
            case Repeat(inner, minimum, maximum):
                return self.text(inner, _ATOM) + _count(minimum, maximum), _SEQUENCE
            case Lexeme(inner):
                return self._written(inner)
            case Rule() as rule:
                name = self.names.setdefault(rule, f"r{len(self.names) + 1}")
                return f"(?&{name})", _ATOM
            case Intersection() | Complement():
                return self._written(without_boolean(node))
            case Tail():
                raise AssertionError("a part of a character is made by derivatives only, and never written")


def _count(minimum: int, maximum: int | None) -> str:
    match minimum, maximum:
        case 0, None:
            return "*"
        case 1, None:
            return "+"
        case 0, 1:
            return "?"
        case _ if minimum == maximum:
            return f"{{{minimum}}}"
        case _:
            return f"{{{minimum},{'' if maximum is None else maximum}}}"


def _class(charset: CharSet) -> str:
    inverse = ~charset
    if not inverse:
        return "(?s:.)"
    if len(inverse.ranges) < len(charset.ranges):
        return f"[^{''.join(map(_range, inverse.ranges))}]"
    return f"[{''.join(map(_range, charset.ranges))}]"


def _range(pair: Range) -> str:
    first, last = (_character(chr(i), _SPECIAL_IN_CLASS) for i in pair)
    if pair[0] == pair[1]:
        return first
    return first + last if pair[0] + 1 == pair[1] else f"{first}-{last}"


def _character(c: str, special: frozenset[str] = _SPECIAL) -> str:
    if c in special:
        return "\\" + c
    if c in _SHORT:
        return _SHORT[c]
    if c.isprintable():
        return c
    code = ord(c)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
