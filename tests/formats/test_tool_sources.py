"""Tools are read from every form in which users have them, with the arguments that the tool takes; what is no tool is refused by name."""

from __future__ import annotations

import json as json_module
import re
from typing import Annotated, Any

import pytest
from formats.every_format import MAKERS, TEXT
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langchain_core.tools import BaseTool, InjectedToolArg, InjectedToolCallId, StructuredTool, Tool, tool
from pydantic import BaseModel

from rellm_agents.errors import FormatError, InvalidSchema, UnfitTools
from rellm_agents.formats import Action, message_format, tools_of
from rellm_agents.formats.messages import message_declaration
from rellm_agents.json_schema import compile_schema
from rellm_agents.langchain.agents import parser_for
from rellm_agents.langchain.chat.chat_request import compile_request
from rellm_agents.langchain.chat.tool_schemas import openai_tool, openai_tools
from rellm_agents.resources import data_path


def echo(q: str) -> str:
    """Say it again."""
    return q


class Query(BaseModel):
    q: str


class Pair(BaseModel):
    q: str
    n: int = 1


class Own(BaseTool):
    name: str = "own"
    description: str = "d"

    def _run(self, q: str, run_manager: Any = None) -> str:
        return q


class WithSchema(BaseTool):
    name: str = "with_schema"
    description: str = "d"
    args_schema: Any = Pair

    def _run(self, q: str, n: int = 1) -> str:
        return q


@tool
def with_config(q: str, config: RunnableConfig) -> str:
    """Say it again."""
    return q


@tool
def with_injected(q: str, state: Annotated[dict[str, Any], InjectedToolArg], call: Annotated[str, InjectedToolCallId]) -> str:
    """Say it again."""
    return q


@tool
def without_arguments() -> str:
    """Nothing."""
    return ""


_QUERY = {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]}
KINDS = [
    Tool("plain", echo, "d"),
    Tool("of_lambda", lambda text: text, "d"),
    Tool(name="typed", func=echo, description="d", args_schema=Query),
    StructuredTool.from_function(echo, name="structured"),
    StructuredTool.from_function(echo, name="of_schema", args_schema=_QUERY),
    StructuredTool.from_function(echo, name="of_properties", args_schema={"properties": _QUERY["properties"], "required": ["q"]}),
    RunnableLambda(lambda text: text).with_types(input_type=str).as_tool(name="of_runnable", description="d"),
    RunnableLambda(lambda given: given["q"]).as_tool(name="of_mapping", description="d", arg_types={"q": str}),
    Own(),
    with_config,
    with_injected,
    WithSchema(),
    without_arguments,
]
ONE_TEXT = [one for one in KINDS if len(one.args) == 1 and not isinstance(one.args_schema, dict)]
FAMILIES = sorted(path.stem for path in data_path("messages").glob("*.json"))


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_a_langchain_tool_of_any_kind_has_the_arguments_of_its_args(name: str) -> None:
    for kind in ONE_TEXT if name in TEXT else KINDS:
        one = kind.model_copy(update={"name": "Intermediate Answer"}) if name == "self_ask" else kind
        format_ = MAKERS[name]([one])
        assert list(format_.tools[0].properties) == list(one.args)
        parser, read = parser_for(format_), 0
        for seed in range(4):
            step = format_.read(text := format_.pattern.sample(seed))
            if isinstance(step, Action):
                found, read = parser.parse(text).tool_input, read + 1
                assert isinstance(found, str) if name in TEXT else set(found) <= set(one.args)
                if kind.name not in ("with_injected", "of_mapping"):  # what is injected is missing; LangChain itself fails
                    assert one.invoke(found) is not None or one.name == "of_lambda"
        assert read


def test_a_langchain_tool_of_any_kind_has_the_arguments_of_its_args_in_every_family() -> None:
    described = openai_tools(KINDS)
    by_name = {one.name: one for one in KINDS}
    for family in FAMILIES:
        format_ = compile_request(message_declaration(family), tools=described, tool_choice="any").format
        assert [list(one.properties) for one in format_.tools] == [list(one.args) for one in KINDS]
        for seed in range(5):
            (call,) = format_.read(format_.pattern.sample(seed)).tool_calls
            assert set(call.arguments) <= set(by_name[call.name].args)


_FORMS: dict[str, Any] = {
    "openai": {"type": "function", "function": {"name": "a.b", "description": "D.", "parameters": _QUERY}},
    "responses": {"type": "function", "name": "a.b", "description": "D.", "parameters": _QUERY, "strict": True},
    "function": {"name": "a.b", "description": "D.", "parameters": _QUERY},
    "anthropic": {"name": "a.b", "description": "D.", "input_schema": _QUERY},
    "anthropic custom": {"type": "custom", "name": "a.b", "description": "D.", "input_schema": _QUERY},
    "bedrock": {"toolSpec": {"name": "a.b", "description": "D.", "inputSchema": {"json": _QUERY}}},
    "mcp": {"name": "a.b", "description": "D.", "inputSchema": _QUERY, "annotations": {"readOnlyHint": True}, "_meta": {"x": {}}},
    "titled": {"title": "a.b", "description": "D.", **_QUERY},
}


class McpTool(BaseModel):  # as the client library of MCP has them
    name: str
    description: str | None = None
    inputSchema: dict[str, Any]  # noqa: N815


@pytest.mark.parametrize("form", [*_FORMS, "mcp object"])
def test_a_dict_is_read_in_every_form_that_apis_have(form: str) -> None:
    source = McpTool(**_FORMS["mcp"]) if form == "mcp object" else _FORMS[form]
    for given in (source, [source]):
        (one,) = tools_of(given)
        assert (one.name, one.description, list(one.properties)) == ("a.b", "D.", ["q"])
        (described,) = openai_tools(given)
        assert described["function"]["name"] == "a.b"
        assert described["function"]["parameters"]["properties"] == _QUERY["properties"]
    request = compile_request(message_declaration("hermes"), tools=[source], tool_choice="any")
    assert request.format.read(request.format.pattern.shortest()).tool_calls[0].arguments == {"q": ""}


PROVIDED: list[dict[str, Any]] = [
    {"type": "web_search"},
    {"type": "web_search_20250305", "name": "web_search", "max_uses": 5},
    {"type": "computer_20250124", "name": "computer", "display_width_px": 1024},
    {"type": "text_editor_20250728", "name": "str_replace_based_edit_tool"},
    {"type": "code_interpreter", "container": {"type": "auto"}},
    {"type": "mcp", "server_label": "x", "server_url": "https://example.org"},
    {"type": "file_search", "vector_store_ids": ["a"]},
    {"type": "image_generation"},
    {"type": "custom", "name": "code", "format": {"type": "grammar"}},
    {"google_search": {}, "name": "google"},
    {"functionDeclarations": [{"name": "f"}], "name": "gemini", "unknown": {"type": "object"}},
]


@pytest.mark.parametrize("source", PROVIDED, ids=lambda source: json_module.dumps(source)[:40])
def test_a_tool_that_a_provider_runs_is_refused_by_its_name_and_the_others_can_be_kept(source: dict[str, Any]) -> None:
    named = source.get("name", source.get("type"))
    for read in (tools_of, openai_tools):
        with pytest.raises(FormatError, match=re.escape(repr(named))):
            read([source])
        tools = [echo_tool, source, _FORMS["mcp"]]
        with pytest.raises(UnfitTools) as refused:
            read(tools)
        assert list(refused.value.reasons) == [named]
        assert f"Leave out {named!r}" in str(refused.value)
    with pytest.raises(FormatError, match=re.escape(repr(named))):
        compile_request(message_declaration("hermes"), tools=tools)


echo_tool = StructuredTool.from_function(echo, name="echo")


def test_a_tool_that_langchain_runs_with_no_text_is_refused_where_its_argument_is_text() -> None:
    (of_schema,) = (one for one in KINDS if one.name == "of_schema")
    with pytest.raises(ValueError, match="String tool inputs are not allowed"):
        of_schema.invoke("x")
    with pytest.raises(FormatError, match=r"LangChain runs tool 'of_schema' with no text.*use json_action"):
        MAKERS["react"]([of_schema])


def test_all_tools_that_a_format_cannot_write_are_named_at_once() -> None:
    array = {"type": "object", "properties": {"q": {"type": "array"}}}
    with pytest.raises(UnfitTools, match=r"(?s)2 of 4 tools.*'both' has 2 arguments.*'listed'.*Leave out 'both', 'listed'") as refused:
        MAKERS["react"]({"a": _QUERY, "both": {"type": "object", "properties": {"a": {}, "b": {}}}, "listed": array, "b": _QUERY})
    assert list(refused.value.reasons) == ["both", "listed"]
    impossible = {"type": "object", "properties": {"q": {"type": "string", "minLength": 2, "maxLength": 1}}, "required": ["q"]}
    with pytest.raises(UnfitTools, match="Leave out 'no', 'nor'"):
        message_format("hermes", {"a": _QUERY, "no": impossible, "nor": impossible})


@pytest.mark.parametrize("name", sorted(set(MAKERS) - {"self_ask"}))
def test_one_tool_is_taken_as_a_list_of_one(name: str) -> None:
    for one in (echo_tool, Query, _FORMS["openai"], _FORMS["mcp"], KINDS[0]):
        assert MAKERS[name](one).pattern == MAKERS[name]([one]).pattern
    assert openai_tools(echo) == [openai_tool(echo)]


@pytest.mark.parametrize("read", [tools_of, openai_tools])
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("search", r"tools='search': a value of type str is no list of tools"),
        (3, r"tools=3: a value of type int"),
        (json_module, "pass a list of the tools in it"),
        ([json_module], "pass a list of the tools in it"),
        (["search"], "'search' is no tool that is known: pass LangChain tools"),
        (Own, r"pass an instance, Own\(\)"),
        ([Own], r"pass an instance, Own\(\)"),
        ([{"type": "object", "properties": {}}], 'give it a "title"'),
    ],
)
def test_what_is_no_tool_is_refused_with_what_to_pass(read: Any, given: Any, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        read(given)


def test_a_function_is_taken_where_langchain_reads_it_and_else_refused_with_the_way() -> None:
    for given in (echo, [echo]):
        with pytest.raises(FormatError, match=r"make a tool of the function echo, with langchain_core\.tools\.tool"):
            tools_of(given)


LIKELY = {
    "object": ["dict", "Object", "OBJECT", "map", "HashMap", "objct"],
    "number": ["float", "double", "Decimal", "NUMBER", "numbr"],
    "integer": ["int", "long", "int64", "Integer", "interger"],
    "string": ["str", "String", "text", "char", "date", "sting"],
    "array": ["list", "tuple", "ArrayList", "Array", "arrray"],
    "boolean": ["bool", "Boolean", "boolen"],
    "null": ["None", "nil", None],
}


@pytest.mark.parametrize("likely", LIKELY)
def test_a_type_of_another_notation_is_told_with_the_likely_one(likely: str) -> None:
    for wrong in LIKELY[likely]:
        for schema in ({"type": wrong}, {"type": "object", "properties": {"a": {"items": {"type": [wrong]}}}}):
            with pytest.raises(
                InvalidSchema, match=rf'array, boolean, integer, null, number, object and string, and this is probably "{likely}"'
            ):
                compile_schema(schema)
        parameters = {"type": "object", "properties": {"a": {"type": wrong}}}
        with pytest.raises(FormatError, match=rf"tool 't'.*probably \"{likely}\""):
            MAKERS["json_action"]({"t": parameters})
    if likely == "object":
        with pytest.raises(FormatError, match=r'tool \'t\'.*probably "object"'):
            MAKERS["json_action"]({"t": {"type": "dict", "properties": {}}})


def test_required_inside_of_a_property_is_told_where_it_belongs() -> None:
    with pytest.raises(InvalidSchema, match=r'#/properties/a/required: "required" is a list of names beside "properties", \["a"\]'):
        compile_schema({"type": "object", "properties": {"a": {"type": "string", "required": True}}})
    with pytest.raises(InvalidSchema, match='leave "type" out for any value'):
        compile_schema({"type": "any"})
