"""Defines what ``RELLM`` and ``ChatRELLM`` share: the fields of a local model, its options, and one decoder for all who use the model.

A decoder caches what it learns about a model: the vocabulary, masks of patterns, prefixes of prompts. So all LangChain objects on one
model share one decoder, behind a queue that decodes simultaneous requests together. Knows nothing of messages or constraints.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import fields
from typing import Any, ClassVar, Literal
from weakref import WeakValueDictionary

from langchain_core.language_models.base import LangSmithParams
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from rellm_agents.decoding import Completion, ConstrainedDecoder, RequestQueue
from rellm_agents.decoding.generation import Measure, Selection, Spelling, TextKeywords, TextOptions
from rellm_agents.patterns import Pattern

_TEXT_OPTIONS = frozenset(field.name for field in fields(TextOptions)) - {"stop"}  # LangChain passes ``stop`` as an argument of its own

_queues: WeakValueDictionary[tuple[int, int], RequestQueue] = WeakValueDictionary()  # by the identities of model and tokenizer
_lock = threading.Lock()


def queue_of(pipeline: Any = None, model: Any = None, tokenizer: Any = None) -> RequestQueue:
    """The queue of a model; the same one for the same model and tokenizer.

    Args:
        pipeline: a transformers text-generation pipeline, or LangChain's ``HuggingFacePipeline`` around one.
        model: a transformers model, instead of a pipeline.
        tokenizer: the tokenizer of ``model``.

    Raises:
        ValueError: neither of the two, or both, or a pipeline without model and tokenizer.
        VocabularyError: the tokenizer cannot be read.
    """
    if pipeline is not None:
        if model is not None or tokenizer is not None:
            raise ValueError("give pipeline=, or model= and tokenizer=, not both")
        inner = getattr(pipeline, "pipeline", pipeline)  # HuggingFacePipeline holds a pipeline
        model, tokenizer = getattr(inner, "model", None), getattr(inner, "tokenizer", None)
        if model is None or tokenizer is None:
            raise ValueError(f"pipeline={pipeline!r} has no model and tokenizer: pass a transformers text-generation pipeline")
    elif model is None and tokenizer is None:
        raise ValueError("no model: give pipeline=, or model= and tokenizer=")
    elif model is None or tokenizer is None:
        given, absent = ("tokenizer=", "model=") if model is None else ("model=", "tokenizer=")
        raise ValueError(f"{given} is given without {absent}: give both, or pipeline=")
    with _lock:
        key = id(model), id(tokenizer)  # unique while the queue lives, since the queue holds both
        queue = _queues.get(key)
        if queue is None:
            queue = _queues[key] = RequestQueue(ConstrainedDecoder(model, tokenizer))
        return queue


class LocalModel(BaseModel):
    """The fields of ``RELLM`` and ``ChatRELLM`` that describe a local model and how it writes; see there.

    The names of the options are those of :class:`TextOptions`, which checks their values.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid", populate_by_name=True)

    pipeline: Any = Field(default=None, exclude=True, repr=False)
    model: Any = Field(default=None, exclude=True, repr=False)
    tokenizer: Any = Field(default=None, exclude=True, repr=False)
    max_new_tokens: int = TextOptions.max_new_tokens
    temperature: float = TextOptions.temperature
    top_k: int | None = TextOptions.top_k
    top_p: float | None = TextOptions.top_p
    seed: int | None = None
    spelling: Spelling = TextOptions.spelling
    selection: Selection = TextOptions.selection
    part_tokens: dict[str, int] = Field(default_factory=dict)
    measure: tuple[Measure, ...] = ()
    stop: list[str] | None = None

    _queue: RequestQueue = PrivateAttr()
    _model_type: ClassVar[Literal["chat", "llm"]]

    def model_post_init(self, context: Any, /) -> None:
        """Check the model, and read its tokenizer."""
        super().model_post_init(context)
        self._queue = queue_of(self.pipeline, self.model, self.tokenizer)

    @property
    def model_name(self) -> str:
        """The name of the model, for traces."""
        model = self._queue.decoder.model
        return str(getattr(model.config, "name_or_path", "") or type(model).__name__)

    @classmethod
    def _option_names(cls) -> tuple[str, ...]:
        """The fields that are options of a text, which a call may replace."""
        return tuple(name for name in cls.model_fields if name in _TEXT_OPTIONS)

    def _text_options(self, stop: list[str] | None, changed: dict[str, Any]) -> tuple[tuple[str, ...], TextKeywords]:
        """The stop strings and the options of one call: its own, else those of the model.

        Raises:
            TypeError: ``stop`` is a string, not a list of strings.
        """
        if isinstance(stop, str):
            raise TypeError(f"stop={stop!r}: a list of strings, [{stop!r}]")
        options: TextKeywords = {name: changed.get(name, getattr(self, name)) for name in self._option_names()}  # type: ignore[assignment]  # their names
        return tuple(stop if stop is not None else self.stop or ()), options

    def _refuse_unknown(self, given: Iterable[str], known: Iterable[str], ignored: Iterable[str] = ()) -> None:
        known = (*known, *self._option_names(), "stop")
        if unknown := sorted(set(given) - {*known, *ignored}):
            raise ValueError(f"{type(self).__name__} takes no {', '.join(unknown)} in a call, only {', '.join(known)}")

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        """The description of a call in LangSmith's traces."""
        params = LangSmithParams(
            ls_provider="rellm",
            ls_model_name=kwargs.get("model", self.model_name),
            ls_model_type=self._model_type,
            ls_temperature=float(kwargs.get("temperature", self.temperature)),
            ls_max_tokens=kwargs.get("max_tokens", kwargs.get("max_new_tokens", self.max_new_tokens)),
        )
        if stop := self.stop if stop is None else stop:
            params["ls_stop"] = list(stop)
        return params

    def _pieces(self, prompt: str, pattern: Pattern, options: TextKeywords) -> Iterator[str | Completion]:
        """The pieces of a text while it is written, then its completion; as ``RequestQueue.astream`` for coroutines."""
        yield (yield from self._queue.stream(prompt, pattern, **options))

    async def _acompletion(self, prompt: str, pattern: Pattern, options: TextKeywords) -> Completion:
        async for piece in self._queue.astream(prompt, pattern, **options):
            if isinstance(piece, Completion):
                return piece
        raise AssertionError("the last piece is the completion")
