"""Patterns of a tool's argument where it is written as plain text, typed by the argument's schema.

Strings are written without quotes, numbers and booleans as in JSON; other types have no such text and are refused. A slot restricts the
texts to those that the format's reader gives back. Knows nothing of templates.

>>> from rellm_agents.formats.tool_sources import tools_of
>>> from rellm_agents.patterns import Pattern
>>> (alarm,) = tools_of({"alarm": {"type": "object", "properties": {"hour": {"type": "integer", "minimum": 0}}}})
>>> Pattern(only_argument_node("react", alarm, Slot({"trimmed": True}))).fullmatch("7")
True
"""

from __future__ import annotations

from typing import Any

from rellm_agents.errors import FormatError, SchemaError
from rellm_agents.formats.template.slots import Slot
from rellm_agents.formats.tools import Tool
from rellm_agents.json_schema import bare_text
from rellm_agents.patterns import Node, choice, literal
from rellm_agents.patterns.ir import Choice, Literal

USE_JSON_ACTION = "use json_action"
"""The advice at the end of an error: a format that can carry what text cannot."""


def only_argument_node(name: str, tool: Tool, slot: Slot) -> Node:
    """The texts of a tool's one argument.

    Args:
        name: of the format, for errors.
        tool: a tool of one argument.
        slot: restricts the texts to those that the format can write.

    Raises:
        FormatError: the tool has another number of arguments, takes none as text, has one of a type that has no text, or a given value
            that the slot does not hold.
    """
    if len(tool.properties) != 1:
        raise FormatError(
            f"{name}: tool {tool.name!r} has {len(tool.properties)} arguments, but the text of this format carries exactly one: "
            f"{USE_JSON_ACTION}"
        )
    if not tool.takes_text:
        raise FormatError(
            f"{name}: LangChain runs tool {tool.name!r} with no text, since its arguments are described by a JSON Schema (args_schema is a "
            f"dict): {USE_JSON_ACTION}, or give it a pydantic model as args_schema"
        )
    argument, schema = next(iter(tool.properties.items()))
    return argument_node(name, tool, argument, with_definitions(schema, tool.parameters), slot, USE_JSON_ACTION)


def argument_node(name: str, tool: Tool, argument: str, schema: Any, slot: Slot, advice: str) -> Node:
    """The texts of one argument.

    Args:
        name: of the format, for errors.
        tool: whose argument it is, for errors.
        argument: its name, for errors.
        schema: of it, with the definitions that it refers to.
        slot: restricts the texts to those that the format can write.
        advice: ends the errors.

    Raises:
        FormatError: it is of a type that has no text, or a given value is one that the slot does not hold.
    """
    try:
        values = bare_text(schema)
    except SchemaError as error:
        raise FormatError(
            f"{name}: tool {tool.name!r}: text carries an argument of type string, integer, number or boolean, not {schema!r}, "
            f"argument {argument!r}: {error}: {advice}"
        ) from error
    given = _literals(values)
    for text in given:
        objection = slot.objection(text)
        if objection is not None:
            raise FormatError(
                f"{name}: tool {tool.name!r}, argument {argument!r}: this format cannot write the value {text!r} without loss: "
                f"{objection}; {advice}"
            )
    if given:
        return choice(*(literal(slot.write(text)) for text in given))
    found = slot.restrict(values)
    if found is None:
        raise FormatError(
            f"{name}: tool {tool.name!r}, argument {argument!r}: this format can write no value of {schema!r} without loss: {advice}"
        )
    return found


def _literals(values: Node) -> list[str]:
    """The values, if the schema lists all of them; else none."""
    options = values.options if isinstance(values, Choice) else (values,)
    texts = [option.text for option in options if isinstance(option, Literal)]
    return texts if len(texts) == len(options) else []


def with_definitions(schema: Any, parameters: dict[str, Any]) -> Any:
    """An argument's schema, with the definitions of the tool's schema that it may refer to."""
    if not isinstance(schema, dict):
        return schema
    known = {key: parameters[key] for key in ("$schema", "$defs", "definitions") if key in parameters}
    return {**known, **schema}
