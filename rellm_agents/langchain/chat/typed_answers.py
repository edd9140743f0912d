"""A schema in, a chain of a chat model and a parser out, whose every answer is of the schema."""

from __future__ import annotations

from operator import itemgetter
from typing import Any, Literal, get_args

from langchain_core.language_models import BaseChatModel
from langchain_core.output_parsers import BaseOutputParser, JsonOutputParser, PydanticOutputParser
from langchain_core.output_parsers.base import BaseGenerationOutputParser
from langchain_core.output_parsers.openai_tools import JsonOutputKeyToolsParser, PydanticToolsParser
from langchain_core.runnables import Runnable, RunnableMap, RunnablePassthrough
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_core.utils.pydantic import is_basemodel_subclass

from rellm_agents.langchain.chat.chat_request import response_format_of

Method = Literal["json_schema", "function_calling", "json_mode"]


def typed_answers(model: BaseChatModel, schema: Any, *, method: Method, include_raw: bool) -> Runnable[Any, Any]:
    """A chain that answers with objects of a schema.

    Args:
        model: the chat model.
        schema: a pydantic model, of which objects are made; or a TypedDict, a JSON Schema or a tool as OpenAI's API describes it:
            answers are dicts.
        method: ``"json_schema"``: the message is JSON of the schema; ``"function_calling"``: it is a call of a tool with these arguments;
            ``"json_mode"``: JSON, of the schema if there is one.
        include_raw: answers are dicts of the message (``raw``), the object (``parsed``) and what went wrong (``parsing_error``).

    Raises:
        ValueError: there is no such method, or no schema where one is needed.
    """
    if method not in get_args(Method):
        raise ValueError(f"method={method!r}: there are {', '.join(map(repr, get_args(Method)))}")
    if schema is None and method != "json_mode":
        raise ValueError(f"method={method!r} needs a schema")
    is_model = isinstance(schema, type) and is_basemodel_subclass(schema)
    told = {"kwargs": {"method": method}, "schema": schema}
    parser: BaseOutputParser[Any] | BaseGenerationOutputParser[Any]
    if method == "function_calling":
        name = convert_to_openai_tool(schema)["function"]["name"]
        bound: Runnable[Any, Any] = model.bind_tools([schema], tool_choice=name, ls_structured_output_format=told)
        parser = (
            PydanticToolsParser(tools=[schema], first_tool_only=True)
            if is_model
            else JsonOutputKeyToolsParser(key_name=name, first_tool_only=True)
        )
    else:
        wanted = {"type": "json_object"} if schema is None else response_format_of(schema)
        bound = model.bind(response_format=wanted, ls_structured_output_format=told)
        parser = PydanticOutputParser(pydantic_object=schema) if is_model else JsonOutputParser()
    if not include_raw:
        return bound | parser
    parsed = RunnablePassthrough.assign(parsed=itemgetter("raw") | parser, parsing_error=lambda _: None)
    unparsed = RunnablePassthrough.assign(parsed=lambda _: None)
    return RunnableMap(raw=bound) | parsed.with_fallbacks([unparsed], exception_key="parsing_error")
