r"""Escapes and character classes of the ``regex`` module's dialect in, sets of characters out."""

from __future__ import annotations

import unicodedata

import regex

from rellm_agents.patterns.char_classes import members_of
from rellm_agents.patterns.charset import CharSet
from rellm_agents.patterns.regex_text import classes
from rellm_agents.patterns.regex_text.flags import Flags
from rellm_agents.patterns.regex_text.folding import folded
from rellm_agents.patterns.regex_text.reading import CONTROL, Reading
from rellm_agents.patterns.regex_text.syntax import Either, One, Tree

_CLASSES = "dDhwWsS"
_HEX_DIGITS = {"x": 2, "u": 4, "U": 8}
_OPERATIONS = ("||", "~~", "&&", "--")  # from the loosest to the tightest


class SetReading(Reading):
    """Reads what stands for one character."""

    flags: Flags

    def set(self) -> Tree:
        """A class, from its bracket on."""
        begin = self.at
        self.at += 1
        negated = self.take("^")
        found = self._operation(0, begin) if self.flags.version_1 else self._union(begin)
        self._close_set(begin)
        charset = ~found if negated else found
        if not charset:
            self.fail("no character is in this class", begin)
        if self.flags.ignore_case and self.flags.full_case and not self.flags.ascii_only and not negated:
            words = classes.expanding(charset)
            if words:
                return Either((One(charset), *(folded(word) for word in words)))
        return One(charset)

    def _close_set(self, begin: int) -> None:
        if not self.take("]"):
            self.fail("this class is never closed: add ], or escape the [", begin)

    def _operation(self, level: int, begin: int) -> CharSet:
        """Version 1: unions of symmetric differences of intersections of differences."""
        if level == len(_OPERATIONS):
            return self._union(begin)
        found = self._operation(level + 1, begin)
        sign = _OPERATIONS[level]
        while self.take(sign):
            other = self._operation(level + 1, begin)
            match sign:
                case "||":
                    found = found | other
                case "&&":
                    found = found & other
                case "--":
                    found = found & ~other
                case _:
                    found = (found & ~other) | (other & ~found)
        return found

    def _union(self, begin: int) -> CharSet:
        """Members side by side; at least one, which may be a bracket that closes."""
        at = self.at
        found = [self._member(begin, first=True)]
        alone = self.text[at : self.at]
        while not self.looking_at("]") and not (self.flags.version_1 and self.looking_at(*_OPERATIONS)):
            if not self.flags.version_1 and self.looking_at("&&", "||", "~~"):
                self.fail("set operations are of version 1: begin the regex with (?V1), or escape the signs")
            found.append(self._member(begin, first=False))
        if self.flags.ignore_case and len(set(found)) == 1 and alone.startswith(("\\p", "\\P", "[:")):
            return members_of(self.with_flags(f"[{alone}]"))  # a property alone has cases of its own
        return self._with_case(CharSet(pair for charset in found for pair in charset.ranges))

    def _member(self, begin: int, *, first: bool) -> CharSet:
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
        if not is_one or last.ranges[0][0] < item.ranges[0][0]:
            self.fail("a range ends with one character, not lower than its first", at)
        return CharSet([(item.ranges[0][0], last.ranges[0][0])])

    def _with_case(self, charset: CharSet) -> CharSet:
        return classes.without_case(charset, ascii_only=self.flags.ascii_only) if self.flags.ignore_case else charset

    def _item(self, begin: int, *, first: bool) -> tuple[CharSet, bool]:
        """-> the characters, and whether it is written as a single one, which may begin or end a range."""
        if self.ended:
            self.fail("this class is never closed: add ], or escape the [", begin)
        if self.looking_at("[:"):
            return self._posix(), False
        if self.looking_at("["):
            if not self.flags.version_1:
                self.fail("a set inside a set is of version 1: begin the regex with (?V1), or escape it as \\[")
            return self._nested(), False
        if self.looking_at("&&", "||", "~~") and not self.flags.version_1:
            self.fail("set operations are of version 1: begin the regex with (?V1), or escape the signs")
        if self.looking_at("\\"):
            return self.escape(in_set=True)
        if self.looking_at("]") and not first:
            self.fail("a range needs a last character")
        self.at += 1
        return self.one(self.text[self.at - 1], self.at - 1), True

    def _nested(self) -> CharSet:
        begin = self.at
        self.enter(begin)
        self.at += 1
        negated = self.take("^")
        found = self._operation(0, begin)
        self._close_set(begin)
        self.depth -= 1
        return ~found if negated else found

    def _posix(self) -> CharSet:
        begin = self.at
        if self.match(r"\[:\^?[\w =\-]+:\]") is None:
            self.fail("a POSIX class is written as [:alpha:]")
        return self._asked(f"[{self.text[begin : self.at]}]", "there is no such POSIX class", begin, in_set=True)

    def with_flags(self, one_character: str) -> str:
        """The regex text of a class under the flags that hold here."""
        letters = ("i" if self.flags.ignore_case else "") + ("a" if self.flags.ascii_only else "")
        return f"(?{letters}:{one_character})" if letters else one_character

    def _asked(self, one_character: str, otherwise: str, begin: int, *, in_set: bool) -> CharSet:
        """By the module's word; inside a set case is the set's."""
        try:
            if in_set:
                return members_of(f"(?a:{one_character})" if self.flags.ascii_only else one_character)
            return members_of(self.with_flags(one_character))
        except regex.error:
            self.fail(otherwise, begin)

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
            return self._asked("\\" + c, "there is no such class", begin, in_set=in_set), False
        if c in "pP":
            if self.match(r"\{\^?[\w\s:=&\-.]+\}|[CLMNPSZ]") is None:
                self.fail("a property needs its name in braces, e.g. \\p{L}", begin)
            return self._asked(self.text[begin : self.at], "there is no such property", begin, in_set=in_set), False
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
