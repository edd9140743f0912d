"""The text of a message in, LangChain messages out: a whole one, or pieces while it is written.

>>> from rellm_agents.formats import message_format
>>> format = message_format("hermes", {"now": {"type": "object", "properties": {}}})
>>> pieces = Pieces(format)
>>> [chunk.content for chunk in (pieces.up_to("Let me"), pieces.up_to("Let me see"))]
['Let me', ' see']
"""

from __future__ import annotations

import secrets
import string
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import tool_call, tool_call_chunk

from rellm_agents.decoding import Completion
from rellm_agents.formats import MessageFormat
from rellm_agents.formats.message_format import Written

_ID_CHARACTERS, _ID_LENGTH = string.ascii_letters + string.digits, 9  # as templates of Mistral want them


def message_of(format_: MessageFormat, text: str) -> AIMessage:
    """The message that a text says.

    Args:
        format_: that it is written in.
        text: a whole text; it may have ended early at a stop string.
    """
    said = format_.message(text)
    calls = [tool_call(name=call.name, args=call.arguments, id=_call_id()) for call in said.tool_calls]
    return AIMessage(content=said.content, tool_calls=calls, additional_kwargs=_reasoning(said.reasoning))


def facts_of(completion: Completion, prompt_tokens: int, model_name: str, *, has_calls: bool) -> dict[str, Any]:
    """What a message tells of how it was written."""
    written = len(completion.token_ids)
    reason = "tool_calls" if has_calls else "length" if completion.finish == "closed" else "stop"
    return {
        "response_metadata": {
            "model_name": model_name,
            "finish_reason": reason,
            "finish": completion.finish,
            "forward_passes": completion.forward_passes,
        },
        "usage_metadata": UsageMetadata(input_tokens=prompt_tokens, output_tokens=written, total_tokens=prompt_tokens + written),
    }


class Pieces:
    """A message in pieces, as its text grows.

    Args:
        format_: that it is written in.
    """

    def __init__(self, format_: MessageFormat) -> None:
        self._format = format_
        self._shown = Written()
        self.calls = 0

    def up_to(self, text: str, *, is_whole: bool = False) -> AIMessageChunk:
        """What is new, of the text as far as it is written."""
        old, new = self._shown, self._format.so_far(text, is_whole=is_whole)
        self._shown = new
        chunks = []
        for index, call in enumerate(new.calls):
            known = old.calls[index] if index < len(old.calls) else None
            arguments = call.arguments[len(known.arguments) if known else 0 :]
            if known is None or arguments:
                name, id_ = (call.name, _call_id()) if known is None else (None, None)
                chunks.append(tool_call_chunk(name=name, args=arguments, id=id_, index=index))
        self.calls = len(new.calls)
        reasoning = _reasoning(new.reasoning[len(old.reasoning) :])
        return AIMessageChunk(content=new.content[len(old.content) :], tool_call_chunks=chunks, additional_kwargs=reasoning)


def is_empty(chunk: AIMessageChunk) -> bool:
    """Whether a piece says nothing."""
    return not (chunk.content or chunk.tool_call_chunks or chunk.additional_kwargs)


def _reasoning(text: str) -> dict[str, Any]:
    return {"reasoning_content": text} if text else {}


def _call_id() -> str:
    return "".join(secrets.choice(_ID_CHARACTERS) for _ in range(_ID_LENGTH))
