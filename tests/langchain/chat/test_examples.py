"""Examples stand in the prompt as earlier turns, and each is what the model could have written; others are refused with the place."""

from __future__ import annotations

import json
import random
import re
from dataclasses import dataclass
from typing import Any

import pytest
from chat_templates import CALLS, STRICT, TURNS, template
from langchain_core.caches import InMemoryCache
from langchain_core.messages import AIMessage, ChatMessage, HumanMessage, SystemMessage
from pydantic import BaseModel
from small_chats import CHATML, QWEN, Trip, book, chat, now, search
from toys import byte_level_tokenizer

from rellm_agents import compile_regex, compile_schema
from rellm_agents.errors import ChatRefused, InvalidExample
from rellm_agents.formats import message_format
from rellm_agents.formats.template.declarations import builtin_names
from rellm_agents.langchain.chat.chat_template import ChatTemplate
from rellm_agents.langchain.chat.examples import AnswerSchema, example_messages
from rellm_agents.langchain.chat.native_format import native_format

pytestmark = pytest.mark.usefixtures("one_thread")

RESULTS = (
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    "{% for message in messages %}{% if message.tool_calls and messages[loop.index0 + 1].role != 'tool' %}"
    "{{ raise_exception('a result after each call') }}{% endif %}{% endfor %}"
    f"{TURNS.replace('CALL', CALLS['hermes'][1]).replace('{{ before }}', '').replace('{{ after }}', '')}"
)
"""Of a template that shows calls only with their results, and no system messages."""
TEMPLATES = {
    **{way: (lambda way=way: template(way)) for way in CALLS},
    **{
        name: (lambda text=text: ChatTemplate(byte_level_tokenizer(), text=text))
        for name, text in {"chatml": CHATML, "qwen": QWEN, "strict": STRICT, "results": RESULTS}.items()
    },
}
TOOLS = {
    "pick": {"type": "object", "properties": {"key": {"type": "string"}, "count": {"type": "integer"}}, "required": ["key"]},
    "now": {"type": "object", "properties": {}},
}


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize("system", [False, True])
def test_every_template_shows_examples_before_the_chat(name: str, system: bool) -> None:
    shown = TEMPLATES[name]()
    format_ = message_format(native_format(shown).declaration, TOOLS)
    given = [
        ("Ask one.", {"name": "pick", "args": {"key": "first key"}}),
        ("Ask two.", "Answer two."),
        ("Ask three.", {"name": "now", "args": {}}),
    ]
    examples = example_messages(given, format_)
    chat_so_far = [
        *([SystemMessage("Be kind.")] if system else []),
        HumanMessage("Ask four."),
        AIMessage("Answer four."),
        HumanMessage("Go."),
    ]
    prompt = shown.prompt(chat_so_far, format_, (), examples)
    in_order = ["Ask one.", "first key", "Ask two.", "Answer two.", "Ask three.", "Ask four.", "Answer four.", "Go."]
    order = [*(["Be kind."] if system else []), *in_order]
    assert [prompt.count(words) for words in order] == [1] * len(order)
    assert [prompt.index(words) for words in order] == sorted(prompt.index(words) for words in order)
    assert "now" in prompt[prompt.index("Ask three.") : prompt.index("Ask four.")]
    if not shown.shows_tools or name == "results":
        assert all(format_.render(example.message) in prompt for example in examples)


def test_a_chat_that_begins_with_the_model_is_not_merged_with_examples() -> None:
    shown = TEMPLATES["strict"]()
    format_ = message_format("hermes", TOOLS)
    examples = example_messages([("Ask.", "Answer.")], format_)
    prompt = shown.prompt([AIMessage("Yes?"), HumanMessage("Go.")], format_, (), examples)
    assert prompt.endswith("\n\nAsk.\n[assistant] Answer.\n[user] \n[assistant] Yes?\n[user] Go.\n[assistant] ")


def test_a_refusal_of_the_chat_is_still_said() -> None:
    shown = TEMPLATES["strict"]()
    format_ = message_format("hermes", TOOLS)
    examples = example_messages([("Ask.", "Answer.")], format_)
    with pytest.raises(ChatRefused, match="the chat template refuses these messages: in turns"):
        shown.prompt([HumanMessage("Go."), ChatMessage("Hm.", role="critic"), ChatMessage("Ah.", role="critic")], format_, (), examples)


@pytest.mark.parametrize("family", builtin_names("message"))
def test_what_the_model_may_write_is_an_example(family: str) -> None:
    """And the text of an example is read back as what was given."""
    format_ = message_format(family, TOOLS)
    for seed in range(12):
        read = format_.read(format_.pattern.sample(seed))
        calls = [{"name": call.name, "args": call.arguments} for call in read.tool_calls]
        if calls and read.content:
            continue
        (example,) = example_messages([("Go.", calls or read.content)], format_)
        assert example == ("Go.", read)
        assert format_.read(format_.write(example.message)) == read


def random_answer(chance: random.Random, depth: int = 2) -> Any:
    """A schema of which most values are of some other type."""
    kind = chance.choice(["integer", "string", "boolean", "object", "array"] if depth else ["integer", "string", "boolean"])
    if kind == "object":
        names = chance.sample("abcde", 3)
        return {"type": kind, "properties": {name: random_answer(chance, depth - 1) for name in names}, "required": names[:2]}
    return {"type": kind, "items": random_answer(chance, depth - 1), "maxItems": 3} if kind == "array" else {"type": kind}


def places(value: Any, pointer: str = "#") -> dict[str, Any]:
    """All values inside of a value that are no objects or arrays, by their pointers."""
    match value:
        case dict():
            return {at: one for name, inner in value.items() for at, one in places(inner, f"{pointer}/{name}").items()}
        case list():
            return {at: one for i, inner in enumerate(value) for at, one in places(inner, f"{pointer}/{i}").items()}
    return {pointer: value}


def changed(value: Any, pointer: str, new: Any) -> Any:
    first, _, rest = pointer.partition("/")[2].partition("/")
    match value:
        case dict() if first:
            return {name: changed(one, f"#/{rest}" if rest else "#", new) if name == first else one for name, one in value.items()}
        case list() if first:
            return [changed(one, f"#/{rest}" if rest else "#", new) if str(i) == first else one for i, one in enumerate(value)]
    return new


@pytest.mark.parametrize("seed", range(60))
def test_a_typed_answer_is_an_example_and_a_changed_one_is_refused_at_its_place(seed: int) -> None:
    """In any order of its properties; what is changed is of a type that no schema here has."""
    chance = random.Random(seed)
    schema = random_answer(chance)
    pattern = compile_schema(schema, closed=True)
    answers, format_ = AnswerSchema(schema, pattern, ()), message_format("hermes", answer=pattern)
    value = json.loads(pattern.sample(seed))
    given = dict(reversed(value.items())) if isinstance(value, dict) else value
    (example,) = example_messages([("Go.", given)], format_, answers)
    assert pattern.value(example.message.content) == value
    for pointer in places(value):
        with pytest.raises(InvalidExample, match=re.escape(f"examples[1], {pointer}: ")):
            example_messages([("Go.", value), ("On.", changed(value, pointer, None))], format_, answers)
    if isinstance(value, dict):
        with pytest.raises(InvalidExample) as caught:
            example_messages([("Go.", {**value, "x/y": 1})], format_, answers)
        assert (caught.value.index, caught.value.pointer) == (0, "#/x~1y")


@dataclass
class City:
    """A city."""

    name: str
    people: int


class Typed(BaseModel):
    """A model with a default."""

    city: City
    sea: bool = False


ANSWERS = {
    "model": (Trip, Trip(city="Oslo", nights=3, kind="rest"), '{"city": "Oslo", "nights": 3, "kind": "rest"}'),
    "dict of a model": (Trip, {"kind": "rest", "nights": 3, "city": "Oslo"}, '{"city": "Oslo", "nights": 3, "kind": "rest"}'),
    "dataclass": (City, City("Oslo", 7), '{"name": "Oslo", "people": 7}'),
    "both": (Typed, Typed(city=City("Oslo", 7)), '{"city": {"name": "Oslo", "people": 7}, "sea": false}'),
    "schema": ({"type": "array", "items": {"type": "integer"}}, [1, 2], "[1, 2]"),
}


@pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])
@pytest.mark.parametrize("name", ANSWERS)
def test_typed_answers_have_examples_of_every_kind(name: str, method: str) -> None:
    schema, answer, text = ANSWERS[name]
    if name == "schema" and method == "function_calling":  # what a tool takes is an object
        return
    model = chat()
    chain = model.with_structured_output(schema, method=method, examples=[("A trip to Oslo.", answer)])
    prompt = model._start_reply([HumanMessage("Where to?")], None, chain.first.kwargs).prompt
    assert "<|im_start|>user\nA trip to Oslo.<|im_end|>\n<|im_start|>assistant\n" in prompt
    assert text in prompt
    assert prompt.index(text) < prompt.index("Where to?")
    assert '"title"' not in prompt
    assert chain.invoke("Where to?") is not None


@pytest.mark.parametrize(
    ("bound", "answer", "place", "reason"),
    [
        ({}, {"name": "book", "args": {"day": "Monday", "nights": 10}}, "#/args/nights", "10 is greater than the maximum of 9"),
        ({}, {"name": "book", "args": {"day": "Monday"}}, "#/args", '"nights" is a required property'),
        ({}, {"name": "now", "args": {"x": 1}}, "#/args/x", "the pattern of the schema has no text for this"),
        (
            {},
            [{"name": "now", "args": {}}, {"name": "fly", "args": {}}],
            "#/1/name",
            "there is no tool named 'fly' to call, only search, book, now",
        ),
        ({}, [{"name": "now", "args": {}}, "x"], "#/1", 'a call is {"name": ..., "args": {...}}, not "x"'),
        ({}, {"city": "Oslo"}, "#", 'an answer is a text here, or a call, {"name": ..., "args": {...}}, or a list of calls'),
        ({}, {1, 2, object()}, "#", "an answer is what JSON can say"),
        ({"tool_choice": "any"}, "Hello.", "#", "hermes cannot write this message"),
        ({"tool_choice": "book"}, {"name": "now", "args": {}}, "#/name", "there is no tool named 'now' to call, only book"),
        ({"parallel_tool_calls": False}, [{"name": "now", "args": {}}] * 2, "#", "hermes cannot write this message"),
        ({"response_format": Trip}, {"city": "Oslo", "nights": 0, "kind": "rest"}, "#/nights", "0 is less than the minimum of 1"),
    ],
)
def test_an_example_that_could_not_be_written_is_refused_when_it_is_bound(bound: Any, answer: Any, place: str, reason: str) -> None:
    good = {"name": "book", "args": {"day": "Friday", "nights": 1}}
    with pytest.raises(InvalidExample, match=re.escape(f"examples[1], {place}: ")) as caught:
        chat().bind_tools([search, book, now], examples=[("Book.", good), ("Ask.", answer)], **bound)
    assert reason in str(caught.value)
    assert (caught.value.index, caught.value.pointer) == (1, place)


@pytest.mark.parametrize("examples", ["Ask.", {"Ask.": "Answer."}, 3])
def test_examples_are_a_list(examples: Any) -> None:
    with pytest.raises(TypeError, match=re.escape("a list of pairs, [(input, answer), ...]")):
        chat().bind_tools([search], examples=examples)


@pytest.mark.parametrize("example", ["Ask.", ("Ask.",), (3, "Answer."), ("Ask.", "Answer.", "more")])
def test_an_example_is_a_pair(example: Any) -> None:
    with pytest.raises(InvalidExample, match=re.escape("examples[0], #: an example is a pair of a text and an answer")):
        chat().invoke("Go.", examples=[example])


def test_an_answer_of_an_ai_message() -> None:
    call = AIMessage("", tool_calls=[{"name": "search", "args": {"query": "rain"}, "id": "a1", "type": "tool_call"}])
    model = chat()
    given = [("Rain?", call), ("Hello.", AIMessage("Good day."))]
    bound = model.bind_tools([search], examples=given).kwargs
    assert bound["examples"] == [["Rain?", [{"name": "search", "args": {"query": "rain"}}]], ["Hello.", "Good day."]]
    prompt = model._start_reply([HumanMessage("Go.")], None, bound).prompt
    assert (
        'user\nRain?<|im_end|>\n<|im_start|>assistant\n<tool_call>\n{"name": "search", "arguments": {"query": "rain"}}\n</tool_call>'
        in prompt
    )
    with pytest.raises(InvalidExample, match="an answer is calls or text, not both"):
        model.bind_tools([search], examples=[("Rain?", AIMessage("I see.", tool_calls=call.tool_calls))])


def test_examples_of_calls_are_left_out_where_none_may_be_made() -> None:
    model = chat()
    given = [("Rain?", {"name": "search", "args": {"query": "rain"}}), ("Hello.", "Good day.")]
    bound = model.bind_tools([search], examples=given, tool_choice="none").kwargs
    prompt = model._start_reply([HumanMessage("Go.")], None, bound).prompt
    assert "Rain?" not in prompt
    assert "Good day." in prompt


def test_examples_of_a_regex() -> None:
    model = chat()
    assert model.invoke("Is ice wet?", regex="yes|no", examples=[("Is water wet?", "yes")]).content in {"yes", "no"}
    with pytest.raises(InvalidExample, match=re.escape("examples[0], #: ")):
        model.invoke("Is ice wet?", pattern=compile_regex("yes|no"), examples=[("Is water wet?", "perhaps")])


def test_an_example_has_no_reasoning_and_the_message_has() -> None:
    model = chat(chat_template=QWEN, reasoning=True, part_tokens={"reasoning": 8})
    message = model.bind_tools([now], tool_choice="any", examples=[("When?", {"name": "now", "args": {}})]).invoke("Go.")
    assert message.tool_calls
    assert message.additional_kwargs["reasoning_content"]


def test_a_cache_tells_examples_apart() -> None:
    model = chat(cache=InMemoryCache())
    given = [[("A trip.", Trip(city=city, nights=1, kind="rest"))] for city in ("Oslo", "Rome")]
    for examples in (*given, *given):
        model.with_structured_output(Trip, examples=examples).invoke("Go.")
    assert len(model.cache._cache) == 2
