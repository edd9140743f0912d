"""A bound on the length beside other conditions: counted, it means what one automaton with a state for each length means."""

from __future__ import annotations

import random

import pytest

from rellm_agents import Pattern
from rellm_agents.patterns import intersection, read_regex, repeat, sequence
from rellm_agents.patterns.automaton import START, Automaton, CountedAutomaton, counter_of, shortest_way
from rellm_agents.patterns.ir import CHARACTER, Node, literal

CONDITIONS = (
    "(?:.{3})*",
    "(?:.{7})*a",
    ".*a.*",
    "(?=.*a)(?=.*b)(?=.*€).*",
    "(?!.*ab$).*",
    "[ab]{0,5}",
    "(?:a|bb)*",
    "(?:a{4}|b{6})+",
    "(?!.*(?:aa|bab))[ab]*",
    "[a€]+@[a€]+(?:[.][ab]{2,3})+",
    "a.{20}b.*",
    "b{17}|a{3}(?:a{5})*",
)
INNER = (CHARACTER, read_regex("[^b]"), read_regex("[ab€]|cc"), read_regex("a|b[a€]b|€"))
BOUNDS = ((0, 16), (1, 17), (16, None), (17, 17), (18, 24))


def counted(condition: str, inner: Node, bounds: tuple[int, int | None]) -> tuple[Node, CountedAutomaton] | None:
    """The node, if it is counted with numbers."""
    node = intersection(read_regex(condition), repeat(inner, *bounds))
    found = counter_of(node)
    return (node, found.automaton) if found is not None and isinstance(found.automaton, CountedAutomaton) else None


@pytest.mark.parametrize("bounds", BOUNDS)
@pytest.mark.parametrize("inner", INNER, ids=["any", "not b", "with cc", "with bab"])
def test_the_texts_and_their_beginnings_are_those_of_a_state_for_each_length(inner, bounds):
    met = 0
    for condition in CONDITIONS:
        chance = random.Random(f"{condition} {bounds}")
        found = counted(condition, inner, bounds)
        if found is None:
            continue
        node, _ = found
        plain = Automaton(node)
        if plain.is_empty:
            with pytest.raises(Exception, match="no text at all"):
                Pattern(node)
            continue
        met += 1
        pattern = Pattern(sequence(literal("<"), node, literal(">")))
        assert pattern.shortest().encode() == b"<" + shortest_way(plain, START) + b">"
        for seed in range(4):
            text = pattern.sample(seed)
            assert plain.matches(text.encode()[1:-1])
            for _ in range(8):
                at = chance.randrange(len(text))
                changed = text[1:at] + chance.choice(["", "a", "b", "€", "c", ".", "@", "aa"]) + text[at : -chance.randint(1, 2)]
                assert pattern.fullmatch(f"<{changed}>") == plain.matches(changed.encode()), (condition, changed)
                state = START
                for byte in changed.encode():
                    state = plain.step(state, byte)
                assert pattern.begins(f"<{changed}") == (state != 0), (condition, changed)
    assert met


def test_large_bounds_cost_what_small_ones_do():
    node = intersection(read_regex("(?=.*a)(?=.*b)[abc]+"), repeat(CHARACTER, 0, 10**9))
    found = counter_of(node)
    assert found is not None
    assert isinstance(found.automaton, CountedAutomaton)
    assert Pattern(node).fullmatch("a" * 5_000 + "b")
    assert found.automaton.size < 40
    for low in (0, 17, 1_000, 10**6, 10**9):
        assert [found.automaton.has_rest(START, low, high) for high in (low - 1, low, None)] == [False, low > 1, True]


def test_what_no_number_of_times_leads_to_the_end_of_is_empty():
    assert counter_of(intersection(read_regex("(?:aa)*"), repeat(CHARACTER, 17, 17))).is_empty
    assert not counter_of(intersection(read_regex("(?:aa)*"), repeat(CHARACTER, 17, 18))).is_empty


@pytest.mark.parametrize("inner", INNER, ids=["any", "not b", "with cc", "with bab"])
def test_steps_are_single_iterations(inner):
    for condition in CONDITIONS:
        found = counted(condition, inner, (0, 30))
        if found is None:
            continue
        _, automaton = found
        for state in range(START, automaton.size):
            for step in automaton.steps.of(state):
                ends = {automaton.row(state)[byte] for byte in range(256) if step.single >> byte & 1}
                assert ends == ({step.end} if step.single else set())
                assert automaton.accepting[step.end]
                assert 1 <= step.fewest <= step.common
                assert (step.fewest == 1) == bool(step.single)
            singles = {byte for step in automaton.steps.of(state) for byte in range(256) if step.single >> byte & 1}
            assert singles == {byte for byte, target in enumerate(automaton.row(state)) if automaton.accepting[target]}
