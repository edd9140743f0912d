r"""Rewrites patterns that name surrogates, as ECMA-262 reads them with its flag ``u``: a pair is its character, one alone matches nothing.

Many public schemas hold such patterns, ``^\uD83D\uDE00$`` or ``[^\uD800-\uDFFF]*``, which the normalising library refuses. No JSON text
that is UTF-8 holds a surrogate, so a class has none of them, and one that stands alone is where no text goes on. Knows nothing of
the library.

>>> without_surrogates({"pattern": r"^[^\ud800-\udfff]\uD83D\uDE00$"})
{'pattern': '^[\\s\\S]\\u{1F600}$'}
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from rellm_agents.json_schema.source.keywords import SUBSCHEMA_KEYWORDS, Subschemas

_ESCAPED = re.compile(r"\\u[dD][89a-fA-F]")
_FIRST, _LAST = 0xD800, 0xDFFF
_UNIT = r"\\u(?P<unit{0}>[0-9a-fA-F]{{4}})|(?P<raw{0}>[\ud800-\udfff])"
_TOKEN = re.compile(
    rf"(?s){_UNIT.format(0)}|\\u\{{(?P<point>[0-9a-fA-F]+)\}}|\\x(?P<byte>[0-9a-fA-F]{{2}})|\\c[A-Za-z]|\\[pP]\{{[^}}]*\}}|\\.|."
)
_LOW = re.compile(r"\\u(?P<unit>[dD][c-fC-F][0-9a-fA-F]{2})|(?P<raw>[\udc00-\udfff])")
_ANYTHING, _NOTHING = r"[\s\S]", r"[^\s\S]"
_CONTROL = {r"\0": 0, r"\t": 9, r"\n": 10, r"\v": 11, r"\f": 12, r"\r": 13}


def without_surrogates(schema: Any, text: str | None = None) -> Any:
    """The schema with patterns that mean the same and name no surrogate; itself, if there are none.

    Args:
        schema: plain data.
        text: the same as JSON text, if it is at hand.
    """
    if not isinstance(schema, dict):
        return schema
    try:
        holds_some = _ESCAPED.search(json.dumps(schema) if text is None else text)
    except (TypeError, ValueError, RecursionError):
        return schema  # refused elsewhere
    return _rewritten(schema) if holds_some else schema


def _rewritten(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    changed: dict[str, Any] = {}
    for keyword, value in schema.items():
        match SUBSCHEMA_KEYWORDS.get(keyword), value:
            case ((Subschemas.ONE | Subschemas.LIST), list()):
                changed[keyword] = [_rewritten(one) for one in value]
            case Subschemas.NAMED, dict():
                names = {name: name for name in value} if keyword != "patternProperties" else _distinct(value)
                changed[keyword] = {names[name]: _rewritten(one) for name, one in value.items()}
            case Subschemas.ONE, dict():
                changed[keyword] = _rewritten(value)
            case _:
                changed[keyword] = pattern_without_surrogates(value) if keyword == "pattern" and isinstance(value, str) else value
    return changed if changed != schema else schema


def _distinct(patterns: dict[str, Any]) -> dict[str, str]:
    """Each pattern rewritten; as it is, where another is already so."""
    found: dict[str, str] = {}
    for pattern in patterns:
        written = pattern_without_surrogates(pattern)
        found[pattern] = written if written not in found.values() and (written == pattern or written not in patterns) else pattern
    return found


def pattern_without_surrogates(pattern: str) -> str:
    r"""A pattern of ECMA-262 that matches the same texts, and names no surrogate.

    Args:
        pattern: of a schema; one that is no pattern stays so.

    >>> pattern_without_surrogates(r"[\u0041-\uffff]+"), pattern_without_surrogates(r"a\ud800?")
    ('[\\u0041-\\u{D7FF}\\u{E000}-\\uffff]+', 'a[^\\s\\S]?')
    """
    found, tokens = [], list(_tokens(pattern))
    at = 0
    while at < len(tokens):
        one = tokens[at]
        if one.text == "[":
            end = next((i for i in range(at + 1, len(tokens)) if tokens[i].text == "]"), None)
            if end is None:
                return pattern  # refused elsewhere
            found.append(_class(tokens[at : end + 1]))
            at = end + 1
            continue
        found.append(_NOTHING if one.is_surrogate else one.text)
        at += 1
    return "".join(found)


class _Token(NamedTuple):
    """A character of a pattern, or an escape.

    Attributes:
        text: as it is written; a pair of surrogates as one.
        point: the code point that it is; ``None``: it is a class, or none for certain.
    """

    text: str
    point: int | None

    @property
    def is_surrogate(self) -> bool:
        return self.point is not None and _FIRST <= self.point <= _LAST


def _tokens(pattern: str) -> Iterator[_Token]:
    at = 0
    while at < len(pattern):
        found = _TOKEN.match(pattern, at)
        assert found
        text, at = found[0], found.end()
        point = _point(found)
        if point is not None and _FIRST <= point <= 0xDBFF and not found["point"] and (low := _LOW.match(pattern, at)):
            last = int(low["unit"], 16) if low["unit"] else ord(low["raw"])
            point, at = 0x10000 + ((point - _FIRST) << 10) + last - 0xDC00, low.end()
            text = f"\\u{{{point:X}}}"
        yield _Token(text, point)


def _point(found: re.Match[str]) -> int | None:
    for group in ("unit0", "point", "byte"):
        if found[group]:
            return int(found[group], 16)
    text = found[0]
    if len(text) == 1:
        return ord(text)
    return _CONTROL.get(text, ord(text[1]) if len(text) == 2 and not text[1].isalnum() else None)


def _class(tokens: list[_Token]) -> str:
    """A class, from bracket to bracket."""
    is_negated = len(tokens) > 2 and tokens[1].text == "^"
    members, before, found = tokens[2 if is_negated else 1 : -1], "[^" if is_negated else "[", list[str]()
    at = 0
    while at < len(members):
        first, last = members[at], members[at + 2] if at + 2 < len(members) and members[at + 1].text == "-" else None
        if last is not None and first.point is not None and last.point is not None:
            found += _range(first, last)
            at += 3
            continue
        found += [] if first.is_surrogate else [first.text]
        at += 1
    if not found and members:
        return _ANYTHING if is_negated else _NOTHING
    begin = "\\" if found[:1] and found[0].startswith("^") and not is_negated else ""  # it stood behind a surrogate
    return f"{before}{begin}{''.join(found)}]"


def _range(first: _Token, last: _Token) -> list[str]:
    """The parts of a range that are no surrogates."""
    assert first.point is not None
    assert last.point is not None
    if last.point < _FIRST or first.point > _LAST or last.point < first.point:
        return [f"{first.text}-{last.text}"]
    below = [f"{first.text}-\\u{{D7FF}}"] if first.point < _FIRST else []
    above = [f"\\u{{E000}}-{last.text}"] if last.point > _LAST else []
    return below + above
