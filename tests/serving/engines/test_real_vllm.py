"""A real vLLM that runs this package's processor: texts that its own back ends refuse are whole at the smallest budgets."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest
from langchain.agents import create_agent
from langchain.agents.structured_output import ToolStrategy
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

from rellm_agents import compile_regex, json_action
from rellm_agents.decoding import TokenMasks, Vocabulary, smollm2
from rellm_agents.errors import AnswerCutOff, ServerRefused
from rellm_agents.serving.client import request_for
from rellm_agents.serving.client.checked_calls import CheckedCalls
from rellm_agents.serving.pattern_fields import pattern_of

URL = os.environ.get("RELLM_VLLM_URL")
pytestmark = [
    pytest.mark.heavy_server,
    pytest.mark.skipif(URL is None, reason="RELLM_VLLM_URL names no server: benchmarks/serving.sh installs one, and runs this"),
]
TOOLS = {"search": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}}
SOURCES: list[Any] = [
    compile_regex(r"\((?:[a-c]|(?R)){1,3}\)"),
    compile_regex(r"(?!no|yes)[a-z]{2,9}"),
    json_action(TOOLS),
    {"type": "array", "items": {"enum": ["a", "b", "c"]}, "uniqueItems": True, "minItems": 2},
]
ANY_ORDER = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 9}, "age": {"type": "integer"}, "kind": {"enum": ["a", "b"]}},
    "required": ["name", "age", "kind"],
    "additionalProperties": False,
}
FIELDS: dict[str, dict[str, str]] = {
    "any order": {"rellm_json": json.dumps(ANY_ORDER), "rellm_options": '{"order": "any"}'},
    "recursion": {"rellm_regex": r"\((?:[a-c]|(?R)){1,3}\)"},
    "lookahead": {"rellm_regex": r"(?!no|yes)(?=[a-z]*e)[a-z]{2,9}"},
}
CALLED: list[str] = []


def asked(source: Any, max_tokens: int, **extra: Any) -> Any:
    request = request_for(source, "vllm+rellm")
    with openai.OpenAI(base_url=URL, api_key="none", max_retries=0) as client, request.errors():
        body = {"vllm_xargs": request["extra_body"]["vllm_xargs"], **extra}
        messages: Any = [{"role": "user", "content": "Rain in Paris?"}]
        return request.read(client.chat.completions.create(model="smollm2", messages=messages, max_tokens=max_tokens, extra_body=body))


def test_texts_are_whole_side_by_side() -> None:
    with ThreadPoolExecutor(8) as threads:
        assert len(list(threads.map(lambda number: asked(SOURCES[number % 4], 24 + number), range(16)))) == 16


def test_what_cannot_be_held_is_refused() -> None:
    for source, budget, extra in ((SOURCES[2], 3, {}), (SOURCES[0], 30, {"min_tokens": 3}), (SOURCES[0], 30, {"thinking_token_budget": 5})):
        with pytest.raises(ServerRefused, match="status 400"):
            asked(source, budget, **extra)


@pytest.mark.parametrize("name", FIELDS)
def test_what_other_back_ends_refuse_is_held_from_the_smallest_budget_on(name: str) -> None:
    fields, pattern = FIELDS[name], pattern_of(FIELDS[name])
    assert pattern is not None
    _, tokenizer = smollm2()
    masks = TokenMasks(pattern, Vocabulary.from_tokenizer(tokenizer))
    least = masks.tokens_needed(masks.start)
    with openai.OpenAI(base_url=URL, api_key="none", max_retries=0) as client, ThreadPoolExecutor(8) as threads:

        def text(number: int) -> Any:
            messages: Any = [{"role": "user", "content": "Who is it?"}]
            made = client.chat.completions.create(
                model="smollm2",
                messages=messages,
                max_tokens=least + number,
                seed=number,
                temperature=1.5,
                extra_body={"vllm_xargs": fields},
            )
            return made.choices[0].message.content, made.choices[0].finish_reason

        found = list(threads.map(text, range(8)))
    assert all(pattern.fullmatch(written) for written, _ in found), found
    assert {reason for _, reason in found} == {"stop"}
    if name == "any order":
        assert len({tuple(json.loads(written)) for written, _ in found}) > 1, found


@tool
def search(query: str) -> str:
    """Search."""
    CALLED.append(query)
    return "no"


class Answer(BaseModel):
    rain: bool
    days: int


def test_calls_are_checked_which_vllm_holds_to_their_schemas_where_it_is_asked_to() -> None:
    CALLED.clear()
    answers = 0
    for seed in range(4):
        model = ChatOpenAI(model="smollm2", base_url=URL, api_key="none", max_retries=0, temperature=1, max_tokens=200, seed=seed)
        agent = create_agent(model, [search], middleware=[CheckedCalls("vllm")], response_format=ToolStrategy(Answer))
        try:
            made = agent.invoke({"messages": [HumanMessage("Will it rain in Oslo?")]})
        except AnswerCutOff:
            continue
        assert isinstance(made["structured_response"], Answer)
        answers += 1
    assert answers
    assert all(isinstance(query, str) for query in CALLED)
