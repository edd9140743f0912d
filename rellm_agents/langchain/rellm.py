"""Defines ``RELLM``, a LangChain language model on a local transformers model whose every text matches a pattern.

It is the successor of ``langchain_experimental.llms.RELLM``. The constructor is the same, but the regex is enforced, ``stop`` works,
the text does not repeat the prompt, and a token costs at most one forward pass instead of a pass over the whole prompt.

    llm = RELLM(pipeline=pipeline("text-generation", model=...), regex=r"(yes|no)", max_new_tokens=5)
    llm.invoke("Is water wet? ")
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from operator import is_
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import regex as regex_module
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import LanguageModelInput
from langchain_core.language_models.llms import BaseLLM
from langchain_core.outputs import Generation, GenerationChunk, LLMResult
from langchain_core.prompt_values import ChatPromptValue, PromptValue
from pydantic import Field, SkipValidation, StrictInt, field_validator

from rellm_agents.decoding import Completion
from rellm_agents.decoding.generation import TextKeywords
from rellm_agents.errors import ArgumentValueError
from rellm_agents.formats import ActionFormat
from rellm_agents.json_schema import SchemaLike, compile_schema
from rellm_agents.langchain.agents import StepOptions, checked_format
from rellm_agents.langchain.call_options import BUDGET_ALIASES, seeds_of, token_usage, with_one_budget
from rellm_agents.langchain.chat import with_text
from rellm_agents.langchain.local_model import LocalModel
from rellm_agents.langchain.measured_metadata import LOGPROBS, how_it_ended, measure_logprobs, measured_metadata
from rellm_agents.langchain.model_reader import ModelReader
from rellm_agents.langchain.model_schema import Validators, schema_of_type
from rellm_agents.langchain.output_parsers import compile_parser
from rellm_agents.patterns import Pattern, RegexLike, compile_regex
from rellm_agents.patterns.regex_parser import ACCEPTED

_log = logging.getLogger(__name__)

_CONSTRAINTS = ("regex", "pattern", "json_schema", "parser", "format")
_ALIASES = {"schema": "json_schema"}


@dataclass(frozen=True)
class BegunText:
    """A text that is to be written.

    Attributes:
        prompt: before it.
        pattern: that it matches.
        options: of the decoder.
        info: says of the completion what ``generation_info`` says.
    """

    prompt: str
    pattern: Pattern
    options: TextKeywords
    info: Callable[[Completion], dict[str, Any]]


class RELLM(LocalModel, BaseLLM):
    """A local model whose texts match a regex, a pattern, a schema, an output parser or an action format.

    Exactly one of ``regex``, ``pattern``, ``schema``, ``parser`` and ``format`` is given. Every field but the model can be replaced for
    a call, e.g. with ``llm.bind(regex=...)``. The model goes on behind the prompt as it is, without a chat template: a model that was
    trained on chats answers better behind ``ChatRELLM``, or behind a prompt that shows by examples what is wanted. Where there is a
    template, the log says so, at level INFO.

    Args:
        pipeline: a transformers text-generation pipeline, or LangChain's ``HuggingFacePipeline`` around one.
        model: a transformers model, instead of a pipeline; or a name on the Hugging Face hub or the folder of a model, which is loaded with
            its tokenizer: see :meth:`from_model_id`.
        tokenizer: the tokenizer of ``model``, or a processor that has it.
        regex: regex text in the dialect of the ``regex`` module, or a pattern that ``regex.compile`` or ``re.compile`` made; the whole
            completion matches it.
        pattern: a compiled pattern.
        json_schema: a JSON Schema, or a type that pydantic can describe, as for :func:`rellm_agents.compile_schema`; also ``schema``.
            Objects that declare properties have no undeclared ones.
        validators: of a type: ``"check"``: they are asked when its text is complete, and raise LangChain's ``OutputParserException``, with
            the text and the field, where they refuse it; so are the conditions that no schema says. ``"refuse"``: such a type is an error
            now. For ``parser``, as for :func:`rellm_agents.langchain.compile_parser`.
        parser: a LangChain output parser, as for :func:`rellm_agents.langchain.compile_parser`.
        format: an action format; completions are read by its LangChain parser.
        max_new_tokens: the budget in tokens, end of text included; also ``max_tokens`` or ``max_completion_tokens``. The text is always
            finished within it.
        temperature: 0 for greedy decoding; else tokens are drawn at this temperature.
        top_k, top_p, min_p: draw from the likeliest tokens only.
        repetition_penalty, presence_penalty, frequency_penalty: make tokens less likely that the free text of this text holds already: what
            the pattern leaves open. Neither the prompt, nor names, quotes and members of enums count, and none of these is changed.
        logit_bias: is added to the scores of tokens, by their ids, wherever one of several tokens is chosen.
        n: how many answers each prompt gets: ``generate`` returns all of them, ``invoke`` the first.
        seed: makes drawing repeatable. Equal prompts of a batch, and the ``n`` answers to one, have different texts, always the same ones.
        spelling: ``"canonical"``: names, members of enums and forced text consist of the tokens that the tokenizer itself would produce for
            them; ``"any"``: of any tokens, as free text does either way.
        selection: how one of several literals is chosen, such as the members of an enum: ``"greedy"``: token by token; ``"likeliest"``: the
            most probable as a whole; ``"exact"``: drawn by its probability as a whole.
        healing: a token may span the end of the prompt and the beginning of the text.
        on_budget: what happens where the budget closes a text: ``"warn"``, ``"raise"`` (``ClosedByBudget``) or ``"close"``; metadata say
            ``"stop_reason": "budget"`` in any case, and the value under ``closed_at``.
        max_repeats: a text that ends in the same piece this many times in a row is closed the shortest way; its ``stop_reason`` is then
            ``"repetition"``.
        part_tokens: budgets of named parts of the pattern. In formats ``"thought"``, and ``"input"`` where it may be any text, have half of
            the whole budget each by default, so that neither takes all of it: ``{"input": 200}`` gives it another one.
        measure: what is measured of each text, and put into its ``generation_info``: ``"kept"``, ``"fields"``, ``"logprobs"``, see
            :class:`rellm_agents.decoding.Completion`; of ``"trace"`` its summary.
        stop: a completion ends before the first of these strings, or this string. With a format, a stop string only counts where the
            step is complete, so that no step is cut.

    Where they are not given, ``max_new_tokens``, ``temperature``, ``top_k``, ``top_p`` and ``stop`` are those that the pipeline or the
    model was set up with: see :class:`rellm_agents.langchain.local_model.LocalModel`.

    Raises:
        pydantic.ValidationError: a ``ValueError`` that names the cause: none or several of the five constraints; a regex outside the
            dialect, with the position; a flag of a compiled regex that has no counterpart here; a pipeline without model and tokenizer,
            or with a tokenizer that cannot be read.
    """

    model_config = LocalModel.model_config  # else that of BaseLLM would prevail

    regex: SkipValidation[RegexLike | None] = None  # pydantic would compile text
    pattern: Pattern | None = None
    json_schema: Any = Field(default=None, alias="schema")
    if TYPE_CHECKING:  # for type checkers, to whom a field has one name only
        _json_schema_by_name: Any = Field(default=None, alias="json_schema")
    parser: Any = Field(default=None, exclude=True)
    format: ActionFormat | None = Field(default=None, exclude=True)
    validators: Validators = "check"
    max_new_tokens: StrictInt = 200
    healing: bool = True

    _model_type: ClassVar[Literal["chat", "llm"]] = "llm"

    def model_post_init(self, context: Any, /) -> None:
        """Check the fields, and read the tokenizer."""
        super().model_post_init(context)
        if self._queue.decoder.tokenizer.chat_template:
            _log.info("%s has a chat template, and the prompts of RELLM go without it: ChatRELLM applies it", self.model_name)
        self._constraint({})

    @field_validator("format", mode="before")
    @classmethod
    def _made_format(cls, value: Any) -> Any:
        return value if value is None else checked_format(value)

    @property
    def _llm_type(self) -> str:
        return "rellm"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        """The fields that the text depends on, for caches and traces."""
        pattern, _ = self._request(None, {})  # stop strings may extend the pattern of a format
        return {
            **self._model_identity,
            "pattern": pattern.fingerprint,
            "default_stop": self.stop,
            **{name: getattr(self, name) for name in (*self._option_names(), "n")},
        }

    def predict(self, text: str, *, stop: Sequence[str] | None = None, **kwargs: Any) -> str:
        """An alias of :meth:`invoke`, the method that users of ``langchain_experimental`` call.

        Args:
            text: the prompt.
            stop: the text ends before the first of these strings.
            **kwargs: further arguments of ``invoke``: ``config``, and fields that are replaced for this call.

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

    def _convert_input(self, model_input: LanguageModelInput) -> PromptValue:
        """The prompt; of messages, all that :func:`text_of` reads or refuses, where LangChain would leave out what is no text."""
        prompt = super()._convert_input(model_input)
        messages = prompt.to_messages()
        texts = [with_text(message, number) for number, message in enumerate(messages, start=1)]
        return prompt if all(map(is_, texts, messages)) else ChatPromptValue(messages=texts)

    def batch(self, inputs: list[LanguageModelInput], config: Any = None, *, return_exceptions: bool = False, **kwargs: Any) -> list[str]:
        """As ``BaseLLM.batch``; with ``return_exceptions`` each prompt fails for itself alone. Equal prompts have different texts."""
        if return_exceptions or _is_bounded(config):
            return super().batch(inputs, config, return_exceptions=return_exceptions, **kwargs)
        return BaseLLM.batch(self, inputs, config, **kwargs)

    async def abatch(
        self, inputs: list[LanguageModelInput], config: Any = None, *, return_exceptions: bool = False, **kwargs: Any
    ) -> list[str]:
        """As :meth:`batch`."""
        if return_exceptions or _is_bounded(config):
            return await super().abatch(inputs, config, return_exceptions=return_exceptions, **kwargs)
        return await BaseLLM.abatch(self, inputs, config, **kwargs)

    def begin(self, prompts: Sequence[str], *, stop: list[str] | None = None, **options: Any) -> list[BegunText]:
        """The texts that a call asks for, ``n`` after each prompt, none of them begun: for callers who write them in the queue themselves.

        Args:
            prompts: each is gone on with.
            stop: a text ends before the first of these strings.
            **options: of a call; also ``logprobs`` and ``top_logprobs``, as ``ChatRELLM`` takes them.

        Raises:
            ValueError: as ``invoke``, before anything is written.
        """
        texts = [prompt for prompt in prompts for _ in range(self._copies(options))]
        asked = {name: options.pop(name, None) for name in LOGPROBS}
        pattern, how = self._request(stop, {name: value for name, value in options.items() if name != "n"})
        info = partial(self._generation_info, likeliest=measure_logprobs(how, asked))
        seeds: Sequence[int | None] = seeds_of(options.get("seed", self.seed), texts) or [None] * len(texts)
        return [BegunText(prompt, pattern, {**how, "seed": seed}, info) for prompt, seed in zip(texts, seeds, strict=True)]

    def generate(self, prompts: list[str], *args: Any, **kwargs: Any) -> LLMResult:
        """As ``BaseLLM.generate``; the fields that a call replaces become part of the cache key."""
        model, kwargs = self._changed(kwargs)
        return BaseLLM.generate(model, prompts, *args, **kwargs)

    async def agenerate(self, prompts: list[str], *args: Any, **kwargs: Any) -> LLMResult:
        """As :meth:`generate`."""
        model, kwargs = self._changed(kwargs)
        return await BaseLLM.agenerate(model, prompts, *args, **kwargs)

    def _changed(self, kwargs: dict[str, Any]) -> tuple[RELLM, dict[str, Any]]:
        """This model with the fields that a call replaces, and the other arguments; LangChain's cache keys depend on fields only."""
        kwargs = with_one_budget({_ALIASES.get(name, name): value for name, value in kwargs.items()})
        changed = {name: kwargs[name] for name in (*_CONSTRAINTS, "validators", "n", *self._option_names()) if name in kwargs}
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
        copies = self._copies(kwargs)
        if len(prompts) == copies == 1:
            return self._result([self._queue.generate(prompts[0], pattern, **options)], self._reader(kwargs))
        texts = [prompt for prompt in prompts for _ in range(copies)]
        options["seed"] = seeds_of(kwargs.get("seed", self.seed), texts)
        return self._result(self._queue.decoder.generate(texts, pattern, **options), self._reader(kwargs), copies)

    async def _agenerate(
        self,
        prompts: list[str],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002  # tokens are reported by _astream
        **kwargs: Any,
    ) -> LLMResult:
        if len(prompts) > 1 or self._copies(kwargs) > 1:
            return await asyncio.to_thread(self._generate, prompts, stop, None, **kwargs)
        pattern, options = await asyncio.to_thread(self._request, stop, kwargs)
        return self._result([await self._acompletion(prompts[0], pattern, options)], self._reader(kwargs))

    def _stream(
        self, prompt: str, stop: list[str] | None = None, run_manager: CallbackManagerForLLMRun | None = None, **kwargs: Any
    ) -> Iterator[GenerationChunk]:
        self._copies(kwargs, streams=True)
        pattern, options = self._request(stop, kwargs)
        reader = self._reader(kwargs)
        for piece in self._pieces(prompt, pattern, options):
            chunk = self._chunk(piece, reader)
            if run_manager and isinstance(piece, str):
                run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk

    async def _astream(
        self, prompt: str, stop: list[str] | None = None, run_manager: AsyncCallbackManagerForLLMRun | None = None, **kwargs: Any
    ) -> AsyncIterator[GenerationChunk]:
        self._copies(kwargs, streams=True)
        pattern, options = await asyncio.to_thread(self._request, stop, kwargs)
        reader = self._reader(kwargs)
        async for piece in self._queue.astream(prompt, pattern, **options):
            chunk = self._chunk(piece, reader)
            if run_manager and isinstance(piece, str):
                await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk

    def _result(self, completions: Sequence[Completion], reader: ModelReader | None, copies: int = 1) -> LLMResult:
        for completion in completions:
            _check(completion, reader)
        infos = list(map(self._generation_info, completions))
        given, written = sum(info["prompt_tokens"] for info in infos[::copies]), sum(info["tokens"] for info in infos)
        made = [Generation(text=c.text, generation_info=info) for c, info in zip(completions, infos, strict=True)]
        return LLMResult(
            generations=[made[at : at + copies] for at in range(0, len(made), copies)],
            llm_output={"model_name": self.model_name, "token_usage": token_usage(given, written)},
        )

    def _chunk(self, piece: str | Completion, reader: ModelReader | None) -> GenerationChunk:
        """A piece of the text, or at its end the record of how it was written."""
        if isinstance(piece, str):
            return GenerationChunk(text=piece)
        _check(piece, reader)
        return GenerationChunk(text="", generation_info=self._generation_info(piece))

    def _generation_info(self, completion: Completion, likeliest: int = 0) -> dict[str, Any]:
        return {
            **how_it_ended(completion),
            "prompt_tokens": completion.prompt_tokens,
            "tokens": len(completion.token_ids),
            "forward_passes": completion.forward_passes,
            **measured_metadata(completion, self._queue.decoder.vocabulary.shown_bytes, likeliest),
        }

    def _constraint(self, changed: dict[str, Any]) -> tuple[Pattern, ActionFormat | None]:
        """The pattern of the one constraint, of this call or else of this model; and the format, if the constraint is one."""
        fields = changed if any(changed.get(name) is not None for name in _CONSTRAINTS) else {n: getattr(self, n) for n in _CONSTRAINTS}
        given = {name: fields[name] for name in _CONSTRAINTS if fields.get(name) is not None}
        if len(given) != 1:
            names = (name.removeprefix("json_") for name in _CONSTRAINTS)
            raise ArgumentValueError.saying(f"give exactly one of {', '.join(names)}, not {', '.join(given) or 'none'}")
        match given:
            case {"regex": str() | re.Pattern() | regex_module.Pattern() as text}:
                return compile_regex(text), None
            case {"pattern": Pattern() as pattern}:
                return pattern, None
            case {"json_schema": schema}:
                if _is_type(schema):
                    schema_of_type(schema, validators=changed.get("validators", self.validators))
                return self._schema_pattern(schema), None
            case {"parser": parser}:
                return compile_parser(parser, validators=changed.get("validators", self.validators)), None
            case {"format": ActionFormat() as format_}:
                return format_.pattern, format_
        ((name, value),) = given.items()
        accepted = {"regex": ACCEPTED, "pattern": "a Pattern, as compile_regex makes one", "format": "an action format, as react(tools)"}
        raise ArgumentValueError.saying(f"{name}={value!r} is of the wrong type: {accepted[name]}, not {type(value).__name__}")

    def _reader(self, changed: dict[str, Any]) -> ModelReader | None:
        """What reads the texts of this call, if they are of a type that may refuse some of them."""
        given = changed if any(changed.get(name) is not None for name in (*_CONSTRAINTS, *_ALIASES)) else {"json_schema": self.json_schema}
        source = given.get("json_schema", given.get("schema"))
        return ModelReader(source) if _is_type(source) and schema_of_type(source)[1] else None

    def _schema_pattern(self, schema: SchemaLike) -> Pattern:
        return compile_schema(schema, closed=True)

    def _check_names(self, given: Iterable[str]) -> None:
        self._refuse_unknown(given, (*_CONSTRAINTS, *_ALIASES, *BUDGET_ALIASES, "validators"))

    def _request(self, stop: list[str] | None, changed: dict[str, Any]) -> tuple[Pattern, TextKeywords]:
        """The pattern and the options of a call."""
        changed = with_one_budget({_ALIASES.get(name, name): value for name, value in changed.items()})
        strings, options = self._text_options(stop, changed)
        self._check_names(changed)
        pattern, format_ = self._constraint(changed)
        if format_ is None:
            options["stop"] = strings
            return pattern, options
        step = StepOptions.of(format_, strings, options["max_new_tokens"])
        options["part_tokens"] = {**step.part_tokens, **options["part_tokens"]}
        options["stop"], options["stop_behind"] = step.stop, format_.pattern
        return step.pattern, options


def _is_bounded(config: Any) -> bool:
    """Whether a batch is to be answered in several pieces."""
    first = config[0] if isinstance(config, Sequence) and config else config
    return bool(first and first.get("max_concurrency"))


def _is_type(schema: SchemaLike) -> bool:
    return not isinstance(schema, (dict, bool, str, PurePath)) and schema is not None


def _check(completion: Completion, reader: ModelReader | None) -> None:
    """Refuse a text that its type refuses, unless a stop string has cut it."""
    if reader is not None and completion.finish != "stopped":
        reader.read(completion.text)
