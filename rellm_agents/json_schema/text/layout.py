r"""Describes how JSON text is laid out: its whitespace and its strings, as pattern nodes and as text.

A given value has one text, that of :func:`dumps`: strings raw in UTF-8 with short escapes, other control characters as ``\u00xx``;
numbers with an exponent where Python writes one. It has more where whitespace is flexible, and where further spellings of its strings and
numbers are asked for. Knows nothing of schemas.

>>> from rellm_agents.patterns import Pattern
>>> Pattern(Layout.of("compact").value({"a": ["café", 1]})).shortest()
'{"a":["café",1]}'
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any, Literal, get_args

import regex

from rellm_agents.caches import cached_property
from rellm_agents.errors import ArgumentValueError
from rellm_agents.json_schema.numbers import Notation, Number, value_node
from rellm_agents.json_schema.text.banned_substrings import Banned, quoted, spellings
from rellm_agents.json_schema.text.escapes import Escapes
from rellm_agents.json_schema.text.raw_strings import BARE_NAME, RawStrings
from rellm_agents.limits import DEFAULT_LIMITS, Limits
from rellm_agents.patterns import EMPTY, CharSet, Node, characters, choice, lexeme, literal, repeat, sequence

Whitespace = Literal["spaced", "compact", "flexible"]
Integers = Literal["digits", "any"]
Spellings = Mapping[str, Sequence[str]]  # strings, each with JSON texts of it

NULL, BOOLEAN = literal("null"), choice(literal("true"), literal("false"))
_PYTHON: dict[bool | None, str] = {True: "True", False: "False", None: "None"}
_JSON = {text: json.dumps(value) for value, text in _PYTHON.items()}
_PYTHON_WORD = re.compile(r'"(?:[^"\\]|\\.)*"|\b(?:True|False|None)\b')
_FAR = 10**308  # about the greatest double
_MAX_SPELLED = 64  # numbers, or arrays and objects with numbers, that are written in all their spellings
_PYTHON_NULL, _PYTHON_BOOLEAN = literal("None"), choice(literal("True"), literal("False"))


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


@dataclass(frozen=True)
class Layout:
    """How JSON text is written, apart from what it says.

    Attributes:
        comma, colon: the separators, with the whitespace around them.
        padding: the whitespace after an opening bracket or brace and before a closing one.
        separators: for :func:`dumps`, to write the same style.
        banned: texts that no string holds as they are, see :mod:`banned_substrings`.
        numbers: how numbers are written.
        integers: how integers are written, where a schema asks for the type; "digits" for digits alone, "any" as other numbers.
        python: true, false and null are written as Python has them; all else that JSON writes with common escapes is Python already.
        escapes: which escapes are written in strings.
        raw: how strings are written, if not as in JSON.
        limits: on what is written.
    """

    comma: Node
    colon: Node
    padding: Node
    separators: tuple[str, str]
    banned: Banned = ()
    numbers: Notation = "any"
    integers: Integers = "digits"
    python: bool = False
    escapes: Escapes = "json"
    raw: RawStrings | None = None
    limits: Limits = DEFAULT_LIMITS

    @cached_property
    def key(self) -> str:
        """Differs between any two layouts; the same in every process."""
        written = self.numbers, self.integers, self.python, self.escapes, self.banned, self.raw
        return f"{self.separators} {self.is_flexible} {written} {_shown(self.limits)}"

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
        return self.padding is not EMPTY

    @property
    def is_special(self) -> bool:
        """Special tokens stand in its texts."""
        return self.raw is not None and self.raw.quote_node.has_special

    @property
    def after_item(self) -> bytes:
        """The bytes that can follow an item of a list."""
        return b",] \t\r\n" if self.is_flexible else b",]"

    @classmethod
    def of(
        cls,
        whitespace: Whitespace,
        banned: Banned = (),
        *,
        numbers: Notation = "any",
        integers: Integers = "digits",
        python: bool = False,
        escapes: Escapes | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> Layout:
        """The layout of a whitespace style, for strings that do not hold banned substrings; its escapes are those that its reader knows.

        Raises:
            ArgumentValueError: there is no such style, or no such way to write numbers.
        """
        for name, given, known in (("numbers", numbers, ("any", "plain", "python")), ("integers", integers, get_args(Integers))):
            if given not in known:
                raise ArgumentValueError(name, given, f"there are {', '.join(map(repr, known))}")
        separators = (",", ":") if whitespace == "compact" else (", ", ": ")
        match whitespace:
            case "spaced" | "compact":
                comma, colon, padding = *map(literal, separators), EMPTY
            case "flexible":
                comma, colon, padding = _in_whitespace(limits.whitespace)
            case _:
                raise ArgumentValueError("whitespace", whitespace, f"there are {', '.join(map(repr, get_args(Whitespace)))}")
        escapes = escapes or ("common" if python else "json")
        return cls(comma, colon, padding, separators, banned, numbers, integers, python, escapes, limits=limits)

    def restyled(self, whitespace: Whitespace) -> Layout:
        """The same but for its whitespace."""
        styled = Layout.of(whitespace, limits=self.limits)
        return replace(self, comma=styled.comma, colon=styled.colon, padding=styled.padding, separators=styled.separators)

    def value(self, value: Any, *, notation: Notation | None = None, own: Spellings | None = None) -> Node:
        """Exactly this value.

        Args:
            value: what JSON can say.
            notation: of its numbers; ``None``: each has one text.
            own: further JSON texts of strings; a string may then also be written as ``json.dumps`` does. ``None``: each has one text.

        >>> from rellm_agents.patterns import Pattern
        >>> Pattern(Layout.of("compact").value({"a": [1, None]})).shortest()
        '{"a":[1,null]}'
        """
        return self.values([value], notation=notation, own=own)

    def values(self, values: Iterable[Any], *, notation: Notation | None = None, own: Spellings | None = None) -> Node:
        """Exactly these values; see :meth:`value`. Numbers of which there are many have few texts each."""
        numbers: list[Number] = []
        others: list[Any] = []
        for value in values:
            is_number = isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)
            (numbers if is_number else others).append(value)
        inner = notation if sum(isinstance(other, dict | list) for other in others) <= _MAX_SPELLED else None
        node = choice(*(self._value(other, inner, own) for other in others))
        return choice(node, self._numbers(numbers, notation)) if numbers else node

    def _numbers(self, numbers: list[Number], notation: Notation | None) -> Node:
        if notation == "digits":  # of integers; beside them the schema may list other numbers, or 1e300, which is not its digits
            integers = [number for number in numbers if Fraction(str(number)) == Fraction(number) == int(number)]
            others = [number for number in numbers if number not in integers]
            return choice(*(literal(str(int(one))) for one in integers), *([self._numbers(others, self.numbers)] if others else []))
        if notation is None or len(numbers) > _MAX_SPELLED:
            return choice(*(literal(text) for number in numbers for text in self._number_texts(number, is_one=notation is None)))
        beyond = [number for number in numbers if not -_FAR < number < _FAR]
        texts = (literal(text) for number in beyond for text in self._number_texts(number))
        return choice(value_node(tuple(numbers), notation, self.limits), *texts)

    def _number_texts(self, number: Number, *, is_one: bool = False) -> Iterable[str]:
        """A number as ``json.dumps`` writes it; without an exponent, too, if that is asked for."""
        plain = f"{Decimal(repr(number) if isinstance(number, float) else number):f}"
        if self.numbers == "plain":
            return [plain]
        dumped = str(number) if isinstance(number, Decimal) else dumps(number)
        return [dumped] if is_one else dict.fromkeys((dumped, plain))

    def _value(self, value: Any, notation: Notation | None, own: Spellings | None) -> Node:
        match value:
            case dict():
                return self.object_of((key, self.value(inner, notation=notation, own=own)) for key, inner in value.items())
            case list():
                return self._between("[", [self.value(inner, notation=notation, own=own) for inner in value], "]")
            case str() if self.raw:
                return sequence(self.raw.quote_node, literal(value), self.raw.quote_node)
            case str() if own is not None:
                return choice(*map(literal, spellings(value, own.get(value, ()), self.banned, self.escapes)))
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
                return f"{{{comma.join(f'{self.name_text(key)}{colon}{self.text(inner)}' for key, inner in value.items())}}}"
            case list():
                return f"[{comma.join(map(self.text, value))}]"
            case str() if self.raw:
                return f"{self.raw.quote}{value}{self.raw.quote}"
            case str():
                return quoted(value, self.banned, self.escapes)
            case bool() | None if self.python:
                return _PYTHON[value]
            case _:
                return dumps(value)

    def why_unwritable(self, value: Any) -> str | None:
        """Why the layout has no text for a value; ``None``: it has one."""
        match value:
            case str() if self.raw and not self.raw.can_hold(value):
                return f"strings are written as they are here, between {self.raw.quote!r}, and this one cannot be: {value!r}"
            case dict() if self.raw and (others := [name for name in value if not BARE_NAME.fullmatch(name)]):
                return f"names stand without quotes here, so they are of letters, digits and '_', not {others[0]!r}"
            case dict():
                return next(filter(None, map(self.why_unwritable, value.values())), None)
            case list():
                return next(filter(None, map(self.why_unwritable, value)), None)
        return None

    def as_json(self, text: str) -> str:
        """Text of this layout, or of some of it, as JSON.

        >>> Layout.of("spaced", python=True).as_json('[True, "True", None]')
        '[true, "True", null]'
        """
        if self.raw:
            return regex.sub(
                rf"{re.escape(self.raw.quote)}(.*?){re.escape(self.raw.quote)}|({BARE_NAME.pattern}):", _as_json, text, flags=re.DOTALL
            )
        return _PYTHON_WORD.sub(lambda found: _JSON.get(found[0], found[0]), text) if self.python else text

    def read(self, text: str) -> Any:
        """The value that a text says."""
        return json.loads(self.as_json(text))

    def name_and_colon(self, name: str) -> Node:
        """A property's name, and what stands before its value."""
        return sequence(literal(self.name_text(name)), self.colon)

    def name_text(self, name: str) -> str:
        """The text of a property's name."""
        return name if self.raw else quoted(name, self.banned, self.escapes)

    def object_of(self, members: Iterable[tuple[str, Node]]) -> Node:
        """An object of just these properties, in this order: names and values."""
        return self._between("{", [sequence(self.name_and_colon(name), value) for name, value in members], "}")

    def _between(self, opening: str, parts: list[Node], closing: str) -> Node:
        pieces = [piece for i, part in enumerate(parts) for piece in ((self.comma, part) if i else (part,))]
        return sequence(literal(opening), self.padding, *pieces, self.padding if parts else EMPTY, literal(closing))


def _as_json(found: regex.Match[str]) -> str:
    string, name = found.groups()
    return dumps(string) if name is None else f"{dumps(name)}:"


@lru_cache(maxsize=64)
def _in_whitespace(most: int) -> tuple[Node, Node, Node]:
    """A comma and a colon between runs of so many characters of whitespace at most, and such a run."""
    # A lexeme, not a counter: the tokens of its few states are found once for all schemas, those of a counter for each cell.
    padding = lexeme(repeat(characters(CharSet.of(" \t\r\n")), 0, most))
    comma, colon = (sequence(padding, literal(one), padding) for one in ",:")
    return comma, colon, padding


_shown = lru_cache(maxsize=64)(repr)
