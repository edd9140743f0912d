"""Tools that a local model cannot call are refused by name, all at once, or left out; the arguments of the others arrive as their types."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.tools import StructuredTool
from small_chats import chat, search

from rellm_agents.errors import FormatError, UnfitTools
from rellm_agents.formats.messages import message_declaration
from rellm_agents.langchain.chat.chat_request import compile_request
from rellm_agents.resources import data_path

SEARCH = {"type": "web_search"}
BROKEN = {"name": "broken", "input_schema": {"type": "object", "properties": {"a": {"type": "float"}}}}


def test_tools_that_cannot_be_called_are_named_at_once_and_can_be_left_out() -> None:
    model = chat(2, max_new_tokens=60)
    for unfit in ([SEARCH], [BROKEN], [SEARCH, {"type": "computer_20250124", "name": "computer"}]):
        names = [one.get("name") or one["type"] for one in unfit]
        with pytest.raises(
            UnfitTools, match=re.escape(f"Leave out {', '.join(map(repr, names))} to call the others, or pass unfit_tools='leave_out'")
        ):
            model.bind_tools([search, *unfit])
        with pytest.warns(UserWarning, match="is left out, the model cannot call it"):
            bound = model.bind_tools([search, *unfit], tool_choice="any", unfit_tools="leave_out")
        if unfit == [SEARCH]:
            assert bound.invoke("x").tool_calls[0]["name"] == "search"
    with pytest.raises(FormatError, match="cannot call 'web_search'"):
        model.bind_tools([SEARCH], unfit_tools="leave_out")
    for tools in ([SEARCH, SEARCH], [SEARCH, {"type": "computer_20250124", "name": "computer"}], [BROKEN, {**BROKEN, "name": "b"}]):
        for unfit_tools in ("refuse", "leave_out"):
            with pytest.raises(UnfitTools, match=r"none of the tools can be called: .*\. Change them, or give others$"):
                model.bind_tools(tools, unfit_tools=unfit_tools)
    with pytest.raises(ValueError, match="unfit_tools"):
        chat(unfit_tools="ignore")


@pytest.mark.filterwarnings("ignore:the tool 'broken' is left out:UserWarning", "ignore:the tool 'web_search' is left out:UserWarning")
def test_an_agent_works_beside_a_tool_that_it_cannot_call() -> None:
    agent = create_agent(chat(3, max_new_tokens=40, unfit_tools="leave_out"), [search, SEARCH, BROKEN])
    assert agent.invoke({"messages": [("user", "x")]}, {"recursion_limit": 50})["messages"]


def test_one_tool_and_what_is_none() -> None:
    model = chat(1, max_new_tokens=60)
    assert model.bind_tools(search).kwargs == model.bind_tools([search]).kwargs
    for given, message in (("search", "is no list of tools"), (json, "a list of the tools in it"), ([StructuredTool], "pass an instance")):
        with pytest.raises(FormatError, match=message):
            model.bind_tools(given)
    assert model.bind(tools=[search], tool_choice="any").invoke("x").tool_calls[0]["name"] == "search"


_COUNT: dict[str, Any] = {
    "plain": {"type": "integer"},
    "bounded": {"type": "integer", "minimum": -5, "maximum": 10**6},
    "or null": {"type": ["integer", "null"]},
    "of any": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
    "referred": {"$ref": "#/$defs/n"},
    "multiple": {"type": "integer", "multipleOf": 5},
    "listed": {"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 3},
}


@pytest.mark.parametrize("family", sorted(path.stem for path in data_path("messages").glob("*.json")))
def test_an_integer_arrives_as_an_int(family: str) -> None:
    for schema in _COUNT.values():
        parameters = {"type": "object", "properties": {"n": schema}, "required": ["n"], "$defs": {"n": {"type": "integer"}}}
        request = compile_request(message_declaration(family), tools=[{"name": "f", "inputSchema": parameters}], tool_choice="f")
        for seed in range(3):
            (call,) = request.format.read(request.format.pattern.sample(seed)).tool_calls
            found = call.arguments["n"] if isinstance(call.arguments["n"], list) else [call.arguments["n"]]
            assert all(type(one) in (int, type(None)) for one in found)


def test_what_an_object_without_properties_stands_for_is_told() -> None:
    tool = {"name": "f", "inputSchema": {"type": "object"}}
    hermes = compile_request(message_declaration("hermes"), tools=[tool], tool_choice="f").format
    assert "f([name]: any)" in hermes.instructions
    assert any(hermes.read(hermes.pattern.sample(seed)).tool_calls[0].arguments for seed in range(8))
    for family in ("qwen3_coder", "pythonic"):
        format_ = compile_request(message_declaration(family), tools=[tool], tool_choice="f").format
        assert "tool 'f' is called without arguments" in format_.pattern.narrowed[-1]
        assert format_.read(format_.pattern.sample(1)).tool_calls[0].arguments == {}
    closed = {"name": "f", "inputSchema": {"type": "object", "properties": {}}}
    empty = compile_request(message_declaration("hermes"), tools=[closed], tool_choice="f").format
    assert "f()" in empty.instructions
    assert empty.read(empty.pattern.sample(1)).tool_calls[0].arguments == {}


def test_null_of_openapi_is_told() -> None:
    tool = {"name": "f", "inputSchema": {"type": "object", "properties": {"a": {"type": "string", "nullable": True}}}}
    (line,) = compile_request(message_declaration("hermes"), tools=[tool]).format.pattern.narrowed
    assert line.startswith("tool 'f', #/properties/a/nullable: no null is written")
