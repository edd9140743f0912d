"""Parses escapes and character classes of the ``regex`` module's dialect into sets of characters.

Where case, ASCII or properties in nested classes matter, the whole class is handed to the module, whose rules there are not documented.

>>> scanner = SetScanner("[a-c]", Flags())
>>> scanner.set() == Class(CharSet.of("abc"))
True
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

import regex

from rellm_agents.caches import cached_property
from rellm_agents.patterns.ir import CharSet
from rellm_agents.patterns.regex_parser import classes
from rellm_agents.patterns.regex_parser.case_folding import folded
from rellm_agents.patterns.regex_parser.flags import Flags
from rellm_agents.patterns.regex_parser.scanner import CONTROL, Scanner
from rellm_agents.patterns.regex_parser.syntax import Alternation, Class, Tree
from rellm_agents.patterns.regex_parser.unicode_classes import members_of

_CLASSES = "dDhwWsS"
_PROPERTY = re.compile(r"\\[pPdDhwWsS]|\[:")
_POSIX = re.compile(r"\[:\^?[\w =\-]*:\]")
_TURNS_ASCII_ON = re.compile(r"\(\?[a-zA-Z01]*a")
_HEX_DIGITS = {"x": 2, "u": 4, "U": 8}
_TURKIC = "iI\u0130\u0131"  # cases of each other, some of them in full case folding only
_OPERATIONS = ("||", "~~", "&&", "--")  # from the loosest to the tightest


class Members(NamedTuple):
    """The members of a class, case as it is written.

    Attributes:
        charset: the characters.
        expands: where characters match several under ``f``, those of the class do: not those of a property that stands alone.
        properties: those that stand in it, also in classes inside.
    """

    charset: CharSet
    expands: bool = True
    properties: tuple[CharSet, ...] = ()


class SetScanner(Scanner):
    """Reads what matches one character."""

    flags: Flags

    def set(self) -> Tree:
        """Read a class from its bracket on; the module is asked where case, ASCII or properties in nested classes matter."""
        begin, flags = self.at, self.flags
        given = self._bracketed(begin)
        charset, text = given.charset, self.text[begin : self.at]
        if flags.ignore_case or flags.ascii_only or (flags.version_1 and _PROPERTY.search(text)):
            charset = self._asked(text, "the regex module does not read this class", begin)
        if not charset:
            self.fail("no character is in this class", begin)
        if given.expands and flags.ignore_case and flags.full_case and not (flags.ascii_only or self._is_ascii):
            words = classes.expanding(given.charset)
            if words:
                return Alternation((Class(charset), *(folded(word) for word in words)))
        return Class(charset)

    def _bracketed(self, begin: int) -> Members:
        self.at += 1
        negated = self.take("^")
        found = self._operation(0, begin) if self.flags.version_1 else self._union(begin)
        self._close_set(begin)
        return Members(~found.charset, expands=False) if negated else found

    def _close_set(self, begin: int) -> None:
        if not self.take("]"):
            self.fail("this class is never closed: add ], or escape the [", begin)

    def _operation(self, level: int, begin: int) -> Members:
        """Version 1: unions of symmetric differences of intersections of differences."""
        if level == len(_OPERATIONS):
            return self._union(begin)
        found = self._operation(level + 1, begin)
        sign = _OPERATIONS[level]
        while self.take(sign):
            other = self._operation(level + 1, begin)
            match sign:
                case "||":
                    charset = found.charset | other.charset
                case "&&":
                    charset = found.charset & other.charset
                case "--":
                    charset = found.charset & ~other.charset
                case _:
                    charset = (found.charset & ~other.charset) | (other.charset & ~found.charset)
            found = self._joined(charset, [found, other] if sign == "||" else [])
        return found

    def _union(self, begin: int) -> Members:
        """Members side by side; at least one, which may be a bracket that closes."""
        found = [self._member(begin, first=True)]
        while not self.looking_at("]") and not (self.flags.version_1 and self.looking_at(*_OPERATIONS)):
            if not self.flags.version_1 and self.looking_at("&&", "||", "~~"):
                self.fail("set operations are of version 1: begin the regex with (?V1), or escape the signs")
            found.append(self._member(begin, first=False))
        if len(found) == 1:
            return found[0]
        charset = CharSet(pair for one in found for pair in one.charset.ranges)
        return self._joined(charset, found)

    def _joined(self, charset: CharSet, members: Iterable[Members]) -> Members:
        properties = tuple(one for member in members for one in member.properties)
        is_all = any(~one in properties for one in properties)  # for the module, which then has no class any more
        return Members(charset, expands=not is_all, properties=properties)

    def _member(self, begin: int, *, first: bool) -> Members:
        at = self.at
        item, is_one = self._item(begin, first=first)
        if not self.looking_at("-") or self.looking_at("-]"):
            return item
        if self.looking_at("--"):
            if self.flags.version_1:
                return item
            self.fail("set operations are of version 1: begin the regex with (?V1), or escape the signs")
        if not is_one:
            self.fail("a range begins with one character: escape the - if it is meant as such", at)
        self.at += 1
        last, is_one = self._item(begin, first=False)
        if not is_one or last.charset.ranges[0][0] < item.charset.ranges[0][0]:
            self.fail("a range ends with one character, not lower than its first", at)
        return Members(CharSet([(item.charset.ranges[0][0], last.charset.ranges[0][0])]))

    def _item(self, begin: int, *, first: bool) -> tuple[Members, bool]:
        """-> the characters, and whether it is written as a single one, which may begin or end a range."""
        if self.ended:
            self.fail("this class is never closed: add ], or escape the [", begin)
        if self.looking_at("[:") and (self.flags.version_1 or _POSIX.match(self.text, self.at)):
            return self._posix(), False
        if self.looking_at("[") and self.flags.version_1:  # in version 0, as in re, it stands for itself
            return self._nested(), False
        if self.looking_at("&&", "||", "~~") and not self.flags.version_1:
            self.fail("set operations are of version 1: begin the regex with (?V1), or escape the signs")
        if self.looking_at("\\"):
            charset, is_one = self.escape(in_set=True)
            return Members(charset, expands=is_one, properties=() if is_one else (charset,)), is_one
        if self.looking_at("]") and not first:
            self.fail("a range needs a last character")
        self.at += 1
        return Members(self.one(self.text[self.at - 1], self.at - 1)), True

    def _nested(self) -> Members:
        begin = self.at
        self.enter(begin)
        found = self._bracketed(begin)
        self.depth -= 1
        return found

    def _posix(self) -> Members:
        begin = self.at
        if self.match(_POSIX.pattern) is None:
            self.fail("a POSIX class is written as [:alpha:]")
        self._refuse_in_doubt(begin)
        charset = self._asked(f"[{self.text[begin : self.at]}]", "there is no such POSIX class", begin, case=False)
        return Members(charset, expands=False, properties=(charset,))

    def with_flags(self, one_character: str, *, case: bool = True) -> tuple[str, str]:
        """The regex text of a class under the flags that hold here, and those of the whole regex, as ASCII means more there."""
        flags = self.flags
        letters = "a" if flags.ascii_only else "u" if self._is_ascii else ""
        letters += "i-f" if case and flags.ignore_case else ""
        whole = f"(?{'V1' if flags.version_1 else ''}{'a' if self._is_ascii else ''})"
        return f"(?{letters}:{one_character})" if letters else one_character, "" if whole == "(?)" else whole

    @cached_property
    def _is_ascii(self) -> bool:
        """The module takes ``a`` for a flag of the whole regex."""
        if self.initial.ascii_only or not _TURNS_ASCII_ON.search(self.text):
            return self.initial.ascii_only
        version = regex.VERSION1 if self.initial.version_1 else regex.VERSION0
        letters = self.initial.letters.removesuffix("V1")
        try:
            return bool(regex.compile(f"(?{letters}){self.text}" if letters else self.text, version).flags & regex.ASCII)
        except (regex.error, ValueError):
            return False

    def _refuse_in_doubt(self, begin: int) -> None:
        if self.flags.ignore_case and (self.flags.ascii_only or self._is_ascii):
            self.fail("what a property is under i and a, the regex module reads in two ways: drop one of the flags", begin)

    def _asked(self, one_character: str, otherwise: str, begin: int, *, case: bool = True) -> CharSet:
        """The characters that the module itself matches; ``otherwise`` is the reason for a refusal."""
        text, whole = self.with_flags(one_character, case=case)
        try:
            found = members_of(text, whole)
            if case and self.flags.ignore_case and self.flags.full_case and not self.flags.ascii_only:
                version = 0 if "V1" in whole else regex.VERSION0
                is_in = {c: bool(regex.fullmatch(f"{whole}(?if:{one_character})", c, version)) for c in _TURKIC}
                found = (found | CharSet.of(c for c in _TURKIC if is_in[c])) & ~CharSet.of(c for c in _TURKIC if not is_in[c])
        except regex.error:
            self.fail(otherwise, begin)
        return found

    # escapes

    def escape(self, *, in_set: bool) -> tuple[CharSet, bool]:
        """A backslash and what it escapes -> the characters, and whether it is a single one, for which case is left to the caller."""
        begin = self.at
        self.at += 1
        if self.ended:
            self.fail("a backslash at the end escapes nothing: write \\\\", begin)
        c = self.text[self.at]
        self.at += 1
        if c in _CLASSES:
            return self._asked("\\" + c, "there is no such class", begin, case=not in_set), False
        if c in "pP":
            if self.match(r"\{\^?[\w\s:=&\-.]+\}|[CLMNPSZ]") is None:
                self.fail("a property needs its name in braces, e.g. \\p{L}", begin)
            self._refuse_in_doubt(begin)
            return self._asked(self.text[begin : self.at], "there is no such property", begin, case=not in_set), False
        if c == "N":
            return self._named(begin), True
        if c in _HEX_DIGITS:
            return self.one(self.hex_digits(_HEX_DIGITS[c], begin), begin), True
        if c in CONTROL:
            return CharSet.of(CONTROL[c]), True
        if c == "a":
            return CharSet.of("\a"), True
        if c == "b" and in_set:
            return CharSet.of("\b"), True
        if c in "0123456789":
            self.at -= 1
            digits = self.match(r"[0-7]{1,3}")
            if digits is None:
                self.fail(f"\\{c} is no escape: escape the backslash, or write the digit alone", begin)
            value = int(digits.group(), 8)
            return self.one(chr(value & 0x1FF if c != "0" and not in_set else value), begin), True
        if c.isascii() and c.isalpha():
            self.fail(f"\\{c} is no escape: write {c} alone, or escape the backslash", begin)
        return self.one(c, begin), True

    def _named(self, begin: int) -> CharSet:
        found = self.match(r"\{([ -z]+)\}")
        if found is None:
            self.fail("\\N needs the name of a character in braces", begin)
        try:
            c = unicodedata.lookup(found.group(1))
        except KeyError:
            self.fail(f"there is no character named {found.group(1)!r}", begin)
        if len(c) != 1:
            self.fail(f"there is no character named {found.group(1)!r}, which is a sequence of several: write them out", begin)
        return self.one(c, begin)
