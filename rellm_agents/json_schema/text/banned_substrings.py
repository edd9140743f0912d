r"""Keeps certain texts out of JSON strings as they are: some character of each is escaped.

Such a banned substring is what ends the JSON for its reader, as a fence does. The JSON text does not hold it; which of the characters is
escaped instead, and how, is open. Where a string has one text - names of properties, and what is given - the character that would
complete a banned substring is escaped, as ``\/`` or ``\uXXXX``, and no other one; then what is written up to some character does not
depend on what comes after it. Knows nothing of schemas.

>>> banned = ban_substrings(["```", "Final Answer:"])
>>> quoted("```` Final Answer", banned), quoted("Final Answer: 42", banned)
('"``\\u0060` Final Answer"', '"Final Answer\\u003a 42"')
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache

from rellm_agents.errors import ArgumentValueError
from rellm_agents.json_schema.text.escapes import ALWAYS_ESCAPED, IN_ESCAPES, Escapes, is_common
from rellm_agents.patterns import TEXT, CharSet, Node, choice, complement, difference, intersection, literal, repeat, sequence

Banned = tuple[str, ...]

_CONTROLS = tuple(map(chr, range(0x20)))


def ban_substrings(without: Iterable[str], escapes: Escapes = "json") -> Banned:
    r"""The banned substrings, sorted; those that no string holds anyway, or only along with another, are left out.

    Args:
        without: texts; one with a control character is never held, since those are always escaped.
        escapes: that their last characters are written with.

    Raises:
        ValueError: a text that strings cannot be kept without.

    >>> ban_substrings(["```json", "```", "two\nlines"])
    ('```',)
    >>> ban_substrings(["u00"])
    Traceback (most recent call last):
      ...
    rellm_agents.errors.ArgumentValueError: without='u00': strings cannot be kept without it, since the escape '\\u0000' holds it
    """
    if isinstance(without, str):
        raise ArgumentValueError.saying(f"without={without!r}: pass a list of texts")
    found: dict[str, None] = {}
    for text in without:
        why = _why_not(text, escapes)
        if why is not None:
            raise ArgumentValueError.saying(f"without={text!r}: strings cannot be kept without it, since {why}")
        if not any(c < " " or "\ud800" <= c <= "\udfff" for c in text):
            found[text] = None
    banned = tuple(sorted(one for one in found if not any(other in one for other in found if other != one)))
    for text in banned:
        for written in (*(_dumped(c) for c in _CONTROLS), *(escape(one[-1], banned, escapes) for one in banned)):
            if text in written[1:]:
                raise ArgumentValueError.saying(
                    f"without={text!r}: strings cannot be kept without it, since the escape {written!r} holds it"
                )
    return banned


def _why_not(text: str, escapes: Escapes) -> str | None:
    if not text:
        return "it is in every string"
    if '"' in text or "\\" in text:
        return "quotes and backslashes spell strings and their escapes"
    if escapes == "common" and text[-1] > "\uffff":
        return f"there is no escape of {text[-1]!r} that Python and YAML read as JSON does"
    return None


def quoted(text: str, banned: Banned = (), escapes: Escapes = "json") -> str:
    r"""A string as JSON text, as it usually looks.

    Args:
        text: the decoded string.
        banned: as of :func:`ban_substrings`.
        escapes: that may be written.

    >>> quoted("a ``b``", banned=("``",))
    '"a `\\u0060b`\\u0060"'
    """
    return f'"{string_text(text, banned, escapes)}"'


def spellings(text: str, own: Iterable[str] = (), banned: Banned = (), escapes: Escapes = "json") -> tuple[str, ...]:
    r"""The texts of a given string: the usual one, that of ``json.dumps``, and its own, as far as a layout can write them.

    Args:
        text: the decoded string.
        own: further JSON texts of it.
        banned: as of :func:`ban_substrings`.
        escapes: that may be written.

    >>> spellings("é", [r'"\u00E9"'])
    ('"é"', '"\\u00e9"', '"\\u00E9"')
    """
    others = (one for one in (json.dumps(text), *own) if not any(held in one for held in banned))
    return tuple(dict.fromkeys((quoted(text, banned, escapes), *(one for one in others if escapes == "json" or is_common(one)))))


def string_text(text: str, banned: Banned = (), escapes: Escapes = "json") -> str:
    """The same without the quotes."""
    dumped = _dumped(text)
    if not any(one in dumped for one in banned):
        return dumped
    longest = max(map(len, banned))
    written, end = [], ""
    for c in text:
        unit = _dumped(c)
        if unit == c and (end + c).endswith(banned):
            unit = escape(c, banned, escapes)
        written.append(unit)
        end = (end + unit)[-longest:]
    return "".join(written)


def escape(character: str, banned: Banned = (), escapes: Escapes = "json") -> str:
    r"""The escape of a character that needs none by itself.

    >>> escape("/"), escape("`"), escape("\U0001f600")
    ('\\/', '\\u0060', '\\ud83d\\ude00')
    """
    if character == "/" and "/" not in banned and escapes == "json":
        return r"\/"
    return json.dumps(character)[1:-1] if character > "\x7f" else f"\\u{ord(character):04x}"


def last_characters(banned: Banned) -> str:
    """The characters that complete banned substrings, each once."""
    return "".join(dict.fromkeys(text[-1] for text in banned))


def within_alphabet(charset: CharSet, banned: Banned) -> Banned:
    """The banned substrings that strings of some characters could hold, be it inside of escapes.

    >>> within_alphabet(CharSet.of("`x"), ("0x", "```", "y"))
    ('0x', '```')
    """
    written = (charset & ~ALWAYS_ESCAPED) | IN_ESCAPES
    return tuple(text for text in banned if not CharSet.of(text) & ~written)


def free_of(banned: Banned) -> Node:
    """The texts that hold no banned substring."""
    return complement(sequence(TEXT, choice(*map(literal, banned)), TEXT))


@lru_cache(maxsize=64)
def escaped_where_needed(unit: Node, banned: Banned, escapes: Escapes) -> Node:
    """JSON text that holds no banned substring, nor an escape where none would be held without it.

    Args:
        unit: one character of a string, those that complete banned substrings both as they are and escaped.
        banned: as of :func:`ban_substrings`, each of more than one character.
        escapes: of the characters that complete them.
    """
    needless = []
    for last in last_characters(banned):
        begun = [literal(text[:-1]) for text in banned if text[-1] == last]
        elsewhere = difference(repeat(unit), sequence(TEXT, choice(*begun)))
        needless.append(sequence(elsewhere, literal(escape(last, banned, escapes))))
    return intersection(free_of(banned), complement(sequence(choice(*needless), TEXT)))


def _dumped(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]
