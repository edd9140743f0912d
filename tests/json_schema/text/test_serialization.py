"""No item comes twice in another spelling either; a number is written in no way that is read as another one."""

from __future__ import annotations

import json

import pytest

from rellm_agents import compile_schema

PAIR = {"a": 1, "b": 2}
PERSON = {"name": {"type": "string"}, "id": {"type": "integer"}}
ORDERS = {
    name: {"type": "object", "properties": dict(names), "required": ["name", "id"], "additionalProperties": False}
    for name, names in (("P", PERSON.items()), ("Q", reversed(PERSON.items())))
}
P, Q = {"$ref": "#/$defs/P"}, {"$ref": "#/$defs/Q"}


@pytest.mark.parametrize("whitespace", ["spaced", "flexible"])
@pytest.mark.parametrize(
    ("first", "rest", "text"),
    [
        ([{"const": PAIR}], True, '[{"a": 1, "b": 2}, {"b": 2, "a": 1}]'),
        ([{"enum": [PAIR, 3]}], {"type": "object"}, '[{"a": 1, "b": 2}, {"b": 2, "a": 1}]'),
        ([{"const": [PAIR]}], True, '[[{"a": 1, "b": 2}], [{"b": 2, "a": 1}]]'),
        ([P], Q, '[{"name": "x", "id": 1}, {"id": 1, "name": "x"}]'),
        ([True, P], Q, '[0, {"name": "x", "id": 1}, {"id": 1, "name": "x"}]'),
        ([{"const": 1e-7}], True, "[1e-07, 0.0000001]"),
        ([{"enum": [1e-7, 1]}], {"type": "number"}, "[1e-07, 0.0000001]"),
    ],
)
def test_no_item_comes_twice_in_another_spelling(first, rest, text, whitespace):
    items = json.loads(text)
    assert any(one == other for i, one in enumerate(items) for other in items[:i])
    schema = {"$defs": ORDERS, "type": "array", "prefixItems": first, "items": rest}
    assert compile_schema(schema, whitespace=whitespace).fullmatch(text)
    assert not compile_schema({**schema, "uniqueItems": True}, whitespace=whitespace).fullmatch(text)


@pytest.mark.parametrize("value", [2**53 + 1, 123456789012345678901234, -(2**60) - 1, 10**17, 10**308, -(10**400), 7, 2**53, 0, -3])
@pytest.mark.parametrize("inside", [lambda one: one, lambda one: {"a": [one]}])
def test_a_given_number_is_read_as_it_is(value, inside):
    for schema in ({"const": inside(value)}, {"enum": [inside(value), None]}):
        pattern = compile_schema(schema)
        text = json.dumps(inside(value))
        assert pattern.fullmatch(text)
        with_fraction = text.replace(str(value), f"{value}.0")
        assert pattern.fullmatch(with_fraction) == (json.loads(with_fraction) == inside(value))
        assert all(json.loads(pattern.sample(seed)) in (inside(value), None) for seed in range(10))
