"""What a call of a chat model asks for in - tools, a choice of them, a response format, a pattern - the format of its message out.

>>> from rellm_agents.formats.messages import message_declaration
>>> hermes = message_declaration("hermes")
>>> request = request_of(hermes, tools=[{"type": "function", "function": {"name": "now", "description": "The time."}}])
>>> request.format.pattern.fullmatch("It is noon.")
True
>>> request_of(hermes, response_format={"type": "json_object"}).format.pattern.shortest()
'{}'
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from rellm_agents.errors import FormatError
from rellm_agents.formats import MessageFormat, Tool, message_format, tool_from_schema
from rellm_agents.formats.template import Declaration
from rellm_agents.json_schema import compile_schema
from rellm_agents.langchain.chat.tool_schemas import answer_schema, untitled
from rellm_agents.patterns import Pattern, compile_regex

_CHOICES = {"any": "required", True: "required", "required": "required", "auto": "auto", None: "auto", "none": "none", False: "none"}


@dataclass(frozen=True)
class ChatRequest:
    """What is to be written.

    Attributes:
        format: the format of the message.
        words: what to tell the model of the answer.
    """

    format: MessageFormat
    words: tuple[str, ...] = ()


def request_of(
    declaration: Declaration,
    *,
    tools: Sequence[Mapping[str, Any]] = (),
    tool_choice: Any = None,
    parallel_tool_calls: bool | None = None,
    response_format: Any = None,
    pattern: Pattern | None = None,
    regex: str | None = None,
    reasoning: bool = False,
    special_tokens: Collection[str] = (),
) -> ChatRequest:
    """The format of the message that a call asks for.

    Args:
        declaration: of the message format.
        tools: as OpenAI's API describes them, which is what ``bind_tools`` makes of them.
        tool_choice: ``"auto"``, ``"any"`` or ``"required"``, ``"none"``, the name of a tool, or a mapping that names one.
        parallel_tool_calls: a message may hold several calls. By default it may where calls are free, and holds one where a call is
            required: then the one call is what was asked for.
        response_format: ``{"type": "json_schema", "json_schema": {"schema": ...}}``, ``{"type": "json_object"}``, ``{"type": "text"}``,
            or a schema: a pydantic model, a TypedDict, a dict.
        pattern: what the content is.
        regex: what the content matches.
        reasoning: the message begins with reasoning.
        special_tokens: those of the tokenizer.

    Raises:
        ValueError: an option says nothing that is known; names it.
        FormatError, SchemaError, PatternError: the format cannot write these tools, the schema cannot be compiled.
    """
    contents = {"pattern": pattern, "regex": regex, "response_format": response_format}
    given = [option for option, value in contents.items() if value is not None]
    if len(given) > 1:
        raise ValueError(f"{' and '.join(given)} say what the content is: give one")
    choice = _choice(tool_choice)
    parallel = choice in {"auto", "none"} if parallel_tool_calls is None else parallel_tool_calls
    answer = pattern
    words: tuple[str, ...] = ()
    if regex is not None:
        answer = compile_regex(regex)
    elif response_format is not None:
        answer, words = _answer(_key(response_format_of(response_format)), tuple(declaration.get("banned_substrings", ())))
    own = frozenset(declaration.get("special_tokens", ())).intersection(special_tokens)
    return ChatRequest(_format(_key(declaration), _key(list(tools)), choice, parallel, reasoning, answer, own), words)


def _choice(value: Any) -> str:
    match value:
        case {"type": "function", "function": {"name": str(name)}} | {"type": "tool", "name": str(name)} | {"name": str(name)}:
            return name
        case {"type": str(kind)} if kind in _CHOICES:
            return _CHOICES[kind]
        case None | bool():
            return _CHOICES[value]
        case str():
            return _CHOICES.get(value, value)
    raise ValueError(f"tool_choice={value!r}: 'auto', 'any', 'required', 'none', the name of a tool, or a mapping that names one")


def response_format_of(value: Any) -> dict[str, Any]:
    """A response format as OpenAI's API describes it.

    Args:
        value: one, or a schema: a pydantic model, a TypedDict, a JSON Schema as a dict.
    """
    match value:
        case {"type": "json_schema", "json_schema": {"schema": dict()}} | {"type": "json_object" | "text"}:
            return dict(value)
        case {"type": "json_schema"}:
            raise ValueError(f"response_format={value!r} has no schema: it stands at ['json_schema']['schema']")
    schema, _ = answer_schema(value)
    return {"type": "json_schema", "json_schema": {"name": str(schema.get("title", "answer")), "schema": schema}}


@lru_cache(maxsize=64)
def _answer(response_format: str, without: tuple[str, ...]) -> tuple[Pattern | None, tuple[str, ...]]:
    match json.loads(response_format):
        case {"type": "json_schema", "json_schema": {"schema": schema}}:
            told = f"Answer with one JSON value of this JSON Schema, and nothing else:\n{json.dumps(schema, ensure_ascii=False)}"
            return compile_schema(schema, closed=True, without=without), (told,)
        case {"type": "json_object"}:
            return compile_schema({"type": "object"}, without=without), ("Answer with one JSON object, and nothing else.",)
    return None, ()


@lru_cache(maxsize=64)
def _format(
    declaration: str,
    tools: str,
    choice: str,
    parallel: bool,  # noqa: FBT001  # all of it is a key
    reasoning: bool,  # noqa: FBT001
    answer: Pattern | None,
    special_tokens: frozenset[str],
) -> MessageFormat:
    known = list({_key(_untitled(tool)): _tool(tool) for tool in json.loads(tools)}.values())  # one and the same may come twice
    read = json.loads(declaration)
    return message_format(read, known, choice=choice, parallel=parallel, reasoning=reasoning, answer=answer, special_tokens=special_tokens)


def _tool(described: Any) -> Tool:
    match described:
        case {"type": "function", "function": {"name": str(name), **rest}}:
            parameters: Any = rest.get("parameters") or {"type": "object", "properties": {}}
            if isinstance(parameters, dict) and parameters.keys().isdisjoint({"type", "$ref"}):
                parameters = {"type": "object", **parameters}
            return tool_from_schema(name, str(rest.get("description") or ""), parameters)
    raise FormatError(f"the tool {described!r} is none that a local model can call: pass functions with a name and a JSON Schema")


def _untitled(described: Any) -> Any:
    """What says the same whether the schema of a type was made by LangChain or by pydantic."""
    match described:
        case {"function": {"parameters": parameters, **rest}}:
            return {**described, "function": {**rest, "parameters": untitled(parameters)}}
    return described


def _key(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
