"""Where the budget closes an answer, its metadata say so, of every kind of answer; and it can be an error."""

from __future__ import annotations

import asyncio

import pytest
from langchain_core.messages import AIMessage
from toys import byte_level_tokenizer, random_model

from rellm_agents.errors import ClosedByBudget
from rellm_agents.langchain import RELLM, ChatRELLM

pytestmark = pytest.mark.usefixtures("one_thread")

TEMPLATE = "{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
SUMMARY = {
    "type": "object",
    "title": "Summary",
    "properties": {"summary": {"type": "string", "minLength": 40, "pattern": "^[a-z]*$"}},
    "required": ["summary"],
}


def told(info):
    return info["finish"], info.get("stop_reason"), info.get("closed_at")


@pytest.fixture(scope="module")
def chat():
    tokenizer = byte_level_tokenizer([b'"summary": "'])
    tokenizer.chat_template = TEMPLATE
    return ChatRELLM(model=random_model(tokenizer), tokenizer=tokenizer, max_tokens=130, on_budget="close")


def answers(chat):
    """Messages that the budget closes, by how they were asked for, with the value that it closes."""
    structured = chat.with_structured_output(SUMMARY, include_raw=True)
    yield "answer", structured.invoke("Hi")["raw"], "#/summary"
    yield "coroutine", asyncio.run(structured.ainvoke("Hi"))["raw"], "#/summary"
    yield "batch", structured.batch(["Hi", "Ho"])[1]["raw"], "#/summary"
    yield "calls", chat.bind_tools([{**SUMMARY, "description": "d"}], tool_choice="any").invoke("Hi"), "#/tool_calls/0/args/summary"
    whole = None
    for chunk in chat.bind_tools([{**SUMMARY, "description": "d"}], tool_choice="any").stream("Hi"):
        whole = chunk if whole is None else whole + chunk
    yield "stream", whole, "#/tool_calls/0/args/summary"


def test_every_kind_of_answer_tells(chat):
    for name, message, pointer in answers(chat):
        assert isinstance(message, AIMessage), name
        assert told(message.response_metadata) == ("closed", "budget", pointer), name
        assert message.response_metadata["finish_reason"] == ("tool_calls" if message.tool_calls else "stop"), name
    short = chat.invoke("Hi", max_tokens=400, regex="yes|no")
    assert told(short.response_metadata) == ("accepted", None, None)


def test_it_can_be_an_error(chat):
    with pytest.raises(ClosedByBudget) as raised:
        chat.bind(max_tokens=60).with_structured_output(SUMMARY).invoke("Hi", on_budget="raise")
    assert raised.value.pointer == "#/summary"


def test_texts_tell_too(chat):
    llm = RELLM(model=chat.model, tokenizer=chat.tokenizer, schema=SUMMARY, max_new_tokens=60, on_budget="close")
    info = llm.generate(["Hi"]).generations[0][0].generation_info
    assert told(info) == ("closed", "budget", "#/summary")
    with pytest.raises(ClosedByBudget):
        llm.invoke("Hi", on_budget="raise")
