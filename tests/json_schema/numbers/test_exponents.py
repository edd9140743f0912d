"""Numbers without exponents, wherever a schema has them."""

from __future__ import annotations

import json
import re

import jsonschema
import pytest

from rellm_agents import compile_schema

SCHEMAS = [
    {"type": "number"},
    {"type": "number", "exclusiveMinimum": 0, "maximum": 1e-7},
    {"enum": [1e-7, 1e16, 2.5, {"a": [1e-5]}]},
    {"type": "array", "items": {"type": ["number", "object"]}, "uniqueItems": True},
    {"type": "object", "properties": {"a": {"const": 0.00001}, "b": True}},
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
@pytest.mark.parametrize("whitespace", ["spaced", "flexible"])
def test_no_number_has_an_exponent_if_that_is_asked_for(schema, whitespace):
    pattern = compile_schema(schema, exponents=False, whitespace=whitespace)
    for seed in range(60):
        text = pattern.sample(seed)
        value = json.loads(text)
        jsonschema.validate(value, schema)
        assert not re.search("[0-9]e", re.sub(r'"(?:[^"\\]|\\.)*"', "", text))


def test_small_numbers_are_written_out():
    assert compile_schema({"const": 1e-7}, exponents=False).shortest() == "0.0000001"
    assert compile_schema({"const": 1e-7}).shortest() == "1e-07"
    assert compile_schema({"type": "number"}, exponents=False).fullmatch("0.0000001")
    assert not compile_schema({"type": "number"}, exponents=False).fullmatch("1e-07")
