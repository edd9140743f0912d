r"""The characters of classes, with and without case: as the ``regex`` module itself matches them, or by ECMA-262.

>>> without_case(CharSet.of("k"), ascii_only=False) == CharSet.of("kK\u212a")
True
>>> full_foldings("SS")[0]
'ss'
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import regex

from rellm_agents.patterns.ir import CharSet
from rellm_agents.patterns.regex_parser.unicode_classes import members_of

LINE_FEED = CharSet.of("\n")
LINE_BREAKS = CharSet.of("\n\v\f\r\x85\u2028\u2029")

_CASED = r"\p{Changes_When_Casemapped}|\p{Changes_When_Casefolded}|\p{Changes_When_Titlecased}|[iIİı]"  # noqa: RUF001


MAX_SINGLE_QUERIES = 128  # characters of a class; for more, the table of all cases is made once


@lru_cache(maxsize=1)
def _cased() -> str:
    return "".join(_each(members_of(_CASED)))


@lru_cache(maxsize=2)
def _cases(ascii_only: bool) -> dict[str, CharSet]:  # noqa: FBT001 - the key of a memo
    """The cased characters, each with all that match it without case."""
    cased = _cased()
    again = regex.compile(f"(?{'a' if ascii_only else 'u'}is)(.)(?:.*?(\\1))*+", regex.VERSION0)
    found = {c: CharSet.of(matched.captures(2)) for c in cased if (matched := again.match(c + cased)) is not None}
    return {c: members for c, members in found.items() if len(members) > 1}


def _each(charset: CharSet) -> Iterable[str]:
    return (chr(i) for first, last in charset.ranges for i in range(first, last + 1))


@lru_cache(maxsize=1_024)
def cases_of(c: str, *, ascii_only: bool) -> CharSet:
    """The characters that match ``c`` where the ``regex`` module ignores case."""
    return CharSet.of(c) | CharSet.of(regex.findall(f"(?{'a' if ascii_only else 'u'}i){regex.escape(c)}", _cased(), regex.VERSION0))


@lru_cache(maxsize=1_024)
def without_case(charset: CharSet, *, ascii_only: bool) -> CharSet:
    """The characters of which some case is in ``charset``."""
    if len(charset) <= MAX_SINGLE_QUERIES:
        return CharSet(pair for c in _each(charset) for pair in cases_of(c, ascii_only=ascii_only).ranges)
    return CharSet(
        [*charset.ranges, *(pair for c, members in _cases(ascii_only).items() if c in charset for pair in members.ranges)],
    )


# Full case folding: one character may match several.


@lru_cache(maxsize=1)
def _expanding() -> dict[str, str]:
    """The characters that fold to several, each with these."""
    return {c: folded for c in _each(members_of(_CASED)) if len(folded := _fold(c)) > 1}


def expanding(charset: CharSet) -> list[str]:
    """The foldings of the members that fold to several characters, without the dotted capital I, which the module folds in strings only."""
    return list(dict.fromkeys(folded for c, folded in _expanding().items() if c in charset and c != "\u0130"))


@lru_cache(maxsize=1_024)
def full_foldings(text: str) -> tuple[str, dict[str, str]]:
    """``text`` folded, and every character that folds to a part of it, with this part."""
    folded = "".join(_fold(c) for c in text)
    found: dict[str, str] = {}
    for c in folded:
        found.update((one, c) for one in _each(_folding_to(c)))
    found.update((one, parts) for one, parts in _expanding().items() if parts in folded)
    return folded, found


@lru_cache(maxsize=1)
def _by_folding() -> dict[str, str]:
    found: dict[str, str] = {}
    for c in _cases(False):  # noqa: FBT003
        found[_fold(c)] = found.get(_fold(c), "") + c
    return found


def _folding_to(c: str) -> CharSet:
    return CharSet.of(_by_folding().get(c, c))


@lru_cache(maxsize=4_096)
def _fold(c: str) -> str:
    return c.casefold()


# ECMA-262

ECMA_DIGITS = CharSet.span("0", "9")
ECMA_WORD = CharSet([(0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)])
ECMA_SPACE = CharSet.of("\t\n\v\f\r \xa0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff") | CharSet.span("\u2000", "\u200a")
ECMA_LINE_BREAKS = CharSet.of("\n\r\u2028\u2029")

_ECMA_BINARY = frozenset(  # names and short names of the binary properties
    """
    ASCII AHex ASCII_Hex_Digit Alpha Alphabetic Any Assigned Bidi_C Bidi_Control Bidi_M Bidi_Mirrored CI Case_Ignorable
    Cased CWCF Changes_When_Casefolded CWCM Changes_When_Casemapped CWL Changes_When_Lowercased CWKCF
    Changes_When_NFKC_Casefolded CWT Changes_When_Titlecased CWU Changes_When_Uppercased DI Default_Ignorable_Code_Point
    Dash Dep Deprecated Dia Diacritic Emoji EComp Emoji_Component EMod Emoji_Modifier EBase Emoji_Modifier_Base EPres
    Emoji_Presentation ExtPict Extended_Pictographic Ext Extender Gr_Base Grapheme_Base Gr_Ext Grapheme_Extend Hex Hex_Digit
    IDSB IDS_Binary_Operator IDST IDS_Trinary_Operator IDC ID_Continue IDS ID_Start Ideo Ideographic Join_C Join_Control LOE
    Logical_Order_Exception Lower Lowercase Math NChar Noncharacter_Code_Point Pat_Syn Pattern_Syntax Pat_WS
    Pattern_White_Space QMark Quotation_Mark Radical RI Regional_Indicator STerm Sentence_Terminal SD Soft_Dotted Term
    Terminal_Punctuation UIdeo Unified_Ideograph Upper Uppercase VS Variation_Selector space White_Space XIDC XID_Continue
    XIDS XID_Start
    """.split()  # noqa: SIM905 - a table
)
_ECMA_NAMED = {
    "General_Category": "gc",
    "gc": "gc",
    "Script": "sc",
    "sc": "sc",
    "Script_Extensions": "scx",
    "scx": "scx",
}


@lru_cache(maxsize=256)
def ecma_property(name: str) -> CharSet | None:
    r"""The characters of ``\p{name}``, spelled as ECMA-262 spells properties; ``None``: there is no such property."""
    left, equals, value = name.partition("=")
    if equals:
        if left not in _ECMA_NAMED or not value:
            return None
        asked = f"{_ECMA_NAMED[left]}={value}"
    else:
        if name == "Any":
            return ~CharSet()
        if name == "Assigned":
            return members_of(r"\P{Cn}")
        asked = name if name in _ECMA_BINARY else f"gc={name}"
    try:
        return members_of(rf"\p{{{asked}}}")
    except regex.error:
        return None


@lru_cache(maxsize=1)
def _ecma_cases() -> dict[str, CharSet]:
    by_folding: dict[str, str] = {}
    for c in _each(members_of(_CASED)):
        by_folding[_simple_fold(c)] = by_folding.get(_simple_fold(c), "") + c
    return {c: CharSet.of(members) for members in by_folding.values() for c in members if len(members) > 1}


def _simple_fold(c: str) -> str:
    folded = c.casefold()
    if len(folded) == 1:
        return folded
    return lower if len(lower := c.lower()) == 1 else c


def ecma_without_case(charset: CharSet) -> CharSet:
    """The characters whose simple case folding is that of a member."""
    return CharSet([*charset.ranges, *(pair for c, members in _ecma_cases().items() if c in charset for pair in members.ranges)])
