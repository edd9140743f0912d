"""Writes and reads a text for each row of a data set, batch by batch: a class for ``map_batches`` of Ray Data, which needs no Ray itself.

    dataset.map_batches(
        RowMapper,
        fn_constructor_kwargs={"source": lambda: json_action(tools), "model": "smollm2", "max_new_tokens": 60},
        compute=ray.data.ActorPoolStrategy(size=2), batch_size=16,
    )

Each actor loads the model and makes the masks once, with its first batch. A row that is written again, since its actor was lost, is
written as before with a ``seed``, and without a temperature. Source: "Stateful transforms" in the documentation of Ray Data 2.60.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import FunctionType
from typing import Any, Final

import numpy as np
import pydantic_core

from rellm_agents.arguments import CALLABLE, TEXT, checked, either
from rellm_agents.errors import ArgumentTypeError, ArgumentValueError, RELLMError
from rellm_agents.formats import ActionFormat
from rellm_agents.langchain import RELLM
from rellm_agents.patterns import Pattern
from rellm_agents.serving.client import pattern_of, value_of

COLUMNS: Final = ("text", "parsed", "error", "finish")


class RowMapper:
    """Adds four columns to a batch of rows, each ``None`` where there is nothing to tell.

    ``text``: what was written; ``parsed``: what it means, as JSON text, since Arrow would give all rows the same fields; ``error``: why
    a row has no text, or why its type refuses it; ``finish``: ``"accepted"``, ``"closed"`` (by the budget) or ``"stopped"``.

    Args:
        source: a JSON Schema, or a type that pydantic can describe; or a function without arguments that returns one, or an action format,
            or a pattern: these two cannot be sent to another process, so they are made where the rows are.
        model: ``"smollm2"``, the folder of a model, a ``.gguf`` file or a name on the Hugging Face hub; or a function that returns a model
            and its tokenizer, likewise.
        prompt: the column with the prompts.
        **options: of :class:`rellm_agents.langchain.RELLM`: ``max_new_tokens``, ``temperature``, ``seed``, ``stop`` and so on.

    Raises:
        ArgumentTypeError: ``source`` is an action format or a pattern itself.
        SchemaError: the schema cannot be compiled.
    """

    @checked(model=either(TEXT, CALLABLE), prompt=TEXT)
    def __init__(
        self, source: Any, *, model: str | Callable[[], tuple[Any, Any]] = "smollm2", prompt: str = "prompt", **options: Any
    ) -> None:
        if isinstance(source, (ActionFormat, Pattern)):
            raise ArgumentTypeError("source", source, "a schema, a type, or a function", advice="lambda: ..., since it cannot be sent")
        self._source = source() if isinstance(source, (FunctionType, partial)) else source
        self._arguments = {"source": source, "model": model, "prompt": prompt, **options}
        self._model, self._prompt, self._options = model, prompt, options
        pattern_of(self._source)  # errors are raised now, not with the first row
        self._writer: RELLM | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(type(self), **self._arguments), ()

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """The batch with the four columns.

        Args:
            batch: columns by their names; arrays, as Ray has them, or lists.

        Raises:
            ArgumentValueError: there is no column with prompts, or one that is called like a new one.
            ModelNotFound: there is no such model.
        """
        if self._prompt not in batch:
            raise ArgumentValueError("prompt", self._prompt, f"a column of the rows, which have {', '.join(map(repr, batch))}")
        if taken := [name for name in COLUMNS if name in batch]:
            raise ArgumentValueError.saying(f"the rows have a column {taken[0]!r} already, which would be overwritten: rename it")
        rows = self._written([str(one) for one in batch[self._prompt]])
        columns = {name: np.array([row[name] for row in rows], dtype=object) for name in COLUMNS}
        return {**batch, **columns}

    def _written(self, prompts: list[str]) -> list[dict[str, str | None]]:
        if self._writer is None:
            self._writer = self._made()
        try:
            made = self._writer.generate(prompts).generations
        except (RELLMError, ValueError) as error:
            if len(prompts) > 1:  # which row is wrong is found out by asking for each alone
                return [row for prompt in prompts for row in self._written([prompt])]
            return [{**dict.fromkeys(COLUMNS), "error": _as_text(error)}]
        return [self._row(one.text, str((one.generation_info or {})["finish"])) for (one,) in made]

    def _made(self) -> RELLM:
        if callable(self._model):
            model, tokenizer = self._model()
        else:
            from rellm_agents.decoding.models import model_by_name  # noqa: PLC0415 - torch is not needed before rows come

            model, tokenizer = model_by_name(self._model)
        constraint = {"format": self._source} if isinstance(self._source, ActionFormat) else {"pattern": pattern_of(self._source)}
        return RELLM(model=model, tokenizer=tokenizer, **constraint, **self._options)

    def _row(self, text: str, finish: str) -> dict[str, str | None]:
        row: dict[str, str | None] = {"text": text, "parsed": None, "error": None, "finish": finish}
        try:
            row["parsed"] = pydantic_core.to_json(value_of(self._source, text)).decode()
        except (RELLMError, ValueError) as error:
            row["error"] = _as_text(error)
        return row


def _as_text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
