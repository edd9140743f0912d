"""A tool of any name is called in every family: under an alias where the family has no way to write the name, and read back as it."""

from __future__ import annotations

import os
import random
import re

import pytest
from formats.every_format import MAKERS
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import StructuredTool
from small_chats import QWEN, chat

from rellm_agents.errors import FormatError
from rellm_agents.formats import Action, Message, ToolCall, message_format, own_format
from rellm_agents.formats.messages import message_declaration
from rellm_agents.formats.template.declarations import builtin_declaration
from rellm_agents.langchain.agents import format_for, parser_for
from rellm_agents.resources import data_path

FAMILIES = sorted(path.stem for path in data_path("messages").glob("*.json"))
NAMES = [
    *("Geometry.create", "Geometry_create", "Geometry create", "Geometry-create", "a.b.c", "3d_plot", "_private", "x" * 64, "x" * 200),
    *(
        "büro öffnen",
        "BÜRO_ÖFFNEN",
        "天气",
        "天气.查询",
        "погода",
        "🚪",
        "é",
        "e",
        "ﬁx",
        "fix",
        "Straße",
        "a b",
        "a  b",
        "a/b",
        "a:b",
        "a|b",
    ),
    *(
        "",
        " ",
        ".",
        "-",
        "_",
        "auto",
        "required",
        "none",
        "class",
        "None",
        "True",
        "from",
        "tool_1",
        "tool_12",
        "functions.now",
        'say "hi"',
    ),
    *(
        "two\nlines",
        "{name}",
        "</tool_call>",
        "\\",
        "'",
        "\ud83d",
        "a\u0301",
        "á",
        "NAME",
        "Final Answer",
        "name{",
        "[a",
        "(b)",
        "%20",
        "<x>",
    ),
]
QUERY = {"type": "object", "properties": {"q": {"type": "string", "maxLength": 4}, "n": {"type": "integer"}}, "required": ["q"]}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_call_of_a_tool_of_any_name_is_read_back_as_that_tool(family: str) -> None:
    chance = random.Random(family)
    for _ in range(int(os.environ.get("NAMES", "2"))):
        names = chance.sample(NAMES, 10)
        format_ = message_format(family, dict.fromkeys(names, QUERY), choice="required")
        written = [format_.names.written(name) for name in names]
        assert len(set(written)) == len(names)
        assert all(re.fullmatch(r"[A-Za-z0-9_.-]{1,128}", one) for one in written)
        assert [format_.names.meant(one) for one in written] == names
        assert [tool.name for tool in format_.tools] == names
        for name, one in zip(names, written, strict=True):
            assert one in format_.instructions
            assert (one == name) or (one not in names)
            message = Message(tool_calls=(ToolCall(name, {"q": "x", "n": 3}),))
            text = format_.write(message)
            assert format_.read(text) == message
            only = message_format(family, dict.fromkeys(names, QUERY), choice=name) if name not in ("auto", "required", "none") else None
            assert only is None or {call.name for call in only.read(only.pattern.sample(3)).tool_calls} == {name}
            for end in range(0, len(text) + 1, 3):
                assert all(call.name == name for call in format_.read_partial(text[:end]).calls)


def test_names_that_a_family_can_write_stay() -> None:
    fine = ["search", "get_weather", "Geometry.create", "a-b"]
    assert not message_format("hermes", dict.fromkeys(fine, QUERY)).names.aliases
    for family in FAMILIES:
        assert not message_format(family, dict.fromkeys(fine[:2], QUERY)).names.aliases


def test_what_an_alias_loses_is_told_in_the_description() -> None:
    format_ = message_format("hermes", {"天气": {**QUERY, "description": "The weather."}, "a b": QUERY})
    assert "天气: The weather." in format_.instructions
    assert [tool.description for tool in format_.shown_tools] == ["天气: The weather.", ""]


def test_a_declaration_that_takes_no_alias_refuses_the_name() -> None:
    own = {**message_declaration("hermes"), "tool_name_regex": "search|now"}
    with pytest.raises(FormatError, match=r"a tool cannot be named 'ab', nor by an alias: names are read as 'search\|now'"):
        message_format(own, {"ab": QUERY, "now": QUERY})
    with pytest.raises(FormatError, match="there is no tool named 'a_b' to call"):
        message_format("hermes", {"a b": QUERY}).write(Message(tool_calls=(ToolCall("a_b", {"q": ""}),)))


ARROW = {
    "name": "arrow",
    "encoding": "text",
    "description": "-> tool: argument",
    "stop": ["\n"],
    "instructions": ["{tools}", "{tool_names}"],
    "action": "-> {tool}: {input}",
    "finish": "= {answer}",
}
ONE = {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]}


@pytest.mark.parametrize("encoding", ["text", "json"])
def test_a_format_that_is_read_here_has_aliases_and_its_parser_knows_them(encoding: str) -> None:
    declaration = ARROW if encoding == "text" else {**builtin_declaration("json_action"), "name": "own"}
    names = [name for name in NAMES if "\ud83d" not in name]
    format_ = own_format(declaration, dict.fromkeys(names, ONE))
    parser = parser_for(format_)
    assert "Final Answer" in format_.names.aliases or encoding == "text"
    assert "two\nlines" in format_.names.aliases or encoding == "json"
    for name in names:
        step = Action(name, "x" if encoding == "text" else {"q": "x"})
        assert format_.read(format_.write(step)) == step
        assert parser.parse(format_.write(step)).tool == name
        assert format_.names.written(name) in format_.instructions or encoding == "json"


def test_a_format_that_langchain_reads_refuses_a_name_and_says_who_reads_it() -> None:
    for name in ("docstore", "react", "structured_chat"):
        with pytest.raises(FormatError, match="It has no alias, since LangChain's parser would not know it"):
            MAKERS[name]({{"docstore": "Finish", "react": "two\nlines"}.get(name, "Final Answer"): ONE})
    parser = parser_for(MAKERS["json_action"]({"a": ONE}))
    with pytest.raises(FormatError, match="It has no alias"):
        format_for(parser, {"Final Answer": ONE})
    own = own_format({**builtin_declaration("json_action")}, {"Final Answer": ONE})
    text = own.write(Action("Final Answer", {"q": "x"}))
    assert parser_for(own).parse(text).tool == "Final Answer"


def test_a_chat_tells_aliases_and_answers_with_names() -> None:
    named = {
        name: StructuredTool.from_function(lambda q: q, name=name, description="D.", args_schema=ONE) for name in ("天气", "Geo create")
    }
    history = [
        HumanMessage("One."),
        AIMessage("", tool_calls=[{"name": "Geo create", "args": {"q": "x"}, "id": "call00001"}]),
        ToolMessage("done", tool_call_id="call00001", name="Geo create"),
    ]
    examples = [("Do it.", {"name": "Geo create", "args": {"q": "y"}})]
    for options in ({}, {"chat_template": QWEN}):
        model = chat(1, max_new_tokens=90, **options)
        bound = model.bind_tools(list(named.values()), tool_choice="any", examples=examples)
        request = model._request(bound.kwargs)
        prompt = model._prompt(history, request)
        assert prompt.count("Geo_create") >= 3
        assert "Geo create" not in prompt
        assert prompt.count("tool_1") >= 1
        for seed in range(3):
            (call,) = bound.invoke(history, seed=seed).tool_calls
            assert named[call["name"]].invoke(call["args"]) == call["args"]["q"]
        *_, streamed = bound.stream(history, seed=2)
        whole = sum(bound.stream(history, seed=2), start=type(streamed)(content=""))
        assert {one["name"] for one in whole.tool_calls} <= set(named)
        assert model.bind_tools(list(named.values()), tool_choice="天气").invoke(history).tool_calls[0]["name"] == "天气"
