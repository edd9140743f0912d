"""Rows of a data set keep their order and their columns, each has a text that parses or its own error, and the mapper travels as it is."""

from __future__ import annotations

import json
import os
import pickle
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel, field_validator
from toys import byte_level_tokenizer, random_model

from rellm_agents import compile_regex, json_action
from rellm_agents.errors import ArgumentTypeError, ArgumentValueError, SchemaError
from rellm_agents.serving.engines.ray import COLUMNS, RowMapper

pytestmark = pytest.mark.usefixtures("one_thread")
TOOLS = {"add": {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}, "required": ["a", "b"]}}
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}


class Even(BaseModel):
    n: int

    @field_validator("n")
    @classmethod
    def _is_even(cls, value: int) -> int:
        if value % 2:
            raise ValueError("odd")
        return value


def tiny() -> tuple[Any, Any]:
    tokenizer = byte_level_tokenizer()
    return random_model(tokenizer), tokenizer


def steps() -> Any:
    return json_action(TOOLS)


def letters() -> Any:
    return compile_regex("(ab|€)+")


def rows(count: int) -> dict[str, Any]:
    return {"id": np.arange(count), "prompt": np.array([f"Row {i}: " for i in range(count)], dtype=object)}


@pytest.mark.parametrize("source", [steps, letters, SCHEMA, Even, list[Even]], ids=["format", "pattern", "schema", "type", "list"])
def test_every_row_has_a_text_that_is_read_or_an_error(source: Any) -> None:
    mapper = RowMapper(source, model=tiny, max_new_tokens=60, temperature=1.0, seed=3)
    made = mapper(rows(24))
    assert list(made) == ["id", "prompt", *COLUMNS]
    assert made["id"].tolist() == [*range(24)]
    for text, parsed, error, finish in zip(*(made[name] for name in COLUMNS), strict=True):
        assert finish in ("accepted", "closed")
        assert (parsed is None) == (error is not None)
        if source == list[Even]:
            assert any(one["n"] % 2 for one in json.loads(text)) == (error is not None)
        elif source is Even:
            assert (json.loads(text)["n"] % 2 == 1) == (error is not None)
        elif source is SCHEMA:
            assert json.loads(parsed) == json.loads(text)
        else:
            assert error is None
    travelled = pickle.loads(pickle.dumps(mapper))
    assert {name: column.tolist() for name, column in travelled(rows(24)).items()} == {
        name: column.tolist() for name, column in made.items()
    }


def test_a_row_that_cannot_be_written_leaves_the_others_alone() -> None:
    batch = {"question": ["a", "b" * 9_000, "c"]}
    made = RowMapper(SCHEMA, model=tiny, prompt="question", max_new_tokens=30)(batch)
    assert [error and error.partition(":")[0] for error in made["error"]] == [None, "ContextOverflowError", None]
    assert [text is None for text in made["text"]] == [False, True, False]
    assert set(RowMapper(SCHEMA, model=tiny, max_new_tokens=2)(rows(3))["error"]) == {
        RowMapper(SCHEMA, model=tiny, max_new_tokens=2)(rows(1))["error"][0]
    }


def test_what_no_row_can_be_written_with_is_refused() -> None:
    with pytest.raises(SchemaError):
        RowMapper({"type": "strnig"})
    for unsent in (steps(), letters()):
        with pytest.raises(ArgumentTypeError, match=r"source=.*lambda"):
            RowMapper(unsent)
    with pytest.raises(ArgumentTypeError, match="model="):
        RowMapper(SCHEMA, model=5)  # type: ignore[arg-type]
    with pytest.raises(ArgumentValueError, match="'question'"):
        RowMapper(SCHEMA, model=tiny)({"question": ["a"]})
    with pytest.raises(ArgumentValueError, match="'text' already"):
        RowMapper(SCHEMA, model=tiny)({"prompt": ["a"], "text": ["b"]})


@pytest.mark.filterwarnings("default:::ray")  # Ray calls what it deprecates itself
def test_rows_of_a_killed_actor_are_written_again(tmp_path: Path) -> None:
    ray: Any = pytest.importorskip("ray", reason="ray is not installed")
    data: Any = pytest.importorskip("ray.data", reason="ray is installed without ray[data]")
    killed = tmp_path / "killed"

    class Mortal(RowMapper):
        """Is killed with its process, once, while it has written rows that nobody has seen."""

        def __call__(self, batch: Mapping[str, Any]) -> dict[str, Any]:
            made = super().__call__(batch)
            if 20 in batch["id"] and not killed.exists():
                killed.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return made

    root = Path(__file__).parents[3]
    ray.init(num_cpus=3, include_dashboard=False, runtime_env={"env_vars": {"PYTHONPATH": f"{root}:{root / 'tests'}"}}, log_to_driver=False)
    try:
        asked = [{"id": number, "prompt": f"Row {number}: "} for number in range(48)]
        made = (
            data.from_items(asked)
            .map_batches(
                Mortal,
                fn_constructor_kwargs={"source": steps, "model": tiny, "max_new_tokens": 60, "temperature": 1.0, "seed": 3},
                compute=data.ActorPoolStrategy(size=2),
                batch_size=8,
            )
            .take_all()
        )
    finally:
        ray.shutdown()
    assert killed.exists()
    assert sorted(row["id"] for row in made) == [row["id"] for row in asked], "each once"
    assert all(row["error"] is None and json.loads(row["parsed"]) for row in made)
