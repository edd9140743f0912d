"""A tool in, what the text of a format may hold as its one argument out: typed by the argument's schema.

>>> from rellm_agents.formats.tools import tools_of
>>> from rellm_agents.patterns import Pattern
>>> (alarm,) = tools_of({"alarm": {"type": "object", "properties": {"hour": {"type": "integer", "minimum": 0}}}})
>>> Pattern(argument_node("react", alarm, Slot({"trimmed": True}))).fullmatch("7")
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

ELSEWHERE = "use json_action"


def argument_node(name: str, tool: Tool, slot: Slot) -> Node:
    """The texts of a tool's one argument.

    Args:
        name: of the format, for errors.
        tool: a tool of one argument.
        slot: what the format can write of it.

    Raises:
        FormatError: the tool has another number of arguments, of a type that has no text, or a given value that the slot does not hold.
    """
    if len(tool.properties) != 1:
        raise FormatError(
            f"{name}: tool {tool.name!r} has {len(tool.properties)} arguments, but the text of this format carries exactly one: {ELSEWHERE}"
        )
    argument, schema = next(iter(tool.properties.items()))
    return value_node(name, tool, argument, with_definitions(schema, tool.parameters), slot, ELSEWHERE)


def value_node(name: str, tool: Tool, argument: str, schema: Any, slot: Slot, elsewhere: str) -> Node:
    """The texts of one argument.

    Args:
        name: of the format, for errors.
        tool: whose argument it is.
        argument: its name.
        schema: of it, with what it refers to.
        slot: what the format can write of it.
        elsewhere: what to do if it cannot, for errors.

    Raises:
        FormatError: it is of a type that has no text, or a given value is one that the slot does not hold.
    """
    try:
        values = bare_text(schema)
    except SchemaError as error:
        raise FormatError(
            f"{name}: tool {tool.name!r}: text carries an argument of type string, integer, number or boolean, not {schema!r}, "
            f"argument {argument!r}: {error}: {elsewhere}"
        ) from error
    given = _literals(values)
    for text in given:
        objection = slot.objection(text)
        if objection is not None:
            raise FormatError(
                f"{name}: tool {tool.name!r}, argument {argument!r}: this format cannot write the value {text!r} without loss: "
                f"{objection}; {elsewhere}"
            )
    if given:
        return choice(*(literal(slot.text(text)) for text in given))
    found = slot.narrowed_to(values)
    if found is None:
        raise FormatError(
            f"{name}: tool {tool.name!r}, argument {argument!r}: this format can write no value of {schema!r} without loss: {elsewhere}"
        )
    return found


def _literals(values: Node) -> list[str]:
    """The values, where all are given."""
    options = values.options if isinstance(values, Choice) else (values,)
    texts = [option.text for option in options if isinstance(option, Literal)]
    return texts if len(texts) == len(options) else []


def with_definitions(schema: Any, parameters: dict[str, Any]) -> Any:
    """An argument's schema, with what it may refer to."""
    if not isinstance(schema, dict):
        return schema
    known = {key: parameters[key] for key in ("$schema", "$defs", "definitions") if key in parameters}
    return {**known, **schema}
