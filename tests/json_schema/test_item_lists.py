"""Lists in which one item decides what others may be: no text is invalid, no valid list is missing, and what is empty is said at once.

``ITEM_SCHEMAS`` random schemas are tried, 60 by default, from ``ITEM_SEED`` on.
"""

from __future__ import annotations

import json
import os
import random
from contextlib import suppress
from typing import Any

import jsonschema
import pytest
from json_schema.item_schemas import as_text, list_schema, lists, schema_of
from json_schema.verdicts import writes

from rellm_agents import Pattern, compile_schema
from rellm_agents.errors import SchemaError, UnsatisfiableSchema, UnsupportedSchema

FIRST = int(os.environ.get("ITEM_SEED", "0"))
SEEDS = range(FIRST, FIRST + int(os.environ.get("ITEM_SCHEMAS", "60")))
LISTS = list(lists())
SHORT = list(lists(2))


def compiled(schema: Any, **options: Any) -> Pattern | None:
    """The pattern; ``None`` if no instance is valid."""
    try:
        return compile_schema(schema, **options)
    except UnsatisfiableSchema:
        return None


@pytest.mark.parametrize("seed", SEEDS)
def test_texts_are_the_valid_lists_and_nothing_else(seed: int) -> None:
    schema, chance = schema_of(seed), random.Random(seed)
    whitespace, order = chance.choice(["spaced", "compact", "flexible"]), chance.choice(["source", "any"])
    judge = jsonschema.Draft202012Validator(schema)
    try:
        pattern = compiled(schema, whitespace=whitespace, order=order)
    except UnsupportedSchema as error:
        pytest.skip(str(error))
    for value in [*chance.sample(LISTS, 40), *chance.sample(SHORT, 40)]:
        is_valid = judge.is_valid(value)
        if pattern is None:
            assert not is_valid, (schema, value)
        elif is_valid:
            assert writes(pattern, value) or whitespace != "spaced", (schema, value)
        else:
            assert not pattern.fullmatch(as_text(value, whitespace)), (schema, value)
    for one in range(3) if pattern is not None else ():
        assert pattern is not None
        text = pattern.sample(one)
        assert judge.is_valid(json.loads(text)), (schema, text)
        assert pattern.fullmatch(text), (schema, text)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_list_that_cannot_be_is_refused_when_it_is_compiled(seed: int) -> None:
    schema = list_schema(seed)
    try:
        pattern = compiled(schema)
    except UnsupportedSchema:
        return
    judge = jsonschema.Draft202012Validator(schema)
    if pattern is None:
        assert not any(map(judge.is_valid, SHORT)), schema
    else:
        assert judge.is_valid(json.loads(pattern.shortest())), schema


@pytest.mark.parametrize(
    ("schema", "pointer"),
    [
        ({"items": {"properties": {"a": {"enum": [1, 2]}}, "additionalProperties": False, "type": "object"}, "minItems": 4}, "#/minItems"),
        ({"items": {"items": {"enum": [0, 1]}, "maxItems": 1, "type": "array"}, "minItems": 4}, "#/minItems"),
        ({"prefixItems": [{"enum": [{"a": 1}]}, {"const": {"a": 1}}], "minItems": 2}, "#/minItems"),
        ({"items": {"enum": ["a", "b", "c"]}, "contains": {"enum": ["a", "b"]}, "maxContains": 1, "minItems": 3}, "#/minItems"),
        ({"items": {"enum": ["a", [0], "c"]}, "contains": {"enum": ["a", [0]]}, "minContains": 3}, "#/contains"),
    ],
)
@pytest.mark.parametrize("order", ["source", "any"])
def test_items_that_compete_for_too_few_values_are_named(schema: dict[str, Any], pointer: str, order: Any) -> None:
    with pytest.raises(UnsatisfiableSchema) as caught:
        compile_schema({"type": "array", "uniqueItems": True, **schema}, order=order)
    assert caught.value.pointer in {pointer, "#"}  # "#": the normal form has found it


@pytest.mark.parametrize("keys", [3, 7])
@pytest.mark.parametrize("values", [["x"], ["x", "y"]])
def test_objects_of_many_keys_in_any_order_are_told_apart(keys: int, values: list[str]) -> None:
    names = [f"k{i}" for i in range(keys)]
    properties = {name: {"enum": values} for name in names}
    item = {"type": "object", "properties": properties, "required": names, "additionalProperties": False}
    for least in (1, 4):
        schema = {"type": "array", "items": item, "uniqueItems": True, "minItems": least}
        pattern = compiled(schema, order="any")
        assert (pattern is None) == (len(values) ** keys < least)
        for seed in range(2) if pattern is not None else ():
            assert pattern is not None
            value = json.loads(pattern.sample(seed))
            jsonschema.validate(value, schema)
            assert len(value) >= least
            assert not pattern.fullmatch(json.dumps([*value, dict(reversed(value[0].items()))]))


def test_more_different_items_than_are_counted_are_taken_only_where_there_are_enough_for_sure() -> None:
    def different(least: int, **item: Any) -> Pattern:
        return compile_schema({"type": "array", "items": {"type": "integer", **item}, "uniqueItems": True, "minItems": least})

    assert different(20_000)
    assert different(3_000, minimum=0, maximum=2_999)
    with pytest.raises(UnsatisfiableSchema):
        different(3_001, minimum=0, maximum=2_999)
    with pytest.raises(SchemaError):  # not told whether there are so many
        different(10**7, minimum=0, maximum=10**7)


def test_an_item_that_comes_twice_satisfies_both_of_its_places() -> None:
    schema = {"type": "array", "prefixItems": [{}, {"type": "array"}], "not": {"uniqueItems": True}}
    pattern = compile_schema(schema)
    texts = {"[0, 0]": False, "[[], []]": True, "[0, [], 0]": True, "[0, [1], [1]]": True, "[0, []]": False}
    assert {text: pattern.fullmatch(text) for text in texts} == texts


NODE: dict[str, Any] = {"type": "object", "additionalProperties": False, "properties": {"c": {"type": "array", "items": {"$ref": "#"}}}}


@pytest.mark.parametrize("order", ["source", "any"])
@pytest.mark.parametrize("required", [[], ["c"]])
@pytest.mark.parametrize("least", [0, 1, 2])
@pytest.mark.parametrize("own", [{}, {"v": {"type": "boolean"}}, {"v": {"type": "string"}}])
def test_a_list_in_items_that_have_to_differ(own: dict[str, Any], least: int, required: list[str], order: Any) -> None:
    """What holds itself is compiled and its texts are valid, or it is refused: nothing recurses without end."""
    children = {**NODE["properties"]["c"], "minItems": least, "uniqueItems": True}
    schema = {**NODE, "properties": {**own, "c": children}, "required": required}
    judge = jsonschema.Draft202012Validator(schema)
    may_be_refused = least == 2 or bool(required)
    with suppress(*(SchemaError,) if may_be_refused else ()):
        pattern = compile_schema(schema, order=order)
        may_be_refused = False
    for text in [] if may_be_refused else [pattern.shortest(), *map(pattern.sample, range(20))]:
        assert judge.is_valid(json.loads(text))
        assert pattern.fullmatch(text)
