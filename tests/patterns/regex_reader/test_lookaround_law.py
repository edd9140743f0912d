"""Lookaround, boundaries, atomic parts and flags: read as the ``regex`` module reads them, or refused with the place."""

from __future__ import annotations

import itertools
import random

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st
from patterns.regex_texts import says

from rellm_agents.errors import EmptyPattern, PatternTooLarge, RegexSyntaxError
from rellm_agents.patterns import Pattern, read_regex

LETTERS = [*"abk1-. ", r"\d", r"\w", r"\W", r"\s", ".", "[ab]", "[^a]", r"\p{L}", r"\x61", r"\n", "(?i:k)", "[a-k]"]
PLACES = [r"\b", r"\B", "^", "$", r"\A", r"\Z", r"\m", r"\M"]
AROUND = ["(?=", "(?!", "(?<=", "(?<!"]
COUNTS = ["*", "+", "?", "{2}", "{1,3}", "*?", "*+", "++", "?+"]
GROUPS = ["(?>", "(", "(?i:", "(?m:", "(?s:", "(?x:", "(?a:", "(?|", "(?fi:"]
SCRAPS = [
    *AROUND, *COUNTS, *GROUPS, *PLACES, "(?<n>", "(?&n)", "(?R)", "(?1)", "(?(DEFINE)", "[", "]", "[^", "--", "&&", "||", "~~", "(?V1)",
    "(?x)", "(?i)", "(?fi)", "(?#", ")", "(", "|", "{1,300}", "{", "}", "\\", r"\p{L}", r"\p{", r"\N{",
    r"\u00", ".", "a", "\ud800", "é", "ß", "#",
]  # fmt: skip
TRIED = [*map("".join, itertools.chain.from_iterable(itertools.product("ab1 \n", repeat=n) for n in range(4)))]
TRIED += ["aK", "Kk", "k", "é", "a-b", "ab ab", "11aa", "aaaa", "abab"]


def written(chance: random.Random, depth: int) -> str:
    """A random regex text with lookaround anywhere."""
    r = chance.random()
    if depth <= 0 or r < 0.3:
        return chance.choice(LETTERS)
    if r < 0.42:
        return chance.choice(PLACES)
    inner = written(chance, depth - 1)
    if r < 0.55:
        return f"{chance.choice(AROUND)}{inner})"
    if r < 0.7:
        return inner + written(chance, depth - 1)
    if r < 0.78:
        return f"(?:{inner}|{written(chance, depth - 1)})"
    if r < 0.92:
        return f"(?:{inner}){chance.choice(COUNTS)}"
    return f"{chance.choice(GROUPS)}{inner})"


@pytest.mark.parametrize("seed", range(400))
def test_lookaround_anywhere_means_what_it_means_to_the_regex_module(seed: int) -> None:
    chance = random.Random(seed)
    text = written(chance, chance.randrange(1, 5))
    accepts_what_the_module_accepts(text, chance.sample(TRIED, 40))


NAMED = {
    r"\bword\b": ["word", "words", "wor", ""],
    r"(?:(?!end).)*end": ["end", "xend", "endend", "eend", "en"],
    r"^(?=.*\d)(?=.*[a-z]).{2,6}$": ["a1", "aa", "11", "abc1234", "1bcdef"],
    r"(?m)(?:^\w$\n?)+": ["a", "a\nb", "ab", "a\n\nb", "a\n"],
    r"(?:\bab\b ?)+": ["ab", "ab ab", "abab", "ab ", "ab  ab"],
    r"(?V1)[a-z--[aeiou]]+": ["bcd", "bad", "", "z"],
    r"(?V1)[\w&&[^\d_]]+~": ["ab~", "a1~", "_~"],
    r"(?V1i)straße": ["STRASSE", "straße", "strase", "ſtraſſe", "ﬆraße"],  # noqa: RUF001
    r"(?<x>a(?&x)?b)": ["ab", "aabb", "aab", "abab"],
    r"\((?R)?\)": ["()", "(())", "(()", ")("],
    r"(?(DEFINE)(?<n>\d+))(?&n),(?P>n)": ["1,2", "12,", "12,345"],
    r"(?|(a)|(b))(c)(?2)": ["acc", "bcc", "abc"],
    "(?x) a b # c": ["ab", "a b", "abc"],
    "a(?i)b|c": ["ab", "aB", "AB", "C", "c"],
    r"\R": ["\n", "\r\n", "\r", "\n\r", "\u2028"],
    "(?>a+)b": ["ab", "aab", "b"],
    "(*FAIL)|a": ["a", ""],
}


@pytest.mark.parametrize("text", NAMED)
def test_each_construct_means_what_it_means_to_the_regex_module(text: str) -> None:
    assert read_regex(text) is not None
    accepts_what_the_module_accepts(text, [*NAMED[text], *TRIED[:50]])


def accepts_what_the_module_accepts(text: str, tried: list[str]) -> None:
    theirs = regex.compile(text)
    try:
        pattern = Pattern(read_regex(text))
    except (RegexSyntaxError, PatternTooLarge):
        return
    except EmptyPattern:
        pattern = None
    for one in tried:
        ours = pattern is not None and pattern.fullmatch(one)
        assert says(theirs, one) in {ours, None}, (text, one, ours)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("dialect", ["regex", "ecma"])
def test_no_text_is_refused_without_a_place_or_ends_in_another_exception(dialect: str) -> None:
    chance = random.Random(7)
    places = []
    for _ in range(1_500):
        text = "".join(chance.choice(SCRAPS) for _ in range(chance.randrange(1, 14)))
        if chance.random() < 0.5:
            text = written(chance, 3)[: chance.randrange(12)] + text
        try:
            read_regex(text, dialect=dialect)
        except RegexSyntaxError as error:
            places.append((0 <= error.position <= len(text), error.text == text, bool(error.reason)))
    assert set(places) == {(True, True, True)}


@pytest.mark.parametrize(
    ("text", "yes", "no"),
    [
        (r"^\d+$", ["12"], ["٣", "12\n"]),
        (r"\bfoo\b", ["a foo b", "foo"], ["afoo", "éfoox"]),
        (r"^.$", ["a", "\x85", "😀"], ["\n", "\r", "\u2028"]),
        (r"\s", ["\ufeff", " "], ["\x1c", "\x85"]),
        (r"\u{1F600}|\uD83D\uDE01|\cA", ["😀", "😁!", "\x01"], ["A"]),
        (r"\p{Script=Greek}", ["aβ"], ["b"]),
        (r"^(?!.*\.\.)[a-z.]+$", ["a.b"], ["a..b"]),
        (r"(?<n>a|b)+$", ["cab"], ["abc"]),
        (r"[\w-.]\-", ["--", ".-"], ["/-"]),
        (r"^[^]$", ["\n"], ["", "ab"]),
    ],
)
def test_a_pattern_of_ecma_262_is_searched_for(text: str, yes: list[str], no: list[str]) -> None:
    pattern = Pattern(read_regex(text, dialect="ecma", search=True))
    assert [one for one in [*yes, *no] if pattern.fullmatch(one)] == yes


@pytest.mark.parametrize(
    "text", [r"(a)\1", r"(?<n>a)\k<n>", "a++", "(?>a)", r"\A", r"\p{Greek}", "(?R)", "a**", r"\-\q", "(?i)a", "x{2,1}"]
)
def test_what_ecma_262_does_not_have_is_refused(text: str) -> None:
    with pytest.raises(RegexSyntaxError):
        read_regex(text, dialect="ecma")


@pytest.mark.parametrize("seed", range(60))
def test_full_case_folding_never_accepts_what_the_regex_module_does_not(seed: int) -> None:
    """Fewer texts are accepted where a folding goes from one part to the next, as in ``(?fi)(?:s)s``, and of i only its two cases."""
    chance = random.Random(seed)
    text = "(?fi)" + "".join(chance.choices(["s", "S", "ß", "f", "i", "I", "t", "ﬁ", "[ß]", "s+", "(?:s)", "(s)"], k=3))
    pattern, theirs = Pattern(read_regex(text)), regex.compile(text)
    for _ in range(100):
        one = "".join(chance.choices("sSſßẞfFﬀﬁiI\u0130\u0131tTﬅ", k=chance.randrange(1, 5)))  # noqa: RUF001
        assert not pattern.fullmatch(one) or theirs.fullmatch(one), (text, one)


EXCLUDED = st.lists(st.text("ab", min_size=1, max_size=4), min_size=1, max_size=3).map("|".join)
BEFORE = st.sampled_from(["", "c", "a?", "(?<!a)", "[ab]*"])
BEHIND = st.sampled_from(["", "b", "a+", "(?:ba|c)*", "(?=b).+", "(?<=ab)c?", "abab", "c+"])
COUNTED = st.builds("(?:(?!{})[{}]){{{},{}}}".format, EXCLUDED, st.sampled_from(["abc", "ab", "a-z"]), st.integers(0, 3), st.integers(4, 7))
TRIES = st.lists(st.text("abc", max_size=11), min_size=40, max_size=40)


@settings(max_examples=100, deadline=None)
@given(st.tuples(BEFORE, COUNTED, BEHIND).map("".join), TRIES)
def test_a_counted_repeat_that_no_text_begins_in(text: str, tried: list[str]) -> None:
    """Also where such a text would end behind the repeat."""
    accepts_what_the_module_accepts(text, tried)


def test_a_counted_repeat_that_no_text_begins_in_stays_a_counter() -> None:
    pattern = Pattern(read_regex("(?s)(?:(?!</end>).){1,5000}</end>"))
    assert pattern.fullmatch("a" * 5_000 + "</end>")
    assert not pattern.fullmatch("a" * 5_001 + "</end>")
    assert not pattern.fullmatch("a</end></end>")


def searched_for(chance: random.Random, depth: int) -> str:
    """A random ECMA-262 regex with anchors and lookaround in each other, that means the same to the ``regex`` module."""
    r = chance.random()
    if depth <= 0 or r < 0.25:
        return chance.choice(["a", "b", "1", ".", r"\d", r"\w", r"\W", "[ab]", "[^a]"])
    if r < 0.4:
        return chance.choice([r"\b", r"\B", "^", "$"])
    inner = searched_for(chance, depth - 1)
    if r < 0.65:
        return f"{chance.choice(AROUND)}{inner})"
    if r < 0.85:
        return inner + searched_for(chance, depth - 1)
    if r < 0.92:
        return f"(?:{inner}|{searched_for(chance, depth - 1)})"
    return inner if inner[0] in "(^$" or inner[:2] in (r"\b", r"\B") else f"(?:{inner}){chance.choice(['*', '+', '?', '{2}', '{1,3}'])}"


@pytest.mark.parametrize("part", range(8))
def test_what_is_searched_for_is_found_where_the_regex_module_finds_it(part: int) -> None:
    """As ``pattern`` of JSON Schema asks for: what stands before and behind is not known, also where lookaround looks out of lookaround."""
    chance, tried = random.Random(part), [one for one in TRIED if one.isascii() and "\n" not in one]
    read = 0
    for _ in range(200):
        text = searched_for(chance, chance.randrange(2, 6))
        theirs = regex.compile(text, regex.ASCII)
        try:
            pattern = Pattern(read_regex(text, dialect="ecma", search=True))
        except RegexSyntaxError:
            continue
        except EmptyPattern:
            pattern = None
        read += 1
        for one in tried:
            assert (pattern is not None and pattern.fullmatch(one)) == bool(theirs.search(one)), (text, one)
    assert read > 100
