"""Random schemas that put together what is hard: references, ``not``, counts, uniqueness, what is left unevaluated, depth, length.

>>> random_schema(2) == random_schema(2)
True
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

Schema = Any
NAMES = ["a", "b", "name", "a longer name", "é", "x-1"]
VALUES: list[Any] = [None, True, False, 0, 1, -2, 1.5, 1e21, "", "a", "ab", "x-1", "2024-02-29"]
VALUES += [[], [1], ["a", "a"], {}, {"a": 1}, {"b": []}]
REGEXES = ["^a", "b$", "^[ab]*$", "^x-", "[0-9]{2}", "^(ab|cd)+$", "^.{1,3}$", r"^\S+$", "^[^a]"]
FORMATS = ["date", "ipv4", "ipv6", "uuid"]  # those that the other validator checks as exactly


class Dice(random.Random):
    """The random source of a schema, and the names of its definitions."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.names: list[str] = []
        self.first = 0  # of the definitions that may stand here, so that none leads back to itself about the same value

    def one_in(self, count: float) -> bool:
        """True once in so many times."""
        return self.random() * count < 1


def random_schema(seed: int) -> Schema:
    """The schema of a seed."""
    dice = Dice(seed)
    dice.names = [f"d{i}" for i in range(dice.choice([0, 0, 1, 2, 3]))]
    shape = dice.random()
    schema = _deep(dice) if shape < 0.03 else _long(dice) if shape < 0.06 else _schema(dice, 3)
    if dice.names:
        if isinstance(schema, bool):
            schema = {}
        schema = {**schema, "$defs": {name: _definition(dice, i) for i, name in enumerate(dice.names)}}
        if "$ref" not in schema and dice.one_in(2):
            schema["properties"] = {**schema.get("properties", {}), "link": {"$ref": f"#/$defs/{dice.choice(dice.names)}"}}
    return schema


def _definition(dice: Dice, index: int) -> Schema:
    dice.first = index + 1
    return _schema(dice, 2)


def _inner(dice: Dice, depth: int) -> Schema:
    """A schema of a property or an item: every definition may stand there."""
    first, dice.first = dice.first, 0
    try:
        return _schema(dice, max(depth - 1, 0))
    finally:
        dice.first = first


def _deep(dice: Dice) -> Schema:
    schema = _schema(dice, 1)
    for _ in range(dice.randrange(5, 40)):
        kind = dice.randrange(4)
        if kind == 0:
            schema = {"type": "array", "items": schema, "maxItems": 2}
        elif kind == 1:
            schema = {"type": "object", "properties": {"a": schema}, "required": ["a"], "additionalProperties": dice.one_in(2)}
        elif kind == 2:
            schema = {"anyOf": [schema, {"type": "null"}]}
        else:
            schema = {"allOf": [schema]}
    return schema


def _long(dice: Dice) -> Schema:
    size = dice.randrange(20, 120)
    kind = dice.randrange(4)
    if kind == 0:
        names = [f"key {i}" for i in range(size)]
        return {
            "type": "object",
            "properties": {name: _schema(dice, 0) for name in names},
            "required": dice.sample(names, dice.randrange(4)),
            "additionalProperties": dice.one_in(2),
        }
    if kind == 1:
        return {"enum": [dice.choice([i, f"value {i}", [i], {"a": i}]) for i in range(size)]}
    if kind == 2:
        return {"type": "array", "prefixItems": [_schema(dice, 0) for _ in range(size)], "minItems": dice.randrange(size)}
    tagged = [{"kind": {"const": i}, "b": _schema(dice, 0)} for i in range(size)]
    return {"anyOf": [{"type": "object", "properties": properties, "required": ["kind"]} for properties in tagged]}


def _schema(dice: Dice, depth: int) -> Schema:
    if dice.one_in(25):
        return dice.one_in(1.2)
    schema: dict[str, Any] = {}
    if dice.names[dice.first :] and dice.one_in(8):
        schema["$ref"] = f"#/$defs/{dice.choice(dice.names[dice.first :])}"
    kind = dice.randrange(9)
    if kind < 7:
        types: list[Callable[[Dice, int], dict[str, Any]]] = [_string, _number, _array, _array, _object, _object, _value]
        schema |= types[kind](dice, depth)
    if depth and dice.one_in(2.5):
        schema |= _combined(dice, depth - 1)
    return schema


def _value(dice: Dice, _: int) -> dict[str, Any]:
    if dice.one_in(4):
        return {"const": dice.choice(VALUES)}
    if dice.one_in(3):
        return {"type": dice.choice(["boolean", "null", ["string", "null"], ["integer", "array"], ["object", "boolean"]])}
    return {"enum": dice.sample(VALUES, dice.randrange(1, 5))}


def _string(dice: Dice, _: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    if dice.one_in(3):
        schema["pattern"] = dice.choice(REGEXES)
    if dice.one_in(4):
        schema["minLength"] = dice.randrange(5)
    if dice.one_in(4):
        schema["maxLength"] = schema.get("minLength", 0) + dice.randrange(9)
    if dice.one_in(8):
        schema["format"] = dice.choice(FORMATS)
    return schema


def _number(dice: Dice, _: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": dice.choice(["integer", "number"])}
    if dice.one_in(3):
        schema[dice.choice(["minimum", "exclusiveMinimum"])] = dice.choice([-100, -1, 0, 0.5, 3, 99])
    if dice.one_in(3):
        schema[dice.choice(["maximum", "exclusiveMaximum"])] = dice.choice([-1, 0, 1, 7.25, 100, 1000])
    if dice.one_in(5):
        schema["multipleOf"] = dice.choice([1, 2, 3, 0.5, 10])
    return schema


def _array(dice: Dice, depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "array"} if dice.one_in(1.2) else {}
    if depth and dice.one_in(2):
        schema["items"] = _inner(dice, depth)
    if depth and dice.one_in(3):
        schema["prefixItems"] = [_inner(dice, depth) for _ in range(dice.randrange(1, 4))]
    if dice.one_in(3):
        schema["uniqueItems"] = dice.one_in(1.3)
    if depth and dice.one_in(4):
        schema["contains"] = _inner(dice, depth)
        if dice.one_in(2):
            schema["minContains"] = dice.randrange(3)
        if dice.one_in(2):
            schema["maxContains"] = dice.randrange(1, 4)
    if dice.one_in(3):
        schema["minItems"] = dice.randrange(4)
    if dice.one_in(3):
        schema["maxItems"] = schema.get("minItems", 0) + dice.randrange(4)
    if depth and dice.one_in(8):
        schema["unevaluatedItems"] = _inner(dice, 0)
    return schema


def _object(dice: Dice, depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object"} if dice.one_in(1.2) else {}
    if dice.one_in(1.4):
        schema["properties"] = {name: _inner(dice, depth) for name in dice.sample(NAMES, dice.randrange(1, 5))}
    if dice.one_in(2):
        schema["required"] = dice.sample([*schema.get("properties", NAMES)], dice.randrange(2))
    if dice.one_in(2):
        schema["additionalProperties"] = False if dice.one_in(2) else _inner(dice, 0)
    if dice.one_in(6):
        schema["patternProperties"] = {dice.choice(REGEXES): _inner(dice, 0) for _ in range(dice.randrange(1, 3))}
    if dice.one_in(10):
        schema["propertyNames"] = {"pattern": dice.choice(REGEXES)} if dice.one_in(2) else {"maxLength": dice.randrange(1, 9)}
    if dice.one_in(6):
        schema["minProperties"] = dice.randrange(4)
    if dice.one_in(6):
        schema["maxProperties"] = schema.get("minProperties", 0) + dice.randrange(3)
    if dice.one_in(8):
        schema["dependentRequired"] = {dice.choice(NAMES): dice.sample(NAMES, dice.randrange(3))}
    if depth and dice.one_in(10):
        schema["dependentSchemas"] = {dice.choice(NAMES): _schema(dice, 0)}
    if depth and dice.one_in(8):
        schema["unevaluatedProperties"] = False if dice.one_in(2) else _inner(dice, 0)
    return schema


def _combined(dice: Dice, depth: int) -> dict[str, Any]:
    kind = dice.randrange(7)
    if kind < 3:
        return {("anyOf", "oneOf", "allOf")[kind]: [_schema(dice, depth) for _ in range(dice.randrange(1, 4))]}
    if kind < 5:
        return {"not": _schema(dice, depth)}
    schema = {"if": _schema(dice, depth)}
    if dice.one_in(1.3):
        schema["then"] = _schema(dice, depth)
    if dice.one_in(1.3):
        schema["else"] = _schema(dice, depth)
    return schema
