"""Examples for a prompt: inputs with the answers that a model should give, as messages of its format.

What an example shows is what the pattern of the message lets the model write: an answer that it could not write is refused, with the
place in it. Knows nothing of chat templates.

>>> from rellm_agents.formats import message_format
>>> alarm = {"type": "object", "properties": {"hour": {"type": "integer"}}, "required": ["hour"]}
>>> format = message_format("hermes", {"alarm": alarm})
>>> (example,) = example_messages([("Wake me at 7.", {"name": "alarm", "args": {"hour": 7}})], format)
>>> example.message.tool_calls
(ToolCall(name='alarm', arguments={'hour': 7}),)
>>> example_messages([("Hello", "Good day."), ("At 7.", {"name": "alarm", "args": {"hour": "7"}})], format)
Traceback (most recent call last):
  ...
rellm_agents.errors.InvalidExample: examples[1], #/args/hour: "7" is not of type "integer"
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from langchain_core.messages import AIMessage
from pydantic_core import PydanticSerializationError, to_jsonable_python

from rellm_agents.errors import FormatError, InvalidExample, InvalidInstance
from rellm_agents.formats import Message, MessageFormat, ToolCall
from rellm_agents.json_schema import instance_text
from rellm_agents.langchain.chat.message_text import text_of
from rellm_agents.patterns import Pattern

Examples = Sequence[tuple[str, Any]]
"""Pairs of an input and the answer to it.

An answer is a value of the schema of answers, also as an object of its type; or a call, ``{"name": ..., "args": {...}}``, or a list of
calls; or text, where messages are free text or of a regex; or an ``AIMessage`` with such calls or such text.
"""


class ExampleMessage(NamedTuple):
    """An example as two messages.

    Attributes:
        input: the text of the user.
        message: the answer of the model.
    """

    input: str
    message: Message


@dataclass(frozen=True, eq=False)
class AnswerSchema:
    """The schema of answers, as it was compiled. Told apart by identity.

    Attributes:
        schema: plain data.
        pattern: of its instances.
        without: texts that no string holds as they are.
    """

    schema: Any
    pattern: Pattern
    without: tuple[str, ...]


def plain_examples(examples: Examples) -> list[list[Any]]:
    """The examples as plain data, by which calls are told apart in a cache.

    Args:
        examples: pairs of an input and an answer.

    Raises:
        InvalidExample: one is no such pair, or has no JSON text.
        TypeError: it is no list.
    """
    if isinstance(examples, (str, Mapping)) or not isinstance(examples, Sequence):
        raise TypeError(f"examples={examples!r}: a list of pairs, [(input, answer), ...]")
    return [_plain(index, example) for index, example in enumerate(examples)]


def example_messages(
    examples: Examples, format_: MessageFormat, answers: AnswerSchema | None = None, *, without_calls: bool = False
) -> tuple[ExampleMessage, ...]:
    """The examples as messages, each of which the format can write.

    Args:
        examples: pairs of an input and an answer.
        format_: of messages without reasoning.
        answers: the schema of messages that are no calls, if they have one.
        without_calls: leave out the examples that call a tool.

    Raises:
        InvalidExample: an answer that the model could not write: names its index and the JSON pointer into the answer.
    """
    found = []
    for index, (given, value) in enumerate(plain_examples(examples)):
        if without_calls and _calls_of(value):
            continue
        try:
            message = _message(value, format_, answers)
        except InvalidInstance as error:
            raise InvalidExample(index, error.pointer, error.reason) from error
        try:
            format_.write(message)
        except FormatError as error:
            raise InvalidExample(index, "#", str(error)) from error
        found.append(ExampleMessage(given, message))
    return tuple(found)


def _plain(index: int, example: Any) -> list[Any]:
    match example:
        case [str(given), value]:
            pass
        case _:
            raise InvalidExample(index, "#", f"an example is a pair of a text and an answer, not {example!r}")
    if isinstance(value, AIMessage):
        if value.tool_calls and text_of(value):
            raise InvalidExample(index, "#", "an answer is calls or text, not both")
        value = [{"name": call["name"], "args": call["args"]} for call in value.tool_calls] or text_of(value)
    try:
        return [given, to_jsonable_python(value)]
    except PydanticSerializationError as error:
        raise InvalidExample(index, "#", f"{error}: an answer is what JSON can say, or an object that pydantic can serialise") from error


def _calls_of(value: Any) -> dict[str, Any]:
    """The calls of an answer by their pointers, if it is one or more calls."""
    match value:
        case {"name": str(), "args": dict()}:
            return {"#": value}
        case [{"name": str(), "args": dict()}, *_]:
            return {f"#/{i}": one for i, one in enumerate(value)}
    return {}


def _message(value: Any, format_: MessageFormat, answers: AnswerSchema | None) -> Message:
    if format_.tools and (calls := _calls_of(value)):
        return Message(tool_calls=tuple(_call(one, format_, pointer) for pointer, one in calls.items()))
    if answers is not None:
        return Message(instance_text(answers.pattern, answers.schema, value, without=answers.without))
    if isinstance(value, str):
        return Message(value)
    or_calls = ', or a call, {"name": ..., "args": {...}}, or a list of calls' if format_.tools else ""
    raise InvalidInstance("#", f"an answer is a text here{or_calls}, not {json.dumps(value, ensure_ascii=False)}")


def _call(value: Any, format_: MessageFormat, pointer: str) -> ToolCall:
    match value:
        case {"name": str(name), "args": dict(arguments)}:
            pass
        case _:
            raise InvalidInstance(pointer, f'a call is {{"name": ..., "args": {{...}}}}, not {json.dumps(value, ensure_ascii=False)}')
    tool = next((one for one in format_.tools if one.name == name), None)
    if tool is None:
        raise InvalidInstance(
            f"{pointer}/name", f"there is no tool named {name!r} to call, only {', '.join(t.name for t in format_.tools)}"
        )
    try:
        text = instance_text(Pattern(tool.arguments_node("spaced")), tool.parameters, arguments)
    except InvalidInstance as error:
        raise InvalidInstance(f"{pointer}/args{error.pointer[1:]}", error.reason) from error
    return ToolCall(name, json.loads(text))  # in the order in which they are written
