r"""Parses ECMA-262 regular expressions with the ``u`` flag, the dialect of the JSON Schema keyword ``pattern``.

``\d \w \s \b .`` have ECMA-262's meaning, case is simple folding. Modifiers are read (ES2025: ``(?i-s:...)``). Schemas in the wild hold
patterns that the ``u`` flag refuses; of these, as in Annex B, those are read that can mean nothing else: escaped punctuation such as
``\-``, and a bracket or a brace that closes or counts nothing.

>>> tree, _ = parse_ecma(r"^\u{1F600}+$")
>>> len(tree.parts)
3
"""

from __future__ import annotations

from rellm_agents.limits import DEFAULT_LIMITS, Limits
from rellm_agents.patterns.ir import ALL_CHARACTERS, CharSet
from rellm_agents.patterns.regex_parser import classes
from rellm_agents.patterns.regex_parser.flags import Flags
from rellm_agents.patterns.regex_parser.scanner import CONTROL, Scanner, concat
from rellm_agents.patterns.regex_parser.syntax import (
    Class,
    Look,
    Repetition,
    Tree,
    any_line_end,
    any_line_start,
    boundary,
    text_end,
    text_start,
)

_CLASSES = {"d": classes.ECMA_DIGITS, "w": classes.ECMA_WORD, "s": classes.ECMA_SPACE}
_NAME = r"<([\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*)>"


def parse_ecma(text: str, limits: Limits = DEFAULT_LIMITS) -> tuple[Tree, Scanner]:
    """The tree of a regex, and the text as it was read, to say where something is refused.

    Raises:
        RegexSyntaxError: the text is not in the dialect; names the offset.
    """
    parser = _Parser(text, limits)
    return parser.whole(), parser


class _Parser(Scanner):
    """Recursive descent over one text."""

    def __init__(self, text: str, limits: Limits) -> None:
        super().__init__(text, Flags(), limits)
        self.flags = self.initial

    def whole(self) -> Tree:
        tree = self.alternation()
        if not self.ended:
            self.fail("this parenthesis closes no group: escape it as \\)")
        return tree

    def branch(self) -> Tree:
        parts: list[Tree] = []
        while not self.ended and not self.looking_at("|", ")"):
            begin = self.at
            item = self.item()
            at = self.at
            bounds = self.quantifier()
            if bounds is not None:
                if isinstance(item, Look) or self.text[begin] in "^$" or self.text.startswith(("\\b", "\\B"), begin):
                    self.fail("an assertion cannot be repeated: drop the quantifier, or put both into a group", at)
                item = Repetition(item, *bounds, self.preference(possessive=False), at)
                if self.looking_at("*", "+", "?") or self.match(r"(?=\{[0-9]+(?:,[0-9]*)?\})"):
                    self.fail("a quantifier on a quantifier: put the first into a group (?:...)")
            parts.append(item)
        return concat(parts)

    def quantifier(self) -> tuple[int, int | None] | None:
        """As in the other dialect, but a count has a first number."""
        return None if self.looking_at("{,") else super().quantifier()

    def item(self) -> Tree:
        begin, c = self.at, self.text[self.at]
        if c == "(":
            return self.group()
        if c == "[":
            return Class(self.char_class())
        if c == "\\":
            return self.escape_outside()
        if c in "*+?" or (c == "{" and self.match(r"(?=\{[0-9]+(?:,[0-9]*)?\})")):
            self.fail("there is nothing to repeat here: escape it, or write what comes before it")
        self.at += 1
        if c == "^":
            if not self.flags.multi_line:
                return text_start(begin)
            return any_line_start(classes.ECMA_LINE_BREAKS, begin)
        if c == "$":
            if not self.flags.multi_line:
                return text_end(begin)
            return any_line_end(classes.ECMA_LINE_BREAKS, begin)
        if c == ".":
            return Class(ALL_CHARACTERS if self.flags.dot_all else ~classes.ECMA_LINE_BREAKS)
        return Class(self.with_case(_only(ord(c))))

    def with_case(self, charset: CharSet) -> CharSet:
        return classes.ecma_without_case(charset) if self.flags.ignore_case else charset

    @property
    def word(self) -> CharSet:
        r"""What ``\w`` holds."""
        return self.with_case(classes.ECMA_WORD)

    # groups

    def group(self) -> Tree:
        begin, flags = self.at, self.flags
        self.enter(begin)
        self.at += 1
        looks = (("?=", True, True), ("?!", True, False), ("?<=", False, True), ("?<!", False, False))
        for sign, ahead, positive in looks:
            if self.take(sign):
                return Look(self.scoped(flags, begin), ahead=ahead, positive=positive, at=begin)
        if self.take("?") and not self.take(":") and self.match(_NAME) is None:
            found = self.match(r"([ims]*)(?:-([ims]*))?:")
            if found is None:
                self.fail("no group of ECMA-262 begins like this: (?:, (?=, (?!, (?<=, (?<! and (?<name> do", begin)
            on, off = found.group(1), found.group(2) or ""
            if len(set(on + off)) < len(on + off) or not on + off:
                self.fail("these flags contradict each other", begin)
            self.flags = flags.changed(on, on=True).changed(off, on=False)
        return self.scoped(flags, begin)

    # characters and classes

    def escape_outside(self) -> Tree:
        begin, c = self.at, self.text[self.at + 1 : self.at + 2]
        if c and c in "bB":
            self.at += 2
            return boundary(self.word, before=None, differs=c == "b", at=begin)
        if (c and c in "123456789") or self.looking_at("\\k<"):
            self.fail("a back-reference is not regular: write out what may stand here", begin)
        found = self.escape(in_class=False)
        return Class(self.with_case(_only(found)) if isinstance(found, int) else found)

    def escape(self, *, in_class: bool) -> CharSet | int:
        """A backslash and what it escapes -> the characters, or the one code point, which may be a surrogate."""
        begin = self.at
        self.at += 1
        if self.ended:
            self.fail("a backslash at the end escapes nothing: write \\\\", begin)
        c = self.text[self.at]
        self.at += 1
        if c in "dDwWsS":
            found = self.word if c in "wW" else _CLASSES[c.lower()]
            return ~found if c in "DWS" else found
        if c in "pP":
            return self.char_property(begin)
        if c in CONTROL:
            return ord(CONTROL[c])
        if c == "c":
            letter = self.match("[A-Za-z]")
            if letter is None:
                self.fail("\\c needs a letter, e.g. \\cJ for a line feed", begin)
            return ord(letter.group()) % 32
        if c == "0" and not self.match("(?=[0-9])"):
            return 0
        if c == "x":
            return ord(self.hex_digits(2, begin))
        if c == "u":
            return ord(self.unicode(begin))
        if c == "b" and in_class:
            return ord("\b")
        if c.isascii() and c.isalnum():
            self.fail(f"\\{c} is no escape of ECMA-262: write {c} alone, or escape the backslash", begin)
        return ord(c)

    def unicode(self, begin: int) -> str:
        braced = self.match(r"\{([0-9a-fA-F]+)\}")
        if braced is not None:
            return self.code_point(braced.group(1), begin)
        c = self.hex_digits(4, begin)
        if "\ud800" <= c <= "\udbff" and (low := self.match(r"\\u([dD][c-fC-F][0-9a-fA-F]{2})")) is not None:
            return chr(0x10000 + ((ord(c) - 0xD800) << 10) + int(low.group(1), 16) - 0xDC00)
        return c

    def char_property(self, begin: int) -> CharSet:
        name = self.match(r"\{([A-Za-z0-9_]+(?:=[A-Za-z0-9_]+)?)\}")
        if name is None:
            self.fail("a property needs its name in braces, e.g. \\p{L}", begin)
        found = classes.ecma_property(name.group(1))
        if found is None:
            self.fail("there is no such property in ECMA-262: a script is written \\p{Script=Greek}", begin)
        if not self.flags.ignore_case:
            return ~found if self.text[begin + 1] == "P" else found
        return self.with_case(~found if self.text[begin + 1] == "P" else found)

    def char_class(self) -> CharSet:
        begin = self.at
        self.at += 1
        negated = self.take("^")
        found = CharSet()
        while not self.looking_at("]"):
            if self.ended:
                self.fail("this class is never closed: add ], or escape the [", begin)
            at = self.at
            item = self.class_item()
            if self.looking_at("-") and not self.looking_at("-]") and self.at + 1 < len(self.text):
                self.at += 1
                last = self.class_item()
                if isinstance(item, int) and isinstance(last, int):
                    if last < item:
                        self.fail("a range ends with a character not lower than its first", at)
                    item = CharSet([(item, last)])
                else:  # Annex B
                    item = _only(item) | _only(last) | CharSet.of("-")
            found |= _only(item)
        self.at += 1
        found = self.with_case(found)
        return ~found if negated else found

    def class_item(self) -> CharSet | int:
        if self.looking_at("\\"):
            return self.escape(in_class=True)
        self.at += 1
        return ord(self.text[self.at - 1])


def _only(item: CharSet | int) -> CharSet:
    """The characters of an item; none of a surrogate, which stands in no text."""
    return CharSet([(item, item)]) if isinstance(item, int) else item
