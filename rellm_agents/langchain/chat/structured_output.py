"""A schema in, a chain of a chat model and a parser out, whose every answer is of the schema."""

from __future__ import annotations

from operator import itemgetter
from typing import Any, Literal, get_args

from langchain_core.language_models import BaseChatModel
from langchain_core.output_parsers import JsonOutputParser, PydanticOutputParser
from langchain_core.output_parsers.openai_tools import JsonOutputKeyToolsParser, PydanticToolsParser
from langchain_core.runnables import Runnable, RunnableMap, RunnablePassthrough
from pydantic import TypeAdapter

from rellm_agents.errors import ParserError
from rellm_agents.langchain.chat.chat_request import response_format_of
from rellm_agents.langchain.chat.tool_schemas import answer_schema, described_tool, is_dataclass, is_json_schema, is_model

Method = Literal["json_schema", "function_calling", "json_mode"]


def typed_answers(model: BaseChatModel, schema: Any, *, method: Method, include_raw: bool) -> Runnable[Any, Any]:
    """A chain that answers with objects of a schema.

    Args:
        model: the chat model.
        schema: a pydantic model or a dataclass, of which objects are made; or a TypedDict, a JSON Schema or a tool as OpenAI's API
            describes it: answers are dicts.
        method: ``"json_schema"``: the message is JSON of the schema; ``"function_calling"``: it is a call of a tool with these arguments;
            ``"json_mode"``: JSON, of the schema if there is one.
        include_raw: answers are dicts of the message (``raw``), the object (``parsed``) and what went wrong (``parsing_error``).

    Raises:
        ValueError: there is no such method, or no schema where one is needed; or an object of the schema may not be made of an answer of
            it, as where a model has validators: names the place.
    """
    if method not in get_args(Method):
        raise ValueError(f"method={method!r}: there are {', '.join(map(repr, get_args(Method)))}")
    if schema is None and method != "json_mode":
        raise ValueError(f"method={method!r} needs a schema")
    makes_model, makes_dataclass = is_model(schema), is_dataclass(schema)
    wanted, beyond = (None, ()) if schema is None else answer_schema(schema)
    if beyond and not include_raw:
        raise ParserError(
            f"not every answer of the schema is read: {'; '.join(beyond)}. Say it in the schema, or take include_raw=True, with which what "
            "is not read is told in parsing_error"
        )
    told = {"kwargs": {"method": method}, "schema": schema if makes_model or makes_dataclass else wanted}
    if method == "function_calling":
        tool = described_tool({"title": "answer", **schema} if is_json_schema(schema) else schema)
        name = tool["function"]["name"]
        bound: Runnable[Any, Any] = model.bind_tools([tool], tool_choice=name, ls_structured_output_format=told)
    else:
        answers = {"type": "json_object"} if wanted is None else response_format_of(wanted)
        bound = model.bind(response_format=answers, ls_structured_output_format=told)
    parser: Runnable[Any, Any]
    match method:
        case "function_calling" if makes_model:
            parser = PydanticToolsParser(tools=[schema], first_tool_only=True)
        case "function_calling":
            parser = JsonOutputKeyToolsParser(key_name=name, first_tool_only=True)
        case _:
            parser = PydanticOutputParser(pydantic_object=schema) if makes_model else JsonOutputParser()
    if makes_dataclass:
        parser |= TypeAdapter(schema).validate_python
    if not include_raw:
        return bound | parser
    parsed = RunnablePassthrough.assign(parsed=itemgetter("raw") | parser, parsing_error=lambda _: None)
    unparsed = RunnablePassthrough.assign(parsed=lambda _: None)
    return RunnableMap(raw=bound) | parsed.with_fallbacks([unparsed], exception_key="parsing_error")
