"""Rewrites the content of a chat, wherever it stands, by one function: texts, names, arguments, tools, instructions, examples.

Content is all that is not the frame of a prompt: whoever writes a message, a tool or its result chooses it. Roles are the frame's, but
for those that no template knows. Knows nothing of templates or tokens.

>>> marked({"type": "object", "properties": {"city": {"enum": ["Oslo"]}}}, str.upper)
{'type': 'object', 'properties': {'city': {'enum': ['OSLO']}}}
>>> from langchain_core.messages import HumanMessage
>>> marked_message(HumanMessage(["Hello ", {"type": "text", "text": "there"}]), str.upper).content
['HELLO ', {'type': 'text', 'text': 'THERE'}]
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, ChatMessage, ToolMessage

from rellm_agents.formats import Message, Rewritten, ToolCall
from rellm_agents.langchain.chat.examples import ExampleMessage

Mark = Callable[[str], str]
"""Another text in place of a content; ``unmarked`` leaves it."""

_ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
_KEYED = frozenset({"parameters", "return", "arguments", "args"})
"""Keys below which the keys are content too: names of properties."""


def unmarked(text: str) -> str:
    """The content as it is."""
    return text


def marked(value: Any, mark: Mark, *, keys: bool = False) -> Any:
    """A JSON value with its strings marked, but for the ``type`` of what is no schema.

    Args:
        value: plain data.
        mark: of each string.
        keys: whether the keys of objects are content, too.
    """
    match value:
        case str():
            return mark(value)
        case dict():
            return {
                _name(key, mark) if keys else key: inner
                if key == "type" and isinstance(inner, str) and not keys
                else marked(inner, mark, keys=keys or key in _KEYED)
                for key, inner in value.items()
            }
        case list() | tuple():
            return [marked(inner, mark, keys=keys) for inner in value]
    return value


def marked_message(message: BaseMessage, mark: Mark) -> BaseMessage:
    """A message with its content marked: blocks stay blocks."""
    if mark is unmarked:
        return message
    changed: dict[str, Any] = {
        "content": marked(message.content, mark),
        "additional_kwargs": marked(message.additional_kwargs, mark),  # reasoning stands there
    }
    if message.name:
        changed["name"] = mark(message.name)
    match message:
        case AIMessage():
            changed["tool_calls"] = [
                {
                    **call,
                    "name": _name(call["name"], mark),
                    "args": marked(call["args"], mark, keys=True),
                    "id": call["id"] and mark(call["id"]),
                }
                for call in message.tool_calls
            ]
        case ToolMessage():
            changed["tool_call_id"] = mark(message.tool_call_id)
        case ChatMessage() if message.role not in _ROLES:
            changed["role"] = mark(message.role)
    return message.model_copy(update=changed)


def marked_example(example: ExampleMessage, mark: Mark) -> ExampleMessage:
    """An example with its input and its answer marked."""
    if mark is unmarked:
        return example
    given, message = example
    calls = tuple(ToolCall(_name(call.name, mark), marked(call.arguments, mark, keys=True)) for call in message.tool_calls)
    return ExampleMessage(mark(given), Message(mark(message.content), calls, mark(message.reasoning)))


def _name(name: str, mark: Mark) -> str:
    """A marked name of a tool or an argument, by which they are found still."""
    return Rewritten(mark(name), name)
