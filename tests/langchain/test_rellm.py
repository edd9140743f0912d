"""``RELLM`` is a LangChain language model in every way it can be called, and each of its texts matches."""

from __future__ import annotations

import ast
import asyncio
import json
import re
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import regex
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler
from langchain_core.exceptions import OutputParserException
from langchain_core.load import dumpd
from langchain_core.output_parsers import CommaSeparatedListOutputParser, JsonOutputParser, StrOutputParser
from langchain_core.prompts import PromptTemplate
from pydantic import BaseModel, field_validator
from toys import byte_level_tokenizer, random_model, unreadable_tokenizer
from transformers import pipeline as transformers_pipeline

from rellm_agents import compile_regex, json_action, react
from rellm_agents.errors import BudgetTooSmall
from rellm_agents.formats import xml
from rellm_agents.langchain import RELLM, JsonFormer, LMFormatEnforcer, reader_for

pytestmark = pytest.mark.usefixtures("one_thread")

WORDS = "[a-z]{3,}"
DIGITS = "[0-9]{3,}"
SEARCH = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}
COUNT = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


@cache
def pipeline():
    tokenizer = byte_level_tokenizer()
    return transformers_pipeline("text-generation", model=random_model(tokenizer), tokenizer=tokenizer)


def rellm(**fields) -> RELLM:
    constraint = {} if {"pattern", "format", "schema", "json_schema", "parser"} & set(fields) else {"regex": WORDS}
    return RELLM(**{"pipeline": pipeline(), "max_new_tokens": 12, **constraint, **fields})


def matches(text: str, regex: str = WORDS) -> bool:
    return compile_regex(regex).fullmatch(text)


# Ways to call it


def test_literals_are_chosen_as_a_whole_where_that_is_asked_for():
    decoder = rellm()._queue.decoder
    for i in range(8):
        prompt, options = f"Question {i}: a", ["yes", "no", "abc", f"not {i}"]
        llm = rellm(schema={"enum": options}, selection="likeliest", healing=False)
        best = decoder.probabilities(prompt, [f'"{option}"' for option in options], healing=False).best
        assert llm.invoke(prompt) == rellm(schema={"enum": options}, healing=False).bind(selection="likeliest").invoke(prompt) == best
    with pytest.raises(ValueError, match=r"selection='exact' beside temperature=1\.0"):
        rellm(selection="exact", temperature=1.0).invoke("a")


def test_all_ways_to_call_it_write_the_same_texts():
    llm, prompts = rellm(), ["a", "the yes", "\u20ac"]
    texts = [llm.invoke(prompt) for prompt in prompts]
    assert all(map(matches, texts))
    assert len(set(texts)) == 3
    assert llm.batch(prompts) == texts
    assert ["".join(llm.stream(prompt)) for prompt in prompts] == texts
    assert [g[0].text for g in llm.generate(prompts).generations] == texts

    async def asynchronously():
        streamed = ["".join([piece async for piece in llm.astream(prompt)]) for prompt in prompts]
        return [await llm.ainvoke(prompt) for prompt in prompts], await llm.abatch(prompts), streamed

    assert asyncio.run(asynchronously()) == (texts, texts, texts)


def test_the_prompt_is_not_repeated():
    assert matches(rellm().invoke("UPPER CASE"))


def test_it_stands_in_a_chain():
    prompt = PromptTemplate.from_template("What is {what}?")
    chain = prompt | rellm() | StrOutputParser()
    assert matches(chain.invoke({"what": "it"}))
    assert "".join(chain.stream({"what": "it"})) == chain.invoke({"what": "it"})
    typed = prompt | rellm(regex=r'\{"n": -?[1-9][0-9]{0,4}\}', max_new_tokens=15) | JsonOutputParser()
    assert isinstance(typed.invoke({"what": "it"})["n"], int)


def test_a_pipeline_in_a_wrapper_is_taken():
    """As LangChain's HuggingFacePipeline, whose pipeline is an attribute."""
    assert rellm(pipeline=SimpleNamespace(pipeline=pipeline())).invoke("a") == rellm().invoke("a")


def test_a_generation_says_how_it_ended():
    result = rellm(regex="[a-z]{3,5}", max_new_tokens=4).generate(["a", "b"])
    for (generation,) in result.generations:
        assert set(generation.generation_info) == {"finish", "prompt_tokens", "tokens", "forward_passes"}
        assert generation.generation_info["finish"] in {"accepted", "closed"}
    written = sum(g[0].generation_info["tokens"] for g in result.generations)
    assert result.llm_output["token_usage"]["completion_tokens"] == written


class Heard(BaseCallbackHandler):
    def __init__(self):
        self.tokens, self.ended = [], []

    def on_llm_new_token(self, token, **_):
        self.tokens.append(token)

    def on_llm_end(self, response, **_):
        self.ended.append(response.generations[0][0].text)


class HeardAsynchronously(AsyncCallbackHandler):
    def __init__(self):
        self.tokens, self.ended = [], []

    async def on_llm_new_token(self, token, **_):
        self.tokens.append(token)

    async def on_llm_end(self, response, **_):
        self.ended.append(response.generations[0][0].text)


def test_callbacks_hear_each_piece_and_the_end():
    heard = Heard()
    text = "".join(rellm().stream("a", config={"callbacks": [heard]}))
    assert len(heard.tokens) > 1
    assert "".join(heard.tokens) == text
    assert heard.ended == [text]
    heard = Heard()
    text = rellm().invoke("a", config={"callbacks": [heard]})
    assert (heard.tokens, heard.ended) == ([], [text])


@pytest.mark.parametrize("kind", [Heard, HeardAsynchronously])
def test_callbacks_hear_each_piece_of_an_asynchronous_stream(kind):
    async def stream(heard):
        return "".join([piece async for piece in rellm().astream("a", config={"callbacks": [heard]})])

    heard = kind()
    text = asyncio.run(stream(heard))
    assert ("".join(heard.tokens), heard.ended) == (text, [text])


# Options


def test_every_field_can_be_replaced_for_a_call():
    llm = rellm()
    assert matches(llm.bind(regex=DIGITS).invoke("a"), DIGITS)
    assert matches("".join(llm.bind(regex=DIGITS).stream("a")), DIGITS)
    assert all(matches(text, DIGITS) for text in llm.bind(regex=DIGITS).batch(["a", "b"]))
    assert llm.bind(pattern=compile_regex("x{4}")).invoke("a") == "xxxx"
    format_ = json_action({"search": SEARCH})
    assert format_.read(llm.bind(format=format_, max_new_tokens=60).invoke("a"))
    assert len(llm.bind(max_new_tokens=5).generate(["a"]).generations[0][0].text) <= len(llm.invoke("a"))
    assert llm.bind(max_new_tokens=5).invoke("a") == rellm(max_new_tokens=5).invoke("a")
    assert llm.bind(temperature=2.0, seed=3, top_k=9, top_p=0.9).invoke("a") == rellm(temperature=2.0, seed=3, top_k=9, top_p=0.9).invoke(
        "a"
    )
    assert matches(llm.invoke("a"))


def test_the_same_seed_gives_the_same_text():
    llm = rellm(temperature=1.0, seed=4)
    text = llm.invoke("a")
    assert llm.batch(["a", "b"])[0] == text == "".join(llm.stream("a"))
    assert len({llm.invoke("a", seed=seed) for seed in range(6)}) > 1
    assert len({rellm(temperature=1.0).invoke("a") for _ in range(6)}) > 1


def test_a_text_ends_before_a_stop_string():
    whole = rellm().invoke("a")
    last = whole[-1]
    assert last not in whole[:1]
    for cut in (
        rellm().invoke("a", stop=[last]),
        rellm(stop=[last]).invoke("a"),
        rellm().bind(stop=[last]).invoke("a"),
        "".join(rellm(stop=[last]).stream("a")),
        rellm(stop=["?"]).invoke("a", stop=[last]),
    ):
        assert cut == whole[: whole.index(last)]
    assert rellm(stop=[last]).invoke("a", stop=[]) == whole


def test_a_stop_string_that_is_no_list_is_refused():
    with pytest.raises((TypeError, ValueError), match="stop"):
        rellm().invoke("a", stop="ab")


def test_a_stop_string_does_not_cut_a_step():
    """Agents pass their own; inside of a step it means nothing."""
    tools = {"search": SEARCH}
    for format_ in (json_action(tools), react(tools), xml(tools)):
        for seed in range(2):
            llm = rellm(format=format_, max_new_tokens=40, temperature=1.0, seed=seed)
            for stop in (None, ["\nObservation", "</tool_input>"], ["a", "e", '"', ":"]):
                assert format_.read(llm.invoke("Thought:", stop=stop))
                assert format_.read("".join(llm.stream("Thought:", stop=stop)))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"regex": None}, "exactly one of regex, pattern, schema, parser, format, not none"),
        ({"regex": "a", "pattern": compile_regex("a")}, "exactly one of .*, not regex, pattern"),
        ({"regex": "a", "format": json_action({"search": SEARCH})}, "exactly one of .*, not regex, format"),
        ({"regex": "a(b"}, "this group is never closed, at position 1"),
        ({"regex": r"(a)\1"}, "back-reference"),
        ({"regex": regex.compile("a", regex.BESTMATCH)}, "not read: BESTMATCH .* drop it"),
        ({"regex": 3}, "regex=3 is of the wrong type: a regex is a str"),
        ({"regex": "a", "pipeline": 3}, "has no model and tokenizer: pass a transformers text-generation pipeline"),
        ({"regex": "a", "model_kwargs": {}}, "RELLM takes no 'model_kwargs', only pipeline, .*regex"),
        ({"regex": "a", "temprature": 1.0}, r"RELLM takes no 'temprature' \(did you mean 'temperature'\?\)"),
        ({"regex": "a", "max_tokens": 3, "max_new_tokens": 4}, "max_tokens=3 and max_new_tokens=4 are two names of one budget: give one"),
        ({"format": react}, r"format=react makes formats of tools: call it, format=react\(tools\)"),
        ({"parser": JsonOutputParser}, r"JsonOutputParser is a class: pass a parser, JsonOutputParser\(\.\.\.\)"),
        (
            {"schema": "schemas/answer.json"},
            r"the path of a file, not a schema: pass .*Path\('schemas/answer\.json'\)",
        ),
        ({"schema": Path("answer.json")}, r"the path of a file, not a schema: .*read_text\(\)"),
        ({"regex": "a", "stop": "ab"}, "valid list"),
    ],
)
def test_what_cannot_work_is_refused_when_it_is_made(fields, message):
    with pytest.raises(ValueError, match=message):
        RELLM(**{"pipeline": pipeline(), **fields})


def test_a_tokenizer_that_cannot_be_read_is_refused_when_it_is_made():
    with pytest.raises(ValueError, match="has the stage BPEDecoder"):
        rellm(pipeline=SimpleNamespace(model=pipeline().model, tokenizer=unreadable_tokenizer()))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"foo": 1}, "a call of RELLM takes no 'foo', only regex, .*stop"),
        ({"pipeline": None}, "a call of RELLM takes no 'pipeline', only"),
        ({"regex": "a", "pattern": compile_regex("a")}, "exactly one"),
        ({"regex": "a("}, "never closed"),
        ({"regex": 3}, "regex=3 is of the wrong type: a regex is a str, or a pattern over str .*, not int"),
        ({"regex": regex.compile("a", regex.REVERSE)}, "not read: REVERSE .* drop it"),
        ({"regex": re.compile(b"a")}, "over bytes"),
        ({"temperature": -1.0}, "temperature=-1.0"),
        ({"max_new_tokens": 1}, "at least"),
    ],
)
def test_what_cannot_work_is_refused_in_a_call(changed, message):
    with pytest.raises(ValueError, match=message):
        rellm().invoke("a", **changed)
    with pytest.raises(ValueError, match=message):
        list(rellm().stream("a", **changed))


def test_a_budget_that_is_too_small_names_both_numbers():
    with pytest.raises(BudgetTooSmall, match=r"at least 4 tokens .* budget is 3: set max_new_tokens to 4 at least$"):
        rellm(regex="x{3}", max_new_tokens=3).invoke("a")


# Caches: a text that was made under one constraint is no answer under another


def answers(*llms, prompt="a"):
    """What they say when they share a cache."""
    cache_ = InMemoryCache()
    return [llm(cache_).invoke(prompt) for llm in llms]


def test_a_cache_answers_the_same_question():
    cache_ = InMemoryCache()
    first, second = (rellm(cache=cache_, temperature=1.0) for _ in range(2))
    assert first.invoke("a") == second.invoke("a")
    assert first.invoke("b") != first.invoke("a")


@pytest.mark.parametrize(
    "fields",
    [
        {"regex": DIGITS},
        {"pattern": compile_regex(DIGITS)},
        {"max_new_tokens": 5},
        {"temperature": 9.0, "seed": 3},
        {"format": json_action({"search": SEARCH}), "max_new_tokens": 60},
        {"schema": COUNT, "max_new_tokens": 60},
        {"parser": CommaSeparatedListOutputParser()},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_models_that_differ_in_a_field_share_no_answer(fields):
    one, other = answers(lambda c: rellm(cache=c), lambda c: rellm(cache=c, **fields))
    assert matches(one)
    assert other == rellm(**fields).invoke("a") != one


def test_models_whose_tools_take_other_arguments_share_no_answer():
    formats = [json_action({"tool": SEARCH}), json_action({"tool": COUNT}), json_action({"tool": SEARCH}, whitespace="compact")]
    keys = {str(settings(rellm(format=format_))) for format_ in formats}
    assert len(keys) == 3


def test_models_of_other_stop_strings_share_no_answer():
    whole = rellm().invoke("a")
    assert answers(lambda c: rellm(cache=c), lambda c: rellm(cache=c, stop=[whole[-1]])) == [whole, rellm(stop=[whole[-1]]).invoke("a")]


def test_a_format_is_not_its_pattern():
    """Where it ends in free text, a stop string ends it."""
    format_ = react({"search": SEARCH})
    made = [rellm(format=format_), rellm(pattern=format_.pattern)]
    assert len({str(settings(llm)) for llm in made}) == 2


@pytest.mark.parametrize("field", ["seed", "temperature"])
def test_draws_of_another_seed_or_temperature_share_no_answer(field):
    one, other = {"temperature": 5.0, "seed": 1}, {"temperature": 5.0, "seed": 1, field: 2}
    found = answers(lambda c: rellm(cache=c, **one), lambda c: rellm(cache=c, **other), lambda c: rellm(cache=c).bind(**other))
    assert found == [rellm(**one).invoke("a"), *[rellm(**other).invoke("a")] * 2]
    assert found[0] != found[1]


@pytest.mark.parametrize("bound", [{"regex": "x{4}|y{4}"}, {"pattern": compile_regex("x{4}|z{4}")}, {"schema": {"enum": ["a"]}}])
def test_bound_constraints_share_no_answer(bound):
    others = [{}, {"regex": "u{4}|v{4}"}, {"pattern": compile_regex("s{4}|t{4}")}, {"schema": {"enum": ["b"]}}]
    found = answers(lambda c: rellm(cache=c).bind(**bound), *[lambda c, o=other: rellm(cache=c).bind(**o) for other in others])
    assert found == [rellm().bind(**one).invoke("a") for one in (bound, *others)]
    assert len(set(found)) == len(found)


def test_a_bound_regex_shares_no_answer():
    one, other = answers(lambda c: rellm(cache=c), lambda c: rellm(cache=c).bind(regex=DIGITS))
    assert matches(one)
    assert matches(other, DIGITS)


def test_the_key_of_a_pattern_is_what_it_says():
    assert " at 0x" not in str(settings(rellm(pattern=compile_regex(DIGITS))))


# What is told of it


def test_a_trace_says_what_was_asked_for():
    llm = rellm(stop=["e"], temperature=1)
    told = {"ls_provider": "rellm", "ls_model_type": "llm", "ls_model_name": "LlamaForCausalLM"}
    assert llm._get_ls_params() == {**told, "ls_temperature": 1.0, "ls_max_tokens": 12, "ls_stop": ["e"]}
    changed = {"temperature": 2.0, "max_new_tokens": 7, "stop": ["a"]}
    assert llm._get_ls_params(**changed) == {**told, "ls_temperature": 2.0, "ls_max_tokens": 7, "ls_stop": ["a"]}
    assert "ls_stop" not in llm._get_ls_params(stop=[])
    assert llm._get_ls_params(model="another")["ls_model_name"] == "another"


@pytest.mark.parametrize("constraint", [{"regex": WORDS}, {"pattern": compile_regex(WORDS)}, {"format": react({"search": SEARCH})}])
def test_it_is_written_down_without_its_weights(constraint):
    dumped = dumpd(rellm(**constraint))
    assert (dumped["type"], dumped["id"][-1]) == ("not_implemented", "RELLM")
    assert len(json.dumps(dumped)) < 2000


# What it can be held to


@pytest.mark.parametrize("name", ["max_tokens", "max_new_tokens"])
def test_the_budget_has_two_names(name):
    made = RELLM(pipeline=pipeline(), regex="[a-z]*", **{name: 4})
    assert made.max_new_tokens == 4
    text = made.invoke("a")
    other = rellm(regex="[a-z]*", max_new_tokens=30)
    assert text == other.invoke("a", **{name: 4}) == other.bind(**{name: 4}).invoke("a") == "".join(other.stream("a", **{name: 4}))
    with pytest.raises(ValueError, match="two names of one budget"):
        other.invoke("a", max_tokens=4, max_new_tokens=5)


class Even(BaseModel):
    """Takes even numbers only, which no schema says."""

    n: int

    @field_validator("n")
    @classmethod
    def even(cls, n: int) -> int:
        if n % 2:
            raise ValueError("odd")
        return n


def test_what_a_validator_refuses_is_an_error_with_the_text_and_the_field():
    llm = rellm(temperature=1.0)

    def read(seed: int) -> RELLM:
        return rellm(parser=reader_for(Even), temperature=1.0, seed=seed)

    texts = [rellm(json_schema=Even.model_json_schema(), temperature=1.0, seed=seed).invoke("a") for seed in range(8)]
    assert 0 < sum(json.loads(text)["n"] % 2 for text in texts) < 8
    for seed, text in enumerate(texts):
        calls = [
            lambda seed=seed: rellm(schema=Even, temperature=1.0, seed=seed).invoke("a"),
            lambda seed=seed: llm.bind(schema=Even, seed=seed).invoke("a"),
            lambda seed=seed: "".join(llm.bind(json_schema=Even, seed=seed).stream("a")),
            lambda seed=seed: asyncio.run(llm.bind(schema=Even, seed=seed).ainvoke("a")),
            lambda seed=seed: json.dumps((read(seed) | reader_for(Even)).invoke("a").model_dump()),
        ]
        for call in calls:
            if json.loads(text)["n"] % 2:
                with pytest.raises(OutputParserException, match=f"Even refuses {re.escape(repr(text))}: n: Value error, odd"):
                    call()
            else:
                assert call() == text
    assert isinstance(rellm(schema=Even, max_new_tokens=30).invoke("a", stop=["0"]), str)  # a text that was cut is not read
    for way in (lambda: rellm(schema=Even, validators="refuse"), lambda: rellm(parser=reader_for(Even), validators="refuse")):
        with pytest.raises(ValueError, match=r"Even\.n: its validator even"):
            way()
    with pytest.raises(ValueError, match=r"Even\.n: its validator even"):
        rellm().bind(schema=Even, validators="refuse").invoke("a")


def test_a_schema_or_a_parser():
    schema = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1, "maximum": 9}}, "required": ["n"]}
    for llm in (rellm(schema=schema, max_new_tokens=20), rellm(json_schema=schema, max_new_tokens=20)):
        assert 1 <= json.loads(llm.invoke("a"))["n"] <= 9
    parser = CommaSeparatedListOutputParser()
    text = rellm(parser=parser, max_new_tokens=20).invoke("a")
    assert ", ".join(parser.parse(text)) == text
    assert rellm().bind(schema={"enum": ["yes", "no"]}).invoke("a") in {'"yes"', '"no"'}


def test_a_model_and_its_tokenizer_instead_of_a_pipeline():
    inner = pipeline()
    llm = RELLM(model=inner.model, tokenizer=inner.tokenizer, regex=WORDS, max_new_tokens=12)
    assert llm.invoke("a") == rellm().invoke("a")
    with pytest.raises(ValueError, match="not both"):
        RELLM(pipeline=inner, model=inner.model, tokenizer=inner.tokenizer, regex=WORDS)


@pytest.mark.parametrize("compile_", [re.compile, regex.compile])
def test_a_compiled_regex_is_taken_wherever_a_regex_is(compile_):
    words, digits = compile_("[A-Z]{3,}", re.IGNORECASE), compile_(DIGITS)
    for llm in (RELLM, JsonFormer, LMFormatEnforcer):
        made = llm(pipeline=pipeline(), regex=words, max_new_tokens=12)
        assert made.regex is words
        assert words.fullmatch(made.invoke("a"))
        assert matches(made.invoke("a", regex=digits), DIGITS)
        assert matches(made.bind(regex=digits).invoke("a"), DIGITS)
        assert matches("".join(made.bind(regex=digits).stream("a")), DIGITS)
    assert len(json.dumps(dumpd(rellm(regex=words)))) < 2000


def test_a_text_stays_a_text():
    assert rellm(regex=WORDS).regex == WORDS


def test_long_regexes_that_differ_at_their_ends_share_no_answer():
    """What is shown of a compiled one is cut."""
    one, other = (re.compile(f"(?#{'-' * 300})x{{3}}[{c}]") for c in "yz")
    assert repr(one) == repr(other)
    found = answers(lambda c: rellm(cache=c, regex=one), lambda c: rellm(cache=c).bind(regex=other), lambda c: rellm(cache=c, regex=other))
    assert [text[-1] for text in found] == ["y", "z", "z"]


@pytest.mark.parametrize("kind", [RELLM, JsonFormer, LMFormatEnforcer])
def test_predict_is_an_alias_of_invoke(kind):
    llm, heard = kind(pipeline=pipeline(), regex=WORDS, max_new_tokens=12), Heard()
    whole = llm.invoke("a")
    assert llm.predict("a", config={"callbacks": [heard]}) == whole == heard.ended[0]
    for stop in ([whole[-1]], (whole[-1],)):
        assert llm.predict("a", stop=stop) == whole[: whole.index(whole[-1])]
    assert matches(llm.predict("a", regex=DIGITS), DIGITS)
    with pytest.raises((TypeError, ValueError), match="stop"):
        llm.predict("a", stop="ab")


FRIENDS = {
    "type": "object",
    "properties": {
        "n": {"type": "integer", "maximum": 9, "minimum": 0},
        "all": {"type": "array", "minItems": 1, "maxItems": 1, "items": {"properties": {"ok": {"type": "boolean"}}, "type": "object"}},
    },
}


def test_jsonformer_writes_every_property_however_it_is_asked():
    def check(text):
        value = json.loads(text)
        assert set(value) == {"n", "all"}
        assert set(value["all"][0]) == {"ok"}
        return text

    llm = JsonFormer(pipeline=pipeline(), json_schema=FRIENDS, max_new_tokens=60)
    text = check(llm.invoke("a"))
    assert text == check("".join(llm.stream("a"))) == check(asyncio.run(llm.ainvoke("a")))
    other = JsonFormer(pipeline=pipeline(), schema={"enum": [1]}, max_new_tokens=60)
    assert text == check(other.bind(schema=FRIENDS).invoke("a")) == check(other.invoke("a", json_schema=FRIENDS))
    assert text == check(JsonFormer(pipeline=pipeline(), schema=json.dumps(FRIENDS), max_new_tokens=60).predict("a"))


def test_what_jsonformer_cannot_write_names_the_property_and_the_way_out():
    endless = {"type": "object", "properties": {"value": {"type": "integer"}, "next": {"$ref": "#"}}}
    with pytest.raises(ValueError, match=r"#/properties/next: always written, .* contains # again.*RELLM\(schema=\.\.\.\)"):
        JsonFormer(pipeline=pipeline(), json_schema=endless)
    changed = JsonFormer(pipeline=pipeline(), json_schema=FRIENDS).bind(schema=endless)
    with pytest.raises(ValueError, match=r"#/properties/next: always written"):
        changed.invoke("a")
    assert json.loads(rellm(schema=endless, max_new_tokens=60).invoke("a")) is not None
    with pytest.raises(ValueError, match="with every property written, "):
        JsonFormer(pipeline=pipeline(), json_schema={"type": "object", "properties": {"a": {}, "b": {}}, "maxProperties": 1})


def test_debug_shows_each_piece_where_it_belongs(capsys):
    quiet = JsonFormer(pipeline=pipeline(), json_schema=FRIENDS, max_new_tokens=60)
    llm = JsonFormer(pipeline=pipeline(), json_schema=FRIENDS, max_new_tokens=60, debug=True)
    text = quiet.invoke("a")
    assert capsys.readouterr().out == ""

    async def astream():
        return "".join([piece async for piece in llm.astream("a")])

    for ask in (
        lambda: llm.invoke("a"),
        lambda: "".join(llm.stream("a")),
        lambda: asyncio.run(llm.ainvoke("a")),
        lambda: asyncio.run(astream()),
    ):
        assert ask() == text
        lines = [line.removeprefix("[JsonFormer] ").split(": ", 1) for line in capsys.readouterr().out.splitlines()]
        assert "".join(ast.literal_eval(piece) for _, piece in lines) == text
        assert "#/all/0/ok" in [place for place, _ in lines]
    assert llm.batch(["a", "b"]) == quiet.batch(["a", "b"])
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_drop_ins_for_wrappers_that_no_longer_run():
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    assert set(json.loads(JsonFormer(pipeline=pipeline(), json_schema=schema, max_new_tokens=30).invoke("a"))) == {"n"}
    assert set(json.loads(LMFormatEnforcer(pipeline=pipeline(), json_schema=schema, max_new_tokens=30).invoke("a"))) == {"n"}
    assert matches(LMFormatEnforcer(pipeline=pipeline(), regex=WORDS, max_new_tokens=12).invoke("a"))


def test_token_usage():
    usage = rellm().generate(["a", "the yes"]).llm_output["token_usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["prompt_tokens"] >= 2


def settings(llm: RELLM) -> dict[str, Any]:
    """What LangChain tells models apart by; ``asdict`` since langchain-core 1.4.2."""
    return llm.asdict() if hasattr(llm, "asdict") else llm.dict()
