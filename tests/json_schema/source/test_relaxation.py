"""Leniency: a schema that cannot be enforced exactly is compiled without what is too much; nothing is left out silently, or too narrow."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from json_schema.verdicts import SHARED, rows

from rellm_agents import compile_schema
from rellm_agents.errors import InvalidInstance, InvalidSchema, UnsatisfiableSchema, UnsupportedSchema

BACK = {"pattern": "^(a|b)\\1$"}


@pytest.mark.parametrize(
    ("schema", "pointers", "valid", "invalid"),
    [
        (BACK, ["#/pattern"], ["aa", 1], ["ab"]),
        ({"type": "object", "properties": {"a/b": BACK}}, ["#/properties/a~1b/pattern"], [{"a/b": "bb"}, {}], [{"a/b": "ba"}]),
        ({"type": ["string", "null"], "not": BACK}, ["#/not"], ["ab"], ["aa", None]),
        ({"type": "string", "oneOf": [BACK, {"minLength": 3}]}, ["#/oneOf"], ["aa", "abc"], ["ab"]),
        (
            {"type": "object", "patternProperties": {"^(x)\\1$": {"type": "null"}}, "additionalProperties": {"type": "integer"}},
            ["#/patternProperties", "#/additionalProperties"],
            [{"xx": None, "y": 1}],
            [{"xx": 1}, {"y": None}],
        ),
        (
            {"if": {"type": "string", **BACK}, "then": {"minLength": 3}, "else": {"type": "integer"}, "type": ["string", "integer"]},
            ["#/if", "#/then", "#/else"],
            [1],
            ["aa", "x"],
        ),
        (
            {"type": "array", "items": {"allOf": [{"type": "string"}, BACK]}, "contains": {"const": "aa"}},
            ["#/items/allOf/1/pattern"],
            [["aa"], ["bb", "aa"]],
            [["ab", "aa"]],
        ),
        (
            {"type": "object", "allOf": [{"properties": {"a": BACK}}], "unevaluatedProperties": False},
            ["#/unevaluatedProperties", "#/allOf/0/properties/a/pattern"],
            [{"a": "aa"}],
            [{"a": "ab"}, {"b": 1}],
        ),
        (
            {"type": ["string", "null"], "not": {"$ref": "#/$defs/a"}, "$defs": {"a": {"allOf": [BACK, {"type": "string"}]}}},
            ["#/not"],
            ["ab", None],
            ["aa"],
        ),
        (
            {"type": "object", "properties": {"x": {"$ref": "#/$defs/e~f"}}, "$defs": {"e~f": {"anyOf": [BACK, {"type": "null"}]}}},
            ["#/$defs/e~0f/anyOf/0/pattern"],
            [{"x": None}, {"x": "aa"}],
            [{"x": "ab"}],
        ),
    ],
)
def test_what_is_too_much_is_left_out_listed_and_checked(schema: Any, pointers: list[str], valid: list[Any], invalid: list[Any]) -> None:
    with pytest.raises(UnsupportedSchema):
        compile_schema(schema)
    pattern = compile_schema(schema, lenient=True)
    assert [one.partition(": ")[0] for one in pattern.unenforced] == pointers
    assert all(one.partition(": ")[2] for one in pattern.unenforced)
    for value in valid:
        assert pattern.value(json.dumps(value)) == value
    for value in invalid:
        with pytest.raises(InvalidInstance, match=r"in the schema|no such text"):
            pattern.value(json.dumps(value))


def test_an_alternative_that_has_nothing_to_do_with_it_stays() -> None:
    parts = {"a": {"required": ["a"]}, "b": {"required": ["b"]}}
    one = {"oneOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/b"}]}
    pattern = compile_schema({"type": "object", "properties": {"x": BACK}, **one, "$defs": parts}, lenient=True)
    assert [text.partition(": ")[0] for text in pattern.unenforced] == ["#/properties/x/pattern"]
    assert not pattern.fullmatch('{"x": "aa", "a": 1, "b": 1}')


def test_an_error_names_the_place_in_the_value_and_the_keyword() -> None:
    pattern = compile_schema({"type": "array", "items": BACK}, lenient=True)
    with pytest.raises(InvalidInstance) as caught:
        pattern.value('["aa", "ab"]')
    assert caught.value.pointer == "#/1"
    assert "#/items/pattern" in str(caught.value)
    with pytest.raises(InvalidInstance, match="no such text"):
        pattern.value('["aa", ')


def test_nothing_is_left_out_that_can_be_enforced_or_that_means_something_else() -> None:
    exact = {"type": "object", "properties": {"a": {"type": "integer"}}, "not": {"required": ["b"]}}
    assert compile_schema(exact, lenient=True) == compile_schema(exact)
    assert compile_schema(exact, lenient=True).unenforced == ()
    with pytest.raises(UnsupportedSchema, match="nothing is fetched"):
        compile_schema({"$ref": "https://example.com/a"}, lenient=True)
    with pytest.raises(UnsatisfiableSchema):
        compile_schema({"type": "integer", "minimum": 3, "maximum": 2}, lenient=True)
    with pytest.raises(InvalidSchema):
        compile_schema({"type": "integr"}, lenient=True)
    with pytest.raises(UnsupportedSchema, match="nested too deep"):
        compile_schema('{"items": ' * 100_000 + "true" + "}" * 100_000, lenient=True)


def test_a_pattern_that_is_no_regex_is_an_error_since_it_cannot_be_checked_either() -> None:
    with pytest.raises(UnsupportedSchema, match="is not a"):
        compile_schema({"type": "object", "properties": {"a": {"pattern": "("}}}, lenient=True)


def test_values_are_checked_as_the_schema_was_read_and_when() -> None:
    """Patterns as ECMA-262 has them, and the schema as it was then."""
    schema = {"type": "object", "properties": {"n": {"type": "string", "pattern": r"^\p{L}+$"}, "x": {**BACK}}}
    pattern = compile_schema(schema, lenient=True)
    del schema["properties"]
    assert pattern.value('{"n": "é", "x": "aa"}') == {"n": "é", "x": "aa"}
    for text in ('{"n": "1", "x": "aa"}', '{"x": "ab"}', r'{"x": "aa\n"}'):
        with pytest.raises(InvalidInstance):
            pattern.value(text)


def test_what_is_left_out_for_another_says_for_which() -> None:
    pattern = compile_schema({"type": "object", "properties": {"a": BACK}, "unevaluatedProperties": False}, lenient=True)
    first, second = pattern.unenforced
    assert first.startswith("#/unevaluatedProperties: left out with #/properties/a/pattern: a back-reference")
    assert second.startswith("#/properties/a/pattern: a back-reference")


def test_what_the_registry_holds_is_checked_too() -> None:
    registry = {"https://example.com/a": {"properties": {"n": {"type": "integer"}}, "required": ["n"]}}
    schema = {"type": "object", "properties": {"x": {"$ref": "https://example.com/a", **BACK}}}
    pattern = compile_schema(schema, lenient=True, registry=registry)
    assert pattern.value('{"x": {"n": 1}}') == {"x": {"n": 1}}
    assert not pattern.fullmatch('{"x": {"n": "1"}}')


@pytest.mark.skipif(not (SHARED / "public.jsonl.gz").exists(), reason="the public sample is not beside this checkout")
@pytest.mark.parametrize("data", ["public", "suite-draft7", "suite-draft2020-12"])
def test_real_schemas_that_are_refused_compile_leniently_and_value_judges_as_they_do(data: str) -> None:
    seen = 0
    for row in rows(data):
        try:
            compile_schema(row["schema"])
            continue
        except (InvalidSchema, UnsatisfiableSchema):
            continue
        except UnsupportedSchema:
            pass
        try:
            pattern = compile_schema(row["schema"], lenient=True, order="any")
        except (UnsupportedSchema, UnsatisfiableSchema) as error:
            assert re.search("nothing is fetched|no instance|unknown_dialect", str(error)), (row["id"], str(error))  # noqa: PT017
            continue
        assert pattern.unenforced
        if "#/$schema" in str(pattern.unenforced):
            continue  # what a draft means that nobody knows cannot be said
        seen += 1
        for test in row["tests"]:
            text = json.dumps(test["data"], ensure_ascii=False)
            try:
                assert pattern.value(text) == test["data"]
                assert test["valid"], (row["id"], text)
            except InvalidInstance as error:
                assert not test["valid"], (row["id"], text, str(error))  # noqa: PT017
    assert seen
