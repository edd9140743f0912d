"""Clients of OpenAI's API get tool calls and typed answers from SmolLM2, unmodified: every step parses, at budgets that are small."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field
from real_server import RealServer, running

pytestmark = pytest.mark.model

WORDS = ("banana", "cat", "house")
ASKED: list[str] = []
"""The words of which a tool was asked the length."""


class Country(BaseModel):
    name: Annotated[str, Field(max_length=12)]
    continent: Literal["Africa", "America", "Asia", "Europe", "Oceania"]


def word_length(word: str) -> int:
    """The number of letters in a word.

    Args:
        word: The word.
    """
    ASKED.append(word)
    return len(word)


SCHEMA = {
    "type": "object",
    "properties": {"word": {"type": "string", "maxLength": 20}},
    "required": ["word"],
    "additionalProperties": False,
}
TOOL: Any = {
    "type": "function",
    "function": {"name": "word_length", "description": "The number of letters in a word.", "parameters": SCHEMA, "strict": True},
}


@pytest.fixture(scope="module")
def server() -> Iterator[RealServer]:
    with running() as found:
        yield found


def question(word: str) -> str:
    return f"How long is the word {word}?"


async def test_openai(server: RealServer) -> None:
    from openai import AsyncOpenAI, BadRequestError, NotFoundError  # noqa: PLC0415

    before = server.steps()
    async with AsyncOpenAI(**server.api, max_retries=0) as client:

        async def agent(word: str) -> None:
            messages: list[Any] = [{"role": "user", "content": question(word)}]
            first = await client.chat.completions.create(
                model="smollm2", messages=messages, tools=[TOOL], tool_choice="required", max_tokens=50
            )
            message = first.choices[0].message
            assert first.choices[0].finish_reason == "tool_calls"
            messages.append(message)  # as it came
            for call in message.tool_calls or []:
                assert call.type == "function"
                result = word_length(**json.loads(call.function.arguments))
                messages.append({"role": "tool", "tool_call_id": call.id, "content": str(result)})
            typed = await client.chat.completions.parse(model="smollm2", messages=messages, response_format=Country, max_tokens=40)
            assert isinstance(typed.choices[0].message.parsed, Country)

        async def streamed(word: str) -> None:
            async with client.chat.completions.stream(
                model="smollm2",
                messages=[{"role": "user", "content": question(word)}],
                tools=[TOOL],
                tool_choice={"type": "function", "function": {"name": "word_length"}},
                max_completion_tokens=50,
                stream_options={"include_usage": True},
            ) as stream:
                kinds = [event.type async for event in stream]
                final = await stream.get_final_completion()
            assert "tool_calls.function.arguments.delta" in kinds
            (call,) = final.choices[0].message.tool_calls or []
            assert set(json.loads(call.function.arguments)) == {"word"}
            assert final.usage is not None

        async def text() -> None:
            pieces = [
                chunk.choices[0].delta.content or ""
                async for chunk in await client.chat.completions.create(
                    model="smollm2", messages=[{"role": "user", "content": "Hello"}], max_tokens=12, stream=True
                )
            ]
            whole = await client.chat.completions.create(model="smollm2", messages=[{"role": "user", "content": "Hello"}], max_tokens=12)
            assert "".join(pieces) == whole.choices[0].message.content
            done = await client.completions.create(
                model="smollm2",
                prompt="The capital of Italy is",
                max_tokens=9,
                extra_body={"structured_outputs": {"choice": [" Rome", " Paris"]}},
            )
            assert done.choices[0].text in (" Rome", " Paris")

        await asyncio.gather(*map(agent, WORDS * 7), *map(streamed, WORDS * 2), text())
        assert [model.id async for model in client.models.list()] == ["smollm2"]
        with pytest.raises(BadRequestError, match="set max_tokens to"):
            await client.chat.completions.create(
                model="smollm2", messages=[{"role": "user", "content": "Hi"}], tools=[TOOL], tool_choice="required", max_tokens=3
            )
        with pytest.raises(NotFoundError, match="there is no model"):
            await client.chat.completions.create(model="gpt-5", messages=[{"role": "user", "content": "Hi"}])
    assert server.steps() - before == 21 * 2 + 6 + 2


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")  # of the client, for each answer that it parses in a stream
async def test_langchain_openai(server: RealServer) -> None:
    from langchain.agents import create_agent  # noqa: PLC0415
    from langchain.agents.middleware import ModelCallLimitMiddleware  # noqa: PLC0415
    from langchain.agents.structured_output import ProviderStrategy  # noqa: PLC0415
    from langchain_openai import ChatOpenAI  # noqa: PLC0415

    before = server.steps()
    model = ChatOpenAI(model="smollm2", **server.api, max_retries=0, max_completion_tokens=60)

    async def called(word: str) -> None:
        message = await model.bind_tools([word_length], tool_choice="required", strict=True).ainvoke(question(word))
        assert [call["name"] for call in message.tool_calls] == ["word_length"]

    async def typed(method: Any) -> None:
        found = await model.with_structured_output(Country, method=method).ainvoke("Tell me about France.")
        assert isinstance(found, Country)

    async def streamed() -> None:
        pieces = [piece async for piece in model.with_structured_output(Country, method="json_schema").astream("Tell me about Peru.")]
        assert isinstance(pieces[-1], Country)

    async def agent(word: str) -> None:
        limit = ModelCallLimitMiddleware(run_limit=3, exit_behavior="end")
        made = create_agent(model, [word_length], response_format=ProviderStrategy(Country), middleware=[limit])
        found = await made.ainvoke({"messages": [("user", question(word))]})
        answers = [message for message in found["messages"] if message.type == "ai"]
        assert all(answer.tool_calls or "structured_response" in found or answer is answers[-1] for answer in answers)
        assert not any(answer.invalid_tool_calls for answer in answers)

    await asyncio.gather(*map(called, WORDS * 3), *map(typed, ("json_schema", "function_calling") * 2), streamed(), *map(agent, WORDS))
    assert server.steps() - before >= 9 + 4 + 1 + 3


async def test_pydantic_ai(server: RealServer) -> None:
    from pydantic_ai import Agent, NativeOutput, UsageLimitExceeded, UsageLimits  # noqa: PLC0415
    from pydantic_ai.models.openai import OpenAIChatModel  # noqa: PLC0415
    from pydantic_ai.providers.openai import OpenAIProvider  # noqa: PLC0415

    before = server.steps()
    model = OpenAIChatModel("smollm2", provider=OpenAIProvider(**server.api))
    settings: Any = {"max_tokens": 60}

    async def typed(output: Any) -> None:
        found = await Agent(model, output_type=output, retries=0, model_settings=settings).run("Tell me about France.")
        assert isinstance(found.output, Country)

    async def agent(word: str) -> None:
        made = Agent(model, output_type=Country, tools=[word_length], retries=0, model_settings=settings)
        try:
            found = await made.run(question(word), usage_limits=UsageLimits(request_limit=3))
        except UsageLimitExceeded:  # it never stops to ask: that is up to the model
            return
        assert isinstance(found.output, Country)

    await asyncio.gather(*map(typed, (Country, NativeOutput(Country)) * 4), *map(agent, WORDS))
    assert server.steps() - before >= 8 + 3


def test_smolagents(server: RealServer) -> None:
    smolagents = pytest.importorskip("smolagents")
    before = server.steps()
    model = smolagents.OpenAIServerModel("smollm2", api_base=f"{server.url}/v1", api_key=server.api["api_key"], max_tokens=60)
    agent = smolagents.ToolCallingAgent(
        tools=[smolagents.tool(word_length)], model=model, max_steps=2, verbosity_level=smolagents.LogLevel.OFF, stream_outputs=False
    )
    agent.run(question(WORDS[0]))
    steps = [step for step in agent.memory.steps if isinstance(step, smolagents.ActionStep)]
    assert all(step.tool_calls for step in steps if step.model_output_message is not None)
    typed = model.generate(
        [smolagents.ChatMessage(role="user", content="Tell me about France.")],
        response_format={"type": "json_schema", "json_schema": {"name": "country", "schema": Country.model_json_schema()}},
    )
    Country.model_validate_json(typed.content)
    assert server.steps() - before >= 1 + 1


async def test_instructor(server: RealServer) -> None:
    instructor = pytest.importorskip("instructor", reason="instructor needs rich < 15: it has an environment of its own")
    from openai import AsyncOpenAI  # noqa: PLC0415

    before = server.steps()
    async with AsyncOpenAI(**server.api, max_retries=0) as inner:
        for mode in (instructor.Mode.TOOLS, instructor.Mode.JSON_SCHEMA, instructor.Mode.JSON):
            client = instructor.from_openai(inner, mode=mode)
            found = await client.chat.completions.create(
                model="smollm2",
                response_model=Country,
                messages=[{"role": "user", "content": "Tell me about France."}],
                max_tokens=60,
                max_retries=0,
            )
            assert isinstance(found, Country)
    assert server.steps() - before == 3


@pytest.mark.filterwarnings("ignore:.*`ReadOnly` qualifier:UserWarning")  # of pydantic, for a class of litellm
async def test_litellm(server: RealServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # importing it asks GitHub for prices otherwise
    litellm = pytest.importorskip("litellm", reason="litellm needs importlib-metadata < 9: it has an environment of its own")
    before = server.steps()

    async def ask(**options: Any) -> Any:
        return await litellm.acompletion(
            model="openai/smollm2",
            api_base=f"{server.url}/v1",
            api_key=server.api["api_key"],
            messages=[{"role": "user", "content": question("banana")}],
            max_tokens=60,
            **options,
        )

    called, typed = await asyncio.gather(ask(tools=[TOOL], tool_choice="required"), ask(response_format=Country))
    assert json.loads(called.choices[0].message.tool_calls[0].function.arguments).keys() == {"word"}
    Country.model_validate_json(typed.choices[0].message.content)
    pieces = [piece async for piece in await ask(stream=True)]
    assert "".join(piece.choices[0].delta.content or "" for piece in pieces)
    assert server.steps() - before == 3
