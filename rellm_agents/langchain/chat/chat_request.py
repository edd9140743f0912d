"""Derives the format of a chat model's message from the options of a call: tools, tool choice, response format, pattern, regex.

Knows no model and no prompt.

>>> from rellm_agents.formats.messages import message_declaration
>>> hermes = message_declaration("hermes")
>>> request = compile_request(hermes, tools=[{"type": "function", "function": {"name": "now", "description": "The time."}}])
>>> request.format.pattern.fullmatch("It is noon.")
True
>>> compile_request(hermes, response_format={"type": "json_object"}).format.pattern.shortest()
'{}'
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

from rellm_agents.errors import ArgumentValueError
from rellm_agents.formats import MessageFormat, message_format, name_of, of_each, tool_of_dict
from rellm_agents.formats.messages import ToolPrompt
from rellm_agents.formats.template import Declaration
from rellm_agents.json_schema import compile_schema, without_titles
from rellm_agents.langchain.agents import StepOptions
from rellm_agents.langchain.chat.examples import AnswerSchema, ExampleMessage, Examples, example_messages, plain_examples
from rellm_agents.langchain.chat.tool_schemas import Unfit, answer_schema, each_fit, openai_tools
from rellm_agents.patterns import Pattern, RegexLike, compile_regex

_CHOICES = {"any": "required", True: "required", "required": "required", "auto": "auto", None: "auto", "none": "none", False: "none"}


@dataclass(frozen=True)
class ChatRequest:
    """What a call asks for.

    Attributes:
        format: the format of the message.
        instructions: texts for the prompt that describe the answer.
        examples: messages for the prompt, before those of the chat.
        step: how content is written that is the step of an action format; ``None``: it is none.
    """

    format: MessageFormat
    instructions: tuple[str, ...] = ()
    examples: tuple[ExampleMessage, ...] = ()
    step: StepOptions | None = None


def compile_request(
    declaration: Declaration,
    *,
    tools: Sequence[Any] = (),
    tool_choice: Any = None,
    parallel_tool_calls: bool | None = None,
    response_format: Any = None,
    pattern: Pattern | None = None,
    regex: RegexLike | None = None,
    step: StepOptions | None = None,
    reasoning: bool = False,
    examples: Examples = (),
    special_tokens: Collection[str] = (),
    tool_prompt: ToolPrompt = "signatures",
    unfit_tools: Unfit = "refuse",
) -> ChatRequest:
    """The format of the message that a call asks for.

    Args:
        declaration: the declaration of the message format.
        tools: as of ``bind_tools``, which passes them in the form of OpenAI's API.
        tool_choice: ``"auto"``, ``"any"`` or ``"required"``, ``"none"``, the name of a tool, or a mapping that names one.
        parallel_tool_calls: whether a message may have several calls. Default: only if calls are optional; a required call is one call.
        response_format: ``{"type": "json_schema", "json_schema": {"schema": ...}}``, ``{"type": "json_object"}``, ``{"type": "text"}``,
            or a schema: a pydantic model, a TypedDict, a dict.
        pattern: the pattern of the content.
        regex: a regex that the content matches: regex text, or a compiled pattern of ``regex`` or of ``re``.
        step: the content is a step of an action format.
        reasoning: the message begins with reasoning.
        examples: pairs of an input and an answer, as :data:`Examples`. Those that call are left out where ``tool_choice`` is ``"none"``.
        special_tokens: the special tokens of the tokenizer.
        tool_prompt: as for :func:`message_format`.
        unfit_tools: whether tools that the model cannot call are refused, or left out with a warning.

    Raises:
        ValueError: an option has an unknown value, or two options contradict each other; names them.
        TypeError: ``regex`` is neither text nor a compiled pattern.
        InvalidExample: an answer that the model could not write: names its index and the JSON pointer.
        FormatError, SchemaError, PatternError: the format cannot write these tools, the schema cannot be compiled.
    """
    contents = {"pattern": pattern, "regex": regex, "response_format": response_format, "format": step}
    given = [option for option, value in contents.items() if value is not None]
    if step is not None and tools:
        raise ValueError(
            "format writes actions into the content, and tools would be called beside it: give one, for a model with format= by format=None"
        )
    if len(given) > 1:
        raise ArgumentValueError.saying(f"{' and '.join(given)} both determine the content: give one")
    choice = _choice(tool_choice)
    parallel = choice in {"auto", "none"} if parallel_tool_calls is None else parallel_tool_calls
    answer, answers = pattern, None
    instructions: tuple[str, ...] = ()
    if regex is not None:
        answer = compile_regex(regex)
    elif step is not None:
        answer = step.pattern
    elif response_format is not None:
        answers, instructions = _answer(_key(response_format_of(response_format)), tuple(declaration.get("banned_substrings", ())))
        answer = answers.pattern if answers else None
    own = frozenset(declaration.get("special_tokens", ())).intersection(special_tokens)

    def compile_with(tools: list[Any]) -> MessageFormat:
        return _format(_key(declaration), _key(tools), choice, parallel, answer, own, tool_prompt, reasoning=False)

    fit, _ = each_fit(openai_tools(tools, unfit_tools), compile_with, unfit_tools)
    compiled = partial(_format, _key(declaration), _key(fit), choice, parallel, answer, own, tool_prompt)
    shown = _examples(_key(plain_examples(examples)), compiled(reasoning=False), answers, choice == "none") if examples else ()
    return ChatRequest(compiled(reasoning=reasoning), instructions, shown, step)


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
    raise ArgumentValueError.saying(
        f"tool_choice={value!r}: 'auto', 'any', 'required', 'none', the name of a tool, or a mapping that names one"
    )


def response_format_of(value: Any) -> dict[str, Any]:
    """A response format in the form of OpenAI's API.

    Args:
        value: a response format, or a schema: a pydantic model, a TypedDict, a JSON Schema as a dict.
    """
    match value:
        case {"type": "json_schema", "json_schema": {"schema": dict()}} | {"type": "json_object" | "text"}:
            return dict(value)
        case {"type": "json_schema"}:
            raise ArgumentValueError.saying(f"response_format={value!r} has no schema: it stands at ['json_schema']['schema']")
    schema = answer_schema(value).schema
    return {"type": "json_schema", "json_schema": {"name": str(schema.get("title", "answer")), "schema": schema}}


@lru_cache(maxsize=64)
def _answer(response_format: str, without: tuple[str, ...]) -> tuple[AnswerSchema | None, tuple[str, ...]]:
    match json.loads(response_format):
        case {"type": "json_schema", "json_schema": {"schema": schema}}:
            shown = json.dumps(without_titles(schema), ensure_ascii=False)
            instruction = f"Answer with one JSON value of this JSON Schema, and nothing else:\n{shown}"
            return AnswerSchema(schema, compile_schema(schema, closed=True, without=without), without), (instruction,)
        case {"type": "json_object"}:
            schema = {"type": "object"}
            return AnswerSchema(schema, compile_schema(schema, without=without), without), (
                "Answer with one JSON object, and nothing else.",
            )
    return None, ()


@lru_cache(maxsize=64)
def _examples(
    examples: str,
    format_: MessageFormat,
    answers: AnswerSchema | None,
    without_calls: bool,  # noqa: FBT001  # the arguments are the cache key
) -> tuple[ExampleMessage, ...]:
    pairs = json.loads(examples)
    return example_messages(pairs, format_, answers, without_calls=without_calls)


@lru_cache(maxsize=64)
def _format(
    declaration: str,
    tools: str,
    choice: str,
    parallel: bool,  # noqa: FBT001  # the arguments are the cache key
    answer: Pattern | None,
    special_tokens: frozenset[str],
    tool_prompt: ToolPrompt,
    *,
    reasoning: bool,
) -> MessageFormat:
    different = list({_key(_without_titles(tool)): tool for tool in json.loads(tools)}.values())  # the same tool may be given twice
    return message_format(
        json.loads(declaration),
        of_each(different, tool_of_dict, name_of),
        choice=choice,
        parallel=parallel,
        reasoning=reasoning,
        answer=answer,
        special_tokens=special_tokens,
        tool_prompt=tool_prompt,
    )


def _without_titles(tool: Any) -> Any:
    """The tool without titles, by which schemas of LangChain and of pydantic for the same type differ."""
    match tool:
        case {"function": {"parameters": parameters, **rest}}:
            return {**tool, "function": {**rest, "parameters": without_titles(parameters)}}
    return tool


def _key(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
