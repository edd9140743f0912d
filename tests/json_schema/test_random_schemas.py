"""Random schemas: no text that another validator refuses, no budget that is not kept, no error but the package's own.

``RANDOM_SCHEMAS`` of them are tried, 30 by default, from ``RANDOM_SEED`` on; ``python -m json_schema.random_verdicts`` tries very many.
"""

from __future__ import annotations

import os

import pytest
from json_schema import random_verdicts
from json_schema.random_schemas import random_schema
from json_schema.random_verdicts import WrongVerdict, of_smollm2, only_bytes, tried

from rellm_agents import compile_schema

FIRST = int(os.environ.get("RANDOM_SEED", "0"))
SEEDS = range(FIRST, FIRST + int(os.environ.get("RANDOM_SCHEMAS", "30")))
AT_ONCE = 10


@pytest.mark.model
@pytest.mark.parametrize("first", SEEDS[::AT_ONCE])
def test_random_schemas_keep_every_promise(first: int) -> None:
    verdicts = {seed: tried(random_schema(seed), [of_smollm2(), only_bytes()], seed) for seed in range(first, first + AT_ONCE)}
    assert set(verdicts.values()) <= {"texts", "unsatisfiable", "unsupported"}
    assert list(verdicts.values()).count("texts") > AT_ONCE // 4


@pytest.mark.parametrize(("compiled", "wrong"), [({}, "is not valid and is accepted"), (False, "said to have no instances")])
def test_what_is_wrong_is_found(monkeypatch: pytest.MonkeyPatch, compiled: object, wrong: str) -> None:
    monkeypatch.setattr(random_verdicts, "compile_schema", lambda _, **options: compile_schema(compiled, **options))
    with pytest.raises(WrongVerdict, match=wrong):
        tried({"type": "integer"}, [only_bytes()], 0)
