r"""A whitespace style in, pattern nodes for the parts of JSON text out: strings, numbers, separators, given values.

The one spelling of every value is that of :func:`dumps`: strings raw in UTF-8 with short escapes, other control
characters as ``\u00xx``; numbers with an exponent where Python writes one. Knows nothing of schemas.

>>> from rellm_agents.patterns import Pattern
>>> Pattern(STRING).fullmatch('"café"'), Pattern(STRING).fullmatch('"two\nlines"'), Pattern(STRING).fullmatch(r'"two\nlines"')
(True, False, True)
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, get_args

from rellm_agents.patterns import EMPTY, Node, characters, choice, lexeme, literal, read_regex, repeat, sequence
from rellm_agents.patterns.charset import CharSet

MAX_DIGITS = 20  # before the point, and after it: a model cannot loop in digits
MAX_WHITESPACE = 20  # in one run, where whitespace is flexible: a model cannot loop in spaces

Whitespace = Literal["spaced", "compact", "flexible"]

STRING_REST = lexeme(read_regex(r'(?:[^"\\\x00-\x1f]|\\["\\nrtbf]|\\u00(?:0[0-7be-f]|1[0-9a-f]))*"'))  # after the opening quote
NULL, BOOLEAN = literal("null"), choice(literal("true"), literal("false"))
STRING = sequence(literal('"'), STRING_REST)


def dumps(value: Any, separators: tuple[str, str] = (", ", ": ")) -> str:
    """JSON text as ``json.dumps`` writes it with ``ensure_ascii=False``.

    Args:
        value: what JSON can say; keys of objects are strings.
        separators: after an item, and after a key.

    Raises:
        ValueError: an infinite float or not-a-number, for which JSON has no text.

    >>> dumps({"small": 1e-7, "café": [2.5]})
    '{"small": 1e-07, "café": [2.5]}'
    """
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=separators)


def quoted(text: str, without: Sequence[str] = ()) -> str:
    r"""A string as JSON text that holds none of ``without``: where one would be complete, its last character is written by its number.

    >>> quoted("a ``` and ````", without=["```"])
    '"a ``\\u0060 and ``\\u0060`"'
    """
    plain = dumps(text)
    if not any(one in plain for one in without):
        return plain
    found = ""
    for c in text:
        spelled = dumps(c)[1:-1]
        found += by_number(c) if spelled == c and any((found + c).endswith(one) for one in without) else spelled
    return f'"{found}"'


def by_number(character: str) -> str:
    """A character as JSON text that spells it by its code units."""
    return json.dumps(character)[1:-1] if character > "\x7f" else f"\\u{ord(character):04x}"


def checked_without(texts: Iterable[str]) -> tuple[str, ...]:
    """Texts that strings can be written without.

    Raises:
        ValueError: one is empty, or stands in strings whatever is done: in escapes, or with what is always escaped.

    >>> checked_without(["```", "</tool>"])
    ('```', '</tool>')
    >>> checked_without(["00"])
    Traceback (most recent call last):
      ...
    ValueError: without='00': strings cannot be written without it, since escapes are written with it
    """
    if isinstance(texts, str):
        raise ValueError(f"without={texts!r}: pass a list of texts")  # noqa: TRY004 - as other options that are not known
    found = tuple(dict.fromkeys(texts))
    for one in found:
        if not one or dumps(one)[1:-1] != one:
            raise ValueError(f"without={one!r}: strings never hold it as it is, since part of it is always escaped")
        if re.fullmatch("[bfnrt]|u[0-9a-f]{0,4}|[0-9a-f]{1,4}", one):
            raise ValueError(f"without={one!r}: strings cannot be written without it, since escapes are written with it")
    return found


@dataclass(frozen=True)
class Layout:
    """What stands between the parts of JSON text.

    Attributes:
        comma, colon: the separators, with the whitespace around them.
        opened, closing: whitespace after ``{`` or ``[`` and before ``}`` or ``]``.
        separators: for :func:`dumps`, to write the same style.
        without: texts that no string holds as they are, see :func:`quoted`.
    """

    comma: Node
    colon: Node
    opened: Node
    closing: Node
    separators: tuple[str, str]
    without: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Tells it from others."""
        return f"{self.separators} {self.is_flexible} {self.without}"

    @property
    def is_flexible(self) -> bool:
        """A value has several texts."""
        return self.opened is not EMPTY

    @property
    def after_item(self) -> bytes:
        """The bytes that can come behind an item of a list."""
        return b",] \t\r\n" if self.is_flexible else b",]"

    @classmethod
    def of(cls, whitespace: Whitespace, without: tuple[str, ...] = ()) -> Layout:
        """The layout of a whitespace style, with texts that no string is to hold.

        Raises:
            ValueError: there is no such style.
        """
        match whitespace:
            case "spaced":
                return cls(literal(", "), literal(": "), EMPTY, EMPTY, (", ", ": "), without)
            case "compact":
                return cls(literal(","), literal(":"), EMPTY, EMPTY, (",", ":"), without)
            case "flexible":
                # A lexeme, not a counter: its few states are walked once for all schemas, where a counter is a place of each.
                some = lexeme(repeat(characters(CharSet.of(" \t\r\n")), 0, MAX_WHITESPACE))
                return cls(sequence(some, literal(","), some), sequence(some, literal(":"), some), some, some, (", ", ": "), without)
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
                others = (literal(f"{int(value)}.0"), literal(dumps(value))) if fractions else ()  # -0.0 among them
                return choice(literal(str(int(value))), *others)
            case Decimal():  # beyond what a float can hold
                return literal(str(value))
            case str():
                return literal(quoted(value, self.without))
            case _:
                return literal(dumps(value))

    def key(self, name: str) -> Node:
        """A property's name, and what stands before its value."""
        return sequence(literal(quoted(name, self.without)), self.colon)

    def object_of(self, members: Iterable[tuple[str, Node]]) -> Node:
        """An object of just these properties, in this order: names and values."""
        return self._between("{", [sequence(self.key(name), value) for name, value in members], "}")

    def _between(self, opening: str, parts: list[Node], closing: str) -> Node:
        pieces = [piece for i, part in enumerate(parts) for piece in ((self.comma, part) if i else (part,))]
        return sequence(literal(opening), self.opened, *pieces, self.closing if parts else EMPTY, literal(closing))
