"""What other packages make of a chat model they make of one on a local model: tools of MCP servers, LangGraph's own nodes, deep agents."""

from __future__ import annotations

import asyncio
import json
from typing import Literal

import pytest
from jsonschema import Draft202012Validator
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from small_chats import CALLS, CHATML, book, chat, check_calls, draws_anew, now, search
from toys import byte_level_tokenizer, random_model

from rellm_agents.langchain import ChatRELLM

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning", "ignore::ResourceWarning"),
]


def results_of(messages):
    return [message for message in messages if isinstance(message, ToolMessage)]


# LangGraph's nodes


def graph_of(model):
    """The loop of model and tools as LangGraph's users build it: a call is required first, and then an answer."""
    tools = [search, book, now]

    def answer(state):
        is_told = isinstance(state["messages"][-1], ToolMessage)
        return {"messages": [model.bind_tools(tools, tool_choice="none" if is_told else "any").invoke(state["messages"])]}

    graph = StateGraph(MessagesState)
    graph.add_node("model", answer)
    graph.add_node("tools", ToolNode(tools))
    graph.add_edge(START, "model")
    graph.add_conditional_edges("model", tools_condition)
    graph.add_edge("tools", "model")
    return graph.compile()


@pytest.mark.parametrize("seed", range(4))
def test_a_tool_node_runs_every_call(seed):
    CALLS.clear()
    messages = graph_of(chat(seed)).invoke({"messages": [HumanMessage("Plan my trip.")]})["messages"]
    called = next(message for message in messages if isinstance(message, AIMessage))
    check_calls(called, search, book, now)
    results = results_of(messages)
    assert [result.tool_call_id for result in results] == [call["id"] for call in called.tool_calls]
    assert all(result.status == "success" for result in results)
    assert len(CALLS) == len(results) > 0
    assert isinstance(messages[-1], AIMessage)
    assert not messages[-1].tool_calls


# Tools of MCP servers


def weather_server():
    """A server whose tools have arguments of every kind, and results of text, of objects and of images."""
    fastmcp = pytest.importorskip("mcp.server.fastmcp", reason="mcp is not installed")
    server = fastmcp.FastMCP("weather")

    @server.tool()
    def forecast(city: str, days: int, unit: Literal["C", "F"] = "C") -> str:
        """The weather of the next days."""
        return f"{days} days of rain"

    @server.tool()
    def stations(box: list[float], limit: int | None = None) -> dict[str, int]:
        """Weather stations in a box."""
        return {"found": len(box)}

    @server.tool()
    def radar(city: str):  # a type of its results would make them a schema
        """An image of the clouds."""
        return ["Clouds over it.", fastmcp.Image(data=b"\x89PNG", format="png")]

    return server


@pytest.mark.parametrize("name", ["forecast", "stations", "radar"])
def test_an_agent_calls_the_tools_of_a_server(name):
    """Arguments are those of the server's schema; an image in a result is told in words, and the agent goes on."""
    adapters = pytest.importorskip("langchain_mcp_adapters.tools", reason="langchain-mcp-adapters is not installed")
    connected = pytest.importorskip("mcp.shared.memory", reason="mcp is not installed").create_connected_server_and_client_session

    async def run():
        async with connected(weather_server()._mcp_server) as session:
            tools = await adapters.load_mcp_tools(session)
            schemas = {one.name: one.args_schema for one in tools}
            model = chat(1, max_new_tokens=200)
            call = await model.bind_tools(tools, tool_choice=name).ainvoke("Go on.")
            results = [await one.ainvoke(call.tool_calls[0]) for one in tools if one.name == name]
            answer = await model.bind_tools(tools, tool_choice="none").ainvoke([HumanMessage("Go on."), call, *results])
            agent = create_agent(model, tools, middleware=[draws_anew(3)])
            history = [HumanMessage("Go on."), call, *results, HumanMessage("Now?")]
            return call, schemas, results, answer, await agent.ainvoke({"messages": history}, {"recursion_limit": 40})

    if name == "radar":
        with pytest.warns(UserWarning, match="a tool message, has a content block of type 'image', of which this model reads .image"):
            call, schemas, results, answer, state = asyncio.run(run())
    else:
        call, schemas, results, answer, state = asyncio.run(run())
    (only,) = call.tool_calls
    assert only["name"] == name
    Draft202012Validator(schemas[name]).validate(only["args"])
    assert results[0].status == "success"
    assert answer.usage_metadata["output_tokens"] > 0
    assert isinstance(state["messages"][-1], AIMessage)


# Deep agents


def test_a_deep_agent_runs():
    """With all its own tools, for files, plans and agents below it; the calls are valid, whatever the model."""
    deepagents = pytest.importorskip("deepagents", reason="deepagents is not installed")
    tokenizer = byte_level_tokenizer()
    model = random_model(tokenizer)
    model.config.max_position_embeddings = 1 << 15  # its own instructions are 18,000 bytes
    llm = ChatRELLM(model=model, tokenizer=tokenizer, chat_template=CHATML, max_new_tokens=120, temperature=1.0, seed=1)
    agent = deepagents.create_deep_agent(model=llm, tools=[search, now], middleware=[draws_anew()])
    state = agent.invoke({"messages": [HumanMessage("Plan my trip.")]}, {"recursion_limit": 60})
    answers = [message for message in state["messages"] if isinstance(message, AIMessage)]
    assert answers
    assert not any(message.invalid_tool_calls for message in answers)
    for result in results_of(state["messages"]):
        assert "validation error" not in str(result.content).lower()


PROVIDERS = [
    {"cache_control": {"type": "ephemeral"}},
    {"reasoning_effort": "low"},
    {"service_tier": "auto"},
    {"safety_settings": {}},
    {"betas": ["x"]},
    {"extra_headers": {}},
]


@pytest.mark.parametrize("options", PROVIDERS, ids=lambda options: next(iter(options)))
def test_options_of_a_provider_are_named_where_they_are_passed(options):
    """By harnesses that bind them, or pass them with a call: before anything is written, each by its name."""
    (name,) = options
    for passed in (
        lambda: chat().bind_tools([search], **options),
        lambda: chat().bind(**options),
        lambda: chat().invoke("Hello.", **options),
        lambda: chat(**options),
    ):
        with pytest.raises(ValueError, match=f"takes no '{name}'"):
            passed()


@pytest.mark.parametrize("strict", [True, False, None])
def test_options_that_every_harness_passes_are_taken(strict):
    """``strict``, ``parallel_tool_calls``, ``tool_choice`` and LangSmith's own, as agents and structured output pass them."""
    options = {
        "tool_choice": "any",
        "parallel_tool_calls": False,
        "strict": strict,
        "ls_structured_output_format": {"kwargs": {}, "schema": {"title": "t", "type": "object"}},
    }
    (call,) = chat().bind_tools([search], **options).invoke("Go on.").tool_calls
    assert call["name"] == "search"
    assert json.dumps(call["args"])
    assert ("limit" in call["args"]) or not strict
