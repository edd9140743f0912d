r"""A whitespace style in, pattern nodes for the parts of JSON text out: strings, numbers, separators, given values.

The one spelling of every value is that of :func:`dumps`: strings raw in UTF-8 with short escapes, other control
characters as ``\u00xx``; numbers without an exponent. Knows nothing of schemas.

>>> from rellm_agents.patterns import Pattern
>>> Pattern(STRING).fullmatch('"café"'), Pattern(STRING).fullmatch('"two\nlines"'), Pattern(STRING).fullmatch(r'"two\nlines"')
(True, False, True)
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from math import isfinite
from typing import Any, Literal, get_args

from rellm_agents.patterns import EMPTY, Node, characters, choice, lexeme, literal, read_regex, repeat, sequence
from rellm_agents.patterns.charset import CharSet

MAX_DIGITS = 20  # before the point, and after it: a model cannot loop in digits
MAX_WHITESPACE = 20  # in one run, where whitespace is flexible: a model cannot loop in spaces

Whitespace = Literal["spaced", "compact", "flexible"]

STRING_REST = lexeme(read_regex(r'(?:[^"\\\x00-\x1f]|\\["\\nrtbf]|\\u00(?:0[0-7be-f]|1[0-9a-f]))*"'))  # after the opening quote
NULL, BOOLEAN = literal("null"), choice(literal("true"), literal("false"))
STRING = sequence(literal('"'), STRING_REST)
INTEGER = lexeme(read_regex(rf"0|-?[1-9][0-9]{{0,{MAX_DIGITS - 1}}}"))
NUMBER = lexeme(read_regex(rf"0|-?[1-9][0-9]{{0,{MAX_DIGITS - 1}}}|-?(?:0|[1-9][0-9]{{0,{MAX_DIGITS - 1}}})\.[0-9]{{1,{MAX_DIGITS}}}"))


def dumps(value: Any, separators: tuple[str, str] = (", ", ": ")) -> str:
    """JSON text as ``json.dumps(value, ensure_ascii=False)`` writes it, but for floats, which get no exponent.

    Args:
        value: what JSON can say; keys of objects are strings.
        separators: after an item, and after a key.

    Raises:
        ValueError: an infinite float or not-a-number, for which JSON has no text.

    >>> dumps({"small": 1e-7, "large": 2e16})
    '{"small": 0.0000001, "large": 20000000000000000.0}'
    """
    comma, colon = separators
    match value:
        case dict():
            return "{" + comma.join(dumps(k) + colon + dumps(v, separators) for k, v in value.items()) + "}"
        case list() | tuple():
            return "[" + comma.join(dumps(v, separators) for v in value) + "]"
        case float() if isfinite(value):
            text = format(Decimal(repr(value)), "f")
            return text if "." in text else text + ".0"
        case _:
            return json.dumps(value, ensure_ascii=False, allow_nan=False)


@dataclass(frozen=True)
class Layout:
    """What stands between the parts of JSON text.

    Attributes:
        comma, colon: the separators, with the whitespace around them.
        opened, closing: whitespace after ``{`` or ``[`` and before ``}`` or ``]``.
        separators: for :func:`dumps`, to write the same style.
    """

    comma: Node
    colon: Node
    opened: Node
    closing: Node
    separators: tuple[str, str]

    @property
    def is_flexible(self) -> bool:
        """A value has several texts."""
        return self.opened is not EMPTY

    @property
    def after_item(self) -> bytes:
        """The bytes that can come behind an item of a list."""
        return b",] \t\r\n" if self.is_flexible else b",]"

    @classmethod
    def of(cls, whitespace: Whitespace) -> Layout:
        """The layout of a whitespace style.

        Raises:
            ValueError: there is no such style.
        """
        match whitespace:
            case "spaced":
                return cls(literal(", "), literal(": "), EMPTY, EMPTY, (", ", ": "))
            case "compact":
                return cls(literal(","), literal(":"), EMPTY, EMPTY, (",", ":"))
            case "flexible":
                # A lexeme, not a counter: its few states are walked once for all schemas, where a counter is a place of each.
                some = lexeme(repeat(characters(CharSet.of(" \t\r\n")), 0, MAX_WHITESPACE))
                return cls(sequence(some, literal(","), some), sequence(some, literal(":"), some), some, some, (", ", ": "))
        raise ValueError(f"whitespace={whitespace!r}: there are {', '.join(map(repr, get_args(Whitespace)))}")

    def value(self, value: Any, *, fractions: bool = False) -> Node:
        """Exactly this value.

        Args:
            value: what JSON can say.
            fractions: a whole number may also be written with a fraction of zero.

        >>> from rellm_agents.patterns import Pattern
        >>> Pattern(Layout.of("compact").value({"a": [1, None]})).shortest()
        '{"a":[1,null]}'
        """
        match value:
            case dict():
                return self.object_of((key, self.value(inner, fractions=fractions)) for key, inner in value.items())
            case list():
                return self._between("[", [self.value(inner, fractions=fractions) for inner in value], "]")
            case int() | float() | Decimal() if not isinstance(value, bool) and value == int(value):
                return choice(literal(str(int(value))), *([literal(f"{int(value)}.0")] if fractions else []))
            case _:
                return literal(dumps(value, self.separators))

    def key(self, name: str) -> Node:
        """A property's name, and what stands before its value."""
        return sequence(literal(dumps(name)), self.colon)

    def object_of(self, members: Iterable[tuple[str, Node]]) -> Node:
        """An object of just these properties, in this order: names and values."""
        return self._between("{", [sequence(self.key(name), value) for name, value in members], "}")

    def _between(self, opening: str, parts: list[Node], closing: str) -> Node:
        pieces = [piece for i, part in enumerate(parts) for piece in ((self.comma, part) if i else (part,))]
        return sequence(literal(opening), self.opened, *pieces, self.closing if parts else EMPTY, literal(closing))
