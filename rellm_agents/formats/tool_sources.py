r"""Reads tools from what users have: LangChain tools, pydantic models, argument schemas by name, and the dicts of servers and APIs.

A dict is read in the forms of OpenAI's APIs, of Anthropic's, of Bedrock's and of MCP servers. What names no function of the caller's own,
such as ``{"type": "web_search"}``, is refused by its name. LangChain is not imported for any of this. Knows nothing of formats.

>>> mcp = {"name": "Geometry.area", "inputSchema": {"type": "object", "properties": {"side": {"type": "number"}}}}
>>> [(tool.name, list(tool.properties)) for tool in tools_of([mcp])]
[('Geometry.area', ['side'])]
>>> tools_of([{"type": "web_search"}])
Traceback (most recent call last):
  ...
rellm_agents.errors.FormatError: a local model cannot call 'web_search', ...
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from inspect import cleandoc
from types import ModuleType
from typing import Any

from rellm_agents.errors import FormatError, SchemaError
from rellm_agents.formats.tools import Tool, at_root, of_each
from rellm_agents.json_schema import SchemaLike, schema_of, type_objection

ToolsLike = Iterable[Any] | Mapping[str, SchemaLike]

_SCHEMA_KEYS = ("parameters", "input_schema", "inputSchema")
"""Under which of its keys a dict has the schema of a tool's arguments: of OpenAI, of Anthropic, of MCP and Bedrock."""
_OTHER_KEYS = frozenset(
    {
        *("name", "description", "type", "strict", "title", "annotations", "response", "metadata", "icons", "execution", "_meta", "extras"),
        *("outputSchema", "output_schema", "cache_control", "defer_loading", "allowed_callers", "input_examples"),
    }
)
"""Keys that say nothing of the arguments."""
_KINDS = (
    "pass LangChain tools, pydantic models, dicts in the form of OpenAI's, Anthropic's or Bedrock's API or of an MCP server, "
    "or a mapping of names to argument schemas"
)


def tools_of(tools: ToolsLike) -> tuple[Tool, ...]:
    """The tools, in the order given.

    Args:
        tools: LangChain tools, pydantic models (the class name is the tool's name), dicts as of OpenAI, Anthropic, Bedrock or MCP; one
            of these alone; or a mapping of names to argument schemas (whatever :func:`rellm_agents.compile_schema` takes). Arguments of
            ``{"type": "object"}`` without properties may be any, those of ``"properties": {}`` are none.

    Raises:
        FormatError: there is none, one is of an unknown kind, has a schema that is not of an object, or two have the same name. Names all
            of those that are no tools.
    """
    if isinstance(tools, Mapping) and not is_tool_dict(tools) and not _is_named_schema(tools):
        found = tuple(of_each(tools.items(), lambda one: tool_from_schema(one[0], None, one[1]), lambda one: one[0]))
    else:
        found = tuple(of_each(listed_tools(tools), _tool, name_of))
    if not found:
        raise FormatError("an agent without tools: pass at least one")
    names = [tool.name for tool in found]
    for name in names:
        if names.count(name) > 1:
            raise FormatError(f"two tools are named {name!r}: an agent tells them apart by their names")
    return found


def listed_tools(tools: Any) -> list[Any]:
    """The tools of a list, or one tool as a list; none of them is looked at.

    Args:
        tools: an iterable of tools, or one tool.

    Raises:
        FormatError: it is neither: names it.
    """
    if (
        isinstance(tools, type)
        or is_tool_dict(tools)
        or _is_named_schema(tools)
        or _has_schema(tools)
        or (callable(tools) and not isinstance(tools, Iterable))
    ):
        return [tools]
    if isinstance(tools, (str, bytes, ModuleType)) or not isinstance(tools, Iterable):
        raise FormatError(f"tools={tools!r}: {_what(tools)} is no list of tools: {_advice(tools)}")
    try:
        return list(tools)
    except TypeError as error:  # e.g. a tensor without dimensions
        raise FormatError(f"tools={tools!r}: {_what(tools)} is no list of tools: {_advice(tools)}") from error


def is_tool_dict(source: Any) -> bool:
    """Whether it is a dict that describes one tool, rather than a schema or a mapping of names to schemas."""
    if not isinstance(source, Mapping):
        return False
    function = source.get("function", source.get("toolSpec"))
    if isinstance(function, Mapping) and isinstance(function.get("name"), str):
        return True
    texts = {key: value for key in ("name", "type") if isinstance(value := source.get(key), str) and not value.lstrip().startswith("{")}
    return "name" in texts or ("title" not in source and "type" in texts and type_objection(texts["type"]) is not None)


def tool_of_dict(source: Mapping[str, Any]) -> Tool:
    """The tool that a dict describes, see :func:`is_tool_dict`.

    Args:
        source: in the form of OpenAI's, Anthropic's or Bedrock's API, or of an MCP server.

    Raises:
        FormatError: it describes no function, or its arguments are not those of an object: names the tool.
    """
    kind, inner = source.get("type"), source.get("function", source.get("toolSpec", source))
    function = inner if isinstance(inner, Mapping) else source
    name = function.get("name")
    key = next((key for key in _SCHEMA_KEYS if key in function), None)
    if not (kind in (None, "function") or (kind == "custom" and key)) or not isinstance(name, str):
        raise FormatError(
            f"a local model cannot call {name_of(source)!r}, which only the provider that defines it can run: leave it out of tools=, or "
            f"pass a function of your own in its place ({dict(source)!r})"
        )
    schema = None if key is None else function[key]
    if isinstance(schema, Mapping) and "json" in schema and function is not source:  # of Bedrock
        schema = schema["json"]
    unknown = [one for one, value in function.items() if one not in _OTHER_KEYS and isinstance(value, Mapping)] if key is None else []
    if unknown:
        raise FormatError(
            f"tool {name!r}: its arguments stand under none of {', '.join(_SCHEMA_KEYS)}, and {', '.join(map(repr, unknown))} is not "
            'known: put their JSON Schema under "parameters"'
        )
    return tool_from_schema(name, str(function.get("description") or ""), schema or {"type": "object", "properties": {}})


def name_of(source: Any) -> str:
    """The name of a tool in any form, for errors; of what is none, how it is shown."""
    match source:
        case {"function": {"name": str(name)}} | {"toolSpec": {"name": str(name)}} | {"name": str(name)}:
            return name
        case {"type": str(name)} | {"title": str(name)}:
            return name
    found = getattr(source, "name", None) or getattr(source, "__name__", None)
    return found if isinstance(found, str) else repr(source)


def _tool(source: Any) -> Tool:
    if isinstance(source, Tool):
        return source
    if isinstance(source, Mapping):
        if is_tool_dict(source):
            return tool_of_dict(source)
        if isinstance(title := source.get("title"), str):
            return tool_from_schema(title, None, source)
        raise FormatError(f'the schema {dict(source)!r} has no name to call it by: give it a "title", or pass {{name: schema}}')
    if isinstance(source, type) and hasattr(source, "model_json_schema") and not hasattr(source, "tool_call_schema"):
        return tool_from_schema(source.__name__, source.__doc__, source)
    if _has_schema(source) and not isinstance(source, type):
        if hasattr(source, "tool_call_schema"):
            tool = tool_from_schema(source.name, source.description, arguments_of(source))
            return replace(tool, takes_text=not isinstance(source.args_schema, dict))  # LangChain wants a mapping for those
        schema = source.inputSchema if hasattr(source, "inputSchema") else source.input_schema
        return tool_from_schema(source.name, source.description, dict(schema))
    raise FormatError(f"{source!r} is no tool that is known: {_advice(source)}")


def arguments_of(tool: Any) -> Any:
    """What describes the arguments of a LangChain tool: a JSON Schema, or the class of a model. They are those of ``tool.args``.

    A tool of one text (``Tool(name, func, description)``) has no schema, and LangChain derives one of how it calls the function.

    Args:
        tool: a LangChain tool.
    """
    schema = tool.tool_call_schema
    if tool.args_schema is not None:
        return schema
    arguments = tool.args
    if set(arguments) == set(schema.model_fields):
        return schema
    return {"type": "object", "properties": arguments, "required": list(arguments)}


def _has_schema(source: Any) -> bool:
    """Whether it is a tool of LangChain's, or one of a client of MCP servers."""
    return hasattr(source, "name") and any(hasattr(source, name) for name in ("tool_call_schema", "inputSchema", "input_schema"))


def _is_named_schema(source: Any) -> bool:
    """Whether it is the schema of one tool's arguments, with the tool's name as its title; else a mapping has schemas by names."""
    return isinstance(source, Mapping) and source.get("type") == "object" and isinstance(source.get("title"), str)


def _what(source: Any) -> str:
    return "a module" if isinstance(source, ModuleType) else f"a value of type {type(source).__name__}"


def _advice(source: Any) -> str:
    """How to make tools of something that is none."""
    if isinstance(source, ModuleType):
        return "pass a list of the tools in it"
    if isinstance(source, type) and hasattr(source, "tool_call_schema"):
        return f"pass an instance, {source.__name__}()"
    if hasattr(source, "get_tools"):
        return "pass what its get_tools() returns"
    if callable(source) and not isinstance(source, type):
        return f"make a tool of the function {getattr(source, '__name__', '')}, with langchain_core.tools.tool"
    return _KINDS


def tool_from_schema(name: str, description: str | None, schema: SchemaLike) -> Tool:
    """The tool of a name, a description and a schema of its arguments.

    Args:
        name: of the tool.
        description: ``None`` or empty: the description that stands in the schema.
        schema: whatever :func:`rellm_agents.compile_schema` takes.

    Raises:
        FormatError: it is no schema, or not the schema of an object.
    """
    try:
        parameters = schema_of(schema)
    except SchemaError as error:
        raise FormatError(f"tool {name!r}, arguments: {error}") from error
    if isinstance(parameters, dict) and "type" not in parameters:
        parameters = at_root(parameters)
    if isinstance(parameters, dict) and "type" not in parameters:
        parameters = {"type": "object", **parameters}  # arguments are an object, whatever a union is of
    if not isinstance(parameters, dict) or parameters.get("type") != "object":
        objection = type_objection(parameters["type"]) if isinstance(parameters, dict) and "type" in parameters else None
        found = objection or repr(parameters)
        raise FormatError(f'tool {name!r}: its arguments are described by a schema of "type": "object", not by {found}')
    return Tool(name, cleandoc(str(description or parameters.get("description") or "")).strip(), parameters)
