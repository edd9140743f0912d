"""What users write, as README.md and docs/ show it, for type checkers: tests/test_typing.py asks them. Nothing here is run."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import regex
import torch
from langchain.agents import create_agent
from langchain_classic.agents import AgentExecutor, create_react_agent
from langchain_core.language_models import BaseChatModel, BaseLLM
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.output_parsers import PydanticOutputParser
from langchain_core.prompts import PromptTemplate
from langchain_core.runnables import ConfigurableField
from langchain_core.tools import tool
from pydantic import BaseModel, Field
from transformers import TextIteratorStreamer, pipeline
from typing_extensions import TypedDict

from rellm_agents import Action, ActionFormat, Finish, Pattern, TextOptions, compile_regex, compile_schema, json_action, own_format, react
from rellm_agents.decoding import Completion, ConstrainedDecoder, ConstrainedLogitsProcessor, RequestQueue, smollm2
from rellm_agents.langchain import (
    RELLM,
    ChatRELLM,
    JsonFormer,
    LMFormatEnforcer,
    compile_parser,
    format_for,
    parser_for,
    reader_for,
)
from rellm_agents.langchain.answer_in_time import AnswerInTime
from rellm_agents.views import Diagram, railroad

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


class Country(BaseModel):
    name: Annotated[str, Field(max_length=20)]
    continent: Literal["Africa", "Asia"]


class Place(TypedDict):
    name: str


@dataclass
class Point:
    x: int


@tool
def word_length(word: str) -> int:
    """The number of letters in a word."""
    return len(word)


def half(number: int) -> float:
    """Half of a number."""
    return number / 2


def of_models() -> None:
    model, tokenizer = smollm2()
    pipe = pipeline("text-generation", model=model, tokenizer=tokenizer)
    models: Sequence[BaseChatModel] = [
        ChatRELLM(pipeline=pipe),
        ChatRELLM(model="org/name"),
        ChatRELLM(model=Path("folder"), max_new_tokens=60),
        ChatRELLM(model=model, tokenizer=tokenizer, max_tokens=60),
        ChatRELLM(model=model, tokenizer=tokenizer, max_completion_tokens=60, temperature=0.7, seed=1, stop=["END"]),
        ChatRELLM(model=model, tokenizer=tokenizer, measure=("fields",), on_budget="raise", part_tokens={"content": 20}),
        ChatRELLM(model=model, tokenizer=tokenizer, message_format="hermes", reasoning=True, tool_prompt="schemas"),
        ChatRELLM(model=model, tokenizer=tokenizer, top_k=5, top_p=0.9, min_p=0.1, repetition_penalty=1.1, logit_bias={7: -1.0}),
        ChatRELLM(model=model, tokenizer=tokenizer, logprobs=True, top_logprobs=2, stream_usage=False, streaming=True, n=2),
        ChatRELLM(model=model, tokenizer=tokenizer, unfit_tools="leave_out", template_options={"enable_thinking": False}),
        ChatRELLM.from_model_id("org/name", device="cuda", model_kwargs={"dtype": "bfloat16"}, max_new_tokens=64),
    ]
    texts: Sequence[BaseLLM] = [
        RELLM(pipeline=pipe, regex=r"(yes|no)"),
        RELLM(pipeline=pipe, regex=regex.compile("yes|no"), max_new_tokens=60),
        RELLM(pipeline=pipe, pattern=compile_regex("yes|no"), max_tokens=60),
        RELLM(pipeline=pipe, schema=Country, max_completion_tokens=60),
        RELLM(pipeline=pipe, json_schema=SCHEMA),
        RELLM(pipeline=pipe, json_schema=Point, validators="refuse"),
        RELLM(pipeline=pipe, parser=PydanticOutputParser(pydantic_object=Country)),
        RELLM(pipeline=pipe, format=react([word_length]), max_new_tokens=80, part_tokens={"thought": 20}),
        RELLM(model=model, tokenizer=tokenizer, regex="yes|no", temperature=1.0, presence_penalty=0.5, frequency_penalty=0.5),
        RELLM.from_model_id("org/name", regex="yes|no"),
        JsonFormer(json_schema=SCHEMA, pipeline=pipe),
        LMFormatEnforcer(regex="yes|no", pipeline=pipe),
    ]
    print(models, texts)


def of_chats(chat: ChatRELLM) -> None:
    answer: AIMessage = chat.invoke([HumanMessage("Tell me about France."), ("user", "Now.")], stop=["END"], temperature=0.5)
    print(answer.text, answer.usage_metadata, answer.response_metadata["token_usage"]["total_tokens"])
    print(chat.with_structured_output(Country).invoke("Tell me about France."))
    print(chat.with_structured_output(Place, method="function_calling", strict=True).invoke("Where?"))
    print(chat.with_structured_output(Country | Place, include_raw=True, validators="check").invoke("Where?"))
    print(chat.with_structured_output(SCHEMA, tools=[half], examples=[("One.", {"n": 1})]).invoke("Two."))
    calling = chat.bind_tools([word_length, half, {"name": "now", "description": "The time."}], tool_choice="any", strict=True)
    reply: AIMessage = calling.invoke("How long is the word banana?")
    print([call["args"] for call in reply.tool_calls])
    chat.bind_tools([word_length], response_format=Country, parallel_tool_calls=False, examples=[("Hi.", "Hello.")])
    chat.bind(regex="yes|no").invoke("Is ice wet?")
    chat.bind(pattern=json_action([word_length]).pattern).invoke("Go on.")
    for piece in chat.stream("Now?"):
        print(piece.text, end="")
    print(chat.batch(["one", "other"], max_tokens=8), chat.generate([[HumanMessage("one")]], n=2).llm_output)
    configured = chat.configurable_fields(max_tokens=ConfigurableField(id="budget"))
    configured.with_config(configurable={"budget": 8}).invoke("one")
    print(chat.get_num_tokens("one"), chat.get_num_tokens_from_messages([ToolMessage("1", tool_call_id="a")], tools=[half]))
    print(chat.native_format, chat.content_is_protected, chat.profile)
    print(math.exp(answer.response_metadata["fields"]["#/kind"]["masked"]) > 0.9)


async def of_coroutines(chat: ChatRELLM, llm: RELLM) -> None:
    answer: AIMessage = await chat.ainvoke("one")
    text: str = await llm.ainvoke("one", max_new_tokens=4)
    async for piece in chat.astream("one"):
        print(piece.text, answer, text)
    print(await asyncio.gather(chat.abatch(["one"]), llm.abatch(["one"])))


def of_agents(chat: ChatRELLM, llm: RELLM) -> None:
    agent = create_agent(chat, [word_length, half], response_format=Country, middleware=[AnswerInTime(steps=1)])
    print(agent.invoke({"messages": [HumanMessage("How long is the word banana?")]})["structured_response"])
    prompt = PromptTemplate.from_template("{tools} {tool_names} {input} {agent_scratchpad}")
    steps = create_react_agent(llm, [word_length], prompt, stop_sequence=["\n"])
    print(AgentExecutor(agent=steps, tools=[word_length], max_iterations=3).invoke({"input": "How long is the word banana?"}))
    written: str = llm.invoke("Question:", stop=["\n"])
    print(written, llm.predict("Question:", stop=["\n"]), llm.bind(regex="a+").invoke("a"), llm.get_num_tokens("a"))


def of_decoding() -> None:
    model, tokenizer = smollm2(progress=False)
    decoder = ConstrainedDecoder(model, tokenizer)
    pattern: Pattern = compile_regex("yes|no")
    one: Completion = decoder.generate("Is water wet? ", pattern, max_new_tokens=64, temperature=0.7, seed=1)
    several: list[Completion] = decoder.generate(["a", "b"], [pattern, pattern], measure=["kept"])
    print(one.text, one.finish, one.forward_passes, one.closed_at, several[0].token_ids)
    made = decoder.generate("As JSON: ", compile_schema(SCHEMA, closed=True), measure=["fields"], on_budget="raise")
    print((made.fields or {})["#/n"].masked, TextOptions(max_new_tokens=5))
    decision = decoder.probabilities("Is the sky green? Answer:", [" yes", " no"])
    print(decision.best, decision.probabilities, decision.margin, decision.entropy, decision.log_probabilities)
    print(RequestQueue(decoder).generate("a", pattern, max_new_tokens=4).text)
    inputs = tokenizer("The capital of Italy is", return_tensors="pt")
    n = inputs["input_ids"].shape[1]
    processor = ConstrainedLogitsProcessor(pattern, tokenizer, prompt_length=n, max_new_tokens=32)
    ids = model.generate(**inputs, logits_processor=[processor], max_new_tokens=32, do_sample=False)
    assert isinstance(ids, torch.Tensor)
    print(tokenizer.decode(ids[0, n:], skip_special_tokens=True), TextIteratorStreamer(tokenizer))


def of_patterns() -> None:
    pattern = compile_schema(Country)
    print(pattern.fullmatch("{}"), pattern.value("{}"), pattern.regex, pattern.shortest(), pattern.narrowed)
    print(compile_schema(SCHEMA).fullmatch('{"n": 1}'), compile_schema('{"enum": [1]}'), compile_regex(r"(?i)yes|no").fullmatch("YES"))
    format_: ActionFormat = json_action([word_length, half])
    step = format_.read(format_.write(Action("word_length", {"word": "a"})))
    print(step.tool if isinstance(step, Action) else step.output, Finish("Done."))
    print(react({"search": SCHEMA}), parser_for(format_), format_for, reader_for, own_format)
    print(compile_parser(PydanticOutputParser(pydantic_object=Country)).fullmatch("{}"))


def pictures() -> str:
    picture: Diagram = railroad(compile_schema(SCHEMA), title="An order")
    picture.save(Path("order.svg"))
    return picture.svg + picture.cut
