r"""Parses the dialect of Python's own ``re`` module.

The text is one that ``re`` has compiled, so what stands in it is valid, and only what it says is found out here. What a class holds and
which characters are the same without case is asked of ``re`` itself: it takes other characters than the ``regex`` module for letters,
digits and spaces, and knows neither properties, nor POSIX classes, nor sets inside sets.

>>> from rellm_agents.patterns.ir import CharSet
>>> tree, _ = parse_re("[[:a]", Flags())
>>> tree == Concat((Class(CharSet.of("[:a")),)) or tree == Class(CharSet.of("[:a"))
True
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from rellm_agents.limits import DEFAULT_LIMITS, Limits
from rellm_agents.patterns.ir import ALL_CHARACTERS, CharSet
from rellm_agents.patterns.regex_parser import classes
from rellm_agents.patterns.regex_parser.flags import Flags
from rellm_agents.patterns.regex_parser.scanner import CONTROL, Scanner, concat
from rellm_agents.patterns.regex_parser.syntax import (
    ANY_CHARACTER,
    Alternation,
    Atomic,
    Class,
    Concat,
    Look,
    Repetition,
    Tree,
    any_line_end,
    any_line_start,
    boundary,
    last_line_end,
    text_end,
    text_start,
)
from rellm_agents.patterns.regex_parser.unicode_classes import members_in_re

_LOOKS = (("?=", True, True), ("?!", True, False), ("?<=", False, True), ("?<!", False, False))
_HEX_DIGITS = {"x": 2, "u": 4, "U": 8}
_BACK_REFERENCE = "a back-reference is not regular: write out what may stand here"
_NO_BOUNDARY_IN_NOTHING = re.search(r"\B", "") is None  # as it is in Python before 3.14


def parse_re(text: str, flags: Flags, limits: Limits = DEFAULT_LIMITS) -> tuple[Tree, Scanner]:
    """The tree of a regex, and the text as it was read, to say where it is refused.

    Args:
        text: regex text that ``re`` compiles.
        flags: those of the compiled pattern.
        limits: on what it may ask for.

    Raises:
        RegexSyntaxError: the text says what is not regular; names the offset.
    """
    parser = _Parser(text, flags, limits)
    return parser.alternation(), parser


class _Parser(Scanner):
    """Recursive descent over one text, with the flags that hold at the cursor."""

    def __init__(self, text: str, flags: Flags, limits: Limits) -> None:
        super().__init__(text, flags, limits)
        self.flags = flags

    def branch(self) -> Tree:
        parts: list[Tree] = []
        while True:
            if self.flags.verbose:  # a backslash in a comment takes the next character along, a line feed too
                self.match(r"(?s)(?:[ \t\n\r\v\f]|#(?:[^\\\n]|\\.)*+(?:\n|\Z))*+")
            if self.ended or self.looking_at("|", ")"):
                return concat(parts)
            at = self.at
            bounds = self.quantifier()
            if bounds is not None:  # of what was read last, also where a comment stands between
                if not parts:
                    self.fail("there is nothing to repeat here", at)
                parts.append(Repetition(parts.pop(), *bounds, self.preference(possessive=True), at))
                continue
            item = self.item()
            if item is not None:
                parts.append(item)

    def quantifier(self) -> tuple[int, int | None] | None:
        """As in the other dialects, but ``{,}`` is a count without bounds."""
        return (0, None) if self.take("{,}") else super().quantifier()

    def item(self) -> Tree | None:
        begin, c = self.at, self.text[self.at]
        match c:
            case "(":
                return self.group()
            case "[":
                return Class(self.set())
            case "\\":
                return self.escape_outside()
        self.at += 1
        match c:
            case "^" if self.flags.multi_line:
                return any_line_start(classes.LINE_FEED, begin)
            case "^":
                return text_start(begin)
            case "$" if self.flags.multi_line:
                return any_line_end(classes.LINE_FEED, begin)
            case "$":
                return last_line_end(begin)
            case ".":
                return ANY_CHARACTER if self.flags.dot_all else Class(~classes.LINE_FEED)
        return self.character(c, begin)

    def character(self, c: str, at: int) -> Tree:
        charset = self.one(c, at)
        return Class(_cases_of(c, self._re_flags) if self.flags.ignore_case else charset)

    @property
    def _re_flags(self) -> int:
        """The flags that hold here and matter to single characters."""
        return (re.IGNORECASE if self.flags.ignore_case else 0) | (re.ASCII if self.flags.ascii_only else 0)

    # groups

    def group(self) -> Tree | None:
        begin, flags = self.at, self.flags
        self.enter(begin)
        self.at += 1
        for sign, ahead, positive in _LOOKS:
            if self.take(sign):
                return Look(self.scoped(flags, begin), ahead=ahead, positive=positive, at=begin)
        if self.take("?>"):
            return Atomic(self.scoped(flags, begin), begin)
        if self.take("?#"):
            self.match(r"(?s)(?:[^\\)]|\\.)*+\)")
            self.depth -= 1
            return None
        if self.looking_at("?P="):
            self.fail(_BACK_REFERENCE, begin)
        if self.looking_at("?("):
            self.fail("a condition on a group is not regular: write the two cases as alternatives", begin)
        if self.take("?") and self.match(r"P<[^>]*>") is None:
            found = self.match(r"([aiLmsux]*)(?:-([imsx]*))?([:)])")
            if found is None:
                self.fail("a group of this kind is not read: write it without", begin)
            on, off, end = found.groups()
            if end == ")":  # stands at the beginning and holds for all: it is among the flags that are given
                self.depth -= 1
                return None
            self.flags = flags.changed("a" if "a" in on or "u" in on else "", on="a" in on)
            self.flags = self.flags.changed("".join(set(on) & set("imsx")), on=True).changed(off or "", on=False)
        return self.scoped(flags, begin)

    # characters and classes

    def escape_outside(self) -> Tree:
        begin, c = self.at, self.text[self.at + 1]
        if c in "AZz":
            self.at += 2
            return text_start(begin) if c == "A" else text_end(begin)
        if c in "bB":
            self.at += 2
            found = boundary(self.members("w"), before=None, differs=c == "b", at=begin)
            if c == "b" or not _NO_BOUNDARY_IN_NOTHING:
                return found
            nonempty = tuple(Look(ANY_CHARACTER, ahead=ahead, positive=True, at=begin) for ahead in (True, False))
            return Concat((found, Alternation(nonempty)))
        if c in "123456789" and self.match(r"(?=\\[0-7]{3})") is None:
            self.fail(_BACK_REFERENCE, begin)
        item = self.escape()
        return self.character(item, begin) if len(item) == 1 else Class(self.members(item[1]))

    def escape(self) -> str:
        """A backslash and what it escapes -> the character, or the text of the class."""
        begin, c = self.at, self.text[self.at + 1]
        self.at += 2
        if c in "dDsSwW":
            return "\\" + c
        if c in CONTROL:
            return CONTROL[c]
        if c in "ab":
            return "\a" if c == "a" else "\b"
        if c in _HEX_DIGITS:
            return self.hex_digits(_HEX_DIGITS[c], begin)
        if c == "N" and (named := self.match(r"\{([^}]*)\}")) is not None:
            return unicodedata.lookup(named.group(1))
        if c in "01234567":
            self.at -= 1
            octal = self.match(r"[0-7]{1,3}")
            assert octal is not None
            return chr(int(octal.group(), 8))
        if c.isascii() and c.isalnum():
            self.fail(f"\\{c} is no escape that is read: write {c} alone, or escape the backslash", begin)
        return c

    def members(self, letter: str) -> CharSet:
        r"""What ``\d \s \w`` and their opposites hold."""
        return members_in_re("\\" + letter, re.ASCII if self.flags.ascii_only else 0)

    def set(self) -> CharSet:
        begin = self.at
        self.at += 1
        negated, items, found = self.take("^"), list[str](), CharSet()
        while not items or not self.looking_at("]"):
            item = self.set_item()
            if len(item) == 2:
                found |= self.members(item[1])
            elif self.looking_at("-") and not self.looking_at("-]"):
                self.at += 1
                last = self.set_item()
                found |= CharSet([(ord(item), ord(last))])
                item = f"{_numbered(item)}-{_numbered(last)}"
            else:
                found |= CharSet([(ord(item), ord(item))])
                item = _numbered(item)
            items.append(item)
        self.at += 1
        if self.flags.ignore_case:
            found = members_in_re(f"[{'^' if negated else ''}{''.join(items)}]", self._re_flags)
        elif negated:
            found = ~found
        if not found:
            self.fail("no character is in this class", begin)
        return found

    def set_item(self) -> str:
        """A character, or the text of a class."""
        if self.looking_at("\\"):
            return self.escape()
        self.at += 1
        return self.text[self.at - 1]


def _numbered(c: str) -> str:
    return f"\\U{ord(c):08x}"


@lru_cache(maxsize=1)
def _cased() -> str:
    """The characters that are the same as another without case."""
    changed = "".join(c for c in map(chr, range(0x110000)) if not "\ud800" <= c <= "\udfff" and (c != c.lower() or c != c.upper()))
    return "".join(sorted({*changed, *changed.lower()}))


@lru_cache(maxsize=1_024)
def _cases_of(c: str, flags: int) -> CharSet:
    """What matches ``c`` where the ``re`` module ignores case."""
    return (CharSet.of(c) | CharSet.of(re.findall(re.escape(c), _cased(), flags))) & ALL_CHARACTERS
