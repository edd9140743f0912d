"""A server is never asked for more than it takes: clients that go away stop their texts, too many wait no longer, patterns are bounded."""

from __future__ import annotations

import asyncio
import json
import random
import threading
import time
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from tiny_server import MESSAGES, SCHEMA, SEARCH, TYPED, Call, Server

from rellm_agents.serving.server.admission import Compilers
from rellm_agents.serving.server.event_stream import ClientLeft, merged
from rellm_agents.serving.server.refusals import Refusal

LONG = {"model": "tiny", "messages": MESSAGES, "structured_outputs": {"regex": "[ab]{3000,}"}, "max_tokens": 3_500}


async def quiet(server: Server) -> None:
    """Wait until no text is written any more; a text whose client left ends at the next step."""
    for _ in range(600):
        async with server.client() as client:
            texts = (await client.get("/health")).json()["texts"]
        if not texts and not server.queue._is_decoding:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("a text is still written")


@pytest.mark.parametrize(("streams", "after"), [(True, 3), (True, 0), (False, 0)])
async def test_a_client_that_goes_away_stops_its_text(streams, after):
    server = Server()
    written: list[int] = []
    decoder = server.queue.decoder
    completion, left = decoder.completion, asyncio.Event()
    decoder.completion = lambda request: written.append(1) or completion(request)  # type: ignore[method-assign]
    call = Call(server.application, {**LONG, "stream": streams}, leaves=lambda received: len(received) >= after)
    task = asyncio.create_task(call.run(left))
    if not streams:
        while not server.queue._is_decoding:
            await asyncio.sleep(0.01)
        left.set()
    await asyncio.wait_for(task, 60)
    await quiet(server)
    assert call.status == (200 if streams else 0)
    assert not written, "the text was written to its end"
    async with server.client() as client:
        counts = (await client.get("/metrics")).text
    assert "rellm_left_requests_total 1.0" in counts
    assert "rellm_texts 0.0" in counts


async def test_clients_that_go_away_change_no_other_answer():
    """Many at once, of which a third go away midway: the others get what they would get alone."""
    server, chance = Server(max_waiting=200), random.Random(3)
    shapes: list[dict[str, Any]] = [
        {"response_format": TYPED},
        {"tools": [SEARCH], "tool_choice": "required"},
        {"structured_outputs": {"regex": "[ab]{9,40}"}},
    ]
    jobs = []
    for number in range(36):
        body = {"model": "tiny", "messages": MESSAGES, "seed": number, "stream": True, "max_tokens": 70, **shapes[number // 3 % 3]}
        after = chance.randint(1, 4) if number % 3 == 0 else None
        jobs.append((Call(server.application, body, leaves=lambda got, after=after: after is not None and len(got) >= after), body, after))
    places = asyncio.Semaphore(16)

    async def run(call: Call) -> None:
        async with places:
            await call.run(asyncio.Event())

    await asyncio.gather(*(run(call) for call, _, _ in jobs))
    await quiet(server)
    for call, body, after in jobs:
        if after is None:
            lines = [one.removeprefix("data: ") for one in b"".join(call.received).decode().split("\n\n") if one]
            assert lines[-1] == "[DONE]"
            deltas = [json.loads(line)["choices"][0]["delta"] for line in lines[:-1]]
            text = "".join(delta.get("content") or "" for delta in deltas)
            arguments = "".join(one["function"]["arguments"] for delta in deltas for one in delta.get("tool_calls", ()))
            if "response_format" in body:
                Draft202012Validator(SCHEMA).validate(json.loads(text))
            elif "tools" in body:
                Draft202012Validator(SEARCH["function"]["parameters"]).validate(json.loads(arguments))
            else:
                assert set(text) <= {"a", "b"}
                assert 9 <= len(text) <= 40
            alone = (await server.post(**{**body, "stream": False})).json()["choices"][0]["message"]
            assert (text or None) == (alone["content"] or None)


async def test_more_than_may_wait_are_asked_to_come_again():
    server = Server(max_waiting=2)
    most = server.queue.max_batch + 2
    left = asyncio.Event()
    tasks = [asyncio.create_task(Call(server.application, LONG).run(left)) for _ in range(most)]
    while (await health(server))["texts"] < most:
        await asyncio.sleep(0.01)
    refused = await server.post(messages=MESSAGES, max_tokens=2)
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) >= 1
    assert refused.json()["error"]["code"] == "too_many_requests"
    assert (await server.post(messages=MESSAGES, stream=True)).status_code == 429
    left.set()
    await asyncio.wait_for(asyncio.gather(*tasks), 60)
    await quiet(server)
    assert (await server.post(messages=MESSAGES, max_tokens=2)).status_code == 200


async def health(server: Server) -> dict[str, Any]:
    async with server.client() as client:
        found: dict[str, Any] = (await client.get("/health")).json()
        return found


async def test_a_pattern_that_takes_too_long_is_refused_and_holds_up_no_other_request(monkeypatch):
    server, goes_on = Server(compile_seconds=0.3, compile_threads=1), threading.Event()
    begin = type(server.chat).begin

    def slow(self: Any, messages: Any, **options: Any) -> Any:
        if "response_format" in options:
            goes_on.wait(60)
        return begin(self, messages, **options)

    monkeypatch.setattr(type(server.chat), "begin", slow)
    first, second, plain = await asyncio.gather(
        server.post(messages=MESSAGES, response_format=TYPED),
        later(server.post(messages=MESSAGES, response_format=TYPED)),
        later(server.post(messages=MESSAGES, max_tokens=3)),
    )
    assert (first.status_code, first.json()["error"]["code"]) == (400, "compile_timeout")
    assert (second.status_code, second.json()["error"]["code"]) == (503, "busy_compiling")
    assert int(second.headers["Retry-After"]) >= 1
    assert plain.status_code == 200
    goes_on.set()
    for _ in range(200):
        answer = await server.post(messages=MESSAGES, response_format=TYPED, max_tokens=60)
        if answer.status_code == 200:
            break
        await asyncio.sleep(0.02)
    assert answer.status_code == 200


async def later(work: Any) -> Any:
    await asyncio.sleep(0.05)
    return await work


async def test_compilers_keep_their_number_whatever_becomes_of_their_callers():
    compilers, running, most = Compilers(2, 0.2), 0, 0
    lock = threading.Lock()

    def work(seconds: float) -> float:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(seconds)
        with lock:
            running -= 1
        return seconds

    chance = random.Random(0)
    jobs = [chance.choice([0.0, 0.01, 0.4]) for _ in range(24)]
    found = await asyncio.gather(*(compilers.run(lambda seconds=seconds: work(seconds)) for seconds in jobs), return_exceptions=True)
    assert most <= 2
    for seconds, one in zip(jobs, found, strict=True):
        assert one == seconds or isinstance(one, Refusal)
        assert seconds < 0.4 or isinstance(one, Refusal)
    while running:
        await asyncio.sleep(0.05)
    assert await compilers.run(lambda: 5) == 5


async def test_streams_that_are_merged_end_together():
    closed = []

    async def numbers(of: int, fails_at: int | None = None) -> Any:
        try:
            for number in range(5):
                await asyncio.sleep(0)
                if number == fails_at:
                    raise ClientLeft
                yield of, number
        finally:
            closed.append(of)

    found = [piece async for _, piece in merged([numbers(0), numbers(1), numbers(2)])]
    assert sorted(found) == [(of, number) for of in range(3) for number in range(5)]
    assert sorted(closed) == [0, 1, 2]
    closed.clear()
    with pytest.raises(ClientLeft):
        async for _ in merged([numbers(0), numbers(1, fails_at=2), numbers(2)]):
            pass
    assert sorted(closed) == [0, 1, 2]
