"""A server's tool calls reach a tool of ``create_agent`` only if it takes them; all else is the right error, and nothing is asked again."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

import pytest
from langchain.agents import create_agent
from langchain.agents.structured_output import ToolStrategy
from langchain_core.tools import tool
from pydantic import BaseModel

from rellm_agents.errors import AnswerCutOff, ArgumentValueError, ServerRefused, ServerUnreachable, WrongCall
from rellm_agents.serving.client.checked_calls import CheckedCalls

openai: Any = pytest.importorskip("langchain_openai", exc_type=ImportError)
CALLED: list[Any] = []
FREE = {"content": "It will rain."}


@tool
def search(query: str, days: int = 3) -> str:
    """Search."""
    CALLED.append((query, days))
    return "rain"


@tool
def go(to: Literal["Oslo", "Rome"]) -> str:
    """Go."""
    CALLED.append(to)
    return "gone"


class Answer(BaseModel):
    rain: bool


class Scripted(BaseHTTPRequestHandler):
    """Gives the next message of its server's script."""

    def do_POST(self) -> None:
        server: Any = self.server
        server.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        said = server.script.pop(0)
        if said is None:
            self.connection.close()
            return
        status, body = said if isinstance(said, tuple) else (200, said)
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None: ...


def message(*calls: tuple[str, Any], reason: str = "", **said: Any) -> dict[str, Any]:
    """A completion; arguments are JSON text as they come, or plain data."""
    made = [
        {
            "id": f"c{at}",
            "type": "function",
            "function": {"name": name, "arguments": given if isinstance(given, str) else json.dumps(given)},
        }
        for at, (name, given) in enumerate(calls)
    ]
    told = {"role": "assistant", "content": None, **said, **({"tool_calls": made} if made else {})}
    choice = {"index": 0, "message": told, "finish_reason": reason or ("tool_calls" if made else "stop")}
    return {"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]}


@contextmanager
def agent(*script: Any, server: Any = "vllm", **options: Any) -> Iterator[tuple[Any, Any]]:
    CALLED.clear()
    running: Any = ThreadingHTTPServer(("127.0.0.1", 0), Scripted)
    running.script, running.asked = [*script], []
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    model = openai.ChatOpenAI(model="m", base_url=f"http://127.0.0.1:{running.server_port}/v1", api_key="none", max_retries=0)
    try:
        yield create_agent(model, [search, go], middleware=[CheckedCalls(server)], **options), running
    finally:
        running.shutdown()
        running.server_close()
        thread.join()


def ask(made: Any) -> Any:
    return made.invoke({"messages": [{"role": "user", "content": "Rain?"}]})


def test_right_calls_reach_their_tools() -> None:
    script = [
        message(("search", {"query": "rain", "days": 1}), ("go", {"to": "Oslo"})),
        message(("search", {"query": "x"})),
        message(**FREE),
    ]
    for server in ("vllm", "sglang", "llama.cpp", "lmstudio", "openai"):
        with agent(*script, server=server) as (made, running):
            assert ask(made)["messages"][-1].content == "It will rain."
        assert sorted(map(str, CALLED)) == ["('rain', 1)", "('x', 3)", "Oslo"]
        strict = [one["function"].get("strict") for one in running.asked[0]["tools"]]
        assert strict == ([True, True] if server in {"vllm", "sglang", "openai"} else [None, None])


WRONG = [
    (message(("search", {"query": 5})), "#/query"),
    (message(("search", {})), "#"),
    (message(("search", {"query": "a", "days": "3"})), "#/days"),
    (message(("search", {"query": "a", "more": 1})), "#"),
    (message(("go", {"to": "Paris"})), "#/to"),
    (message(("search", {"query": "a"}), ("go", {"to": None})), "#/to"),
    (message(("fly", {"to": "Oslo"})), "#"),
    (message(("search", '"Paris"')), "#"),
    (message(("search", "[1]")), "#"),
    (message(("search", '{"query": "a')), "#"),
]


@pytest.mark.parametrize(("wrong", "pointer"), WRONG)
async def test_a_wrong_call_reaches_none(wrong: Any, pointer: str) -> None:
    with agent(wrong) as (made, running), pytest.raises(WrongCall) as refused:
        ask(made)
    with agent(wrong, wrong) as (made, again), pytest.raises(WrongCall, match="vllm"):
        await made.ainvoke({"messages": [{"role": "user", "content": "Rain?"}]})
    assert refused.value.pointer == pointer
    assert CALLED == []
    assert len(running.asked) == len(again.asked) == 1


def test_other_failures_are_the_right_errors() -> None:
    for said, error in (
        ((400, {"error": {"message": "no such model", "code": 400}}), ServerRefused),
        (None, ServerUnreachable),
        (message(("search", '{"query": "a'), reason="length"), AnswerCutOff),
        (message(reason="length", content="It will"), AnswerCutOff),
    ):
        with agent(said) as (made, running), pytest.raises(error):
            ask(made)
        assert len(running.asked) == 1
        assert CALLED == []
    with pytest.raises(ArgumentValueError, match="server="):
        CheckedCalls("tgi")  # type: ignore[arg-type]


def test_a_structured_answer_is_a_call_too() -> None:
    with agent(message(("search", {"query": "x"})), message(("Answer", {"rain": True})), response_format=ToolStrategy(Answer)) as (made, _):
        assert ask(made)["structured_response"] == Answer(rain=True)
    with agent(message(("Answer", {"rain": "so"})), response_format=ToolStrategy(Answer)) as (made, _), pytest.raises(WrongCall):
        ask(made)
    with agent(message(**FREE), response_format=ToolStrategy(Answer)) as (made, _), pytest.raises(WrongCall, match="has to be called"):
        ask(made)
    cut = message(reason="length", content="It will")
    with agent(cut, response_format=ToolStrategy(Answer)) as (made, _), pytest.raises(AnswerCutOff, match=r"more; \d\d suffice"):
        ask(made)
