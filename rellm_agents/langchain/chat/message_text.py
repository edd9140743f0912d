"""A LangChain message in, its role and what it says as plain text out.

>>> from langchain_core.messages import HumanMessage
>>> text_of(HumanMessage([{"type": "text", "text": "Hello "}, "there"]))
'Hello there'
>>> text_of(HumanMessage([{"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}]))
Traceback (most recent call last):
  ...
ValueError: a human message has a content block of type 'image_url': this model reads text only
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, ChatMessage, FunctionMessage, HumanMessage, SystemMessage, ToolMessage

_ELSEWHERE = frozenset({"tool_use", "tool_call", "tool_call_chunk", "function_call", "reasoning", "thinking", "invalid_tool_call"})
"""Content blocks that are no text: calls stand in ``tool_calls``, and what was thought before is not shown again."""


def role_of(message: BaseMessage) -> str:
    """The role that chat templates know a message by.

    Raises:
        ValueError: there is none.
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
    raise ValueError(f"a message of type {message.type!r} has no place in a chat: pass system, human, AI and tool messages")


def text_of(message: BaseMessage) -> str:
    """What a message says.

    Raises:
        ValueError: it holds an image, a sound or something else that is no text.
    """
    content: str | Iterable[Any] = message.content
    return content if isinstance(content, str) else "".join(_block_text(message, block) for block in content)


def _block_text(message: BaseMessage, block: Any) -> str:
    match block:
        case str():
            return block
        case {"type": "text" | "text-plain", "text": str(text)}:
            return text
        case {"type": "tool_result", "content": str(text)}:
            return text
        case {"type": "tool_result", "content": list(inner)}:
            return "".join(_block_text(message, one) for one in inner)
        case {"type": str(kind)} if kind in _ELSEWHERE:
            return ""
        case {"type": kind}:
            raise ValueError(f"a {message.type} message has a content block of type {kind!r}: this model reads text only")
    raise ValueError(f"a {message.type} message has the content block {block!r}, which says no type: pass text")
