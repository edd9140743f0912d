"""Laws over schemas that were not made for these tests: those of a public sample."""

from __future__ import annotations

import json
import os
import re
from typing import Any

import jsonschema
import jsonschema_rs
import pytest
from json_schema.verdicts import SHARED, rows

from rellm_agents import compile_schema
from rellm_agents.errors import InvalidSchema, UnsupportedSchema

TEXTS = int(os.environ.get("RELLM_TEXTS", "5"))  # of each schema of the sample


def is_valid(schema: Any, instance: Any) -> bool:
    """As jsonschema says with the draft's formats; patterns are read as ECMA-262 has it, where Python reads them in another way."""
    kind = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
    if kind(schema, format_checker=kind.FORMAT_CHECKER).is_valid(instance):
        return True
    has_dialects = re.search(r'"pattern|"\$schema".*"\$schema"', json.dumps(schema))
    return bool(has_dialects) and jsonschema_rs.validator_for(schema, validate_formats=True).is_valid(instance)


@pytest.mark.skipif(not (SHARED / "public.jsonl.gz").exists(), reason="the public sample is not beside this checkout")
def test_schemas_of_the_public_sample() -> None:
    """Nearly all compile, no invalid instance has a text, every valid one has, every sampled text is valid."""
    count, refused = 0, []
    for row in rows("public"):
        count += 1
        try:
            pattern = compile_schema(json.dumps(row["schema"]))
        except (UnsupportedSchema, InvalidSchema) as error:
            refused.append((row["id"], str(error)))
            continue
        for seed in range(TEXTS):
            text = pattern.sample(seed)
            assert is_valid(row["schema"], json.loads(text)), (row["id"], text)
        free = compile_schema(json.dumps(row["schema"]), order="any")
        for test in row["tests"]:
            text = json.dumps(test["data"], ensure_ascii=False)
            assert free.fullmatch(text) == test["valid"], (row["id"], text)
            assert test["valid"] or not pattern.fullmatch(text), (row["id"], text)
    assert len(refused) <= 0.01 * count, refused
