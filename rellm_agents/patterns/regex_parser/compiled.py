r"""The text, the dialect and the flags of a pattern that ``regex`` or ``re`` has compiled.

Patterns of the ``regex`` module and of Python's own ``re`` are taken wherever regex text is. Their flags are handed on as those that
the text begins under, so that the text stays as the user wrote it, and errors point into it. Knows nothing of syntax.

>>> source_of(regex.compile("a.", regex.I | regex.S)).flags.letters
'is'
>>> source_of(re.compile("a")).dialect
're'
"""

from __future__ import annotations

import pickle
import re
from dataclasses import dataclass
from itertools import chain, combinations
from typing import Literal

import regex

from rellm_agents.errors import ArgumentTypeError, RegexSyntaxError
from rellm_agents.patterns.regex_parser.flags import REFUSED, Flags

RegexLike = str | re.Pattern[str] | regex.Pattern[str]
"""A regex as it is taken everywhere: text, or a pattern compiled by ``regex`` or by ``re``."""

Dialect = Literal["regex", "re", "ecma"]

ACCEPTED = "a regex is a str, or a pattern over str that regex.compile or re.compile made"

_CARRIED = {
    regex.IGNORECASE: "ignore_case",
    regex.FULLCASE: "full_case",
    regex.DOTALL: "dot_all",
    regex.MULTILINE: "multi_line",
    regex.VERBOSE: "verbose",
    regex.ASCII: "ascii_only",
    regex.WORD: "word",
}
_WITHOUT_COUNTERPART = {
    regex.BESTMATCH: ("BESTMATCH", REFUSED["b"]),
    regex.ENHANCEMATCH: ("ENHANCEMATCH", REFUSED["e"]),
    regex.LOCALE: ("LOCALE", REFUSED["L"]),
    regex.POSIX: ("POSIX", REFUSED["p"]),
    regex.REVERSE: ("REVERSE", REFUSED["r"]),
}
_HARMLESS = regex.UNICODE | regex.VERSION0 | regex.VERSION1 | regex.DEBUG | regex.TEMPLATE
_CARRIED_OF_RE = {
    re.IGNORECASE: "ignore_case",
    re.DOTALL: "dot_all",
    re.MULTILINE: "multi_line",
    re.VERBOSE: "verbose",
    re.ASCII: "ascii_only",
}
_HARMLESS_OF_RE = re.UNICODE | re.DEBUG | 1  # 1: TEMPLATE, which newer versions of Python do not name


@dataclass(frozen=True, slots=True)
class RegexSource:
    """Regex text, and how it is read.

    Attributes:
        text: as the user wrote it.
        dialect: of the text.
        flags: which it begins under.
    """

    text: str
    dialect: Dialect
    flags: Flags


def source_of(compiled: re.Pattern[str] | regex.Pattern[str]) -> RegexSource:
    """The text of a compiled pattern, its dialect and the flags it was compiled with.

    Args:
        compiled: a pattern of ``re`` or of ``regex``.

    Raises:
        RegexSyntaxError: a pattern over bytes, or a flag without a counterpart here: names it.
        ArgumentTypeError: neither regex text nor a compiled pattern.
    """
    if not isinstance(compiled, re.Pattern | regex.Pattern):
        raise ArgumentTypeError("regex", compiled, ACCEPTED)
    text: str | bytes = compiled.pattern
    if not isinstance(text, str):
        raise RegexSyntaxError(repr(text), 0, "a regex over bytes: a pattern describes text, compile it from str")
    if isinstance(compiled, re.Pattern):
        _refuse_unknown(text, compiled.flags & ~_HARMLESS_OF_RE, _CARRIED_OF_RE)
        return RegexSource(text, "re", Flags(**{field: bool(compiled.flags & flag) for flag, field in _CARRIED_OF_RE.items()}))
    for flag, (name, reason) in _WITHOUT_COUNTERPART.items():
        if compiled.flags & flag:
            raise RegexSyntaxError(text, 0, f"it is compiled with a flag that is not read: {name}{reason[1:]}")
    _refuse_unknown(text, compiled.flags & ~_HARMLESS, _CARRIED)
    version_1, given = bool(compiled.flags & regex.VERSION1), _from_the_start(compiled)
    fields = {field: bool(given & flag) for flag, field in _CARRIED.items()}
    return RegexSource(text, "regex", Flags(**fields, version_1=version_1))


def _refuse_unknown(text: str, flags: int, carried: dict[re.RegexFlag, str] | dict[regex.RegexFlag, str]) -> None:
    for flag in carried:
        flags &= ~flag
    if flags:
        known = ", ".join(str(flag.name) for flag in carried)
        raise RegexSyntaxError(text, 0, f"it is compiled with the flags {flags:#x}, of which nothing is known here: {known} are read")


def _from_the_start(compiled: regex.Pattern[str]) -> int:
    """The flags that a pattern of ``regex`` begins under: its ``flags`` also hold those that its text turns on later."""
    text, flags = compiled.pattern, compiled.flags & ~(regex.UNICODE | regex.DEBUG)
    if flags & regex.VERSION1:
        flags |= regex.FULLCASE  # which version 1 begins under, whatever else it is given
    doubtful = [flag for flag in _CARRIED if compiled.flags & flag and _turns_on(text, flag, flags)]
    if not doubtful:
        return flags
    certain = flags & ~sum(doubtful)
    same = pickle.dumps(compiled)  # which holds the program that was made of the text
    for some in chain.from_iterable(combinations(doubtful, size) for size in range(len(doubtful) + 1)):
        try:
            if pickle.dumps(regex.compile(text, certain | sum(some))) == same:
                return certain | sum(some)
        except (regex.error, ValueError):  # flags that contradict each other are a ValueError of another kind
            continue
    names = ", ".join(str(flag.name) for flag in doubtful)
    raise RegexSyntaxError(
        text, 0, f"whether {names} is given with the pattern or only turned on inside of it cannot be told: compile it without DEBUG"
    )


def _turns_on(text: str, flag: int, flags: int) -> bool:
    if flag == regex.FULLCASE and flags & regex.VERSION1:
        return False
    try:
        return bool(regex.compile(text, flags & ~flag).flags & flag)
    except (regex.error, ValueError):  # e.g. a bracket in a comment that only the flag x makes one
        return False
