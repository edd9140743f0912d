"""Parses the dialect of the ``regex`` module, versions 0 and 1 (``(?V1)``).

What the module takes for the members of a class is asked of the module itself, so the two agree. Knows no automata.

>>> tree, groups, _, _ = parse_regex("a|b")
>>> len(tree.options)
2
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import replace

import regex

from rellm_agents.limits import DEFAULT_LIMITS, Limits
from rellm_agents.patterns.regex_parser import classes
from rellm_agents.patterns.regex_parser.case_folding import folded
from rellm_agents.patterns.regex_parser.flags import FIELDS, REFUSED, Flags
from rellm_agents.patterns.regex_parser.scanner import Scanner, concat
from rellm_agents.patterns.regex_parser.sets import SetScanner
from rellm_agents.patterns.regex_parser.syntax import (
    ANY_CHARACTER,
    NO_TEXT,
    Alternation,
    Atomic,
    Call,
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
from rellm_agents.patterns.regex_parser.unicode_classes import members_of

_NOT_REGULAR = {
    "G": "a search anchor has no meaning where the whole text is matched",
    "K": "\\K has no meaning where the whole text is matched",
    "g": "a back-reference is not regular: write out what may stand here",
    "X": "\\X (a grapheme) is not supported: write a class of characters",
    "L": "\\L (a named list) is not supported: write the words as alternatives",
}
_BOUNDARIES = {"b": (None, True), "B": (None, False), "m": (False, True), "M": (True, True)}
_TURKIC = "\u0130\u0131"  # capital with a dot, small without
_NO_WORD_FLAG = "with the flag w this follows Unicode's default rules for words and lines, which are not read: drop w for this part"


def parse_regex(
    text: str, parts: Container[str] = (), flags: Flags | None = None, limits: Limits = DEFAULT_LIMITS
) -> tuple[Tree, dict[int, Tree], dict[int, str], Scanner]:
    """The tree of a regex; its groups by number; the parts it calls, by number; the text as read, to say where it is refused.

    Args:
        text: regex text.
        parts: names that may be called though no group has them.
        flags: those that the text begins under; ``None``: those of version 0, or of version 1 if the text asks for it.
        limits: on what it may ask for.

    Raises:
        RegexSyntaxError: the text is not in the dialect; names the offset.
    """
    if flags is None:
        version_1 = _asks_for_version_1(text)
        flags = Flags(version_1=version_1, full_case=version_1)
    parser = _Parser(text, parts, flags, limits)
    tree, groups = parser.whole()
    return tree, groups, {alias: name for name, alias in parser.aliases.items() if name not in parser.names}, parser


class _Parser(SetScanner):
    """Recursive descent over one text, with the flags that hold at the cursor and the groups read so far."""

    def __init__(self, text: str, parts: Container[str], flags: Flags, limits: Limits) -> None:
        super().__init__(text, flags, limits)
        self.parts, self.flags = parts, flags
        if self._is_ascii and not flags.ascii_only:
            self.flags = replace(flags, ascii_only=True)  # e.g. \w(?a)\w: it holds for what stands before it, too
        self.groups: dict[int, Tree] = {}
        self.names: dict[str, int] = {}
        self.opened: dict[int, int] = {}
        self.aliases: dict[str, int] = {}
        self.group_count = 0
        self.calls: list[tuple[str, int]] = []  # names of groups that were called, and where
        self.skip = self._skip

    def whole(self) -> tuple[Tree, dict[int, Tree]]:
        """The tree, and the groups by their numbers."""
        tree = self.alternation()
        if not self.ended:
            self.fail("this parenthesis closes no group: escape it as \\)")
        self.groups[0] = tree
        self.groups.update(
            {alias: self.groups[self.names[name]] for name, alias in self.aliases.items() if self.names.get(name) in self.groups}
        )
        for name, at in self.calls:
            if name in self.names or name not in self.parts:
                self._check_call(self._number_of(name, at), at)
        return tree, self.groups

    def _skip(self) -> None:
        while self.flags.verbose and not self.ended:
            if self.text[self.at].isspace():
                self.at += 1
            elif self.text[self.at] == "#":
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
            else:
                return

    # alternation, branch, item, quantifier

    def branch(self) -> Tree:
        parts: list[Tree] = []
        run: list[tuple[str, int]] = []  # characters side by side, which full case folding takes together

        def flush() -> None:
            if run:
                parts.append(folded("".join(c for c, _ in run)))
                run.clear()

        while True:
            self._skip()
            if self.ended or self.looking_at("|", ")"):
                flush()
                return concat(parts)
            if not (self.flags.verbose or self.flags.ignore_case) and (plain := self.plain_characters()):
                parts += plain
                continue
            begin, flags = self.at, self.flags
            item = self.item()
            if self.flags is not flags and self.flags != flags:
                flush()
            if item is None:
                continue
            self._skip()
            quantified = self.quantified(item, begin)
            if isinstance(quantified, str):
                run.append((quantified, begin))
                continue
            flush()
            parts.append(quantified)

    def quantified(self, item: Tree | str, begin: int) -> Tree | str:
        at = self.at
        if self.flags.verbose and self.match(r"(?=\{[0-9,\s]*\s[0-9,\s]*\})"):
            self.fail("white space inside a count: write it without")
        bounds = self.quantifier()
        if bounds is None:
            return item
        tree = folded(item) if isinstance(item, str) else item
        self._skip()
        preference = self.preference(possessive=True)
        self._skip()
        again = self.at
        if self.looking_at("*", "+", "?") or self.match(r"(?=\{[0-9]*,?[0-9]*\})"):
            self.fail("a quantifier on a quantifier: put the first into a group (?:...)", again)
        if self.text[begin] in "^$" or self.text.startswith(tuple("\\" + c for c in "bBmMAZz"), begin):
            self.fail("there is nothing to repeat here: drop the quantifier, or put the anchor into a group", at)
        return Repetition(tree, *bounds, preference, at)

    def item(self) -> Tree | str | None:
        begin, c = self.at, self.text[self.at]
        match c:
            case "(":
                return self.group()
            case "*" | "+" | "?":
                self.fail("there is nothing to repeat here: escape it, or write what comes before it")
            case "{":
                if self.match(r"(?=\{[0-9<=,+\s]*[ides][^{}]*\})"):
                    self.fail("fuzzy matching is not regular: write out the texts that may match, or escape the brace as \\{")
                self.fail("a brace that counts nothing: escape it as \\{")
            case "[":
                return self.set()
            case "^":
                self.at += 1
                return self.line_start(begin) if self.flags.multi_line else text_start(begin)
            case "$":
                self.at += 1
                if self.flags.word:
                    self.fail(_NO_WORD_FLAG, begin)
                if not self.flags.multi_line:
                    return last_line_end(begin)
                return any_line_end(classes.LINE_FEED, begin)
            case ".":
                self.at += 1
                if self.flags.dot_all:
                    return ANY_CHARACTER
                return Class(~(classes.LINE_BREAKS if self.flags.word else classes.LINE_FEED))
            case "\\":
                return self.escape_outside(begin)
        self.at += 1
        return self.character(c, begin)

    def line_start(self, begin: int) -> Tree:
        if self.flags.word:
            self.fail(_NO_WORD_FLAG, begin)
        return any_line_start(classes.LINE_FEED, begin)

    def character(self, c: str, at: int) -> Tree | str:
        charset = self.one(c, at)
        if not self.flags.ignore_case:
            return Class(charset)
        if self.flags.full_case and not (self.flags.ascii_only or self._is_ascii):
            if c in _TURKIC:
                self.fail("the regex module folds the Turkic i in two ways under full case folding: write (?-f:...) around it", at)
            return c
        return Class(classes.cases_of(c, ascii_only=self._is_ascii))  # that of the whole regex, in (?a:k) too

    def escape_outside(self, begin: int) -> Tree | str:
        c = self.text[begin + 1 : begin + 2]
        if c in _BOUNDARIES and c:
            self.at += 2
            if self.flags.word:
                self.fail(_NO_WORD_FLAG, begin)
            before, differs = _BOUNDARIES[c]
            return boundary(members_of(*self.with_flags(r"\w")), before=before, differs=differs, at=begin)
        if c and c in "AZz":
            self.at += 2
            return text_start(begin) if c == "A" else text_end(begin)
        if c == "R":
            self.at += 2
            pair = Concat((Class(self.one("\r", begin)), Class(classes.LINE_FEED)))
            return Atomic(Alternation((pair, Class(classes.LINE_BREAKS))), begin)
        if c in _NOT_REGULAR and c:
            self.fail(_NOT_REGULAR[c], begin)
        if c and c in "123456789" and not self.match(r"(?=\\[0-3][0-7]{2}|\\[4-7][0-7]{2})"):
            self.fail("a back-reference is not regular: write out what may stand here", begin)
        found, is_one = self.escape(in_set=False)
        if is_one:
            return self.character(chr(found.ranges[0][0]), begin)
        return Class(found)

    # groups

    def group(self) -> Tree | None:
        begin, flags = self.at, self.flags
        self.enter(begin)
        self.at += 1
        if not self.take("?"):
            if self.take("*"):
                return self.verb(begin)
            return self.captured(None, begin)
        if self.take(":"):
            return self.scoped(flags, begin)
        for sign, ahead, positive in (("=", True, True), ("!", True, False), ("<=", False, True), ("<!", False, False)):
            if self.take(sign):
                return Look(self.scoped(flags, begin), ahead=ahead, positive=positive, at=begin)
        if self.take(">"):
            return Atomic(self.scoped(flags, begin), begin)
        if self.take("|"):
            return self.branch_reset(begin)
        if self.take("#"):
            if not self.match(r"(?s)(?:[^\\)]|\\.)*+\)"):
                self.fail("this comment is never closed", begin)
            self.depth -= 1
            return None
        name = self.match(r"P?<([^\W\d]\w*)>")
        if name is not None:
            return self.captured(name.group(1), begin)
        if self.looking_at("P=", "P<", "<"):
            self.fail(
                "a back-reference is not regular: write out what may stand here" if self.looking_at("P=") else "a group needs a name", begin
            )
        called = self.match(r"(?:&|P>)([^\W\d]\w*)\)|(R|[0-9]+)\)|([+-][0-9]+)\)")
        if called is not None:
            self.depth -= 1
            return self.called(called.groups(), begin)
        if self.looking_at("("):
            return self.definition(begin)
        return self.flagged(flags, begin)

    def captured(self, name: str | None, begin: int) -> Tree:
        number = self.open_group(name)
        inner = self.scoped(self.flags, begin)
        self.groups[number] = inner
        return inner

    def open_group(self, name: str | None) -> int:
        number = self.names.get(name or "")
        if number is None:
            taken = set(self.names.values())
            self.group_count += 1
            while name is not None and self.group_count in taken:
                self.group_count += 1
            number = self.group_count
            if name is not None:
                self.names[name] = number
        self.opened[number] = self.opened.get(number, 0) + 1
        return number

    def branch_reset(self, begin: int) -> Tree:
        flags, first = self.flags, self.group_count
        options, last = [self.branch()], self.group_count
        while self.take("|"):
            self.group_count = first
            options.append(self.branch())
            last = max(last, self.group_count)
        self.group_count = last
        self.close(begin)
        if self.flags != flags:
            self.fail("flags for the rest of a branch reset are not read: use (?i:...) for a part", begin)
        return options[0] if len(options) == 1 else Alternation(tuple(options))

    def called(self, parts: tuple[str | None, ...], begin: int) -> Tree:
        name, number, relative = parts
        if relative is not None:
            offset = int(relative[:9])
            number = str(self.group_count + offset if offset > 0 else self.group_count + offset + 1)
            if int(number) <= 0:
                self.fail("there is no group so far back", begin)
        if number is not None:
            called = 0 if number == "R" else int(number[:9])
            self.calls.append((str(called), begin))
            return Call(called, begin)
        assert name is not None
        self.calls.append((name, begin))
        return Call(self.aliases.setdefault(name, -1 - len(self.aliases)), begin)  # it may be named later on

    def _number_of(self, name: str, at: int) -> int:
        if name.isdigit():
            return int(name)
        if name not in self.names:
            self.fail(f"no group is named {name!r}", at)
        return self.names[name]

    def _check_call(self, number: int, at: int) -> None:
        if number not in self.groups:
            self.fail(f"there is no group {number}", at)
        if self.opened.get(number, 1) > 1:
            self.fail("the group that is called here stands at several places: give one of them a name of its own", at)

    def definition(self, begin: int) -> Tree:
        if not self.take("(DEFINE)"):
            self.fail("a condition on a group is not regular: write the two cases as alternatives", begin)
        if "DEFINE" in self.names:
            self.fail("a group named DEFINE makes a condition of this: rename the group", begin)
        flags = self.flags
        self.branch()
        if self.looking_at("|"):
            self.fail("a definition holds groups one after the other, no alternatives")
        self.close(begin)
        self.flags = flags
        return NO_TEXT

    def verb(self, begin: int) -> Tree:
        if not self.take("FAIL)") and not self.take("F)"):
            self.fail("backtracking verbs are not supported: write out the texts that may match", begin)
        self.depth -= 1
        return Alternation(())

    def flagged(self, flags: Flags, begin: int) -> Tree | None:
        changed = self.flag_letters(begin)
        self.depth -= 1
        if self.take(")"):
            self.flags = changed
            return None
        self.depth += 1
        if not self.take(":"):
            self.fail("this group is never closed, or of an unknown kind", begin)
        self.flags = changed
        return self.scoped(flags, begin)

    def flag_letters(self, begin: int) -> Flags:
        changed, on, turned = self.flags, True, {True: "", False: ""}
        while not self.ended and self.text[self.at] not in ":)":
            letter = self.text[self.at]
            if letter == "-" and on:
                on = False
            elif letter == "V" and on and self.match(r"(?=V[01])"):
                self.at += 1
                if (self.text[self.at] == "1") != self.flags.version_1:
                    self.fail("versions 0 and 1 at the same time: drop one of the two flags", begin)
            elif letter in FIELDS or (letter == "u" and on):
                turned[on] += letter
            elif letter in "-u":
                self.fail("these flags contradict each other", begin)
            elif letter in REFUSED:
                self.fail(REFUSED[letter])
            else:
                self.fail(f"there is no flag {letter!r}: a f i m s u w x are read, and V0 or V1")
            self.at += 1
        if (not on and not turned[False]) or set(turned[True]) & set(turned[False]) or {"a", "u"} <= set(turned[True]):
            self.fail("these flags contradict each other, or none is named after the minus sign", begin)
        changed = changed.changed(turned[True].replace("u", ""), on=True).changed(turned[False], on=False)
        if "u" in turned[True] and changed.ascii_only:
            if self.looking_at(")"):
                self.fail("ASCII and Unicode at the same time: use (?u:...) for a part", begin)
            changed = replace(changed, ascii_only=False)
        return changed


def _asks_for_version_1(text: str) -> bool:
    return any("V1" in found for found in regex.findall(r"\(\?([a-zA-Z01]*)(?:-[a-zA-Z]*)?[:)]", text))
