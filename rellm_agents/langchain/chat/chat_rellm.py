"""Defines ``ChatRELLM``, a LangChain chat model on a local transformers model: every tool call and every typed answer is valid.

    model = ChatRELLM(pipeline=pipeline("text-generation", model=...))
    model.bind_tools([search]).invoke("Will it rain in Oslo?").tool_calls
    model.with_structured_output(Answer).invoke("Will it rain in Oslo?")

The options of a call determine the pattern of its message, so the text that the model writes can be read without loss.
"""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput, ModelProfile
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from pydantic import Field, PrivateAttr, StrictInt, field_validator

from rellm_agents.decoding.generation import TextKeywords
from rellm_agents.decoding.spelling import EncodedPrompt, FramedTokenizer, framed_tokenizer_of
from rellm_agents.errors import ArgumentValueError, ChatRefused
from rellm_agents.formats import ActionFormat
from rellm_agents.formats.messages import ToolPrompt, message_declaration
from rellm_agents.langchain.agents import StepOptions, checked_format
from rellm_agents.langchain.call_options import BUDGET_ALIASES, seeds_of, summed_usage, token_usage, with_one_budget
from rellm_agents.langchain.chat.chat_request import ChatRequest, compile_request, response_format_of
from rellm_agents.langchain.chat.chat_template import ChatTemplate
from rellm_agents.langchain.chat.examples import Examples, plain_examples
from rellm_agents.langchain.chat.marked_content import Mark
from rellm_agents.langchain.chat.message_turns import is_turned_round, plain_text, turns_of
from rellm_agents.langchain.chat.native_format import NativeFormat, native_format
from rellm_agents.langchain.chat.prompt_frame import borders_hold_tokens, encoded_prompt
from rellm_agents.langchain.chat.reply import Reply
from rellm_agents.langchain.chat.structured_output import BoundChat, Method, structured_output_chain
from rellm_agents.langchain.chat.tool_schemas import Unfit, openai_tools, with_every_argument
from rellm_agents.langchain.local_model import LocalModel
from rellm_agents.langchain.measured_metadata import LOGPROBS, measure_logprobs
from rellm_agents.langchain.model_schema import Validators
from rellm_agents.patterns import Pattern, choice, compile_regex, literal

_REQUEST_OPTIONS = (
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "response_format",
    "pattern",
    "regex",
    "format",
    "reasoning",
    "examples",
    "unfit_tools",
)
_CONTENTS = ("response_format", "pattern", "regex", "format")  # a call that says what the content is does not write steps
_PARTS = {"content", "reasoning"}
_IGNORED = frozenset({"strict", "ls_structured_output_format", "stream"})  # "strict" has changed the schemas


class ChatRELLM(LocalModel, BaseChatModel):
    """A local chat model whose tool calls and typed answers are valid by construction.

    Args:
        pipeline: a transformers text-generation pipeline, or LangChain's ``HuggingFacePipeline`` around one.
        model, tokenizer: a transformers model and its tokenizer (or a processor that has it), instead of a pipeline; or ``model`` alone, a
            name on the Hugging Face hub or the folder of a model, which is loaded with its tokenizer: see :meth:`from_model_id`.
        message_format: the format of tool calls that the model was trained on, such as ``"hermes"``, or a declaration, see
            :func:`message_format`; default: the format of the tokenizer's response template or chat template, see :attr:`native_format`.
        format: an action format, such as ``react(tools)``, for an executor that reads actions from text: the content of each message is a
            step, which the format's LangChain parser reads. Not for agents that call tools, which ``bind_tools`` is for.
        reasoning: messages begin with reasoning, if the message format supports it.
        max_new_tokens: the budget of a message in tokens, end of text included; also ``max_tokens`` or ``max_completion_tokens``. A call is
            always finished within it.
        temperature: 0 for greedy decoding; else tokens are drawn at this temperature.
        top_k, top_p, min_p: draw from the likeliest tokens only.
        repetition_penalty, presence_penalty, frequency_penalty: make tokens less likely that the free text of this message holds already:
            what its pattern leaves open, such as content, and strings of arguments. Neither the prompt, nor names, quotes and members of
            enums count, and none of these is changed.
        logit_bias: is added to the scores of tokens, by their ids, wherever one of several tokens is chosen.
        n: how many answers each prompt gets: ``generate`` returns all of them, ``invoke`` the first.
        seed: makes drawing repeatable. Equal prompts of a batch, and the ``n`` answers to one, have different texts, always the same ones.
        spelling: ``"canonical"``: names, members of enums and forced text consist of the tokens that the tokenizer itself would produce for
            them; ``"any"``: of any tokens, as free text does either way.
        selection: how one of several literals is chosen, such as the members of an enum: ``"greedy"``: token by token; ``"likeliest"``: the
            most probable as a whole; ``"exact"``: drawn by its probability as a whole.
        on_budget: what happens where the budget closes a message: ``"warn"``, ``"raise"`` (``ClosedByBudget``) or ``"close"``; metadata say
            ``"stop_reason": "budget"`` in any case, and the value under ``closed_at``.
        max_repeats: a text that ends in the same piece this many times in a row is closed the shortest way; its ``stop_reason`` is then
            ``"repetition"``.
        part_tokens: budgets of the parts ``"reasoning"`` and ``"content"``; with ``format`` also of ``"thought"`` and ``"input"``, see
            :class:`rellm_agents.langchain.RELLM`.
        measure: what is measured of each message, and put into its ``response_metadata``: ``"fields"``, how probable each value of a typed
            answer (``"#/city"``) or of a tool call (``"#/tool_calls/0/args/city"``) is; ``"kept"``; ``"logprobs"``; see
            :class:`rellm_agents.decoding.Completion`; of ``"trace"`` its summary.
        stop: free content ends before the first of these strings, or this string; calls and typed answers are never cut.
        tool_prompt: how tools are described where the chat template shows none: ``"signatures"``, as
            ``search(query: string, limit?: integer)``, or ``"schemas"``, JSON Schemas, which take at least twice the tokens.
        unfit_tools: ``"leave_out"``: tools that the model cannot call, as ``{"type": "web_search"}``, which only a provider runs, are left
            out with a warning; ``"refuse"``: they are an error that names all of them.
        chat_template: a Jinja template that replaces the tokenizer's own.
        template_options: further values for the template, such as ``{"enable_thinking": False}``.
        split_special_tokens: special tokens in messages, tools and their results are read as text, so that none can end a message or begin
            another; ``False``: as the tokens, as transformers reads them.
        streaming: as for other chat models: ``invoke`` streams, so that callbacks see each piece.
        logprobs, top_logprobs: as in OpenAI's API, ``True``, and how many of the likeliest tokens are listed with each.
        stream_usage: the last piece of a stream tells how many tokens were read and written.

    Where they are not given, ``max_new_tokens``, ``temperature``, ``top_k``, ``top_p`` and ``stop`` are those that the pipeline or the
    model was set up with: see :class:`rellm_agents.langchain.local_model.LocalModel`.

    Raises:
        pydantic.ValidationError: a ``ValueError`` that names the cause: no model, a tokenizer that cannot be read, or no chat
            template.

    Warns:
        UserWarning: the chat template shows calls in a way that no format here writes, so tools are told in words.
    """

    model_config = LocalModel.model_config  # else that of BaseChatModel would prevail

    message_format: str | Path | dict[str, Any] | None = None
    format: ActionFormat | None = Field(default=None, exclude=True)
    reasoning: bool = False
    max_new_tokens: StrictInt = 512
    tool_prompt: ToolPrompt = "signatures"
    unfit_tools: Unfit = "refuse"
    chat_template: str | None = Field(default=None, repr=False)
    template_options: dict[str, Any] = Field(default_factory=dict)
    split_special_tokens: bool = True
    streaming: bool = False
    stream_usage: bool = True
    logprobs: bool | None = None
    top_logprobs: int | None = None

    _model_type: ClassVar[Literal["chat", "llm"]] = "chat"
    _template: ChatTemplate = PrivateAttr()
    _native: NativeFormat = PrivateAttr()

    def model_post_init(self, context: Any, /) -> None:
        """Check the fields, and read the tokenizer and its templates."""
        super().model_post_init(context)
        tokenizer = self._queue.decoder.tokenizer
        text = self.chat_template if self.chat_template or tokenizer.chat_template else self._processor_template
        self._template = ChatTemplate(tokenizer, text=text, options=self.template_options)
        if self.message_format is None:
            self._native = native_format(self._template, self._queue.decoder.vocabulary.special_ids.keys())
            if self._native.is_last_resort:
                self._template = self._template.with_tools_in_words()
                warnings.warn(f"{self._native.reason}: choose another with message_format=", stacklevel=2)
        else:
            chosen = message_declaration(self.message_format)
            self._native = NativeFormat(chosen["name"], "it was chosen", chosen)
        self._request({})

    @field_validator("format", mode="before")
    @classmethod
    def _made_format(cls, value: Any) -> Any:
        return value if value is None else checked_format(value)

    @property
    def native_format(self) -> NativeFormat:
        """The format of tool calls, and the reason why it was chosen."""
        return self._native

    @property
    def content_is_protected(self) -> bool:
        """Whether nothing that a message or a tool's result holds can be read as the border of another message.

        False without ``split_special_tokens``, and where the template's borders are plain text, as ``[INST]`` and ``USER:`` mostly are:
        what anybody can type cannot be told from them.
        """
        framed = self._framed
        return framed is not None and all(borders_hold_tokens(text, words, framed) for text, words in self._template.borders)

    @property
    def _llm_type(self) -> str:
        return "rellm-chat"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        names = (
            "reasoning",
            "tool_prompt",
            "template_options",
            "split_special_tokens",
            "unfit_tools",
            "n",
            *LOGPROBS,
            *self._option_names(),
        )
        return {
            **self._model_identity,
            "chat_template": self._template.identity,
            "message_format": self._native.identity,
            "default_stop": self.stop,
            "format": self.format and self.format.pattern.fingerprint,
            **{name: getattr(self, name) for name in names},
        }

    def _get_llm_string(self, stop: list[str] | None = None, **kwargs: Any) -> str:
        """The cache key of a call. LangChain would identify a pattern by its memory address, and a type by its name."""
        if isinstance(pattern := kwargs.get("pattern"), Pattern):
            kwargs["pattern"] = pattern.fingerprint
        if (regex := kwargs.get("regex")) is not None and not isinstance(regex, str):
            kwargs["regex"] = compile_regex(regex).fingerprint  # LangChain would use its repr, which is truncated
        if isinstance(format_ := kwargs.get("format"), ActionFormat):
            kwargs["format"] = format_.pattern.fingerprint
        if kwargs.get("response_format") is not None:
            kwargs["response_format"] = response_format_of(kwargs["response_format"])
        if kwargs.get("examples"):
            kwargs["examples"] = plain_examples(kwargs["examples"])
        return super()._get_llm_string(stop, **kwargs)

    def _resolve_model_profile(self) -> ModelProfile:
        longest = self._queue.decoder.engine.scorer.prompt_length
        return ModelProfile(
            text_inputs=True,
            text_outputs=True,
            image_inputs=False,
            audio_inputs=False,
            video_inputs=False,
            tool_calling=True,
            tool_choice=True,
            tool_call_streaming=True,
            structured_output=True,
            reasoning_output=self.reasoning,
            max_output_tokens=self.max_new_tokens,
            **({"max_input_tokens": longest} if longest is not None else {}),
        )

    def get_token_ids(self, text: str) -> list[int]:
        """The token ids of a text, without the special tokens that the tokenizer adds around texts."""
        ids: list[int] = self._queue.decoder.tokenizer.encode(text, add_special_tokens=False)
        return ids

    def get_num_tokens_from_messages(self, messages: list[BaseMessage], tools: Sequence[Any] | None = None) -> int:
        """The number of tokens of a prompt: the messages, and the tools, as the chat template shows them.

        Of messages with a result before its call, as ``trim_messages`` counts the last ones, those of the chat the other way round; of
        messages that make no prompt, those of their texts; of none, 0.
        """
        request = self._request({"tools": openai_tools(tools, self.unfit_tools)} if tools else {})
        if not messages:
            return 0
        chat = messages[::-1] if is_turned_round(messages) else messages
        try:
            return len(self._prompt(chat, request).ids)
        except ChatRefused:
            return self.get_num_tokens(plain_text(turns_of(messages)))

    def answer_among(self, messages: Sequence[BaseMessage], options: Sequence[str]) -> Reply:
        """The reply, not yet begun, whose content is one of some texts, and which has neither reasoning nor calls.

        Raises:
            ValueError: the format of messages, or the chat template, cannot write this.
        """
        answer = Pattern(choice(*map(literal, options)))
        return self._start_reply(list(messages), None, {"pattern": answer, "reasoning": False})

    def begin(self, messages: Sequence[BaseMessage], *, stop: list[str] | None = None, **options: Any) -> list[Reply]:
        """The replies that a call asks for, as many as ``n``, none of them begun: for callers who write them in the queue themselves.

        Args:
            messages: the chat.
            stop: free content ends before the first of these strings.
            **options: of a call, such as ``tools`` in the form of OpenAI's API.

        Raises:
            ValueError: as ``invoke``, before anything is written.
        """
        copies = self._copies(options)
        replies = [self._start_reply(list(messages), stop, options) for _ in range(copies)]
        seeds: Sequence[int | None] = seeds_of(options.get("seed", self.seed), [reply.prompt for reply in replies]) or [None] * copies
        for reply, seed in zip(replies, seeds, strict=True):
            reply.options["seed"] = seed
        return replies

    # Options of a call

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: dict[str, Any] | str | bool | None = None,
        response_format: Any = None,
        examples: Examples = (),
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """This model with tools.

        Args:
            tools: LangChain tools, functions, pydantic models, or dicts.
            tool_choice: ``"auto"`` or ``None``: the model chooses; ``"any"``, ``"required"`` or ``True``: one has to be called;
                ``"none"``: no call; or the name of the tool to be called, also as a dict.
            response_format: the schema of messages that are no calls.
            examples: pairs of an input and the answer to it: a call, ``{"name": "search", "args": {"query": "rain"}}``, a list of calls, a
                text, or a value of ``response_format``. They stand in the prompt as earlier turns.
            **kwargs: ``parallel_tool_calls``, ``unfit_tools``, and other options of a call; with ``strict=True``, calls give every declared
                argument.

        Raises:
            ValueError: an option has an unknown value; a tool's arguments cannot be compiled.
            InvalidExample: an example whose answer the model could not write: names its index and the JSON pointer.
        """
        bound: dict[str, Any] = {"tools": openai_tools(tools, kwargs.get("unfit_tools", self.unfit_tools)), **kwargs}
        if kwargs.get("strict"):
            bound["tools"] = [with_every_argument(tool) for tool in bound["tools"]]
        if tool_choice is not None:
            bound["tool_choice"] = tool_choice
        if response_format is not None:
            bound["response_format"] = response_format_of(response_format)
        if examples:
            bound["examples"] = plain_examples(examples)
        self._request(bound)  # errors are raised now, not at the first call
        return self.bind(**bound)

    if not TYPE_CHECKING:  # as in LocalModel

        def bind(self, **kwargs: Any) -> BoundChat:
            """This model with options of its calls, which are kept where tools or a schema are bound after them.

            Raises:
                ValueError: there is no such option: names it, and what to do.
            """
            self._check_names(kwargs)
            return BoundChat(bound=self, kwargs=kwargs, config={})

    def with_structured_output(
        self,
        schema: Any = None,
        *,
        method: Method = "json_schema",
        include_raw: bool = False,
        validators: Validators = "check",
        strict: bool | None = None,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool] = (),
        examples: Examples = (),
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, Any]:
        """A chain that answers with objects of a schema; see :func:`structured_output_chain`."""
        return structured_output_chain(
            self,
            schema,
            method=method,
            include_raw=include_raw,
            validators=validators,
            strict=strict,
            tools=tools,
            examples=examples,
            **kwargs,
        )

    def _check_names(self, given: Iterable[str]) -> None:
        self._refuse_unknown(given, (*_REQUEST_OPTIONS, *BUDGET_ALIASES, *LOGPROBS, "stream_usage"), _IGNORED)

    def _request(self, changed: dict[str, Any], stop: list[str] | None = None) -> ChatRequest:
        """The format of the message, and the instructions, that the options of a call ask for."""
        self._check_names(changed)
        given = {
            "reasoning": self.reasoning,
            "unfit_tools": self.unfit_tools,
            **{name: changed[name] for name in _REQUEST_OPTIONS if changed.get(name) is not None},
        }
        if not any(name in changed for name in _CONTENTS):
            given["format"] = self.format
        if (format_ := given.pop("format", None)) is not None:
            strings, options = self._text_options(stop, with_one_budget(changed))
            given["step"] = StepOptions.of(checked_format(format_), strings, options["max_new_tokens"])
        special_tokens = self._queue.decoder.vocabulary.special_ids.keys()
        return compile_request(self._native.declaration, **given, special_tokens=special_tokens, tool_prompt=self.tool_prompt)

    def _options(self, stop: list[str] | None, request: ChatRequest, changed: dict[str, Any]) -> TextKeywords:
        strings, options = self._text_options(stop, with_one_budget(changed))
        given, format_, step = options["part_tokens"], request.format, request.step
        there = {*_PARTS, *(step.part_tokens if step else ())}
        if unknown := sorted(set(given) - there):
            raise ArgumentValueError.saying(
                f"part_tokens: a message has no part {', '.join(map(repr, unknown))}, only {', '.join(sorted(there))}"
            )
        parts = {**step.part_tokens, **given} if step else given
        there = {*format_.parts, *(step.part_tokens if step else ())}  # e.g. a call has no content
        options["part_tokens"] = {name: tokens for name, tokens in parts.items() if name in there}
        if step is not None:
            options["stop"], options["stop_behind"] = step.stop, format_.begun_with(step.format.pattern)
        elif strings and format_.has_free_content:
            options["stop"], options["stop_behind"] = strings, format_.free_content
        options["add_special_tokens"] = False  # the chat template has written them
        return options

    def _combine_llm_outputs(self, llm_outputs: list[dict[str, Any] | None]) -> dict[str, Any]:
        return summed_usage(llm_outputs)

    # Writing

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002  # tokens are reported by _stream
        **kwargs: Any,
    ) -> ChatResult:
        reply = self._start_reply(messages, stop, kwargs)
        if (copies := self._copies(kwargs)) > 1:
            prompts = [reply.prompt] * copies
            reply.options["seed"] = seeds_of(kwargs.get("seed", self.seed), prompts)
            completions = self._queue.decoder.generate(prompts, reply.pattern, **reply.options)
            answers = [one for completion in completions for one in reply.result(completion).generations]
            usage = token_usage(completions[0].prompt_tokens, sum(len(completion.token_ids) for completion in completions))
            return ChatResult(generations=answers, llm_output={"model_name": self.model_name, "token_usage": usage})
        return reply.result(self._queue.generate(reply.prompt, reply.pattern, **reply.options))

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002  # tokens are reported by _astream
        **kwargs: Any,
    ) -> ChatResult:
        if self._copies(kwargs) > 1:
            return await asyncio.to_thread(self._generate, messages, stop, None, **kwargs)
        reply = await asyncio.to_thread(self._start_reply, messages, stop, kwargs)
        return reply.result(await self._acompletion(reply.prompt, reply.pattern, reply.options))

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        self._copies(kwargs, streams=True)
        reply = self._start_reply(messages, stop, kwargs)
        for piece in self._pieces(reply.prompt, reply.pattern, reply.options):
            for chunk in reply.chunks(piece):
                if run_manager:
                    run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                yield chunk

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        self._copies(kwargs, streams=True)
        reply = await asyncio.to_thread(self._start_reply, messages, stop, kwargs)
        async for piece in self._queue.astream(reply.prompt, reply.pattern, **reply.options):
            for chunk in reply.chunks(piece):
                if run_manager:
                    await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                yield chunk

    def _start_reply(self, messages: list[BaseMessage], stop: list[str] | None, changed: dict[str, Any]) -> Reply:
        """The reply that a call asks for, before any of its text is written."""
        request = self._request(changed, stop)
        prompt = self._prompt(messages, request)
        options = self._options(stop, request, changed)
        likeliest = measure_logprobs(options, {name: changed.get(name, getattr(self, name)) for name in LOGPROBS})
        shown_bytes = self._queue.decoder.vocabulary.shown_bytes
        return Reply(
            prompt,
            request.format,
            options,
            self.model_name,
            shown_bytes=shown_bytes,
            likeliest=likeliest,
            streams_usage=bool(changed.get("stream_usage", self.stream_usage)),
        )

    def _prompt(self, messages: Sequence[BaseMessage], request: ChatRequest) -> EncodedPrompt:
        def render(mark: Mark) -> str:
            text = self._template.prompt(messages, request.format, request.instructions, request.examples, mark=mark)
            return request.format.adjust_prompt(text)

        prompt = encoded_prompt(render, self.get_token_ids, self._framed)
        prompt.asked = next((one.text for one in reversed(messages) if one.type == "human"), "")
        return prompt

    @property
    def _framed(self) -> FramedTokenizer | None:
        return framed_tokenizer_of(self._queue.decoder.tokenizer) if self.split_special_tokens else None
