"""The language of a schema: whatever JSON text has a value that the schema admits, however it spells its numbers and strings."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any

import jsonschema
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from json_schema.numbers.spellings import spelling
from json_schema.spellings import spelled
from json_schema.test_compiler import compiled, judge, schemas

from rellm_agents import compile_schema
from rellm_agents.json_schema.text import dumps


def respelled(value: Any, random: Random, *, integers: bool, strings: bool) -> str:
    """A JSON text of a value, spaced, its properties in the order that they have.

    Args:
        value: what JSON can say.
        random: where choices come from.
        integers: whether integers are spelled in other ways than by digits alone.
        strings: whether strings are spelled in other ways than the usual one.
    """
    match value:
        case dict():
            return (
                "{"
                + ", ".join(f"{dumps(key)}: {respelled(inner, random, integers=integers, strings=strings)}" for key, inner in value.items())
                + "}"
            )
        case list():
            return "[" + ", ".join(respelled(inner, random, integers=integers, strings=strings) for inner in value) + "]"
        case int() | float() if not isinstance(value, bool):
            if isinstance(value, int) and not integers:
                return str(value)
            return spelling(Fraction(str(value)), random, digits=6)
        case str() if strings:
            return spelled(value, random)
    return dumps(value)


@given(schemas, schemas, st.integers(0, 2**32))
@settings(max_examples=500, deadline=None, derandomize=True)
def test_every_spelling_of_a_value_is_a_text_exactly_if_the_value_is_valid(schema: Any, other: Any, seed: int) -> None:
    pattern, source = compiled(schema), compiled(other, numbers="python")
    assume(pattern and source)
    assert pattern is not None
    assert source is not None
    described = json.dumps(schema)
    value = json.loads(source.sample(seed))
    assume("uniqueItems" not in described)
    has_given = '"enum"' in described or '"const"' in described
    text = respelled(value, Random(seed), integers='"integer"' not in described, strings=not has_given)
    exact = judge(json.loads(described, parse_float=Decimal))
    expected = judge(schema).is_valid(json.loads(text)) and exact.is_valid(json.loads(text, parse_float=Decimal))
    if pattern.fullmatch(text):
        assert expected, text
    elif expected:
        assert pattern.narrowed or re.search(r'"(format|multipleOf)"', described) or re.search(r"\d{9}|\.0*[1-9]\d{7}", text), text


def exact_judge(schema: Any) -> Any:
    """Judges instances that were loaded with ``parse_float=Decimal``; a decimal without a fraction is an integer, as a float is."""
    checker = jsonschema.Draft202012Validator.TYPE_CHECKER
    is_integer = checker.redefine(
        "integer", lambda _, value: checker.is_type(value, "integer") or (isinstance(value, Decimal) and Fraction(value).denominator == 1)
    )
    validator = jsonschema.validators.extend(jsonschema.Draft202012Validator, type_checker=is_integer)
    return validator(json.loads(json.dumps(schema), parse_float=Decimal), format_checker=jsonschema.FormatChecker())


near = st.integers(-30, 30) | st.integers(-60, 60).map(lambda n: n / 4)
numbers = st.integers(-30, 30) | st.integers(-60, 60).map(lambda n: n / 4) | st.sampled_from([1e17, 1e-7, 6.02e23, -0.0])
number_schemas = st.one_of(
    st.fixed_dictionaries({"type": st.just("integer")}, optional={"minimum": near, "maximum": near}),
    st.fixed_dictionaries({"type": st.just("number")}, optional={"minimum": near, "multipleOf": st.sampled_from([0.25, 0.5, 2, 5])}),
    st.fixed_dictionaries({"enum": st.lists(numbers | st.booleans(), min_size=1, max_size=4)}, optional={"type": st.just("integer")}),
    numbers.map(lambda value: {"const": value}),
)


@given(
    st.lists(number_schemas, min_size=1, max_size=3),
    st.sampled_from(["anyOf", "oneOf"]),
    st.lists(numbers, max_size=3),
    st.integers(0, 2**32),
)
@settings(max_examples=400, deadline=None, derandomize=True)
def test_what_one_option_says_of_numbers_changes_no_other(options: Any, keyword: str, values: Any, seed: int) -> None:
    """Integers beside other numbers: no text of a value that none of them admits, and every value has a text."""
    schema = {keyword: options}
    pattern, random = compiled(schema), Random(seed)
    assume(pattern)
    assert pattern is not None
    exact = exact_judge(schema)
    listed = [value for one in options for value in one.get("enum", [one["const"]] if "const" in one else [])]
    for value in (*values, *(one for one in listed if not isinstance(one, bool))):
        texts = {dumps(value), spelling(Fraction(str(value)), random, digits=6), *([str(int(value))] if abs(value) < 99 else [])}
        for text in texts:
            expected = judge(schema).is_valid(json.loads(text)) and exact.is_valid(json.loads(text, parse_float=Decimal))
            assert expected or not pattern.fullmatch(text), (schema, text)
        if judge(schema).is_valid(value) and exact.is_valid(Decimal(str(value))):
            found = [one for one in (dumps(value), f"{Decimal(str(value)) + 0:.0f}") if pattern.fullmatch(one)]
            assert found or pattern.narrowed, (schema, value)


@given(schemas, st.integers(0, 2**32))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_the_value_of_a_text_is_what_json_reads(schema: Any, seed: int) -> None:
    pattern = compiled(schema)
    assume(pattern)
    assert pattern is not None
    text = pattern.sample(seed)
    assert pattern.value(text) == json.loads(text)


@pytest.mark.parametrize(
    ("schema", "texts", "others"),
    [
        ({"type": "number"}, ["3e8", "8.99e9", "1e5", "1e-4", "5e12", "6.02E23", "1e+05", "0e0", "-0.0E-0"], ["1e", "01e5", "1.e5"]),
        ({"const": 6.02e23}, ["6.02e23", "6.02e+23", "602000000000000000000000.0"], ["602000000000000000000000", "6.03e23"]),
        ({"const": 1e308}, ["1e308", "1e+308", "10E307"], ["1e307"]),
        ({"enum": [1, 2.5]}, ["1", "1.0", "1e0", "25e-1", "2.50"], ["2", "2.51"]),
        ({"type": "integer", "enum": [100, 200]}, ["100"], ["100.0", "1e2"]),
        ({"type": "integer"}, ["100", "-7"], ["100.0", "1e2", "-0"]),
        ({"type": "number", "multipleOf": 5}, ["15", "15.0", "0.5e1", "1E1"][:2], ["7", "7.0"]),
        ({"type": "number", "multipleOf": 0.01}, ["19.99", "1999e-2", "2e3", "0.0199900e3"], ["0.001", "1e-3", "19.999"]),
        ({"type": ["integer", "string"]}, ["5"], ["5.0"]),
        ({"enum": list(range(200))}, ["7", "199"], ["7e0", "200"]),
    ],
    ids=str,
)
def test_spellings(schema: Any, texts: list[str], others: list[str]) -> None:
    pattern = compile_schema(schema)
    assert [text for text in texts if not pattern.fullmatch(text)] == []
    assert [text for text in others if pattern.fullmatch(text)] == []


@pytest.mark.parametrize("text", ["8e9", "1.5e6", "100.0", "1000", "12e1", "5000e-2", "-2E+02", "1e300", "12345678901234567890.0"])
def test_integers_in_any_spelling_are_read_as_integers(text: str) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}, "x": {"type": "number"}}, "required": ["n"]}
    pattern = compile_schema(schema, integers="any")
    value = pattern.value(f'{{"n": {text}, "x": 2.5}}')
    assert value == {"n": int(Fraction(text)), "x": 2.5}
    assert type(value["n"]) is int
    assert compile_schema(schema).fullmatch(f'{{"n": {text}}}') == text.isdigit()
    assert not pattern.fullmatch('{"n": 1.5}')
    assert not pattern.fullmatch('{"n": 15e-1}')
