r"""Texts that no JSON string may hold as they are in, out comes how strings are spelled: as ever, but where one of them would stand.

Such a text is a mark: of what ends the JSON for its reader, as a fence does. Where the next character would complete one, that
character is escaped: ``\/`` for a slash, else by its number. So a string without marks looks as it does anywhere else, every string
has one spelling, and what is written up to some place does not depend on what comes behind it.

>>> banned = ban_substrings(["```", "Final Answer:"])
>>> spelled("```` Final Answer", banned), spelled("Final Answer: 42", banned)
('``\\u0060` Final Answer', 'Final Answer\\u003a 42')
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache

from rellm_agents.patterns import TEXT, CharSet, Node, choice, complement, difference, intersection, literal, repeat, sequence

Banned = tuple[str, ...]

SHORT = {"\b": "b", "\t": "t", "\n": "n", "\f": "f", "\r": "r", '"': '"', "\\": "\\"}  # RFC 8259, section 7
ESCAPED = CharSet([(0, 0x1F)]) | CharSet.of('"\\')
_CONTROLS = tuple(map(chr, range(0x20)))


def ban_substrings(without: Iterable[str]) -> Banned:
    r"""The marks of some texts, sorted; those that no string holds anyway, or only along with another, are left out.

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
    for mark in banned:
        for escape in (*(_natural(c) for c in _CONTROLS), *(escaped(one[-1], banned) for one in banned)):
            if mark in escape[1:]:
                raise ValueError(f"without={mark!r}: strings cannot be kept without it, since the escape {escape!r} holds it")
    return banned


def spelled(text: str, banned: Banned = ()) -> str:
    """A string as JSON text, without its quotes.

    Args:
        text: the decoded string.
        banned: as of :func:`ban_substrings`.
    """
    natural = _natural(text)
    if not any(mark in natural for mark in banned):
        return natural
    longest = max(map(len, banned))
    written, end = [], ""
    for c in text:
        unit = _natural(c)
        if unit == c and (end + c).endswith(banned):
            unit = escaped(c, banned)
        written.append(unit)
        end = (end + unit)[-longest:]
    return "".join(written)


def escaped(character: str, banned: Banned = ()) -> str:
    r"""A character that needs no escape as JSON text that escapes it.

    >>> escaped("/"), escaped("`"), escaped("\U0001f600")
    ('\\/', '\\u0060', '\\ud83d\\ude00')
    """
    if character == "/" and "/" not in banned:
        return r"\/"
    return json.dumps(character)[1:-1] if character > "\x7f" else f"\\u{ord(character):04x}"


def last_characters(banned: Banned) -> str:
    """The characters that complete marks, each once."""
    return "".join(dict.fromkeys(mark[-1] for mark in banned))


def concerned(charset: CharSet, banned: Banned) -> Banned:
    """The marks that may come to stand in strings of some characters: as they are written anywhere else, or by escapes for other marks.

    >>> concerned(CharSet.of("`x"), ("0x", "```", "y"))
    ('0x', '```')
    """
    spelling = (charset & ~ESCAPED) | CharSet.of("".join(_natural(c) for c in (*_CONTROLS, '"', "\\") if c in charset))
    found: Banned = ()
    while more := tuple(mark for mark in banned if mark not in found and not CharSet.of(mark) & ~spelling):
        found += more
        spelling |= CharSet.of("".join(escaped(mark[-1], banned) for mark in more))
    return tuple(sorted(found))


@lru_cache(maxsize=64)
def one_spelling(unit: Node, banned: Banned) -> Node:
    """Texts that hold no mark, nor an escape where none would be held without it.

    Args:
        unit: one character of a string, those that complete marks both as they are and escaped.
        banned: as of :func:`ban_substrings`, each of more than one character.
    """
    needless = []
    for last in last_characters(banned):
        begun = [literal(mark[:-1]) for mark in banned if mark[-1] == last]
        elsewhere = difference(repeat(unit), sequence(TEXT, choice(*begun)))
        needless.append(sequence(elsewhere, literal(escaped(last, banned))))
    held = sequence(TEXT, choice(*map(literal, banned)), TEXT)
    return intersection(complement(held), complement(sequence(choice(*needless), TEXT)))


def _natural(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]
