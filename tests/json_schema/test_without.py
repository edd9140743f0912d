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
from rellm_agents.json_schema.json_text import by_number, checked_without, quoted
from rellm_agents.patterns import NOTHING

LETTERS = '`a0n"\\\né😀>'
texts = st.text(LETTERS, max_size=9)


def is_possible(text: str) -> bool:
    try:
        checked_without([text])
    except ValueError:
        return False
    return True


kept_out = st.lists(st.text("`a0né😀>", min_size=1, max_size=3).filter(is_possible), min_size=1, max_size=3, unique=True).map(tuple)
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
def test_a_string_has_its_one_text_and_no_other(
    without: tuple[str, ...], asked: dict[str, Any], some: list[str], data: st.DataObject
) -> None:
    plain, node = string_node(**asked), string_node(**asked, without=without)
    assert (plain is NOTHING) == (node is NOTHING)
    assume(node is not NOTHING)
    pattern = Pattern(node)
    for text in some:
        written = quoted(text, without)
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
        assert sample == quoted(json.loads(sample), without)


@settings(max_examples=150, deadline=None)
@given(schemas, kept_out, st.sampled_from(["spaced", "flexible"]), st.integers(0, 2**32))
def test_no_string_of_a_sampled_text_holds_them(schema: Any, without: tuple[str, ...], whitespace: Any, seed: int) -> None:
    try:
        pattern = compile_schema(schema, without=without, whitespace=whitespace)
    except SchemaError:
        assume(False)
        raise
    for text in (pattern.sample(seed), pattern.sample(seed + 1), pattern.shortest()):
        value = json.loads(text)
        judge(schema).validate(value)
        for string in strings_of(value):
            assert quoted(string, without) in text


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
    schema = {"type": "object", "properties": {"```": {"enum": ["x````y", ["```"]]}, "b": True}, "additionalProperties": {"type": "string"}}
    pattern = compile_schema(schema, without=["```"])
    for text in ('{"``\\u0060": "x``\\u0060`y"}', '{"``\\u0060": ["``\\u0060"], "b": {"``\\u0060": 1}, "c``\\u0060": "``"}'):
        assert pattern.fullmatch(text)
    for text in ('{"```": "x``\\u0060`y"}', '{"``\\u0060": ["```"]}', '{"``\\u0060": ["``\\u0060"], "``\\u0060": ""}', '{"b": "```"}'):
        assert not pattern.fullmatch(text)
    assert pattern.value('{"``\\u0060": ["``\\u0060"]}') == {"```": ["```"]}


@pytest.mark.parametrize("text", ["", '"', "\\", "\n", "a\\", "n", "u", "00", "u006", "\x01"])
def test_what_cannot_be_kept_out_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="without="):
        compile_schema({"type": "string"}, without=[text])
    with pytest.raises(ValueError, match="pass a list"):
        compile_schema({"type": "string"}, without="```")
