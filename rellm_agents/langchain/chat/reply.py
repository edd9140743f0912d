"""A message that is to be written in, LangChain messages out: the whole, or pieces as its text grows.

>>> from rellm_agents.formats import message_format
>>> reply = Reply("Rain?", message_format("hermes", {"now": {"type": "object", "properties": {}}}), {}, "a model")
>>> [reply.chunk(piece).text for piece in ("Let me", " see")]
['Let me', ' see']
"""

from __future__ import annotations

import secrets
import string
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import ToolCallChunk, tool_call, tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from rellm_agents.decoding import Completion
from rellm_agents.decoding.decoder import DecodingOptions
from rellm_agents.formats import MessageFormat
from rellm_agents.formats.message_format import Written

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
        self._text, self._shown = "", Written()

    def result(self, completion: Completion) -> ChatResult:
        """The whole message."""
        said = self._format.message(completion.text)
        calls = [tool_call(name=call.name, args=call.arguments, id=_call_id()) for call in said.tool_calls]
        facts = self._facts(completion, has_calls=bool(calls))
        message = AIMessage(content=said.content, tool_calls=calls, additional_kwargs=_reasoning(said.reasoning), **facts)
        return ChatResult(generations=[ChatGeneration(message=message)], llm_output={"model_name": self._model_name})

    def chunk(self, piece: str) -> ChatGenerationChunk | None:
        """What is new with a piece of text, if anything is certain."""
        self._text += piece
        return self._news(self._format.so_far(self._text))

    def last_chunk(self, completion: Completion) -> ChatGenerationChunk:
        """What is still to be said, and how the message was written."""
        whole = self._format.so_far(completion.text, is_whole=True)
        chunk = self._news(whole) or ChatGenerationChunk(message=AIMessageChunk(content=""))
        return ChatGenerationChunk(message=chunk.message.model_copy(update=self._facts(completion, has_calls=bool(whole.calls))))

    def _news(self, now: Written) -> ChatGenerationChunk | None:
        last, self._shown = self._shown, now
        calls: list[ToolCallChunk] = []
        before = bool(now.reasoning) + bool(now.content)  # blocks of content: all of a message's blocks are counted by LangChain
        for number, call in enumerate(now.calls):
            if number >= len(last.calls):
                calls.append(tool_call_chunk(name=call.name, args=call.arguments, id=_call_id(), index=before + number))
            elif arguments := call.arguments[len(last.calls[number].arguments) :]:
                calls.append(tool_call_chunk(name=None, args=arguments, id=None, index=before + number))
        content, reasoning = now.content[len(last.content) :], now.reasoning[len(last.reasoning) :]
        if not (content or reasoning or calls):
            return None
        message = AIMessageChunk(content=content, tool_call_chunks=calls, additional_kwargs=_reasoning(reasoning))
        return ChatGenerationChunk(message=message)

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
