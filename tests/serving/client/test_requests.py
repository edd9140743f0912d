"""What a server is asked for, and what is made of its answers: right texts are read, and each wrong one is the right error."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from pydantic import BaseModel, Field

from rellm_agents import Pattern, compile_regex, compile_schema, json_action, react
from rellm_agents.errors import (
    AnswerCutOff,
    AnswerError,
    ArgumentTypeError,
    ArgumentValueError,
    ConstraintIgnored,
    FormatError,
    ServerRefused,
    ServerUnreachable,
)
from rellm_agents.formats import Action
from rellm_agents.serving.client import request_for

TOOLS = {"search": {"type": "object", "properties": {"query": {"type": "string", "minLength": 1}}, "required": ["query"]}}
CLOSED = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}, "required": ["city"]}
CLOSED["additionalProperties"] = False
SERVERS = ("vllm", "sglang", "llama.cpp", "lmstudio", "openai", "ollama")


class Weather(BaseModel):
    city: str = Field(max_length=20)
    inner: list[Weather] = []


NAMES = ["json_action", "react", "regex", "closed", "object", "type"]
SOURCES: list[Any] = [json_action(TOOLS), react(TOOLS), compile_regex(r"(?!no)[a-z]{2,9}|\d+"), CLOSED, {"type": "object"}, Weather]


def answer(text: str, finish_reason: str | None = "stop") -> dict[str, Any]:
    return {"choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish_reason}]}


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("source", SOURCES, ids=NAMES)
def test_each_server_is_told_what_it_takes(source: Any, server: Any) -> None:
    if server in {"lmstudio", "openai", "ollama"} and source in SOURCES[:3]:
        with pytest.raises(FormatError, match="these can: "):
            request_for(source, server)
        return
    request = request_for(source, server)
    written = json.dumps(dict(request))  # plain data
    names = {"vllm": "structured_outputs", "sglang": "", "llama.cpp": "", "lmstudio": "response_format", "openai": "response_format"}
    assert names.get(server, "format") in written
    if request.notation == "json_schema":
        assert source in (CLOSED, {"type": "object"}, Weather)
    else:
        assert request.notation == ("gbnf" if server == "llama.cpp" or source in (SOURCES[1], Weather) else "regex")
    assert set(request) <= {"extra_body", "response_format", "format"}


@pytest.mark.parametrize("source", SOURCES[:4], ids=NAMES[:4])
def test_right_texts_are_read_and_all_others_are_found_out(source: Any) -> None:
    request = request_for(source, "vllm")
    chance = random.Random(5)
    for seed in range(60):
        text = request.pattern.sample(seed)
        assert request.read(answer(text)) == request.read(text)
        assert "".join(request.pieces(streamed(text, chance))) == text
        with pytest.raises(AnswerCutOff) as cut:
            request.read(answer(text[: chance.randrange(len(text))], "length"))
        assert cut.value.sufficient == len(request.pattern.shortest().encode())
        for wrong in mutated(text, chance):
            if request.pattern.fullmatch(wrong):
                continue
            with pytest.raises(ConstraintIgnored) as ignored:
                request.read(answer(wrong))
            at = ignored.value.position
            assert request.pattern.begins(wrong[:at])
            assert at == len(wrong) or not request.pattern.begins(wrong[: at + 1])
            came = list[str]()
            with pytest.raises(ConstraintIgnored):
                came.extend(request.pieces(streamed(wrong, chance)))
            assert request.pattern.begins("".join(came))


def mutated(text: str, chance: random.Random) -> Iterator[str]:
    at = chance.randrange(len(text))
    yield "Sure! " + text
    yield text[:at]
    yield text[:at] + chance.choice('{}"x\n') + text[at + 1 :]
    yield text + "}"


def streamed(text: str, chance: random.Random, end: str | None = "stop") -> Iterator[dict[str, Any]]:
    """The chunks of a stream; the last one tells what was used, and has no choice."""
    while text:
        size = chance.randint(1, 9)
        yield {"choices": [{"delta": {"content": text[:size]}, "finish_reason": None}]}
        text = text[size:]
    yield {"choices": [{"delta": {}, "finish_reason": end}]}
    yield {"choices": [], "usage": {"completion_tokens": 3}}


def test_a_stream_that_is_cut_or_breaks_off_is_no_answer() -> None:
    request, chance = request_for(CLOSED, "vllm"), random.Random(1)
    with pytest.raises(AnswerCutOff):
        list(request.pieces(streamed('{"city": "Os', chance, "length")))

    def broken() -> Iterator[Any]:
        yield {"choices": [{"delta": {"content": '{"city"'}, "finish_reason": None}]}
        raise ConnectionResetError("reset by peer")

    with pytest.raises(ServerUnreachable, match="reset by peer"):
        list(request.pieces(broken()))


def test_values_steps_and_texts_are_read() -> None:
    assert request_for(CLOSED, "vllm").read('{"city": "Oslo", "days": 3}') == {"city": "Oslo", "days": 3}
    assert request_for(json_action(TOOLS), "sglang").read('{"action": "search", "action_input": {"query": "x"}}') == Action(
        "search", {"query": "x"}
    )
    assert request_for(Weather, "llama.cpp").read('{"city": "Oslo", "inner": []}') == Weather(city="Oslo")
    assert request_for(compile_regex("yes|no"), "vllm").read("no") == "no"
    open_ = request_for({"type": "object"}, "vllm")
    assert open_.notation == "json_schema"
    assert open_.read('{\n  "a": [1,\n 2]\n}') == {"a": [1, 2]}  # an engine writes its own white space


def test_what_cannot_be_asked_is_refused() -> None:
    with pytest.raises(ArgumentValueError, match=r"'vllm', 'sglang', 'llama\.cpp'"):
        request_for(CLOSED, "tgi")  # type: ignore[arg-type]
    with pytest.raises(ArgumentTypeError, match="answer"):
        request_for(CLOSED, "vllm").read(5)
    with pytest.raises(FormatError, match="more than 2000 states"):
        request_for(compile_schema({"type": "string", "maxLength": 9, "not": {"pattern": "a.{13}$"}}), "sglang")


def test_nothing_heavy_is_imported() -> None:
    program = (
        "import sys; from rellm_agents.serving.client import request_for; r = request_for({'type': 'null'}, 'vllm'); r.read('null');"
        "r.parser.invoke('null'); print([name for name in ('torch', 'transformers', 'openai') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "[]"


# A server that misbehaves, and real clients


class Misbehaving(BaseHTTPRequestHandler):
    """Answers in the shapes of OpenAI's API: with the text that a server was made for, or a status, or not to the end."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(asked)  # type: ignore[attr-defined]
        status, text, reason = self.server.says  # type: ignore[attr-defined]
        if status == 0:
            self.connection.close()
            return
        if status != 200:
            body = {"error": {"message": text, "type": "BadRequestError", "code": status}}
        elif asked.get("stream"):
            self.stream(text, reason)
            return
        else:
            body = {**answer(text, reason), "id": "1", "object": "chat.completion", "created": 0, "model": "m"}
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def stream(self, text: str, reason: str | None) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for chunk in streamed(text, random.Random(3), reason):
            told = {**chunk, "id": "1", "object": "chat.completion.chunk", "created": 0, "model": "m"}
            for choice in told["choices"]:
                choice["index"] = 0
            self.wfile.write(f"data: {json.dumps(told)}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, *_: Any) -> None: ...


@contextmanager
def serving(status: int, text: str, reason: str | None = "stop") -> Iterator[Any]:
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Misbehaving)
    server.says, server.asked = (status, text, reason), []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


STEP = '{"action": "search", "action_input": {"query": "rain"}}'
WRONG: list[tuple[tuple[Any, ...], type[Exception]]] = [
    ((200, "Sure! Here is the JSON: " + STEP), ConstraintIgnored),
    ((200, STEP[:-4]), ConstraintIgnored),
    ((200, STEP[:20], "length"), AnswerCutOff),
    ((400, "Grammar error: look-around is not supported"), ServerRefused),
    ((500, "Internal server error"), ServerRefused),
    ((0, ""), ServerUnreachable),
]


def openai_client(server: Any) -> Any:
    openai: Any = pytest.importorskip("openai", exc_type=ImportError)
    return openai.OpenAI(base_url=f"http://127.0.0.1:{server.server_port}/v1", api_key="none", max_retries=0)


def chat_openai(server: Any) -> Any:
    langchain_openai: Any = pytest.importorskip("langchain_openai", exc_type=ImportError)
    return langchain_openai.ChatOpenAI(model="m", base_url=f"http://127.0.0.1:{server.server_port}/v1", api_key="none", max_retries=0)


def by_client(server: Any) -> Any:
    request = request_for(json_action(TOOLS), "vllm")
    client = openai_client(server)
    with request.errors():
        made = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Rain?"}], **request)
    return request.read(made).tool_input


def by_streaming_client(server: Any) -> Any:
    request = request_for(json_action(TOOLS), "vllm")
    client = openai_client(server)
    with request.errors():
        chunks = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Rain?"}], stream=True, **request)
    return request.read("".join(request.pieces(chunks))).tool_input


def by_chain(server: Any) -> Any:
    return request_for(json_action(TOOLS), "vllm").over(chat_openai(server)).invoke("Rain?").tool_input


def by_streaming_chain(server: Any) -> Any:
    (step,) = request_for(json_action(TOOLS), "vllm").over(chat_openai(server)).stream("Rain?")
    return step.tool_input


WAYS = [by_client, by_streaming_client, by_chain, by_streaming_chain]


@pytest.mark.parametrize("ask", WAYS)
def test_real_clients_get_the_step(ask: Callable[[Any], Any]) -> None:
    with serving(200, STEP) as server:
        assert ask(server) == {"query": "rain"}
        assert "regex" in server.asked[0]["structured_outputs"]


@pytest.mark.parametrize("ask", WAYS)
@pytest.mark.parametrize(("says", "expected"), WRONG)
def test_real_clients_get_the_right_error_and_ask_once(ask: Callable[[Any], Any], says: tuple[Any, ...], expected: type[Exception]) -> None:
    with serving(*says) as server:
        with pytest.raises(expected) as error:
            ask(server)
        assert "vllm" in str(error.value)
        assert len(server.asked) == 1


def test_a_server_that_is_gone_is_told() -> None:
    with serving(200, STEP) as server:
        pass
    for ask in WAYS:
        with pytest.raises(ServerUnreachable, match="vllm did not answer"):
            ask(server)


def test_a_model_keeps_its_own_extra_body_and_a_chain_can_be_composed_by_hand() -> None:
    request = request_for(json_action(TOOLS), "vllm")
    with serving(200, STEP) as server:
        model = chat_openai(server).model_copy(update={"extra_body": {"top_k": 5}})
        assert request.over(model).invoke("Rain?").tool == "search"
        assert server.asked[0]["top_k"] == 5
        assert (chat_openai(server).bind(**request) | request.parser).invoke("Rain?").tool == "search"


def test_an_executor_runs_on_a_server() -> None:
    agents: Any = pytest.importorskip("langchain_classic.agents", exc_type=ImportError)
    from langchain_core.prompts import PromptTemplate  # noqa: PLC0415
    from langchain_core.tools import tool  # noqa: PLC0415

    @tool
    def search(query: str) -> str:
        """Search."""
        server.says = (200, '{"action": "Final Answer", "action_input": "It rains."}', "stop")
        return f"{query}: yes"

    format_ = json_action([search])
    prompt = PromptTemplate.from_template("{input}")
    with serving(200, STEP) as server:
        agent = prompt | request_for(format_, "vllm").over(chat_openai(server))
        found = agents.AgentExecutor(agent=agent, tools=[search]).invoke({"input": "Rain?"})
        assert found["output"] == "It rains."
        assert len(server.asked) == 2


def test_errors_of_answers_can_be_caught_as_one() -> None:
    assert issubclass(ConstraintIgnored, AnswerError)
    assert issubclass(AnswerCutOff, AnswerError)
    assert isinstance(request_for(compile_regex("a"), "vllm").pattern, Pattern)
