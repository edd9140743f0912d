"""This module makes a LangChain language model of a transformers pipeline and a pattern, which each of its texts matches.

The successor of ``langchain_experimental.llms.RELLM``: the same constructor, but the regex is enforced, ``stop`` is
honoured, the prompt is not repeated, and a token costs one forward pass at most instead of a whole prompt.

    llm = RELLM(pipeline=pipeline("text-generation", model=...), regex=r"(yes|no)", max_new_tokens=5)
    llm.invoke("Is water wet? ")
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from functools import lru_cache
from typing import Any

import regex as regex_module
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models.base import LangSmithParams
from langchain_core.language_models.llms import BaseLLM
from langchain_core.outputs import Generation, GenerationChunk, LLMResult
from pydantic import ConfigDict, Field, PrivateAttr, SkipValidation

from rellm_agents.decoding import Completion, RequestQueue
from rellm_agents.decoding.generation import Spelling, TextKeywords
from rellm_agents.formats import ActionFormat
from rellm_agents.json_schema import SchemaLike, compile_schema
from rellm_agents.langchain.local_model import langsmith_params, model_name_of, queue_of
from rellm_agents.langchain.output_parsers import compile_parser
from rellm_agents.patterns import Pattern, RegexLike, choice, compile_regex, literal, optional, sequence
from rellm_agents.patterns.regex_parser import ACCEPTED

_CONSTRAINTS = ("regex", "pattern", "json_schema", "parser", "format")
_ALIASES = {"schema": "json_schema"}
_SAMPLING = ("max_new_tokens", "temperature", "top_k", "top_p", "seed", "spelling", "healing", "part_tokens")


class RELLM(BaseLLM):
    """A local model held to a regex, a pattern, a schema, an output parser or an action format.

    Exactly one of ``regex``, ``pattern``, ``schema``, ``parser`` and ``format`` is given. Every field but the model can be replaced for
    a call, e.g. with ``llm.bind(regex=...)``.

    Args:
        pipeline: a transformers text-generation pipeline, or LangChain's ``HuggingFacePipeline`` around one.
        model: a transformers model, instead of a pipeline.
        tokenizer: that of ``model``.
        regex: regex text in the dialect of the ``regex`` module, or what ``regex.compile`` or ``re.compile`` made of one; the whole
            completion matches it.
        pattern: a compiled pattern.
        json_schema: a JSON Schema, or a type that pydantic can describe, as for :func:`rellm_agents.compile_schema`; also ``schema``.
            Objects that declare properties hold no others.
        parser: a LangChain output parser, as for :func:`rellm_agents.langchain.compile_parser`.
        format: an action format; completions are read by its LangChain parser.
        max_new_tokens: the budget in tokens, end of text included. The text is always finished within it.
        temperature: 0: greedy; else tokens are drawn.
        top_k, top_p: draw from the likeliest tokens only.
        seed: makes drawing repeatable.
        spelling: ``"canonical"``: text is written with the tokens that the tokenizer itself writes it with; ``"any"``: with any.
        healing: a token may span the end of the prompt and the beginning of the text.
        part_tokens: budgets of named parts of the pattern, ``{"thought": 64}`` in formats that begin with a thought.
        stop: a completion ends before the first of these strings. With a format, a stop string only counts where the
            step is complete, so that no step is cut.

    Raises:
        pydantic.ValidationError: a ``ValueError`` that tells the cause: none or several of ``regex``, ``pattern`` and
            ``format``; a regex outside the dialect, with the place; a flag of a compiled one that has no counterpart, by its name; a
            pipeline without model and tokenizer, or with a tokenizer that cannot be read.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid", populate_by_name=True)

    pipeline: Any = Field(default=None, exclude=True, repr=False)
    model: Any = Field(default=None, exclude=True, repr=False)
    tokenizer: Any = Field(default=None, exclude=True, repr=False)
    regex: SkipValidation[RegexLike | None] = None  # pydantic would compile a text
    pattern: Pattern | None = None
    json_schema: Any = Field(default=None, alias="schema")
    parser: Any = Field(default=None, exclude=True)
    format: ActionFormat | None = Field(default=None, exclude=True)
    max_new_tokens: int = 200
    temperature: float = 0.0
    top_k: int | None = None
    top_p: float | None = None
    seed: int | None = None
    spelling: Spelling = "canonical"
    healing: bool = True
    part_tokens: dict[str, int] = Field(default_factory=dict)
    stop: list[str] | None = None

    _queue: RequestQueue = PrivateAttr()

    def model_post_init(self, context: Any, /) -> None:
        """Check what was given, and read the tokenizer."""
        super().model_post_init(context)
        self._queue = queue_of(self.pipeline, self.model, self.tokenizer)
        self._constraint({})

    @property
    def _llm_type(self) -> str:
        return "rellm"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        """What the text depends on, for caches and traces."""
        pattern, _ = self._request(None, {})  # a format may end otherwise than its pattern by itself
        return {
            "model_name": self._model_name,
            "pattern": pattern.fingerprint,
            "default_stop": self.stop,
            **{name: getattr(self, name) for name in _SAMPLING},
        }

    @property
    def _model_name(self) -> str:
        return model_name_of(self._queue)

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        return langsmith_params(
            kwargs.get("model", self._model_name),
            "llm",
            temperature=kwargs.get("temperature", self.temperature),
            max_tokens=kwargs.get("max_new_tokens", self.max_new_tokens),
            stop=self.stop if stop is None else stop,
        )

    def predict(self, text: str, *, stop: Sequence[str] | None = None, **kwargs: Any) -> str:
        """An alias of :meth:`invoke`, as the wrappers of ``langchain_experimental`` are called.

        Args:
            text: the prompt.
            stop: the text ends before the first of these strings.
            **kwargs: what ``invoke`` takes: ``config``, and fields that are replaced for this call.

        Returns:
            The text, without the prompt.

        Raises:
            ValueError, TypeError: as :meth:`invoke`.

        >>> from rellm_agents.decoding import smollm2
        >>> model, tokenizer = smollm2(progress=False)  # doctest: +SKIP
        >>> RELLM(model=model, tokenizer=tokenizer, regex="yes|no").predict("Is water wet? ")  # doctest: +SKIP
        'yes'
        """
        return self.invoke(text, stop=stop if stop is None or isinstance(stop, str) else list(stop), **kwargs)  # type: ignore[arg-type]

    def generate(self, prompts: list[str], *args: Any, **kwargs: Any) -> LLMResult:
        """As for any LangChain language model; what a call changes becomes part of what is cached."""
        model, kwargs = self._changed(kwargs)
        return BaseLLM.generate(model, prompts, *args, **kwargs)

    async def agenerate(self, prompts: list[str], *args: Any, **kwargs: Any) -> LLMResult:
        """As :meth:`generate`."""
        model, kwargs = self._changed(kwargs)
        return await BaseLLM.agenerate(model, prompts, *args, **kwargs)

    def _changed(self, kwargs: dict[str, Any]) -> tuple[RELLM, dict[str, Any]]:
        """This model with the fields that a call replaces, and the rest of the call: LangChain's caches only look at fields."""
        kwargs = {_ALIASES.get(name, name): value for name, value in kwargs.items()}
        changed = {name: kwargs[name] for name in (*_CONSTRAINTS, *_SAMPLING) if name in kwargs}
        rest = {name: value for name, value in kwargs.items() if name not in changed}
        if any(changed.get(name) is not None for name in _CONSTRAINTS):
            changed = {**dict.fromkeys(_CONSTRAINTS), **changed}
        return (self.model_copy(update=changed) if changed else self), rest

    def _generate(
        self,
        prompts: list[str],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002  # tokens are reported by _stream
        **kwargs: Any,
    ) -> LLMResult:
        pattern, options = self._request(stop, kwargs)
        completions = (
            [self._queue.generate(prompts[0], pattern, **options)]
            if len(prompts) == 1
            else self._queue.decoder.generate(prompts, pattern, **options)
        )
        return self._result(completions)

    async def _agenerate(
        self,
        prompts: list[str],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002  # tokens are reported by _astream
        **kwargs: Any,
    ) -> LLMResult:
        if len(prompts) > 1:
            return await asyncio.to_thread(self._generate, prompts, stop, None, **kwargs)
        pattern, options = await asyncio.to_thread(self._request, stop, kwargs)
        async for piece in self._queue.astream(prompts[0], pattern, **options):
            if isinstance(piece, Completion):
                return self._result([piece])
        raise AssertionError("the last piece is the completion")

    def _stream(
        self, prompt: str, stop: list[str] | None = None, run_manager: CallbackManagerForLLMRun | None = None, **kwargs: Any
    ) -> Iterator[GenerationChunk]:
        pattern, options = self._request(stop, kwargs)
        pieces = self._queue.stream(prompt, pattern, **options)
        while True:
            try:
                chunk = GenerationChunk(text=next(pieces))
            except StopIteration as end:
                yield GenerationChunk(text="", generation_info=_facts(end.value))
                return
            if run_manager:
                run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk

    async def _astream(
        self, prompt: str, stop: list[str] | None = None, run_manager: AsyncCallbackManagerForLLMRun | None = None, **kwargs: Any
    ) -> AsyncIterator[GenerationChunk]:
        pattern, options = await asyncio.to_thread(self._request, stop, kwargs)
        async for piece in self._queue.astream(prompt, pattern, **options):
            if isinstance(piece, Completion):
                yield GenerationChunk(text="", generation_info=_facts(piece))
                return
            chunk = GenerationChunk(text=piece)
            if run_manager:
                await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk

    def _result(self, completions: Sequence[Completion]) -> LLMResult:
        facts = list(map(_facts, completions))
        given, written = (sum(fact[name] for fact in facts) for name in ("prompt_tokens", "tokens"))
        return LLMResult(
            generations=[[Generation(text=c.text, generation_info=fact)] for c, fact in zip(completions, facts, strict=True)],
            llm_output={
                "model_name": self._model_name,
                "token_usage": {"prompt_tokens": given, "completion_tokens": written, "total_tokens": given + written},
            },
        )

    def _constraint(self, changed: dict[str, Any]) -> tuple[Pattern, ActionFormat | None]:
        """The one constraint that holds: of this call, else of this model."""
        fields = changed if any(changed.get(name) is not None for name in _CONSTRAINTS) else {n: getattr(self, n) for n in _CONSTRAINTS}
        given = {name: fields[name] for name in _CONSTRAINTS if fields.get(name) is not None}
        if len(given) != 1:
            names = (name.removeprefix("json_") for name in _CONSTRAINTS)
            raise ValueError(f"give exactly one of {', '.join(names)}, not {', '.join(given) or 'none'}")
        match given:
            case {"regex": str() | re.Pattern() | regex_module.Pattern() as text}:
                return compile_regex(text), None
            case {"pattern": Pattern() as pattern}:
                return pattern, None
            case {"json_schema": schema}:
                return self._of_schema(schema), None
            case {"parser": parser}:
                return compile_parser(parser), None
            case {"format": ActionFormat() as format_}:
                return format_.pattern, format_
        ((name, value),) = given.items()
        accepted = {"regex": ACCEPTED, "pattern": "a Pattern, as compile_regex makes one", "format": "an action format, as react(tools)"}
        raise ValueError(f"{name}={value!r} is of the wrong type: {accepted[name]}, not {type(value).__name__}")

    def _of_schema(self, schema: SchemaLike) -> Pattern:
        """The texts of a schema."""
        return compile_schema(schema, closed=True)

    def _request(self, stop: list[str] | None, changed: dict[str, Any]) -> tuple[Pattern, TextKeywords]:
        if isinstance(stop, str):
            raise TypeError(f"stop={stop!r}: a list of strings, [{stop!r}]")
        changed = {_ALIASES.get(name, name): value for name, value in changed.items()}
        unknown = sorted(set(changed) - {*_CONSTRAINTS, *_SAMPLING})
        if unknown:
            raise ValueError(f"RELLM takes no {', '.join(unknown)} in a call, only {', '.join((*_CONSTRAINTS, *_SAMPLING, 'stop'))}")
        pattern, format_ = self._constraint(changed)
        strings = tuple(stop if stop is not None else self.stop or ())
        options: TextKeywords = {name: changed.get(name, getattr(self, name)) for name in _SAMPLING}  # type: ignore[assignment]  # the names are those of the options
        if format_ is None:
            options["stop"] = strings
        elif format_.ends_open:
            strings = tuple(dict.fromkeys((*format_.stop, *strings)))
            pattern = _that_may_stop(pattern, strings)
            options["stop"], options["stop_behind"] = strings, format_.pattern
        return pattern, options


@lru_cache(maxsize=64)
def _that_may_stop(pattern: Pattern, stop: Sequence[str]) -> Pattern:
    """Texts of ``pattern``, a stop string behind them or not: where free text ends, a model says so with what it would write next."""
    return Pattern(sequence(pattern.node, optional(choice(*map(literal, stop)))))


def _facts(completion: Completion) -> dict[str, Any]:
    """How a text was written."""
    return {
        "finish": completion.finish,
        "prompt_tokens": completion.prompt_tokens,
        "tokens": len(completion.token_ids),
        "forward_passes": completion.forward_passes,
    }
