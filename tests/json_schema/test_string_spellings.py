"""Which spellings of strings a schema takes: all of them in values; in keys, unique items and given values only certain ones."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
import regex
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from json_schema.spellings import respelled, spelled
from json_schema.test_compiler import compiled, schemas

from rellm_agents import compile_schema
from rellm_agents.errors import InvalidInstance
from rellm_agents.json_schema.text.layout import dumps
from rellm_agents.patterns.ir import Choice, Literal

chances = st.randoms(use_true_random=False)
texts = st.text('aé€/\\"\n\x00😀', max_size=4)


@given(schemas, schemas, st.booleans(), st.sampled_from(["source", "any"]), st.integers(0, 2**32), chances)
@settings(max_examples=500, deadline=None, derandomize=True)
def test_a_value_is_accepted_in_every_spelling_of_its_strings_or_in_none(
    schema: Any, other: Any, is_own: bool, order: Any, seed: int, chance: Random
) -> None:
    assume(not any(keyword in json.dumps(schema) for keyword in ("uniqueItems", "enum", "const")))
    pattern, source = compiled(schema, order=order), compiled(schema if is_own else other)
    assume(pattern and source)
    assert pattern is not None
    assert source is not None
    value = json.loads(source.sample(seed))
    for _ in range(4):
        text = respelled(value, chance)
        assert json.loads(text) == value
        assert pattern.fullmatch(text) == pattern.fullmatch(dumps(value)), text
        if pattern.fullmatch(text):
            assert pattern.value(text) == value  # type: ignore[attr-defined]
        else:
            with pytest.raises(InvalidInstance):
                pattern.value(text)  # type: ignore[attr-defined]


@given(st.lists(texts, min_size=1, max_size=4, unique=True), chances, st.booleans())
@settings(max_examples=300, deadline=None, derandomize=True)
def test_a_given_string_has_its_usual_spellings_and_its_own(values: list[str], chance: Random, is_text: bool) -> None:
    own = [spelled(value, chance) for value in values]
    schema = f'{{"enum": [{", ".join(own)}, {{"k": [{own[0]}]}}]}}'
    pattern = compile_schema(schema if is_text else json.loads(schema))
    for value, written in zip(values, own, strict=True):
        others = [spelled(value, chance) for _ in range(5)]
        expected = {dumps(value), json.dumps(value), *([written] if is_text else [])}
        assert all(pattern.fullmatch(text) == (text in expected) for text in (*expected, written, *others))
    for text in (dumps(values[0]), json.dumps(values[0])):
        assert pattern.value(f'{{"k": [{text}]}}') == {"k": [values[0]]}
    assert all(pattern.value(pattern.sample(seed)) in [*values, {"k": [values[0]]}] for seed in range(4))


def test_given_strings_stay_literals() -> None:
    node = compile_schema({"enum": ["red", "blue", "gr\u00fcn"]}).node
    assert isinstance(node, Choice)
    assert {option.text for option in node.options if isinstance(option, Literal)} == {'"red"', '"blue"', '"grün"', r'"gr\u00fcn"'}
    assert compile_schema({"const": "red"}).node is compile_schema('{"const": "red"}').node
    assert isinstance(compile_schema({"const": "red"}).node, Literal)


@given(st.text('aé/"', min_size=1, max_size=3), chances)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_a_key_has_one_spelling(key: str, chance: Random) -> None:
    other = spelled(key, chance)
    for schema in (
        {"type": "object", "properties": {key: {"type": "null"}}},
        {"type": "object"},
        {"type": "object", "patternProperties": {"^[aé]": {"type": "null"}}},
        {"type": "object", "propertyNames": {"maxLength": 4}},
        {"type": "object", "additionalProperties": {"type": "null"}, "minProperties": 1},
    ):
        pattern = compile_schema(schema)
        assert pattern.fullmatch(f"{{{dumps(key)}: null}}")
        assert pattern.fullmatch(f"{{{other}: null}}") == (other == dumps(key))
        assert not pattern.fullmatch(f"{{{dumps(key)}: null, {other}: null}}")


@given(texts, chances, st.sampled_from(["spaced", "flexible"]))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_a_string_in_unique_items_has_one_spelling_and_the_result_says_so(text: str, chance: Random, whitespace: Any) -> None:
    other = spelled(text, chance)
    for items in ({"type": "string"}, {"type": "object"}, True, {"type": "array", "items": {"type": "string"}}):
        pattern = compile_schema({"type": "array", "items": items, "uniqueItems": True}, whitespace=whitespace)
        assert pattern.narrowed[:1] == ("#/uniqueItems: strings in a list without repetitions are written in one way",)
        one, another = dumps(text), other
        if items == {"type": "object"}:
            one, another = f'{{"a": {one}}}', f'{{"a": {another}}}'
        elif items not in (True, {"type": "string"}):
            one, another = f"[{one}]", f"[{another}]"
        assert pattern.fullmatch(f"[{one}]")
        assert pattern.fullmatch(f"[{another}]") == (other == dumps(text))
        assert not pattern.fullmatch(f"[{one}, {another}]")
    for items in ({"type": "integer"}, {"enum": ["a", 1]}, {"type": ["null", "boolean"]}):
        assert not any("strings" in one for one in compile_schema({"type": "array", "items": items, "uniqueItems": True}).narrowed)


@given(texts, st.sampled_from([["/"], ["```"], ["A"], []]), chances)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_the_regexes_say_the_same(text: str, without: list[str], chance: Random) -> None:
    for schema in (
        {"type": "string"},
        {"type": "string", "maxLength": 3},
        {"type": "string", "pattern": "^[^a€]*$"},
        {"type": "string", "pattern": "^[é-😀a/]{1,3}$"},
        {"type": "string", "not": {"pattern": "a.*é"}},
    ):
        pattern = compile_schema(schema, without=without)
        portable = pattern.regex_for("portable")
        for written in (dumps(text), spelled(text, chance), spelled(text, chance), r'"\ud83d"', r'"\ude00"'):
            expected = pattern.fullmatch(written)
            assert bool(regex.fullmatch(pattern.regex, written)) == bool(regex.fullmatch(portable, written)) == expected, written
        assert pattern.fullmatch(pattern.shortest())
