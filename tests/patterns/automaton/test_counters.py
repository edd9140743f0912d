"""Counted repeats, sets of literals and common bytes: each short cut says what the plain way does."""

from __future__ import annotations

import random

import pytest
import regex

from rellm_agents import Pattern, compile_regex
from rellm_agents.patterns import choice, literal, read_regex, repeat
from rellm_agents.patterns.automaton import CountedAutomaton, automaton, shortest_way
from rellm_agents.patterns.automaton.common_bytes import is_finished_by_common_bytes
from rellm_agents.patterns.automaton.counters import RepeatStrategy, counter_of, strategy_of
from rellm_agents.patterns.ir.charset import COMMON_BYTES
from rellm_agents.patterns.machine import machine
from rellm_agents.patterns.machine.literal_set import LiteralSet

INNER = ("a", "[ab]", "[a€]", "ab|ba", "aa?", "(ab)+c", "a|b€", "a?", "[^a]", "aab|ab", "abcd|bcda")
AMBIGUOUS = ("aa?", "a?")  # which the regex module takes ages to reject
BOUNDS = ((0, 15), (0, 16), (15, 15), (16, 16), (16, None), (3, 17), (17, 40), (0, 3), (2, None))


@pytest.mark.parametrize("inner", INNER)
def test_each_way_to_count_accepts_what_the_regex_module_does(inner):
    for low, high in BOUNDS if inner not in AMBIGUOUS else [(0, 3)]:
        for after in ("", "b", "a*"):
            text = f"(?:{inner}){{{low},{'' if high is None else high}}}{after}"
            pattern, judge, chance = compile_regex(text), regex.compile(text), random.Random(text)
            once = [compile_regex(inner).sample(seed) for seed in range(6)]
            for times in {max(low - 1, 0), low, low + 1, *(() if high is None else (high - 1, high, high + 1))}:
                for end in ("", "b", "a", "€"):
                    written = "".join(chance.choice(once) for _ in range(times)) + end
                    assert pattern.fullmatch(written) == bool(judge.fullmatch(written)), (text, written)


@pytest.mark.parametrize(("inner", "left_out"), [(".", "ab"), ("[ab]", "aa|bbb"), ("[a€]", "€a€"), ("(?:ab|c)", "bc"), ("[^b]", "a")])
@pytest.mark.parametrize(("low", "high"), [(0, 20), (3, 17), (16, None), (18, 18)])
def test_what_leaves_out_some_texts_is_counted_all_the_same(inner, left_out, low, high):
    bounds = f"{{{low},{'' if high is None else high}}}"
    text = f"(?!.*(?:{left_out})){inner}{bounds}"
    pattern, judge, chance = compile_regex(text), regex.compile(text), random.Random(text)
    found = counter_of(pattern.node)
    assert found is not None
    assert (found.minimum, found.maximum) == (low, high)
    once = [compile_regex(inner).sample(seed) for seed in range(6)]
    for times in range(25):
        for _ in range(8):
            written = "".join(chance.choice(once) for _ in range(times))
            assert pattern.fullmatch(written) == bool(judge.fullmatch(written)), written
    for seed in range(20):
        assert judge.fullmatch(pattern.sample(seed))
    plainly = automaton.Automaton(pattern.node)
    assert pattern.shortest().encode() == shortest_way(plainly, automaton.START)


def test_what_leaves_out_some_numbers_of_times_is_counted_with_them():
    ends = ("(?=(?:.{3})*$).{0,20}", "(?=.*a).{0,20}", "(?!.*ab$).{0,20}", "(?=.{0,5}$).{0,20}")
    for text in (*ends, "(?!.*aaa)a{0,20}", "(?!.*(?:aa|bab))[ab]{0,20}"):
        pattern, judge = compile_regex(text), regex.compile(text)
        found = counter_of(pattern.node)
        assert found is not None
        assert isinstance(found.automaton, CountedAutomaton)
        for times in range(22):
            for written in ("a" * times, "b" * times, ("ab" * times)[:times]):
                assert pattern.fullmatch(written) == bool(judge.fullmatch(written)), (text, written)


def test_every_way_is_met():
    ways = {strategy_of(repeat(read_regex(inner), low, high)) for inner in INNER for low, high in BOUNDS if high != 1}
    assert ways == set(RepeatStrategy)


@pytest.mark.parametrize("seed", range(10))
def test_a_set_is_narrowed_to_what_begins_so(seed):
    chance = random.Random(seed)
    members = LiteralSet.of(choice(*(literal("".join(chance.choices("ab€", k=chance.randint(1, 5)))) for _ in range(40))).options)
    for text in members.texts:
        low, high = 0, len(members.texts)
        for offset, byte in enumerate(text):
            while len(members.texts[low]) == offset:
                low += 1
            low, high = members.narrowed(low, high, offset, byte)
            assert members.texts[low:high] == [one for one in members.texts if one.startswith(text[: offset + 1])]


@pytest.mark.parametrize(
    "text",
    [
        "a[^b]*c",
        r"a\x04?",
        r"(\x04a)?b",
        "[^a]{2}",
        "€*",
        "(é|a)b",
        r"a(\x04|b)",
        "(?s).{0,3}",
        r"[^ -~]",
        "[ab]{16,18}",
        r"(a|\x04\x04)*",
    ],
)
def test_what_is_said_to_be_finished_by_common_bytes_is(text):
    """From every state that is met the end is searched with common bytes only."""
    pattern = Pattern(read_regex(text))
    if not is_finished_by_common_bytes(pattern.node):
        return
    states = {pattern.machine.start}
    waiting = [pattern.machine.start]
    while waiting and len(states) < 200:
        state = waiting.pop()
        for byte in range(256):
            after = machine.step(state, byte)
            if after is not machine.DEAD_STATE and after not in states:
                states.add(after)
                waiting.append(after)
    assert all(ends_with(state, COMMON_BYTES) for state in states)


def ends_with(state: machine.State, allowed: bytes) -> bool:
    seen, waiting = {state}, [state]
    while waiting:
        one = waiting.pop()
        if one.accepting:
            return True
        for byte in allowed:
            after = machine.step(one, byte)
            if after is not machine.DEAD_STATE and after not in seen:
                seen.add(after)
                waiting.append(after)
    return False


def test_repeats_of_repeats_that_may_be_empty_are_one() -> None:
    x = literal("x")
    assert repeat(repeat(x, 0, 5), 17, 17) is repeat(x, 0, 85)
    assert repeat(repeat(x, 0, 5), 2) is repeat(x)
    assert repeat(repeat(x, 0, None), 2, 3) is repeat(x)
    assert repeat(repeat(x, 1, None), 2, 3) is repeat(x, 2)
    assert repeat(repeat(x, 1, None), 0, 3) is repeat(x)
