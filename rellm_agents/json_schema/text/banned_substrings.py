r"""Writes JSON strings that do not hold certain texts as they are: the character that would complete one is escaped.

Such a banned substring is what ends the JSON for its reader, as a fence does. The escape is ``\/`` for a slash, else ``\uXXXX``.
A string without banned substrings looks as it does anywhere else, every string has one JSON text, and what is written up to some
character does not depend on what comes after it. Knows nothing of schemas.

>>> banned = ban_substrings(["```", "Final Answer:"])
>>> quoted("```` Final Answer", banned), quoted("Final Answer: 42", banned)
('"``\\u0060` Final Answer"', '"Final Answer\\u003a 42"')
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache

from rellm_agents.patterns import TEXT, CharSet, Node, choice, complement, difference, intersection, literal, repeat, sequence

Banned = tuple[str, ...]

SHORT_ESCAPES = {"\b": "b", "\t": "t", "\n": "n", "\f": "f", "\r": "r", '"': '"', "\\": "\\"}  # RFC 8259, section 7
ALWAYS_ESCAPED = CharSet([(0, 0x1F)]) | CharSet.of('"\\')
_CONTROLS = tuple(map(chr, range(0x20)))


def ban_substrings(without: Iterable[str]) -> Banned:
    r"""The banned substrings, sorted; those that no string holds anyway, or only along with another, are left out.

    Args:
        without: texts; one with a control character is never held, since those are always escaped.

    Raises:
        ValueError: a text that strings cannot be kept without.

    >>> ban_substrings(["```json", "```", "two\nlines"])
    ('```',)
    >>> ban_substrings(["u00"])
    Traceback (most recent call last):
      ...
    ValueError: without='u00': strings cannot be kept without it, since the escape '\\u0000' holds it
    """
    if isinstance(without, str):
        raise ValueError(f"without={without!r}: pass a list of texts")  # noqa: TRY004 - as other options that are not known
    found: dict[str, None] = {}
    for text in without:
        if not text or '"' in text or "\\" in text:
            why = "it is in every string" if not text else "quotes and backslashes spell strings and their escapes"
            raise ValueError(f"without={text!r}: strings cannot be kept without it, since {why}")
        if not any(c < " " or "\ud800" <= c <= "\udfff" for c in text):
            found[text] = None
    banned = tuple(sorted(one for one in found if not any(other in one for other in found if other != one)))
    for text in banned:
        for written in (*(_dumped(c) for c in _CONTROLS), *(escape(one[-1], banned) for one in banned)):
            if text in written[1:]:
                raise ValueError(f"without={text!r}: strings cannot be kept without it, since the escape {written!r} holds it")
    return banned


def quoted(text: str, banned: Banned = ()) -> str:
    r"""A string as JSON text.

    Args:
        text: the decoded string.
        banned: as of :func:`ban_substrings`.

    >>> quoted("a ``b``", banned=("``",))
    '"a `\\u0060b`\\u0060"'
    """
    return f'"{string_text(text, banned)}"'


def string_text(text: str, banned: Banned = ()) -> str:
    """The same without the quotes."""
    dumped = _dumped(text)
    if not any(one in dumped for one in banned):
        return dumped
    longest = max(map(len, banned))
    written, end = [], ""
    for c in text:
        unit = _dumped(c)
        if unit == c and (end + c).endswith(banned):
            unit = escape(c, banned)
        written.append(unit)
        end = (end + unit)[-longest:]
    return "".join(written)


def escape(character: str, banned: Banned = ()) -> str:
    r"""The escape of a character that needs none by itself.

    >>> escape("/"), escape("`"), escape("\U0001f600")
    ('\\/', '\\u0060', '\\ud83d\\ude00')
    """
    if character == "/" and "/" not in banned:
        return r"\/"
    return json.dumps(character)[1:-1] if character > "\x7f" else f"\\u{ord(character):04x}"


def last_characters(banned: Banned) -> str:
    """The characters that complete banned substrings, each once."""
    return "".join(dict.fromkeys(text[-1] for text in banned))


def within_alphabet(charset: CharSet, banned: Banned) -> Banned:
    """The banned substrings that strings of some characters could hold, be it inside of the escape for another one.

    >>> within_alphabet(CharSet.of("`x"), ("0x", "```", "y"))
    ('0x', '```')
    """
    written = (charset & ~ALWAYS_ESCAPED) | CharSet.of("".join(_dumped(c) for c in (*_CONTROLS, '"', "\\") if c in charset))
    found: Banned = ()
    while more := tuple(text for text in banned if text not in found and not CharSet.of(text) & ~written):
        found += more
        written |= CharSet.of("".join(escape(text[-1], banned) for text in more))
    return tuple(sorted(found))


@lru_cache(maxsize=64)
def escaped_where_needed(unit: Node, banned: Banned) -> Node:
    """JSON text that holds no banned substring, nor an escape where none would be held without it.

    Args:
        unit: one character of a string, those that complete banned substrings both as they are and escaped.
        banned: as of :func:`ban_substrings`, each of more than one character.
    """
    needless = []
    for last in last_characters(banned):
        begun = [literal(text[:-1]) for text in banned if text[-1] == last]
        elsewhere = difference(repeat(unit), sequence(TEXT, choice(*begun)))
        needless.append(sequence(elsewhere, literal(escape(last, banned))))
    held = sequence(TEXT, choice(*map(literal, banned)), TEXT)
    return intersection(complement(held), complement(sequence(choice(*needless), TEXT)))


def _dumped(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]
