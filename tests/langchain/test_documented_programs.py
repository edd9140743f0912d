"""Programs in the manner of LangChain's and LangGraph's documentation run on a local model as on any other: only the model's line differs.

Each is written for this test. The model has random weights, so that no program is right by the wisdom of its model.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Annotated, Literal

import pytest
from langchain.agents import AgentState, create_agent
from langchain.agents.middleware import (
    PIIMiddleware,
    SummarizationMiddleware,
    after_model,
    before_model,
    dynamic_prompt,
    wrap_model_call,
    wrap_tool_call,
)
from langchain.tools import ToolRuntime, tool
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.func import entrypoint, task
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.store.memory import InMemoryStore
from langgraph.types import Command, Send, interrupt
from pydantic import BaseModel, Field
from small_chats import chat, draws_anew
from typing_extensions import TypedDict

pytestmark = pytest.mark.usefixtures("one_thread")

ASKED = {"messages": [{"role": "user", "content": "My address is a@example.org. What does order 17 hold?"}]}


def model(seed=0, **options):
    return chat(seed, **{"max_new_tokens": 60, "on_budget": "close", **options})


@wrap_model_call
def calls_once(request, handler):
    is_told = any(isinstance(message, ToolMessage) for message in request.messages)
    return handler(request.override(tool_choice="none" if is_told else "any"))


def agent_of(tools=(), middleware=(), **options):
    return create_agent(model(), list(tools), middleware=[*middleware, *([calls_once] if tools else []), draws_anew()], **options)


# Workflows


class Route(BaseModel):
    step: Literal["poem", "joke"] = Field(description="Where to go.")


def test_a_router_takes_one_of_its_branches():
    class State(TypedDict):
        asked: str
        step: str
        said: str

    def route(state):
        return {"step": model().with_structured_output(Route).invoke(state["asked"]).step}

    graph = StateGraph(State).add_node("route", route).add_edge(START, "route")
    for name in ("poem", "joke"):
        graph.add_node(name, lambda state, name=name: {"said": f"{name}: {model().invoke(state['asked']).text}"}).add_edge(name, END)
    graph.add_conditional_edges("route", lambda state: state["step"], ["poem", "joke"])
    state = graph.compile().invoke({"asked": "A joke, please."})
    assert state["said"].startswith(f"{state['step']}: ")


class Section(BaseModel):
    name: Annotated[str, Field(max_length=8)]
    pages: Annotated[int, Field(ge=1, le=9)]


class Plan(BaseModel):
    sections: Annotated[list[Section], Field(min_length=1, max_length=2)]


def test_an_orchestrator_sends_each_section_to_a_worker():
    class State(TypedDict):
        sections: list[Section]
        written: Annotated[list[str], operator.add]

    graph = StateGraph(State)
    graph.add_node(
        "plan", lambda state: {"sections": model(max_new_tokens=150).with_structured_output(Plan).invoke("Plan a report.").sections}
    )
    graph.add_node("write", lambda section: {"written": [model(max_new_tokens=8).invoke(f"Write {section.pages} pages.").text]})
    graph.add_edge(START, "plan")
    graph.add_conditional_edges("plan", lambda state: [Send("write", one) for one in state["sections"]], ["write"])
    state = graph.compile().invoke({})
    assert len(state["written"]) == len(state["sections"]) >= 1


def test_a_workflow_of_tasks_waits_for_a_person_and_remembers():
    @task
    def essay(topic: str) -> str:
        return model().invoke(f"Write about {topic}.").text

    @entrypoint(checkpointer=InMemorySaver())
    def workflow(topic: str) -> dict[str, str]:
        text = essay(topic).result()
        return {"essay": text, "verdict": interrupt({"essay": text})}

    config = {"configurable": {"thread_id": "one"}}
    (asked,) = [update["__interrupt__"][0].value for update in workflow.stream("cats", config) if "__interrupt__" in update]
    assert workflow.invoke(Command(resume="good"), config) == {"essay": asked["essay"], "verdict": "good"}


def test_a_prompt_a_model_and_a_parser_are_a_chain():
    prompt = ChatPromptTemplate.from_messages([("system", "You translate to {language}."), ("placeholder", "{before}"), ("user", "{text}")])
    chain = prompt | model().with_structured_output(Route) | RunnableLambda(lambda route: route.step)
    given = {"language": "French", "text": "Good day.", "before": [("user", "Hello."), ("ai", "Bonjour.")]}
    assert {chain.invoke(given), *chain.batch([given, given])} <= {"poem", "joke"}


# Agents


@dataclass
class Context:
    user: str


class OrderState(AgentState):
    order: int


@tool
def look_up(number: Annotated[int, Field(ge=1, le=99)], runtime: ToolRuntime[Context]) -> Command:
    """What an order holds."""
    runtime.store.put(("orders",), runtime.context.user, {"order": number})
    message = ToolMessage(f"order {number} of {runtime.context.user}", tool_call_id=runtime.tool_call_id)
    return Command(update={"order": number, "messages": [message]})


def test_a_tool_reads_the_context_and_changes_state_and_store():
    """What a tool gets from its runtime is no argument: no model writes it."""
    store = InMemoryStore()
    agent = agent_of([look_up], state_schema=OrderState, context_schema=Context, store=store)
    state = agent.invoke(ASKED, context=Context(user="Ada"))
    (call,) = [call for message in state["messages"] if isinstance(message, AIMessage) for call in message.tool_calls][:1]
    assert list(call["args"]) == ["number"]
    assert store.get(("orders",), "Ada").value == {"order": state["order"]}


def test_hooks_see_every_step_in_their_order():
    seen = []

    @before_model
    def before(state, runtime):
        seen.append("before")

    @after_model
    def after(state, runtime):
        seen.append("after")

    @dynamic_prompt
    def prompt(request):
        return f"You have said {len(request.messages)} things."

    @wrap_tool_call
    def guarded(request, handler):
        seen.append(request.tool_call["name"])
        return ToolMessage("nothing", tool_call_id=request.tool_call["id"])

    @tool
    def plain(word: Annotated[str, Field(max_length=5)]) -> str:
        """Look a word up."""
        raise AssertionError("the middleware answers for it")

    state = agent_of([plain], [before, after, prompt, guarded]).invoke(ASKED)
    assert seen == ["before", "after", *["plain"] * seen.count("plain"), "before", "after"]
    assert isinstance(state["messages"][-1], AIMessage)


def test_addresses_are_taken_out_before_a_model_reads_them():
    state = agent_of(middleware=[PIIMiddleware("email", strategy="redact")]).invoke(ASKED)
    assert "a@example.org" not in state["messages"][0].text
    assert "[REDACTED_EMAIL]" in state["messages"][0].text


def test_a_long_chat_is_summed_up():
    """The middleware counts and asks the model itself; the summary takes the place of what came before."""
    middleware = SummarizationMiddleware(model(1), trigger=("messages", 4), keep=("messages", 1))
    said = [message for number in range(3) for message in (HumanMessage(f"Fact {number}."), AIMessage("Noted."))]
    state = agent_of(middleware=[middleware]).invoke({"messages": [*said, HumanMessage("Well?")]})
    assert len(state["messages"]) == 3
    assert "summary" in state["messages"][0].text.lower()


def test_an_agent_hands_over_to_another():
    @tool
    def to_sales(runtime: ToolRuntime) -> Command:
        """Hand over to sales."""
        last = runtime.state["messages"][-1]
        message = ToolMessage("Handed over.", tool_call_id=runtime.tool_call_id)
        return Command(goto="sales", update={"messages": [last, message]}, graph=Command.PARENT)

    graph = StateGraph(MessagesState)
    graph.add_node("support", agent_of([to_sales]), destinations=("sales",))
    graph.add_node("sales", agent_of())
    graph.add_edge(START, "support")
    state = graph.compile().invoke(ASKED)
    assert [message.type for message in state["messages"]] == ["human", "ai", "tool", "ai"]
