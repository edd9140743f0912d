"""The finished automata of string formats are those of their regexes, and strings run by them as by derivatives."""

from __future__ import annotations

import json
from functools import reduce
from operator import or_
from weakref import WeakKeyDictionary

import pytest
from json_schema.text.format_tables import regex_node

from rellm_agents.json_schema.text import string_node
from rellm_agents.json_schema.text.format_automata import FormatStates
from rellm_agents.json_schema.text.string_formats import format_names, string_format
from rellm_agents.patterns.automaton import START, Automaton, derivative, length_bounds, shortest_bytes
from rellm_agents.patterns.ir import ALL_CHARACTERS, RARE_BYTES, Characters, CharSet, Dfa, Node
from rellm_agents.resources import data_path

SMALL = ("date", "time", "date-time", "duration", "ipv4", "uuid", "uri-template", "json-pointer", "relative-json-pointer")
WRITINGS = ({}, {"unique": True}, {"escapes": "common"}, {"unique": True, "banned": ("```", "</a>")})


@pytest.fixture
def by_derivatives(monkeypatch):
    """A function that makes an automaton which runs by derivatives alone."""

    def made(node: Node) -> Automaton:
        with monkeypatch.context() as patch:
            patch.setattr(derivative, "_DERIVED_AS", WeakKeyDictionary())
            derivative.transitions.cache_clear()
            automaton = Automaton(node)
            state = START
            while state < automaton.size:
                automaton.row(state)
                state += 1
        derivative.transitions.cache_clear()
        return automaton

    return made


@pytest.mark.parametrize("name", format_names())
def test_each_file_holds_the_texts_of_the_regex(name: str, monkeypatch) -> None:
    node, states = regex_node(name), FormatStates(name)
    monkeypatch.setattr(derivative, "_DERIVED_AS", WeakKeyDictionary())
    derivative.transitions.cache_clear()
    waiting = [(node, 0)]
    seen = {*waiting}
    for one, state in waiting:  # it grows
        assert one.nullable == states.accepts(state)
        moves = [
            (texts.charset if isinstance(texts, Characters) else CharSet.of(texts.text), after) for texts, after in states.moves(state)
        ]
        first = derivative.transitions(one, derivative.CHARACTERS)
        assert reduce(or_, (charset for charset, _ in first), CharSet()) == reduce(or_, (charset for charset, _ in moves), CharSet())
        new = {(rest, after) for charset, rest in first for known, after in moves if charset & known} - seen
        seen |= new
        waiting += new
    derivative.transitions.cache_clear()
    assert {state for _, state in seen} == {*range(len(json.loads((data_path("format_automata") / f"{name}.json").read_text())["moves"]))}


def test_there_is_a_file_for_each_format_and_no_other() -> None:
    assert {path.stem for path in data_path("format_automata").iterdir()} == {*format_names()}


@pytest.mark.parametrize("conditions", WRITINGS, ids=str)
@pytest.mark.parametrize("name", SMALL)
def test_strings_are_those_that_derivatives_read(name, conditions, by_derivatives) -> None:
    node = string_node(formats=(name,), **conditions)
    plain, finished = by_derivatives(node), Automaton(node)
    seen, waiting = {(START, START)}, [(START, START)]
    for one, other in waiting:  # it grows
        assert plain.accepting[one] == finished.accepting[other]
        for pair in {*zip(plain.row(one), finished.row(other), strict=True)} - seen:
            assert all(pair) or not any(pair), name
            if all(pair):
                seen.add(pair)
                waiting.append(pair)
    assert len(seen) > 8


@pytest.mark.parametrize("name", format_names())
def test_the_extents_of_states_hold(name: str, by_derivatives) -> None:
    found = string_format(name)
    assert found is not None
    states = derivative.derived_as(found.node)
    assert isinstance(states, Dfa)
    shortest = shortest_bytes(states)
    assert shortest is not None
    assert len(shortest) == length_bounds.min_bytes(states) == len(length_bounds.witness(states) or b"")
    assert Automaton(found.node).matches(shortest)
    waiting, seen = [states], {states}
    for one in waiting:
        assert isinstance(one, Dfa)
        extent = one.functions.extent(one.state)
        assert extent is not None
        assert (extent.fewest == 0) == one.nullable
        assert one.nullable or one.functions.flags in {0, RARE_BYTES}
        beyond = []
        for texts, after in one.functions.moves(one.state):
            assert isinstance(texts, Node)
            rest = Dfa._make(one.functions, after)
            beyond.append(one.functions.extent(after))
            if rest not in seen:
                seen.add(rest)
                waiting.append(rest)
        assert one.nullable or extent.fewest == 1 + min(each.fewest for each in beyond)
        assert extent.most is None or all(each.most is not None and each.most < extent.most for each in beyond)
    assert one.functions.symbol.charset == ALL_CHARACTERS
