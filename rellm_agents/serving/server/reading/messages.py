"""Reads the messages and the tools of a chat request.

>>> read_messages([{"role": "user", "content": [{"type": "text", "text": "Hello"}]}], "messages")[0].content
'Hello'
>>> read_messages([{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}], "messages")
Traceback (most recent call last):
rellm_agents.serving.server.refusals.Refusal: messages[0].content[0].type: "text", not the string 'image_url'
"""

from __future__ import annotations

import json
from typing import Any, Final

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from rellm_agents.serving.server.reading.body import json_value
from rellm_agents.serving.server.reading.fields import (
    any_object,
    by_word,
    flag,
    list_of,
    one_of,
    record,
    refuse,
    refused,
    text,
    text_or,
)
from rellm_agents.serving.server.refusals import Refusal

MAX_MESSAGES: Final = 10_000
MAX_TOOLS: Final = 128

_PART = by_word("type", {"text": record({"type": text, "text": text}, required=("text",))})
_ANSWER_PART = by_word(
    "type",
    {
        "text": record({"type": text, "text": text}, required=("text",)),
        "refusal": record({"type": text, "refusal": text}, required=("refusal",)),
    },
)
_CONTENT = text_or(list_of(_PART, most=MAX_MESSAGES))
_CALLED = record({"name": text, "arguments": text}, required=("name", "arguments"))
_CALL = by_word("type", {"function": record({"id": text, "type": text, "function": _CALLED}, required=("id", "function"))})
_ANSWER = {
    "role": text,
    "content": text_or(list_of(_ANSWER_PART, most=MAX_MESSAGES)),
    "refusal": text,
    "name": text,
    "tool_calls": list_of(_CALL, most=MAX_TOOLS),
    "reasoning_content": text,  # earlier reasoning is shown to no model again
    "annotations": list_of(any_object, most=MAX_MESSAGES),  # links of a search, which are no part of the text
    "audio": refused("sounds are out of scope"),
    "function_call": refused("give tool_calls"),
}
_INSTRUCTION = record({"role": text, "content": _CONTENT, "name": text}, required=("content",))
_MESSAGES = list_of(
    by_word(
        "role",
        {
            "system": _INSTRUCTION,
            "developer": _INSTRUCTION,
            "user": _INSTRUCTION,
            "assistant": record(_ANSWER),
            "tool": record({"role": text, "content": _CONTENT, "tool_call_id": text, "name": text}, required=("content", "tool_call_id")),
        },
    ),
    least=1,
    most=MAX_MESSAGES,
)
_FUNCTION = record({"name": text, "description": text, "parameters": any_object, "strict": flag}, required=("name",))
_TOOL = by_word("type", {"function": record({"type": text, "function": _FUNCTION}, required=("function",))})

read_tools = list_of(_TOOL, most=MAX_TOOLS)
_CHOSEN = record({"type": text, "function": record({"name": text}, required=("name",))}, required=("function",))
_ALLOWED = record(
    {"mode": one_of("auto", "required"), "tools": list_of(by_word("type", {"function": _CHOSEN}), least=1, most=MAX_TOOLS)},
    required=("mode", "tools"),
)
_CHOICE_OBJECT = by_word(
    "type",
    {"function": _CHOSEN, "allowed_tools": record({"type": text, "allowed_tools": _ALLOWED}, required=("allowed_tools",))},
)
_CHOICE_WORD = one_of("auto", "none", "required")


def read_choice(value: Any, place: str) -> str | dict[str, Any]:
    """The ``tool_choice`` of a request."""
    found: str | dict[str, Any] = _CHOICE_WORD(value, place) if isinstance(value, str) else _CHOICE_OBJECT(value, place)
    return found


def read_messages(value: Any, place: str) -> list[BaseMessage]:
    """The messages of a chat.

    Raises:
        Refusal: one of them is none, holds something that is no text, or is the result of a call that there is not.
    """
    found: list[BaseMessage] = []
    called: set[str] = set()
    for index, one in enumerate(_MESSAGES(value, place)):
        message = _message(one, f"{place}[{index}]")
        if isinstance(message, AIMessage):
            called.update(str(call["id"]) for call in message.tool_calls)
        elif isinstance(message, ToolMessage) and message.tool_call_id not in called:
            refuse(f"{place}[{index}].tool_call_id", "no call with this id stands before it in an assistant message's tool_calls")
        found.append(message)
    return found


def _message(one: dict[str, Any], place: str) -> BaseMessage:
    content, named = _text(one.get("content", "")), {"name": one["name"]} if "name" in one else {}
    match one["role"]:
        case "system" | "developer":
            return SystemMessage(content, **named)
        case "user":
            return HumanMessage(content, **named)
        case "tool":
            return ToolMessage(content, tool_call_id=one["tool_call_id"], **named)
    calls = [_call(call["function"], call["id"], f"{place}.tool_calls[{n}]") for n, call in enumerate(one.get("tool_calls", ()))]
    if "content" not in one and "refusal" not in one and not calls:
        refuse(f"{place}.content", "is required where there are no tool_calls", "missing_field")
    return AIMessage(content or one.get("refusal", ""), tool_calls=calls, **named)


def _text(content: str | list[dict[str, str]]) -> str:
    return content if isinstance(content, str) else "".join(part.get("text", part.get("refusal", "")) for part in content)


def _call(function: dict[str, str], id_: str, place: str) -> dict[str, Any]:
    where = f"{place}.function.arguments"
    try:
        arguments = json_value(function["arguments"].encode() or b"{}")
    except Refusal as error:
        refuse(where, str(error).replace("the body", "this string"), str(error.code))
    return {"name": function["name"], "args": any_object(arguments, where), "id": id_}


def chosen_tools(
    tools: list[dict[str, Any]], choice: str | dict[str, Any], place: str
) -> tuple[list[dict[str, Any]], str | dict[str, Any]]:
    """The tools that may be called, and the choice among them as ``ChatRELLM`` takes it.

    Raises:
        Refusal: a call is required of a tool that there is not.
    """
    names = {tool["function"]["name"] for tool in tools}
    given: Any = choice
    match given:
        case "required" if not tools:
            refuse(place, "a call is required, but there are no tools: give tools")
        case {"type": "function", "function": {"name": name}}:
            if name not in names:
                refuse(f"{place}.function.name", f"there is no tool {json.dumps(name[:64])} in tools")
        case {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": allowed}}:
            wanted: list[str] = [called["function"]["name"] for called in allowed]
            for index, name in enumerate(wanted):
                if name not in names:
                    refuse(f"{place}.allowed_tools.tools[{index}].function.name", "there is no such tool in tools")
            return [tool for tool in tools if tool["function"]["name"] in wanted], mode
    return tools, choice
