"""What asks for too much work is refused when it is compiled, by a limit that is named; lifted, the limit lets it through."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from rellm_agents import Limits, compile_regex, compile_schema
from rellm_agents.errors import PatternError, PatternTooLarge, UnsupportedSchema

KEYS = "abcd"
UNIONS = {"allOf": [{"oneOf": [{"required": [key]}, {"required": [key * 2]}]} for key in KEYS]}
NESTED: dict[str, Any] = {"d0": {"type": "integer"}}
for depth in range(1, 4):
    inner = {"$ref": f"#/$defs/d{depth - 1}"}
    NESTED[f"d{depth}"] = {"oneOf": [inner, {"type": "array", "items": inner}]}

SCHEMAS = [
    ("options", 15, UNIONS),
    ("one_of", 1, {"$ref": "#/$defs/d3", "$defs": NESTED}),
    ("expansions", 5, {"$ref": "#/$defs/d3", "$defs": NESTED}),
    ("least_properties", 3, {"type": "object", "minProperties": 4}),
    ("undeclared_properties", 1, {"type": "array", "uniqueItems": True, "minItems": 2, "items": {"type": "object", "minProperties": 2}}),
    ("least_items", 9, {"type": "array", "minItems": 10}),
    ("least_contained", 9, {"type": "array", "contains": {"type": "null"}, "minContains": 10}),
    ("patterns", 2, {"type": "string", "allOf": [{"pattern": letter} for letter in KEYS]}),
    ("regex_characters", 10, {"type": "string", "pattern": "^abcdefghijkl$"}),
]
REGEXES = [("regex_characters", 10, "abcdefghijkl"), ("patterns", 2, "(?=.*a)(?=.*b)(?=.*c).+")]


@pytest.mark.parametrize(("name", "limit", "schema"), SCHEMAS)
def test_a_schema_beyond_a_limit_is_refused_by_its_name(name, limit, schema):
    with pytest.raises(UnsupportedSchema, match=rf"#.*Limits\({name}={limit}\) is the limit: .*lift the limit"):
        compile_schema(schema, limits=Limits(**{name: limit}))
    assert compile_schema(schema).shortest()


@pytest.mark.parametrize(("name", "limit", "regex"), REGEXES)
def test_a_regex_beyond_a_limit_is_refused_by_its_name(name, limit, regex):
    with pytest.raises(PatternTooLarge, match=rf"Limits\({name}={limit}\) is the limit: .*lift the limit"):
        compile_regex(regex, limits=Limits(**{name: limit}))
    assert compile_regex(regex).shortest()


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
