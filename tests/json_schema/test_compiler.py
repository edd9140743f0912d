"""Compiled schemas: every text is a valid instance, every valid instance has a text, what is not enforced is refused."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import jsonschema
import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field
from json_schema.verdicts import SHARED, rows, writes
from typing_extensions import TypedDict

from rellm_agents import compile_schema
from rellm_agents.errors import InvalidSchema, SchemaError, UnsatisfiableSchema, UnsupportedSchema
from rellm_agents.json_schema.json_text import Layout, dumps

names = st.sampled_from(["a", "b", "long name", 'q"uote', "é", "", "\n", "~/"])
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**6), 10**6)
    | st.text(max_size=4)
    | st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: round(x, 5))
)
small = st.integers(0, 4)
bounds = st.integers(-9, 9) | st.integers(-90, 90).map(lambda n: n / 10)
leaves = (
    st.sampled_from([{"type": t} for t in ("null", "boolean", "integer", "number", "string", "array", "object")])
    | st.lists(scalars, min_size=1, max_size=3).map(lambda values: {"enum": values})
    | st.sampled_from([True, {}, {"type": ["string", "null"]}])
    | st.dictionaries(st.sampled_from(["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"]), bounds, max_size=2).map(
        lambda limits: {"type": "number", **limits}
    )
    | st.integers(1, 7).map(lambda n: {"type": "integer", "multipleOf": n, "minimum": -20})
    | st.tuples(small, small).map(lambda n: {"type": "string", "minLength": min(n), "maxLength": max(n)})
    | st.sampled_from(["^a", "b$", "[^ab]", "^(a|b)*$"]).map(lambda pattern: {"type": "string", "pattern": pattern})
    | st.sampled_from(["date", "uuid", "email", "ipv4"]).map(lambda name: {"type": "string", "format": name})
)


def wider(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    @st.composite
    def objects(draw: st.DrawFn) -> dict[str, Any]:
        properties = draw(st.dictionaries(names, inner, max_size=4))
        more: dict[str, Any] = {
            "required": [name for name in (*properties, "b") if draw(st.booleans())],
            "additionalProperties": draw(st.booleans() | inner),
            "patternProperties": {draw(st.sampled_from(["^a", "o", "^.$"])): draw(inner)},
            "propertyNames": draw(st.sampled_from([{"maxLength": 1}, {"pattern": "^[ab]"}, {"enum": ["a", "b"]}])),
            "minProperties": draw(small),
            "maxProperties": draw(small),
            "dependentRequired": {"a": ["b"]},
            "not": {"required": ["a"]},
        }
        chosen = draw(st.lists(st.sampled_from(list(more)), max_size=3, unique=True))
        return {"type": "object", "properties": properties, **{keyword: more[keyword] for keyword in chosen}}

    @st.composite
    def arrays(draw: st.DrawFn) -> dict[str, Any]:
        more: dict[str, Any] = {
            "prefixItems": draw(st.lists(inner, min_size=1, max_size=2)),
            "minItems": draw(small),
            "maxItems": draw(small),
            "uniqueItems": True,
            "contains": draw(inner),
        }
        chosen = draw(st.lists(st.sampled_from(list(more)), max_size=3, unique=True))
        return {"type": "array", "items": draw(inner), **{keyword: more[keyword] for keyword in chosen}}

    some = st.lists(inner, min_size=1, max_size=3)
    return (
        objects()
        | arrays()
        | some.map(lambda s: {"anyOf": s, "title": "any"})
        | some.map(lambda s: {"oneOf": s})
        | some.map(lambda s: {"allOf": s})
        | inner.map(lambda s: {"not": s})
        | st.tuples(inner, inner, inner).map(lambda s: dict(zip(("if", "then", "else"), s, strict=True)))
        | scalars.map(lambda value: {"const": value})
    )


schemas = st.recursive(leaves, wider, max_leaves=6)


def accepts(schema: Any, *values: Any) -> None:
    pattern = compile_schema(schema)
    for value in values:
        assert pattern.fullmatch(dumps(value)), value


def rejects(schema: Any, *texts: str) -> None:
    pattern = compile_schema(schema)
    for text in texts:
        assert not pattern.fullmatch(text), text


def refuses(schema: Any, kind: type[SchemaError], pointer: str, message: str) -> None:
    with pytest.raises(kind, match=re.escape(message)) as caught:
        compile_schema(schema)
    assert caught.value.pointer == pointer
    assert type(caught.value) is kind


def compiled(schema: Any, **options: Any) -> Pattern | None:
    """The pattern of a schema that is neither impossible nor beyond what is enforced."""
    try:
        return compile_schema(schema, **options)
    except (UnsatisfiableSchema, UnsupportedSchema):
        return None


def judge(schema: Any) -> Any:
    return jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())


@given(schemas, st.sampled_from(["spaced", "compact", "flexible"]), st.booleans(), st.integers(0, 2**32))
@settings(max_examples=600, deadline=None)
def test_every_sampled_text_is_json_and_valid(schema: Any, whitespace: Any, closed: bool, seed: int) -> None:
    pattern = compiled(schema, whitespace=whitespace, closed=closed)
    assume(pattern)
    assert pattern is not None
    for text in (pattern.sample(seed), pattern.sample(seed + 1), pattern.shortest()):
        judge(schema).validate(json.loads(text))
        assert pattern.fullmatch(text)


@given(schemas, schemas, st.integers(0, 2**32))
@settings(max_examples=600, deadline=None)
def test_an_instance_has_a_text_exactly_if_it_is_valid(schema: Any, other: Any, seed: int) -> None:
    """Instances of a schema, judged by another one as jsonschema does."""
    pattern, source = compiled(schema), compiled(other)
    assume(pattern and source)
    assert pattern is not None
    assert source is not None
    value = json.loads(source.sample(seed))
    assume("uniqueItems" not in json.dumps(schema))  # of equal items, one spelling is written
    assert writes(pattern, value) == judge(schema).is_valid(value) or is_rarely_spelled(value)


def is_rarely_spelled(value: Any) -> bool:
    """It holds a number whose one spelling here is none of ours: an integer with an exponent, say."""
    return bool(re.search(r"\de|\.\d{16}|\d{16}", json.dumps(value)))


@given(schemas, st.integers(0, 2**32))
@settings(max_examples=150, deadline=None)
def test_the_printed_regex_accepts_the_same(schema: Any, seed: int) -> None:
    pattern = compiled(schema, closed=True)
    assume(pattern)
    assert pattern is not None
    try:
        printed = regex.compile(pattern.regex)
    except UnsupportedRegex as error:
        assert "twice" in str(error)  # noqa: PT017 - maps, and lists of different items
        return
    text = pattern.sample(seed)
    for near in (text, text[:-1], text + " ", text.replace(" ", ""), text.replace("1", "x")):
        assert bool(printed.fullmatch(near, timeout=20)) == pattern.fullmatch(near)


@given(st.recursive(scalars, lambda s: st.lists(s, max_size=3) | st.dictionaries(st.text(max_size=3), s, max_size=3), max_leaves=6))
@settings(max_examples=300, deadline=None)
def test_a_value_is_written_as_json_that_reads_back(value: Any) -> None:
    assert json.loads(dumps(value)) == value
    accepts({"const": value}, value)
    if not re.search(r"\de", json.dumps(value)):
        assert dumps(value) == json.dumps(value, ensure_ascii=False)
        assert dumps(value, (",", ":")) == json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@given(st.text(), st.integers(-(10**19), 10**19), st.floats(-1e15, 1e15, allow_nan=False))
@settings(max_examples=300, deadline=None)
def test_strings_and_numbers_have_one_spelling(text: str, integer: int, number: float) -> None:
    accepts({"type": "string"}, text)
    accepts({"type": "integer"}, integer)
    accepts({"type": "number"}, integer)
    if abs(number) > 1e-4 or number == 0:
        accepts({"type": "number"}, number)
    rejects({"type": "integer"}, f"{integer}.5", f"0{integer}", f"+{abs(integer)}", f"{integer}e1", "-0", "")
    rejects({"type": "number"}, f"{integer}.", f".{abs(integer)}", "NaN", "Infinity", "1e5", "-")
    rejects({"type": "string"}, *(one for one in (text, '"' + text) if not is_json_string(one)))
    rejects({"type": "string"}, '"\n"', '"\x00"', '"\\u00e9"', '"\\ud800"', '"\\/"', '"\\', '"""')


def is_json_string(text: str) -> bool:
    """e.g. what a quote and a text that ends in one make."""
    try:
        return isinstance(json.loads(text), str)
    except json.JSONDecodeError:
        return False


def test_an_object_has_its_properties_in_order_and_once() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}, "c": {"type": "integer"}},
        "required": ["b"],
    }
    accepts(schema, {"b": 1}, {"a": 1, "b": 2}, {"b": 1, "c": 2}, {"a": 1, "b": 2, "c": 3})
    rejects(schema, "{}", '{"a": 1}', '{"b": 1, "a": 1}', '{"b": 1, "b": 1}', '{"b": 1,}', '{"b": 1, "d": 1}', '{, "b": 1}', '{"b":1}')
    assert compile_schema(schema).narrowed == ("#: properties that are not declared are not written",)
    assert compile_schema({**schema, "additionalProperties": False}).narrowed == ()


def test_whitespace_is_spaced_compact_or_flexible() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "integer"}}}, "required": ["a"]}
    texts = {"spaced": '{"a": [1, 2]}', "compact": '{"a":[1,2]}', "flexible": '{ "a" :\n[ 1\t,2 ]\r\n}'}
    for whitespace, text in texts.items():
        accepted = {name for name, other in texts.items() if compile_schema(schema, whitespace=whitespace).fullmatch(other)}  # type: ignore[arg-type]
        assert accepted == (set(texts) if whitespace == "flexible" else {whitespace}), text
    with pytest.raises(ValueError, match="there are 'spaced', 'compact', 'flexible'"):
        Layout.of("wide")  # type: ignore[arg-type]


def test_nesting_is_bounded_and_the_error_says_so() -> None:
    schema: dict[str, Any] = {"type": "null"}
    for _ in range(60):
        schema = named("a", schema)
    accepts(schema, {"a": {"a": {}}})
    for _ in range(400):
        schema = {"type": "array", "items": schema}
        if _ in (10, 399):
            with pytest.raises(UnsupportedSchema, match="64 at most"):
                compile_schema(schema)


def test_recursion_has_no_bound() -> None:
    schema = {
        "$ref": "#/$defs/tree",
        "$defs": {"tree": {"type": "object", "properties": {"kids": {"type": "array", "items": {"$ref": "#/$defs/tree"}}}}},
    }
    text = '{"kids": [' * 500 + "{}" + ", {}]}" * 500
    assert compile_schema(schema).fullmatch(text)
    rejects(schema, text[:-1], text + "}")


class Colour(TypedDict):
    name: Literal["red", "blue"]


@dataclass
class Point:
    x: float
    y: float = 0.0


class Order(BaseModel):
    """An order."""

    items: list[Point]
    note: str | None = None
    amount: Annotated[int, Field(description="how many")]


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (Order, '{"items": [{"x": 1.5, "y": 0}], "note": null, "amount": 2}'),
        (Point, '{"x": -1}'),
        (Colour, '{"name": "red"}'),
        (Literal["a", 1], "1"),
        (list[bool], "[true, false]"),
        ('{"type": "null"}', "null"),
        ({"enum": [1.0, "x"]}, "1.0"),
    ],
)
def test_types_and_text_are_schemas_too(source: Any, text: str) -> None:
    assert compile_schema(source).fullmatch(text)


def test_enum_members_have_to_satisfy_the_rest() -> None:
    accepts({"enum": [1, "x", None], "type": ["string", "null"]}, "x", None)
    rejects({"enum": [1, "x", None], "type": ["string", "null"]}, "1")
    accepts({"enum": ["x", {"b": 1, "a": [2]}]}, {"b": 1, "a": [2]})


def named(name: str, schema: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {name: schema}}


@pytest.mark.parametrize(
    ("schema", "kind", "pointer", "message"),
    [
        ({"type": "strin"}, InvalidSchema, "#/type", "is not valid"),
        ({"type": "object", "properties": {"a": {"type": 3}}}, InvalidSchema, "#/properties/a/type", "is not valid"),
        ("[1]", InvalidSchema, "#", "a schema is an object or a boolean"),
        ("{", InvalidSchema, "#", "not JSON text"),
        (re, InvalidSchema, "#", "neither a schema nor a type"),
        (named("a/b", {"type": "string", "minLength": 1}), UnsupportedSchema, "#/properties/a~1b/minLength", '"minLength" is not'),
        ({"not": {}}, UnsupportedSchema, "#/not", '"not"'),
        ({"type": "string", "my-own": 1}, UnsupportedSchema, "#/my-own", '"my-own"'),
        (True, UnsupportedSchema, "#", "any value at all"),
        ({}, UnsupportedSchema, "#", "any type at all"),
        ({"type": "array"}, UnsupportedSchema, "#", "array of anything"),
        ({"type": "object"}, UnsupportedSchema, "#", "object of unknown properties"),
        ({"type": "object", "properties": {}, "required": ["a"]}, UnsupportedSchema, "#/required", "required but not declared"),
        ({**named("a", {"type": "null"}), "additionalProperties": {"not": {}}}, UnsupportedSchema, "#/additionalProperties/not", '"not"'),
        ({"$ref": "#/$defs/none"}, UnsupportedSchema, "#/$ref", "points to nothing"),
        ({"$ref": "https://example.com/a.json"}, UnsupportedSchema, "#/$ref", "nothing is fetched"),
        ({"$ref": "#/$defs/a", "type": "null", "$defs": {"a": {}}}, UnsupportedSchema, "#/$ref", '"$ref" beside "type"'),
        ({"anyOf": [{"type": "string"}], "type": "string"}, UnsupportedSchema, "#/anyOf", '"anyOf" beside "type"'),
        (False, UnsatisfiableSchema, "#", "no instance is valid"),
        ({"enum": [1], "type": "string"}, UnsatisfiableSchema, "#/enum", "none of the values"),
        ({**named("a", False), "required": ["a"]}, UnsatisfiableSchema, "#", "no instance is valid"),
        ({**named("a", {"$ref": "#"}), "required": ["a"]}, UnsatisfiableSchema, "#", "contains itself without end"),
    ],
)  # fmt: skip
def test_what_cannot_be_enforced_is_refused_with_its_place(schema: Any, kind: type[SchemaError], pointer: str, message: str) -> None:
    refuses(schema, kind, pointer, message)


