"""Builds the chain behind ``with_structured_output``: a chat model whose answers match a schema, and a parser that makes objects of them.

The parsers are LangChain's own. Knows no model but by ``bind_tools``.
"""

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
from rellm_agents.langchain.chat.examples import Examples, plain_examples
from rellm_agents.langchain.chat.tool_schemas import answer_schema, is_dataclass, is_json_schema, is_model, openai_tool

Method = Literal["json_schema", "function_calling", "json_mode"]


def structured_output_chain(
    model: BaseChatModel, schema: Any, *, method: Method, include_raw: bool, examples: Examples = ()
) -> Runnable[Any, Any]:
    """A chain that answers with objects of a schema.

    Args:
        model: the chat model.
        schema: a pydantic model or a dataclass: answers are its instances; or a TypedDict, a JSON Schema or a tool in the form of
            OpenAI's API: answers are dicts.
        method: ``"json_schema"``: the message is JSON of the schema; ``"function_calling"``: it is a call of a tool with these arguments;
            ``"json_mode"``: JSON, of the schema if there is one.
        include_raw: answers are dicts of the message (``raw``), the object (``parsed``) and the parser's exception (``parsing_error``).
        examples: pairs of an input and the answer to it, an object or a value of the schema; they stand in the prompt as earlier turns.

    Raises:
        ValueError: the method is unknown, or the schema is missing; or the type may reject answers of its schema, for instance in a
            validator (without ``include_raw``): names the field.
        InvalidExample: the schema does not allow the answer of an example: names its index and the JSON pointer.
    """
    if method not in get_args(Method):
        raise ValueError(f"method={method!r}: there are {', '.join(map(repr, get_args(Method)))}")
    if schema is None and method != "json_mode":
        raise ValueError(f"method={method!r} needs a schema")
    makes_model, makes_dataclass = is_model(schema), is_dataclass(schema)
    answers_schema, rejections = (None, ()) if schema is None else answer_schema(schema)
    if rejections and not include_raw:
        raise ParserError(
            f"not every answer of the schema is read: {'; '.join(rejections)}. Say it in the schema, or pass "
            "include_raw=True, which returns the parser's exception as parsing_error"
        )
    trace = {"kwargs": {"method": method}, "schema": schema if makes_model or makes_dataclass else answers_schema}
    if method == "function_calling":
        tool = openai_tool({"title": "answer", **schema} if is_json_schema(schema) else schema)
        name = tool["function"]["name"]
        calls = [[text, {"name": name, "args": value}] for text, value in plain_examples(examples)]
        shown: dict[str, Any] = {"examples": calls} if calls else {}
        bound: Runnable[Any, Any] = model.bind_tools([tool], tool_choice=name, ls_structured_output_format=trace, **shown)
    else:
        answers = {"type": "json_object"} if answers_schema is None else response_format_of(answers_schema)
        shown = {"examples": plain_examples(examples)} if examples else {}
        bound = model.bind_tools([], response_format=answers, ls_structured_output_format=trace, **shown)
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
