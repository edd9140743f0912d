"""Compiled schemas: every text is a valid instance, every valid instance has a text, what is not enforced is refused."""

from __future__ import annotations

import json
import random
import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import jsonschema
import pytest
import regex
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from json_schema.verdicts import writes
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from rellm_agents import Pattern, compile_schema
from rellm_agents.errors import InvalidSchema, SchemaError, UnknownReference, UnsatisfiableSchema, UnsupportedRegex, UnsupportedSchema
from rellm_agents.json_schema.text.layout import Layout, dumps

END = r"(?![\s\S])"  # as "$", which Python also finds before a line break at the end
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
    | st.sampled_from(["^a", f"b{END}", "[^ab]", f"^(a|b)*{END}"]).map(lambda pattern: {"type": "string", "pattern": pattern})
    | st.sampled_from(["date", "uuid", "email", "ipv4"]).map(lambda name: {"type": "string", "format": name})
)


def wider(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    @st.composite
    def objects(draw: st.DrawFn) -> dict[str, Any]:
        properties = draw(st.dictionaries(names, inner, max_size=4))
        more: dict[str, Any] = {
            "required": [name for name in dict.fromkeys([*properties, "b"]) if draw(st.booleans())],
            "additionalProperties": draw(st.booleans() | inner),
            "patternProperties": {draw(st.sampled_from(["^a", "o", f"^[^~]{END}"])): draw(inner)},
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
@settings(max_examples=600, deadline=None, derandomize=True)
def test_every_sampled_text_is_json_and_valid(schema: Any, whitespace: Any, closed: bool, seed: int) -> None:
    pattern = compiled(schema, whitespace=whitespace, closed=closed)
    assume(pattern)
    assert pattern is not None
    for text in (pattern.sample(seed), pattern.sample(seed + 1), pattern.shortest()):
        judge(schema).validate(json.loads(text))
        assert pattern.fullmatch(text)


@given(schemas, schemas, st.integers(0, 2**32))
@settings(max_examples=600, deadline=None, derandomize=True)
def test_an_instance_has_a_text_exactly_if_it_is_valid(schema: Any, other: Any, seed: int) -> None:
    """Instances of a schema, judged by another one as jsonschema does."""
    pattern, source = compiled(schema), compiled(other)
    assume(pattern and source)
    assert pattern is not None
    assert source is not None
    value = json.loads(source.sample(seed))
    assume("uniqueItems" not in json.dumps(schema))  # of equal items, one spelling is written
    assume('"email"' not in json.dumps(schema))  # the judge takes any text with an @ for one
    assert writes(pattern, value) == judge(schema).is_valid(value) or is_rarely_spelled(value)


def is_rarely_spelled(value: Any) -> bool:
    """It holds a number that is not written everywhere: an integer with an exponent, many digits where a divisor is asked for."""
    return bool(re.search(r"\de|\d{10}|\.\d{7}", json.dumps(value)))


@given(schemas, st.integers(0, 2**32))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_the_printed_regex_accepts_the_same(schema: Any, seed: int) -> None:
    pattern = compiled(schema, closed=True)
    assume(pattern)
    assert pattern is not None
    try:
        printed = regex.compile(pattern.regex)
    except UnsupportedRegex as error:
        assert re.search("twice|multiples", str(error))  # noqa: PT017 - maps, lists of different items; multiples inside of others
        return
    text = pattern.sample(seed)
    for near in (text, text[:-1], text + " ", text.replace(" ", ""), text.replace("1", "x")):
        assert bool(printed.fullmatch(near, timeout=20)) == pattern.fullmatch(near)


@given(st.recursive(scalars, lambda s: st.lists(s, max_size=3) | st.dictionaries(st.text(max_size=3), s, max_size=3), max_leaves=6))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_a_value_is_written_as_json_that_reads_back(value: Any) -> None:
    assert json.loads(dumps(value)) == value
    accepts({"const": value}, value)


@given(st.text(), st.integers(-(10**19), 10**19), st.floats(-1e15, 1e15, allow_nan=False))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_strings_and_numbers_are_spelled_as_json_has_them(text: str, integer: int, number: float) -> None:
    accepts({"type": "string"}, text)
    accepts({"type": "integer"}, integer)
    accepts({"type": "number"}, integer)
    accepts({"type": "number"}, number)
    rejects({"type": "integer"}, f"{integer}.5", f"{integer}.00", f"0{integer}", f"+{abs(integer)}", f"{integer}e1", "-0", "")
    rejects({"type": "number"}, f"{integer}.", f".{abs(integer)}", "NaN", "Infinity", "1e", "1e+", "-")
    rejects({"type": "string"}, *(one for one in (text, '"' + text) if not is_json_string(one)))
    rejects({"type": "string"}, '"\n"', '"\x00"', '"\\ud800"', '"\\u00e"', '"\\', '"""')


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
    accepts(schema, {"b": 1}, {"a": 1, "b": 2}, {"b": 1, "c": 2}, {"a": 1, "b": 2, "c": 3}, {"b": 1, "d": 1}, {"b": 1, "d": 1, "A": 2})
    rejects(schema, "{}", '{"a": 1}', '{"b": 1, "a": 1}', '{"b": 1, "b": 1}', '{"b": 1,}', '{, "b": 1}', '{"b":1}')
    rejects(schema, '{"b": 1, "d": 1, "c": 1}', '{"b": 1, "d": 1, "d": 1}', '{"d": 1, "b": 1}')
    assert compile_schema(schema).narrowed == ()
    closed = compile_schema(schema, closed=True)
    assert not closed.fullmatch('{"b": 1, "d": 1}')
    assert closed.narrowed == ("#: properties that are not declared are not written",)
    assert compile_schema({**schema, "additionalProperties": False}, closed=True).narrowed == ()
    anything = compile_schema({"type": "object", "properties": {"a": {}, "b": True}}, closed=True)
    assert anything.fullmatch('{"a": 1, "b": {"c": 2}}')
    assert not anything.fullmatch('{"c": 1}')
    assert anything.narrowed == closed.narrowed
    untyped = compile_schema({"type": "array", "items": {"properties": {"a": {}}, "type": ["object", "integer"]}}, closed=True)
    assert untyped.fullmatch('[{"a": 1}, 2, {}]')
    assert not untyped.fullmatch('[{"b": 1}]')
    assert not compile_schema({"properties": {"a": {}}}, closed=True).fullmatch('{"b": 1}')
    assert untyped.narrowed == ("#/items: properties that are not declared are not written",)
    inside = compile_schema({"type": "array", "items": {**schema, "additionalProperties": schema}}, closed=True)
    assert inside.narrowed == ("#/items/additionalProperties: properties that are not declared are not written",)


@given(schemas, st.integers(0, 2**32), st.randoms(use_true_random=False))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_in_any_order_every_order_of_a_valid_instance_is_a_text(schema: Any, seed: int, chance: random.Random) -> None:
    free = compiled(schema, order="any")
    assume(free)
    assert free is not None
    judge(schema).validate(json.loads(free.sample(seed)))
    pattern = compiled(schema)
    assert pattern is not None
    value = shuffled(json.loads(pattern.sample(seed)), chance)
    assume("uniqueItems" not in json.dumps(schema))  # of equal items, one spelling is written
    assert free.fullmatch(dumps(value)) or is_rarely_spelled(value)


def shuffled(value: Any, chance: random.Random) -> Any:
    match value:
        case dict():
            return {name: shuffled(value[name], chance) for name in chance.sample(list(value), len(value))}
        case list():
            return [shuffled(one, chance) for one in value]
        case _:
            return value


def test_an_order_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="there are 'source', 'any'"):
        compile_schema({}, order="sorted")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("schema", "names"),
    [
        ({"properties": {"z": {"type": "null"}, "a": {}, "m": True}, "required": ["m", "later"]}, ["z", "a", "m", "later"]),
        ({"allOf": [{"properties": {"z": {}}}, {"properties": {"b": {}}}], "properties": {"y": {}, "a": {}}}, ["y", "a", "z", "b"]),
        ({"$ref": "#/$defs/x", "properties": {"y": {}}, "$defs": {"x": {"properties": {"z": {}, "a": {}}}}}, ["y", "z", "a"]),
        (
            {"anyOf": [{"properties": {n: {"const": i} for n in names}, "required": [*names]} for i, names in enumerate(("ba", "acb"))]},
            ["a", "c", "b"],
        ),
    ],
)  # fmt: skip
def test_properties_stand_as_in_the_source(schema: Any, names: list[str]) -> None:
    text = dumps(dict.fromkeys(names, 1)).replace("1", "null" if "z" in names else "1")
    assert compile_schema({"type": "object", **schema}).fullmatch(text)


def test_whitespace_is_spaced_compact_or_flexible() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "integer"}}}, "required": ["a"]}
    texts = {"spaced": '{"a": [1, 2]}', "compact": '{"a":[1,2]}', "flexible": '{ "a" :\n[ 1\t,2 ]\r\n}'}
    for whitespace, text in texts.items():
        accepted = {name for name, other in texts.items() if compile_schema(schema, whitespace=whitespace).fullmatch(other)}  # type: ignore[arg-type]
        assert accepted == (set(texts) if whitespace == "flexible" else {whitespace}), text
    with pytest.raises(ValueError, match="there are 'spaced', 'compact', 'flexible'"):
        Layout.of("wide")  # type: ignore[arg-type]


@pytest.mark.parametrize("depth", [10, 79, 120, 200, 250, 1_000])
def test_nesting_is_bounded_and_the_error_says_so(depth: int) -> None:
    for wrap, opening, closing in (
        (lambda inner: {"type": "array", "items": inner}, "[", "]"),
        (lambda inner: {"type": "array", "items": inner, "uniqueItems": True}, "[", "]"),
        (lambda inner: {"type": "object", "properties": {"a": inner}}, '{"a": ', "}"),
        (lambda inner: {"type": "object", "properties": {"a": inner}, "minProperties": 1}, '{"a": ', "}"),
    ):
        schema: dict[str, Any] = {"type": "null"}
        for _ in range(depth):
            schema = wrap(schema)
        if depth < 80:
            assert compile_schema(schema).fullmatch(opening * depth + "null" + closing * depth)
            continue
        try:
            pattern = compile_schema(schema)
        except UnsupportedSchema as error:
            assert "put the inner ones into $defs" in str(error)  # noqa: PT017 - where it is too deep
        else:
            assert pattern.fullmatch(opening * depth + "null" + closing * depth)


def test_recursion_has_no_bound() -> None:
    schema = {
        "$ref": "#/$defs/tree",
        "$defs": {"tree": {"type": "object", "properties": {"kids": {"type": "array", "items": {"$ref": "#/$defs/tree"}}}}},
    }
    text = '{"kids": [' * 500 + "{}" + ", {}]}" * 500
    assert compile_schema(schema).fullmatch(text)
    rejects(schema, text[:-1], text + "}")


def test_references_lead_to_a_registry_and_to_metaschemas() -> None:
    registry = {"https://example.com/a.json": {"$defs": {"n": {"type": "integer", "minimum": 3}}, "type": "string"}}
    parts = {"x": {"$ref": "https://example.com/a.json#/$defs/n"}, "y": {"$ref": "https://example.com/a.json"}}
    pattern = compile_schema({"type": "object", "properties": parts}, registry=registry)
    assert pattern.fullmatch('{"x": 3, "y": "s"}')
    assert not pattern.fullmatch('{"x": 2}')
    assert not pattern.fullmatch('{"y": 3}')
    with pytest.raises(UnsupportedSchema, match="multiples of 123456789"):  # at once, though the schema itself holds nothing of it
        compile_schema(named("a", named("b", {"$ref": "urn:n"})), registry={"urn:n": {"type": "integer", "multipleOf": 123456789}})
    metaschema = {"$ref": "https://json-schema.org/draft/2020-12/schema"}
    accepts(metaschema, {"properties": {"a": {"minLength": 1}}, "type": "object"})
    rejects(metaschema, '{"type": "objec"}', '{"properties": {"a": {"minLength": -1}}}')


def test_what_has_to_match_no_pattern_matches_none_as_python_reads_it_either() -> None:
    schema = {"type": "object", "patternProperties": {"^.$": {"type": "null"}}}
    accepts(schema, {"ab": 1}, {"a": None})
    rejects(schema, *(dumps({name: 1}) for name in ("a", "\r", "\u2028", "a\n")))


def test_the_draft_decides_what_a_keyword_means() -> None:
    old, new = "http://json-schema.org/draft-04/schema#", "https://json-schema.org/draft/2020-12/schema"
    accepts({"$schema": old, "type": "number", "minimum": 1, "exclusiveMinimum": True}, 1.5)
    rejects({"$schema": old, "type": "number", "minimum": 1, "exclusiveMinimum": True}, "1")
    rejects({"$schema": old, "type": "integer"}, "1.0")
    rejects({"$schema": new, "type": "integer"}, "1.0")
    accepts({"$schema": new, "type": "number", "multipleOf": 1}, 1.0)
    beside = {"$ref": "#/definitions/s", "maxLength": 1, "definitions": {"s": {"type": "string"}}}
    accepts({"$schema": "http://json-schema.org/draft-07/schema#", **beside}, "ab")
    rejects({"$schema": new, **beside}, '"ab"')


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
        ({"type": "strin"}, InvalidSchema, "#/type", "this is probably"),
        ({"type": "object", "properties": {"a": {"type": 3}}}, InvalidSchema, "#/properties/a/type", "the types of JSON Schema are"),
        (named("5", 1.5), InvalidSchema, "#/properties/5", "1.5 is not"),
        ({"properties": {"5": {}, "+05": {"type": 3}}}, InvalidSchema, "#/properties/+05/type", "the types of JSON Schema are"),
        ("[1]", InvalidSchema, "#", "a schema is an object or a boolean"),
        ("{", InvalidSchema, "#", "not JSON text"),
        (re, InvalidSchema, "#", "neither a schema nor a type"),
        (named("a/b", {"type": "string", "pattern": "("}), UnsupportedSchema, "#/properties/a~1b/pattern", "never closed, at position 0"),
        ({"type": "string", "pattern": r"(a)\1"}, UnsupportedSchema, "#/pattern", "a back-reference is not regular"),
        ({"type": "string", "not": {"format": "regex"}}, UnsupportedSchema, "#/not", "only known in part"),
        ({"type": "integer", "multipleOf": 123456789}, UnsupportedSchema, "#/multipleOf", "Limits(divisor_states=1000)"),
        ({"$ref": "#/$defs/none"}, UnknownReference, "#/$ref", "points to nothing"),
        ({**named("a", {"$ref": "#"}), "items": {"$ref": "#/$defs/none"}}, UnknownReference, "#/items/$ref", "'#/$defs/none' points"),
        ({"$ref": "https://example.com/a.json"}, UnknownReference, "#/$ref", "nothing is fetched"),
        (False, UnsatisfiableSchema, "#", "no instance is valid"),
        ({"not": {}}, UnsatisfiableSchema, "#", '"not" at # allows nothing'),
        ({"enum": [1], "type": "string"}, UnsatisfiableSchema, "#", "allows nothing"),
        ({"type": "number", "minimum": 3, "maximum": 2}, UnsatisfiableSchema, "#", '"minimum", "maximum" at #'),
        ({"type": "object", "allOf": [{"required": ["a"]}, named("a", False)]}, UnsatisfiableSchema, "#", "#/allOf/0 and #/allOf/1"),
        ({**named("a", False), "required": ["a"]}, UnsatisfiableSchema, "#", '"properties", "required" at #'),
        ({**named("a", {"$ref": "#"}), "required": ["a"]}, UnsatisfiableSchema, "#", "contains itself without end"),
    ],
)  # fmt: skip
def test_what_cannot_be_enforced_is_refused_with_its_place(schema: Any, kind: type[SchemaError], pointer: str, message: str) -> None:
    refuses(schema, kind, pointer, message)
