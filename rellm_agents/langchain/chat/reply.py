"""Turns the text of a model's message into LangChain messages: one whole message, or chunks while the text grows.

Knows no model: it gets pieces of text, and the record of a finished text.

>>> from rellm_agents.formats import message_format
>>> format_ = message_format("hermes", {"now": {"type": "object", "properties": {}}})
>>> reply = Reply("Rain?", format_, {}, "a model", shown_bytes=lambda _: b"")
>>> [chunk.text for piece in ("Let me", " see") for chunk in reply.chunks(piece)]
['Let me', ' see']
"""

from __future__ import annotations

import re
import secrets
import string
from collections.abc import Callable
from itertools import zip_longest
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import ToolCallChunk, tool_call, tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from rellm_agents.decoding import Completion
from rellm_agents.decoding.generation import TextKeywords
from rellm_agents.formats import MessageFormat
from rellm_agents.formats.messages import PartialMessage
from rellm_agents.langchain.call_options import token_usage
from rellm_agents.langchain.measured_metadata import how_it_ended, measured_metadata

_ARGUMENTS = re.compile(r"^(#/tool_calls/\d+)/arguments")  # LangChain's messages have them as "args"
_ID_CHARACTERS, _ID_LENGTH = string.ascii_letters + string.digits, 9  # the templates of Mistral require this form


class Reply:
    """A model's message while it is written.

    Args:
        prompt: the prompt.
        format_: the format of the message, which has its pattern and reads its text.
        options: the options of the decoder.
        model_name: the name of the model, for the metadata.
        shown_bytes: tells the bytes of a token, for log probabilities.
        likeliest: how many of the likeliest tokens are listed with each.
        streams_usage: the last chunk tells how many tokens were read and written.
    """

    def __init__(
        self,
        prompt: str,
        format_: MessageFormat,
        options: TextKeywords,
        model_name: str,
        *,
        shown_bytes: Callable[[int], bytes],
        likeliest: int = 0,
        streams_usage: bool = True,
    ) -> None:
        self.prompt, self.pattern, self.options = prompt, format_.pattern, options
        self._format, self._model_name, self._shown_bytes, self._likeliest = format_, model_name, shown_bytes, likeliest
        self._streams_usage = streams_usage
        self._text, self._shown = "", PartialMessage()

    def content(self, text: str) -> str:
        """The content of a whole message."""
        return self._format.message(text).content

    def message(self, completion: Completion) -> AIMessage:
        """The whole message."""
        parsed = self._format.message(completion.text)
        calls = [tool_call(name=call.name, args=call.arguments, id=_call_id(call.id)) for call in parsed.tool_calls]
        metadata = self._metadata(completion, has_calls=bool(calls))
        return AIMessage(content=parsed.content, tool_calls=calls, additional_kwargs=_reasoning(parsed.reasoning), **metadata)

    def result(self, completion: Completion) -> ChatResult:
        """The whole message, and how many tokens were read and written."""
        message = self.message(completion)
        output = {"model_name": self._model_name, "token_usage": message.response_metadata["token_usage"]}
        return ChatResult(generations=[ChatGeneration(message=message)], llm_output=output)

    def chunks(self, piece: str | Completion) -> list[ChatGenerationChunk]:
        """The chunks that one more piece of text adds; only what later text cannot change.

        Args:
            piece: the next piece, or at the end the completion, which adds the chunks that are left and one with the metadata.
        """
        if isinstance(piece, str):
            self._text += piece
            return self._new_chunks(self._format.read_partial(self._text))
        whole = self._format.read_partial(piece.text, is_whole=True)
        metadata = self._metadata(piece, has_calls=bool(whole.calls))
        if not self._streams_usage:
            del metadata["usage_metadata"], metadata["response_metadata"]["token_usage"]
        return [*self._new_chunks(whole, is_end=True), ChatGenerationChunk(message=AIMessageChunk(content="", **metadata))]

    def _new_chunks(self, current: PartialMessage, *, is_end: bool = False) -> list[ChatGenerationChunk]:
        """The difference to the previous state, with text and calls in separate chunks: LangChain drops the calls of a chunk with text.

        The indices of calls come after those of the text blocks.
        """
        previous, self._shown = self._shown, current
        calls: list[ToolCallChunk] = []
        for index, (call, before) in enumerate(zip_longest(current.calls, previous.calls), bool(current.reasoning) + bool(current.content)):
            knows_id = is_end or call.is_whole or not self._format.has_id_last
            if before is None:
                calls.append(tool_call_chunk(name=call.name, args=call.arguments, id=_call_id(call.id) if knows_id else None, index=index))
                continue
            arguments, is_known = call.arguments[len(before.arguments) :], before.is_whole or not self._format.has_id_last
            id_ = _call_id(call.id) if knows_id and not is_known else None
            if arguments or id_:
                calls.append(tool_call_chunk(name=None, args=arguments, id=id_, index=index))
        content, reasoning = current.content[len(previous.content) :], current.reasoning[len(previous.reasoning) :]
        text = AIMessageChunk(content=content, additional_kwargs=_reasoning(reasoning))
        messages = ([text] if content or reasoning else []) + ([AIMessageChunk(content="", tool_call_chunks=calls)] if calls else [])
        return [ChatGenerationChunk(message=message) for message in messages]

    def _metadata(self, completion: Completion, *, has_calls: bool) -> dict[str, Any]:
        """LangChain's fields for how the message was written: ``response_metadata`` and ``usage_metadata``."""
        given, written = completion.prompt_tokens, len(completion.token_ids)
        ended, measured = how_it_ended(completion), measured_metadata(completion, self._shown_bytes, self._likeliest)
        if has_calls and "closed_at" in ended:
            ended["closed_at"] = _ARGUMENTS.sub(r"\1/args", ended["closed_at"])
        if has_calls and "fields" in measured:
            measured["fields"] = {_ARGUMENTS.sub(r"\1/args", name): one for name, one in measured["fields"].items()}
        return {
            "response_metadata": {
                "model_name": self._model_name,
                "finish_reason": "tool_calls" if has_calls else "stop",  # a text that the budget closes is whole
                **ended,
                "forward_passes": completion.forward_passes,
                "token_usage": token_usage(given, written),
                **measured,
            },
            "usage_metadata": UsageMetadata(input_tokens=given, output_tokens=written, total_tokens=given + written),
        }


def _reasoning(text: str) -> dict[str, Any]:
    return {"reasoning_content": text} if text else {}


def _call_id(written: str) -> str:
    """The id that was written with a call, if it is more than a number; else one drawn by chance, which no other call has."""
    return written if len(written) >= _ID_LENGTH else "".join(secrets.choice(_ID_CHARACTERS) for _ in range(_ID_LENGTH))
