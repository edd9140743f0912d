"""A local transformers model in, a LangChain chat model out: tools, typed answers, streaming; every message can be read.

    model = ChatRELLM(pipeline=pipeline("text-generation", model=...))
    model.bind_tools([search]).invoke("Will it rain in Oslo?").tool_calls
    model.with_structured_output(Answer).invoke("Will it rain in Oslo?")

What a call asks for becomes the pattern of its message; what the model then writes cannot be misread.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput, ModelProfile
from langchain_core.language_models.base import LangSmithParams
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from pydantic import ConfigDict, Field, PrivateAttr

from rellm_agents.decoding import Completion, RequestQueue
from rellm_agents.decoding.generation import Spelling, TextKeywords
from rellm_agents.formats import MessageFormat
from rellm_agents.formats.messages import message_declaration
from rellm_agents.langchain.chat.chat_request import ChatRequest, chat_request, response_format_of
from rellm_agents.langchain.chat.chat_template import ChatTemplate
from rellm_agents.langchain.chat.native_format import NativeFormat, native_format
from rellm_agents.langchain.chat.reply import Reply
from rellm_agents.langchain.chat.structured_output import Method, structured_output_chain
from rellm_agents.langchain.chat.tool_schemas import openai_tool
from rellm_agents.langchain.local_model import langsmith_params, model_name_of, queue_of
from rellm_agents.patterns import Pattern, compile_regex

_REQUEST = ("tools", "tool_choice", "parallel_tool_calls", "response_format", "pattern", "regex", "reasoning")
_SAMPLING = ("max_new_tokens", "temperature", "top_k", "top_p", "seed", "spelling", "part_tokens")
_ALIASES = {"max_tokens": "max_new_tokens"}
_PARTS = {"content", "reasoning"}
_PASSED_OVER = frozenset({"strict", "ls_structured_output_format", "stream"})  # strict: every call and every answer is


class ChatRELLM(BaseChatModel):
    """A local chat model whose tool calls and typed answers are valid by construction.

    Args:
        pipeline: a transformers text-generation pipeline, or LangChain's ``HuggingFacePipeline`` around one.
        model, tokenizer: instead of it.
        message_format: the format of tool calls that the model was trained on, such as ``"hermes"``, or a declaration of one's own, see
            :func:`message_format`; by default that of the tokenizer's response template, or the one that its chat template shows, see
            :attr:`native_format`.
        reasoning: messages begin with reasoning, where the format has a place for it.
        max_new_tokens: the budget of a message in tokens, end of text included; also ``max_tokens``. A call is always finished within it.
        temperature: 0: greedy; else tokens are drawn.
        top_k, top_p: draw from the likeliest tokens only.
        seed: makes drawing repeatable.
        spelling: ``"canonical"``: text is written with the tokens that the tokenizer itself writes it with; ``"any"``: with any.
        part_tokens: budgets of the parts ``"reasoning"`` and ``"content"``.
        stop: free content ends before the first of these strings; calls and typed answers are never cut.
        chat_template: a Jinja template in place of the tokenizer's own.
        template_options: further values that the template takes, such as ``{"enable_thinking": False}``.
        streaming: as for other chat models: ``invoke`` streams, so that callbacks see each piece.

    Raises:
        pydantic.ValidationError: a ``ValueError`` that tells the cause: no model, a tokenizer that cannot be read, no chat template, or
            one that shows calls in a way that no format here writes.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid", populate_by_name=True)

    pipeline: Any = Field(default=None, exclude=True, repr=False)
    model: Any = Field(default=None, exclude=True, repr=False)
    tokenizer: Any = Field(default=None, exclude=True, repr=False)
    message_format: str | Path | dict[str, Any] | None = None
    reasoning: bool = False
    max_new_tokens: int = Field(default=512, alias="max_tokens")
    temperature: float = 0.0
    top_k: int | None = None
    top_p: float | None = None
    seed: int | None = None
    spelling: Spelling = "canonical"
    part_tokens: dict[str, int] = Field(default_factory=dict)
    stop: list[str] | None = None
    chat_template: str | None = Field(default=None, repr=False)
    template_options: dict[str, Any] = Field(default_factory=dict)
    streaming: bool = False

    _queue: RequestQueue = PrivateAttr()
    _template: ChatTemplate = PrivateAttr()
    _native: NativeFormat = PrivateAttr()

    def model_post_init(self, context: Any, /) -> None:
        """Check what was given, and read the tokenizer."""
        super().model_post_init(context)
        self._queue = queue_of(self.pipeline, self.model, self.tokenizer)
        self._template = ChatTemplate(self._queue.decoder.tokenizer, text=self.chat_template, options=self.template_options)
        if self.message_format is None:
            self._native = native_format(self._template, self._queue.decoder.vocabulary.special_ids.keys())
        else:
            chosen = message_declaration(self.message_format)
            self._native = NativeFormat(chosen["name"], "it was chosen", chosen)
        self._request({})

    @property
    def native_format(self) -> NativeFormat:
        """The format of tool calls, and why it is this one."""
        return self._native

    @property
    def model_name(self) -> str:
        """The name of the model, for traces."""
        return model_name_of(self._queue)

    @property
    def _llm_type(self) -> str:
        return "rellm-chat"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        names = ("reasoning", "chat_template", "template_options", *_SAMPLING)
        return {
            "model_name": self.model_name,
            "message_format": self._native.identity,
            "default_stop": self.stop,
            **{name: getattr(self, name) for name in names},
        }

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        return langsmith_params(
            kwargs.get("model", self.model_name),
            "chat",
            temperature=kwargs.get("temperature", self.temperature),
            max_tokens=kwargs.get("max_tokens", kwargs.get("max_new_tokens", self.max_new_tokens)),
            stop=self.stop if stop is None else stop,
        )

    def _get_llm_string(self, stop: list[str] | None = None, **kwargs: Any) -> str:
        """What an answer depends on, for caches: LangChain would tell a pattern by its place in memory, and a type by its name."""
        if isinstance(pattern := kwargs.get("pattern"), Pattern):
            kwargs["pattern"] = pattern.fingerprint
        if (regex := kwargs.get("regex")) is not None and not isinstance(regex, str):
            kwargs["regex"] = compile_regex(regex).fingerprint  # of a long one, LangChain would only see the beginning
        if kwargs.get("response_format") is not None:
            kwargs["response_format"] = response_format_of(kwargs["response_format"])
        return super()._get_llm_string(stop, **kwargs)

    def _resolve_model_profile(self) -> ModelProfile:
        longest = getattr(self._queue.decoder.model.config, "max_position_embeddings", None)
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
            **({"max_input_tokens": longest} if isinstance(longest, int) else {}),
        )

    def get_token_ids(self, text: str) -> list[int]:
        """The ids of the tokens that the tokenizer writes a text with, without special tokens around it."""
        ids: list[int] = self._queue.decoder.tokenizer.encode(text, add_special_tokens=False)
        return ids

    def get_num_tokens_from_messages(self, messages: list[BaseMessage], tools: Sequence[Any] | None = None) -> int:
        """How many tokens the prompt of some messages has, and of tools, as the chat template shows them."""
        request = self._request({"tools": [openai_tool(tool) for tool in tools]} if tools else {})
        return self.get_num_tokens(self._template.prompt(messages, request.format, request.instructions))

    # What is asked for

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: dict[str, Any] | str | bool | None = None,
        response_format: Any = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """This model with tools.

        Args:
            tools: LangChain tools, functions, pydantic models, or dicts.
            tool_choice: ``"auto"`` or ``None``: the model chooses; ``"any"``, ``"required"`` or ``True``: one has to be called;
                ``"none"``: no call; or the name of the one to be called, also as a dict.
            response_format: the schema of messages that are no calls.
            **kwargs: ``parallel_tool_calls``, and what else a call takes.

        Raises:
            ValueError: an option says nothing that is known; a tool's arguments cannot be compiled.
        """
        bound: dict[str, Any] = {"tools": [openai_tool(tool) for tool in tools], **kwargs}
        if tool_choice is not None:
            bound["tool_choice"] = tool_choice
        if response_format is not None:
            bound["response_format"] = response_format_of(response_format)
        self._request(bound)  # what is wrong is said now, not when the model is first asked
        return self.bind(**bound)

    def with_structured_output(
        self,
        schema: Any = None,
        *,
        method: Method = "json_schema",
        include_raw: bool = False,
        strict: bool | None = None,  # noqa: ARG002  # all of ours is strict
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, Any]:
        """A chain that answers with objects of a schema; see :func:`structured_output_chain`."""
        if kwargs:
            raise ValueError(f"with_structured_output takes no {', '.join(kwargs)}, only method, include_raw and strict")
        return structured_output_chain(self, schema, method=method, include_raw=include_raw)

    def _request(self, changed: dict[str, Any]) -> ChatRequest:
        unknown = sorted(set(changed) - {*_REQUEST, *_SAMPLING, *_ALIASES, *_PASSED_OVER})
        if unknown:
            raise ValueError(
                f"ChatRELLM takes no {', '.join(unknown)} in a call, only {', '.join((*_REQUEST, *_SAMPLING, *_ALIASES, 'stop'))}"
            )
        asked = {"reasoning": self.reasoning, **{name: changed[name] for name in _REQUEST if changed.get(name) is not None}}
        return chat_request(self._native.declaration, **asked, special_tokens=self._queue.decoder.vocabulary.special_ids.keys())

    def _options(self, stop: list[str] | None, format_: MessageFormat, changed: dict[str, Any]) -> TextKeywords:
        if isinstance(stop, str):
            raise TypeError(f"stop={stop!r}: a list of strings, [{stop!r}]")
        given = {_ALIASES.get(name, name): value for name, value in changed.items()}
        options: TextKeywords = {name: given.get(name, getattr(self, name)) for name in _SAMPLING}  # type: ignore[assignment]  # the names are those of the options
        parts = options["part_tokens"]
        if unknown := sorted(set(parts) - _PARTS):
            raise ValueError(f"part_tokens: a message has no part {', '.join(map(repr, unknown))}, only {', '.join(sorted(_PARTS))}")
        options["part_tokens"] = {name: tokens for name, tokens in parts.items() if name in format_.parts}  # a call has no content
        strings = tuple(stop if stop is not None else self.stop or ())
        if strings and format_.has_free_content:
            options["stop"], options["stop_behind"] = strings, format_.free_content
        options["add_special_tokens"] = False  # the template has written them
        return options

    # Writing

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002  # tokens are reported by _stream
        **kwargs: Any,
    ) -> ChatResult:
        reply = self._start_reply(messages, stop, kwargs)
        return reply.result(self._queue.generate(reply.prompt, reply.pattern, **reply.options))

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002  # tokens are reported by _astream
        **kwargs: Any,
    ) -> ChatResult:
        reply = await asyncio.to_thread(self._start_reply, messages, stop, kwargs)
        async for piece in self._queue.astream(reply.prompt, reply.pattern, **reply.options):
            if isinstance(piece, Completion):
                return reply.result(piece)
        raise AssertionError("the last piece is the completion")

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        reply = self._start_reply(messages, stop, kwargs)
        pieces = self._queue.stream(reply.prompt, reply.pattern, **reply.options)
        is_over = False
        while not is_over:
            try:
                chunks = reply.chunks(next(pieces))
            except StopIteration as end:
                chunks, is_over = reply.last_chunks(end.value), True
            for chunk in chunks:
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
        reply = await asyncio.to_thread(self._start_reply, messages, stop, kwargs)
        async for piece in self._queue.astream(reply.prompt, reply.pattern, **reply.options):
            for chunk in reply.last_chunks(piece) if isinstance(piece, Completion) else reply.chunks(piece):
                if run_manager:
                    await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                yield chunk

    def _start_reply(self, messages: list[BaseMessage], stop: list[str] | None, changed: dict[str, Any]) -> Reply:
        """A message that is to be written: its prompt, its format, and how."""
        request = self._request(changed)
        prompt = request.format.adjust_prompt(self._template.prompt(messages, request.format, request.instructions))
        return Reply(prompt, request.format, self._options(stop, request.format, changed), self.model_name)
