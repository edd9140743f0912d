"""The law of written regex text: the ``regex`` module accepts what the machine accepts, in every dialect, at a linear length."""

from __future__ import annotations

import pytest
import regex
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from patterns.blueprints import Blueprint, blueprints, build, plain_blueprints
from patterns.ir.test_node_law import A_OR_DEAD_END, MANY_OF_MANY, NOTHING_REPEATED, pattern_of, texts_to_try
from patterns.regex_texts import all_texts, law, says

from rellm_agents.errors import PatternError, PatternTooLarge, UnsupportedRegex
from rellm_agents.formats import react
from rellm_agents.patterns import (
    TEXT,
    CharSet,
    Node,
    Pattern,
    characters,
    choice,
    compile_regex,
    complement,
    difference,
    literal,
    not_containing,
    repeat,
    rule,
    sequence,
)
from rellm_agents.patterns.machine import machine

MAX_READ = 20_000  # characters; longer texts take the regex module too long
PER_PART = 30  # characters of regex text for a node, a byte of a literal, or a range of characters
PATTERNS = 1_000

# Ends that only the whole text tells: what follows could take a part, or be taken.
STRADDLED: Blueprint = ("sequence", ("not containing", ("literal", "ab")), ("repeat", ("characters", "ab"), 0, None))
WITHIN: Blueprint = ("other text than", ("other text than", ("literal", "(")))
TWICE: Blueprint = ("sequence", ("repeat", WITHIN, 1, None), ("difference", ("characters", "ab("), ("literal", "(")), ("text",))
OTHER_CUT: Blueprint = (
    "sequence",
    ("intersection", ("literal", "a"), ("repeat", ("literal", "a"), 2, 2)),
    ("repeat", ("literal", "a"), 0, 1),
)


@settings(law, max_examples=PATTERNS)
@given(blueprints(), st.integers(0, 1_000))
@example(MANY_OF_MANY, 0)
@example(NOTHING_REPEATED, 0)
@example(A_OR_DEAD_END, 0)
@example(STRADDLED, 0)
@example(TWICE, 0)
@example(("choice", OTHER_CUT, ("literal", "b")), 0)
def test_the_regex_module_accepts_what_the_machine_accepts(blueprint: Blueprint, seed: int) -> None:
    pattern = pattern_of(blueprint)
    written = regex.compile(pattern.regex)
    assert len(pattern.regex) <= PER_PART * size(pattern.node)
    for text in texts_to_try(pattern, seed)[:14]:
        assert says(written, text) in {pattern.fullmatch(text), None}, (pattern.regex, text)


@settings(law, max_examples=150)
@given(blueprints(), st.integers(0, 1_000))
@example(STRADDLED, 0)
@example(TWICE, 0)
@example(NOTHING_REPEATED, 0)
def test_the_portable_dialect_says_the_same(blueprint: Blueprint, seed: int) -> None:
    pattern = pattern_of(blueprint)
    try:
        written = pattern.regex_for("portable")
    except (UnsupportedRegex, PatternTooLarge):
        assume(condition=False)
        raise
    assert "(?" not in written.replace(r"\(?", "")
    if len(written) <= MAX_READ:
        read = regex.compile(written)
        for text in texts_to_try(pattern, seed)[:20]:
            assert says(read, text) in {pattern.fullmatch(text), None}, (written, text)


@settings(law, max_examples=100)
@given(blueprints(), st.integers(0, 1_000))
def test_partial_matches_of_regex_text_without_lookaround_are_states_that_are_not_dead(blueprint: Blueprint, seed: int) -> None:
    pattern = pattern_of(blueprint)
    if "(?=" in pattern.regex or "(?!" in pattern.regex:  # the module looks ahead past what is there
        return
    for text in texts_to_try(pattern, seed)[:20]:
        for begun in {text, text[: len(text) // 2]}:
            alive = machine.run(machine.start(pattern.node), begun.encode()) is not machine.DEAD_STATE
            assert says(pattern.regex, begun, partial=True) in {alive, None}, (pattern.regex, begun)


@settings(law, max_examples=60)
@given(plain_blueprints())
def test_what_occurs_twice_is_written_once(blueprint: Blueprint) -> None:
    node = pattern_of(blueprint).node
    for _ in range(12):
        node = repeat(sequence(literal("a"), node, literal("b"), node), 0, 2)
    assert len(Pattern(node).regex) <= PER_PART * size(node)


def test_a_format_with_stop_strings_is_written_shortly() -> None:
    pattern = react({"search": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}}).pattern
    assert len(pattern.regex) < 1_400
    for seed in range(30):
        text = pattern.sample(seed)
        for near in (text, text[:-1], text + " ", text.replace("Action", "Action:", 1)):
            assert says(pattern.regex, near) in {pattern.fullmatch(near), None}, near


def test_what_recurses_cannot_be_said_portably() -> None:
    with pytest.raises(UnsupportedRegex, match="stands inside itself"):
        Pattern(build(("nested", ("literal", "a")))).regex_for("portable")


def test_what_is_too_long_is_refused_with_both_numbers() -> None:
    told_late = difference(TEXT, sequence(TEXT, literal("a"), repeat(characters(CharSet.of("ab")), 11, 11)))
    assert len(Pattern(told_late).regex) < 100
    with pytest.raises(PatternTooLarge, match="more than 2000 states"):
        Pattern(told_late).regex_for("portable")
    doubled: Node = characters(CharSet.of("ab"))
    for i in range(40):
        doubled = rule(("test_written_regex.doubled", i), lambda inner=doubled: sequence(inner, literal("-"), inner))  # type: ignore[misc]
    with pytest.raises(PatternTooLarge, match="500000 at most"):
        Pattern(doubled).regex_for("portable")
    assert len(Pattern(doubled).regex) < 1_500


def test_a_dialect_that_is_not_known_is_refused() -> None:
    pattern = compile_regex("a{2}")
    assert pattern.regex_for("regex") == pattern.regex
    with pytest.raises(UnsupportedRegex, match="'regex' and 'portable'"):
        pattern.regex_for("perl")  # type: ignore[arg-type]


def test_complements_that_meet_inside_a_character_are_refused() -> None:
    beyond = complement(literal("a"))
    for node in (sequence(beyond, beyond), repeat(beyond), rule("test_written_regex.beyond", lambda: choice(literal("b"), beyond))):
        for dialect in ("regex", "portable"):
            with pytest.raises(PatternError, match="meet inside a character"):
                Pattern(node).regex_for(dialect)  # type: ignore[arg-type]
    for node in (beyond, sequence(beyond, literal("b")), choice(beyond, literal("a")), difference(TEXT, beyond), not_containing("a")):
        pattern = Pattern(node)
        for text in all_texts("ab€", up_to=3):
            assert says(pattern.regex, text) == says(pattern.regex_for("portable"), text) == pattern.fullmatch(text), (pattern.regex, text)


@pytest.mark.parametrize(
    "character", ["\\", "]", "[", "^", "-", "&", "~", "|", "#", " ", "\n", "\x00", "\x85", "\u2028", "\U000e0001", "\U0010ffff"]
)
def test_every_character_is_spelled_so_that_it_means_itself(character: str) -> None:
    for node in (literal(character * 2), characters(CharSet.of("a" + character)), characters(~CharSet.of(character + "-&b"))):
        pattern = Pattern(node)
        for written in (pattern.regex, pattern.regex_for("portable")):
            for text in ("a", "b", "c", "&", "-", character, character * 2):
                assert says(written, text) == pattern.fullmatch(text), (written, text)


def size(node: Node) -> int:
    """Nodes, bytes of literals, and ranges of characters, each node once."""
    seen: set[Node] = set()
    stack, total = [node], 0
    while stack:
        one = stack.pop()
        if one in seen:
            continue
        seen.add(one)
        total += 1 + len(getattr(one, "data", b""))
        if isinstance(charset := getattr(one, "charset", None), CharSet):
            total += len(charset.ranges)
        for field in ("parts", "options"):
            stack += getattr(one, field, ())
        stack += [getattr(one, field) for field in ("inner", "body") if hasattr(one, field)]
    return total
