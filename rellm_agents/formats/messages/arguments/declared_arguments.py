"""A tool's arguments one by one, for styles that write each by its name: key, schema, and whether it is required.

>>> from rellm_agents.formats.tool_sources import tools_of
>>> (tool,) = tools_of({"ask": {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]}})
>>> declared_arguments("qwen3_coder", tool)
(DeclaredArgument(key='q', schema={'type': 'string'}, is_required=True),)
"""

from __future__ import annotations

from typing import Any, NamedTuple

from rellm_agents.errors import FormatError
from rellm_agents.formats.template import with_definitions
from rellm_agents.formats.tools import Tool

USE_HERMES = "use 'hermes'"
"""The advice at the end of an error: a message format that writes any arguments, as JSON."""

_ENFORCED = frozenset({"type", "properties", "required", "additionalProperties", "$schema", "$defs", "definitions"})
_ANNOTATIONS = frozenset({"title", "description", "default", "examples", "deprecated", "$comment"})


class DeclaredArgument(NamedTuple):
    """One argument of a tool."""

    key: str
    schema: Any
    is_required: bool


def declared_arguments(name: str, tool: Tool) -> tuple[DeclaredArgument, ...]:
    """The arguments that a tool's schema declares, in its order.

    Args:
        name: of the format, for errors.
        tool: any.

    Raises:
        FormatError: the schema restricts the arguments by more than a schema for each, and which are required.
    """
    required = tool.parameters.get("required", ())
    unknown = [key for key in tool.parameters if key not in _ENFORCED | _ANNOTATIONS]
    if not isinstance(tool.parameters.get("additionalProperties", False), bool):
        unknown.append("additionalProperties")
    unknown += [f"required: {key}" for key in required if key not in tool.properties]
    if unknown:
        raise FormatError(
            f'{name}: tool {tool.name!r}: this format writes arguments one by one, as "properties" and "required" declare them, and '
            f"cannot enforce {', '.join(map(repr, unknown))}: {USE_HERMES}"
        )
    return tuple(
        DeclaredArgument(key, with_definitions(schema, tool.parameters), key in required) for key, schema in tool.properties.items()
    )
