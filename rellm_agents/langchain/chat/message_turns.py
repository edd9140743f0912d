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
from collections.abc import Sequence
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
