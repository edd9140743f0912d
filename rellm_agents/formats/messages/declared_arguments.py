"""A tool in, its arguments one by one out, for styles that write each by its name: key, schema, whether it is required.

>>> from rellm_agents.formats.tools import tools_of
>>> (tool,) = tools_of({"ask": {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]}})
>>> declared_arguments("qwen3_coder", tool)
(DeclaredArgument(key='q', schema={'type': 'string'}, is_required=True),)
"""

from __future__ import annotations

from typing import Any, NamedTuple

from rellm_agents.errors import FormatError
from rellm_agents.formats.template import with_definitions
from rellm_agents.formats.tools import Tool

ELSEWHERE = "use 'hermes'"
_SAID = frozenset({"type", "properties", "required", "additionalProperties", "$schema", "$defs", "definitions"})
_UNSAID = frozenset({"title", "description", "default", "examples", "deprecated", "$comment"})


class DeclaredArgument(NamedTuple):
    """One argument of a tool."""

    key: str
    schema: Any
    is_required: bool


def declared_arguments(name: str, tool: Tool) -> tuple[DeclaredArgument, ...]:
    """The arguments of a tool, in the order of its schema; none that are not declared.

    Args:
        name: of the format, for errors.
        tool: any.

    Raises:
        FormatError: the schema says more of the arguments than what each of them is, and which are required.
    """
    unknown = [key for key in tool.parameters if key not in _SAID | _UNSAID]
    if not isinstance(tool.parameters.get("additionalProperties", False), bool):
        unknown.append("additionalProperties")
    unknown += [f"required: {key}" for key in tool.parameters.get("required", ()) if key not in tool.properties]
    if unknown:
        raise FormatError(
            f'{name}: tool {tool.name!r}: this format writes arguments one by one, as "properties" and "required" declare them, and '
            f"cannot enforce {', '.join(map(repr, unknown))}: {ELSEWHERE}"
        )
    required = tool.parameters.get("required", ())
    return tuple(
        DeclaredArgument(key, with_definitions(schema, tool.parameters), key in required) for key, schema in tool.properties.items()
    )
