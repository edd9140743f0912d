"""What LangGraph does with an agent - it remembers, streams, waits, runs beside others - it does with one on a local model."""

from __future__ import annotations

import asyncio
import json
import os
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware, wrap_model_call
from langchain.agents.structured_output import ProviderStrategy, ToolStrategy
from langchain_core.messages import AIMessage, AIMessageChunk, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from small_chats import QWEN, Trip, book, chat, draws_anew, now, search

from rellm_agents import compile_regex
from rellm_agents.decoding.forward.passes import ForwardPasses

AGENT_RUNS = int(os.environ.get("CHAT_AGENT_RUNS", "2"))
ASKED = {"messages": [("user", "Plan my trip.")]}
STRATEGIES = {"provider": ProviderStrategy(Trip), "tool": ToolStrategy(Trip, handle_errors=False), "none": None}
OPTIONS = {
    "plain": {},
    "v1": {"output_version": "v1"},
    "reasoning": {"chat_template": QWEN, "reasoning": True, "part_tokens": {"reasoning": 12}},
}

pytestmark = pytest.mark.usefixtures("one_thread")


def agent_of(seed=0, *, model=None, middleware=(), **options):
    model = model or chat(seed, temperature=20.0)
    return create_agent(model, [search, book, now], middleware=[*middleware, draws_anew(100 * seed)], **options)


@wrap_model_call
def calls_first(request, handler):
    """A tool has to be called before anything is said."""
    is_told = isinstance(request.messages[-1], ToolMessage)
    return handler(request if is_told else request.override(tool_choice="any"))


def with_settings(**settings):
    @wrap_model_call
    def with_settings(request, handler):
        return handler(request.override(model_settings={**request.model_settings, **settings}))

    return with_settings


def on(thread="one"):
    return {"configurable": {"thread_id": thread}, "recursion_limit": 60}


def said(messages):
    """Messages without their ids."""
    return [(message.type, message.text, called(message)) for message in messages]


def called(message):
    return [(call["name"], call["args"]) for call in getattr(message, "tool_calls", ())]


def check_answers(messages):
    """Each call is answered by its tool, which takes only valid ones. Returns how many there are."""
    ids = [call["id"] for message in messages if isinstance(message, AIMessage) for call in message.tool_calls]
    results = [message for message in messages if isinstance(message, ToolMessage)]
    assert sorted(ids) == sorted(result.tool_call_id for result in results)
    assert len(set(ids)) == len(ids)
    assert all(result.status == "success" for result in results)
    return len(ids)


# A memory


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_second_turn_goes_on_from_the_first(strategy):
    calls = 0
    for seed in range(AGENT_RUNS):
        first_call = [calls_first] if strategy == "none" else []
        agent = agent_of(seed, middleware=first_call, response_format=STRATEGIES[strategy], checkpointer=InMemorySaver())
        first = agent.invoke(ASKED, on())
        second = agent.invoke({"messages": [("user", "And back?")]}, on())
        assert second["messages"][: len(first["messages"])] == first["messages"]
        assert second["messages"][len(first["messages"])].text == "And back?"
        calls += check_answers(second["messages"])
        for state in (first, second):
            assert strategy == "none" or isinstance(state["structured_response"], Trip)
        other = agent.invoke(ASKED, on("another"))
        assert said(other["messages"])[0] == said(first["messages"])[0]
        assert not {message.id for message in other["messages"]} & {message.id for message in second["messages"]}
    assert calls or strategy == "provider"


def test_a_second_turn_reads_what_is_new_only(monkeypatch):
    """The prompt of a turn begins with that of the last one."""
    read, forward = [], ForwardPasses.forward
    monkeypatch.setattr(
        ForwardPasses, "forward", lambda self, tokens, scored: (read.append(sum(map(len, tokens))), forward(self, tokens, scored))[1]
    )
    agent = create_agent(chat(), middleware=[with_settings(regex="[a-z ]{20}")], checkpointer=InMemorySaver())
    given = []
    for turn in range(3):
        read.clear()
        message = agent.invoke({"messages": [("user", f"Turn {turn}.")]}, on())["messages"][-1]
        given.append((read[0], message.usage_metadata["input_tokens"]))
    (first, whole), *later = given
    assert first >= whole - 1
    for (read_now, whole), (_, before) in zip(later, given, strict=False):
        assert read_now < whole - before


# Streams


def streamed(agent, mode):
    return list(agent.stream(ASKED, on(), stream_mode=mode))


def streamed_in_time(agent, mode):
    async def collect():
        return [event async for event in agent.astream(ASKED, on(), stream_mode=mode)]

    return asyncio.run(collect())


def check_pieces(events, messages):
    """All pieces of a message make the message."""
    pieces = defaultdict(list)
    for piece, where in events:
        pieces[piece.id].append(piece)
        assert where["langgraph_node"] in {"model", "tools"}
    wanted = [message for message in messages if message.type != "human"]
    assert list(pieces) == [message.id for message in wanted]
    for message in wanted:
        first, *rest = pieces[message.id]
        whole = sum(rest, first)
        assert whole.text == message.text
        if isinstance(message, ToolMessage):
            assert whole == message
            continue
        assert isinstance(whole, AIMessageChunk)
        assert whole.tool_calls == message.tool_calls
        assert whole.usage_metadata == message.usage_metadata
        assert whole.additional_kwargs == message.additional_kwargs
        arguments = defaultdict(str)
        for piece in pieces[message.id]:
            for call in piece.tool_call_chunks:
                arguments[call["index"]] += call["args"] or ""
        assert [json.loads(text) for text in arguments.values()] == [call["args"] for call in message.tool_calls]


@pytest.mark.parametrize("stream", [streamed, streamed_in_time])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_every_stream_tells_the_same_messages(stream, options):
    calls = 0
    for seed in range(AGENT_RUNS):

        def agent(seed=seed):
            return agent_of(seed, model=chat(seed, temperature=20.0, **options), response_format=STRATEGIES["tool"])

        wanted = agent().invoke(ASKED, on())
        states = stream(agent(), "values")
        assert said(states[-1]["messages"]) == said(wanted["messages"])
        assert states[-1]["structured_response"] == wanted["structured_response"]
        updates = [message for event in stream(agent(), "updates") for update in event.values() for message in update.get("messages", ())]
        assert said(updates) == said(wanted["messages"][1:])
        pieces = stream(agent(), "messages")
        assert "".join(piece.text for piece, _ in pieces) == "".join(m.text for m in wanted["messages"][1:])
        together = stream(agent(), ["values", "updates", "messages"])
        assert {mode for mode, _ in together} == {"values", "updates", "messages"}
        last = [state for mode, state in together if mode == "values"][-1]
        assert said(last["messages"]) == said(wanted["messages"])
        check_pieces([event for mode, event in together if mode == "messages"], last["messages"])
        calls += check_answers(last["messages"])
    assert calls


# Waiting


def test_an_agent_that_waits_before_its_tools_goes_on_as_if_it_had_not():
    waited = 0
    for seed in range(AGENT_RUNS):
        options = {"response_format": STRATEGIES["tool"], "checkpointer": InMemorySaver()}
        wanted = agent_of(seed, **options).invoke(ASKED, on("other"))
        agent = agent_of(seed, interrupt_before=["tools"], **options)
        state = agent.invoke(ASKED, on())
        while agent.get_state(on()).next:
            assert set(agent.get_state(on()).next) == {"tools"}
            assert state.get("structured_response") is None
            asking = state["messages"][-1]
            assert asking.tool_calls
            waited += 1
            state = agent.invoke(None, on())
            answered = {message.tool_call_id for message in state["messages"] if isinstance(message, ToolMessage)}
            assert {call["id"] for call in asking.tool_calls} <= answered
        assert said(state["messages"]) == said(wanted["messages"])
        assert state["structured_response"] == wanted["structured_response"]
        check_answers(state["messages"])
    assert waited


def test_a_person_approves_calls():
    asks = HumanInTheLoopMiddleware(dict.fromkeys(["search", "book", "now"], True))  # as it takes it
    agent = agent_of(middleware=[calls_first, asks], checkpointer=InMemorySaver())
    state, approved = agent.invoke(ASKED, on()), 0
    while asked := state.get("__interrupt__"):
        decisions = [{"type": "approve"} for _ in asked[0].value["action_requests"]]
        approved += len(decisions)
        state = agent.invoke(Command(resume={"decisions": decisions}), on())
    assert check_answers(state["messages"]) == approved > 0
    assert said(state["messages"]) == said(agent_of(middleware=[calls_first]).invoke(ASKED, on())["messages"])


# Middleware


def test_middleware_narrows_the_tools():
    @wrap_model_call
    def only_now(request, handler):
        return handler(request.override(tools=[one for one in request.tools if one.name == "now"]))

    for seed in range(AGENT_RUNS):
        messages = agent_of(seed, middleware=[calls_first, only_now]).invoke(ASKED, on())["messages"]
        assert {call for message in messages for call, _ in called(message)} == {"now"}
        assert messages[-1].text


@pytest.mark.parametrize("settings", [{"regex": "yes|no"}, {"pattern": compile_regex("yes|no")}], ids=["regex", "pattern"])
def test_middleware_sets_what_the_last_message_is(settings):
    calls = 0
    for seed in range(AGENT_RUNS):
        messages = agent_of(seed, middleware=[calls_first, with_settings(**settings)]).invoke(ASKED, on())["messages"]
        assert messages[-1].text in {"yes", "no"}
        calls += check_answers(messages)
    assert calls


# Beside each other


def test_agents_on_one_model_do_as_alone():
    """Two of other words, tools and answers at a time, in threads and in coroutines."""
    for seed in range(AGENT_RUNS):
        model = chat(seed, temperature=20.0)

        def both(model=model, seed=seed):
            planner = agent_of(seed, model=model, system_prompt="You plan.", response_format=STRATEGIES["tool"])
            clock = create_agent(model, [now], system_prompt="You tell the time.", middleware=[draws_anew(seed)])
            return planner, clock

        wanted = [said(agent.invoke(ASKED, on())["messages"]) for agent in both()]
        with ThreadPoolExecutor() as threads:
            found = list(threads.map(lambda agent: agent.invoke(ASKED, on()), both()))

        async def at_once(both=both):
            return await asyncio.gather(*(agent.ainvoke(ASKED, on()) for agent in both()))

        assert [said(state["messages"]) for state in found] == wanted
        assert [said(state["messages"]) for state in asyncio.run(at_once())] == wanted
