"""Builds the chain behind ``with_structured_output``: a chat model whose answers match a schema, and a parser that makes objects of them.

:class:`BoundChat` is a chat model with options of its calls, which it keeps where tools or a schema are bound after them. Knows no model
but by ``bind_tools``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from operator import itemgetter
from typing import Any, Literal, get_args, get_origin

from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable, RunnableBinding, RunnableMap, RunnablePassthrough

from rellm_agents.arguments import FLAG, TEXT, checked
from rellm_agents.errors import ArgumentValueError, FormatError, ParserError, RELLMError
from rellm_agents.json_schema import with_integer_members
from rellm_agents.langchain.answer_parsers import AnswerParser, CallParser
from rellm_agents.langchain.chat.chat_request import response_format_of
from rellm_agents.langchain.chat.examples import Examples, plain_examples
from rellm_agents.langchain.chat.tool_schemas import (
    answer_schema,
    is_dataclass,
    is_json_schema,
    is_model,
    is_type,
    members_of,
    openai_tool,
    with_every_argument,
    with_every_property,
)
from rellm_agents.langchain.model_reader import ModelReader
from rellm_agents.langchain.model_schema import Validators, check_validators, refusal

_WRITES_ALL = "method='json_schema' writes values of every type"

Method = Literal["json_schema", "function_calling", "json_mode"]


class BoundChat(RunnableBinding[LanguageModelInput, AIMessage]):
    """A chat model with options of its calls. LangChain's binding would drop them where tools or a schema are bound after them."""

    @classmethod
    def lc_id(cls) -> list[str]:
        """As LangChain calls its own binding, since it is one."""
        return [*cls.get_lc_namespace(), "RunnableBinding"]

    def bind_tools(self, tools: Any, **options: Any) -> Runnable[LanguageModelInput, AIMessage]:
        """This with other tools; see the model's ``bind_tools``."""
        kept = {name: value for name, value in self.kwargs.items() if name != "tools"}
        bound = self.bound.bind_tools(tools, **{**kept, **options})  # type: ignore[attr-defined]  # of the chat model
        return self.model_copy(update={"kwargs": bound.kwargs})

    def with_structured_output(self, schema: Any = None, *, tools: Sequence[Any] = (), **options: Any) -> Runnable[LanguageModelInput, Any]:
        """A chain that answers with objects of a schema, beside the tools that are bound; see the model's ``with_structured_output``."""
        return structured_output_chain(self, schema, tools=[*self.kwargs.get("tools", ()), *tools], **options)


@checked(method=TEXT, include_raw=FLAG, strict=FLAG.or_none)
def structured_output_chain(
    model: BaseChatModel | BoundChat,
    schema: Any = None,
    *,
    method: Method = "json_schema",
    include_raw: bool = False,
    validators: Validators = "check",
    strict: bool | None = None,
    tools: Sequence[Any] = (),
    examples: Examples = (),
    **unknown: Any,
) -> Runnable[Any, Any]:
    """A chain that answers with objects of a schema.

    Args:
        model: the chat model.
        schema: a pydantic model, a dataclass, or a union or another type made of these: answers are its instances; or a TypedDict, a JSON
            Schema or a tool in the form of OpenAI's API: answers are dicts.
        method: ``"json_schema"``: the message is JSON of the schema; ``"function_calling"``: it is a call of a tool with these arguments,
            of a union, of one of several tools; ``"json_mode"``: JSON, of the schema if there is one.
        include_raw: answers are dicts of the message (``raw``), the object (``parsed``) and the parser's exception (``parsing_error``).
        validators: ``"check"``: validators of the type, and what else its schema does not say, are asked when an answer is read: one
            that refuses raises LangChain's ``OutputParserException`` with the text and the field. The model is not asked again; for
            that there is ``chain.with_retry(retry_if_exception_type=(OutputParserException,))``, which needs a temperature.
            ``"refuse"``: such a type is an error now (without ``include_raw``).
        strict: every property that the schema declares is written, also those that are not required.
        tools: further tools: a message may call one of them instead of answering, which ``include_raw`` shows; ``parsed`` is ``None``.
        examples: pairs of an input and the answer to it, an object or a value of the schema; they stand in the prompt as earlier turns.
        **unknown: refused.

    Raises:
        ValueError: ``method`` or ``validators`` is unknown, or the schema is missing; or ``validators="refuse"``, and the type may reject
            answers of its schema: names the field.
        FormatError: the schema is not one of objects, as arguments of a call are: names the method that writes it.
        InvalidExample: the schema does not allow the answer of an example: names its index and the JSON pointer.
    """
    if unknown:
        known = ("method", "include_raw", "validators", "strict", "tools", "examples")
        raise ArgumentValueError.saying(f"with_structured_output takes no {', '.join(unknown)}, only {', '.join(known)}")
    if method not in get_args(Method):
        raise ArgumentValueError.saying(f"method={method!r}: there are {', '.join(map(repr, get_args(Method)))}")
    check_validators(validators)
    if schema is None and method != "json_mode":
        raise ArgumentValueError.saying(f"method={method!r} needs a schema")
    try:
        found = None if schema is None else answer_schema(schema)
        if isinstance(schema, dict):
            json.dumps(schema)
    except RELLMError:
        raise
    except (TypeError, ValueError, AttributeError) as error:
        raise ArgumentValueError("schema", schema, f"a schema, a model or another type: {error}") from error
    if found is not None and found.rejections and validators == "refuse" and not include_raw:
        raise ParserError(refusal(found.rejections, ", or pass include_raw=True, which returns the exception as parsing_error"))
    is_shown = is_model(schema) or is_dataclass(schema) or is_json_schema(schema)
    trace = {"kwargs": {"method": method}, "schema": schema if is_shown else found and found.schema}
    bound: Runnable[Any, Any]
    parser: Runnable[Any, Any]
    if method == "function_calling":
        bound, parser = _calling_chain(model, schema, tools=tools, strict=bool(strict), trace=trace, examples=examples)
    else:
        answers = {"type": "json_object"}
        if found is not None:
            answers = response_format_of(with_every_property(found.schema) if strict else found.schema)
        shown: dict[str, Any] = {"examples": plain_examples(examples)} if examples else {}
        bound = model.bind_tools(tools, response_format=answers, ls_structured_output_format=trace, **shown)
        parser = AnswerParser(reader=ModelReader(schema) if is_type(schema) else None)
    if not include_raw:
        return bound | parser
    parsed = RunnablePassthrough.assign(parsed=itemgetter("raw") | parser, parsing_error=lambda _: None)
    unparsed = RunnablePassthrough.assign(parsed=lambda _: None)
    return RunnableMap(raw=bound) | parsed.with_fallbacks([unparsed], exception_key="parsing_error")


def _calling_chain(
    model: BaseChatModel | BoundChat, schema: Any, *, tools: Sequence[Any], strict: bool, trace: dict[str, Any], examples: Examples
) -> tuple[Runnable[Any, Any], CallParser]:
    """The model that calls a tool for an answer, and the parser of the call."""
    readers: dict[str, ModelReader | None] = {}
    answers = []
    for member in members_of(schema):
        tool = _answering_tool(member)
        readers[tool["function"]["name"]] = ModelReader(member) if is_type(member) else None
        answers.append(with_every_argument(tool) if strict else tool)
    first, *others = readers
    calls = [[text, value if others else {"name": first, "args": value}] for text, value in plain_examples(examples)]
    shown: dict[str, Any] = {"examples": calls} if calls else {}
    choice = "any" if others or tools else first
    try:
        bound = model.bind_tools([*answers, *tools], tool_choice=choice, ls_structured_output_format=trace, **shown)
    except FormatError as error:
        raise FormatError(f"method='function_calling': {error}; {_WRITES_ALL}") from error
    return bound, CallParser(readers=readers)


def _answering_tool(member: Any) -> dict[str, Any]:
    """The tool whose arguments are the fields of an answer."""
    if is_json_schema(member):
        changed = with_integer_members(member)
        if "type" not in member:
            changed.pop("type", None)  # the arguments are an object, or are refused
        return openai_tool({"title": "answer", **changed})
    if is_type(member) and not (is_model(member) or is_dataclass(member)):
        name = member.__name__ if isinstance(member, type) and get_origin(member) is None else member
        raise FormatError(f"method='function_calling': the arguments of a call are fields of a model, and {name} has none: {_WRITES_ALL}")
    tool = openai_tool(member)
    name = tool["function"]["name"]
    return {**tool, "function": {**tool["function"], "name": re.sub(r"[^A-Za-z0-9_-]+", "_", name).strip("_") or "answer"}}
