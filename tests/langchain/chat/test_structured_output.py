"""Answers and calls are of the whole schema that was given, whatever LangChain's own conversion would leave of it; or it is refused."""

from __future__ import annotations

import copy
import json
import re
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from types import NoneType
from typing import Annotated, Any, Generic, Literal, NotRequired, TypeVar

import jsonschema
import pytest
from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage, HumanMessage, trim_messages
from langchain_core.tools import tool
from pydantic import BaseModel, ConfigDict, Field, RootModel, TypeAdapter, field_validator
from small_chats import chat
from typing_extensions import TypedDict

from rellm_agents.errors import FormatError, ParserError, UnsatisfiableSchema
from rellm_agents.langchain.chat.tool_schemas import openai_tool, without_titles

pytestmark = pytest.mark.usefixtures("one_thread")

OBJECTS = {
    "titled": {"title": "Counts", "type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 1, "maxProperties": 2},
    "of patterns": {"title": "P", "type": "object", "patternProperties": {"^x": {"type": "null"}}, "propertyNames": {"maxLength": 3}},
    "without a title": {"type": "object", "properties": {"title": {"type": "integer"}}, "required": ["title"]},
    "of definitions": {
        "title": "Tree",
        "$defs": {"leaf": {"type": "object", "properties": {"l": {"enum": [1, 2]}}, "required": ["l"]}},
        "type": "object",
        "anyOf": [{"properties": {"a": {"$ref": "#/$defs/leaf"}}, "required": ["a"]}, {"$ref": "#/$defs/leaf"}],
    },
}
OTHERS = {
    "a list": {"title": "Scores", "type": "array", "items": {"type": "integer"}, "maxItems": 3},
    "members": {"title": "Member", "enum": ["a", 3, None]},
    "either": {"title": "Either", "anyOf": [{"type": "boolean"}, {"type": "array", "maxItems": 0}]},
}


def answers(schema: Any, method: str, seeds: int = 5, **options: Any) -> list[Any]:
    return [
        chat(seed, max_new_tokens=150).with_structured_output(schema, method=method, **options).invoke("Go on.") for seed in range(seeds)
    ]


@pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])
@pytest.mark.parametrize("name", [*OBJECTS, *OTHERS])
def test_an_answer_is_of_the_whole_schema(name, method):
    schema = {**OBJECTS, **OTHERS}[name]
    if name in OTHERS and method == "function_calling":  # what a tool takes is an object
        with pytest.raises(FormatError):
            answers(schema, method)
        return
    for found in answers(schema, method):
        jsonschema.validate(found, schema)


class Node(BaseModel):
    """A node."""

    value: Annotated[int, Field(ge=0, le=9)]
    children: Annotated[list[Node], Field(max_length=1)]


@dataclass
class Leaf:
    """A leaf."""

    colour: str
    leaves: list[Leaf]


class Paid(BaseModel):
    """A sum of money."""

    amount: Decimal
    every: timedelta


METHODS = ["json_schema", "function_calling", "json_mode"]


class Named(RootModel[dict[str, int]]):
    """Numbers by their names."""


class Counts(RootModel[list[int]]):
    """Numbers."""


class Trip(TypedDict):
    """A trip."""

    city: str
    nights: NotRequired[int]


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
@pytest.mark.parametrize("type_", [Node, Leaf, Paid])
def test_an_answer_is_an_object_of_the_type(type_, method):
    assert all(isinstance(found, type_) for found in answers(type_, method, 8))


def test_a_typed_dict_may_leave_fields_out():
    for method in ("json_schema", "function_calling"):
        assert all(isinstance(found["city"], str) and set(found) <= {"city", "nights"} for found in answers(Trip, method))


def test_a_model_of_a_list_is_no_tool():
    assert all(isinstance(found, Counts) for found in answers(Counts, "json_schema"))
    with pytest.raises(FormatError, match=r'"type": "object".*method=.json_schema. writes values of every type'):
        chat().with_structured_output(Counts, method="function_calling")
    assert all(isinstance(found.root, dict) for method in METHODS for found in answers(Named, method, 2))


class Checked(BaseModel):
    """What its validator refuses, no schema says."""

    age: int

    @field_validator("age")
    @classmethod
    def adult(cls, age: int) -> int:
        if age < 18:
            raise ValueError("a child")
        return age


class Strict(BaseModel):
    """Takes no dates from Python values of JSON, but from JSON text."""

    model_config = ConfigDict(strict=True)
    day: date


@pytest.mark.parametrize("method", METHODS)
def test_a_validator_that_refuses_an_answer_says_so_with_the_text_and_the_field(method):
    errors = []
    for seed in range(8):
        chain = chat(seed, max_new_tokens=60).with_structured_output(Checked, method=method)
        try:
            chain.invoke("Go on.")
        except OutputParserException as error:
            errors.append(error)
    assert 0 < len(errors) < 8
    for error in errors:
        assert re.search(r'^Checked refuses \'\{"age": -?\d+\}\': age: Value error, a child', str(error))
        assert json.loads(error.llm_output)["age"] < 18


@pytest.mark.parametrize("method", METHODS)
def test_a_type_that_may_refuse_an_answer_is_refused_if_one_likes(method):
    with pytest.raises(ParserError, match=r"Checked\.age: its validator adult"):
        chat().with_structured_output(Checked, method=method, validators="refuse")
    for found in answers(Checked, method, include_raw=True, validators="refuse"):
        assert isinstance(found["raw"], AIMessage)
        assert (found["parsed"] is None) == (found["parsing_error"] is not None)
    assert all(isinstance(found, Strict) for found in answers(Strict, method, validators="refuse"))


class Cat(BaseModel):
    """A cat."""

    lives: Annotated[int, Field(ge=1, le=9)]


class Dog(BaseModel):
    """A dog."""

    breed: Literal["poodle", "pug"]


Item = TypeVar("Item")


class Page(BaseModel, Generic[Item]):
    """Some items."""

    items: Annotated[list[Item], Field(max_length=2)]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("union", [Cat | Dog, Cat | Dog | Page[int], Annotated[int, Field(ge=3)], list[Cat], Dog | None, int])
def test_an_answer_is_of_one_type_of_a_union(union, method):
    is_of_models = getattr(union, "__args__", ()) in ((Cat, Dog), (Cat, Dog, Page[int]))
    if method == "function_calling" and not is_of_models:
        with pytest.raises(FormatError, match=r"are fields of a model, and .* has none: method='json_schema'"):
            answers(union, method)
        return
    found = answers(union, method, 6)
    assert all(TypeAdapter(union).validate_python(one) == one for one in found)
    assert not is_of_models or len({type(one) for one in found}) > 1


@pytest.mark.parametrize("method", METHODS)
def test_other_tools_may_be_called_instead_of_an_answer(method):
    found = answers(Cat, method, 8, tools=[plant], include_raw=True)
    for one in found:
        calls = [call["name"] for call in one["raw"].tool_calls]
        assert one["parsing_error"] is None
        assert isinstance(one["parsed"], Cat) == (calls != ["plant"])
    assert {isinstance(one["parsed"], Cat) for one in found} == {True, False}


class Rating(TypedDict):
    """A rating."""

    stars: int
    level: Literal[1, 2]
    share: float


LISTED = {
    "title": "Listed",
    "type": "object",
    "properties": {"e": {"enum": [1, 2]}, "c": {"const": 3}, "i": {"type": ["integer", "null"]}, "enum": {"const": 7}},
    "required": ["e", "c", "i", "enum"],
}


@pytest.mark.parametrize("method", METHODS)
def test_integers_of_plain_answers_are_ints(method):
    for found in answers(Rating, method, 3):
        assert [type(found["stars"]), type(found["level"])] == [int, int]
    for found in answers(LISTED, method, 3):
        assert all(type(one) in (int, NoneType) for one in found.values())


class Sparse(BaseModel):
    """All of it may be left out."""

    tone: Literal["warm", "cold"] = Field(None)
    stars: int | None = Field(None, ge=1, le=5)
    parent: Sparse | None = None


class Endless(BaseModel):
    """Contains itself, whatever is written."""

    inner: Endless = Field(None)


@pytest.mark.parametrize("method", METHODS)
def test_strict_writes_every_property(method):
    assert None in {found.tone for found in answers(Sparse, method)}
    for found in answers(Sparse, method, strict=True):
        assert found.model_fields_set == {"tone", "stars", "parent"}
        assert found.tone in ("warm", "cold")
    with pytest.raises(UnsatisfiableSchema, match=r"with strict=True this property is always written, and contains .* again"):
        answers(Endless, method, strict=True)


def test_strict_calls_give_every_argument():
    asked = {"type": "function", "function": {"name": "plant_all", "parameters": openai_tool(plant)["function"]["parameters"]}}
    before = copy.deepcopy(asked)
    for seed in range(5):
        (call,) = chat(seed, max_new_tokens=150).bind_tools([asked], tool_choice="any", strict=True).invoke("Go on.").tool_calls
        assert set(call["args"]) == {"tree", "depth"}
    assert asked == before


class Feeling(BaseModel):
    """As a tutorial has it."""

    mood: str = Field(..., json_schema_extra={"enum": ["happy", "sad"]})
    force: int = Field(description="How much", json_schema_extra={"enum": [1, 2, 3], "type": "integer"})
    words: list[str] = Field(max_length=9, json_schema_extra=lambda schema: schema.update(maxItems=2, minItems=1))


@pytest.mark.parametrize("method", METHODS)
def test_what_is_added_to_a_schema_narrows_it(method):
    for found in answers(Feeling, method, 3, validators="refuse"):
        assert (found.mood in ("happy", "sad"), found.force in (1, 2, 3), 1 <= len(found.words) <= 2) == (True, True, True)


@tool
def plant(tree: Node, depth: int = 1) -> str:
    """Plant a tree."""
    return f"{tree.value} {depth}"


def test_a_call_is_of_the_tools_own_schema():
    model = chat(max_new_tokens=150).bind_tools([plant], tool_choice="any")
    for seed in range(8):
        (call,) = model.invoke("Plant.", seed=seed).tool_calls
        assert plant.invoke(call["args"])


@pytest.mark.parametrize("parameters", [{"type": "array"}, {"type": ["object", "null"]}, {"type": "string"}])
def test_arguments_are_an_object(parameters):
    described = {"type": "function", "function": {"name": "f", "description": "", "parameters": parameters}}
    with pytest.raises(FormatError, match='"type": "object"'):
        chat().bind_tools([described])
    described["function"]["parameters"] = {"properties": {"a": {"type": "integer"}}}
    for seed in range(4):
        (call,) = chat(seed, max_new_tokens=60).bind_tools([described], tool_choice="any").invoke("x").tool_calls
        assert set(call["args"]) <= {"a"}


def test_titles_are_left_out_and_nothing_else():
    schema = {"title": "T", "properties": {"title": {"title": "A", "const": {"title": "kept"}}}, "anyOf": [{"title": "B"}, True]}
    assert without_titles(schema) == {"properties": {"title": {"const": {"title": "kept"}}}, "anyOf": [{}, True]}
    assert openai_tool(plant)["function"]["parameters"]["properties"]["depth"] == {"type": "integer", "default": 1}


def test_tokens_are_counted_by_the_models_own_tokenizer():
    model = chat()
    messages = [HumanMessage("One."), AIMessage("Two."), HumanMessage("Three.")]
    assert model.get_num_tokens("One two.") == len(model._queue.decoder.tokenizer.encode("One two.", add_special_tokens=False))
    counts = [model.get_num_tokens_from_messages(messages[:size]) for size in (1, 2, 3)]
    assert 0 < counts[0] < counts[1] < counts[2] < model.get_num_tokens_from_messages(messages, tools=[plant])
    assert trim_messages(messages, max_tokens=counts[2] - 1, token_counter=model, strategy="last", start_on="human") == messages[2:]
