"""Models of public code are compiled; what is written is read by the model itself, unless a validator of the user refuses it."""

from __future__ import annotations

import os
import re
from random import Random
from typing import Any

import pytest
from langchain_core.exceptions import OutputParserException
from public_models import BY_HAND, MINE, random_model
from pydantic import ValidationError

from rellm_agents.langchain import reader_for

MODELS = int(os.environ.get("RELLM_MODELS", "40"))
TEXTS = 20 if MODELS > 40 else 6


def refusals(kind: Any) -> int:
    """How many of the texts of a type its own validators refuse; anything else that refuses one is an error."""
    reader, refused = reader_for(kind), 0
    if any("it is strict" in one for one in reader.pattern.unenforced):
        pytest.skip("pydantic gives Python values to a validator before a strict type, which takes none")
    for text in map(reader.pattern.sample, range(TEXTS)):
        if (error := refusal(reader, text)) is None:
            continue
        cause = error.__cause__
        assert isinstance(cause, ValidationError)
        assert [one["msg"] for one in cause.errors() if MINE not in one["msg"]] == [], (text, reader.pattern.unenforced)
        assert error.llm_output == text
        assert repr(text) in str(error)
        assert re.search(rf": Value error, {MINE}", str(error))
        assert reader.pattern.unenforced
        refused += 1
    return refused


def refusal(reader: Any, text: str) -> OutputParserException | None:
    try:
        reader.parse(text)
    except OutputParserException as error:
        return error
    return None


@pytest.mark.parametrize("kind", BY_HAND, ids=lambda kind: getattr(kind, "__name__", str(kind)))
def test_a_model_of_public_code_reads_what_is_written(kind: Any) -> None:
    assert refusals(kind) < TEXTS


@pytest.mark.parametrize("seed", range(MODELS))
def test_a_combination_of_fields_reads_what_is_written(seed: int) -> None:
    refusals(random_model(Random(seed)))
