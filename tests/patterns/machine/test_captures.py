"""What may not be written twice: the machine, the sampler and the measures against a naive reading."""

from __future__ import annotations

import gc
import random
import weakref
from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from patterns.blueprints import Blueprint, build, capturing_blueprints, means
from patterns.ir.test_node_law import moves, pattern_of, reaches_the_end
from patterns.machine.test_sharing import all_at_once, forget_everything
from patterns.regex_texts import all_texts, law, one_edit_away

from rellm_agents.errors import EmptyPattern, PatternError, UnsupportedRegex
from rellm_agents.patterns import (
    EMPTY,
    NOTHING,
    CharSet,
    Node,
    Pattern,
    capture,
    characters,
    choice,
    lexeme,
    literal,
    optional,
    read_regex,
    repeat,
    rule,
    sequence,
)
from rellm_agents.patterns.machine import machine
from rellm_agents.patterns.sampling.shortest import shortest_length

MAX_TRIED = 14
STRING = sequence(literal('"'), lexeme(read_regex(r'(?:[^"\\\x00-\x1f]|\\["\\n])*"')))
ONLY_TWO: Blueprint = ("distinct", ("choice", ("literal", "b"), ("literal", "a"), ("literal", "(")), ("empty",), 2)
ONE_TOO_FEW: Blueprint = ("distinct", ("choice", ("literal", "b"), ("literal", "a")), ("literal", "a"), 2)
OF_LISTS: Blueprint = ("distinct", ("distinct", ("characters", "ab"), ("literal", "a"), 0), ("literal", "a"), 1)
TWO_OF_ONE: Blueprint = ("distinct", ("distinct", ("literal", "("), ("literal", "a"), 2), ("empty",), 0)  # no inner list ends


def texts_to_try(pattern: Pattern, seed: int) -> Iterator[str]:
    chance = random.Random(seed)
    sampled = {one for one in (pattern.sample(seed + i) for i in range(3)) if len(one) <= MAX_TRIED} | {pattern.shortest()}
    for one in sorted(sampled):
        yield one
        near = sorted(one_edit_away(one, "ab()"))
        yield from chance.sample(near, min(20, len(near)))
    yield from ("(" + one + ")" for one in all_texts("ab(", up_to=3))


@settings(law, max_examples=40)
@given(capturing_blueprints(), st.integers(0, 1_000))
@example(ONLY_TWO, 0)
@example(OF_LISTS, 0)
def test_the_machine_accepts_what_a_naive_reading_does(blueprint: Blueprint, seed: int) -> None:
    pattern = pattern_of(blueprint)
    for text in texts_to_try(pattern, seed):
        if len(text) <= MAX_TRIED:
            assert pattern.fullmatch(text) == means(blueprint, text), text


@settings(law, max_examples=25)
@given(capturing_blueprints(), st.integers(0, 1_000))
@example(ONLY_TWO, 0)
@example(OF_LISTS, 0)
def test_samples_match(blueprint: Blueprint, seed: int) -> None:
    pattern = pattern_of(blueprint)
    for text in (pattern.sample(seed + i) for i in range(5)):
        assert len(text) > 200 or pattern.fullmatch(text), text
        assert len(text) > MAX_TRIED or means(blueprint, text), text


@settings(law, max_examples=25)
@given(capturing_blueprints())
@example(ONLY_TWO)
@example(ONE_TOO_FEW)
@example(OF_LISTS)
def test_no_text_is_shorter_than_the_shortest(blueprint: Blueprint) -> None:
    shorter = [text for text in all_texts("ab()", up_to=4) if means(blueprint, text)]
    try:
        shortest = Pattern(build(blueprint)).shortest()
    except EmptyPattern:
        assert not shorter
    else:
        assert means(blueprint, shortest)
        assert shortest_length(build(blueprint)) == len(shortest.encode()) <= min(map(len, shorter), default=1 << 30)


@settings(law, max_examples=20)
@given(capturing_blueprints(), st.randoms(use_true_random=False))
@example(ONLY_TWO, random.Random(0))
@example(OF_LISTS, random.Random(0))
@example(TWO_OF_ONE, random.Random(0))
def test_every_state_that_is_not_dead_can_reach_the_end(blueprint: Blueprint, chance: random.Random) -> None:
    pattern = pattern_of(blueprint)
    for _ in range(3):
        state = pattern.machine.start
        walked = bytearray()
        while state is not machine.DEAD_STATE and len(walked) < 8:
            assert reaches_the_end(state), f"after {bytes(walked)!r}"
            byte = chance.choice(list(moves(state)) or [0])
            walked.append(byte)
            state = machine.step(state, byte)


def free_object(key: str, *declared: str) -> Node:
    """``{"name": 1, ...}``, no name twice, none of those that are declared."""
    names = frozenset(f'"{name}"'.encode() for name in declared)

    def more(written: frozenset[bytes]) -> Node:
        return rule(
            ("more", key, written), lambda: choice(literal("}"), sequence(literal(", "), member(written))), witness=lambda: literal("}")
        )

    def member(written: frozenset[bytes]) -> Node:
        return capture(STRING, written, literal(": 1"), ("member", key), lambda name: more(written | {name}))

    return sequence(literal("{"), choice(literal("}"), member(names)))


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("{}", True),
        ('{"b": 1}', True),
        ('{"a": 1}', False),
        ('{"ab": 1}', False),
        ('{"abc": 1, "": 1, "b": 1}', True),
        ('{"abc": 1, "b": 1, "abc": 1}', False),
        ('{"b": 1, "b": 1}', False),
        ('{"b": 1, "bb": 1, "": 1, "B": 1}', True),
        ('{"b": 1, "bb": 1, "": 1, "b": 1}', False),
    ],
)
def test_an_undeclared_name_is_written_once(text: str, fits: bool) -> None:
    assert Pattern(free_object("once", "a", "ab")).fullmatch(text) == fits


def test_a_list_is_closed_when_every_item_is_written() -> None:
    pattern = Pattern(build(("distinct", ("choice", ("empty",), ("literal", "a"), ("literal", "b")), ("literal", ","), 0)))  # without ba
    assert pattern.fullmatch("(b,bb,)")
    assert machine.run(pattern.machine.start, b"(bb,b,") is not machine.DEAD_STATE
    assert machine.run(pattern.machine.start, b"(bb,b,b") is machine.DEAD_STATE
    with pytest.raises(EmptyPattern):
        Pattern(build(("distinct", ("choice", ("empty",), ("literal", "a"), ("literal", "b")), ("literal", ","), 3)))


def test_where_all_texts_are_excluded_nothing_matches() -> None:
    both = frozenset({b"a", b"bc"})
    none = capture(choice(literal("a"), literal("bc")), both, EMPTY, "none", lambda _: EMPTY)
    assert shortest_length(none) is None
    assert Pattern(choice(none, literal("c"))).fullmatch("c")
    assert machine.run(machine.start(choice(none, literal("c"))), b"b") is machine.DEAD_STATE
    later = choice(sequence(literal("x"), none), literal("c"))
    assert machine.has_text(later)
    assert not machine.has_text(sequence(literal("x"), none))
    assert machine.run(machine.start(choice(rule("test_captures.later", lambda: sequence(literal("x"), none)), literal("c"))), b"x") is (
        machine.DEAD_STATE
    )


def test_a_capture_inside_its_own_text_is_measured() -> None:
    """Lists of lists, no two of a list alike: the item holds the list."""

    def rest(used: frozenset[bytes], missing: int) -> Node:
        def again() -> Node:
            return capture(tree, used, EMPTY, ("test_captures.again", missing), lambda text: rest(used | {text}, 0))

        def body() -> Node:
            return again() if missing else choice(literal("]"), again())

        return rule(("test_captures.rest", used, missing), body, witness=None if missing else lambda: literal("]"))

    tree = rule("test_captures.tree", lambda: choice(sequence(literal("["), rest(frozenset(), 1)), literal("x")))
    pattern = Pattern(sequence(literal("["), rest(frozenset(), 1)))
    assert pattern.shortest() == "[x]"
    for text, fits in {
        "[x]": True,
        "[xx]": False,
        "[x[x]]": True,
        "[[x]x[x]]": False,
        "[[x]x[[x]x]]": True,
        "[[xx]]": False,
        "[]": False,
    }.items():
        assert pattern.fullmatch(text) == fits


def test_equal_captures_are_the_same_object() -> None:
    one, other = (capture(STRING, frozenset({b"x"}), EMPTY, "same", lambda _: EMPTY) for _ in range(2))
    assert one is other
    assert one is not capture(STRING, frozenset({b"y"}), EMPTY, "same", lambda _: EMPTY)
    assert capture(NOTHING, frozenset(), EMPTY, "same", lambda _: EMPTY) is NOTHING


@pytest.mark.parametrize("inner", [EMPTY, optional(literal("a")), repeat(STRING)])
def test_a_text_that_may_be_empty_is_refused(inner: Node) -> None:
    with pytest.raises(PatternError, match="may be empty"):
        Pattern(capture(inner, frozenset(), EMPTY, "empty", lambda _: EMPTY)).fullmatch("a")


def test_no_regex_says_it() -> None:
    pattern = Pattern(free_object("no regex"))
    for dialect in ("regex", "portable"):
        with pytest.raises(UnsupportedRegex, match="may not come twice"):
            pattern.regex_for(dialect)  # type: ignore[arg-type]


def test_the_fingerprint_tells_what_is_excluded_and_the_key() -> None:
    class Owner:
        def __init__(self, fingerprint: str) -> None:
            self.fingerprint = fingerprint

    def told(excluded: str, key: object) -> str:
        return Pattern(capture(STRING, frozenset({excluded.encode()}), EMPTY, (key, 1), lambda _: EMPTY)).fingerprint

    assert told("a", Owner("x")) == told("a", Owner("x"))
    assert len({told("a", "x"), told("b", "x"), told("a", Owner("x")), told("a", Owner("y")), told("a", frozenset({"x"}))}) == 5
    with pytest.raises(PatternError, match=r"Node, in the key of a capture|object, in the key of a capture"):
        told("a", object())


def test_threads_come_to_the_same_verdicts() -> None:
    pattern = Pattern(free_object("threads", "a"))
    texts = [pattern.sample(seed) for seed in range(40)] + ['{"b": 1, "b": 1}', '{"a": 1}']
    first, *others = all_at_once(lambda _: [pattern.fullmatch(text) for text in texts])
    assert all(other == first for other in others)
    assert first == [True] * 40 + [False] * 2


def test_nothing_is_kept_that_nobody_holds() -> None:
    pattern = Pattern(sequence(free_object("kept"), characters(CharSet.of("ab"))))
    assert all(pattern.fullmatch(pattern.sample(seed)) for seed in range(5))
    assert pattern.shortest() == "{}a"
    node, state = weakref.ref(pattern.node), weakref.ref(machine.run(pattern.machine.start, b'{"b'))
    assert state() is not None
    del pattern
    forget_everything()
    gc.collect()
    assert node() is None
    assert state() is None
