"""Short texts told by structure are what a plain search finds, and a regex with bounds on its length is known by few states."""

from __future__ import annotations

from collections import deque

import pytest
import regex
from hypothesis import example, given, settings
from patterns.blueprints import Blueprint, build, plain_blueprints
from patterns.regex_texts import law

from rellm_agents.errors import EmptyPattern
from rellm_agents.patterns import Node, Pattern, intersection, literal, read_regex, repeat
from rellm_agents.patterns.automaton.automaton import START, Automaton
from rellm_agents.patterns.automaton.derivative import BYTES, members, transitions
from rellm_agents.patterns.automaton.length_bounds import INFINITE, max_bytes, min_bytes, witness
from rellm_agents.patterns.automaton.shortest_paths import shortest_way
from rellm_agents.patterns.ir.constructors import CHARACTER

MAX_SEARCHED = 3_000


def searched(node: Node) -> bytes | None:
    """A shortest text, of lowest bytes, found without any short cut; ``b"\\xff"``: too many states."""
    seen, queue = {node}, deque([(node, b"")])
    while queue:
        here, text = queue.popleft()
        if here.nullable:
            return text
        if len(seen) > MAX_SEARCHED:
            return b"\xff"
        steps = [(byte, target) for symbols, target in transitions(here, BYTES) for byte in members(symbols)]
        for byte, target in sorted(steps, key=lambda step: step[0]):
            if target not in seen:
                seen.add(target)
                queue.append((target, text + bytes((byte,))))
    return None


@settings(law, max_examples=400)
@given(plain_blueprints())
@example(("intersection", ("repeat", ("characters", "a€"), 1, None), ("repeat", ("characters", "€"), 0, 2)))
@example(("choice", ("intersection", ("literal", "a"), ("literal", "b")), ("literal", "ab")))
@example(("difference", ("repeat", ("characters", "ab"), 1, None), ("literal", "a")))
def test_what_is_told_by_structure_is_what_a_search_finds(blueprint: Blueprint) -> None:
    node = build(blueprint)
    shortest, told = searched(node), witness(node)
    if shortest == b"\xff":
        return
    if shortest is None:
        assert told is None
        return
    assert told in (None, shortest)
    assert min_bytes(node) <= len(shortest) <= max_bytes(node)
    assert shortest_way(Automaton.of(node), START) == shortest


def test_what_cannot_be_of_any_length_is_known_by_its_length() -> None:
    node = intersection(read_regex("a{3}|b{5,7}"), repeat(literal("c"), 9))
    assert min_bytes(node) == INFINITE
    with pytest.raises(EmptyPattern):
        Pattern(node)


@pytest.mark.parametrize(
    "text",
    [
        r"arn:[^:]+:s3:[a-z0-9\-]+:\d{12}:[^:]+/bucket/[^:]+",
        r"[a-z0-9]([a-z0-9\-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9\-]*[a-z0-9])?)*",
        r"(?!aws:).+",
        r".*(foo|ba*r).*",
        r"([a-z]{8}\n)*[a-z]{1,8}=?=?",
    ],
)
@pytest.mark.parametrize(("least", "most"), [(0, 2_048), (20, 2_048), (80, 100), (300, 2_048)])
def test_a_regex_of_bounded_length_is_known_by_few_states(text: str, least: int, most: int) -> None:
    node = intersection(read_regex(text), repeat(CHARACTER, least, most))
    pattern, judge = Pattern(node), regex.compile(text)
    shortest = pattern.shortest()
    assert judge.fullmatch(shortest)
    assert least <= len(shortest) <= most
    assert Automaton.of(node).size < 200 + 16 * len(shortest)
    for seed in range(3):
        sampled = pattern.sample(seed)
        assert judge.fullmatch(sampled)
        assert least <= len(sampled) <= most
