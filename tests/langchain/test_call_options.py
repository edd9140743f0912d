"""Options that users of any chat model pass do what they say under their known names; the others are named, with the way out."""

from __future__ import annotations

import asyncio
import copy
import pickle
from functools import reduce
from operator import add
from typing import Annotated

import pytest
from langchain_core.callbacks import get_usage_metadata_callback
from langchain_core.messages import HumanMessage
from langchain_core.runnables import ConfigurableField
from pydantic import BaseModel, Field
from small_chats import CHATML
from toys import byte_level_tokenizer, random_model
from transformers import pipeline, set_seed

from rellm_agents.langchain import RELLM, ChatRELLM
from rellm_agents.langchain.call_options import BUDGET_ALIASES, WAYS_OUT, token_usage

pytestmark = pytest.mark.usefixtures("one_thread")

TOKENIZER = byte_level_tokenizer()
TOKENIZER.chat_template = CHATML
MODEL = random_model(TOKENIZER)
DRAWN = {"temperature": 1.0, "seed": 3}
KINDS = pytest.mark.parametrize("kind", [RELLM, ChatRELLM])


def made(kind, **fields):
    constraint = {"regex": "[a-z]{8}"} if kind is RELLM else {}
    return kind(**{"model": MODEL, "tokenizer": TOKENIZER, "on_budget": "close", "max_new_tokens": 12, **constraint, **fields})


def text_of(answer):
    return answer if isinstance(answer, str) else answer.content


def texts_of(answers):
    return [text_of(one) for one in answers]


@KINDS
@pytest.mark.parametrize("name", BUDGET_ALIASES)
def test_the_budget_has_the_names_of_other_apis(kind, name):
    llm = kind(**{"model": MODEL, "tokenizer": TOKENIZER, name: 9, **({"regex": "[a-z]{3,}"} if kind is RELLM else {})})
    assert llm.max_new_tokens == 9
    assert text_of(llm.invoke("q", **{name: 5})) == text_of(llm.invoke("q", max_new_tokens=5)) != text_of(llm.invoke("q"))
    with pytest.raises(ValueError, match=f"{name}=5 and max_new_tokens=6 are two names of one budget"):
        llm.invoke("q", **{name: 5}, max_new_tokens=6)


@KINDS
def test_options_of_a_call_are_those_of_the_model(kind):
    word = text_of(made(kind).invoke("q"))
    options = {"repetition_penalty": 1.5, "presence_penalty": 1.0, "frequency_penalty": 0.5, "logit_bias": {"5": -3}, "min_p": 0.1}
    for drawing in ({}, DRAWN):
        given, bound = made(kind, **options, **drawing).invoke("q"), made(kind).bind(**options, **drawing).invoke("q")
        assert text_of(given) == text_of(bound)
    short = text_of(made(kind, top_k=0, stop=word[4]).invoke("q"))
    assert short == text_of(made(kind).invoke("q", stop=[word[4]])) == word.split(word[4])[0]
    assert text_of(made(kind).invoke("q", stop=word[4])) == word.split(word[4])[0]


@KINDS
@pytest.mark.parametrize("name", WAYS_OUT)
def test_options_that_there_are_not_are_named_early_with_the_way_out(kind, name):
    with pytest.raises(ValueError, match=f"takes no '{name}'.*instead of {name}: "):
        made(kind, **{name: 1})
    with pytest.raises(ValueError, match=f"takes no '{name}'.*instead of {name}: "):
        made(kind).bind(**{name: 1})


# Several answers


@KINDS
def test_equal_inputs_of_a_batch_have_different_texts_repeatably(kind):
    llm = made(kind, **DRAWN)
    alone = {prompt: text_of(llm.invoke(prompt)) for prompt in "qp"}
    batch = texts_of(llm.batch(["q", "p", "q", "q"]))
    assert batch[:2] == [alone["q"], alone["p"]]
    assert len({batch[0], *batch[2:]}) == 3
    for config in (None, {"max_concurrency": 2}):
        assert texts_of(llm.batch(["q", "p", "q", "q"], config)) == batch
        assert texts_of(llm.batch(["q", "p", "q", "q"], config, return_exceptions=True)) == batch
        assert texts_of(asyncio.run(llm.abatch(["q", "p", "q", "q"], config))) == batch
    assert texts_of(made(kind).bind(**DRAWN).batch(["q", "p", "q", "q"])) == batch
    assert llm.batch([]) == []
    completed = dict(llm.batch_as_completed(["q", "p", "q", "q"]))
    assert texts_of(completed[number] for number in range(4)) == batch

    async def all_of():
        return {number: answer async for number, answer in llm.abatch_as_completed(["q", "p", "q", "q"])}

    completed = asyncio.run(all_of())
    assert texts_of(completed[number] for number in range(4)) == batch


@KINDS
def test_n_answers_are_those_of_a_batch_of_equal_prompts(kind):
    llm = made(kind, **DRAWN)
    batch = texts_of(llm.batch(["q"] * 3))
    prompt = "q" if kind is RELLM else [HumanMessage("q")]
    for result in (llm.generate([prompt], n=3), asyncio.run(llm.agenerate([prompt], n=3)), made(kind, n=3, **DRAWN).generate([prompt])):
        assert [one.text for one in result.generations[0]] == batch
    assert text_of(llm.invoke("q", n=3)) == batch[0]


@KINDS
def test_without_a_seed_n_answers_differ_and_set_seed_repeats_them(kind):
    llm, prompt = made(kind, temperature=1.0), "q" if kind is RELLM else [HumanMessage("q")]

    def answers():
        return [one.text for one in llm.generate([prompt], n=3).generations[0]]

    set_seed(5)
    first = answers()
    assert len(set(first)) == 3
    assert answers() != first
    set_seed(5)
    assert answers() == first


def test_each_prompt_has_n_answers_and_is_counted_once():
    llm = made(RELLM, **DRAWN)
    result = llm.generate(["one", "other"], n=2)
    assert list(map(len, result.generations)) == [2, 2]
    read = [answers[0].generation_info["prompt_tokens"] for answers in result.generations]
    assert result.llm_output["token_usage"]["prompt_tokens"] == sum(read)


@pytest.mark.parametrize("options", [{}, {"n": 2}], ids=str)
@pytest.mark.parametrize("ways", ["sync", "async"])
def test_a_chat_model_counts_its_tokens_as_apis_do(options, ways):
    """In the metadata of a message and, added up, in ``generate``; as LangChain's own ``usage_metadata``."""
    model = made(ChatRELLM, **DRAWN)
    asked = [[HumanMessage("one")], [HumanMessage("other")]]
    result = asyncio.run(model.agenerate(asked, **options)) if ways == "async" else model.generate(asked, **options)
    answers = [[one.message for one in answers] for answers in result.generations]
    for message in (message for messages in answers for message in messages):
        told, usage = message.usage_metadata, message.response_metadata["token_usage"]
        assert [*usage.values()] == [told["input_tokens"], told["output_tokens"], told["total_tokens"]]
        assert [*usage] == ["prompt_tokens", "completion_tokens", "total_tokens"]
    read = sum(messages[0].usage_metadata["input_tokens"] for messages in answers)
    written = sum(message.usage_metadata["output_tokens"] for messages in answers for message in messages)
    assert result.llm_output == {"model_name": model.model_name, "token_usage": token_usage(read, written)}


def test_callbacks_are_told_the_usage_of_streams_too():
    model = made(ChatRELLM, **DRAWN)
    with get_usage_metadata_callback() as counted:
        usages = [model.invoke("one").usage_metadata, sum_of(model.stream("one")).usage_metadata]
    assert counted.usage_metadata[model.model_name]["total_tokens"] == sum(usage["total_tokens"] for usage in usages)
    assert sum_of(model.stream("one")).response_metadata["token_usage"]["total_tokens"] == usages[1]["total_tokens"]
    assert "token_usage" not in sum_of(model.stream("one", stream_usage=False)).response_metadata


def sum_of(chunks):
    return reduce(add, chunks)


@KINDS
@pytest.mark.parametrize("name", ["max_new_tokens", "max_tokens", "max_completion_tokens"])
def test_the_budget_is_configurable_by_any_of_its_names(kind, name):
    constraint = {"regex": "[a-z]{3,}"} if kind is RELLM else {}
    fields = {name: ConfigurableField(id="budget"), "temperature": ConfigurableField(id="heat")}
    model = made(kind, **{**DRAWN, **constraint}).configurable_fields(**fields)
    for budget, heat in ((5, 0.0), (6, 1.0)):
        alone = made(kind, **{**DRAWN, **constraint, "max_new_tokens": budget, "temperature": heat})
        assert text_of(model.with_config(configurable={"budget": budget, "heat": heat}).invoke("one")) == text_of(alone.invoke("one"))
    assert text_of(model.invoke("one")) == text_of(made(kind, **{**DRAWN, **constraint}).invoke("one"))


@KINDS
@pytest.mark.parametrize("name", ["timeout", "max_retries", "functions", "best_of", "colour"])
def test_fields_that_there_are_not_are_no_configurable_ones(kind, name):
    with pytest.raises(ValueError, match=f"{kind.__name__} takes no '{name}'[ ,].*only"):
        made(kind).configurable_fields(**{name: ConfigurableField(id="any")})


@KINDS
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 0}, "n=0: a number of answers, at least 1"),
        ({"n": 2}, "n=2 at temperature=0, where all answers are the same"),
        ({"presence_penalty": 3}, "presence_penalty=3: from -2 to 2"),
        ({"logit_bias": {"red": 1}}, "logit_bias: 'red' is not the id of a token"),
    ],
)
def test_options_out_of_range_are_refused(kind, options, message):
    with pytest.raises(ValueError, match=message):
        made(kind).invoke("q", **options)


@KINDS
def test_only_one_answer_is_streamed(kind):
    with pytest.raises(ValueError, match="n=2: only one answer can be streamed"):
        list(made(kind, n=2, **DRAWN).stream("q"))


def test_a_stream_tells_its_tokens_unless_it_is_told_not_to():
    llm = made(ChatRELLM)
    assert [one.usage_metadata for one in llm.stream("q") if one.usage_metadata]
    for quiet in (llm.stream("q", stream_usage=False), made(ChatRELLM, stream_usage=False).stream("q")):
        assert not [one for one in quiet if one.usage_metadata]


def test_logprobs_of_the_model_are_those_of_a_call():
    options = {"logprobs": True, "top_logprobs": 2}
    of_model, of_call, bound = (
        made(ChatRELLM, **options).invoke("q"),
        made(ChatRELLM).invoke("q", **options),
        made(ChatRELLM).bind(**options),
    )
    found = [one.response_metadata["logprobs"] for one in (of_model, of_call, bound.invoke("q"))]
    assert found[0] == found[1] == found[2]
    assert {len(one["top_logprobs"]) for one in found[0]["content"]} <= {0, 1, 2}
    assert "logprobs" not in made(ChatRELLM, logprobs=True).invoke("q", logprobs=False).response_metadata


# Copies


@KINDS
def test_copies_share_the_model(kind):
    llm = made(kind, part_tokens={"content": 9} if kind is ChatRELLM else {}, stop=["zzz"])
    for twin in (copy.deepcopy(llm), llm.model_copy(deep=True), copy.deepcopy([llm])[0], copy.deepcopy(llm.bind(seed=1)).bound):
        assert twin is not llm
        assert (twin._queue, twin.model) == (llm._queue, MODEL)
        assert twin.stop == llm.stop
        assert twin.stop is not llm.stop
        assert text_of(twin.invoke("q")) == text_of(llm.invoke("q"))


@KINDS
def test_pickling_is_refused_with_the_way_out(kind):
    with pytest.raises(TypeError, match=rf"{kind.__name__} holds a model .* make it with {kind.__name__}\(model=path\)"):
        pickle.dumps(made(kind))


# Of a pipeline


@KINDS
def test_penalties_of_a_pipeline_are_taken_over(kind):
    settings = {"do_sample": True, "min_p": 0.2, "repetition_penalty": 1.3, "max_new_tokens": 12}
    made_with = pipeline("text-generation", model=random_model(TOKENIZER), tokenizer=TOKENIZER, **settings)
    llm = kind(pipeline=made_with, **({"regex": "[a-z]{8}"} if kind is RELLM else {}))
    assert (llm.min_p, llm.repetition_penalty, llm.temperature) == (0.2, 1.3, 1.0)


OPTIONS = {
    "measure": ["fields"], "temperature": 0.5, "seed": 7, "top_k": 5, "top_p": 0.9, "min_p": 0.01, "max_tokens": 40, "stop": ["\n\n"],
    "repetition_penalty": 1.1, "logit_bias": {5: 1.0}, "selection": "likeliest", "spelling": "any", "on_budget": "close", "max_repeats": 4,
    "part_tokens": {"content": 40}, "n": 1, "logprobs": True, "reasoning": False, "stream_usage": False, "unfit_tools": "leave_out",
}  # fmt: skip


class Answer(BaseModel):
    stars: Annotated[int, Field(ge=1, le=5)]


def rate(stars: Annotated[int, Field(ge=1, le=5)]) -> str:
    """Rate it."""
    return str(stars)


@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_that_is_bound_is_kept_where_tools_or_a_schema_are_bound_after_it(name):
    option = {name: OPTIONS[name]}
    bound = made(ChatRELLM, max_new_tokens=80).bind(**option)
    for later, changed in (
        (bound.bind_tools([rate]), {"tools"}),
        (bound.with_config(tags=["kept"]).bind_tools([rate], tool_choice="rate"), {"tools", "tool_choice"}),
        (bound.with_structured_output(Answer).first, {"tools", "response_format", "ls_structured_output_format"}),
        (bound.with_structured_output(Answer, method="function_calling").first, {"tools", "tool_choice", "ls_structured_output_format"}),
    ):
        assert {key: value for key, value in later.kwargs.items() if key not in changed} == option
    assert bound.with_config(tags=["kept"]).bind_tools([rate]).config == {"tags": ["kept"]}


def test_what_is_bound_before_a_schema_does_what_it_says():
    model = made(ChatRELLM, max_new_tokens=80)
    measured = model.bind(measure=["fields"], temperature=1.0, seed=3).with_structured_output(Answer, include_raw=True).invoke("q")
    assert 1 <= measured["parsed"].stars <= 5
    assert "#/stars" in measured["raw"].response_metadata["fields"]
    with_tools = model.bind_tools([rate], tool_choice="any").with_structured_output(Answer, include_raw=True).invoke("q")
    assert with_tools["raw"].tool_calls[0]["name"] == "rate"
    assert with_tools["parsed"] is None
    with pytest.raises(ValueError, match="regex and response_format both determine the content"):
        model.bind(regex="yes").with_structured_output(Answer)
    with pytest.raises(ValueError, match="with_structured_output takes no metod, only method"):
        model.bind(seed=1).with_structured_output(Answer, metod="json_schema")
    other = model.bind_tools([rate]).bind_tools([Answer])
    assert [tool["function"]["name"] for tool in other.kwargs["tools"]] == ["Answer"]
