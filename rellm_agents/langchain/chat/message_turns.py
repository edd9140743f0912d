"""Turns the messages of LangChain, and examples, into turns as chat templates take them.

Knows nothing of templates: arguments of calls are mappings here, and every call has an id.

>>> from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
>>> call = AIMessage("", tool_calls=[{"name": "now", "args": {}, "id": "a1"}])
>>> [turn["role"] for turn in turns_of([HumanMessage("Now?"), call, ToolMessage("12:30", tool_call_id="a1")])]
['user', 'assistant', 'tool']
>>> turns_of([call, ToolMessage("12:30", tool_call_id="a1")])[1]
{'role': 'tool', 'content': '12:30', 'name': 'now', 'tool_call_id': 'a1'}
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, FunctionMessage, ToolMessage

from rellm_agents.formats import ToolCall
from rellm_agents.langchain.chat.examples import ExampleMessage
from rellm_agents.langchain.chat.message_text import role_of, text_of
from rellm_agents.langchain.chat.turns import Turn


def turns_of(messages: Sequence[BaseMessage]) -> list[Turn]:
    """The turns of a chat, one for each message; a result without the name of its tool takes it from the call.

    Raises:
        ChatRefused: a message has content that is no text: names the message.
        ValueError: a message has no role.
    """
    names: dict[str, str] = {}
    numbers = count(1)
    found: list[Turn] = []
    for number, message in enumerate(messages, start=1):
        turn: Turn = {"role": role_of(message), "content": text_of(message, number)}
        if message.name:
            turn["name"] = message.name
        match message:
            case AIMessage() if message.tool_calls:
                calls = [(ToolCall(call["name"], call["args"]), call["id"] or f"{next(numbers):09d}") for call in message.tool_calls]
                turn["tool_calls"] = [_call(call, id_) for call, id_ in calls]
                names.update({id_: call.name for call, id_ in calls})
            case ToolMessage():
                turn = {"name": names.get(message.tool_call_id), **turn, "tool_call_id": message.tool_call_id}
                turn = {key: turn[key] for key in ("role", "content", "name", "tool_call_id") if turn[key] is not None}
            case FunctionMessage():
                turn["tool_call_id"] = next((id_ for id_, name in reversed(names.items()) if name == message.name), "")
        found.append(turn)
    return found


def example_turns(examples: Sequence[ExampleMessage]) -> list[Turn]:
    """The turns of examples: of each, its input and the answer to it."""
    found: list[Turn] = []
    numbers = count(1)
    for given, message in examples:
        calls = {"tool_calls": [_call(call, f"{next(numbers):09d}") for call in message.tool_calls]} if message.tool_calls else {}
        found += [{"role": "user", "content": given}, {"role": "assistant", "content": message.content, **calls}]
    return found


def message_with_names(message: BaseMessage, written: Callable[[str], str]) -> BaseMessage:
    """The message with other names of the tools that it calls, or whose result it is; itself, if they are the same.

    Args:
        message: of a chat.
        written: the other name of a tool.
    """
    match message:
        case AIMessage() if any(written(call["name"]) != call["name"] for call in message.tool_calls):
            calls = [{**call, "name": written(call["name"])} for call in message.tool_calls]
            return message.model_copy(update={"tool_calls": calls})
        case ToolMessage() | FunctionMessage() if message.name and written(message.name) != message.name:
            return message.model_copy(update={"name": written(message.name)})
    return message


def example_with_names(example: ExampleMessage, written: Callable[[str], str]) -> ExampleMessage:
    """The example with other names of the tools that its answer calls, see :func:`message_with_names`."""
    calls = tuple(replace(call, name=written(call.name)) for call in example.message.tool_calls)
    return ExampleMessage(example.input, replace(example.message, tool_calls=calls))


def is_turned_round(messages: Sequence[BaseMessage]) -> bool:
    """Whether the result of a call comes before the call, and none after its call."""
    called: set[str | None] = set()
    results: set[str] = set()
    for message in messages:
        if isinstance(message, ToolMessage):
            if message.tool_call_id in called:
                return False
            results.add(message.tool_call_id)
        elif isinstance(message, AIMessage):
            called.update(call["id"] for call in message.tool_calls)
    return not results.isdisjoint(called)


def plain_text(turns: Sequence[Turn]) -> str:
    """All words of some turns, without any template."""
    texts = ([turn["role"], turn["content"], *(json.dumps(call["function"]) for call in turn.get("tool_calls", ()))] for turn in turns)
    return "\n".join(text for parts in texts for text in parts)


def _call(call: ToolCall, id_: str) -> dict[str, Any]:
    return {"type": "function", "id": id_, "function": {"name": call.name, "arguments": call.arguments}}
