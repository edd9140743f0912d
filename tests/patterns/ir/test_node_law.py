"""The law of nodes: what the constructors are told, the machine accepts and the sampler makes."""

from __future__ import annotations

import random

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from patterns.blueprints import LETTERS, STRANGERS, Blueprint, blueprints, build, means, plain_blueprints
from patterns.regex_texts import all_texts, law, one_edit_away

from rellm_agents.errors import EmptyPattern, PatternError, PatternTooLarge
from rellm_agents.patterns import EMPTY, NOTHING, TEXT, CharSet, Pattern, characters, choice, literal, repeat, rule, sequence
from rellm_agents.patterns.automaton.automaton import Automaton
from rellm_agents.patterns.machine import machine

SHORT = list(all_texts(LETTERS, up_to=4)) + list(all_texts(LETTERS + STRANGERS, up_to=2))
MAX_TRIED = 14  # characters: the naive matcher tries every cut
MAX_SEARCHED = 5_000  # states

# Small things that once went wrong, or might.
DEAD_END: Blueprint = ("intersection", ("literal", "a"), ("literal", "b"))  # matches nothing, but only a search can tell
A_OR_DEAD_END: Blueprint = ("choice", ("sequence", ("literal", "a"), DEAD_END), ("literal", "b"))
MANY_OF_MANY: Blueprint = ("repeat", ("repeat", ("literal", "a"), 1, None), 3, None)
NULLABLE_RULE: Blueprint = ("repeat", ("rule", ("repeat", ("literal", "a"), 0, None)), 2, 3)
NOTHING_REPEATED: Blueprint = ("sequence", ("literal", "a"), ("repeat", DEAD_END, 0, None), ("repeat", ("rule", ("nothing",)), 0, None))


def pattern_of(blueprint: Blueprint) -> Pattern:
    """The pattern; examples that match nothing, or are too large to be printed, are another test's."""
    try:
        return Pattern(build(blueprint))
    except EmptyPattern:
        assume(condition=False)
        raise


def texts_to_try(pattern: Pattern, seed: int) -> list[str]:
    chance = random.Random(seed)
    sampled = [one for one in (pattern.sample(seed + i) for i in range(4)) if len(one) <= MAX_TRIED]
    found = dict.fromkeys(sampled)
    for one in sampled:
        near = sorted(one_edit_away(one, "a€" + chance.choice(LETTERS + STRANGERS)))
        found.update(dict.fromkeys(chance.sample(near, min(15, len(near)))))
    found.update(dict.fromkeys(chance.sample(SHORT, 40)))
    return [one for one in found if len(one) <= MAX_TRIED]


@settings(law, max_examples=300)
@given(blueprints(), st.integers(0, 1_000))
@example(MANY_OF_MANY, 0)
@example(NULLABLE_RULE, 0)
@example(A_OR_DEAD_END, 0)
@example(NOTHING_REPEATED, 0)
def test_the_machine_accepts_what_the_constructors_were_told(blueprint: Blueprint, seed: int) -> None:
    pattern = pattern_of(blueprint)
    for text in texts_to_try(pattern, seed):
        assert pattern.fullmatch(text) == means(blueprint, text), text


@settings(law, max_examples=200)
@given(blueprints(), st.integers(0, 1_000))
@example(NOTHING_REPEATED, 0)
@example(("choice", NOTHING_REPEATED, ("tree", ("literal", "b"))), 0)
def test_samples_match_and_are_the_same_for_the_same_seed(blueprint: Blueprint, seed: int) -> None:
    pattern = pattern_of(blueprint)
    for text in (pattern.sample(seed + i) for i in range(5)):
        if len(text) <= MAX_TRIED:  # where rules are ambiguous, the machine keeps every reading of a longer one open
            assert pattern.fullmatch(text)
            assert means(blueprint, text), text
    assert pattern.sample(seed) == pattern.sample(seed)


NO_TEXT: Blueprint = ("other bytes than", ("text",))  # only bytes that are no text


@pytest.mark.parametrize(
    "blueprint",
    [
        ("choice", ("literal", "a"), NO_TEXT),
        ("choice", ("literal", "a"), ("sequence", NO_TEXT, NO_TEXT)),
        ("sequence", ("literal", "a"), ("repeat", NO_TEXT, 0, None)),
        ("rule", ("choice", ("literal", "a"), ("sequence", ("characters", "ab"), NO_TEXT))),
        ("nested", ("choice", ("literal", "a"), ("lexeme", NO_TEXT))),
    ],
    ids=str,
)
def test_what_only_bytes_that_are_no_text_match_is_not_sampled(blueprint: Blueprint) -> None:
    for seed in range(20):
        text = Pattern(build(blueprint)).sample(seed)
        assert means(blueprint, text), text


def test_a_pattern_without_any_text_is_not_sampled() -> None:
    with pytest.raises(PatternError, match="no text of characters"):
        Pattern(build(("sequence", NO_TEXT, NO_TEXT))).sample()


@settings(law, max_examples=100)
@given(blueprints())
@example(MANY_OF_MANY)
@example(
    ("choice", ("sequence", ("literal", "€"), ("repeat", ("literal", "a"), 0, None)), ("literal", "ab"))
)  # the fewest bytes, not characters
@example(("difference", ("repeat", ("characters", "a€"), 1, None), ("literal", "a")))
def test_the_shortest_text_matches_and_none_is_shorter(blueprint: Blueprint) -> None:
    pattern = pattern_of(blueprint)
    shortest = pattern.shortest()
    assert pattern.fullmatch(shortest)
    assert means(blueprint, shortest)
    for text in all_texts(LETTERS + "[]\n", up_to=3):
        if len(text.encode()) < len(shortest.encode()):
            assert not means(blueprint, text), text


@settings(law, max_examples=200)
@given(plain_blueprints())
@example(DEAD_END)
@example(("difference", ("literal", "a"), ("text",)))
@example(("other text than", ("text",)))
@example(("repeat", DEAD_END, 1, None))
@example(("sequence", ("text",), DEAD_END))
def test_a_pattern_is_empty_where_no_text_matches(blueprint: Blueprint) -> None:
    node = build(blueprint)
    is_empty = Automaton.of(node).is_empty
    if is_empty:
        assert not any(means(blueprint, text) for text in all_texts(LETTERS, up_to=3))
        with pytest.raises(EmptyPattern, match="no text at all"):
            Pattern(node)
    else:
        assert means(blueprint, Pattern(node).shortest())


@settings(law, max_examples=100)
@given(blueprints())
@example(("nested", ("nothing",)))
@example(("tree", DEAD_END))
@example(("in turns", ("nothing",), DEAD_END))
def test_a_pattern_with_rules_is_empty_where_no_text_matches(blueprint: Blueprint) -> None:
    try:
        pattern = Pattern(build(blueprint))
    except EmptyPattern:
        assert not any(means(blueprint, text) for text in all_texts("ab([])", up_to=3))
    else:
        assert means(blueprint, pattern.shortest())


@law
@given(blueprints())
def test_equal_nodes_are_the_same_object(blueprint: Blueprint) -> None:
    assert build(blueprint) is build(blueprint)


@settings(law, max_examples=60)
@given(blueprints(), st.randoms(use_true_random=False))
@example(A_OR_DEAD_END, random.Random(0))
@example(("choice", ("sequence", ("literal", "ab"), ("rule", ("nothing",))), ("literal", "b")), random.Random(0))
@example(("repeat", A_OR_DEAD_END, 1, None), random.Random(0))
@example(("sequence", ("rule", ("literal", "a")), ("choice", ("rule", A_OR_DEAD_END), ("lexeme", A_OR_DEAD_END))), random.Random(0))
@example(("nested", A_OR_DEAD_END), random.Random(0))
def test_every_state_that_is_not_dead_can_reach_the_end(blueprint: Blueprint, chance: random.Random) -> None:
    for _ in range(3):
        state = machine.start(build(blueprint))
        walked = bytearray()
        while state is not machine.DEAD_STATE and len(walked) < 8:
            assert reaches_the_end(state), f"after {bytes(walked)!r}"
            byte = chance.choice(list(moves(state)) or [0])
            walked.append(byte)
            state = machine.step(state, byte)


def reaches_the_end(state: machine.State) -> bool:
    """Breadth first, over few bytes: those of the letters, and enough to end any character that was begun."""
    seen, queue = {state}, [state]
    for here in queue:
        if here.accepting:
            return True
        if len(seen) > MAX_SEARCHED:  # e.g. eight open brackets of a tree: another example will tell
            return True
        for target in moves(here).values():
            if target not in seen:
                seen.add(target)
                queue.append(target)
    return False


FEW_BYTES = sorted({*(LETTERS + STRANGERS).encode(), 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF})


def moves(state: machine.State) -> dict[int, machine.State]:
    return {byte: target for byte in FEW_BYTES if (target := machine.step(state, byte)) is not machine.DEAD_STATE}


@law
@given(blueprints(), st.integers(0, 1_000))
def test_running_is_stepping_byte_by_byte(blueprint: Blueprint, seed: int) -> None:
    pattern = pattern_of(blueprint)
    for text in texts_to_try(pattern, seed):
        stepped = machine.start(pattern.node)
        for byte in text.encode():
            stepped = machine.step(stepped, byte)
        assert machine.run(machine.start(pattern.node), text.encode()) is stepped, text


# Constructors


def test_constructors_flatten_and_drop_what_says_nothing() -> None:
    a, b, ab = literal("a"), literal("b"), characters(CharSet.of("ab"))
    assert sequence(a, EMPTY, sequence(b, sequence())) is literal("ab")
    assert sequence(a, NOTHING, b) is NOTHING
    assert choice(a, choice(b, NOTHING), a) is choice(a, b)
    assert choice() is NOTHING
    assert repeat(ab, 1, 1) is ab
    assert repeat(ab, 0, 0) is EMPTY
    assert repeat(NOTHING) is EMPTY
    assert repeat(NOTHING, 1) is NOTHING
    assert repeat(repeat(ab)) is repeat(ab)
    assert repeat(repeat(ab, 1), 2) is repeat(ab, 2)
    assert characters(CharSet()) is NOTHING
    assert characters(CharSet.of("a")) is a


@pytest.mark.parametrize(("minimum", "maximum"), [(-1, None), (2, 1), (-2, -1), (0, -1)])
def test_a_repeat_with_bounds_the_wrong_way_round_is_refused(minimum: int, maximum: int | None) -> None:
    with pytest.raises(PatternError, match=f"no repeat from {minimum} to {maximum} times"):
        repeat(literal("a"), minimum, maximum)


@pytest.mark.parametrize("kind", ["intersection", "other text than", "difference", "not containing", "lexeme"])
def test_what_recurses_cannot_stand_where_one_automaton_is_needed(kind: str) -> None:
    inner = ("nested", ("literal", "b"))
    with pytest.raises(PatternError, match="cannot hold a rule"):
        build((kind, ("text",), inner) if kind in {"intersection", "difference"} else (kind, inner))


def test_a_lone_surrogate_is_no_literal() -> None:
    with pytest.raises(PatternError, match="lone surrogate at position 1"):
        literal("a\ud800")


def test_a_rule_that_begins_with_itself_is_refused_when_it_runs() -> None:
    left = rule("test_node_law.left", lambda: choice(sequence(left, literal("a")), literal("b")))
    with pytest.raises(PatternTooLarge, match="begins with itself"):
        Pattern(left).fullmatch("ba")


def test_recursion_goes_as_deep_as_the_text() -> None:
    nested = Pattern(build(("nested", ("literal", "b"))))
    assert nested.fullmatch("(" * 5_000 + "b" + ")" * 5_000)
    assert not nested.fullmatch("(" * 5_000 + "b" + ")" * 4_999)


def test_text_is_every_text_and_no_more() -> None:
    assert Pattern(TEXT).fullmatch("any\n text \U0010ffff\x00")
    assert machine.run(machine.start(TEXT), b"\xed\xa0\x80") is machine.DEAD_STATE
