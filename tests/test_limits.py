"""What asks for too much work is refused when it is compiled, by a limit that is named; lifted, the limit lets it through."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Any

import pytest

from rellm_agents import Limits, Pattern, compile_regex, compile_schema
from rellm_agents.errors import PatternError, PatternTooLarge, RegexSyntaxError, UnsupportedSchema

KEYS = "abcd"
UNIONS = {"allOf": [{"oneOf": [{"required": [key]}, {"required": [key * 2]}]} for key in KEYS]}
NESTED: dict[str, Any] = {"d0": {"type": "integer"}}
for depth in range(1, 4):
    inner = {"$ref": f"#/$defs/d{depth - 1}"}
    NESTED[f"d{depth}"] = {"oneOf": [inner, {"type": "array", "items": inner}]}

DIFFERENT = {"type": "array", "uniqueItems": True}
NEGATED = [{"not": {"propertyNames": {"pattern": "^a"}}}, {"not": {"propertyNames": {"pattern": "b$"}}}]
NESTED_LISTS = {"type": "array", "items": {"type": "array", "items": {"type": "string", "pattern": "a"}}}

REFUSED: list[tuple[str, int, Any]] = [
    ("nesting", 2, NESTED_LISTS),
    ("references", 4, {"$ref": "#/$defs/d3", "$defs": NESTED}),
    ("conditions", 1, {"type": "object", "allOf": NEGATED}),
    ("name_classes", 1, {"type": "object", "patternProperties": {"^a": {"pattern": "x"}, "b$": True}}),
    ("different_items", 3, {**DIFFERENT, "minItems": 5, "items": {"type": "string", "maxLength": 3}}),
    ("whole_digits", 20, {"type": "integer", "minimum": 10**20}),
    ("divisor_states", 3, {"type": "integer", "multipleOf": 7}),
    ("options", 15, UNIONS),
    ("one_of", 1, {"$ref": "#/$defs/d3", "$defs": NESTED}),
    ("expansions", 5, {"$ref": "#/$defs/d3", "$defs": NESTED}),
    ("least_properties", 3, {"type": "object", "minProperties": 4}),
    ("undeclared_properties", 1, {**DIFFERENT, "minItems": 2, "items": {"type": "object", "minProperties": 2}}),
    ("least_characters", 9, {"type": "string", "minLength": 10}),
    ("least_characters", 9, {"type": "object", "additionalProperties": {"type": "string", "minLength": 10}}),
    ("least_items", 9, {"type": "array", "minItems": 10}),
    ("least_contained", 9, {"type": "array", "contains": {"type": "null"}, "minContains": 10}),
    ("routes", 1, {**DIFFERENT, "contains": {"minimum": 3}, "minContains": 2, "items": {"type": "integer"}, "minItems": 3}),
    ("patterns", 2, {"type": "string", "allOf": [{"pattern": letter} for letter in KEYS]}),
    ("regex_characters", 10, {"type": "string", "pattern": "^abcdefghijkl$"}),
    ("groups", 2, {"type": "string", "pattern": "^(((a)))$"}),
    ("repeats", 5, {"type": "string", "pattern": "^a{6}$"}),
    ("lookaround_states", 2, {"type": "string", "pattern": "^(?:(?!ab).)*c$"}),
    ("regex_characters", 10, "abcdefghijkl"),
    ("patterns", 2, "(?=.*a)(?=.*b)(?=.*c).+"),
    ("groups", 2, "(((a)))"),
    ("repeats", 5, "a{2,6}"),
    ("calls", 2, "(a)(?1)(?1)(?1)"),
    ("calls", 2, "(a|b(?1)(?2)(?2)(?2))(c)"),
    ("lookaround_states", 2, "(?:(?!ab).)*c"),
]
"""A limit, and what asks for more."""

FEWER_TEXTS = {
    *("counted", "serializations", "different", "whitespace", "decimal_places", "scaled_digits", "multiple_digits"),
    *("greatest_exponent", "least_exponent", "exponent_zeros", "scaled_states"),
}
"""Limits that leave out texts, or ways to tell them apart, and refuse nothing."""


def compiled(one: Any, limits: Limits) -> Pattern:
    return compile_regex(one, limits=limits) if isinstance(one, str) else compile_schema(one, limits=limits)


def refusal_of(one: Any, limits: Limits) -> str | None:
    """What an error says of an input; ``None``: it is taken."""
    try:
        compiled(one, limits)
    except (PatternTooLarge, RegexSyntaxError, UnsupportedSchema) as error:
        return str(error)
    return None


@pytest.mark.parametrize(("name", "limit", "one"), REFUSED)
def test_what_asks_for_more_than_a_limit_is_refused_by_its_name_and_taken_as_the_error_says(name: str, limit: int, one: Any) -> None:
    assert compiled(one, Limits()).shortest()
    tried: list[int] = []
    while said := refusal_of(one, Limits(**{name: limit})):
        assert f"Limits({name}={limit}) is the limit" in said
        advised = re.search(rf"lift the limit with limits=Limits\({name}=(\d+)\)", said)
        assert advised
        assert int(advised[1]) > limit
        tried.append(limit)
        limit = int(advised[1])
    assert tried


def test_each_limit_refuses_something_or_leaves_out_texts() -> None:
    assert {name for name, _, _ in REFUSED} | FEWER_TEXTS == {one.name for one in fields(Limits)}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "minProperties": 10**9},
        {"type": "array", "minItems": 10**9},
        {"type": "string", "allOf": [{"pattern": f"word{n}"} for n in range(200)]},
        {"allOf": [{"oneOf": [{"required": [key]}, {"required": [key * 2]}]} for key in "abcdefghijkl"]},
    ],
)
def test_what_would_take_hours_is_refused(schema):
    with pytest.raises(UnsupportedSchema, match="Limits"):
        compile_schema(schema)


@pytest.mark.parametrize("regex", ["|".join("a" * n for n in range(1, 2_001)), "".join(f"(?=.*{c})" for c in "abcdefghijkl") + ".+"])
def test_a_regex_that_would_take_hours_is_refused(regex):
    with pytest.raises(PatternError, match="Limits"):
        compile_regex(regex)


def test_limits_are_part_of_a_pattern():
    schema = {"type": "integer"}
    assert compile_schema(schema, limits=Limits(whole_digits=2)).fullmatch("12")
    assert not compile_schema(schema, limits=Limits(whole_digits=2)).fullmatch("123")
    assert compile_schema(schema) != compile_schema(schema, limits=Limits(whole_digits=2))
    assert all(f" {one.name}: " in (Limits.__doc__ or "") for one in fields(Limits))
