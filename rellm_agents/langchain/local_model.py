"""Defines what ``RELLM`` and ``ChatRELLM`` share: the fields of a local model, its options, and one decoder for all who use the model.

A decoder caches what it learns about a model: the vocabulary, masks of patterns, prefixes of prompts. So all LangChain objects on one
model share one decoder, behind a queue that decodes simultaneous requests together. Knows nothing of messages or constraints.
"""

from __future__ import annotations

import os
import threading
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self
from weakref import WeakValueDictionary

from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.base import LangSmithParams
from langchain_core.language_models.llms import BaseLLM
from langchain_core.runnables import Runnable, RunnableConfig
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, StrictFloat, StrictInt, ValidationError, field_validator, model_validator

from rellm_agents.decoding import Completion, RequestQueue
from rellm_agents.decoding.generation import Measure, OnBudget, Selection, Spelling, TextKeywords, TextOptions
from rellm_agents.decoding.models import load_model
from rellm_agents.errors import ArgumentValueError, RELLMError
from rellm_agents.langchain.call_options import BUDGET_ALIASES, refusal, seeds_of, with_one_budget
from rellm_agents.langchain.context_overflow import LangChainDecoder
from rellm_agents.langchain.generation_settings import end_ids_of, settings_of
from rellm_agents.patterns import Pattern

_LANGCHAIN_FIELDS = frozenset({*BaseLLM.model_fields, *BaseChatModel.model_fields})  # callbacks, tags ...
_TEXT_OPTIONS = frozenset(field.name for field in fields(TextOptions)) - {"stop"}  # LangChain passes ``stop`` as an argument of its own

_queues: WeakValueDictionary[tuple[int, int], RequestQueue] = WeakValueDictionary()  # by the identities of model and tokenizer
_lock = threading.Lock()


def queue_of(pipeline: Any = None, model: Any = None, tokenizer: Any = None) -> RequestQueue:
    """The queue of a model; the same one for the same model and tokenizer.

    Args:
        pipeline: a transformers text-generation pipeline, or LangChain's ``HuggingFacePipeline`` around one.
        model: a transformers model, instead of a pipeline.
        tokenizer: the tokenizer of ``model``, or a processor that has it.

    Raises:
        ValueError: neither of the two, or both, or a pipeline without model and tokenizer.
        VocabularyError: the tokenizer cannot be read.
    """
    if pipeline is not None:
        if model is not None or tokenizer is not None:
            raise ArgumentValueError.saying('give pipeline=, or model= and tokenizer=, or model="org/name" alone, not both')
        inner = getattr(pipeline, "pipeline", pipeline)  # HuggingFacePipeline holds a pipeline
        model, tokenizer = getattr(inner, "model", None), getattr(inner, "tokenizer", None) or getattr(inner, "processor", None)
        if model is None or tokenizer is None:
            raise ArgumentValueError.saying(
                f"pipeline={pipeline!r} has no model and tokenizer: pass a transformers text-generation pipeline"
            )
    elif model is None and tokenizer is None:
        raise ArgumentValueError.saying(
            'no model: give pipeline=, or model= and tokenizer=, or model="org/name", a name on the hub or a folder'
        )
    elif model is None or tokenizer is None:
        given, absent = ("tokenizer=", "model=") if model is None else ("model=", "tokenizer=")
        raise ArgumentValueError.saying(f"{given} is given without {absent}: give both, or pipeline=")
    if not hasattr(tokenizer, "eos_token_id"):  # a processor has a tokenizer
        tokenizer = getattr(tokenizer, "tokenizer", tokenizer)
    with _lock:
        key = id(model), id(tokenizer)  # unique while the queue lives, since the queue holds both
        queue = _queues.get(key)
        if queue is None:
            queue = _queues[key] = RequestQueue(LangChainDecoder(model, tokenizer))
        return queue


@contextmanager
def own_errors() -> Iterator[None]:
    """Raises what a model raises when it is made as an error of this package, where pydantic wraps it into one of its own.

    Raises:
        ArgumentValueError: the first thing that is wrong.
    """
    try:
        yield
    except ValidationError as error:
        first = error.errors()[0]
        cause = first.get("ctx", {}).get("error")
        raise (cause if isinstance(cause, RELLMError) else ArgumentValueError.saying(str(cause or first["msg"]))) from error


class LocalModel(BaseModel):
    """The fields of ``RELLM`` and ``ChatRELLM`` that describe a local model and how it writes; see there.

    The names of the options are those of :class:`TextOptions`, which checks their values.

    Where they are not given, ``max_new_tokens``, ``temperature``, ``top_k``, ``top_p``, ``min_p``, ``repetition_penalty`` (which counts
    free text, and not the prompt, see :class:`TextOptions`) and ``stop`` are those that the pipeline was made with,
    ``pipeline(..., max_new_tokens=64, do_sample=True, temperature=0.7, stop_sequence="END")``, or that its ``generation_config`` has, or
    else those of ``model.generation_config``. Without ``do_sample`` a model is greedy, whatever its temperature; drawing without a
    temperature is at 1. Other settings that change the texts, such as ``num_beams``, are an error where the
    pipeline was given them, and a warning in the log where ``model.generation_config`` has them. What transformers sets by itself is not
    taken over.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid", populate_by_name=True)

    pipeline: Any = Field(default=None, exclude=True, repr=False)
    model: Any = Field(default=None, exclude=True, repr=False)
    tokenizer: Any = Field(default=None, exclude=True, repr=False)
    max_new_tokens: StrictInt = TextOptions.max_new_tokens
    temperature: StrictFloat = TextOptions.temperature
    top_k: StrictInt | None = TextOptions.top_k
    top_p: StrictFloat | None = TextOptions.top_p
    min_p: StrictFloat | None = TextOptions.min_p
    repetition_penalty: StrictFloat = TextOptions.repetition_penalty
    presence_penalty: StrictFloat = TextOptions.presence_penalty
    frequency_penalty: StrictFloat = TextOptions.frequency_penalty
    logit_bias: dict[int, float] | None = None
    n: StrictInt = 1
    seed: StrictInt | None = None
    spelling: Spelling = TextOptions.spelling
    selection: Selection = TextOptions.selection
    part_tokens: dict[str, int] = Field(default_factory=dict)
    on_budget: OnBudget = TextOptions.on_budget
    max_repeats: StrictInt | None = TextOptions.max_repeats
    measure: tuple[Measure, ...] = ()
    stop: list[str] | None = None

    if TYPE_CHECKING:  # the other names of the budget, for type checkers: there are no such fields
        max_tokens: int = TextOptions.max_new_tokens
        max_completion_tokens: int = TextOptions.max_new_tokens

    _queue: RequestQueue = PrivateAttr()
    _model_type: ClassVar[Literal["chat", "llm"]]

    @model_validator(mode="before")
    @classmethod
    def _known_options(cls, given: Any) -> Any:
        """The given fields by their names here; refuses fields that there are not, and two names of one field with different values."""
        if not isinstance(given, dict):
            return given
        names = {name: field.alias or name for name, field in cls.model_fields.items()}
        if unknown := set(given) - {*names, *names.values(), *BUDGET_ALIASES}:
            own = [name for name in names if name not in _LANGCHAIN_FIELDS]
            raise ArgumentValueError.saying(refusal(cls.__name__, unknown, [*own, *BUDGET_ALIASES]))
        return with_one_budget(given)

    def model_post_init(self, context: Any, /) -> None:
        """Check the model, or load it if it is named, and read its tokenizer and its settings."""
        super().model_post_init(context)
        if isinstance(self.model, (str, os.PathLike)) and self.pipeline is None:
            self.model, loaded = load_model(self.model)
            self.tokenizer = loaded if self.tokenizer is None else self.tokenizer
        self._queue = queue_of(self.pipeline, self.model, self.tokenizer)
        self._take_settings()

    def _take_settings(self) -> None:
        """Take over what the pipeline and the model were set up with, where no argument says otherwise."""
        decoder = self._queue.decoder
        if unknown := sorted(end_ids_of(self.pipeline) - {*decoder.vocabulary.end_ids}):
            raise ArgumentValueError.saying(
                f"the pipeline was made with eos_token_id={unknown[0]}, and texts end with {list(decoder.vocabulary.end_ids)}: set "
                "model.generation_config.eos_token_id before the model is used"
            )
        given = set(self.model_fields_set)
        for name, value in settings_of(self.pipeline, decoder.model).items():
            if name not in given and not (name == "temperature" and self.selection == "exact"):
                setattr(self, name, value)

    @field_validator("stop", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """A copy with lists and dicts of its own, and with the same model, which is neither copied nor loaded again."""
        values = [*vars(self).values(), *(self.__pydantic_private__ or {}).values()]
        shared = {id(one): one for one in values if not isinstance(one, (dict, list))}
        return super().__deepcopy__(shared | (memo or {}))

    def __getstate__(self) -> dict[Any, Any]:
        """Refuses to be pickled.

        Raises:
            TypeError: always.
        """
        name = type(self).__name__
        raise TypeError(f"{name} holds a model and its threads, which are not pickled: where it is needed, make it with {name}(model=path)")

    if not TYPE_CHECKING:  # for type checkers it is that of LangChain's classes, which tell what it returns

        def bind(self, **kwargs: Any) -> Any:
            """This model with options of its calls.

            Raises:
                ValueError: there is no such option: names it, and what to do.
            """
            self._check_names(kwargs)
            return super().bind(**kwargs)

        def configurable_fields(self, **fields: Any) -> Any:
            """This model with fields that a call may set in its config; the budget by any of its names.

            Raises:
                ValueError: there is no such field: names it, and what to do.
            """
            known = type(self).model_fields
            if unknown := set(fields) - {*known, *BUDGET_ALIASES}:
                raise ValueError(refusal(type(self).__name__, unknown, [name for name in known if name not in _LANGCHAIN_FIELDS]))
            return super().configurable_fields(**with_one_budget(fields))

    def _check_names(self, given: Iterable[str]) -> None:
        """Refuse options that a call does not take."""
        raise NotImplementedError

    def _copies(self, changed: Mapping[str, Any], *, streams: bool = False) -> int:
        """How many answers each prompt gets.

        Raises:
            ValueError: fewer than one; or several that would be equal, or would be streamed.
        """
        wanted = changed.get("n", self.n)
        wanted = 1 if wanted is None else wanted
        if not isinstance(wanted, int) or wanted < 1:
            raise ArgumentValueError.saying(f"n={wanted!r}: a number of answers, at least 1")
        if wanted > 1 and streams:
            raise ArgumentValueError.saying(f"n={wanted}: only one answer can be streamed: call generate, or set n=1")
        if wanted > 1 and not changed.get("temperature", self.temperature) and changed.get("selection", self.selection) != "exact":
            raise ArgumentValueError.saying(f"n={wanted} at temperature=0, where all answers are the same: set a temperature, or n=1")
        return wanted

    def batch(self, inputs: list[Any], config: Any = None, *, return_exceptions: bool = False, **kwargs: Any) -> list[Any]:
        """As of all runnables: the answer to each input. Equal inputs have different texts, for any ``seed``: see :func:`seeds_of`."""
        return _EachCall(self).batch(self._calls(inputs, kwargs), config, return_exceptions=return_exceptions)

    async def abatch(self, inputs: list[Any], config: Any = None, *, return_exceptions: bool = False, **kwargs: Any) -> list[Any]:
        """As :meth:`batch`."""
        return await _EachCall(self).abatch(self._calls(inputs, kwargs), config, return_exceptions=return_exceptions)

    def batch_as_completed(
        self, inputs: Sequence[Any], config: Any = None, *, return_exceptions: bool = False, **kwargs: Any
    ) -> Iterator[tuple[int, Any]]:
        """As :meth:`batch`; each answer with its number, as soon as it is there."""
        each: Any = _EachCall(self)  # its overloads tell True from False
        found: Iterator[tuple[int, Any]] = each.batch_as_completed(self._calls(inputs, kwargs), config, return_exceptions=return_exceptions)
        return found

    def abatch_as_completed(
        self, inputs: Sequence[Any], config: Any = None, *, return_exceptions: bool = False, **kwargs: Any
    ) -> AsyncIterator[tuple[int, Any]]:
        """As :meth:`batch_as_completed`."""
        each: Any = _EachCall(self)  # its overloads tell True from False
        found: AsyncIterator[tuple[int, Any]] = each.abatch_as_completed(
            self._calls(inputs, kwargs), config, return_exceptions=return_exceptions
        )
        return found

    def _calls(self, inputs: Sequence[Any], given: dict[str, Any]) -> list[tuple[Any, dict[str, Any]]]:
        """Each input with the options of its call: those that are given, with a seed of its own where it is not the first of its kind."""
        seed = given.get("seed", self.seed)
        seeds: Sequence[int | None] = seeds_of(seed, inputs) or [None] * len(inputs)
        return [(one, given if own == seed else {**given, "seed": own}) for one, own in zip(inputs, seeds, strict=True)]

    @classmethod
    def from_model_id(
        cls,
        model_id: str | os.PathLike[str],
        task: Literal["text-generation", "text2text-generation"] = "text-generation",
        *,
        device: int | str | None = None,
        device_map: Any = None,
        model_kwargs: dict[str, Any] | None = None,
        pipeline_kwargs: dict[str, Any] | None = None,
        progress: bool = True,
        **fields: Any,
    ) -> Self:
        """As ``HuggingFacePipeline.from_model_id``: around the model of a name; ``model="org/name"`` does so without further arguments.

        Args:
            model_id: a name on the Hugging Face hub, the folder of a transformers model, or a ``.gguf`` file.
            task: of a pipeline, ``"text-generation"`` or ``"text2text-generation"``; the model's own configuration says which it is.
            device: where the model is put, such as ``"cuda"`` or ``0``; default: where transformers puts it.
            device_map: how transformers spreads the model over devices, such as ``"auto"``.
            model_kwargs: for ``from_pretrained``: ``{"dtype": "bfloat16", "revision": ...}``.
            pipeline_kwargs: settings that a pipeline takes, ``{"max_new_tokens": 64, "temperature": 0.7, "do_sample": True}``.
            progress: show the progress of downloading and loading.
            **fields: of this class; they win over settings.

        Raises:
            ModelNotFound: there is no such model, or transformers cannot load it.
            ValueError: another task; both ``device`` and ``device_map``; a setting that has no counterpart here.
        """
        if task not in ("text-generation", "text2text-generation"):
            raise ArgumentValueError.saying(f"task={task!r}: 'text-generation' or 'text2text-generation'")
        if device not in (None, -1) and device_map is not None:
            raise ArgumentValueError.saying(f"device={device!r} and device_map={device_map!r} both say where the model is: give one")
        mapped = {} if device_map is None else {"device_map": device_map}
        model, tokenizer = load_model(model_id, model_kwargs={**(model_kwargs or {}), **mapped}, device=device, progress=progress)
        if pipeline_kwargs is None:
            return cls(model=model, tokenizer=tokenizer, **fields)
        return cls(pipeline=SimpleNamespace(model=model, tokenizer=tokenizer, pipeline_kwargs=pipeline_kwargs), **fields)

    @property
    def _processor_template(self) -> str | None:
        """The chat template of a processor that was given in place of its tokenizer, if it has one."""
        inner = getattr(self.pipeline, "pipeline", self.pipeline)
        text = getattr(self.tokenizer or getattr(inner, "processor", None), "chat_template", None)
        return text if isinstance(text, str) else None

    @property
    def has_chat_template(self) -> bool:
        """Whether the tokenizer, or the processor that has it, brings a chat template."""
        return bool(self._queue.decoder.tokenizer.chat_template or self._processor_template)

    @property
    def queue(self) -> RequestQueue:
        """The queue in which the texts of this model, and of all LangChain objects on it, are written."""
        return self._queue

    @property
    def model_name(self) -> str:
        """The name of the model, for traces."""
        model = self._queue.decoder.model
        return str(getattr(model.config, "name_or_path", "") or type(model).__name__)

    @property
    def _model_identity(self) -> dict[str, str]:
        """What tells this model from others, for caches: two of one name may have other weights, adapters or tokens."""
        return {"model_name": self.model_name, "model": self._queue.decoder.engine.identity}

    def get_token_ids(self, text: str) -> list[int]:
        """The token ids of a text, without the special tokens that the tokenizer adds around texts."""
        ids: list[int] = self._queue.decoder.tokenizer.encode(text, add_special_tokens=False)
        return ids

    @classmethod
    def _option_names(cls) -> tuple[str, ...]:
        """The fields that are options of a text, which a call may replace."""
        return tuple(name for name in cls.model_fields if name in _TEXT_OPTIONS)

    def _text_options(self, stop: list[str] | None, changed: dict[str, Any]) -> tuple[tuple[str, ...], TextKeywords]:
        """The stop strings and the options of one call: its own, else those of the model."""
        if isinstance(stop, str):
            stop = [stop]
        options: TextKeywords = {name: changed.get(name, getattr(self, name)) for name in self._option_names()}  # type: ignore[assignment]  # their names
        return tuple(stop if stop is not None else self.stop or ()), options

    def _refuse_unknown(self, given: Iterable[str], known: Iterable[str], ignored: Iterable[str] = ()) -> None:
        known = (*known, *self._option_names(), "n", "stop")
        if unknown := set(given) - {*known, *ignored}:
            raise ArgumentValueError.saying(refusal(f"a call of {type(self).__name__}", unknown, known))

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        """The description of a call in LangSmith's traces."""
        params = LangSmithParams(
            ls_provider="rellm",
            ls_model_name=kwargs.get("model", self.model_name),
            ls_model_type=self._model_type,
            ls_temperature=float(kwargs.get("temperature", self.temperature)),
            ls_max_tokens=next((kwargs[name] for name in (*BUDGET_ALIASES, "max_new_tokens") if name in kwargs), self.max_new_tokens),
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


class _EachCall(Runnable[tuple[Any, dict[str, Any]], Any]):
    """A model that is called with an input and the options of that call, so that the calls of a batch may differ."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def invoke(self, input: tuple[Any, dict[str, Any]], config: RunnableConfig | None = None, **_: Any) -> Any:  # noqa: A002 - its name there
        return self._model.invoke(input[0], config, **input[1])

    async def ainvoke(self, input: tuple[Any, dict[str, Any]], config: RunnableConfig | None = None, **_: Any) -> Any:  # noqa: A002
        return await self._model.ainvoke(input[0], config, **input[1])
