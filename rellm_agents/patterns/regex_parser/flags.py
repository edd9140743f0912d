"""The flags that a part of a regex is read under, and the letters that set them.

>>> Flags().changed("is", on=True).letters
'is'
"""

from __future__ import annotations

from dataclasses import dataclass, replace

FIELDS = {
    "i": "ignore_case",
    "f": "full_case",
    "s": "dot_all",
    "m": "multi_line",
    "x": "verbose",
    "a": "ascii_only",
    "w": "word",
}
"""Letters of flags that hold for a part, and the field each sets. ``u``, the default, takes ``a`` back."""

REFUSED = {
    "b": "b asks for the best fuzzy match, and fuzzy matching is not read: drop it, or write out the texts that may match",
    "e": "e is for fuzzy matching, which is not read: drop it, or write out the texts that may match",
    "L": "L asks for the locale of the process: drop it, or write classes of the characters that are meant",
    "p": "p asks for the longest match, which says nothing where the whole text is matched: drop it",
    "r": "r searches backwards, which says nothing where the whole text is matched: drop it",
}


@dataclass(frozen=True, slots=True)
class Flags:
    """How regex text is read from here on.

    Attributes:
        ignore_case: ``i``.
        full_case: ``f``, with ``i``: characters may match several, e.g. the sharp s "ss".
        dot_all: ``s``.
        multi_line: ``m``.
        verbose: ``x``.
        ascii_only: ``a``.
        word: ``w``.
        version_1: ``V1``: nested sets and set operations; ``f`` is on from the start.
    """

    ignore_case: bool = False
    full_case: bool = False
    dot_all: bool = False
    multi_line: bool = False
    verbose: bool = False
    ascii_only: bool = False
    word: bool = False
    version_1: bool = False

    @property
    def letters(self) -> str:
        """The letters of the flags that are on, and V1."""
        return "".join(letter for letter, field in FIELDS.items() if getattr(self, field)) + ("V1" if self.version_1 else "")

    def changed(self, letters: str, *, on: bool) -> Flags:
        """With the flags of these letters turned on or off."""
        return replace(self, **{FIELDS[letter]: on for letter in letters})
