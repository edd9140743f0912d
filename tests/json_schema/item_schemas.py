"""Random schemas of lists in which one item decides what others may be: no item twice, some item twice, so many of a kind."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator
from typing import Any

VALUES: list[Any] = [0, 1, "a", "aa", "cccccccccccccc", True, None, [], [0], {"a": 1}, {"a": 1, "b": True}, 1.5]
"""What brute force tries."""

WIDE: list[Any] = [
    True,
    {},
    {"type": "integer"},
    {"type": "string"},
    {"type": "array"},
    {"type": "object"},
    {"type": ["integer", "boolean"]},
    {"type": "array", "items": {"type": "integer"}, "maxItems": 2},
]
NARROW: list[Any] = [
    False,
    {"type": "boolean"},
    {"type": "null"},
    {"type": "integer", "minimum": 0, "maximum": 2},
    {"type": "string", "pattern": "^a{0,2}$"},
    {"type": "object", "properties": {"a": {"enum": [1, 2]}, "b": {"type": "boolean"}}, "additionalProperties": False},
    {"type": "object", "properties": {"a": {"enum": [1]}, "b": {"type": "boolean"}}, "required": ["a"], "additionalProperties": False},
    {"type": "array", "items": {"enum": [0, 1]}, "maxItems": 1},
    {"type": "array", "prefixItems": [{"enum": [0, "a"]}], "items": False},
]


def item(chance: random.Random) -> Any:
    """A schema of an item."""
    kind = chance.random()
    if kind < 0.55:
        return {"enum": chance.sample(VALUES, chance.choice([1, 2, 2, 3, 4]))}
    return chance.choice(NARROW if kind < 0.8 else WIDE)


def condition(chance: random.Random) -> dict[str, Any]:
    """Keywords of a list that say how many items there are, or how many of a kind."""
    found: dict[str, Any] = {}
    for keyword, most in (("minItems", 4), ("maxItems", 5)):
        if chance.random() < 0.3:
            found[keyword] = chance.randrange(most + 1)
    if chance.random() < 0.4:
        found["contains"] = item(chance)
        if chance.random() < 0.5:
            found["minContains"] = chance.randrange(3)
        if chance.random() < 0.5:
            found["maxContains"] = chance.randrange(1, 3)
    return found


def list_schema(seed: int) -> dict[str, Any]:
    """A schema of a list."""
    chance = random.Random(seed)
    schema: dict[str, Any] = {"type": "array", **condition(chance)}
    if chance.random() < 0.6:
        schema["prefixItems"] = [item(chance) for _ in range(chance.choice([1, 2, 2, 3]))]
    if chance.random() < 0.7:
        schema["items"] = item(chance) if chance.random() < 0.8 else False
    unique, kind = {"uniqueItems": True}, chance.random()
    if kind < 0.45:
        schema |= unique
    elif kind < 0.75:
        schema["not"] = unique
    elif kind < 0.85:
        schema["oneOf"] = [unique, condition(chance) or {"maxItems": 2}]
    elif kind < 0.95:
        schema |= {"if": unique, "then": condition(chance), "else": condition(chance)}
    return schema


def schema_of(seed: int) -> dict[str, Any]:
    """The same, sometimes inside of something else."""
    schema, chance = list_schema(seed), random.Random(~seed)
    kind = chance.random()
    if kind < 0.06:
        return {"type": "object", "properties": {"list": schema}, "required": ["list"], "additionalProperties": False}
    if kind < 0.1:
        return {"type": "array", "items": schema, "minItems": chance.randrange(3), "uniqueItems": chance.random() < 0.5}
    return schema


def lists(most: int = 3) -> Iterator[list[Any]]:
    """All lists of :data:`VALUES` of at most so many items."""
    for size in range(most + 1):
        yield from map(list, itertools.product(VALUES, repeat=size))


def shuffled(value: Any, chance: random.Random) -> Any:
    """The same value, its properties in another order."""
    if isinstance(value, dict):
        names = chance.sample([*value], len(value))
        return {name: shuffled(value[name], chance) for name in names}
    return [shuffled(one, chance) for one in value] if isinstance(value, list) else value


def as_text(value: Any, whitespace: str) -> str:
    """A value as JSON text."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":") if whitespace == "compact" else None)
