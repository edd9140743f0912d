"""Reads the role and the plain text of a LangChain message.

Knows nothing of templates or formats.

>>> from langchain_core.messages import HumanMessage
>>> text_of(HumanMessage([{"type": "text", "text": "Hello "}, "there"]))
'Hello there'
>>> text_of(HumanMessage([{"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}]))
Traceback (most recent call last):
  ...
rellm_agents.errors.ChatRefused: a human message has a content block of type 'image_url': images, sounds, videos and files are out of \
scope, this model reads text only: leave it out, or describe it in words
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, ChatMessage, FunctionMessage, HumanMessage, SystemMessage, ToolMessage

from rellm_agents.errors import ArgumentValueError, ChatRefused

_BLOCKS_WITHOUT_TEXT = frozenset(
    {"tool_use", "tool_call", "tool_call_chunk", "function_call", "reasoning", "thinking", "invalid_tool_call"}
)
"""Types of content blocks to skip: calls are read from ``tool_calls``, and earlier reasoning is not shown again."""


def role_of(message: BaseMessage) -> str:
    """The role of a message in chat templates.

    Raises:
        ValueError: the message type has no role.
    """
    match message:
        case SystemMessage():
            return "system"
        case HumanMessage():
            return "user"
        case AIMessage():
            return "assistant"
        case ToolMessage() | FunctionMessage():
            return "tool"
        case ChatMessage():
            return message.role
    raise ArgumentValueError.saying(f"a message of type {message.type!r} has no role in a chat: pass system, human, AI and tool messages")


def text_of(message: BaseMessage, number: int | None = None) -> str:
    """The text of a message.

    Args:
        message: of LangChain.
        number: which one of a chat it is, from 1, for errors.

    Raises:
        ChatRefused: a content block is an image, a sound or something else that is no text.
    """
    content: str | Iterable[Any] = message.content
    where = f"a {message.type} message" if number is None else f"message {number} of the chat, a {message.type} message,"
    return content if isinstance(content, str) else "".join(_block_text(where, block) for block in content)


def _block_text(where: str, block: Any) -> str:
    match block:
        case str():
            return block
        case {"type": "text" | "text-plain", "text": str(text)}:
            return text
        case {"type": "tool_result", "content": str(text)}:
            return text
        case {"type": "tool_result", "content": list(inner)}:
            return "".join(_block_text(where, one) for one in inner)
        case {"type": str(kind)} if kind in _BLOCKS_WITHOUT_TEXT:
            return ""
        case {"type": kind}:
            raise ChatRefused(
                f"{where} has a content block of type {kind!r}: images, sounds, videos and files are out of scope, this model reads text "
                "only: leave it out, or describe it in words"
            )
    raise ChatRefused(f"{where} has the content block {block!r} without a type: pass text")
