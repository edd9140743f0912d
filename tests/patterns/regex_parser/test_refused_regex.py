"""Regex text outside the dialect: refused with the place and the reason, and never with another exception."""

from __future__ import annotations

import pickle

import pytest
import regex
from hypothesis import example, given, settings
from hypothesis import strategies as st
from patterns.regex_texts import ALPHABET, all_texts, has_property_without_case, law, regex_texts, says

from rellm_agents import Limits
from rellm_agents.errors import EmptyPattern, PatternTooLarge, RegexSyntaxError
from rellm_agents.patterns import Pattern, compile_regex, read_regex

MAX_GROUPS = Limits().groups
REFUSED = [
    # back-references
    (r"(a)\1", 3, "back-reference"),
    (r"(?P<n>a)\g<n>", 8, "back-reference"),
    (r"(?P<n>a)(?P=n)", 8, "back-reference"),
    # atomic groups and possessive quantifiers that take away texts
    ("(?>ab|a)b", 0, "atomic group may change"),
    ("x(?>a|ab)c", 1, "atomic group may change"),
    ("(?>a*?)ab", 0, "atomic group may change"),
    ("(?<=(?>a|b))c", 4, "atomic group may change"),
    ("a*+a", 1, "possessive quantifier may change"),
    ("a?+a", 1, "possessive quantifier may change"),
    (r"(?:\w++,?)*", 5, "possessive quantifier may change"),
    ("a{0,3}+a", 1, "possessive quantifier may change"),
    # recursion, conditions, verbs, branch reset
    ("(?&n)", 0, "no group is named 'n'"),
    ("a(?P>n)", 1, "no group is named 'n'"),
    ("(a)(?2)", 3, "no group 2"),
    ("(?-1)", 0, "no group so far back"),
    ("a|(?R)b", 2, "calls itself before"),
    ("(?<n>a?(?&n)b)", 7, "calls itself before"),
    (r"(a\b(?1)?)", 2, "inside a group that calls itself"),
    ("(?<n>a)|(?<n>b)(?&n)", 15, "several places"),
    ("(a)?(?(1)b|c)", 4, "condition"),
    ("(?(DEFINE)(?<n>a)|b)", 17, "alternatives"),
    ("(*PRUNE)a", 0, "verbs"),
    # anchors and boundaries
    (r"\Ga", 0, "search anchor"),
    (r"a\Kb", 1, r"\K"),
    (r"\X", 0, "grapheme"),
    # flags
    ("(?b:a)", 2, "fuzzy"),
    ("(?e)a", 2, "fuzzy"),
    ("(?L)a", 2, "locale"),
    ("(?p)a", 2, "longest"),
    ("(?r)a", 2, "backwards"),
    ("(?ab:a)", 3, "fuzzy"),
    ("(?iq)a", 3, "no flag 'q'"),
    ("(?V0V1)a", 0, "versions 0 and 1"),
    (r"(?w)\b", 4, "flag w"),
    # version 1
    ("(?V1)[a--b", 5, "never closed"),
    ("(?V1)[a[b]", 5, "never closed"),
    ("(?V1)[a--a]", 5, "no character"),
    # classes
    ("[a", 0, "never closed"),
    ("x[]", 1, "never closed"),
    ("[^", 0, "never closed"),
    ("[b-a]", 1, "range ends"),
    (r"[a-\d]", 1, "range ends"),
    (r"[\d-a]", 1, "range begins"),
    (r"[\p{Zl}-\uffff]", 1, "range begins"),
    (r"[a-\p{Zl}]", 1, "range ends"),
    ("[a--b]", 2, "set operations"),
    ("[a&&b]", 2, "set operations"),
    ("[a||b]", 2, "set operations"),
    ("[a~~b]", 2, "set operations"),
    ("[[:nope:]]", 1, "no such POSIX class"),
    ("[[::]]", 1, "no such POSIX class"),
    ("(?V1)[[:alpha]", 6, "POSIX"),
    (r"[\s\S--a]", 5, "set operations"),
    (r"[^\s\S]", 0, "no character"),
    # escapes
    ("ab\\", 2, "backslash at the end"),
    (r"\q", 0, r"\q is no escape"),
    (r"a\xg0", 1, "2 hexadecimal digits"),
    (r"\u12", 0, "4 hexadecimal digits"),
    (r"\U00110000", 0, "no code point"),
    (r"\N", 0, "name of a character"),
    (r"\N{NO SUCH NAME}", 0, "no character named"),
    (r"\N{KEYCAP DIGIT ONE}", 0, "no character named"),  # a sequence of three
    (r"\p", 0, "property"),
    (r"a\p{Nope}", 1, "no such property"),
    (r"\p{", 0, "property"),
    (r"\L<words>", 0, "named list"),
    # groups and quantifiers
    ("a(b", 1, "never closed"),
    ("(", 0, "never closed"),
    ("(?:a", 0, "never closed"),
    ("(?#a", 0, "never closed"),
    ("a)", 1, "closes no group"),
    ("*a", 0, "nothing to repeat"),
    ("(+a)", 1, "nothing to repeat"),
    ("a|?", 2, "nothing to repeat"),
    ("^*", 1, "nothing to repeat"),
    ("a**", 2, "quantifier on a quantifier"),
    ("a{2}{3}", 4, "quantifier on a quantifier"),
    ("a??*", 3, "quantifier on a quantifier"),
    ("{", 0, "brace"),
    ("a{x}", 1, "brace"),
    ("a{,}", 1, "without numbers"),
    ("a{3,2}", 1, "from 3 to 2"),
    ("a{20001}", 1, r"20001, and Limits(repeats=20000) is the limit"),
    ("a{0,99999999999}", 1, "a repeat of 99999999999... times: 9 digits at most"),
    # fuzzy matching
    ("(?:a){e<=1}", 5, "brace"),
    ("(?:foo){e}", 7, "brace"),
    ("(?e)(?:a){s<2}", 2, "fuzzy"),
    # size
    ("(" * 10_000, MAX_GROUPS, f"Limits(groups={MAX_GROUPS}) is the limit"),
    ("(?:" * 10_000 + ")" * 10_000, 3 * MAX_GROUPS, f"Limits(groups={MAX_GROUPS}) is the limit"),
]


@pytest.mark.parametrize(("text", "position", "reason"), REFUSED, ids=[text[:20] for text, _, _ in REFUSED])
def test_a_regex_outside_the_dialect_is_refused_with_the_place_and_the_reason(text: str, position: int, reason: str) -> None:
    with pytest.raises(RegexSyntaxError) as caught:
        compile_regex(text)
    assert reason in caught.value.reason
    assert caught.value.position == position
    assert caught.value.text == text
    assert f"at position {position}" in str(caught.value)


@pytest.mark.parametrize("text", ["(?i-i)a", "(?i-i:a)", "(?-)a", "(?i-)a", "(?s-s:.)", "(?i--s:a)"])
def test_flags_that_the_regex_module_refuses_are_refused(text: str) -> None:
    with pytest.raises(regex.error):
        regex.compile(text)
    with pytest.raises(RegexSyntaxError):
        compile_regex(text)


def test_the_error_shows_the_place() -> None:
    with pytest.raises(RegexSyntaxError) as caught:
        compile_regex(r"[a-z]+\Gx")
    assert str(caught.value).splitlines()[1:] == [r"  [a-z]+\Gx", "        ^"]


def test_the_error_survives_being_sent_to_another_process() -> None:
    again = pickle.loads(pickle.dumps(RegexSyntaxError("a(b", 1, "this group is never closed")))
    assert (again.text, again.position, again.reason) == ("a(b", 1, "this group is never closed")


# Fuzzing

SYNTAX = [
    *r"()[]{}|*+?^$\.-:<>=!#,&~",
    "(?",
    "(?:",
    "(?P<",
    "(?i",
    "(?-",
    "[^",
    "[:",
    ":]",
    "\\p{",
    "\\x4",
    "\\u00",
    "\\N{",
    "{1,",
    "{2}",
    "a-",
    "--",
    "&&",
    "(?#",
    "\\d",
    "0",
    "9",
]
scraps = st.lists(st.one_of(st.sampled_from(SYNTAX), st.sampled_from("aibsPLux01 \n€\ud800")), max_size=12).map("".join)


def reads_or_refuses(text: str) -> Pattern | None:
    try:
        return compile_regex(text)
    except (EmptyPattern, PatternTooLarge):
        return None
    except RegexSyntaxError as error:
        refused = error
    assert 0 <= refused.position <= len(text)
    assert refused.text == text
    assert refused.reason
    return None


def means_the_same_to_the_regex_module(text: str, pattern: Pattern) -> None:
    try:
        theirs = regex.compile(text)
    except regex.error as error:
        raise AssertionError(f"{text!r} is read, but refused by the regex module: {error}") from error
    if has_property_without_case(text):
        return
    letters = dict.fromkeys([*(c for c in text if c.isalnum() or c in "-,:&#=\n€"), "a"])
    tried = [*all_texts(list(letters)[:5], up_to=2), *ALPHABET, pattern.shortest(), pattern.sample(1)]
    for one in tried:
        if len(one) <= 40 and not any("\ud800" <= c <= "\udfff" for c in one):
            assert says(theirs, one) in {pattern.fullmatch(one), None}, (text, one)


@settings(law, max_examples=1_000)
@given(scraps)
@example("[a-")
@example("[\\")
@example("(?")
@example("(?P<")
@example("\\N{")
@example("a{99999999999999999999}")
@example("(?#" + "\ud800" + ")a")
@example("[]")
@example(r"\N{KEYCAP DIGIT ONE}")
def test_scraps_of_syntax_are_read_as_the_regex_module_reads_them_or_refused(text: str) -> None:
    pattern = reads_or_refuses(text)
    if pattern is not None:
        means_the_same_to_the_regex_module(text, pattern)


@settings(law, max_examples=300)
@given(st.text(max_size=20))
def test_any_text_is_read_as_the_regex_module_reads_it_or_refused(text: str) -> None:
    pattern = reads_or_refuses(text)
    if pattern is not None:
        means_the_same_to_the_regex_module(text, pattern)


@settings(law, max_examples=200)
@given(regex_texts(max_leaves=3), st.data())
def test_a_damaged_regex_is_read_as_the_regex_module_reads_it_or_refused(text: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(text)))
    gone = data.draw(st.integers(0, 2))
    damaged = text[:at] + data.draw(st.sampled_from(["", *SYNTAX])) + text[at + gone :]
    pattern = reads_or_refuses(damaged)
    if pattern is not None:
        means_the_same_to_the_regex_module(damaged, pattern)


# Long and deep


LONG_AND_DEEP = {
    "5,000 characters": ("ab" * 2_500, "ab" * 2_500),
    "5,000 characters of classes": ("[ab]c" * 2_500, "bc" * 2_500),
    "2,000 alternatives": ("|".join(f"x{i}" for i in range(2_000)), "x1999"),
    "2,000 alternatives repeated": ("(?:" + "|".join(f"x{i}" for i in range(2_000)) + ")*", "x1999x3"),
    "400 optional characters": ("a?" * 400, "a" * 400),
    "a repeated row of 300": ("(?:" + "[ab]c" * 300 + ")*", "bc" * 600),
    "a count of 5,000": ("a{5000}", "a" * 5_000),
    "nested groups": ("(" * MAX_GROUPS + "a" + ")" * MAX_GROUPS, "a"),
    "nested quantified groups": ("(?:" * MAX_GROUPS + "a" + "b?)+" * MAX_GROUPS, "ab"),
    "nested quantified rows": ("(?:" * MAX_GROUPS + "a" + "b)*" * MAX_GROUPS, "ab" + "b" * (MAX_GROUPS - 1)),
    "nested quantified alternatives": ("(?:" * MAX_GROUPS + "a" + "b|c)*" * MAX_GROUPS, "ccc"),
}


@pytest.mark.parametrize(("text", "match"), LONG_AND_DEEP.values(), ids=list(LONG_AND_DEEP))
def test_long_and_deep_regexes_are_read_and_run(text: str, match: str) -> None:
    pattern = compile_regex(text)
    assert pattern.fullmatch(match)
    assert not pattern.fullmatch(match + "!")
    assert pattern.fullmatch(pattern.shortest())
    assert len(pattern.regex) > 0


def test_reading_is_not_limited_by_the_length_of_a_comment() -> None:
    assert read_regex("(?#" + "x" * 100_000 + ")a") is read_regex("a")
