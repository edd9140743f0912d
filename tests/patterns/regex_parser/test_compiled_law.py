"""The law of compiled patterns: a pattern that ``re`` or ``regex`` compiled means here what it means to its module, flags and all."""

from __future__ import annotations

import random
import re
import warnings
from functools import reduce
from operator import or_

import pytest
import regex
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from patterns.regex_texts import (
    ALPHABET,
    all_texts,
    has_property_without_case,
    is_read_by_re,
    law,
    letters_in,
    near_misses,
    re_texts,
    regex_texts,
    says,
)

from rellm_agents.errors import EmptyPattern, RegexSyntaxError
from rellm_agents.patterns import RegexLike, compile_regex, read_regex
from rellm_agents.patterns.ir.charset import CharSet
from rellm_agents.patterns.regex_parser import stdlib
from rellm_agents.patterns.regex_parser.unicode_classes import members_in_re

MAX_TRIED = 14  # characters: the re module backtracks without a time limit
TURKIC = frozenset("\u0130\u0131")
UNSURE = "\u0130\u0131\u017f\u212a\u0345\u1e9e\x1c\x1f\x85\xa0\u00b2\u0663 \n_aAkKsS"  # what the two modules take for different kinds


def says_of(compiled: RegexLike, text: str) -> bool | None:
    if isinstance(compiled, re.Pattern):
        return compiled.fullmatch(text) is not None
    return says(compiled, text)


def compiled_by(module, text: str, flags: int):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of sets inside sets, which there may be one day
        return module.compile(text, flags)


def agrees_with_its_module(compiled: RegexLike, *, seed: int = 0) -> bool:
    """Whether it is read; and then every text is one of ours if it is one of theirs."""
    text = compiled.pattern
    chance = random.Random(seed)
    tried = dict.fromkeys(
        all_texts(dict.fromkeys((letters_in(text) + "ab")[:3] + chance.choice(ALPHABET) + chance.choice(UNSURE)), up_to=2)
    )
    tried.update(dict.fromkeys(UNSURE))
    pattern = refused = None
    try:
        pattern = compile_regex(compiled)
    except EmptyPattern:
        pass
    except RegexSyntaxError as error:
        refused = error
    if refused is not None:
        assert refused.text == text
        assert 0 <= refused.position <= len(text)
        return False
    if pattern is not None:
        sampled = [one for one in (*(pattern.sample(seed + i) for i in range(3)), pattern.shortest()) if len(one) <= MAX_TRIED]
        tried.update(dict.fromkeys(sampled))
        for one in sampled:
            tried.update(dict.fromkeys(near_misses(one, chance, count=12)))
    folds_fully = isinstance(compiled, regex.Pattern) and bool(compiled.flags & regex.FULLCASE)
    for one in tried:
        if folds_fully and not TURKIC.isdisjoint(one):  # which the module takes for a plain i in some places only
            continue
        if len(one) <= MAX_TRIED:
            ours = pattern is not None and pattern.fullmatch(one)
            assert says_of(compiled, one) in {ours, None}, f"{compiled!r} on {one!r}: ours says {ours}"
    return True


def some_of(*flags: int) -> st.SearchStrategy[int]:
    return st.sets(st.sampled_from(flags), max_size=3).map(lambda found: int(reduce(or_, found, 0)))


@settings(law, max_examples=1_000)
@given(re_texts(), some_of(re.IGNORECASE, re.DOTALL, re.MULTILINE, re.VERBOSE, re.ASCII), st.integers(0, 1_000))
@example("[[:alpha:]]", 0, 0)
@example(r"\B", 0, 0)
@example(r"[\W]", re.IGNORECASE | re.ASCII, 0)
def test_a_pattern_of_re_means_what_it_means_to_re(text: str, flags: int, seed: int) -> None:
    assume(is_read_by_re(text, flags))
    agrees_with_its_module(compiled_by(re, text, flags), seed=seed)


@settings(law, max_examples=300)
@given(regex_texts(), some_of(regex.I, regex.S, regex.M, regex.X, regex.A, regex.F), st.booleans(), st.integers(0, 1_000))
def test_a_pattern_of_regex_means_what_it_means_to_regex(text: str, flags: int, version_1: bool, seed: int) -> None:
    flags |= regex.V1 if version_1 else regex.V0
    assume(not (flags & regex.I and has_property_without_case("(?i)" + text)))
    try:
        compiled = compiled_by(regex, text, flags)
    except (regex.error, ValueError):
        assume(False)
    agrees_with_its_module(compiled, seed=seed)


RE_CORNERS = [
    # what stands in a class
    "[[:alpha:]]", "[[:alpha:]]+", "[[a]", "[a[b]]", "[a--b]", "[--a]", "[a&&b]", "[a||b]", "[a~~b]", "[]a]", "[^]a]", "[]-a]", "[a-]",
    "[-a]",
    r"[\d-]", r"[\w-]", r"[a\-c]", r"[\b]", r"[\101]", r"[\0]", r"[\08]", r"[\x41-\x43]", r"[\N{EURO SIGN}]", r"[\]]", "[^^]", "[#a]",
    "[ ]",
    r"[\ud800-\udfffa]", r"[^\x00-\U0010fffe]", r"[\W\d]", r"[^\W\d_]", r"[\s\S]",
    # braces
    "a{e}", "a{,}", "a{,2}", "a{2,}", "a{}", "a{", "a{1", "a{1,", "a{1,2", "a{ 2}", "a{1, 2}", "a{b}", "{", "}", "{}", "{,}b|a", "x{2}?",
    "a{0}",
    # escapes
    r"\0", r"\01", r"\012", r"\08", r"\141", r"\377", r"\x41", r"\u20ac", r"\U0001f600", r"\N{LATIN SMALL LETTER A}", r"\a\f\v\t\r\n",
    r"\é",
    r"\_", r"\ ", r"\-",
    # kinds
    r"\w", r"\W", r"\d", r"\D", r"\s", r"\S", r"(?a:\w)", r"(?u:\w)", r"(?a:\s)\s", r"(?a:\d)\d",
    # anchors
    "^", "$", "^$", "a$", "a$\n", r"a\Z", r"\Aa", "a$b", "(?m:^a$)", "a\n^b", r"\b", r"\B", r"\Ba", r"a\B", r"\ba\b", r"(?:\B)*",
    r"\b\w+\b", r"(?!\B)",
    r"(?<!\B)a", r"\Bé\B", r"(?a:\bé)",
    # groups, comments, verbose
    "(?P<n>a)b", "(?:a)", "()", "(|a)+", "(a|)*?", "(?:)", "(?#a)b", r"(?#a\)b)c", "a(?#c)*", "a(?#c){2}", "(?:)*", "(?>a)b", "(?>a*)b",
    "a*+b", "a?+b",
    "a{1,2}+b", "(?=a)a", "(?=a)*a", "(?!a)b", "a(?<=a)b", "(?<!a)b", "(?i:(?-i:a)b)", "(?x: a b # c\n)", "(?x: a\\ b)", "(?x:a [ #] b)",
    "(?x:# a \\\n b\nc)", "(?x:a #)\n)", "(?x: a * ) ", "(?-x: a)", "(?s:.)(?-s:.)", "(?i)a", "(?x) a b", "(?#c)(?i)a", ".",
    "(?:a|ab)(?:c|bcd)",
    # case
    "k", "K", "\u212a", "s", "\u017f", "i", "I", "\u0130", "\u0131", "\u00df", "\u1e9e", "\u03c3", "\u03c2", "\u0345", "\u03b9", "\u1fbe",
    "\u01c5",
    "\ufb05", "\ufb06", "\u00b5", "\u03bc", "\u1c80", "[k]", "[^k]", "[i-k]", "[\u0130]", "[^i]", r"[a\W]", r"[\w]", "[\u0131]", "straße",
]  # fmt: skip


@pytest.mark.parametrize(
    "flags", [0, re.IGNORECASE, re.IGNORECASE | re.ASCII, re.VERBOSE, re.MULTILINE, re.DOTALL | re.IGNORECASE | re.VERBOSE]
)
@pytest.mark.parametrize("text", RE_CORNERS)
def test_the_corners_of_re_mean_what_they_mean_to_re(text: str, flags: int) -> None:
    if not is_read_by_re(text, flags):
        pytest.skip("re does not compile it under these flags")
    assert agrees_with_its_module(compiled_by(re, text, flags))


def test_the_characters_that_case_may_change_for_re_are_all_known() -> None:
    """By ``re``'s own word, over all characters: those that are asked one by one match nothing else."""
    for flags in (re.IGNORECASE, re.IGNORECASE | re.ASCII):
        cased = "".join(f"\\U{ord(c):08x}" for c in stdlib._cased())
        assert members_in_re(f"[{cased}]", flags) == CharSet.of(stdlib._cased())


def test_kinds_are_those_of_re() -> None:
    for kind in (r"\w", r"\W", r"\d", r"\D", r"\s", r"\S"):
        for flags in (0, re.ASCII):
            assert read_regex(re.compile(kind, flags)) is read_regex(members_class(members_in_re(kind, flags)))


def members_class(charset: CharSet) -> str:
    return "[" + "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in charset.ranges) + "]"


# Flags


@pytest.mark.parametrize(
    "text", ["a(?i)b", "(?i)ab", "a(?i:b)", "a(?s).", "a(?x) b", "(?i)a(?-i)b", "a(?m)$", r"\w(?a)\w", "a(?if)ss", "#a(?x)", "a(?i)b(?s)."]
)
@pytest.mark.parametrize("flags", [0, regex.I, regex.S, regex.X, regex.I | regex.S, regex.V1, regex.V1 | regex.I])
def test_flags_that_the_text_turns_on_hold_from_there(text: str, flags: int) -> None:
    try:
        compiled = regex.compile(text, flags)
    except regex.error:
        pytest.skip("regex does not compile it under these flags")
    assert agrees_with_its_module(compiled)


def test_flags_leave_the_text_and_its_places_as_they_are() -> None:
    for compiled in (regex.compile(r"a(b)\1", regex.I | regex.S), re.compile(r"a(b)\1", re.IGNORECASE | re.VERBOSE)):
        with pytest.raises(RegexSyntaxError) as caught:
            compile_regex(compiled)
        assert (caught.value.text, caught.value.position) == (r"a(b)\1", 4)


@pytest.mark.parametrize("name", ["BESTMATCH", "ENHANCEMATCH", "LOCALE", "POSIX", "REVERSE"])
def test_a_flag_without_a_counterpart_is_refused_by_name_with_a_way_out(name: str) -> None:
    for text in ("a b", "(?i)a b"):
        with pytest.raises(RegexSyntaxError, match=f"not read: {name} .* drop it"):
            compile_regex(regex.compile(text, getattr(regex, name)))


def test_a_named_list_is_refused_by_name() -> None:
    with pytest.raises(RegexSyntaxError, match=r"named list.*write the words as alternatives, at position 1") as caught:
        compile_regex(regex.compile(r"a\L<words>", words=["b", "c"]))
    assert caught.value.text == r"a\L<words>"


@pytest.mark.parametrize("compiled", [regex.compile(b"a"), re.compile(b"a")])
def test_a_regex_over_bytes_is_refused(compiled: RegexLike) -> None:
    with pytest.raises(RegexSyntaxError, match="over bytes"):
        compile_regex(compiled)


@pytest.mark.parametrize("value", [3, None, b"a", ["a"]])
def test_what_is_no_regex_is_refused_with_what_is(value: object) -> None:
    with pytest.raises(TypeError, match=r"a regex is a str, or a pattern over str that regex.compile or re.compile made, not \w+"):
        compile_regex(value)


RE_REFUSED = [
    (r"(a)\1", 3, "back-reference"),
    (r"(?P<n>a)(?P=n)", 8, "back-reference"),
    ("(a)?(?(1)b|c)", 4, "condition"),
    ("a*+a", 1, "possessive quantifier may change"),
    ("(?>ab|a)b", 0, "atomic group may change"),
    ("a{20001}", 1, "Limits(repeats=20000) is the limit"),
    (r"[^\s\S]", 0, "no character"),
    ("a\ud800", 1, "lone surrogate"),
    ("(" * 41 + ")" * 41, 40, "Limits(groups=40) is the limit"),
]


@pytest.mark.parametrize(("text", "position", "reason"), RE_REFUSED, ids=[reason for _, _, reason in RE_REFUSED])
def test_what_cannot_be_carried_exactly_from_re_is_refused_with_its_place(text: str, position: int, reason: str) -> None:
    with pytest.raises(RegexSyntaxError) as caught:
        compile_regex(re.compile(text))
    assert reason in caught.value.reason
    assert (caught.value.text, caught.value.position) == (text, position)


def test_text_in_the_dialect_of_re() -> None:
    assert read_regex("a{,}", dialect="re") is read_regex("a*")
    with pytest.raises(RegexSyntaxError, match="the re module does not read this: unterminated character set") as caught:
        read_regex("ab[", dialect="re")
    assert caught.value.position == 2


# Everywhere, and without mixing up


def test_parts_may_be_compiled() -> None:
    parts = {"name": re.compile("[a-z]+", re.IGNORECASE), "sign": regex.compile("(?i)x|y"), "text": "[0-9]"}
    pattern = compile_regex("(?&name)(?&sign)(?&text)", parts=parts)
    assert pattern.fullmatch("AbY3")
    assert not pattern.fullmatch("AbYz")


def test_the_same_text_under_other_flags_or_of_another_module_is_not_the_same() -> None:
    text = "[[:alpha:]].(?:b)"
    found = [
        compiled_by(re, text, 0),
        compiled_by(re, text, re.IGNORECASE),
        regex.compile(text),
        regex.compile(text, regex.I),
        regex.compile(text, regex.S),
    ]
    assert len({compile_regex(one).fingerprint for one in found}) == len(found)


def test_recursion_keeps_the_flags_it_was_compiled_with() -> None:
    text = r"(?<n>a(?&n)?b)"
    plain, without_case = compile_regex(text), compile_regex(regex.compile(text, regex.I))
    assert (plain.fullmatch("aabb"), plain.fullmatch("aABb")) == (True, False)
    assert without_case.fullmatch("aABb")


def test_the_default_version_of_the_regex_module_changes_no_text() -> None:
    """Text is read as version 0 unless it says otherwise; a compiled pattern as the version it was compiled for."""
    before = regex.DEFAULT_VERSION
    try:
        regex.DEFAULT_VERSION = regex._regex_core.DEFAULT_VERSION = regex.V1
        compiled = regex.compile("[a-z--b]x")
        assert not compile_regex(compiled).fullmatch("bx")
        assert compile_regex(r"(?i)stra\u00dfe[\w]").fullmatch("STRA\u1e9eE1")
        assert not compile_regex(r"(?i)stra\u00dfe[\w]").fullmatch("STRASSE1")
    finally:
        regex.DEFAULT_VERSION = regex._regex_core.DEFAULT_VERSION = before
