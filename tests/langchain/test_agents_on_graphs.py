"""An agent of a local model is a LangGraph graph like any other: it is resumed, streamed, interrupted, and runs beside others."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from operator import add

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware, HumanInTheLoopMiddleware, wrap_model_call
from langchain_core.messages import AIMessage, AIMessageChunk, ToolMessage, message_chunk_to_message
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from toy_chat import Trip, book, chat, check_calls, search

from rellm_agents import compile_regex
from rellm_agents.langchain.answer_in_time import AnswerInTime

STEPS = 2
TOOLS = [search, book]
THREAD = {"configurable": {"thread_id": "one"}}
ASKED = {"messages": [("user", "Where to?")]}

pytestmark = pytest.mark.usefixtures("one_thread")


class CallsFirst(AgentMiddleware):
    """As long as there are tools, one of them is called."""

    def wrap_model_call(self, request, handler):
        return handler(self._forced(request))

    async def awrap_model_call(self, request, handler):
        return await handler(self._forced(request))

    def _forced(self, request):
        return request.override(model_settings={"tool_choice": "any"}) if request.tools else request


def agent(model=None, *, middleware=(), response_format=Trip, **options):
    """An agent that calls tools for some steps, and answers then."""
    steps = [AnswerInTime(steps=STEPS), CallsFirst(), *middleware]
    return create_agent(model or chat(), TOOLS, response_format=response_format, middleware=steps, **options)


def said(messages):
    """What messages say, whatever their ids are."""
    return [(one.type, one.text, [(call["name"], call["args"]) for call in getattr(one, "tool_calls", ())]) for one in messages]


def checked(result):
    """A run's messages, once it is sure that each call was right, and was answered without an error."""
    messages = result["messages"]
    called = [message for message in messages if isinstance(message, AIMessage) and message.tool_calls]
    answered = {message.tool_call_id: message.status for message in messages if isinstance(message, ToolMessage)}
    for message in called:
        check_calls(message, *TOOLS)
    assert answered == {call["id"]: "success" for message in called for call in message.tool_calls}
    assert isinstance(result["structured_response"], Trip)
    return messages


def test_a_checkpointer_keeps_what_was_said():
    resumed = agent(checkpointer=InMemorySaver())
    first = checked(resumed.invoke(ASKED, THREAD))
    second = checked(resumed.invoke({"messages": [("user", "And then?")]}, THREAD))
    assert second[: len(first)] == first
    assert len(second) > len(first) + STEPS
    other = resumed.invoke(ASKED, {"configurable": {"thread_id": "two"}})
    assert said(other["messages"]) == said(first)


def test_a_run_goes_on_where_it_was_interrupted():
    whole = agent().invoke(ASKED)
    paused = agent(checkpointer=InMemorySaver(), interrupt_before=["tools"])
    result = paused.invoke(ASKED, THREAD)
    stops = 0
    while paused.get_state(THREAD).next:
        assert paused.get_state(THREAD).next == ("tools",)
        stops += 1
        result = paused.invoke(None, THREAD)
    assert stops == STEPS
    assert said(checked(result)) == said(whole["messages"])


def test_a_person_approves_calls():
    watched = agent(middleware=[HumanInTheLoopMiddleware({"search": True, "book": True})], checkpointer=InMemorySaver())
    result = watched.invoke(ASKED, THREAD)
    for _ in range(STEPS):
        (asked,) = result["__interrupt__"]
        decisions = [{"type": "approve"} for _ in asked.value["action_requests"]]
        result = watched.invoke(Command(resume={"decisions": decisions}), THREAD)
    assert said(checked(result)) == said(agent().invoke(ASKED)["messages"])


def joined(parts):
    """The messages that pieces make, and tools' answers as they are."""
    found = {}
    for piece, _ in parts:
        found.setdefault(piece.id, []).append(piece)
    return [
        message_chunk_to_message(reduce(add, pieces)) if isinstance(pieces[0], AIMessageChunk) else pieces[0] for pieces in found.values()
    ]


def check_streams(updates, values, messages, whole):
    new = [message for update in updates for changed in update.values() if changed for message in changed.get("messages", ())]
    assert said(new) == said(whole[1:])
    assert said(values[-1]["messages"]) == said(whole)
    assert said(joined(messages)) == said(whole[1:])
    assert len(messages) > 2 * len(whole)


def test_all_stream_modes_tell_the_same():
    whole = checked(agent().invoke(ASKED))
    streams = {mode: list(agent().stream(ASKED, stream_mode=mode)) for mode in ("updates", "values", "messages")}
    check_streams(**streams, whole=whole)
    several = {"updates": [], "values": [], "messages": []}
    for mode, part in agent().stream(ASKED, stream_mode=list(several)):
        several[mode].append(part)
    check_streams(**several, whole=whole)


async def test_all_stream_modes_tell_the_same_to_coroutines():
    whole = checked(await agent().ainvoke(ASKED))
    streams = {mode: [part async for part in agent().astream(ASKED, stream_mode=mode)] for mode in ("updates", "values", "messages")}
    check_streams(**streams, whole=whole)


def test_agents_beside_each_other_run_as_they_run_alone():
    model = chat()
    asked = [{"messages": [("user", f"Where to, {name}?")]} for name in ("Ada", "Bo", "Cy", "Di")]
    alone = [said(checked(agent(model).invoke(one))) for one in asked]
    with ThreadPoolExecutor(len(asked)) as threads:
        assert [said(result["messages"]) for result in threads.map(agent(model).invoke, asked)] == alone

    async def together():
        return await asyncio.gather(*map(agent(model).ainvoke, asked))

    assert [said(result["messages"]) for result in asyncio.run(together())] == alone


@pytest.mark.parametrize("setting", [{"regex": "(yes|no), [a-z]{3}"}, {"pattern": compile_regex("(yes|no), [a-z]{3}")}])
def test_a_middleware_passes_a_pattern(setting):
    @wrap_model_call
    def in_words(request, handler):
        return handler(request.override(tools=[], model_settings=setting))

    answer = create_agent(chat(), TOOLS, middleware=[in_words]).invoke(ASKED)["messages"][-1].content
    assert compile_regex("(yes|no), [a-z]{3}").fullmatch(answer)


def test_a_middleware_narrows_the_tools():
    @wrap_model_call
    def only_book(request, handler):
        return handler(request.override(tools=[one for one in request.tools if one.name == "book"]))

    called = [message for message in checked(agent(middleware=[only_book]).invoke(ASKED)) if getattr(message, "tool_calls", None)]
    assert {call["name"] for message in called for call in message.tool_calls} == {"book"}


# Messages as blocks of content


@pytest.mark.parametrize(
    ("options", "bound", "kinds"),
    [
        ({}, {}, {"text"}),
        ({}, {"tool_choice": "any"}, {"tool_call"}),
        ({"reasoning": True, "part_tokens": {"reasoning": 20}}, {"tool_choice": "any"}, {"reasoning", "tool_call"}),
        ({"reasoning": True, "part_tokens": {"reasoning": 20, "content": 9}}, {"tool_choice": "auto"}, {"reasoning", "text", "tool_call"}),
    ],
)
async def test_content_comes_in_blocks(options, bound, kinds):
    model = chat(output_version="v1", max_new_tokens=200, **options)
    model = model.bind_tools(TOOLS, **bound) if bound else model
    whole = model.invoke("Go.")
    assert {block["type"] for block in whole.content} == kinds
    streamed = [reduce(add, model.stream("Go.")), reduce(add, [piece async for piece in model.astream("Go.")])]
    for message in [await model.ainvoke("Go."), *map(message_chunk_to_message, streamed)]:
        assert [without_ids(block) for block in message.content_blocks] == [without_ids(block) for block in whole.content_blocks]


def without_ids(block):
    return {key: value for key, value in block.items() if key not in {"id", "index", "extras"}}
