"""What is said of keywords is so: annotations change no text, and each draft has the keywords that the table gives it."""

from __future__ import annotations

from typing import Any

import pytest
from json_schema.random_schemas import random_schema

from rellm_agents import compile_schema
from rellm_agents.errors import SchemaError
from rellm_agents.json_schema import explained
from rellm_agents.json_schema.source import DRAFTS, DRAFTS_OF, ENFORCED

URIS = {name: f"http://json-schema.org/{name}/schema#" for name in DRAFTS[:3]}
URIS |= {name: f"https://json-schema.org/draft/{name}/schema" for name in DRAFTS[3:]}
DECIDES: dict[str, tuple[Any, str]] = {
    "additionalItems": ({"items": [{"type": "null"}], "additionalItems": False, "type": "array"}, "[null, 1]"),
    "const": ({"const": 1}, "2"),
    "contains": ({"type": "array", "contains": {"type": "null"}}, "[1]"),
    "dependentRequired": ({"type": "object", "dependentRequired": {"a": ["b"]}}, '{"a": 1}'),
    "dependentSchemas": ({"type": "object", "dependentSchemas": {"a": {"required": ["b"]}}}, '{"a": 1}'),
    "if": ({"if": {"type": "number"}, "then": {"const": 1}}, "2"),
    "then": ({"if": {"type": "number"}, "then": {"const": 1}}, "2"),
    "else": ({"if": {"type": "string"}, "else": {"const": 1}}, "2"),
    "maxContains": ({"type": "array", "contains": {"type": "null"}, "maxContains": 1}, "[null, null]"),
    "minContains": ({"type": "array", "contains": {"type": "null"}, "minContains": 2}, "[null]"),
    "prefixItems": ({"type": "array", "prefixItems": [{"type": "null"}]}, "[1]"),
    "propertyNames": ({"type": "object", "propertyNames": {"maxLength": 1}}, '{"ab": 1}'),
    "unevaluatedItems": ({"type": "array", "unevaluatedItems": False}, "[1]"),
    "unevaluatedProperties": ({"type": "object", "unevaluatedProperties": False}, '{"a": 1}'),
    "$recursiveRef": ({"properties": {"a": {"$recursiveRef": "#"}}, "type": "object", "additionalProperties": False}, '{"a": 1}'),
    "$dynamicRef": ({"properties": {"a": {"$dynamicRef": "#"}}, "type": "object", "additionalProperties": False}, '{"a": 1}'),
}
"""For each keyword that not all drafts have: a schema, and a text that is no instance of it if the keyword counts."""


@pytest.mark.parametrize("keyword", DECIDES)
def test_the_drafts_that_have_a_keyword_are_those_that_enforce_it(keyword: str) -> None:
    assert DECIDES.keys() == DRAFTS_OF.keys() <= ENFORCED.keys()
    schema, text = DECIDES[keyword]
    for draft, uri in URIS.items():
        of_draft = {"$schema": uri, **schema}
        try:
            counts = not compile_schema(of_draft).fullmatch(text)
        except SchemaError:  # the draft has another form of the keyword beside it
            assert draft not in DRAFTS_OF[keyword]
            continue
        assert counts == (draft in DRAFTS_OF[keyword]), draft
        effects = {one.pointer.rpartition("/")[2]: one.effect for one in explained(of_draft)}
        assert effects[keyword] == ("exact" if counts else "annotation")


def test_an_annotation_changes_no_text() -> None:
    tried = 0
    for seed in range(40):
        schema = random_schema(seed)
        if not isinstance(schema, dict):
            continue
        schema = {**schema, "title": "A title", "x-colour": "red", "contentEncoding": "base64"}
        try:
            pattern = compile_schema(schema)
        except SchemaError:
            continue
        for pointer in ("#/title", "#/x-colour", "#/contentEncoding"):
            assert {one.pointer: one.effect for one in explained(schema)}[pointer] == "annotation"
            other = compile_schema({name: value for name, value in schema.items() if name != pointer[2:]})
            for number in range(3):
                assert other.fullmatch(pattern.sample(number))
                assert pattern.fullmatch(other.sample(number))
                tried += 1
    assert tried > 100


def test_what_cannot_be_compiled_is_named_at_its_keyword() -> None:
    for seed in range(30):
        schema = random_schema(seed)
        try:
            compile_schema(schema)
            refused = False
        except SchemaError:
            refused = True
        assert ("unsupported" in {one.effect for one in explained(schema)}) == refused, seed


def test_each_unsupported_keyword_is_named_with_its_reason() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "pattern": r"(a)\1"}, "b": {"type": "strin"}}}
    with pytest.raises(SchemaError) as first:
        compile_schema(schema)
    effects = {one.pointer: one for one in explained(schema)}
    assert effects[first.value.pointer].effect == "unsupported"
    assert effects[first.value.pointer].reason == first.value.reason
    assert effects["#/properties"].effect == "exact"
