r"""Regex text in, a node out; what is outside the dialect is an error with a caret.

The dialect is that of the ``regex`` module (version 0 behaviour), matched against the whole text. Read are: characters
and escapes, ``.``, classes with ranges, ``\d \w \s \p{...}`` and POSIX names, groups of all kinds that capture or not,
alternation, greedy and lazy quantifiers, comments, the flags ``i`` and ``s`` (inline or for a group), and ``^ \A $ \Z``
where the text begins or ends. Everything else is refused: back-references, lookaround, possessive quantifiers and atomic
groups, word boundaries, set operations, fuzzy matching.

Knows nothing of automata. What a class such as ``\w`` holds is asked of the ``regex`` module itself, so the two agree.

>>> from rellm_agents.patterns.nodes import literal
>>> read_regex("a(?:b)") is literal("ab")
True
>>> read_regex(r"(a)\1")
Traceback (most recent call last):
  ...
rellm_agents.errors.RegexSyntaxError: a back-reference is not regular: write out what may stand here, at position 3:
  (a)\1
     ^
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NoReturn

import regex

from rellm_agents.errors import RegexSyntaxError
from rellm_agents.patterns.char_classes import members_of
from rellm_agents.patterns.charset import ALL_CHARACTERS, MAX_CODE_POINT, CharSet, Range
from rellm_agents.patterns.kinds import Node
from rellm_agents.patterns.nodes import EMPTY, characters, choice, repeat, sequence

MAX_NESTING = 40  # groups inside groups
MAX_COUNT = 20_000  # in a counted quantifier

_NEWLINE = CharSet.of("\n")
_CONTROL = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v", "a": "\a"}
_HEX_DIGITS = {"x": 2, "u": 4, "U": 8}
_CLASSES = "dDwWsS"
_NOT_REGULAR = {
    "b": "a word boundary is not supported: write out the characters that may stand on both sides",
    "B": "a non-boundary is not supported: write out the characters that may stand on both sides",
    "G": "a search anchor has no meaning where the whole text is matched",
    "K": "\\K has no meaning where the whole text is matched",
    "g": "a back-reference is not regular: write out what may stand here",
    "X": "\\X (a grapheme) is not supported: write a class of characters",
}


@dataclass(frozen=True)
class _Flags:
    ignore_case: bool = False
    dot_all: bool = False


@lru_cache(maxsize=1024)
def read_regex(text: str) -> Node:
    """The node of the texts that ``regex.fullmatch(text, ...)`` accepts.

    Args:
        text: regex text in the ``regex`` module's dialect.

    Raises:
        RegexSyntaxError: the text is not in the dialect read here; names the place.
    """
    return _Reader(text).whole()


class _Reader:
    """Recursive descent over one text. ``at`` is the index of the next character."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.depth = self.anchors = 0
        self.property_at: int | None = None

    def whole(self) -> Node:
        node, _ = self.alternation(_Flags(), at_start=True)
        if self.at < len(self.text):
            self.fail("this parenthesis closes no group: escape it as \\)")
        return node

    def fail(self, reason: str, at: int | None = None) -> NoReturn:
        raise RegexSyntaxError(self.text, self.at if at is None else at, reason)

    def looking_at(self, *starts: str) -> bool:
        return self.text.startswith(starts, self.at)

    def take(self, start: str) -> bool:
        if self.looking_at(start):
            self.at += len(start)
            return True
        return False

    # alternation, branch, item, quantifier

    def alternation(self, flags: _Flags, *, at_start: bool) -> tuple[Node, bool]:
        """-> the node, and whether it holds an end anchor, so that nothing may follow it."""
        options, ends = [], False
        while True:
            node, flags, anchored = self.branch(flags, at_start=at_start)
            options.append(node)
            ends |= anchored
            if not self.take("|"):
                return choice(*options), ends

    def branch(self, flags: _Flags, *, at_start: bool) -> tuple[Node, _Flags, bool]:
        parts: list[Node] = []
        ended = False
        while self.at < len(self.text) and not self.looking_at("|", ")"):
            begin = self.at
            if self.take("(?#"):
                self.comment(begin)
            elif self.looking_at("^", r"\A"):
                if not at_start or parts:
                    self.fail("a start anchor is only read where the text begins, since the whole text is matched")
                self.anchors += 1
                self.at += 1 if self.looking_at("^") else 2
            elif self.looking_at("$", r"\Z", r"\z"):
                self.anchors += 1
                self.at += 1 if self.looking_at("$") else 2
                ended = True
            elif ended:
                self.fail("something follows an end anchor, so no text can match")
            elif (inline := self.inline_flags(flags)) is not None:
                if parts or not at_start:
                    self.fail("flags for the rest of a pattern are only read at its start: use (?i:...) for a part", begin)
                flags = inline
            else:
                anchors = self.anchors
                item, ended = self.item(flags, at_start=at_start and not parts)
                after = self.at
                quantified = self.quantified(item)
                if self.anchors > anchors and self.at > after:
                    self.fail(f"a part that holds {'an end' if ended else 'a start'} anchor cannot be repeated", begin)
                if quantified is not EMPTY:
                    parts.append(quantified)
        return sequence(*parts), flags, ended

    def item(self, flags: _Flags, *, at_start: bool) -> tuple[Node, bool]:
        c = self.text[self.at]
        if c == "(":
            return self.group(flags, at_start=at_start)
        if c in "*+?":
            self.fail("there is nothing to repeat here: escape it, or write what comes before it")
        if c == "{":
            self.fail("a brace that counts nothing: escape it as \\{")
        if c == "[":
            return self.one_of(self.char_class, flags), False
        if c == ".":
            self.at += 1
            return characters(ALL_CHARACTERS if flags.dot_all else ~_NEWLINE), False
        if c == "\\":
            return self.one_of(self.escape, flags), False
        return self.one_of(self.plain, flags), False

    def one_of(self, read: Callable[[], CharSet], flags: _Flags) -> Node:
        """The character class that ``read`` reads; without case it is what the ``regex`` module takes its text for."""
        begin, self.property_at = self.at, None
        charset = read()
        if flags.ignore_case and self.property_at is not None:
            self.fail("without case a property is not what its name says: use (?-i:...) around it", self.property_at)
        return characters(members_of(f"(?i:{self.text[begin : self.at]})") if flags.ignore_case else charset)

    def plain(self) -> CharSet:
        self.at += 1
        return self.one(self.text[self.at - 1], self.at - 1)

    def one(self, c: str, at: int) -> CharSet:
        found = CharSet.of(c)
        if not found:
            self.fail("a lone surrogate is no character that a text in UTF-8 can hold", at)
        return found

    def quantified(self, item: Node) -> Node:
        at = self.at
        bounds = self.quantifier()
        if bounds is None:
            return item
        if self.looking_at("+"):
            self.fail("a possessive quantifier changes what matches: use the plain one")
        self.take("?")  # lazy: the same texts
        again = self.at
        if self.quantifier() is not None:
            self.fail("a quantifier on a quantifier: put the first into a group (?:...)", again)
        minimum, maximum = bounds
        if maximum is not None and maximum < minimum:
            self.fail(f"the repeat is from {minimum} to {maximum} times: the first number must not be the larger", at)
        return repeat(item, minimum, maximum)

    def quantifier(self) -> tuple[int, int | None] | None:
        for sign, bounds in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self.take(sign):
                return bounds
        return self.count() if self.looking_at("{") else None

    def count(self) -> tuple[int, int | None] | None:
        found = regex.compile(r"\{(?:([0-9]+)|([0-9]*),([0-9]*))\}").match(self.text, self.at)
        if found is None:
            return None
        exactly, low, high = found.groups()
        if exactly is None and not low and not high:
            self.fail("a repeat without numbers: write {0,}, or escape the brace as \\{")
        for digits in (exactly, low, high):
            if digits and (len(digits) > 9 or int(digits) > MAX_COUNT):
                self.fail(f"a repeat of {digits[:12]} times passes the limit of {MAX_COUNT}")
        self.at = found.end()
        if exactly is not None:
            return int(exactly), int(exactly)
        return int(low or 0), int(high) if high else None

    # groups

    def comment(self, begin: int) -> None:
        end = self.text.find(")", self.at)
        if end < 0:
            self.fail("this comment is never closed", begin)
        self.at = end + 1

    def inline_flags(self, flags: _Flags) -> _Flags | None:
        """``(?is)``, if it stands here."""
        begin = self.at
        found = regex.compile(r"\(\?[a-zA-Z0-9]*(?:-[a-zA-Z]*)?\)").match(self.text, self.at)
        if found is None or self.looking_at("(?R)") or found.group()[2:-1].isdigit():
            return None
        self.at += 2
        changed = self.flag_letters(flags)
        if not self.take(")"):
            self.fail("unknown flags", begin)
        return changed

    def flag_letters(self, flags: _Flags) -> _Flags:
        begin, on, seen = self.at, True, ""
        while self.at < len(self.text) and self.text[self.at] not in ":)":
            letter = self.text[self.at]
            match letter:
                case "-" if on:
                    on = False
                case "i" if letter not in seen or on:
                    flags = replace(flags, ignore_case=on)
                case "s" if letter not in seen or on:
                    flags = replace(flags, dot_all=on)
                case "u" if on:
                    pass  # Unicode is what is always read
                case "-" | "i" | "s":
                    self.fail("these flags contradict each other", begin)
                case _:
                    self.fail(f"the flag {letter!r} is not supported: only i (ignore case) and s (dot matches newline) are")
            seen += letter
            self.at += 1
        if seen.endswith("-"):
            self.fail("no flags are named after the minus sign", begin)
        return flags

    def group(self, flags: _Flags, *, at_start: bool) -> tuple[Node, bool]:
        begin = self.at
        self.depth += 1
        if self.depth > MAX_NESTING:
            self.fail(f"groups are nested more than {MAX_NESTING} deep")
        self.at += 1
        if self.take("?"):
            flags = self.group_kind(flags, begin)
        elif self.looking_at("*"):
            self.fail("backtracking verbs are not supported", begin)
        node, ends = self.alternation(flags, at_start=at_start)
        if not self.take(")"):
            self.fail("this group is never closed", begin)
        self.depth -= 1
        return node, ends

    def group_kind(self, flags: _Flags, begin: int) -> _Flags:
        for start in ("=", "!", "<=", "<!"):
            if self.looking_at(start):
                self.fail("lookaround is not supported: say what the text is, not what stands around it", begin)
        if self.take(":"):
            return flags
        name = regex.compile(r"P?<([^\W\d]\w*)>").match(self.text, self.at)
        if name is not None:
            self.at = name.end()
            return flags
        if self.looking_at(">"):
            self.fail("an atomic group changes what matches: use (?:...)", begin)
        if self.looking_at("|"):
            self.fail("a branch reset has no meaning here: use (?:...)", begin)
        if self.looking_at("(", "P(", "P=", "P>", "R", "&", *"0123456789"):
            self.fail("recursion, conditions and back-references are not supported: write out what may stand here", begin)
        changed = self.flag_letters(flags)
        if not self.take(":"):
            self.fail("this group is never closed, or of an unknown kind", begin)
        return changed

    # characters and classes

    def escape(self, *, in_class: bool = False) -> CharSet:
        begin = self.at
        self.at += 1
        if self.at == len(self.text):
            self.fail("a backslash at the end escapes nothing: write \\\\", begin)
        c = self.text[self.at]
        self.at += 1
        if c in _CLASSES:
            return members_of("\\" + c)
        if c in "pP":
            return self.char_property(begin)
        if c == "N":
            return self.named(begin)
        if c in _HEX_DIGITS:
            return self.code_point(_HEX_DIGITS[c], begin)
        if c in _CONTROL:
            return CharSet.of(_CONTROL[c])
        if c == "b" and in_class:
            return CharSet.of("\b")
        if c == "0":
            octal = regex.compile("[0-7]{0,2}").match(self.text, self.at)
            assert octal is not None
            self.at = octal.end()
            return CharSet.of(chr(int("0" + octal.group(), 8)))
        if c.isascii() and c.isdigit():
            self.fail("a back-reference is not regular: write out what may stand here", begin)
        if c.isascii() and c.isalpha():
            self.fail(_NOT_REGULAR.get(c, f"\\{c} is no escape that is read here"), begin)
        return self.one(c, begin)

    def code_point(self, digits: int, begin: int) -> CharSet:
        number = self.text[self.at : self.at + digits]
        if len(number) < digits or not all(d in "0123456789abcdefABCDEF" for d in number):
            self.fail(f"this escape needs {digits} hexadecimal digits", begin)
        if int(number, 16) > MAX_CODE_POINT:
            self.fail(f"there is no code point {number}: the last one is {MAX_CODE_POINT:X}", begin)
        self.at += digits
        return self.one(chr(int(number, 16)), begin)

    def named(self, begin: int) -> CharSet:
        found = regex.compile(r"\{([^{}]+)\}").match(self.text, self.at)
        if found is None:
            self.fail("\\N needs the name of a character in braces", begin)
        try:
            c = unicodedata.lookup(found.group(1))
        except KeyError:
            self.fail(f"there is no character named {found.group(1)!r}", begin)
        if len(c) != 1:
            self.fail(f"there is no character named {found.group(1)!r}, which is a sequence of several: write them out", begin)
        self.at = found.end()
        return self.one(c, begin)

    def char_property(self, begin: int) -> CharSet:
        found = regex.compile(r"\{\^?[\w\s:=&\-.]+\}|[A-Z]").match(self.text, self.at)
        if found is None:
            self.fail("a property needs its name in braces, e.g. \\p{L}", begin)
        self.property_at = begin
        self.at = found.end()
        try:
            return members_of(self.text[begin : self.at])
        except regex.error:
            self.fail("there is no such property", begin)

    def char_class(self) -> CharSet:
        begin = self.at
        self.at += 1
        negated = self.take("^")
        found: list[Range] = []
        first = True
        while first or not self.looking_at("]"):
            if self.at >= len(self.text):
                self.fail("this class is never closed: add ], or escape the [", begin)
            at = self.at
            item, is_one = self.class_item(first=first)
            first = False
            if self.looking_at("-") and not self.looking_at("-]"):
                if self.looking_at("--"):
                    self.fail("set operations are not supported: escape the signs")
                if not is_one:
                    self.fail("a range begins with one character: escape the - if it is meant as such", at)
                self.at += 1
                last, is_one = self.class_item(first=False)
                if not is_one or last.ranges[0][0] < item.ranges[0][0]:
                    self.fail("a range ends with one character, not lower than its first", at)
                item = CharSet([(item.ranges[0][0], last.ranges[0][0])])
            found.extend(item.ranges)
        self.at += 1
        members = CharSet(found)
        result = ~members if negated else members
        if not result:
            self.fail("no character is in this class", begin)
        return result

    def class_item(self, *, first: bool) -> tuple[CharSet, bool]:
        """-> the characters, and whether it is written as a single one, which may begin or end a range."""
        if self.at >= len(self.text):
            self.fail("this class is never closed: add ]")
        if self.looking_at("[:"):
            return self.posix(), False
        if self.looking_at("["):
            self.fail("a set inside a set is not supported: escape it as \\[")
        if self.looking_at("&&", "||", "~~"):
            self.fail("set operations are not supported: escape the signs")
        if self.looking_at("\\"):
            is_one = not self.looking_at(*(f"\\{c}" for c in _CLASSES + "pP"))
            return self.escape(in_class=True), is_one
        if self.looking_at("]") and not first:
            self.fail("a range needs a last character")
        return self.plain(), True

    def posix(self) -> CharSet:
        found = regex.compile(r"\[:\^?\w+:\]").match(self.text, self.at)
        if found is None:
            self.fail("a POSIX class is written as [:alpha:]")
        self.property_at = self.at
        try:
            members = members_of(f"[{found.group()}]")
        except regex.error:
            self.fail("there is no such POSIX class")
        self.at = found.end()
        return members
