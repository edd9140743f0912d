"""A message that is to be written in, LangChain messages out: the whole, or pieces as its text grows.

>>> from rellm_agents.formats import message_format
>>> reply = Reply("Rain?", message_format("hermes", {"now": {"type": "object", "properties": {}}}), {}, "a model")
>>> [chunk.text for piece in ("Let me", " see") for chunk in reply.chunks(piece)]
['Let me', ' see']
"""

from __future__ import annotations

import secrets
import string
from itertools import zip_longest
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import ToolCallChunk, tool_call, tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from rellm_agents.decoding import Completion
from rellm_agents.decoding.generation import DecodingOptions
from rellm_agents.formats import MessageFormat
from rellm_agents.formats.messages import PartialMessage

_ID_CHARACTERS, _ID_LENGTH = string.ascii_letters + string.digits, 9  # as templates of Mistral want them


class Reply:
    """A model's message while it is written.

    Args:
        prompt: what it stands behind.
        format_: what it is written in.
        options: how it is written.
        model_name: of the model, for the record.
    """

    def __init__(self, prompt: str, format_: MessageFormat, options: DecodingOptions, model_name: str) -> None:
        self.asked, self.options = (prompt, format_.pattern), options
        self._format, self._model_name = format_, model_name
        self._text, self._shown = "", PartialMessage()

    def result(self, completion: Completion) -> ChatResult:
        """The whole message."""
        said = self._format.message(completion.text)
        calls = [tool_call(name=call.name, args=call.arguments, id=_call_id()) for call in said.tool_calls]
        facts = self._facts(completion, has_calls=bool(calls))
        message = AIMessage(content=said.content, tool_calls=calls, additional_kwargs=_reasoning(said.reasoning), **facts)
        return ChatResult(generations=[ChatGeneration(message=message)], llm_output={"model_name": self._model_name})

    def chunks(self, piece: str) -> list[ChatGenerationChunk]:
        """What is new with a piece of text, as far as it is certain."""
        self._text += piece
        return self._news(self._format.read_partial(self._text))

    def last_chunks(self, completion: Completion) -> list[ChatGenerationChunk]:
        """What is still to be said, and how the message was written."""
        whole = self._format.read_partial(completion.text, is_whole=True)
        facts = self._facts(completion, has_calls=bool(whole.calls))
        return [*self._news(whole), ChatGenerationChunk(message=AIMessageChunk(content="", **facts))]

    def _news(self, now: PartialMessage) -> list[ChatGenerationChunk]:
        """Words and calls apart: LangChain makes no blocks of calls beside words. Calls are numbered behind the blocks of words."""
        last, self._shown = self._shown, now
        calls: list[ToolCallChunk] = []
        for index, (call, before) in enumerate(zip_longest(now.calls, last.calls), bool(now.reasoning) + bool(now.content)):
            if before is None:
                calls.append(tool_call_chunk(name=call.name, args=call.arguments, id=_call_id(), index=index))
            elif arguments := call.arguments[len(before.arguments) :]:
                calls.append(tool_call_chunk(name=None, args=arguments, id=None, index=index))
        content, reasoning = now.content[len(last.content) :], now.reasoning[len(last.reasoning) :]
        words = AIMessageChunk(content=content, additional_kwargs=_reasoning(reasoning))
        news = ([words] if content or reasoning else []) + ([AIMessageChunk(content="", tool_call_chunks=calls)] if calls else [])
        return [ChatGenerationChunk(message=message) for message in news]

    def _facts(self, completion: Completion, *, has_calls: bool) -> dict[str, Any]:
        """How the message was written."""
        given, written = completion.prompt_tokens, len(completion.token_ids)
        return {
            "response_metadata": {
                "model_name": self._model_name,
                "finish_reason": "tool_calls" if has_calls else "length" if completion.finish == "closed" else "stop",
                "finish": completion.finish,
                "forward_passes": completion.forward_passes,
            },
            "usage_metadata": UsageMetadata(input_tokens=given, output_tokens=written, total_tokens=given + written),
        }


def _reasoning(text: str) -> dict[str, Any]:
    return {"reasoning_content": text} if text else {}


def _call_id() -> str:
    return "".join(secrets.choice(_ID_CHARACTERS) for _ in range(_ID_LENGTH))
