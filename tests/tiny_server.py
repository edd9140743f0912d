"""A server of a model with random weights, called in this process, and requests that it answers."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
from small_chats import CHATML
from starlette.applications import Starlette
from toys import byte_level_tokenizer, random_model

from rellm_agents import compile_regex
from rellm_agents.decoding import RequestQueue
from rellm_agents.langchain import RELLM, ChatRELLM
from rellm_agents.serving.server import ServerSettings, make_application

MESSAGES = [{"role": "user", "content": "Rain?"}]
TOOL = {"type": "function", "function": {"name": "now", "description": "The time.", "parameters": {"type": "object", "properties": {}}}}
SEARCH = {
    "type": "function",
    "function": {
        "name": "search",
        "parameters": {
            "type": "object",
            "properties": {"query": {"type": "string", "maxLength": 4}, "limit": {"type": "integer", "minimum": 1, "maximum": 9}},
            "required": ["query", "limit"],
        },
    },
}
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}, "kind": {"enum": ["a", "b"]}}, "required": ["n", "kind"]}
TYPED = {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True}}
CALL = {"id": "call00001", "type": "function", "function": {"name": "now", "arguments": "{}"}}
HISTORY = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": [{"type": "text", "text": "What time "}, {"type": "text", "text": "is it?"}]},
    {"role": "assistant", "content": None, "tool_calls": [CALL], "refusal": None, "annotations": []},
    {"role": "tool", "tool_call_id": "call00001", "content": "12:30"},
]


def models(seed: int = 0, **options: Any) -> tuple[ChatRELLM, RELLM]:
    """A model of messages and one of texts, on the same model with random weights."""
    tokenizer = byte_level_tokenizer()
    shared = {"model": random_model(tokenizer, seed=seed), "tokenizer": tokenizer}
    given = {"max_tokens": 60, "temperature": 1.0, "seed": seed, **options}
    return ChatRELLM(**shared, chat_template=CHATML, **given), RELLM(**shared, pattern=compile_regex("(?s:.*)"), **given)


class Server:
    """An application with its model's queue."""

    def __init__(self, seed: int = 0, **settings: Any) -> None:
        self.chat, plain = models(seed)
        self.queue: RequestQueue = self.chat.queue
        self.application: Starlette = make_application(self.chat, plain, ServerSettings(model_name="tiny", **settings))

    @asynccontextmanager
    async def client(self, **options: Any) -> AsyncIterator[httpx.AsyncClient]:
        transport = httpx.ASGITransport(self.application, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=60, **options) as client:
            yield client

    async def post(self, path: str = "/v1/chat/completions", **body: Any) -> httpx.Response:
        async with self.client() as client:
            return await client.post(path, json={"model": "tiny", **body})


def same_but_for_last_bits(one: Any, other: Any) -> bool:
    """Whether two JSON values are the same, but for the last bits of their floats, which two runs of a model round apart."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-4, abs_tol=1e-4)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_but_for_last_bits(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_but_for_last_bits, one, other))
    return bool(one == other)


class Call:
    """One request as a server of ASGI applications sees it, whose client may go away.

    Args:
        application: is called.
        body: of the request.
        leaves: tells, after each message of the response, whether the client goes away now.
    """

    def __init__(self, application: Any, body: Any, leaves: Callable[[list[bytes]], bool] = lambda _: False) -> None:
        self._application, self._body, self._leaves = application, json.dumps(body).encode(), leaves
        self.status, self.received = 0, list[bytes]()

    async def run(self, left: Any) -> None:
        """Call the application; ``left`` is an ``asyncio.Event`` that is set when the client goes away."""
        asked = False

        async def receive() -> dict[str, Any]:
            nonlocal asked
            if not asked:
                asked = True
                return {"type": "http.request", "body": self._body, "more_body": False}
            await left.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                self.status = message["status"]
            elif piece := message.get("body"):
                self.received.append(piece)
            if self._leaves(self.received):
                left.set()

        headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": "POST",
            "path": "/v1/chat/completions",
            "raw_path": b"/v1/chat/completions",
            "root_path": "",
            "scheme": "http",
            "query_string": b"",
            "headers": headers,
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }
        await self._application(scope, receive, send)


def events(response: httpx.Response) -> list[dict[str, Any]]:
    """The events of a stream, which ends as streams do."""
    lines = [line for line in response.text.split("\n\n") if line]
    assert all(line.startswith("data: ") for line in lines)
    assert lines[-1] == "data: [DONE]"
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]


def joined(found: list[dict[str, Any]], index: int = 0) -> dict[str, Any]:
    """The choice that the events of a stream make together, as a client puts it together."""
    made: dict[str, Any] = {"message": {}, "finish_reason": None}
    for choice in (one for body in found for one in body["choices"] if one["index"] == index):
        assert made["finish_reason"] is None, "nothing comes after the end"
        delta = choice["delta"]
        for name in ("role", "content", "reasoning_content"):
            if name in delta:
                made["message"][name] = made["message"].get(name, "") + delta[name]
        for call in delta.get("tool_calls", ()):
            calls = made["message"].setdefault("tool_calls", [])
            if call["index"] == len(calls):
                calls.append({"id": call["id"], "type": call["type"], "function": {"name": call["function"]["name"], "arguments": ""}})
            calls[call["index"]]["function"]["arguments"] += call["function"]["arguments"]
        made |= {name: value for name, value in choice.items() if name not in ("delta", "index")}
    return made
