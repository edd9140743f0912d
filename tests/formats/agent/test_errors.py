"""What a format cannot carry is refused when it is built, or when a step is written or read, with the reason."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema
import pytest
from langchain_core.tools import tool
from pydantic import BaseModel

from rellm_agents import formats
from rellm_agents.errors import FormatError
from rellm_agents.formats import Action, Finish, json_action, react
from rellm_agents.formats.template.declarations import builtin_declaration
from rellm_agents.resources import data_path

STRING = {"type": "object", "properties": {"q": {"type": "string"}}}


def refuses(message: str, make: Any, *given: Any) -> None:
    with pytest.raises(FormatError, match=re.escape(message)):
        make(*given)


def test_an_agent_needs_tools_of_different_names() -> None:
    @tool
    def search(query: str) -> str:
        """Search."""
        return query

    for make in (json_action, react):
        refuses("pass at least one", make, [])
        refuses("pass at least one", make, {})
        refuses("two tools are named 'search'", make, [search, search])
        refuses("is no tool that is known", make, ["search"])


def test_an_argument_schema_is_known_and_of_an_object() -> None:
    refuses("tool 't', arguments: #: ", json_action, {"t": object()})
    refuses('"type": "object"', json_action, {"t": {"type": "string"}})
    refuses(
        "tool 't', arguments: #/properties/q/pattern: this group is never closed",
        json_action,
        {"t": {"type": "object", "properties": {"q": {"type": "string", "pattern": "("}}}},
    )


def test_a_name_that_would_be_misread_is_refused() -> None:
    refuses("that is the final answer", json_action, {"Final Answer": STRING})
    for name in ("", " search", "two\nlines", "x Action Input: y", "Final Answer: x", "a "):
        refuses("a tool cannot be named", react, {name: STRING})


def test_text_carries_a_single_argument_that_it_can_write() -> None:
    two = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}}
    refuses("tool 't' has 2 arguments", react, {"t": two})
    refuses("use json_action", react, {"t": two})
    refuses("tool 't' has 0 arguments", react, {"t": {"type": "object", "properties": {}}})
    refuses("cannot write the value '\"x\"' without loss", react, {"t": {"type": "object", "properties": {"q": {"enum": ['"x"']}}}})
    refuses(
        "text carries an argument of type",
        react,
        {"t": {"type": "object", "properties": {"q": {"type": "array", "items": {"type": "string"}}}}},
    )
    json_action({"t": two})


def test_a_step_that_the_format_does_not_know_is_neither_written_nor_read() -> None:
    format_ = json_action({"t": STRING})
    refuses("there is no tool named 'u', only t", format_.write, Action("u", {}))
    refuses("cannot write this step", format_.write, Action("t", {"q": 1}))
    refuses("cannot write this step", format_.write, Action("t", {"other": "x"}))
    refuses("this is no step", format_.read, "hello")
    refuses("the input of an action is text", react({"t": STRING}).write, Action("t", {"q": "x"}))


def test_tools_come_from_langchain_pydantic_and_schemas() -> None:
    @tool
    def search(query: str, limit: int = 3) -> str:
        """Look something up."""
        return query * limit

    class Weather(BaseModel):
        """The weather of a city."""

        city: str

    for tools, name in (([search], "search"), ([Weather], "Weather"), ({"t": Weather}, "t")):
        format_ = json_action(tools)
        assert [t.name for t in format_.tools] == [name]
    assert json_action([search]).tools[0].description == "Look something up."
    assert json_action([search]).pattern.fullmatch('{"action": "search", "action_input": {"query": "x", "limit": 1}}')
    assert not json_action([search]).pattern.fullmatch('{"action": "search", "action_input": {"limit": 1}}')


def test_instructions_name_every_tool_and_leave_no_place_open() -> None:
    for format_ in (json_action({"one": STRING, "two": STRING}), react({"one": STRING, "two": STRING})):
        assert "one, two" in format_.instructions
        assert not re.search(r"\{(tools|tool_names|action_example|finish_example)\}", format_.instructions)
    example = json_action({"one": STRING}, whitespace="compact").instructions
    assert '{"action":"Final Answer","action_input":"ANSWER"}' in example


def test_an_unknown_format_is_named() -> None:
    refuses("there is no format named 'nope'", builtin_declaration, "nope")


@pytest.mark.parametrize("path", sorted(data_path("formats").glob("*.json")), ids=lambda p: p.stem)
def test_the_data_files_follow_their_schema(path: Any) -> None:
    schema = json.loads(data_path("action-format.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(builtin_declaration(path.stem), schema)
    assert builtin_declaration(path.stem)["name"] == path.stem


def test_an_answer_is_text() -> None:
    format_ = react({"t": STRING})
    with pytest.raises(FormatError):
        format_.read("Final Answer: ")
    for make in (react, formats.json_action, formats.xml):
        with pytest.raises(FormatError, match="answer: it is empty"):
            make({"t": STRING}).write(Finish(""))
    assert format_.read(format_.write(Finish("42", thought="I know. "))) == Finish("42", thought="I know. ")


@pytest.mark.parametrize(
    ("make", "name", "reason"),
    [
        (formats.mrkl, "x Action Input: y", "it holds"),
        (formats.conversational, "AI: x", "it holds 'AI:'"),
        (formats.docstore, "Finish", "it does not match"),
        (formats.docstore, "a[b", "it holds '['"),
        (formats.xml, "[[tool]]", "it holds '[[tool]]'"),
        (formats.xml, "", "it is empty"),
        (formats.react_json, "\ud800", "lone surrogate"),
        (formats.structured_chat, "Final Answer", "that is the final answer"),
        (formats.conversational_chat, "Final Answer", "that is the final answer"),
    ],
)
def test_a_name_is_refused_with_the_reason(make: Any, name: str, reason: str) -> None:
    refuses("a tool cannot be named", make, {name: STRING})
    refuses(reason, make, {name: STRING})


def test_a_name_that_is_the_answer_in_another_format_is_no_trouble() -> None:
    for make, name in ((formats.chat, "Final Answer"), (formats.react, "Finish"), (formats.xml, "<tool>")):
        format_ = make({name: STRING})
        step = Action(name, {"q": "x"} if make is formats.chat else "x")
        assert format_.read(format_.write(step)) == step


@pytest.mark.parametrize("make", [formats.mrkl, formats.conversational, formats.docstore, formats.xml])
def test_an_argument_in_text_has_to_have_a_text(make: Any) -> None:
    two = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}}
    refuses("exactly one: use json_action", make, {"t": two})
    for schema in ({"type": "array"}, {"type": "object"}, {"type": "null"}, {"enum": [["x"]]}, {"$ref": "#/$defs/none"}, {}):
        refuses("use json_action", make, {"t": {"type": "object", "properties": {"q": schema}}})


def test_a_value_that_its_schema_does_not_allow_is_refused_with_the_reason() -> None:
    bounded = {"type": "object", "properties": {"q": {"type": "string", "pattern": "^[a-z]+$"}}}
    refuses("the input is none that the schema of 't' allows", react({"t": bounded}).write, Action("t", "42"))
    refuses("can write no value of", react, {"t": {"type": "object", "properties": {"q": {"type": "string", "pattern": '^".*$'}}}})


def test_a_step_without_a_text_is_refused() -> None:
    refuses("has no JSON text", json_action({"t": STRING}).write, Action("t", {"q": float("nan")}))
    refuses("this format has no thoughts", json_action({"t": STRING}).write, Finish("x", thought="Hm."))
    answer: Any = 3
    refuses("an answer is text, not 3", react({"t": STRING}).write, Finish(answer))
