"""What is measured of a text stands in LangChain's metadata: for answers, calls and texts, at once, in pieces, in batches and in time."""

from __future__ import annotations

import asyncio
import json
from math import fsum
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from pydantic import ValidationError
from small_chats import Trip, book, chat, search
from toys import byte_level_tokenizer, random_model

from rellm_agents.json_schema.source.pointers import names_of
from rellm_agents.langchain import RELLM

pytestmark = pytest.mark.usefixtures("one_thread")

KEYS = {"model_name", "finish_reason", "finish", "forward_passes", "token_usage"}
CLOSED = {"stop_reason", "closed_at"}  # where the budget closes a message
SEEDS = range(5)


def at(value: Any, pointer: str) -> Any:
    for name in names_of(pointer):
        value = value[int(name) if isinstance(value, list) else name]
    return value


def close(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two measurements of fields are the same but for the last bits."""
    assert set(one) == set(other)
    return all(fields == pytest.approx(other[name], rel=1e-5, abs=1e-3) for name, fields in one.items())


@pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])
def test_the_fields_of_a_typed_answer_are_measured(method):
    model = chat(measure=["fields"]).with_structured_output(Trip, method=method, include_raw=True)
    for seed in SEEDS:
        found = model.invoke(f"Go on {seed}.")
        fields, answer = found["raw"].response_metadata["fields"], found["parsed"].model_dump()
        prefix = "#/tool_calls/0/args" if method == "function_calling" else "#"
        assert {f"{prefix}/{name}" for name in answer} <= set(fields)
        assert all(one["masked"] <= 0 for one in fields.values())
        message = {"tool_calls": found["raw"].tool_calls} if method == "function_calling" else answer
        for name in answer:
            assert at(message, f"{prefix}/{name}") == answer[name]
        whole = fields[prefix]["masked"]
        assert whole == pytest.approx(fsum(fields[f"{prefix}/{name}"]["masked"] for name in answer), abs=20)
        assert all(whole <= fields[f"{prefix}/{name}"]["masked"] + 1e-6 for name in answer)


@pytest.mark.parametrize("asked", [{"tools": True}, {"response_format": Trip.model_json_schema()}, {"regex": "yes|no"}, {}])
def test_pieces_batches_and_coroutines_measure_the_same(asked):
    asked = dict(asked)
    model = chat(measure=("fields", "kept", "logprobs"), max_new_tokens=100)
    bound = model.bind_tools([search, book], tool_choice="any") if asked.pop("tools", False) else model.bind(**asked)
    prompts = [f"Plan {n}." for n in range(4)]

    async def in_time():
        pieces = [piece async for piece in bound.astream(prompts[0])]
        return await asyncio.gather(*(bound.ainvoke(prompt) for prompt in prompts)), pieces

    alone, together = [bound.invoke(prompt) for prompt in prompts], bound.batch(prompts)
    whole_in_time, pieces_in_time = asyncio.run(in_time())
    pieces = list(bound.stream(prompts[0]))
    streamed = bound.bind(stream=True).invoke(prompts[0])
    for one, *others in zip(alone, together, whole_in_time, strict=True):
        for other in others:
            assert close(one.response_metadata["fields"], other.response_metadata["fields"])
    for message in (sum(pieces[1:], pieces[0]), sum(pieces_in_time[1:], pieces_in_time[0]), streamed):
        assert close(alone[0].response_metadata["fields"], message.response_metadata["fields"])
        assert set(message.response_metadata) >= KEYS | {"fields", "kept", "logprobs"}
    measured = [one for one in pieces if "fields" in one.response_metadata]
    assert len(measured) == 1
    assert pieces.index(measured[0]) >= len(pieces) - 2  # LangChain adds an empty one
    json.dumps(alone[0].response_metadata)


def test_the_fields_of_calls_lead_into_the_message():
    model = chat(measure=["fields"], max_new_tokens=200, temperature=8.0)
    model, counts = model.bind_tools([search, book], tool_choice="any", parallel_tool_calls=True), set()
    for seed in range(12):
        message = model.invoke("Plan.", seed=seed)
        fields, data = message.response_metadata["fields"], {"tool_calls": message.tool_calls}
        for name in fields:
            at(data, name)
        expected = {f"#/tool_calls/{n}/args/{key}" for n, call in enumerate(message.tool_calls) for key in call["args"]}
        assert {name for name in fields if name.count("/") == 4} == expected
        assert {f"#/tool_calls/{n}/name" for n in range(len(message.tool_calls))} <= set(fields)
        counts.add(len(message.tool_calls))
    assert max(counts) > 1


def test_log_probabilities_are_asked_for_as_of_others():
    for seed in SEEDS:
        message = chat(seed).bind(logprobs=True, top_logprobs=3, regex='"[a-z]{3,9}(é€)?"', spelling="any").invoke("Go on.")
        content = message.response_metadata["logprobs"]["content"]
        assert b"".join(bytes(one["bytes"]) for one in content).decode() == message.content
        assert len(content) == message.usage_metadata["output_tokens"]
        assert all(one["logprob"] <= 0 and len(one["top_logprobs"]) <= 3 for one in content)
        assert any(len(one["top_logprobs"]) == 3 for one in content)
        for one in content:
            same = [other["logprob"] for other in one["top_logprobs"] if other["bytes"] == one["bytes"]]
            assert all(log == pytest.approx(one["logprob"], abs=1e-5) for log in same)
        assert "fields" not in message.response_metadata
    without = chat().bind(logprobs=True).invoke("Go on.").response_metadata["logprobs"]["content"]
    assert all(one["top_logprobs"] == [] for one in without)
    assert set(chat().invoke("Go on.", logprobs=False).response_metadata) - CLOSED == KEYS


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"top_logprobs": 2}, "top_logprobs=2 without logprobs=True"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs=21: a number of tokens, at most 20"),
        ({"logprobs": True, "top_logprobs": "all"}, "top_logprobs='all'"),
        ({"logprobs": 3}, "logprobs=3: True or False"),
        ({"measure": ["fields", "field"]}, "measure=.*'field'.*: a list of names, any of"),
        ({"measure": "fields"}, "measure='fields': a list of names, any of"),
        ({"measure": "fields", "logprobs": True}, "measure='fields': a list of names, any of"),
    ],
)
def test_what_cannot_be_measured_is_refused(asked, reason):
    with pytest.raises(ValueError, match=reason):
        chat().invoke("Go on.", **asked)


def test_a_model_that_measures_what_there_is_not_is_refused():
    with pytest.raises(ValidationError, match="measure"):
        chat(measure=["field"])


def test_texts_of_a_language_model_are_measured():
    tokenizer = byte_level_tokenizer()
    schema = {"type": "object", "properties": {"a": {"enum": ["x", "y"]}, "b": {"type": "integer"}}, "required": ["a", "b"]}
    llm = RELLM(model=random_model(tokenizer), tokenizer=tokenizer, json_schema=schema, measure=["fields"], max_new_tokens=40)
    prompts = [f"Say {n}." for n in range(3)]
    alone = [llm.generate([prompt]).generations[0][0] for prompt in prompts]
    for one, (other,) in zip(alone, llm.generate(prompts).generations, strict=True):
        assert set(one.generation_info["fields"]) == {"#", "#/a", "#/b"}
        assert close(one.generation_info["fields"], other.generation_info["fields"])
    chunks = list(llm._stream(prompts[0]))
    assert close(chunks[-1].generation_info["fields"], alone[0].generation_info["fields"])
    logprobs = llm.generate([prompts[0]], measure=["logprobs"]).generations[0][0].generation_info["logprobs"]["content"]
    assert "".join(one["token"] for one in logprobs) == alone[0].text


def test_a_cached_answer_that_was_not_measured_is_not_given():
    model = chat(cache=InMemoryCache(), temperature=0.0)
    assert set(model.invoke("Go on.").response_metadata) - CLOSED == KEYS
    assert "fields" in model.invoke("Go on.", measure=["fields"]).response_metadata
    assert "logprobs" in model.invoke("Go on.", logprobs=True).response_metadata
