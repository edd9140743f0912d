"""Parts that are read late: nothing that a schema is refused for is found in them, and they allow what they allow when read at once."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from json_schema.test_compiler import schemas
from json_schema.verdicts import SHARED, rows

from rellm_agents import Pattern, compile_schema
from rellm_agents.errors import SchemaError
from rellm_agents.json_schema.source.deferrable import Deferrable


def outcome(schema: Any) -> tuple[type | None, str, Pattern | None]:
    try:
        return None, "", compile_schema(schema)
    except SchemaError as error:
        return type(error), error.pointer, None


def read_at_once(schema: Any) -> tuple[type | None, str, Pattern | None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Deferrable, "includes", lambda *_: False)
        return outcome(schema)


def is_told_alike(schema: Any, texts: list[str]) -> None:
    late, at_once = outcome(schema), read_at_once(schema)
    assert late[:2] == at_once[:2]
    if late[2] is not None and at_once[2] is not None:
        texts = [*texts, *(pattern.sample(seed) for pattern in (late[2], at_once[2]) for seed in (1, 2))]
        assert [late[2].fullmatch(text) for text in texts] == [at_once[2].fullmatch(text) for text in texts]


inner = st.sampled_from(["a", "b", "c"]).map(lambda name: {"$ref": f"#/$defs/{name}"}) | schemas
objects = st.fixed_dictionaries({"properties": st.fixed_dictionaries({"x": inner})})
named = st.fixed_dictionaries(dict.fromkeys("abc", schemas | objects))


@given(schemas, named, inner, inner)
@settings(max_examples=300, deadline=None)
def test_a_schema_is_refused_for_the_same_place_and_allows_the_same(whole: Any, parts: Any, first: Any, second: Any) -> None:
    is_told_alike(whole, [])
    is_told_alike({"type": "object", "properties": {"p": first, "q": {"type": "array", "items": second}}, "$defs": parts}, [])


@pytest.mark.parametrize(
    "demanding",
    [
        {"pattern": "(a)\\1"},
        {"not": {"format": "email"}},
        {"allOf": [{"type": "number", "multipleOf": 0.0007}, {"multipleOf": 4004}]},
        {"$ref": "#/$defs/c"},
    ],
)
def test_what_is_refused_is_refused_when_the_pattern_is_made(demanding: Any) -> None:
    """However deep it stands, and behind whatever references."""
    for schema in (
        {"type": "object", "properties": {"p": {"type": "array", "items": {"type": "object", "properties": {"q": demanding}}}}},
        {"type": "object", "properties": {"p": {"type": "array", "items": {"$ref": "#/$defs/a"}}}},
    ):
        with_parts = {
            **schema,
            "$defs": {
                "a": {"type": "object", "properties": {"n": {"$ref": "#/$defs/b"}}},
                "b": {"type": "object", "properties": {"m": {"$ref": "#/$defs/a"}, "r": {"type": "array", "items": demanding}}},
                "c": {"type": "object", "properties": {"z": {"pattern": "(a)\\1"}}},
            },
        }
        assert outcome(with_parts)[0] is not None


@pytest.mark.skipif(not (SHARED / "public.jsonl.gz").exists(), reason="the public sample is not beside this checkout")
def test_schemas_of_the_public_sample_are_told_alike() -> None:
    for row in list(rows("public"))[::4]:
        is_told_alike(json.dumps(row["schema"]), [json.dumps(test["data"], ensure_ascii=False) for test in row["tests"]])
