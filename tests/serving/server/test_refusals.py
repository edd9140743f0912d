"""What a request may not hold is refused with a status, the place and the reason; thousands of broken requests do no harm."""

from __future__ import annotations

import asyncio
import copy
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from tiny_server import CALL, HISTORY, MESSAGES, SCHEMA, SEARCH, TOOL, TYPED, Server

SERVER = Server()
CHAT, TEXTS = "/v1/chat/completions", "/v1/completions"


def chat(**changed: Any) -> dict[str, Any]:
    return {"model": "tiny", "messages": MESSAGES, **changed}


def typed(schema: Any) -> dict[str, Any]:
    return chat(response_format={"type": "json_schema", "json_schema": {"name": "a", "schema": schema}})


def called(**changed: Any) -> dict[str, Any]:
    return chat(messages=[*HISTORY[:2], {**HISTORY[2], "tool_calls": [{**CALL, **changed}]}])


IMAGE = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
WRONG: list[tuple[str, dict[str, Any], str | None, str]] = [
    # where to, the body, the place, a part of the message
    (CHAT, {"messages": MESSAGES}, "model", "is required"),
    (CHAT, {"model": "tiny"}, "messages", "is required"),
    (CHAT, chat(model="gpt-5"), "model", "only 'tiny'"),
    (CHAT, chat(model=5), "model", "a string, not the number 5"),
    (CHAT, chat(messages=[]), "messages", "a list of 1"),
    (CHAT, chat(messages="Rain?"), "messages", "a list"),
    (CHAT, chat(messages=[{"role": "user"}]), "messages[0].content", "is required"),
    (CHAT, chat(messages=[{"role": "judge", "content": ""}]), "messages[0].role", "not the string 'judge'"),
    (CHAT, chat(messages=[{"content": ""}]), "messages[0].role", "is required"),
    (CHAT, chat(messages=[{"role": "user", "content": [IMAGE]}]), "messages[0].content[0].type", "image_url"),
    (CHAT, chat(messages=[{"role": "user", "content": [{"type": "text"}]}]), "messages[0].content[0].text", "is required"),
    (CHAT, chat(messages=[{"role": "assistant"}]), "messages[0].content", "is required"),
    (CHAT, chat(messages=[HISTORY[3]]), "messages[0].tool_call_id", "no call with this id"),
    (CHAT, called(function={"name": "now", "arguments": "{"}), "messages[2].tool_calls[0].function.arguments", "is not JSON"),
    (CHAT, called(function={"name": "now", "arguments": "[]"}), "messages[2].tool_calls[0].function.arguments", "an object, not a list"),
    (CHAT, called(type="custom"), "messages[2].tool_calls[0].type", '"function"'),
    (CHAT, chat(temprature=1), "temprature", "did you mean 'temperature'?"),
    (CHAT, chat(temperature="1"), "temperature", "a number, not the string '1'"),
    (CHAT, chat(temperature=True), "temperature", "a number, not true"),
    (CHAT, chat(temperature=-1), "temperature", "a positive number"),
    (CHAT, chat(top_p=2), "top_p", "above 0 and at most 1"),
    (CHAT, chat(presence_penalty=3), "presence_penalty", "from -2 to 2"),
    (CHAT, chat(logit_bias={"no": 1}), "logit_bias", "is not the id of a token"),
    (CHAT, chat(logit_bias={"999999": 1}), "logit_bias", "there is no token 999999"),
    (CHAT, chat(seed=1.5), "seed", "an integer"),
    (CHAT, chat(max_tokens=0), "max_tokens", "an integer from 1"),
    (CHAT, chat(max_tokens="5"), "max_tokens", "not the string '5'"),
    (CHAT, chat(max_tokens=5, max_completion_tokens=6), "max_tokens", "two names of one budget"),
    (CHAT, chat(max_tokens=900_000), "messages", "context is 8192 tokens"),
    (CHAT, chat(n=0), "n", "an integer from 1 to 16"),
    (CHAT, chat(n=2, temperature=0), "n", "all answers are the same"),
    (CHAT, chat(stop=[""]), "stop", "not empty"),
    (CHAT, chat(stream="true"), "stream", "true or false"),
    (CHAT, chat(stream_options={"include_usage": True}), "stream_options", "for streams"),
    (CHAT, chat(store=True), "store", "nothing is stored"),
    (CHAT, chat(functions=[]), "functions", "give tools"),
    (CHAT, chat(verbosity="low"), "verbosity", "is not supported"),
    (CHAT, chat(top_logprobs=2), "top_logprobs", "without logprobs"),
    (CHAT, chat(top_logprobs=21), "top_logprobs", "from 0 to 20"),
    (CHAT, chat(reasoning_effort="low"), "reasoning_effort", "give max_tokens too"),
    (CHAT, chat(tools=[{"type": "web_search"}]), "tools[0].type", "not the string 'web_search'"),
    (CHAT, chat(tools=[TOOL, {"type": "function"}]), "tools[1].function", "is required"),
    (CHAT, chat(tools=[TOOL, TOOL, SEARCH], tool_choice="now"), "tool_choice", "not the string 'now'"),
    (CHAT, chat(tool_choice="required"), "tool_choice", "there are no tools"),
    (
        CHAT,
        chat(tools=[TOOL], tool_choice={"type": "function", "function": {"name": "later"}}),
        "tool_choice.function.name",
        'no tool "later"',
    ),
    (
        CHAT,
        chat(
            tools=[
                TOOL,
                {"type": "function", "function": {"name": "b", "parameters": {"type": "object", "properties": {"x": {"type": "strin"}}}}},
            ]
        ),
        "tools[1].function",
        "#/properties/x/type",
    ),
    (CHAT, typed({"type": "object", "properties": {"x": {"type": "strin"}}}), "response_format.json_schema.schema", "#/properties/x/type"),
    (CHAT, typed({"type": "integer", "minimum": 2, "maximum": 1}), "response_format.json_schema.schema", "#"),
    (CHAT, typed([]), "response_format.json_schema.schema", "an object, not a list"),
    (CHAT, chat(response_format={"type": "xml"}), "response_format.type", "not the string 'xml'"),
    (CHAT, chat(response_format=TYPED, max_tokens=3), "max_tokens", "the shortest answer needs"),
    (CHAT, chat(response_format=TYPED, structured_outputs={"regex": "a"}), "structured_outputs", "give one"),
    (CHAT, chat(structured_outputs={"regex": "a(b"}), "structured_outputs.regex", "this group is never closed, at position 1"),
    (CHAT, chat(structured_outputs={"regex": "a", "choice": ["b"]}), "structured_outputs", "exactly one"),
    (CHAT, chat(structured_outputs={"grammar": "root ::= a"}), "structured_outputs.grammar", "is not supported"),
    (TEXTS, {"model": "tiny"}, "prompt", "is required"),
    (TEXTS, {"model": "tiny", "prompt": [1, 2]}, "prompt[0]", "a string, not the number 1"),
    (TEXTS, {"model": "tiny", "prompt": "a", "echo": True}, "echo", "does not repeat"),
    (TEXTS, {"model": "tiny", "prompt": "a", "suffix": "b"}, "suffix", "is not supported"),
    (TEXTS, {"model": "tiny", "prompt": ["a"] * 9, "n": 2}, "n", "18 texts in one request"),
    (TEXTS, {"model": "tiny", "prompt": "a", "max_tokens": 9_000}, "prompt", "shorten the prompt"),
    (TEXTS, {"model": "tiny", "prompt": "a", "structured_outputs": {"json": "{"}}, "structured_outputs.json", "is not JSON"),
]


@pytest.mark.parametrize(("path", "body", "place", "told"), WRONG)
async def test_a_refusal_names_the_place_and_the_reason(path, body, place, told):
    for streams in (False, True):
        asked = body if "stream" in body or "stream_options" in body else {**body, "stream": streams}
        async with SERVER.client() as client:
            answer = await client.post(path, json=asked)
        error = answer.json()["error"]
        assert answer.status_code == (404 if error["code"] == "model_not_found" else 400)
        assert error["param"] == place
        assert told in error["message"]
        assert error["type"] == "invalid_request_error"
        assert isinstance(error["code"], str)


RAW = [
    (b"", "application/json", 400),
    (b"{", "application/json", 400),
    (b"[]", "application/json", 400),
    (b"null", "application/json; charset=utf-8", 400),
    (b'{"model": "tiny", "model": "tiny"}', "application/json", 400),
    (b'{"model": "tiny", "messages": [{"role": "user", "content": "\\ud800"}]}', "application/json", 400),
    (b'{"model": "tiny", "messages": [], "seed": NaN}', "application/json", 400),
    (b'{"seed": 1' + b"0" * 5000 + b"}", "application/json", 400),
    (b"\xff\xfe", "application/json", 400),
    (b"[" * 200_000, "application/json", 400),
    (b'{"metadata":' + b'{"a":' * 150 + b"1" + b"}" * 151, "application/json", 400),
    (b"{}", "text/plain", 415),
    (b"{}", "application/x-www-form-urlencoded", 415),
    (b" " * 5_000_000, "application/json", 413),
]


@pytest.mark.parametrize(("data", "kind", "status"), RAW)
async def test_a_body_that_is_no_request_is_refused(data, kind, status):
    async with SERVER.client() as client:
        for path in (CHAT, TEXTS):
            answer = await client.post(path, content=data, headers={"Content-Type": kind})
            assert answer.status_code == status
            assert answer.json()["error"]["message"]


async def test_paths_that_there_are_not_are_refused_in_the_same_shape():
    async with SERVER.client() as client:
        for method, path, status, told in (
            ("POST", "/v1/responses", 404, "/v1/chat/completions"),
            ("GET", "/v1/nothing", 404, "/v1/models"),
            ("GET", CHAT, 405, "GET"),
            ("DELETE", "/v1/models/tiny", 405, "DELETE"),
            ("GET", "/v1/models/other", 404, "only 'tiny'"),
        ):
            answer = await client.request(method, path)
            assert answer.status_code == status
            assert told in answer.json()["error"]["message"]


GOOD = [
    (CHAT, chat(messages=HISTORY, tools=[TOOL, SEARCH], tool_choice="auto", parallel_tool_calls=True, max_tokens=3, stop=["a"], seed=1)),
    (CHAT, chat(response_format=TYPED, max_tokens=30, temperature=0.5, top_p=0.9, logit_bias={"5": 1.5}, stream=True)),
    (CHAT, chat(tools=[SEARCH], tool_choice={"type": "function", "function": {"name": "search"}}, max_completion_tokens=70, n=2)),
    (
        CHAT,
        chat(
            max_tokens=2, logprobs=True, top_logprobs=2, user="me", metadata={"a": "b"}, stream=True, stream_options={"include_usage": True}
        ),
    ),
    (TEXTS, {"model": "tiny", "prompt": ["a", "b"], "max_tokens": 6, "structured_outputs": {"regex": "[ab]{2}"}, "n": 2, "top_k": 5}),
    (TEXTS, {"model": "tiny", "prompt": "a", "max_tokens": 30, "structured_outputs": {"json": SCHEMA}, "min_p": 0.1}),
]
STRANGE = [
    None, True, False, 0, -1, 5, 1.5, 1e300, -(2**70), 10**40, "", "5", "a", "\u0000", "é" * 50, "\U0001f600", "<|im_end|>", [], [[]],
    [None], ["a"], {}, {"a": None}, {"type": "function"}, {"type": "text", "text": "x"}, {"$ref": "#"}, {"enum": []},
    {"type": "string", "pattern": "(a|b"}, {"not": {}}, {"type": "array", "minItems": 10**9},
    {"anyOf": [{"$ref": "#"}, {"type": "null"}]}, [1] * 300, "x" * 3000,
]  # fmt: skip


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """The containers in a value, each with every one of its keys."""
    if isinstance(value, (dict, list)):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from places(value[key])


def mutated(body: dict[str, Any], chance: random.Random) -> bytes:
    """A request that was broken once or twice: a value changed, a key renamed or left out, something put in; or its bytes broken."""
    broken = copy.deepcopy(body)
    for _ in range(chance.randint(1, 2)):
        found = list(places(broken))
        if not found:
            break
        owner, key = chance.choice(found)
        match chance.randrange(6):
            case 0 | 1 | 2:
                owner[key] = copy.deepcopy(chance.choice(STRANGE))
            case 3:
                del owner[key]
            case 4 if isinstance(owner, dict):
                owner[chance.choice(["type", "extra", key + "s", key.upper(), ""])] = owner.pop(key)
            case _:
                other = copy.deepcopy(chance.choice(found)[0])
                if isinstance(owner, dict):
                    owner[key] = other
                else:
                    owner.insert(key, other)
    data = json.dumps(broken).encode()
    if chance.random() < 0.1:
        at = chance.randrange(len(data))
        data = data[:at] + bytes([chance.randrange(256)]) + data[at + chance.randint(0, 3) :]
    return data


async def test_no_broken_request_harms_the_server():
    """Two thousand: each is answered, or refused with a reason; none is an error of the server, and at the end it answers as before."""
    chance = random.Random(7)
    server = Server(compile_seconds=60)
    statuses: dict[int, int] = {}
    async with server.client() as client:

        async def ask(path: str, data: bytes) -> None:
            answer = await client.post(path, content=data, headers={"Content-Type": "application/json"})
            statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
            assert answer.status_code in (200, 400, 404), data
            if answer.status_code != 200:
                error = answer.json()["error"]
                assert error["message"], data
                assert error["param"] is None or isinstance(error["param"], str)

        before = (await client.post(CHAT, json=GOOD[0][1])).json()["choices"]
        for _ in range(2_000 // 8):
            broken = [(path, mutated(good, chance)) for path, good in chance.choices(GOOD, k=8)]
            await asyncio.gather(*(ask(path, data) for path, data in broken))
        assert (await client.post(CHAT, json=GOOD[0][1])).json()["choices"][0]["message"]["content"] == before[0]["message"]["content"]
        assert (await client.get("/health")).json() == {"status": "ok", "texts": 0}
    assert statuses[400] > 1_000
    assert statuses[200] > 100


async def test_nothing_in_the_messages_is_in_the_log(caplog: pytest.LogCaptureFixture):
    with caplog.at_level("DEBUG", logger="rellm_agents"):
        for body in (chat(max_tokens=2), chat(temperature="secret"), chat(messages=[{"role": "user", "content": "secret"}], max_tokens=2)):
            async with SERVER.client() as client:
                await client.post(CHAT, json=body)
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("rellm_agents.serving")]
    assert len(lines) == 3
    assert all(line.startswith(f"POST {CHAT} ") for line in lines)
    assert "secret" not in caplog.text
    assert "Rain" not in caplog.text
