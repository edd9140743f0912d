r"""Regex texts of the dialect that is read, and texts to try them on: Hypothesis strategies and near misses.

>>> {"a", "ba", "aab", "axb"} <= one_edit_away("ab", "x")
True
"""

from __future__ import annotations

import itertools
import random
import re
import string
import warnings
from collections.abc import Iterable, Iterator

import regex
from hypothesis import settings
from hypothesis import strategies as st

law = settings(deadline=None, derandomize=True, max_examples=150)
"""The same examples on every run: a law that fails in CI fails on every desk."""

# Few ASCII letters, so that texts meet; each end of each length of UTF-8; letters with more than one other case.
ASCII = "abkKiIsS01 -_.,]^"
CONTROLS = "\n\t\r\x00\x1b\x7f\x85\u2028"
BOUNDARIES = "\x80\u07ff\u0800\ud7ff\ue000\uffff\U00010000\U0010ffff"
LETTERS = "éÉßẞſKİıµΣσςǅ\u0345€😀"  # noqa: RUF001
ALPHABET = ASCII + CONTROLS + BOUNDARIES + LETTERS

CLASSES = [r"\d", r"\D", r"\w", r"\W", r"\s", r"\S"]
PROPERTIES = [r"\p{L}", r"\pL", r"\P{L}", r"\p{^L}", r"\p{Lu}", r"\P{Ll}", r"\p{Greek}", r"\p{Script=Latin}", r"\p{Zl}", r"\p{ASCII}"]
POSIX = ["[:alpha:]", "[:^alpha:]", "[:upper:]", "[:digit:]", "[:space:]", "[:punct:]", "[:word:]"]
ESCAPES = [
    r"\n",
    r"\t",
    r"\0",
    r"\012",
    r"\a",
    r"\x41",
    r"\xe9",
    r"\u20ac",
    r"\U0001F600",
    r"\N{LATIN SMALL LETTER A}",
    r"\.",
    r"\\",
    r"\-",
    r"\é",
]
COUNTS = ["*", "+", "?", "{2}", "{,2}", "{2,}", "{1,3}", "{0}", "{1}", "{0,1}"]


def characters_of(alphabet: str) -> st.SearchStrategy[str]:
    return st.sampled_from(alphabet)


def regex_texts(*, max_leaves: int = 10) -> st.SearchStrategy[str]:
    """Whole regex texts: flags, an anchor at each end, and in between everything that is read."""
    body = st.recursive(_one_character(), _combined, max_leaves=max_leaves)
    flags = st.sampled_from(["", "", "", "(?i)", "(?s)", "(?is)", "(?i)(?s)", "(?-i)", "(?u)"])
    start = st.sampled_from(["", "", "", "^", r"\A"])
    end = st.sampled_from(["", "", "", "$", r"\Z"])
    return st.tuples(flags, start, body, end).map("".join).filter(lambda text: not has_property_without_case(text))


# Compiled once: the cache of the ``regex`` module drops entries at random, which Hypothesis takes for a random strategy.
_IGNORES_CASE = regex.compile(r"\(\?[a-z]*i")
_PROPERTY = regex.compile(r"\\[pP]|\[:")


def has_property_without_case(text: str) -> bool:
    r"""Whether the ``regex`` module might mean two things by it.

    ``(?i)\p{L}`` does not match U+0345, ``(?i)(?:a|\p{L})`` does: single characters of an alternation are merged into a class.
    """
    return _IGNORES_CASE.search(text) is not None and _PROPERTY.search(text) is not None


def _one_character() -> st.SearchStrategy[str]:
    plain = st.one_of(characters_of("abkis01"), characters_of(ALPHABET)).map(_escaped)
    return st.one_of(plain, plain, st.sampled_from([*ESCAPES, *CLASSES, *PROPERTIES, "."]), _classes())


def _escaped(c: str) -> str:
    return "\\" + c if c in r"\.^$*+?{}[]|()" else c


def _classes() -> st.SearchStrategy[str]:
    member = characters_of(ALPHABET).map(lambda c: "\\" + c if c in r"\]^-[" else c)
    span = st.tuples(characters_of(ALPHABET), characters_of(ALPHABET)).map(lambda ends: "-".join(f"\\U{ord(c):08x}" for c in sorted(ends)))
    several = st.lists(st.one_of(member, member, span, st.sampled_from(ESCAPES[:-1])), min_size=1, max_size=4).map("".join)
    named = st.sampled_from([*CLASSES, *PROPERTIES, *POSIX])
    edge = st.sampled_from(["]", "]a", "-", "-a", "a-", "a^", r"\b", ".*", "a-c-e", "{|}"])
    mixed = st.tuples(several, named).map("".join)
    # Negated are only those that leave something over: a class without members is refused.
    return st.one_of(
        st.tuples(st.sampled_from(["[", "[^"]), st.one_of(several, named, edge)).map(lambda parts: "".join(parts) + "]"),
        mixed.map(lambda inner: f"[{inner}]"),
    )


def _combined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    opening = st.sampled_from(["(", "(?:", "(?:", "(?P<name>", "(?<é1>", "(?i:", "(?s:", "(?-i:", "(?i-s:", "(?u:"])
    group = st.tuples(opening, inner).map(lambda parts: "".join(parts) + ")")
    counter_of = st.tuples(group, st.sampled_from(COUNTS), st.sampled_from(["", "", "?"])).map("".join)
    counted_one = st.tuples(_one_character(), st.sampled_from(COUNTS), st.sampled_from(["", "?"])).map("".join)
    row = st.lists(st.one_of(inner.map(lambda text: f"(?:{text})"), _one_character(), counted_one), min_size=1, max_size=4).map("".join)
    alternatives = st.lists(st.one_of(inner, row, st.just("")), min_size=2, max_size=3).map(lambda options: "(?:" + "|".join(options) + ")")
    comment = inner.map(lambda text: f"(?#a (comment){text}")
    return st.one_of(group, counter_of, counter_of, row, row, alternatives, comment)


def re_texts(*, max_leaves: int = 8) -> st.SearchStrategy[str]:
    """Whole regex texts that Python's own ``re`` module compiles: what it shares with others, and what only it takes so."""
    plain = characters_of("abkisIKS01 -_é#{}]\n\u0345\u0130\u017f\x1c\u00b2").map(lambda c: "\\" + c if c in "\\{" else c)
    escapes = st.sampled_from([*RE_ESCAPES, *CLASSES])
    one = st.one_of(plain, plain, escapes, st.just("."), _re_classes())
    anchors = st.sampled_from(["^", "$", r"\A", r"\Z", r"\b", r"\B", "(?#a\\)b)", "# a\n", "{}", "{a", "a{e}", "a{,}", "a{ 2}"])
    body = st.recursive(st.one_of(one, one, one, anchors), lambda inner: _re_combined(one, inner), max_leaves=max_leaves)
    start = st.sampled_from(["", "", "", "", "(?i)", "(?x)", "(?a)", "(?ms)", "(?#c)(?i)"])
    return st.tuples(start, body).map("".join).filter(is_read_by_re)


RE_ESCAPES = [
    r"\n", r"\t", r"\0", r"\012", r"\08", r"\141", r"\a", r"\x41", r"\u20ac", r"\U0001F600", r"\N{EURO SIGN}",
    r"\.", r"\-", r"\é", r"\ ",
]  # fmt: skip


def _re_classes() -> st.SearchStrategy[str]:
    member = characters_of(ALPHABET).map(lambda c: "\\" + c if c in r"\]^-" else c)
    span = st.tuples(characters_of(ALPHABET), characters_of(ALPHABET)).map(lambda ends: "-".join(f"\\U{ord(c):08x}" for c in sorted(ends)))
    named = st.sampled_from(
        [*CLASSES, "[:alpha:", "[", "[a", "a&&b", "a--", "--a", "a||", "~~", "]", "]a", "-", "a-", r"\b", r"\101", "a^"]
    )
    inner = st.lists(st.one_of(member, member, span, named), min_size=1, max_size=3).map("".join)
    return st.tuples(st.sampled_from(["[", "[^"]), inner).map(lambda parts: "".join(parts) + "]")


def _re_combined(one: st.SearchStrategy[str], inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    opening = st.sampled_from(
        [
            "(",
            "(?:",
            "(?:",
            "(?i:",
            "(?s:",
            "(?-i:",
            "(?i-s:",
            "(?a:",
            "(?u:",
            "(?x: ",
            "(?-x:",
            "(?m:",
            "(?=",
            "(?!",
            "(?<=",
            "(?<!",
            "(?>",
        ]
    )
    group = st.tuples(opening, inner).map(lambda parts: "".join(parts) + ")")
    counts = st.tuples(st.sampled_from([*COUNTS, "{,}", " *", "(?#c)+"]), st.sampled_from(["", "", "?", "+"])).map("".join)
    counted = st.tuples(st.one_of(group, one), counts).map("".join)
    row = st.lists(st.one_of(inner.map(lambda text: f"(?:{text})"), one, counted), min_size=1, max_size=4).map("".join)
    alternatives = st.lists(st.one_of(inner, row, st.just("")), min_size=2, max_size=3).map(lambda options: "(?:" + "|".join(options) + ")")
    return st.one_of(group, counted, counted, row, row, alternatives)


def is_read_by_re(text: str, flags: int = 0) -> bool:
    """Whether Python's own ``re`` module compiles a text."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(text, flags)
    except (re.error, OverflowError):
        return False
    return True


def one_edit_away(text: str, alphabet: str) -> set[str]:
    """``text`` and what one deletion, doubling, swap, insertion, replacement or change of case makes of it; its halves."""
    found = {
        text,
        text.swapcase(),
        text.upper(),
        text.lower(),
        text * 2,
        *(text[:i] for i in range(len(text))),
        *(text[i:] for i in range(len(text))),
    }
    for i in range(len(text) + 1):
        before, after = text[:i], text[i:]
        found.update((before + after[1:], before + after[:1] * 2 + after[1:], before + after[1::-1] + after[2:]))
        for c in alphabet:
            found.update((before + c + after, before + c + after[1:]))
    return {one for one in found if _is_utf8(one)}


def near_misses(text: str, chance: random.Random, *, count: int) -> list[str]:
    """Up to ``count`` texts one edit away from ``text``, with characters of its own and of ``ALPHABET``."""
    alphabet = "".join(dict.fromkeys(text))[:6] + "".join(chance.sample(ALPHABET, 4))
    found = sorted(one_edit_away(text, alphabet))
    return chance.sample(found, min(count, len(found)))


def all_texts(alphabet: Iterable[str], *, up_to: int) -> Iterator[str]:
    """Every text of at most ``up_to`` characters of ``alphabet``."""
    letters = list(alphabet)
    for length in range(up_to + 1):
        yield from map("".join, itertools.product(letters, repeat=length))


def letters_in(text: str) -> str:
    """What a regex text speaks of, roughly: for alphabets small enough to try everything."""
    kept = dict.fromkeys(c for c in text if c not in r"\.^$*+?{}[]|():<>" and (not c.isascii() or c in string.ascii_lowercase + "01\n"))
    return "".join(kept)


def says(pattern: str | regex.Pattern[str], text: str, *, partial: bool = False) -> bool | None:
    """What the ``regex`` module says; ``None`` where it does not come to an end."""
    try:
        return regex.fullmatch(pattern, text, partial=partial, timeout=0.3) is not None
    except TimeoutError:
        return None


def _is_utf8(text: str) -> bool:
    return not any("\ud800" <= c <= "\udfff" for c in text)
