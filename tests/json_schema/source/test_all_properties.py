"""A schema with all of its properties required allows no value that it did not allow, and each has all properties that are declared."""

from __future__ import annotations

import json
import os
import random
from typing import Any

import pytest
from jsonschema import Draft7Validator, Draft202012Validator

from rellm_agents.errors import SchemaError, UnsatisfiableSchema, UnsupportedSchema
from rellm_agents.json_schema import compile_schema, endless_property, with_all_properties

SEEDS = int(os.environ.get("RANDOM_SCHEMAS", "300"))
SAMPLES = 6


def has_all(schema: Any, value: Any, root: Any) -> bool:
    """Whether every property that is declared for a value, by what holds for it, is written."""
    if not isinstance(schema, dict):
        return True
    if "$ref" in schema and not has_all(resolved(schema["$ref"], root), value, root):
        return False
    if isinstance(value, dict):
        declared = schema.get("properties", {})
        if any(name not in value for name in declared):
            return False
        others = schema.get("additionalProperties", True)
        if not all(has_all(declared.get(name, others), one, root) for name, one in value.items()):
            return False
    if isinstance(value, list):
        first = schema.get("prefixItems", [])
        if not all(has_all(first[i] if i < len(first) else schema.get("items", True), one, root) for i, one in enumerate(value)):
            return False
    if not all(has_all(one, value, root) for one in schema.get("allOf", ())):
        return False
    if "if" in schema and not has_all(schema.get("then" if allows(schema["if"], value, root) else "else"), value, root):
        return False
    branches = [schema[keyword] for keyword in ("anyOf", "oneOf") if keyword in schema]
    return all(any(allows(one, value, root) and has_all(one, value, root) for one in several) for several in branches)


def allows(schema: Any, value: Any, root: Any) -> bool:
    return Draft202012Validator({"$defs": root.get("$defs", {}), "allOf": [schema]}).is_valid(value)


def resolved(reference: str, root: Any) -> Any:
    for name in reference.split("/")[1:]:
        root = root[name]
    return root


def random_schema(chance: random.Random, depth: int = 3) -> Any:
    kinds = ["object", "object", "object", "array", "scalar", "anyOf", "oneOf", "allOf", "ref", "not", "if", "contains", "const"]
    kind = chance.choice(kinds if depth else ["scalar", "ref", "const"])
    inner = lambda: random_schema(chance, depth - 1)  # noqa: E731
    match kind:
        case "object":
            names = chance.sample(["a", "b", "kind"], chance.randrange(1, 4))
            found: dict[str, Any] = {"type": "object", "properties": {name: inner() for name in names}}
            if chance.random() < 0.4:
                found["required"] = chance.sample([*names, "c"], 1)
            if chance.random() < 0.3:
                found["additionalProperties"] = chance.choice([False, inner()])
            return found
        case "array":
            found = {"type": "array", "maxItems": 2, "items": inner()}
            return {**found, "minItems": 1} if chance.random() < 0.5 else found
        case "contains":
            return {"type": "array", "items": inner(), "contains": inner(), "maxContains": 1, "minItems": 1, "maxItems": 2}
        case "anyOf" | "oneOf":
            return {kind: [inner() for _ in range(chance.randrange(1, 4))]}
        case "allOf":
            return {"allOf": [inner(), inner()]}
        case "ref":
            return {"$ref": f"#/$defs/{chance.choice(['D', 'E'])}"}
        case "not":
            return {"type": "object", "properties": {"a": inner(), "b": inner()}, "not": inner()}
        case "if":
            return {"type": "object", "if": inner(), "then": inner(), "else": inner()}
        case "const":
            return {"enum": chance.sample(["x", "y", 1, None], 2)}
    return chance.choice([{"type": "integer", "minimum": 0, "maximum": 9}, {"type": "string", "maxLength": 2}, {"type": "boolean"}, True])


def whole_schema(seed: int) -> dict[str, Any]:
    chance = random.Random(seed)
    found = random_schema(chance)
    while not isinstance(found, dict):
        found = random_schema(chance)
    definitions = {"D": {"type": "object", "properties": {"d": {"type": "integer", "maximum": 3}}}, "E": random_schema(chance, 1)}
    while "#/$defs/E" in json.dumps(definitions["E"]):
        definitions["E"] = random_schema(chance, 1)
    return {**found, "$defs": definitions}


@pytest.mark.parametrize("part", range(3))
def test_each_text_is_valid_by_the_schema_as_it_was_and_has_all_properties(part: int) -> None:
    read = 0
    for seed in range(part, SEEDS, 3):
        schema = whole_schema(seed)
        before = json.dumps(schema)
        try:
            pattern = compile_schema(with_all_properties(schema), closed=True)
        except (SchemaError, RecursionError):
            continue
        assert json.dumps(schema) == before
        read += 1
        for sample in range(SAMPLES):
            value = json.loads(pattern.sample(seed + sample))
            assert Draft202012Validator(schema).is_valid(value), (schema, value)
            assert has_all(schema, value, schema), (schema, value)
    assert read > SEEDS / 3 * 0.5


PERSON = {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}}
CAT = {"type": "object", "properties": {"kind": {"const": "cat"}, "lives": {"type": "integer"}}}
DOG = {"type": "object", "properties": {"kind": {"const": "dog"}, "tricks": {"type": "array", "items": PERSON}}}


@pytest.mark.parametrize(
    ("schema", "names"),
    [
        (PERSON, {"name", "age"}),
        ({**PERSON, "required": ["age"]}, {"name", "age"}),
        ({"$ref": "#/$defs/P", "$defs": {"P": PERSON}}, {"name", "age"}),
        ({"$schema": "http://json-schema.org/draft-07/schema#", "$ref": "#/definitions/P", "definitions": {"P": PERSON}}, {"name", "age"}),
        ({"allOf": [PERSON, {"type": "object", "properties": {"x": {"type": "null"}}}]}, {"name", "age", "x"}),
    ],
)
def test_what_is_declared_is_written(schema: Any, names: set[str]) -> None:
    pattern = compile_schema(with_all_properties(schema), closed=True)
    for seed in range(5):
        assert set(json.loads(pattern.sample(seed))) == names


@pytest.mark.parametrize("keyword", ["anyOf", "oneOf"])
def test_branches_that_a_property_tells_apart(keyword: str) -> None:
    """As pydantic describes a tagged union."""
    schema = {keyword: [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"}], "$defs": {"Cat": CAT, "Dog": DOG}}
    pattern = compile_schema(with_all_properties(schema), closed=True)
    found = [json.loads(pattern.sample(seed)) for seed in range(30)]
    assert {tuple(one) for one in found} == {("kind", "lives"), ("kind", "tricks")}
    assert all(Draft202012Validator(schema).is_valid(one) for one in found)


def test_one_of_is_not_made_wider() -> None:
    """An object of both branches is of none of them in a ``oneOf``; with all properties required in each it might have been of one."""
    schema = {"oneOf": [{"type": "object", "properties": {"a": {}}}, {"type": "object", "properties": {"b": {}}, "maxProperties": 1}]}
    changed = with_all_properties(schema)
    for value in ({"a": 1}, {"b": 1}, {"a": 1, "b": 1}, {"a": 1, "c": 1}):
        if Draft202012Validator(changed).is_valid(value):
            assert Draft202012Validator(schema).is_valid(value)


def test_what_is_not_allowed_keeps_its_meaning() -> None:
    """The definition is used twice: required in one place, and left as it is where it is forbidden."""
    schema = {
        "type": "object",
        "properties": {"p": {"$ref": "#/$defs/P"}, "other": {"not": {"$ref": "#/$defs/P"}}},
        "$defs": {"P": {"type": "object", "properties": {"a": {"type": "integer"}}}},
    }
    changed = Draft202012Validator(with_all_properties(schema))
    assert changed.is_valid({"p": {"a": 1}, "other": 3})
    assert not changed.is_valid({"p": {"a": 1}, "other": {}})
    assert not changed.is_valid({"p": {}, "other": 3})


def test_beside_a_reference_nothing_counts_in_old_drafts() -> None:
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": {"p": {"$ref": "#/definitions/P", "properties": {"z": False}}},
        "definitions": {"P": PERSON},
    }
    pattern = compile_schema(with_all_properties(schema), closed=True)
    value = json.loads(pattern.sample(1))
    assert set(value["p"]) == {"name", "age"}
    assert Draft7Validator(schema).is_valid(value)


@pytest.mark.parametrize(
    ("schema", "found"),
    [
        ({"type": "object", "properties": {"next": {"$ref": "#"}}}, ("#/properties/next", "#")),
        (
            {"$ref": "#/$defs/N", "$defs": {"N": {"type": "object", "properties": {"v": {}, "n": {"$ref": "#/$defs/N"}}}}},
            ("#/$defs/N/properties/n", "#/$defs/N"),
        ),
        ({"type": "object", "properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}}, None),
        ({"type": "object", "properties": {"all": {"type": "array", "items": {"$ref": "#"}}}}, None),
    ],
)
def test_what_contains_itself_without_end(schema: Any, found: tuple[str, str] | None) -> None:
    changed = with_all_properties(schema)
    assert endless_property(changed) == found
    if found is None:
        assert Draft202012Validator(schema).is_valid(json.loads(compile_schema(changed, closed=True).sample(1)))
    else:
        with pytest.raises(UnsatisfiableSchema):
            compile_schema(changed, closed=True)


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"properties": {"a": {"$dynamicRef": "#x"}}}, "#/properties/a/\\$dynamicRef: .*only known when it is met"),
        ({"properties": {"a": {"$ref": "other.json"}}}, "#/properties/a/\\$ref: 'other.json' is no JSON pointer"),
        ({"properties": {"a": {"$ref": "#/nothing"}}}, "leads to nothing"),
        ({"properties": {"a": {"$ref": "#/not"}}, "not": {"type": "null"}}, "leads to where properties stay as they are"),
        ({"properties": {"a": {"$id": "x"}}}, "a name of its own"),
    ],
)
def test_what_cannot_be_followed_is_refused_with_the_way_out(schema: Any, message: str) -> None:
    with pytest.raises(UnsupportedSchema, match=message) as caught:
        with_all_properties(schema)
    assert "RELLM(schema=...)" in str(caught.value) or "leads to nothing" in str(caught.value)
