"""Every step that an agent of smolagents is given is one that it reads: valid calls, answers of their type, code that is found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel, TypeAdapter
from small_chats import chat

from rellm_agents.decoding import smollm2
from rellm_agents.errors import ArgumentTypeError, BudgetTooSmall, FormatError
from rellm_agents.langchain import ChatRELLM

smolagents: Any = pytest.importorskip("smolagents")
from rellm_agents.serving.engines.smolagents import ConstrainedModel  # noqa: E402 - after it is known to be there

pytestmark = pytest.mark.usefixtures("one_thread")


class Weather(BaseModel):
    city: Literal["Oslo", "Rome"]
    rain: bool
    near: list[Weather] = []


def search(query: str, limit: int = 3) -> str:
    """Searches.

    Args:
        query: what for.
        limit: how many results.
    """
    return f"{limit} results for {query}"


def add(a: float, b: float) -> float:
    """Adds.

    Args:
        a: a number.
        b: another one.
    """
    return a + b


TOOLS = [smolagents.tool(search), smolagents.tool(add)]


class Look(smolagents.Tool):  # type: ignore[misc]
    name, description, output_type = "look", "Looks at a picture.", "string"
    inputs = {  # noqa: RUF012
        "picture": {"type": "string", "description": "its name"},
        "of": {"type": "string", "enum": ["cats", "dogs"], "description": "what to look for"},
        "anything": {"type": "any", "description": "a hint", "nullable": True},
    }

    def forward(self, picture: str, of: str, anything: Any = None) -> str:
        return f"{of} in {picture}"


def agent(kind: Any, model: ChatRELLM, final_answer: Any = None, **options: Any) -> Any:
    quiet = {"verbosity_level": smolagents.LogLevel.OFF, "max_steps": 2, "stream_outputs": False}
    made = kind(tools=[*TOOLS, Look()], model=ConstrainedModel(model, final_answer=final_answer), **quiet, **options)
    made.prompt_templates["system_prompt"] = "Be brief."  # theirs is long for a tokenizer of single bytes
    return made


def steps(of: Any) -> Iterator[Any]:
    """The steps of the last run, but not the answer that smolagents asks for when there are too many."""
    return (step for step in of.memory.steps if isinstance(step, smolagents.ActionStep) and step.step_number <= of.max_steps)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("type_", [None, Weather, {"type": "array", "items": {"$ref": "#"}}])
def test_every_call_and_every_answer_is_of_its_type(seed: int, type_: Any) -> None:
    calling = agent(smolagents.ToolCallingAgent, chat(seed, max_new_tokens=60 + 20 * seed), type_)
    schemas = {tool.name: smolagents.models.get_tool_json_schema(tool)["function"]["parameters"] for tool in calling.tools.values()}
    calling.run("Rain?")
    for step in steps(calling):
        assert step.error is None, step.error
        (call,) = step.tool_calls
        assert isinstance(call.arguments, dict)
        assert call.arguments.keys() <= schemas[call.name]["properties"].keys()
        if call.name != "final_answer":
            assert call.arguments.keys() >= {*schemas[call.name]["required"]}
            assert call.arguments.get("of", "cats") in ("cats", "dogs")
        elif isinstance(type_, dict):
            Draft202012Validator(type_).validate(call.arguments["answer"])
        else:
            TypeAdapter(type_ or str).validate_python(call.arguments["answer"], strict=True)


@pytest.mark.parametrize("options", [{}, {"use_structured_outputs_internally": True}, {"code_block_tags": "markdown"}], ids=str)
def test_every_block_of_code_is_found(options: dict[str, Any]) -> None:
    for seed in range(2):
        coding = agent(smolagents.CodeAgent, chat(seed, max_new_tokens=40 + 20 * seed), **options)
        coding.run("Rain?")
        for step in steps(coding):
            assert step.code_action is not None, step.error
            assert not isinstance(step.error, (smolagents.AgentParsingError, smolagents.AgentGenerationError))
            assert bool(options) or step.code_action.strip()


def test_what_cannot_be_held_is_refused() -> None:
    with pytest.raises(ArgumentTypeError, match="chat="):
        ConstrainedModel("smollm2")  # type: ignore[arg-type]
    message = [smolagents.ChatMessage(role=smolagents.MessageRole.USER, content=[{"type": "text", "text": "Rain?"}])]
    model = ConstrainedModel(chat())
    with pytest.raises(FormatError, match="the tag before '</run>'"):
        model.generate(message, ["Observation:", "Calling tools:", "</run>"])
    with pytest.raises(BudgetTooSmall):
        model.generate(message, tools_to_call_from=TOOLS, max_tokens=3)

    class Other(smolagents.FinalAnswerTool):  # type: ignore[misc]
        inputs = {"text": {"type": "any", "description": "the answer"}}  # noqa: RUF012

        def forward(self, text: Any) -> Any:
            return text

    with pytest.raises(FormatError, match="final_answer takes text"):
        ConstrainedModel(chat(), final_answer=Weather).generate(message, tools_to_call_from=[Other()])


def test_pictures_are_called_by_name() -> None:
    class Draw(Look):
        inputs = {**Look.inputs, "picture": {"type": "image", "description": "a picture"}}  # noqa: RUF012

    made = ConstrainedModel(chat()).generate(
        [{"role": "user", "content": [{"type": "text", "text": "Look."}]}], tools_to_call_from=[Draw()]
    )
    assert isinstance(made.tool_calls[0].function.arguments["picture"], str)


def test_a_text_of_no_step_is_free_and_ends_before_the_stop() -> None:
    message = [smolagents.ChatMessage(role="user", content=[{"type": "text", "text": "Plan?"}])]
    for seed in range(4):
        made = ConstrainedModel(chat(seed), temperature=0.7).generate(message, ["e"])
        assert "e" not in made.content
        assert made.tool_calls is None
        assert made.token_usage.output_tokens > 0


@pytest.mark.model
def test_a_real_model_answers_with_its_type() -> None:
    loaded = smollm2()
    calling = agent(smolagents.ToolCallingAgent, ChatRELLM(model=loaded[0], tokenizer=loaded[1], max_tokens=80), Weather)
    calling.run("Will it rain in Oslo? Search once, then give the final answer.")
    found = [*steps(calling)]
    assert found
    assert all(step.error is None and step.tool_calls for step in found)
