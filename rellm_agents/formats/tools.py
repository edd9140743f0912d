"""Tools as formats need them: a name, a description and a JSON Schema of the arguments, read from what users have.

Users have LangChain tools (anything with ``name``, ``description`` and ``tool_call_schema``), pydantic models, and
mappings of names to argument schemas; LangChain is not imported for it. Knows nothing of formats.

>>> [tool.name for tool in tools_of({"search": {"type": "object", "properties": {"query": {"type": "string"}}}})]
['search']
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from inspect import cleandoc
from typing import Any, Self

from rellm_agents.errors import FormatError, SchemaError
from rellm_agents.json_schema import SchemaLike, Whitespace, compile_schema, schema_node, schema_of, without_titles
from rellm_agents.json_schema.text import Layout
from rellm_agents.patterns import Node

ToolsLike = Iterable[Any] | Mapping[str, SchemaLike]


class Rewritten(str):
    """A name that is written otherwise than it is meant, for a prompt.

    Attributes:
        meant: the name of a tool or an argument.

    >>> name = Rewritten("se*arch", "search")
    >>> f"{name} means {meant(name)}", meant("plain")
    ('se*arch means search', 'plain')
    """

    meant: str
    __slots__ = ("meant",)

    def __new__(cls, text: str, meant: str) -> Self:
        """A text in place of a name."""
        made = super().__new__(cls, text)
        made.meant = meant
        return made


def meant(name: str) -> str:
    """The name that is meant, however it is written."""
    return name.meant if isinstance(name, Rewritten) else name


@dataclass(frozen=True)
class Tool:
    """A tool, as formats need it. Immutable.

    Attributes:
        name: its name, as the executor knows it.
        description: one or more sentences for the prompt.
        parameters: JSON Schema of its arguments, of type object.
    """

    name: str
    description: str
    parameters: dict[str, Any]

    @property
    def properties(self) -> dict[str, Any]:
        """The schema of each argument."""
        found: dict[str, Any] = self.parameters.get("properties", {})
        return found

    @property
    def definition(self) -> dict[str, Any]:
        """The tool as chat templates take it, and as many models were trained to read it; without titles."""
        parameters = without_titles(self.parameters)
        return {"type": "function", "function": {"name": self.name, "description": self.description, "parameters": parameters}}

    def ordered(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments in the order of the schema, which is the order they are written in."""
        place = {name: number for number, name in enumerate(self.properties)}
        return {name: arguments[name] for name in sorted(arguments, key=lambda name: place.get(meant(name), len(place)))}

    def arguments_node(self, whitespace: Whitespace, *, without: Sequence[str] = ()) -> Node:
        """The JSON text of the arguments, without undeclared ones unless the schema speaks of them.

        Args:
            whitespace: the style of the text.
            without: texts that no string holds as they are, as for :func:`rellm_agents.compile_schema`.

        Raises:
            FormatError: the schema cannot be compiled; names the tool and the place.
        """
        return self._compile(lambda parameters: compile_schema(parameters, whitespace=whitespace, closed=True, without=without).node)

    def arguments_in_layout(self, layout: Layout) -> Node:
        """The arguments as :meth:`arguments_node` has them, in a layout that is not JSON's.

        Raises:
            FormatError: the schema cannot be compiled for this layout; names the tool and the place.
        """
        return self._compile(lambda parameters: schema_node(parameters, layout))

    def _compile(self, compile_: Callable[[dict[str, Any]], Node]) -> Node:
        parameters = self.parameters
        if parameters.get("properties") == {}:  # so tools without arguments are described: it does not mean any arguments
            parameters = {"additionalProperties": False, **parameters}
        try:
            return compile_(parameters)
        except SchemaError as error:
            raise FormatError(f"tool {self.name!r}, arguments: {error}") from error


def tools_of(tools: ToolsLike) -> tuple[Tool, ...]:
    """The tools, in the order given.

    Args:
        tools: LangChain tools, pydantic models (the class name is the tool's name), or a mapping of names to argument
            schemas (whatever :func:`rellm_agents.compile_schema` takes).

    Raises:
        FormatError: there is none, one is of an unknown type, has a schema that is not of an object, or two have the same name.
    """
    found = tuple(_from_mapping(tools) if isinstance(tools, Mapping) else map(_tool, tools))
    if not found:
        raise FormatError("an agent without tools: pass at least one")
    names = [tool.name for tool in found]
    for name in names:
        if names.count(name) > 1:
            raise FormatError(f"two tools are named {name!r}: an agent tells them apart by their names")
    return found


def _from_mapping(tools: Mapping[str, SchemaLike]) -> Iterable[Tool]:
    for name, schema in tools.items():
        yield tool_from_schema(name, None, schema)


def _tool(source: Any) -> Tool:
    if isinstance(source, Tool):
        return source
    if isinstance(source, type) and hasattr(source, "model_json_schema"):
        return tool_from_schema(source.__name__, source.__doc__, source)
    if hasattr(source, "name") and hasattr(source, "tool_call_schema"):
        return tool_from_schema(source.name, source.description, source.tool_call_schema)
    raise FormatError(
        f"{source!r} is no tool that is known: pass LangChain tools, pydantic models, or a mapping of names to argument schemas"
    )


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
        parameters = _at_root(parameters)
    if not isinstance(parameters, dict) or parameters.get("type") != "object":
        raise FormatError(f'tool {name!r}: its arguments are described by a schema of "type": "object", not by {parameters!r}')
    return Tool(name, cleandoc(str(description or parameters.get("description") or "")).strip(), parameters)


def _at_root(schema: dict[str, Any]) -> dict[str, Any]:
    """The definition that a schema refers to, with its other keys: pydantic writes models that hold themselves in this way."""
    name = str(schema.get("$ref", "")).removeprefix("#/$defs/")
    target = schema.get("$defs", {}).get(name)
    return {**target, **{key: value for key, value in schema.items() if key != "$ref"}} if isinstance(target, dict) else schema
