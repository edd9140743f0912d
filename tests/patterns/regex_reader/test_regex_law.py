"""The law of regex text: the machine, the printed regex and the ``regex`` module accept the same texts."""

from __future__ import annotations

import random

import pytest
import regex
from hypothesis import example, given, settings
from hypothesis import strategies as st
from patterns.regex_texts import ALPHABET, all_texts, law, letters_in, near_misses, regex_texts, says

from rellm_agents.errors import EmptyPattern
from rellm_agents.patterns import Pattern, compile_regex
from rellm_agents.patterns.machine import machine

MAX_TRIED = 40  # characters; longer texts say nothing new and let the regex module backtrack for ever
MAX_PRINTED = 4_000


def texts_to_try(pattern: Pattern, text: str, *, seed: int) -> list[str]:
    """Sampled texts, near misses, prefixes and suffixes, every short text over a few letters, and random texts."""
    chance = random.Random(seed)
    sampled = [one for one in (pattern.sample(seed + i) for i in range(3)) if len(one) <= MAX_TRIED]
    sampled.append(pattern.shortest())
    found = dict.fromkeys(sampled)
    for one in sampled:
        if len(one) <= MAX_TRIED:
            found.update(dict.fromkeys(near_misses(one, chance, count=15)))
    letters = (letters_in(text) + "ab")[:4] + chance.choice(ALPHABET)
    found.update(dict.fromkeys(all_texts(dict.fromkeys(letters), up_to=2)))
    found.update(dict.fromkeys("".join(chance.choices(ALPHABET, k=chance.randrange(6))) for _ in range(5)))
    return [one for one in found if len(one) <= MAX_TRIED]


def agrees_with_the_regex_module(text: str, *, seed: int = 0) -> None:
    try:
        pattern = compile_regex(text)
    except EmptyPattern:
        assert not any(says(text, tried) for tried in all_texts("ab0\n", up_to=3))
        return
    theirs, printed = regex.compile(text), pattern.regex
    for tried in texts_to_try(pattern, text, seed=seed):
        ours = pattern.fullmatch(tried)
        assert says(theirs, tried) in {ours, None}, f"{text!r} on {tried!r}: the machine says {ours}"
        if len(printed) <= MAX_PRINTED:
            assert says(printed, tried) in {ours, None}, f"{text!r}, printed {printed!r}, on {tried!r}: the machine says {ours}"


def dies_where_no_text_goes_on(text: str, *, seed: int = 0) -> None:
    pattern = compile_regex(text)
    printed = pattern.regex
    if len(printed) > MAX_PRINTED:
        return
    for tried in texts_to_try(pattern, text, seed=seed):
        alive = machine.run(machine.start(pattern.node), tried.encode()) is not machine.DEAD_STATE
        assert says(printed, tried, partial=True) in {alive, None}, f"{text!r}, printed {printed!r}, begun with {tried!r}: alive is {alive}"


@settings(law, max_examples=250)
@given(regex_texts(), st.integers(0, 1_000))
@example(r"(a+){3,}", 0)  # a repeat of a repeat keeps its minimum
@example(r"(?:(?:ab)+){2,}b?", 0)
def test_a_compiled_regex_accepts_what_the_regex_module_accepts(text: str, seed: int) -> None:
    agrees_with_the_regex_module(text, seed=seed)


@law
@given(regex_texts(), st.integers(0, 1_000))
def test_a_state_is_dead_where_the_regex_module_finds_no_partial_match(text: str, seed: int) -> None:
    dies_where_no_text_goes_on(text, seed=seed)


@law
@given(regex_texts(), st.integers(0, 1_000))
def test_samples_and_the_shortest_text_match(text: str, seed: int) -> None:
    pattern = compile_regex(text)
    assert pattern.fullmatch(pattern.sample(seed))
    assert pattern.fullmatch(pattern.shortest())


@law
@given(regex_texts())
def test_reading_what_was_printed_changes_no_text(text: str) -> None:
    pattern = compile_regex(text)
    again = compile_regex(pattern.regex)
    for tried in texts_to_try(pattern, text, seed=1):
        assert again.fullmatch(tried) == pattern.fullmatch(tried), (text, pattern.regex, tried)


# What random texts meet too seldom.
CORNERS = [
    r"", r"()", r"|", r"a||b", r"(|a)+", r"(a|)*?", r"(?:)", r"(?#)a", r"a(?#b)", r"^", r"$", r"^$", r"^^a$$", r"\A\Z", r"()^a",
    r"(^a|b)c", r"a(b$|c$)", r"a|b$", r"^a|b", r"(?i)^a", r"^(?i)a", r"(?i:(?-i:a)b)", r"(?s:.)(?-s:.)", r"(?s).", r".", r"[.]", r"[]]",
    r"[^]]", r"[]-a]", r"[--a]", r"[a-b-c]", r"[a\-c]", r"[\w-]", r"[-\w]", r"[\d_]", r"[^\d\s]", r"[\b]", r"[*+?{}()|.$^]", r"\08",
    r"\0777", r"\07", r"[\0-\x1f]", r"\x7f\x80", r"[\x7f-\x80]", r"[\u07ff-\u0800]", r"[\ud7ff-\ue000]", r"[\uffff-\U00010000]",
    r"[\U0010ffff]", r"[^\x00-\U0010fffe]", r"}", r"]", r"a{,2}", r"a{0}", r"a{1}", r"(a{2}){3}", r"(a{2,3}){2}", r"(a?){3}", r"(a*)*",
    r"(a+)*", r"(a*)+", r"(a+)+", r"(a+){2,}", r"(a*){2,}", r"(a+){0,2}", r"((a+){2,}){2,}", r"(a{2,}){2,}", r"(a|ab)(c|bcd)",
    r"(a|b)*abb", r"(?:a|b)*a(?:a|b){3}", r"a??b", r"(ab){1,2}?a", r"é+", r"[é-ü]+", r"(?i)straße", r"(?i)K", r"(?i)[k]", r"(?i)[^k]",
    r"(?i)ſ", r"(?i)[h-j]", r"(?i)[^\u0131]", r"(?i)\W", r"(?i)[\W]", r"\N{EURO SIGN}", r"\pL\PL", r"\p{^Lu}", r"\P{^Lu}",  # noqa: RUF001
    r"[[:alpha:]_]", r"[^[:^alpha:]]", r"(?P<a>x)(?<b>y)", r"(?<a>x)|(?<a>y)", "a b", "#a", "a\nb", "\x00",
]  # fmt: skip


@pytest.mark.parametrize("text", CORNERS)
def test_the_corners_of_the_dialect_mean_what_they_mean_to_the_regex_module(text: str) -> None:
    agrees_with_the_regex_module(text)
    dies_where_no_text_goes_on(text)


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        ("a.", regex.I),
        ("a.", regex.S),
        ("(?i)a.", regex.S),
        ("(?s)a.", regex.I),
        ("a|B", regex.I | regex.S),
        ("(?-i)a", regex.I),
        ("^a$", regex.I),
    ],
)
def test_a_compiled_regex_keeps_its_flags(text: str, flags: int) -> None:
    compiled = regex.compile(text, flags)
    pattern = compile_regex(compiled)
    for tried in all_texts("aAbB\n", up_to=3):
        assert pattern.fullmatch(tried) == says(compiled, tried), (text, tried)
