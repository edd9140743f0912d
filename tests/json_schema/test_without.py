"""Texts that no string holds: each string has one JSON text, which reads back and holds none of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from json_schema.test_compiler import judge, schemas

from rellm_agents import Pattern, compile_schema
from rellm_agents.errors import SchemaError
from rellm_agents.json_schema.json_strings import string_node
from rellm_agents.json_schema.json_text import by_number, marks_of, quoted
from rellm_agents.patterns import NOTHING
from rellm_agents.patterns.kinds import Repeat, Sequence
from rellm_agents.patterns.repeats import Way, way_of

LETTERS = '`a0n"\\\né😀>K'
texts = st.text(LETTERS, max_size=9)


def is_possible(text: str) -> bool:
    try:
        marks_of([text])
    except ValueError:
        return False
    return True


kept_out = st.lists(st.text("`a0né😀>K", min_size=1, max_size=3).filter(is_possible), min_size=1, max_size=3, unique=True)
conditions = st.sampled_from(
    [
        {},
        {"max_length": 4},
        {"min_length": 2, "max_length": 40},
        {"patterns": ("^[^a]*$",)},
        {"patterns": ("`", "0")},
        {"excluded_patterns": ("``",)},
        {"excluded": ("`", "``a", "n>n")},
        {"patterns": ("^(?:```|a)$",)},
    ]
)


@settings(max_examples=300, deadline=None)
@given(kept_out, conditions, st.lists(texts, min_size=1, max_size=4), st.data())
def test_a_string_has_its_one_text_and_no_other(without: list[str], asked: Any, some: list[str], data: st.DataObject) -> None:
    marks = marks_of(without)
    plain, node = string_node(**asked), string_node(**asked, marks=marks)
    assert (plain is NOTHING) == (node is NOTHING)
    assume(node is not NOTHING)
    pattern = Pattern(node)
    for text in some:
        written = quoted(text, marks)
        assert json.loads(written) == text
        assert not any(one in written for one in without)
        assert pattern.fullmatch(written) == Pattern(plain).fullmatch(quoted(text))
        for _ in range(3):  # some characters by their number, where that is not called for, or not where it is
            chosen = data.draw(st.lists(st.booleans(), min_size=len(text), max_size=len(text)))
            units = [by_number(c) if chosen[i] and c not in '"\\\n' else quoted(c)[1:-1] for i, c in enumerate(text)]
            other = f'"{"".join(units)}"'
            assert other == written or not pattern.fullmatch(other)
    for seed in (1, 2):
        sample = pattern.sample(seed)
        assert sample == quoted(json.loads(sample), marks)


def test_lengths_are_counted_all_the_same() -> None:
    for bounds in ({"max_length": 5_000}, {"min_length": 3_000, "max_length": 5_000}, {"min_length": 20}):
        node = string_node(**bounds, marks="`")
        assert isinstance(node, Sequence)
        assert isinstance(node.parts[1], Repeat)
        assert way_of(node.parts[1]) is Way.COUNTER
    assert Pattern(string_node(min_length=3, max_length=3, marks="`")).fullmatch(r'"\u0060a\u0060"')


@pytest.mark.parametrize(
    ("text", "mark"), [("```", "`"), ("</tool_input>", "<"), ("\u00e9t\u00e9", "é"), ("Observation:", "O"), ("a, b", ","), ("stop", "s")]
)
def test_the_least_usual_character_is_the_one(text: str, mark: str) -> None:
    assert marks_of([text]) == mark


@settings(max_examples=150, deadline=None)
@given(schemas, kept_out, st.sampled_from(["spaced", "flexible"]), st.integers(0, 2**32))
def test_no_string_of_a_sampled_text_holds_them(schema: Any, without: list[str], whitespace: Any, seed: int) -> None:
    try:
        pattern = compile_schema(schema, without=without, whitespace=whitespace)
    except SchemaError:
        assume(False)
        raise
    for text in (pattern.sample(seed), pattern.sample(seed + 1), pattern.shortest()):
        value = json.loads(text)
        judge(schema).validate(value)
        for string in strings_of(value):
            assert quoted(string, marks_of(without)) in text


def strings_of(value: Any) -> list[str]:
    match value:
        case str():
            return [value]
        case list():
            return [one for inner in value for one in strings_of(inner)]
        case dict():
            return [*value, *(one for inner in value.values() for one in strings_of(inner))]
    return []


def test_names_and_given_values_are_written_alike_and_come_once() -> None:
    schema = {"type": "object", "properties": {"```": {"enum": ["x`y", ["`"]]}, "b": True}, "additionalProperties": {"type": "string"}}
    pattern = compile_schema(schema, without=["```"])
    key = r'"\u0060\u0060\u0060"'
    for text in (f'{{{key}: "x\\u0060y"}}', f'{{{key}: ["\\u0060"], "b": {{{key}: 1}}, "c\\u0060": "a"}}'):
        assert pattern.fullmatch(text)
    for text in ('{"```": "x\\u0060y"}', f'{{{key}: "x`y"}}', f'{{{key}: ["\\u0060"], {key}: ""}}', '{"b": "`"}'):
        assert not pattern.fullmatch(text)
    assert pattern.value(f'{{{key}: ["\\u0060"]}}') == {"```": ["`"]}


@pytest.mark.parametrize("text", ["", '"', "\\", "\n", "a\\", "n", "u", "00", "u006", "nature", "\x01"])
def test_what_cannot_be_kept_out_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="without="):
        compile_schema({"type": "string"}, without=[text])
    with pytest.raises(ValueError, match="pass a list"):
        compile_schema({"type": "string"}, without="```")
