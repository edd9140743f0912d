"""What leads to the end is what a plain search finds, also where bounds are left out on the way, which come back behind a repeat."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from patterns.automaton.test_length_bounds import searched
from patterns.blueprints import Blueprint, build, plain_blueprints
from patterns.regex_texts import law

from rellm_agents.patterns import read_regex
from rellm_agents.patterns.automaton import length_bounds
from rellm_agents.patterns.automaton.automaton import Automaton
from rellm_agents.patterns.automaton.emptiness import Emptiness
from rellm_agents.patterns.ir.charset import COMMON_BYTES
from rellm_agents.patterns.ir.constructors import CHARACTER, intersection, literal, repeat, sequence

_COMMON = sum(1 << byte for byte in COMMON_BYTES)


@pytest.fixture(autouse=True)
def every_bound_is_large(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(length_bounds, "LARGE", 0)
    length_bounds.relaxed.cache_clear()
    yield
    length_bounds.relaxed.cache_clear()


@settings(law, max_examples=400)
@given(plain_blueprints())
@example(
    (
        "difference",
        ("repeat", ("intersection", ("repeat", ("characters", "ab"), 0, 3), ("sequence", ("literal", "a"), ("characters", "b"))), 1, 9),
        ("repeat", ("characters", "ab"), 0, None),
    )
)
def test_what_leads_to_the_end_is_what_a_search_finds(blueprint: Blueprint) -> None:
    node = build(blueprint)
    shortest = searched(node)
    if shortest == b"\xff":
        return
    assert Emptiness().has_text(node) == (shortest is not None)
    assert Emptiness(is_relaxed=True).has_text(node) or shortest is None
    common = Emptiness(_COMMON).has_text(node)
    assert common <= (shortest is not None)
    if shortest is not None and not shortest.translate(None, bytes(COMMON_BYTES)):
        assert common


def test_bounds_that_come_back_behind_a_repeat() -> None:
    once = intersection(sequence(literal("a"), repeat(CHARACTER, 0, 99)), read_regex("ab*"))
    node = sequence(repeat(once), literal("!"))
    assert Automaton(intersection(node, read_regex("[^!]*"))).is_empty
    assert not Automaton(intersection(node, read_regex("[^?]*"))).is_empty
