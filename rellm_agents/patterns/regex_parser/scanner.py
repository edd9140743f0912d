"""A cursor in regex text, with which the parsers of all dialects read, and the only place that refuses a text.

It has what the dialects share: alternation, scoped groups, quantifiers, code points, and bounds on nesting and counts. Knows no classes.

>>> scanner = Scanner("{2,3}", Flags())
>>> scanner.quantifier(), scanner.ended
((2, 3), True)
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NoReturn

import regex

from rellm_agents.errors import RegexSyntaxError
from rellm_agents.limits import DEFAULT_LIMITS, Limits
from rellm_agents.patterns.ir import MAX_CODE_POINT, CharSet
from rellm_agents.patterns.regex_parser.flags import Flags
from rellm_agents.patterns.regex_parser.syntax import NO_TEXT, Alternation, Class, Concat, Preference, Tree

_COUNT_DIGITS = 9  # of a number of repeats

CONTROL = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v"}


@lru_cache(maxsize=256)  # the module's own memo takes ten times as long to ask
def _compiled(pattern: str) -> regex.Pattern[str]:
    return regex.compile(pattern, regex.VERSION0)  # whatever regex.DEFAULT_VERSION is


@lru_cache(maxsize=128)
def _class(c: str) -> Class:
    return Class(CharSet.of(c))


@lru_cache(maxsize=1_024)
def _one(c: str) -> CharSet:
    return CharSet.of(c)


class Scanner:
    """Recursive descent over one text; a dialect's parser adds :meth:`branch`.

    Args:
        text: the whole.
        initial: the flags that it begins under.
        limits: on what it may ask for.

    Attributes:
        at: the index of the next character.
        depth: groups and sets that are open.
        flags: those that hold at ``at``.
    """

    def __init__(self, text: str, initial: Flags, limits: Limits = DEFAULT_LIMITS) -> None:
        self.limits = limits
        self.text, self.at, self.depth, self.initial, self.flags = text, 0, 0, initial, initial
        self.skip: Callable[[], None] = lambda: None

    @property
    def ended(self) -> bool:
        """The text is read to its end."""
        return self.at >= len(self.text)

    def fail(self, reason: str, at: int | None = None) -> NoReturn:
        """Refuse the text for what is at ``at``, or at the cursor."""
        raise RegexSyntaxError(self.text, self.at if at is None else at, reason)

    def looking_at(self, *starts: str) -> bool:
        """Whether one of these strings is at the cursor."""
        return self.text.startswith(starts, self.at)

    def take(self, start: str) -> bool:
        """Read ``start`` if it is at the cursor."""
        if self.looking_at(start):
            self.at += len(start)
            return True
        return False

    def match(self, pattern: str) -> regex.Match[str] | None:
        """Read what a regex matches at the cursor."""
        found = _compiled(pattern).match(self.text, self.at)
        if found is not None:
            self.at = found.end()
        return found

    def enter(self, begin: int) -> None:
        """Open one more group."""
        self.depth += 1
        if refusal := self.limits.refusal("groups", self.depth, "nest them less"):
            self.fail(refusal, begin)

    def close(self, begin: int) -> None:
        """Read the parenthesis that closes the group."""
        if not self.take(")"):
            self.fail("this group is never closed", begin)
        self.depth -= 1

    def branch(self) -> Tree:
        """Read up to the next ``|`` or the end of the group."""
        raise NotImplementedError

    def alternation(self) -> Tree:
        """Read up to the end of the group."""
        options = [self.branch()]
        while self.take("|"):
            options.append(self.branch())
        return options[0] if len(options) == 1 else Alternation(tuple(options))

    def scoped(self, flags: Flags, begin: int) -> Tree:
        """Read the rest of the group that began at ``begin``, after which ``flags`` hold again."""
        inner = self.alternation()
        self.close(begin)
        self.flags = flags
        return inner

    def one(self, c: str, at: int) -> CharSet:
        """The set of one character."""
        found = _one(c)
        if not found:
            self.fail("a lone surrogate is no character that a text in UTF-8 can hold", at)
        return found

    def plain_characters(self) -> list[Tree]:
        """Read characters in a row that mean themselves under no flags and have no quantifier: faster than one by one."""
        found = self.match(r"[A-Za-z0-9 _\"',:;=<>@%&~`/!#\-]+(?![*+?{])")
        return [] if found is None else [_class(c) for c in found[0]]

    def hex_digits(self, digits: int, begin: int) -> str:
        """The character of a code point written in exactly so many digits."""
        number = self.text[self.at : self.at + digits]
        if len(number) < digits or not all(d in "0123456789abcdefABCDEF" for d in number):
            self.fail(f"this escape needs {digits} hexadecimal digits", begin)
        self.at += digits
        return self.code_point(number, begin)

    def code_point(self, number: str, begin: int) -> str:
        """The character of a code point."""
        if int(number[-9:], 16) > MAX_CODE_POINT or len(number.lstrip("0")) > 6:
            self.fail(f"there is no code point {number[:12]}: the last one is {MAX_CODE_POINT:X}", begin)
        return chr(int(number, 16))

    def quantifier(self) -> tuple[int, int | None] | None:
        """Read ``*``, ``+``, ``?`` or a count, if one is at the cursor: the bounds."""
        at = self.at
        if not self.looking_at("*", "+", "?", "{"):
            return None
        for sign, bounds in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self.take(sign):
                return bounds
        found = self.match(r"\{(?:([0-9]+)|([0-9]*),([0-9]*))\}")
        if found is None:
            return None
        exactly, low, high = found.groups()
        if exactly is None and not low and not high:
            self.fail("a repeat without numbers: write {0,}, or escape the brace as \\{", at)
        for digits in (exactly, low, high):
            if digits and len(digits) > _COUNT_DIGITS:
                self.fail(f"a repeat of {digits[:12]}... times: {_COUNT_DIGITS} digits at most", at)
            if digits and (refusal := self.limits.refusal("repeats", int(digits), "repeat it less often, or without a bound")):
                self.fail(refusal, at)
        if exactly is not None:
            return int(exactly), int(exactly)
        minimum, maximum = int(low or 0), int(high) if high else None
        if maximum is not None and maximum < minimum:
            self.fail(f"the repeat is from {minimum} to {maximum} times: the first number must not be the larger", at)
        return minimum, maximum

    def preference(self, *, possessive: bool) -> Preference:
        """Read the sign after a quantifier."""
        if self.take("?"):
            return "lazy"
        return "possessive" if possessive and self.take("+") else "greedy"


def concat(parts: list[Tree]) -> Tree:
    """The concatenation of the parts, without those that match only the empty text."""
    rest = tuple(part for part in parts if part is not NO_TEXT)
    return NO_TEXT if not rest else rest[0] if len(rest) == 1 else Concat(rest)
