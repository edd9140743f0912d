"""Reads the role and the plain text of a LangChain message.

People are told of what they pass that is no text, such as an image: it is refused. What other models and tools have left in a chat is
told in words, so that the chat can go on.

Knows nothing of templates or formats.

>>> from langchain_core.messages import HumanMessage
>>> text_of(HumanMessage([{"type": "text", "text": "Hello "}, "there"]))
'Hello there'
>>> text_of(HumanMessage([{"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}]))
Traceback (most recent call last):
  ...
rellm_agents.errors.ChatRefused: a human message has a content block of type 'image_url': images, sounds, videos and files are out of \
scope, this model reads text only: leave it out, or describe it in words
>>> in_words({"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "rain in Oslo"}})
'[server tool use: web_search; rain in Oslo]'
>>> in_words({"type": "image", "base64": "aGk=", "mime_type": "image/png"})
'[image]'
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, ChatMessage, FunctionMessage, HumanMessage, SystemMessage, ToolMessage

from rellm_agents.errors import ArgumentValueError, ChatRefused

_BLOCKS_WITHOUT_TEXT = frozenset(
    {
        *("tool_use", "tool_call", "tool_call_chunk", "function_call", "input_json_delta", "invalid_tool_call"),
        *("reasoning", "thinking", "redacted_thinking", "reasoning_content"),
    }
)
"""Types of content blocks to skip: calls are read from ``tool_calls``, and earlier reasoning is not shown again."""
_TEXT_TYPES = frozenset({"text", "text-plain", "input_text", "output_text"})
_NO_WORDS = frozenset(
    {
        *("type", "id", "index", "extras", "status", "annotations", "citations", "cache_control", "caller"),
        *("signature", "base64", "bytes", "blob", "file_data", "mime_type", "media_type", "source_type", "format", "detail"),
    }
)
"""Keys of content blocks whose values say nothing to a reader."""


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
        number: which one of a chat it is, from 1, for errors and warnings.

    Raises:
        ChatRefused: what a person says, or the system, holds an image, a sound or something else that is no text.

    Warns:
        UserWarning: an answer or a tool's result holds it: see :func:`in_words`.
    """
    if isinstance(message.content, str):
        return message.content
    kind = "an AI" if message.type == "ai" else f"a {message.type}"
    where = f"{kind} message" if number is None else f"message {number} of the chat, {kind} message,"
    text, after_told = "", False
    for piece, is_told in _pieces(where, message.content, is_left=isinstance(message, AIMessage | ToolMessage | FunctionMessage)):
        text += f"\n{piece}" if text and (is_told or after_told) else piece  # what is told stands in lines of its own
        after_told = is_told
    return text


def with_text(message: BaseMessage, number: int | None = None) -> BaseMessage:
    """The message with its text as its content, see :func:`text_of`; itself, if it is text already."""
    return message if isinstance(message.content, str) else message.model_copy(update={"content": text_of(message, number)})


def in_words(block: Mapping[str, Any]) -> str:
    """A content block that is no text, such as an image or the call of a provider's own tool, in words: its kind, and all its texts."""
    words = "; ".join(_words(block))
    kind = str(block["type"]).replace("_", " ").replace("-", " ")
    return f"[{kind}: {words}]" if words else f"[{kind}]"


def _pieces(where: str, blocks: Iterable[Any], *, is_left: bool) -> Iterator[tuple[str, bool]]:
    """What is read of some content blocks, and whether it is told in words; ``is_left``: a model or a tool has left them in the chat."""
    for block in blocks:
        match block:
            case str(text) | {"type": "tool_result", "content": str(text)}:
                yield text, False
            case {"type": str(kind), "text": str(text)} if kind in _TEXT_TYPES:
                yield text, False
            case {"type": "refusal", "refusal": str(text)} if is_left:
                yield text, False
            case {"type": "json", "json": value} if is_left:
                yield json.dumps(value, ensure_ascii=False), False
            case {"type": "tool_result", "content": list(inner)}:
                yield from _pieces(where, inner, is_left=True)
            case {"type": str(kind)} if kind in _BLOCKS_WITHOUT_TEXT:
                pass
            case {"type": str(kind)} if is_left:
                told = in_words(block)
                warnings.warn(f"{where} has a content block of type {kind!r}, of which this model reads {told[:200]}", stacklevel=2)
                yield told, True
            case {"type": kind}:
                raise ChatRefused(
                    f"{where} has a content block of type {kind!r}: images, sounds, videos and files are out of scope, this model reads "
                    "text only: leave it out, or describe it in words"
                )
            case _:
                raise ChatRefused(f"{where} has the content block {block!r} without a type: pass text")


def _words(value: Any) -> Iterator[str]:
    """All texts and numbers in a value that a reader can make something of; neither ids nor data."""
    match value:
        case str():
            if value.strip() and not value.startswith("data:"):
                yield value
        case bool() | None:
            pass
        case int() | float():
            yield str(value)
        case Mapping():
            for key, part in value.items():
                is_data = key == "data" and not str(value.get("media_type", value.get("type"))).startswith("text")
                if not (key in _NO_WORDS or key.endswith("_id") or key.startswith("encrypted") or is_data):
                    yield from _words(part)
        case list():
            for part in value:
                yield from _words(part)
