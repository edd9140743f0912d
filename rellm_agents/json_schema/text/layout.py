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
from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Literal, get_args

import regex

from rellm_agents.json_schema.text.banned_substrings import Banned, spelled
from rellm_agents.patterns import EMPTY, CharSet, Node, characters, choice, lexeme, literal, read_regex, repeat, sequence
from rellm_agents.patterns.ir import early_ends

MAX_DIGITS = 20  # before the point, and after it: a model cannot loop in digits
MAX_WHITESPACE = 20  # in one run, where whitespace is flexible: a model cannot loop in spaces

Whitespace = Literal["spaced", "compact", "flexible"]

STRING_REST = lexeme(read_regex(r'(?:[^"\\\x00-\x1f]|\\["\\nrtbf]|\\u00(?:0[0-7be-f]|1[0-9a-f]))*"'))  # after the opening quote
NULL, BOOLEAN = literal("null"), choice(literal("true"), literal("false"))
_PYTHON: dict[bool | None, str] = {True: "True", False: "False", None: "None"}
_JSON = {text: json.dumps(value) for value, text in _PYTHON.items()}
_PYTHON_WORD = re.compile(r'"(?:[^"\\]|\\.)*"|\b(?:True|False|None)\b')
_PYTHON_NULL, _PYTHON_BOOLEAN = literal("None"), choice(literal("True"), literal("False"))
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


def quoted(text: str, banned: Banned = ()) -> str:
    r"""A string as JSON text.

    Args:
        text: the decoded string.
        banned: texts that it does not hold as they are, see :mod:`banned_substrings`.

    >>> quoted("a ``b``", banned=("``",))
    '"a `\\u0060b`\\u0060"'
    """
    return f'"{spelled(text, banned)}"'


@dataclass(frozen=True)
class RawStrings:
    """Another way to write strings than JSON's: as they are, between two marks; names of properties as they are, without any.

    Attributes:
        quote: what stands before a string and behind it, as it is shown.
        quote_node: the same in patterns; it may be a special token.
        banned: texts that no string holds; the mark is among them.
    """

    quote: str
    quote_node: Node
    banned: tuple[str, ...]

    @property
    def banned_ends(self) -> tuple[str, ...]:
        """What no string ends with, since with the mark behind it a text would be there that is not."""
        return early_ends(self.banned, self.quote)

    @property
    def banned_starts(self) -> tuple[str, ...]:
        """What no string begins with, since with the mark before it a text would be there that is not."""
        parts = ((text[:i], text[i:]) for text in self.banned for i in range(1, len(text)))
        return tuple(start for rest, start in parts if self.quote.endswith(rest))

    def holds(self, text: str) -> bool:
        """Whether a string has a text."""
        return not (any(one in text for one in self.banned) or text.endswith(self.banned_ends) or text.startswith(self.banned_starts))


_LARGEST = 10**308  # about what a float holds
NAME = regex.compile(r"[\p{L}\p{N}_]+")  # a property's, where nothing stands around it: what readers of all kinds take for words


@dataclass(frozen=True)
class Layout:
    """What stands between the parts of JSON text.

    Attributes:
        comma, colon: the separators, with the whitespace around them.
        opened, closing: whitespace after ``{`` or ``[`` and before ``}`` or ``]``.
        separators: for :func:`dumps`, to write the same style.
        banned: texts that no string holds as they are, see :mod:`banned_substrings`.
        exponents: numbers may be written with one.
        python: true, false and null are written as Python has them; all else that JSON writes is Python already.
        raw: how strings are written, if not as in JSON.
    """

    comma: Node
    colon: Node
    opened: Node
    closing: Node
    separators: tuple[str, str]
    banned: Banned = ()
    exponents: bool = True
    python: bool = False
    raw: RawStrings | None = None

    @property
    def name(self) -> str:
        """Tells it from others."""
        return f"{self.separators} {self.is_flexible} {self.exponents} {self.python} {self.banned} {self.raw}"

    @property
    def null(self) -> Node:
        """The text of null."""
        return _PYTHON_NULL if self.python else NULL

    @property
    def boolean(self) -> Node:
        """The texts of true and false."""
        return _PYTHON_BOOLEAN if self.python else BOOLEAN

    @property
    def is_flexible(self) -> bool:
        """A value has several texts."""
        return self.opened is not EMPTY

    @property
    def is_special(self) -> bool:
        """Special tokens stand in its texts."""
        return self.raw is not None and self.raw.quote_node.has_special

    @property
    def after_item(self) -> bytes:
        """The bytes that can come behind an item of a list."""
        return b",] \t\r\n" if self.is_flexible else b",]"

    @classmethod
    def of(cls, whitespace: Whitespace, banned: Banned = (), *, exponents: bool = True, python: bool = False) -> Layout:
        """The layout of a whitespace style, and of strings that hold no marks.

        Raises:
            ValueError: there is no such style.
        """
        match whitespace:
            case "spaced":
                return cls(literal(", "), literal(": "), EMPTY, EMPTY, (", ", ": "), banned, exponents, python)
            case "compact":
                return cls(literal(","), literal(":"), EMPTY, EMPTY, (",", ":"), banned, exponents, python)
            case "flexible":
                # A lexeme, not a counter: its few states are walked once for all schemas, where a counter is a place of each.
                some = lexeme(repeat(characters(CharSet.of(" \t\r\n")), 0, MAX_WHITESPACE))
                comma, colon = sequence(some, literal(","), some), sequence(some, literal(":"), some)
                return cls(comma, colon, some, some, (", ", ": "), banned, exponents, python)
        raise ValueError(f"whitespace={whitespace!r}: there are {', '.join(map(repr, get_args(Whitespace)))}")

    def restyled(self, whitespace: Whitespace) -> Layout:
        """The same but for its whitespace."""
        return replace(Layout.of(whitespace, self.banned, exponents=self.exponents, python=self.python), raw=self.raw)

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
                is_read_back = abs(int(value)) < _LARGEST and int(value) == int(float(value))  # what has a fraction is read as a float
                others = (f"{int(value)}.0", dumps(value)) if fractions and is_read_back else ()  # -0.0 among them
                return choice(literal(str(int(value))), *(literal(one) for one in others if self.exponents or "e" not in one))
            case Decimal():  # beyond what a float can hold
                return literal(str(value) if self.exponents else f"{value:f}")
            case float() if not self.exponents:
                return literal(f"{Decimal(repr(value)):f}")
            case str() if self.raw:
                return sequence(self.raw.quote_node, literal(value), self.raw.quote_node)
            case _:
                return literal(self.text(value))

    def text(self, value: Any) -> str:
        r"""The text of a value; where whitespace is free, that of :func:`dumps`.

        >>> Layout.of("spaced", banned=("``",)).text({"a``": [1, "`"]})
        '{"a`\\u0060": [1, "`"]}'
        """
        if not self.banned and not self.python and not self.raw:
            return dumps(value, self.separators)
        comma, colon = self.separators
        match value:
            case dict():
                return f"{{{comma.join(f'{self.key_text(key)}{colon}{self.text(inner)}' for key, inner in value.items())}}}"
            case list():
                return f"[{comma.join(map(self.text, value))}]"
            case str() if self.raw:
                return f"{self.raw.quote}{value}{self.raw.quote}"
            case str():
                return quoted(value, self.banned)
            case bool() | None if self.python:
                return _PYTHON[value]
            case _:
                return dumps(value)

    def objection(self, value: Any) -> str | None:
        """Why the layout has no text for a value; ``None``: it has one."""
        match value:
            case str() if self.raw and not self.raw.holds(value):
                return f"strings are written as they are here, between {self.raw.quote!r}, and this one cannot be: {value!r}"
            case dict() if self.raw and (others := [name for name in value if not NAME.fullmatch(name)]):
                return f"names stand without quotes here, so they are of letters, digits and '_', not {others[0]!r}"
            case dict():
                return next(filter(None, map(self.objection, value.values())), None)
            case list():
                return next(filter(None, map(self.objection, value)), None)
        return None

    def as_json(self, text: str) -> str:
        """Text of this layout, or of some of it, as JSON.

        >>> Layout.of("spaced", python=True).as_json('[True, "True", None]')
        '[true, "True", null]'
        """
        if self.raw:
            return regex.sub(
                rf"{re.escape(self.raw.quote)}(.*?){re.escape(self.raw.quote)}|({NAME.pattern}):", _as_json, text, flags=re.DOTALL
            )
        return _PYTHON_WORD.sub(lambda found: _JSON.get(found[0], found[0]), text) if self.python else text

    def read(self, text: str) -> Any:
        """The value that a text says."""
        return json.loads(self.as_json(text))

    def key(self, name: str) -> Node:
        """A property's name, and what stands before its value."""
        return sequence(literal(self.key_text(name)), self.colon)

    def key_text(self, name: str) -> str:
        """The text of a property's name."""
        return name if self.raw else quoted(name, self.banned)

    def object_of(self, members: Iterable[tuple[str, Node]]) -> Node:
        """An object of just these properties, in this order: names and values."""
        return self._between("{", [sequence(self.key(name), value) for name, value in members], "}")

    def _between(self, opening: str, parts: list[Node], closing: str) -> Node:
        pieces = [piece for i, part in enumerate(parts) for piece in ((self.comma, part) if i else (part,))]
        return sequence(literal(opening), self.opened, *pieces, self.closing if parts else EMPTY, literal(closing))


def _as_json(found: regex.Match[str]) -> str:
    string, name = found.groups()
    return dumps(string) if name is None else f"{dumps(name)}:"
