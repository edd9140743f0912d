"""Answers have the shapes of OpenAI's API and the forms that were asked for; a stream is the whole answer in pieces."""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator
from openai.types import CompletionUsage
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.completion import Completion
from tiny_server import HISTORY, MESSAGES, SCHEMA, SEARCH, TOOL, TYPED, Server, events, joined, same_but_for_last_bits
from toys import byte_level_tokenizer, random_model

from rellm_agents.serving.server import ServerSettings, application_of

NAMES = {"now": TOOL, "search": SEARCH}
SHAPES: dict[str, dict[str, Any]] = {
    "text": {},
    "history": {"messages": HISTORY, "tools": [TOOL]},
    "typed": {"response_format": TYPED},
    "object": {"response_format": {"type": "json_object"}},
    "regex": {"structured_outputs": {"regex": "[ab]{2,5}"}},
    "choice": {"structured_outputs": {"choice": ["yes", "no", "maybe"]}},
    "json": {"structured_outputs": {"json": SCHEMA}},
    "auto": {"tools": [TOOL, SEARCH], "tool_choice": "auto"},
    "required": {"tools": [TOOL, SEARCH], "tool_choice": "required"},
    "several": {"tools": [TOOL, SEARCH], "tool_choice": "required", "parallel_tool_calls": True},
    "named": {"tools": [TOOL, SEARCH], "tool_choice": {"type": "function", "function": {"name": "search"}}},
    "allowed": {
        "tools": [TOOL, SEARCH],
        "tool_choice": {
            "type": "allowed_tools",
            "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "search"}}]},
        },
    },
    "none": {"tools": [TOOL], "tool_choice": "none"},
    "typed or called": {"tools": [SEARCH], "response_format": TYPED},
    "reasoning": {"reasoning_effort": "low", "response_format": TYPED},
}
SERVER = Server()


def check(name: str, choice: dict[str, Any]) -> None:
    """A choice is of the form that the request of this name asks for."""
    message, calls = choice["message"], choice["message"].get("tool_calls", [])
    assert choice["finish_reason"] == ("tool_calls" if calls else "stop")
    for call in calls:
        tool = NAMES[call["function"]["name"]]
        Draft202012Validator(tool["function"]["parameters"]).validate(json.loads(call["function"]["arguments"]))
    assert len({call["id"] for call in calls}) == len(calls)
    if not calls:
        if name in ("typed", "json", "typed or called", "reasoning"):
            Draft202012Validator(SCHEMA).validate(json.loads(message["content"]))
        elif name == "object":
            assert isinstance(json.loads(message["content"]), dict)
        elif name == "regex":
            assert set(message["content"]) <= {"a", "b"}
        elif name == "choice":
            assert message["content"] in ("yes", "no", "maybe")
    expected = {
        "required": {1},
        "several": {*range(1, 99)},
        "named": {1},
        "allowed": {1},
        "none": {0},
        "typed": {0},
        "history": {*range(99)},
    }
    assert len(calls) in expected.get(name, {*range(99)})
    if name in ("named", "allowed"):
        assert calls[0]["function"]["name"] == "search"
    if "stop_reason" in choice:
        assert choice["stop_reason"] == "budget"
        assert choice["closed_at"].startswith("#")


async def least(**body: Any) -> int:
    """The smallest budget that a request can have, which its refusal tells."""
    refused = (await SERVER.post(**{"messages": MESSAGES, **body, "max_tokens": 1})).json()
    if "error" not in refused:
        return 1
    assert refused["error"]["param"] == "max_tokens"
    return int(refused["error"]["message"].split(" needs ")[1].split()[0])


async def enough(**body: Any) -> int:
    """The smallest budget with reasoning, of which only a part is for the reasoning."""
    found = await least(**body)
    return found * 2 if "reasoning_effort" in body else found


@pytest.mark.parametrize("name", SHAPES)
async def test_every_answer_is_of_its_form_at_every_budget_and_the_same_in_pieces(name):
    shape = {"messages": MESSAGES, **SHAPES[name]}
    start = await enough(**shape)
    for budget, seed in ((start, 1), (start + 1, 2), (start + 9, 3), (start + 60, 4)):
        body = {**shape, "seed": seed, "max_completion_tokens": budget}
        whole = await SERVER.post(**body)
        assert whole.status_code == 200, whole.text
        answer = whole.json()
        ChatCompletion.model_validate(answer, strict=True)
        (choice,) = answer["choices"]
        check(name, choice)
        CompletionUsage.model_validate(answer["usage"], strict=True)
        assert answer["usage"]["completion_tokens"] <= budget
        found = events(await SERVER.post(**body, stream=True, stream_options={"include_usage": True}))
        for one in found:
            ChatCompletionChunk.model_validate(one, strict=True)
        assert found[0]["choices"][0]["delta"]["role"] == "assistant"
        assert len({one["id"] for one in found}) == 1
        assert [one["usage"] for one in found] == [None] * (len(found) - 1) + [answer["usage"]]
        streamed = joined(found)
        check(name, streamed)
        assert content(streamed["message"]) == content(choice["message"])
        assert {key: streamed.get(key) for key in ENDS} == {key: choice.get(key) for key in ENDS}


ENDS = ("finish_reason", "stop_reason", "closed_at")


def content(message: dict[str, Any]) -> Any:
    """What a message says, but for the ids of its calls."""
    calls = [(call["function"]["name"], json.loads(call["function"]["arguments"])) for call in message.get("tool_calls", ())]
    return calls, message.get("content") or "", message.get("reasoning_content")


async def test_an_answer_does_not_depend_on_those_that_are_written_with_it():
    names = list(SHAPES)
    bodies = [{"messages": MESSAGES, **SHAPES[name], "seed": 5, "max_tokens": 120} for name in names]
    alone = [(await SERVER.post(**body)).json()["choices"][0] for body in bodies]
    together = await asyncio.gather(*(SERVER.post(**body) for body in bodies))
    for name, one, other in zip(names, alone, together, strict=True):
        check(name, other.json()["choices"][0])
        assert content(one["message"]) == content(other.json()["choices"][0]["message"]), name


@pytest.mark.parametrize("streams", [False, True])
async def test_several_answers_differ_and_are_the_same_again(streams):
    body = {"messages": MESSAGES, "response_format": TYPED, "n": 4, "seed": 3, "max_tokens": 60, "stream": streams}
    found = []
    for _ in range(2):
        answer = await SERVER.post(**body)
        choices = [joined(events(answer), index) for index in range(4)] if streams else answer.json()["choices"]
        for choice in choices:
            check("typed", choice)
        found.append([choice["message"]["content"] for choice in choices])
    assert found[0] == found[1]
    assert len(set(found[0])) > 1


async def test_texts_go_on_with_prompts():
    body = {"prompt": ["a", "b"], "n": 2, "seed": 2, "structured_outputs": {"regex": "x[ab]{3}"}}
    answer = (await SERVER.post("/v1/completions", **body)).json()
    Completion.model_validate({**answer, "choices": [{**one, "logprobs": None} for one in answer["choices"]]}, strict=True)
    texts = [choice["text"] for choice in answer["choices"]]
    assert all(text[0] == "x" and set(text[1:]) <= {"a", "b"} and len(text) == 4 for text in texts)
    assert answer["usage"]["prompt_tokens"] == 2
    found = events(await SERVER.post("/v1/completions", **body, stream=True))
    pieces = ["".join(one["text"] for body in found for one in body["choices"] if one["index"] == index) for index in range(4)]
    assert pieces == texts


async def test_text_that_is_free_ends_before_a_stop_string():
    for seed, stop in itertools.product(range(4), ("a", ["Action", "e"])):
        body = {"prompt": "a", "seed": seed, "max_tokens": 40}
        free = (await SERVER.post("/v1/completions", **body)).json()["choices"][0]["text"]
        ended = (await SERVER.post("/v1/completions", **body, stop=stop)).json()["choices"][0]["text"]
        strings = [stop] if isinstance(stop, str) else stop
        assert ended == free[: min((free.find(one) for one in strings if one in free), default=len(free))]


async def test_the_probability_of_every_token_is_told():
    body = {"messages": MESSAGES, "max_tokens": 12, "logprobs": True, "top_logprobs": 3, "response_format": TYPED}
    body["max_tokens"] = await least(response_format=TYPED) + 5
    (choice,) = (await SERVER.post(**body)).json()["choices"]
    tokens = choice["logprobs"]["content"]
    assert b"".join(bytes(one["bytes"]) for one in tokens).decode() == choice["message"]["content"]
    assert all(one["logprob"] <= 0 and len(one["top_logprobs"]) <= 3 for one in tokens)
    streamed = joined(events(await SERVER.post(**body, stream=True)))
    assert same_but_for_last_bits(streamed["logprobs"], choice["logprobs"])


async def test_the_probability_of_every_token_of_a_text_is_told():
    for prompt, structure in (("a", {"structured_outputs": {"regex": "x[abé€]{5}"}}), ("ab", {})):
        body = {"prompt": prompt, "seed": 3, "max_tokens": 30, "logprobs": 2, **structure}
        (choice,) = (await SERVER.post("/v1/completions", **body)).json()["choices"]
        told = choice["logprobs"]
        assert len({len(values) for values in told.values()}) == 1
        assert all(
            value <= 0 and len(likeliest) <= 2 for value, likeliest in zip(told["token_logprobs"], told["top_logprobs"], strict=True)
        )
        assert told["text_offset"] == sorted(told["text_offset"])
        for token, at in zip(told["tokens"], told["text_offset"], strict=True):
            assert "\ufffd" in token or choice["text"].startswith(token, at) or choice["text"][at:] == ""
        streamed = [one for answer in events(await SERVER.post("/v1/completions", **body, stream=True)) for one in answer["choices"]]
        assert all(one["logprobs"] is None for one in streamed[:-1])
        assert same_but_for_last_bits(streamed[-1]["logprobs"], told)
    Completion.model_validate((await SERVER.post("/v1/completions", **body, n=2)).json(), strict=True)
    (silent,) = (await SERVER.post("/v1/completions", prompt="a", logprobs=0, max_tokens=5)).json()["choices"]
    assert set(map(str, silent["logprobs"]["top_logprobs"])) <= {"{}"}


async def test_a_model_without_a_chat_template_goes_on_with_prompts(tmp_path):
    tokenizer = byte_level_tokenizer()
    assert tokenizer.chat_template is None
    tokenizer.save_pretrained(tmp_path)
    random_model(tokenizer).save_pretrained(tmp_path)
    application = application_of(str(tmp_path), ServerSettings(model_name="tiny"), max_tokens=9)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url="http://127.0.0.1") as client:
        said = await client.post("/v1/completions", json={"model": "tiny", "prompt": "a", "structured_outputs": {"choice": ["yes", "no"]}})
        assert said.json()["choices"][0]["text"] in {"yes", "no"}
        for more in ({}, {"stream": True}):
            refused = await client.post("/v1/chat/completions", json={"model": "tiny", "messages": MESSAGES, **more})
            assert (refused.status_code, refused.json()["error"]["code"]) == (400, "no_chat_template")
        assert (await client.get("/health")).json() == {"status": "ok", "texts": 0}


async def test_what_is_said_of_a_closed_text_is_the_servers_to_choose():
    told = {}
    for on_budget in ("stop", "length", "raise"):
        server = Server(1, on_budget=on_budget)
        told[on_budget] = [
            await server.post(messages=MESSAGES, seed=seed, max_tokens=budget, **shape)
            for seed in range(4)
            for budget, shape in ((9, {}), (9, {"structured_outputs": {"choice": ["yes", "no"]}}))
        ]
    for whole, length, refused in zip(*told.values(), strict=True):
        (choice,), (cut,) = whole.json()["choices"], length.json()["choices"]
        assert choice["message"] == cut["message"]
        is_closed = "stop_reason" in choice
        assert (choice["finish_reason"], cut["finish_reason"]) == ("stop", "length" if is_closed else "stop")
        assert refused.status_code == (400 if is_closed else 200)
        if is_closed:
            assert refused.json()["error"]["code"] == "closed_by_budget"
            assert choice["closed_at"] in refused.json()["error"]["message"]
    assert len({"stop_reason" in one.json()["choices"][0] for one in told["stop"]}) == 2


async def test_an_error_while_a_stream_is_sent_is_its_last_event():
    server = Server(1, on_budget="raise")
    for budget, shape in ((9, {}), (9, {"structured_outputs": {"choice": ["yes", "no"]}})):
        body = {"messages": MESSAGES, "max_tokens": budget, "seed": 0, **shape}
        answer = await server.post(**body)
        lines = (await server.post(**body, stream=True)).text.split("\n\n")
        if answer.status_code == 200:
            assert lines[-2] == "data: [DONE]"
        else:
            assert json.loads(lines[-2].removeprefix("data: ")) == answer.json()
