"""Many schemas in one process, and objects of many properties."""

from __future__ import annotations

import gc
import json
import random
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest
from toys import random_pieces, vocabulary_of

from rellm_agents import compile_schema
from rellm_agents.decoding import TokenMasks
from rellm_agents.errors import InvalidSchema, UnsupportedSchema
from rellm_agents.json_schema.shapes.shape import Shape
from rellm_agents.patterns import Node
from rellm_agents.patterns.machine.machine import Machine


def numbered(i: int) -> dict[str, Any]:
    properties = {f"p{i}": {"type": "string"}, "n": {"type": ["integer", "string"], "enum": [i, f"value {i}"]}}
    return {"type": "object", "properties": properties, "required": ["n"], "additionalProperties": False}


def recursive(i: int) -> dict[str, Any]:
    properties: dict[str, Any] = {f"p{i}": {"$ref": "#"}, **{f"option {n} of {i}": {"type": "string"} for n in range(9)}}
    return {
        "type": "object",
        "properties": {**properties, "list": {"type": "array", "items": {"$ref": "#"}}},
        "additionalProperties": False,
    }


@pytest.mark.parametrize("schema", [numbered, recursive])
def test_what_a_schema_leaves_behind_is_bounded(schema: Callable[[int], Any]) -> None:
    """Machines, nodes and what makes them: none is kept alive by what all patterns share, or by itself through a rule."""
    vocabulary, counts = vocabulary_of(random_pieces(31)), []
    for i in range(450):
        masks = TokenMasks(compile_schema(schema(i)), vocabulary)
        state = masks.start
        for byte in masks.pattern.sample(i).encode()[:60]:
            masks.bits(state, 1_000)
            state = masks.advance(state, vocabulary.token_bytes.index(bytes([byte])))
        del masks, state
        if i % 150 == 149:
            gc.collect()
            counts.append(sum(issubclass(type(one), (Machine, Node, Shape)) for one in gc.get_objects()))
    assert counts[2] <= counts[0] + 500  # of 450 schemas, with some that happen to be remembered


def test_three_hundred_optional_properties_keep_their_order() -> None:
    properties = {f"p{i}": {"type": "integer"} for i in range(300)}
    schema = {"type": "object", "properties": properties, "required": ["p7", "p250"], "additionalProperties": False}
    pattern, chance = compile_schema(schema), random.Random(0)
    for seed in range(20):
        jsonschema.validate(json.loads(pattern.sample(seed)), schema)
        names = [name for name in properties if name in ("p7", "p250") or chance.random() < 0.1]
        written = [f'"{name}": {i}' for i, name in enumerate(names)]
        assert pattern.fullmatch("{" + ", ".join(written) + "}")
        at = chance.randrange(len(written) - 1)
        swapped = [*written[:at], written[at + 1], written[at], *written[at + 2 :]]
        doubled = [*written[: at + 1], *written[at:]]
        assert not pattern.fullmatch("{" + ", ".join(swapped) + "}")
        assert not pattern.fullmatch("{" + ", ".join(doubled) + "}")


def test_equal_schemas_are_the_same_node_and_others_are_not() -> None:
    patterns = [compile_schema(numbered(i)) for i in range(100)]
    assert all(compile_schema(numbered(i)).node is pattern.node for i, pattern in enumerate(patterns))
    assert len({pattern.node for pattern in patterns}) == 100


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800"])
def test_what_json_cannot_say_is_refused(value: Any) -> None:
    with pytest.raises((InvalidSchema, UnsupportedSchema)) as caught:
        compile_schema({"enum": [value]})
    assert caught.value.pointer in ("#", "#/enum")


def test_a_schema_that_holds_itself_is_refused() -> None:
    schema: dict[str, Any] = {"type": "array"}
    schema["items"] = schema
    with pytest.raises(UnsupportedSchema, match="nested too deep to be read, 250 levels at most"):
        compile_schema(schema)


def test_a_draft_that_is_not_known_is_not_fetched() -> None:
    schema = {"$schema": "https://example.invalid/draft", "type": "null"}
    with pytest.raises(UnsupportedSchema, match=r'#/\$schema: "https://example.invalid/draft" is no draft that is read'):
        compile_schema(schema)
    pattern = compile_schema(schema, lenient=True)
    assert pattern.fullmatch("null")
    assert pattern.value("null") is None
