"""A tool's arguments one by one, for styles that write each by its name: key, schema, and whether it is required.

>>> from rellm_agents.formats.tool_sources import tools_of
>>> (tool,) = tools_of({"ask": {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]}})
>>> declared_arguments("qwen3_coder", tool)
(DeclaredArgument(key='q', schema={'type': 'string'}, is_required=True),)
"""

from __future__ import annotations

from itertools import combinations
from typing import Any, NamedTuple

from rellm_agents.errors import FormatError
from rellm_agents.formats.template import with_definitions
from rellm_agents.formats.tools import Tool, at_root
from rellm_agents.json_schema import has_instances
from rellm_agents.json_schema.source import ENFORCED

USE_HERMES = "use 'hermes'"
"""The advice at the end of an error: a message format that writes any arguments, as JSON."""

_BY_NAME = frozenset({"type", "properties", "required", "additionalProperties"})
_UNIONS = ("anyOf", "oneOf")


class DeclaredArgument(NamedTuple):
    """One argument of a tool."""

    key: str
    schema: Any
    is_required: bool


def declared_arguments(name: str, tool: Tool) -> tuple[DeclaredArgument, ...]:
    """The arguments that a tool's schema declares, in its order; of a union, those of all its branches, each once.

    Args:
        name: of the format, for errors.
        tool: any.

    Raises:
        FormatError: the schema restricts the arguments by more than a schema for each, and which are required; or an argument has
            different schemas in two branches of a union.
    """
    found: dict[str, DeclaredArgument] = {}
    for arguments in alternatives(name, tool):
        for one in arguments:
            if found.setdefault(one.key, one).schema != one.schema:
                raise FormatError(
                    f"{name}: tool {tool.name!r}: argument {one.key!r} has different schemas in two branches of the union, and this format "
                    f"reads each argument by its name: {USE_HERMES}"
                )
    return tuple(found.values())


def alternatives(name: str, tool: Tool) -> tuple[tuple[DeclaredArgument, ...], ...]:
    """The arguments that may be written together: one list, or one for each branch of a union, see :func:`declared_arguments`."""
    root = tool.parameters
    union = next((one for one in _UNIONS if one in root), None)
    if union is None:
        return (_arguments(name, tool, root),)
    rest = {key: value for key, value in root.items() if key != union}
    branches = [_with_branch(name, tool, rest, at_root({**with_definitions({}, root), **branch})) for branch in root[union] if branch]
    pairs = combinations(root[union], 2) if union == "oneOf" else ()
    if len(branches) < len(root[union]) or any(has_instances({**rest, "allOf": list(pair)}) for pair in pairs):
        raise _not_by_name(name, tool, [union])
    return tuple(_arguments(name, tool, branch) for branch in branches)


def _with_branch(name: str, tool: Tool, root: dict[str, Any], branch: dict[str, Any]) -> dict[str, Any]:
    """The schema of one branch of a union, with what stands beside the union."""
    if other := [key for key in branch if key in ENFORCED and key not in _BY_NAME]:
        raise _not_by_name(name, tool, other)
    properties, own = dict(root.get("properties", {})), branch.get("properties", {})
    for key, schema in own.items():
        both = {"allOf": [properties[key], schema]} if properties.get(key, schema) != schema else schema
        properties[key] = both if key in properties or root.get("additionalProperties") is not False else False
    if branch.get("additionalProperties") is False:
        properties = {key: schema if key in own else False for key, schema in properties.items()}
    return {**root, "properties": properties, "required": [*root.get("required", ()), *branch.get("required", ())]}


def _arguments(name: str, tool: Tool, parameters: dict[str, Any]) -> tuple[DeclaredArgument, ...]:
    """The arguments of an object; without those that are not required and have no values."""
    properties, required = parameters.get("properties", {}), parameters.get("required", ())
    unknown = [key for key in parameters if key in ENFORCED and key not in _BY_NAME]
    if not isinstance(parameters.get("additionalProperties", False), bool):
        unknown.append("additionalProperties")
    unknown += [f"required: {key}" for key in required if key not in properties]
    if unknown:
        raise _not_by_name(name, tool, unknown)
    found = [DeclaredArgument(key, with_definitions(schema, tool.parameters), key in required) for key, schema in properties.items()]
    return tuple(one for one in found if one.is_required or has_instances(one.schema))


def _not_by_name(name: str, tool: Tool, unknown: list[str]) -> FormatError:
    return FormatError(
        f'{name}: tool {tool.name!r}: this format writes arguments one by one, as "properties" and "required" declare them, and '
        f"cannot enforce {', '.join(map(repr, unknown))}: {USE_HERMES}"
    )
