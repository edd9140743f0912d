"""Bytes and characters: what a machine accepts is UTF-8, and a class holds what the ``regex`` module says, for every code point."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
import regex
from hypothesis import example, given
from hypothesis import strategies as st
from patterns.blueprints import Blueprint, blueprints, build
from patterns.regex_texts import law

from rellm_agents.errors import PatternError, RegexSyntaxError
from rellm_agents.patterns import (
    NOTHING,
    TEXT,
    CharSet,
    Pattern,
    characters,
    compile_regex,
    complement,
    intersection,
    literal,
    read_regex,
    sequence,
)
from rellm_agents.patterns.automaton.automaton import DEAD, START, Automaton
from rellm_agents.patterns.ir.charset import ALL_CHARACTERS, MAX_CODE_POINT
from rellm_agents.patterns.ir.node_types import Characters, Literal
from rellm_agents.patterns.machine import machine

BOUNDARIES = [0x0, 0x7F, 0x80, 0x7FF, 0x800, 0xFFF, 0x1000, 0xD7FF, 0xE000, 0xFFFF, 0x10000, 0x3FFFF, 0x40000, 0x10FFFF]
SURROGATES = range(0xD800, 0xE000)
EVERYTHING = "".join(chr(i) for i in range(MAX_CODE_POINT + 1) if i not in SURROGATES)

near_boundaries = st.tuples(st.sampled_from(BOUNDARIES), st.integers(-70, 70)).map(lambda at: min(max(sum(at), 0), MAX_CODE_POINT))
short_ranges = st.tuples(near_boundaries, st.integers(0, 130)).map(lambda at: (at[0], min(sum(at), MAX_CODE_POINT)))
ranges = st.lists(short_ranges, max_size=5)


def members(pairs: list[tuple[int, int]]) -> set[int]:
    return {i for first, last in pairs for i in range(first, last + 1)} - set(SURROGATES)


def code_points(charset: CharSet) -> set[int]:
    return {i for first, last in charset.ranges for i in range(first, last + 1)}


def accepted(automaton: Automaton, state: int = START, before: bytes = b"") -> Iterator[bytes]:
    """Every byte string that leads to the end, shortest first along each path; for what has an end."""
    if automaton.accepting[state]:
        yield before
    for byte, target in enumerate(automaton.row(state)):
        if target != DEAD:
            yield from accepted(automaton, target, before + bytes([byte]))


# Sets of characters


@law
@given(ranges, ranges)
@example([(0xD7FF, 0xE000)], [(0xD800, 0xDFFF)])
@example([(0, MAX_CODE_POINT)], [(0xDFFF, 0xE000)])
def test_sets_of_characters_are_sets(one: list[tuple[int, int]], other: list[tuple[int, int]]) -> None:
    a, b = CharSet(one), CharSet(other)
    assert code_points(a) == members(one)
    assert code_points(a | b) == members(one) | members(other)
    assert code_points(a & b) == members(one) & members(other)
    assert code_points(a & ~b) == members(one) - members(other)
    assert len(a) == len(members(one))
    assert len(~a) == len(ALL_CHARACTERS) - len(a)
    assert ~~a == a
    assert not a & ~a
    assert a | ~a == ALL_CHARACTERS
    assert ~(a | b) == ~a & ~b
    assert bool(a) == bool(members(one))


@law
@given(ranges, near_boundaries)
def test_membership_and_order_are_those_of_the_code_points(one: list[tuple[int, int]], point: int) -> None:
    charset = CharSet(one)
    assert (chr(point) in charset) == (point in members(one))
    assert [ord(charset.nth(i)) for i in range(min(len(charset), 300))] == sorted(members(one))[:300]
    assert all(0x20 <= ord(c) <= 0x7E and c in charset for c in charset.printable_ascii)


@law
@given(ranges)
def test_equal_sets_are_equal_however_they_are_written(one: list[tuple[int, int]]) -> None:
    again = CharSet((i, i) for i in sorted(members(one), reverse=True))
    assert again == CharSet(one)
    assert hash(again) == hash(CharSet(one))
    assert characters(again) is characters(CharSet(one))


def test_surrogates_are_no_characters() -> None:
    assert not CharSet([(0xD800, 0xDFFF)])
    assert not CharSet.of("\ud800\udfff")
    assert len(ALL_CHARACTERS) == MAX_CODE_POINT + 1 - len(SURROGATES)
    assert characters(CharSet.of("\udabc")) is NOTHING


# Class character as bytes


@law
@given(ranges)
@example([(0x7F, 0x80)])
@example([(0x7FF, 0x800)])
@example([(0xD7FF, 0xE000)])
@example([(0xFFFF, 0x10000)])
@example([(0x10FFFF, 0x10FFFF), (0, 0)])
@example([(0x10FFC0, 0x10FFFF)])
@example([(0x80, 0xBF), (0x800, 0x83F), (0x1000, 0x103F)])
def test_a_set_of_characters_accepts_exactly_their_bytes(one: list[tuple[int, int]]) -> None:
    charset = CharSet(one)
    assert sorted(accepted(Automaton.of(characters(charset)))) == sorted(chr(i).encode() for i in members(one))
    others = set(accepted(Automaton.of(characters(~charset & CharSet([(i, min(i + 64, MAX_CODE_POINT)) for i in BOUNDARIES])))))
    assert others.isdisjoint(chr(i).encode() for i in members(one))


def test_all_characters_accept_exactly_the_bytes_of_every_character() -> None:
    automaton = Automaton.of(characters(ALL_CHARACTERS))

    def count_from(state: int) -> int:
        return automaton.accepting[state] + sum(
            count_from(target) * automaton.row(state).count(target) for target in set(automaton.row(state)) - {DEAD}
        )

    assert count_from(START) == len(EVERYTHING)
    assert all(automaton.matches(c.encode()) for c in EVERYTHING)


NOT_UTF8 = [
    b"\x80", b"\xbf", b"\xc0\x80", b"\xc1\xbf", b"\xc2", b"\xc2\x7f", b"\xc2\xc0", b"\xe0\x80\x80", b"\xe0\x9f\xbf", b"\xed\xa0\x80",
    b"\xed\xbf\xbf", b"\xe2\x82", b"\xf0\x80\x80\x80", b"\xf0\x8f\xbf\xbf", b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80",
    b"\xf8\x88\x80\x80\x80", b"\xfe", b"\xff", b"a\xff", b"\xed\xa0\xbd\xed\xb8\x80",
]  # fmt: skip


@pytest.mark.parametrize("data", NOT_UTF8)
@pytest.mark.parametrize("text", [r"(?s).*", r"[^a]*", r"[\ud7ff-\U0010ffff]+", r"\P{L}*|\p{L}*", r"(?i)[^k]*"])
def test_what_is_not_utf8_is_never_accepted(text: str, data: bytes) -> None:
    assert not machine.run(machine.start(read_regex(text)), data).accepting
    assert not machine.run(machine.start(intersection(TEXT, complement(read_regex("a")))), data).accepting


@law
@given(blueprints(), st.randoms(use_true_random=False))
@example(("other text than", ("literal", "€")), random.Random(0))
def test_what_a_walk_over_bytes_spells_is_utf8(blueprint: Blueprint, chance: random.Random) -> None:
    state, walked = machine.start(build(blueprint)), bytearray()
    for _ in range(12):
        if state.accepting:
            walked.decode("utf-8")
        alive = [byte for byte in range(256) if machine.step(state, byte) is not machine.DEAD_STATE]
        if not alive:
            break
        many = [byte for byte in alive if byte >= 0x80]
        byte = chance.choice(many if many and chance.random() < 0.6 else alive)
        walked.append(byte)
        state = machine.step(state, byte)


@law
@given(st.text(st.characters(codec=None, categories=("Cs",)), min_size=1, max_size=2), st.sampled_from(["", "a"]))
def test_a_lone_surrogate_never_matches(surrogates: str, before: str) -> None:
    for text in (r"(?s).*", r"[^b]*", r"\P{L}*", r"\W*"):
        assert not compile_regex(text).fullmatch(before + surrogates)


@pytest.mark.parametrize("text", ["\ud800", "a\udfff", "[\ud800]", "[a-\udfff]", r"\ud800", r"[\ud800]", r"\U0000dfff", "\\\ud800"])
def test_a_lone_surrogate_in_regex_text_is_refused(text: str) -> None:
    with pytest.raises(RegexSyntaxError, match="lone surrogate"):
        read_regex(text)


@pytest.mark.parametrize("data", [b"\xff", b"a\xc3", b"\x80"])
def test_a_literal_that_is_not_utf8_is_refused(data: bytes) -> None:
    with pytest.raises(PatternError, match="UTF-8"):
        literal(data)


# Classes of characters

CLASSES = [
    ".", "(?s).", r"\d", r"\D", r"\w", r"\W", r"\s", r"\S", r"\p{L}", r"\P{L}", r"\p{^L}", r"\pN", r"\p{Lu}", r"\p{Script=Greek}",
    r"\p{IsCyrillic}", r"\p{ASCII}", r"\p{Zl}", r"[[:alpha:]]", r"[[:^alpha:]]", r"[[:punct:]]", r"[[:xdigit:]]", r"[^\d\s]", r"[\W_]",
    r"[^\W\d]", r"[\x7f-\x80\u07ff-\u0800]", r"[^\ud7ff\ue000]", r"[\uffff-\U00010000]", r"[^\x00-\U0010fffe]", r"[]^-]", r"[^]]",
    "(?i)k", "(?i)s", "(?i)ß", "(?i)i", "(?i)İ", "(?i)µ", "(?i)ǅ", r"(?i)\u0345", "(?i)[a-z]", "(?i)[^a-z]", "(?i)[h-j]",
    r"(?i)[^\u0131]", r"(?i)[À-ß]", r"(?i)\w", r"(?i)\W", r"(?i)[\W]", r"(?i)[^\x00-\x7f]", r"(?i)\.",
]  # fmt: skip


# The regex module has one idea of case for properties, and another for properties beside other members of a class.
PROPERTIES_WITHOUT_CASE = [
    r"(?i)\p{Lu}", r"(?i)\p{Ll}", r"(?i)\P{Lu}", r"(?i)[\P{Lu}]", r"(?i)[^\p{Lu}]", r"(?i)[\p{Lu}k]", r"(?i)[^\p{Lu}\d]", r"(?i)\p{L&}",
    r"(?i)[[:upper:]]", r"(?i)[^[:lower:]]", r"(?i)\p{Greek}", r"(?i)\p{ASCII}",
]  # fmt: skip


@pytest.mark.parametrize("text", PROPERTIES_WITHOUT_CASE)
def test_a_property_without_case_is_refused_or_holds_what_the_regex_module_says(text: str) -> None:
    try:
        read_regex(text)
    except RegexSyntaxError:
        return
    holds_what_the_regex_module_says(text)


@pytest.mark.parametrize("text", CLASSES)
def test_a_class_holds_what_the_regex_module_says_for_every_code_point(text: str) -> None:
    holds_what_the_regex_module_says(text)


def holds_what_the_regex_module_says(text: str) -> None:
    node = read_regex(text)
    charset = CharSet.of(node.text) if isinstance(node, Literal) else node.charset if isinstance(node, Characters) else None
    assert charset is not None, f"{text} is no class: {node!r}"
    ours = "".join("".join(map(chr, range(first, last + 1))) for first, last in charset.ranges)
    theirs = "".join(regex.findall(text, EVERYTHING))
    if ours != theirs:
        assert not set(ours) - set(theirs), "these only we accept"
        assert not set(theirs) - set(ours), "these only the regex module accepts"


@pytest.mark.parametrize("point", BOUNDARIES)
def test_the_ends_of_each_length_of_utf8_are_members_of_the_ranges_they_end(point: int) -> None:
    escaped = f"\\U{point:08x}"
    alone, up_to, above, others = (
        compile_regex(text) for text in (escaped, rf"[\0-{escaped}]", rf"[{escaped}-\U0010ffff]", rf"[^{escaped}]")
    )
    for near in {point - 1, point, point + 1} - {-1, MAX_CODE_POINT + 1} - set(SURROGATES):
        c = chr(near)
        assert [p.fullmatch(c) for p in (alone, up_to, above, others)] == [near == point, near <= point, near >= point, near != point]


def test_characters_can_follow_each_other_without_end() -> None:
    text = "".join(map(chr, BOUNDARIES))
    assert Pattern(sequence(TEXT, TEXT)).fullmatch(text * 50)


@pytest.mark.parametrize(
    ("named", "same"),
    [
        (r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDBFF-\uDC00\uDFFF\t\r\n]", r"[\u0020-\uD7FF\uE000-\uFFFD\t\r\n]"),
        (r"[^\uD800]", r"[^]"),
        (r"[a\uD83D]", "[a]"),
        (r"a|\uDFFF", "a"),
        (r"[\uD83D\uDE00]", r"[\u{1F600}]"),
    ],
)
def test_surrogates_of_an_ecma_regex_stand_in_no_text(named: str, same: str) -> None:
    """A ``pattern`` of a schema may name them; a text that JSON is written in holds none."""
    assert read_regex(named, dialect="ecma") is read_regex(same, dialect="ecma")
