"""A chat model that knows nothing calls tools and answers in types, and nothing that it writes is ever wrong in form."""

from __future__ import annotations

import asyncio
import json
import os
import re
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import regex
from chat_templates import STRICT
from langchain.agents import create_agent
from langchain.agents.middleware import wrap_model_call
from langchain.agents.structured_output import ProviderStrategy, ToolStrategy
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.load import dumpd
from langchain_core.messages import AIMessage, AIMessageChunk, ChatMessage, HumanMessage, SystemMessage, ToolMessage
from pydantic import BaseModel, ValidationError, create_model
from small_chats import CALLS, CHATML, QWEN, Trip, book, chat, check_calls, draws_anew, now, search
from tokenizers import AddedToken
from toys import byte_level_tokenizer, random_model
from typing_extensions import TypedDict

from rellm_agents import compile_regex
from rellm_agents.errors import BudgetTooSmall, ChatRefused
from rellm_agents.formats.template.declarations import builtin_declaration, builtin_names
from rellm_agents.langchain import ChatRELLM
from rellm_agents.langchain.answer_in_time import AnswerInTime

AGENT_RUNS = int(os.environ.get("CHAT_AGENT_RUNS", "4"))

pytestmark = pytest.mark.usefixtures("one_thread")


class TripDict(TypedDict):
    """A trip."""

    city: str
    nights: int


@dataclass
class TripData:
    """A trip."""

    city: str
    nights: int


def prompt_of(messages, model=None, **bound):
    model = model or chat()
    return model._start_reply(messages, None, bound).prompt


# Calls


@pytest.mark.parametrize("choice", ["any", "required", True, "book", {"type": "function", "function": {"name": "book"}}])
def test_a_call_that_is_required_is_made(choice):
    for seed in range(6):
        message = chat(seed).bind_tools([search, book, now], tool_choice=choice).invoke("Plan my trip.")
        assert len(message.tool_calls) == 1
        assert not message.content
        assert message.response_metadata["finish_reason"] == "tool_calls"
        assert choice in ("any", "required", True) or message.tool_calls[0]["name"] == "book"
        check_calls(message, search, book, now)


def test_calls_in_parallel_where_they_are_asked_for():
    counts = set()
    for seed in range(8):
        model = chat(seed, temperature=8.0).bind_tools([now], tool_choice="any", parallel_tool_calls=True)
        counts.add(len(model.invoke("Now?").tool_calls))
    assert min(counts) == 1 < max(counts)


def test_a_free_choice_is_calls_or_content():
    model = chat().bind_tools([search, book], tool_choice="auto")
    for seed in range(8):
        message = model.invoke("Plan my trip.", seed=seed)
        assert message.content or message.tool_calls
        check_calls(message, search, book)


def test_no_calls():
    message = chat().bind_tools([search], tool_choice="none").invoke("Hello")
    assert message.content
    assert not message.tool_calls


@pytest.mark.parametrize("choice", ["any", "auto"])
def test_pieces_make_the_whole(choice):
    model = chat().bind_tools([search, book, now], tool_choice=choice)
    for seed in range(6):
        whole, pieces = model.invoke("Plan.", seed=seed), list(model.stream("Plan.", seed=seed))
        joined = sum(pieces[1:], pieces[0])
        assert isinstance(joined, AIMessageChunk)
        assert joined.content == whole.content
        assert [(c["name"], c["args"]) for c in joined.tool_calls] == [(c["name"], c["args"]) for c in whole.tool_calls]
        assert joined.usage_metadata == whole.usage_metadata
        assert joined.response_metadata["finish_reason"] == whole.response_metadata["finish_reason"]
        assert not joined.invalid_tool_calls
        assert len(pieces) > 2


def blocks_of(message):
    """Without what only pieces have: their numbers, and ids that are drawn anew."""
    return [{key: value for key, value in block.items() if key not in ("id", "index")} for block in message.content_blocks]


@pytest.mark.parametrize("output_version", [None, "v1"])
def test_content_blocks_of_pieces_make_those_of_the_whole(output_version):
    """Reasoning, text and several calls, in any of the ways that LangChain asks."""
    seen = set()
    for seed in range(24):
        budgets = {"reasoning": 12, "content": 10}
        options = {
            "reasoning": bool(seed % 2),
            "part_tokens": budgets,
            "temperature": 8.0,
            "max_new_tokens": 160,
            "output_version": output_version,
        }
        model = chat(seed % 3, chat_template=QWEN, **options).bind_tools([search, now], parallel_tool_calls=True)

        async def asynchronously(model=model, seed=seed):
            return [piece async for piece in model.astream("When?", seed=seed)], await model.ainvoke("When?", seed=seed)

        whole, pieces = model.invoke("When?", seed=seed), list(model.stream("When?", seed=seed))
        pieces_in_time, whole_in_time = asyncio.run(asynchronously())
        events = model.stream_events("When?", seed=seed, version="v3").output
        streamed = model.invoke("When?", seed=seed, stream=True)
        for message in (sum(pieces[1:], pieces[0]), sum(pieces_in_time[1:], pieces_in_time[0]), whole_in_time, events, streamed):
            assert blocks_of(message) == blocks_of(whole)
            assert [(c["name"], c["args"]) for c in message.tool_calls] == [(c["name"], c["args"]) for c in whole.tool_calls]
            assert message.usage_metadata == whole.usage_metadata
        check_calls(whole, search, now)
        assert output_version is None or all(isinstance(message.content, list) for message in (whole, *pieces))
        after = model.invoke([HumanMessage("When?"), whole, *(ToolMessage("12", tool_call_id=c["id"]) for c in whole.tool_calls)])
        assert after.content_blocks
        seen.add(tuple(block["type"] for block in whole.content_blocks))
    assert {("reasoning", "text", "tool_call"), ("text", "tool_call"), ("text",)} <= seen
    assert any(kinds.count("tool_call") > 1 for kinds in seen)


@pytest.mark.parametrize(
    "family", [name for name in builtin_names("message") if builtin_declaration(name, "message").get("special_tokens")]
)
def test_words_that_are_special_tokens_are_one_token_each(family):
    tokens = builtin_declaration(family, "message")["special_tokens"]
    tokenizer = byte_level_tokenizer()
    tokenizer.add_tokens([AddedToken(token, special=True, normalized=False) for token in tokens])
    model = ChatRELLM(
        model=random_model(tokenizer), tokenizer=tokenizer, chat_template=CHATML, message_format=family, max_new_tokens=160, temperature=4.0
    )
    bound = model.bind_tools([search, book], tool_choice="any", parallel_tool_calls=True).kwargs
    seen = set()
    for seed in range(6):
        reply = model._start_reply([HumanMessage("Plan.")], None, {**bound, "seed": seed})
        completion = model._queue.decoder.generate(reply.prompt, reply.pattern, **reply.options)
        ids = [tokenizer.convert_ids_to_tokens(id_) for id_ in completion.token_ids]
        assert {token: ids.count(token) for token in tokens} == {token: completion.text.count(token) for token in tokens}
        seen |= {token for token in tokens if token in ids}
        check_calls(reply.result(completion).generations[0].message, search, book)
    declaration = builtin_declaration(family, "message")
    words = [declaration["call"], declaration.get("quote", ""), *declaration.get("calls", {}).values()]
    assert {token for token in tokens if any(token in one for one in words)} <= seen


def test_the_end_of_the_budget_closes_a_call():
    model = chat().bind_tools([search], tool_choice="any")
    closed = 0
    for seed in range(10):
        message = model.invoke("Look.", seed=seed, max_new_tokens=90)
        check_calls(message, search)
        closed += message.response_metadata["finish"] == "closed"
        assert message.usage_metadata["output_tokens"] <= 90
    assert closed


def test_a_budget_that_no_call_fits_in_is_refused():
    with pytest.raises(BudgetTooSmall, match="the budget is 5"):
        chat().bind_tools([search], tool_choice="any").invoke("Look.", max_new_tokens=5)


# Typed answers


@pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])
@pytest.mark.parametrize("schema", [Trip, TripDict, TripData, Trip.model_json_schema()], ids=["model", "typed dict", "dataclass", "schema"])
def test_typed_answers(schema, method):
    answers = chat().with_structured_output(schema, method=method)
    for seed in range(4):
        answer = answers.invoke("Where to?", seed=seed)
        assert isinstance(answer, schema if schema in (Trip, TripData) else dict)
        assert {"city", "nights"} <= set(answer if isinstance(answer, dict) else vars(answer))


def test_a_typed_answer_with_its_message():
    found = chat().with_structured_output(Trip, include_raw=True).invoke("Where to?")
    assert found["parsing_error"] is None
    assert json.loads(found["raw"].content) == found["parsed"].model_dump()


def test_a_pattern_or_a_regex_for_content():
    assert chat().invoke("Wet?", regex="yes|no").content in {"yes", "no"}
    assert chat().bind(pattern=compile_regex("[ab]{3}")).invoke("Which?").content in {a + b + c for a in "ab" for b in "ab" for c in "ab"}


# Agents


@pytest.mark.parametrize("strategy", ["provider", "tool", "none"])
def test_no_run_of_an_agent_fails(strategy):
    response_format = {"provider": ProviderStrategy(Trip), "tool": ToolStrategy(Trip, handle_errors=False), "none": None}[strategy]
    calls = 0
    for seed in range(AGENT_RUNS):
        CALLS.clear()
        model = chat(seed, temperature=20.0)
        agent = create_agent(model, [search, book, now], response_format=response_format, middleware=[draws_anew()])
        result = agent.invoke({"messages": [("user", "Plan my trip.")]}, {"recursion_limit": 60})
        results = [message for message in result["messages"] if isinstance(message, ToolMessage)]
        assert all(message.status == "success" for message in results)
        calls += len(CALLS)
        if strategy == "none":
            assert result["messages"][-1].content
        else:
            assert isinstance(result["structured_response"], Trip)
    assert calls or strategy != "tool"


@pytest.mark.parametrize("strategy", ["provider", "tool"])
def test_an_agent_whose_tools_are_taken_away_answers(strategy):
    """Also a model that would call tools for ever."""
    response_format = ProviderStrategy(Trip) if strategy == "provider" else ToolStrategy(Trip, handle_errors=False)
    for seed in range(AGENT_RUNS):
        for steps in (0, 2):
            agent = create_agent(chat(seed), [search, book, now], response_format=response_format, middleware=[AnswerInTime(steps=steps)])
            result = agent.invoke({"messages": [("user", "Plan my trip.")]}, {"recursion_limit": 30})
            assert isinstance(result["structured_response"], Trip)
            assert all(message.status == "success" for message in result["messages"] if isinstance(message, ToolMessage))
            made = [m for m in result["messages"] if isinstance(m, AIMessage) and {c["name"] for c in m.tool_calls} - {"Trip"}]
            assert len(made) <= steps


def test_middleware_narrows_tools_and_sets_a_pattern():
    @wrap_model_call
    def only_words(request, handler):
        return handler(request.override(tools=[], model_settings={"regex": "yes|no"}))

    result = create_agent(chat(), [search], middleware=[only_words]).invoke({"messages": [("user", "Wet?")]})
    assert result["messages"][-1].content in {"yes", "no"}


# Prompts


def test_what_the_template_cannot_show_is_told_in_words():
    call = AIMessage("", tool_calls=[{"name": "search", "args": {"query": "rain", "limit": 2}, "id": "a1", "type": "tool_call"}])
    history = [SystemMessage("Be kind."), HumanMessage("Rain?"), call, ToolMessage("found 4", tool_call_id="a1"), HumanMessage("And?")]
    bound = chat().bind_tools([search]).kwargs
    prompt = prompt_of(history, **bound)
    assert prompt.startswith("<|im_start|>system\nBe kind.\n\nYou can call tools.")
    assert "\nsearch(query: string, limit?: integer = 3) - Search the web.\n  limit: (minimum 1, maximum 20)\n" in prompt
    assert '{"type": "function", "function": {"name": "search"' in prompt_of(history, chat(tool_prompt="schemas"), **bound)
    assert (
        '<|im_start|>assistant\n<tool_call>\n{"name": "search", "arguments": {"query": "rain", "limit": 2}}\n</tool_call><|im_end|>'
        in prompt
    )
    assert "<|im_start|>user\n<tool_response>\nfound 4\n</tool_response><|im_end|>" in prompt
    assert prompt.endswith("<|im_start|>assistant\n")


def test_what_the_template_shows_is_left_to_it():
    model = chat(chat_template=QWEN)
    assert model.native_format.name == "hermes"
    assert "shows a call as" in model.native_format.reason
    call = AIMessage("", tool_calls=[{"name": "search", "args": {"query": "rain"}, "id": "a1", "type": "tool_call"}])
    prompt = prompt_of([HumanMessage("Rain?"), call, ToolMessage("found 4", tool_call_id="a1")], model, **model.bind_tools([search]).kwargs)
    assert "# Tools\n{" in prompt
    assert "You can call tools" not in prompt
    assert "<|im_start|>tool\nfound 4<|im_end|>" in prompt
    assert prompt.endswith("<think>\n\n</think>\n\n")


def test_reasoning_is_read_and_has_a_budget_of_its_own():
    model = chat(chat_template=QWEN, reasoning=True, part_tokens={"reasoning": 12}).bind_tools([now], tool_choice="any")
    message = model.invoke("When?")
    assert len(message.tool_calls) == 1
    assert message.additional_kwargs["reasoning_content"]
    assert {block["type"] for block in message.content_blocks} == {"reasoning", "tool_call"}
    pieces = list(model.stream("When?"))
    assert sum(pieces[1:], pieces[0]).additional_kwargs == message.additional_kwargs


def test_a_template_without_system_messages_that_wants_turns():
    model = chat(chat_template=STRICT)
    prompt = prompt_of(
        [SystemMessage("Be kind."), HumanMessage("One."), HumanMessage("Two."), AIMessage("Yes?"), HumanMessage("Go.")], model
    )
    assert prompt == "[user] Be kind.\n\nOne.\n\nTwo.\n[assistant] Yes?\n[user] Go.\n[assistant] "


def test_a_template_that_refuses_says_why():
    with pytest.raises(ChatRefused, match="the chat template refuses these messages: in turns"):
        prompt_of([HumanMessage("Go."), ChatMessage("Hm.", role="critic"), ChatMessage("Ah.", role="critic")], chat(chat_template=STRICT))


# What goes wrong is said


@pytest.mark.parametrize(
    ("bound", "reason"),
    [
        ({"tool_choice": "fly"}, "there is no tool named 'fly', only search"),
        ({"tool_choice": 3}, "tool_choice=3: 'auto'"),
        ({"colour": "red"}, "a call of ChatRELLM takes no 'colour'"),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}}, "has no schema"),
    ],
)
def test_what_a_call_cannot_mean_is_refused_when_it_is_bound(bound, reason):
    with pytest.raises(ValueError, match=reason):
        chat().bind_tools([search], **bound)


def test_what_no_model_can_be_is_refused():
    tokenizer = byte_level_tokenizer()
    with pytest.raises(ValidationError, match="the tokenizer has no chat template"):
        ChatRELLM(model=random_model(tokenizer), tokenizer=tokenizer)
    with pytest.raises(ValidationError, match="no model: give pipeline="):
        ChatRELLM()
    with pytest.raises(ValidationError, match="there is no format named 'hermse', only "):
        chat(message_format="hermse")
    with pytest.raises(ValueError, match="content block of type 'image_url'"):
        chat().invoke([HumanMessage([{"type": "image_url", "image_url": {"url": "https://example.org"}}])])


def test_a_part_that_no_message_has_is_refused():
    with pytest.raises(ValueError, match="a message has no part 'thought', only content, reasoning"):
        chat(part_tokens={"thought": 5}).invoke("Go.")


def test_a_number_of_steps_below_none_is_refused():
    with pytest.raises(ValueError, match="steps=-1: a number of steps, 0 or more"):
        AnswerInTime(steps=-1)


# As any chat model


def test_stop_strings_cut_words_and_no_calls():
    stopped = [chat(seed).invoke("Go.", stop=["e", " "]) for seed in range(6)]
    assert all(not set(message.content) & {"e", " "} for message in stopped)
    called = chat().bind_tools([search], tool_choice="any").invoke("Go.", stop=["e", '"', "}"])
    check_calls(called, search)
    assert len(called.tool_calls) == 1


@pytest.mark.parametrize("compile_", [re.compile, regex.compile])
def test_a_compiled_regex_holds_the_content(compile_):
    one, other = (compile_(f"(?#{'-' * 300})X{{3}}{c}", re.IGNORECASE if compile_ is re.compile else regex.IGNORECASE) for c in "YZ")
    model = chat(cache=InMemoryCache())
    for asked in (one, other):
        assert asked.fullmatch(model.invoke("a", regex=asked).text)
        assert asked.fullmatch(model.bind(regex=asked).invoke("a").text)
    with pytest.raises(ValueError, match="not read: REVERSE"):
        model.invoke("a", regex=regex.compile("a", regex.REVERSE))


def test_a_cache_tells_calls_apart():
    model = chat(cache=InMemoryCache()).model_copy(update={"seed": None})
    first, second = model.invoke("Go."), model.invoke("Go.")
    assert first.content == second.content
    assert model.bind_tools([now], tool_choice="any").invoke("Go.").tool_calls
    assert model.invoke("Go.").content == first.content


class Count(BaseModel):
    """A trip."""

    nights: int


VARIANTS = {
    "plain": chat,
    "seed": lambda **o: chat(**{**o, "seed": 7}),
    "temperature": lambda **o: chat(**{**o, "temperature": 3.0}),
    "budget": lambda **o: chat(**{**o, "max_new_tokens": 20}),
    "stop": lambda **o: chat(**o).bind(stop=["e"]),
    "regex": lambda **o: chat(**o).bind(regex="[ab]{9}"),
    "pattern": lambda **o: chat(**o).bind(pattern=compile_regex("[cd]{9}")),
    "another pattern": lambda **o: chat(**o).bind(pattern=compile_regex("[ef]{9}")),
    "schema": lambda **o: chat(**o).bind(response_format=Trip),
    "another schema": lambda **o: chat(**o).bind(response_format=Count),
    "another schema of this name": lambda **o: chat(**o).bind(response_format=create_model("Count", __base__=Count, sun=(bool, ...))),
    "tools": lambda **o: chat(**o).bind_tools([search], tool_choice="any"),
    "other tools": lambda **o: chat(**o).bind_tools([book], tool_choice="any"),
    "another choice": lambda **o: chat(**o).bind_tools([book, search], tool_choice="search"),
}


def test_models_that_differ_in_anything_share_no_answer():
    def said(model):
        message = model.invoke("Go.")
        return message.content, [(call["name"], call["args"]) for call in message.tool_calls]

    shared = InMemoryCache()
    alone = {name: said(made()) for name, made in VARIANTS.items()}
    for _ in range(2):
        assert {name: said(made(cache=shared)) for name, made in VARIANTS.items()} == alone
    assert len(shared._cache) == len(VARIANTS)
    assert not any(" at 0x" in key or "<class" in key for _, key in shared._cache)


def test_a_trace_says_what_was_asked_for():
    model = chat(stop=["e"])
    told = {"ls_provider": "rellm", "ls_model_type": "chat", "ls_model_name": model.model_name}
    assert model._get_ls_params() == {**told, "ls_temperature": 1.0, "ls_max_tokens": 120, "ls_stop": ["e"]}
    for budget in ("max_tokens", "max_new_tokens"):
        changed = {"temperature": 2, budget: 7, "stop": ["a"]}
        assert model._get_ls_params(**changed) == {**told, "ls_temperature": 2.0, "ls_max_tokens": 7, "ls_stop": ["a"]}
    assert "ls_stop" not in model._get_ls_params(stop=[])
    assert model._get_ls_params(model="another")["ls_model_name"] == "another"


def test_it_is_written_down_without_its_weights():
    model = chat()
    for dumped in (
        dumpd(model),
        dumpd(ChatRELLM(pipeline=SimpleNamespace(model=model.model, tokenizer=model.tokenizer), chat_template=CHATML)),
    ):
        assert (dumped["type"], dumped["id"][-1]) == ("not_implemented", "ChatRELLM")
        assert len(json.dumps(dumped)) < 2000


class Seen(BaseCallbackHandler):
    def __init__(self):
        self.pieces = []

    def on_llm_new_token(self, token, **_):
        self.pieces.append(token)


class SeenByAStream(Seen):
    """As the handlers of LangGraph and of ``astream_events``, for which ``invoke`` streams."""

    def tap_output_iter(self, run_id, output):
        return output

    tap_output_aiter = tap_output_iter


def test_callbacks_see_the_pieces():
    seen = Seen()
    message = chat(streaming=True).invoke("Go.", config={"callbacks": [seen]})
    assert "".join(seen.pieces) == message.content
    assert len(seen.pieces) > 2


@pytest.mark.parametrize("options", [{}, {"chat_template": QWEN, "reasoning": True, "part_tokens": {"reasoning": 9}}])
def test_callbacks_of_a_stream_see_the_pieces_of_what_is_invoked(options):
    plain = chat(**options).invoke("Go.")
    heard = {}
    for name in ("invoke", "ainvoke", "stream", "astream"):
        heard[name] = SeenByAStream()
        config = {"callbacks": [heard[name]]}

        async def in_time(name=name, config=config):
            if name == "ainvoke":
                return await chat(**options).ainvoke("Go.", config)
            pieces = [piece async for piece in chat(**options).astream("Go.", config)]
            return sum(pieces[1:], pieces[0])

        match name:
            case "invoke":
                message = chat(**options).invoke("Go.", config)
            case "stream":
                first, *rest = chat(**options).stream("Go.", config)
                message = sum(rest, first)
            case _:
                message = asyncio.run(in_time())
        assert (message.content, message.additional_kwargs) == (plain.content, plain.additional_kwargs)
    assert "".join(heard["invoke"].pieces) == plain.content
    assert len({tuple(seen.pieces) for seen in heard.values()}) == 1
    quiet = Seen()
    assert chat(**options).invoke("Go.", {"callbacks": [quiet]}).content == plain.content
    assert not quiet.pieces


def test_many_at_once_are_as_one_at_a_time():
    model = chat().bind_tools([search, book])
    asked = [f"Trip {i}" for i in range(6)]
    alone = [model.invoke(one) for one in asked]

    def said(messages):
        return [(message.content, [(call["name"], call["args"]) for call in message.tool_calls]) for message in messages]

    assert said(model.batch(asked)) == said(alone)

    async def together():
        return await asyncio.gather(*(model.ainvoke(one) for one in asked))

    assert said(asyncio.run(together())) == said(alone)


def test_two_models_on_one_share_what_it_has_read():
    first = chat()
    second = ChatRELLM(model=first.model, tokenizer=first.tokenizer, chat_template=CHATML, max_new_tokens=20)
    assert first._queue is second._queue
