"""Tools as formats need them: a name, a description and a JSON Schema of the arguments. Knows nothing of formats.

>>> hour = {"type": "object", "properties": {"hour": {"type": "integer"}, "minute": {"type": "integer"}}}
>>> Tool("alarm", "Rings.", hour).ordered({"minute": 30, "hour": 7})
{'hour': 7, 'minute': 30}
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeVar
from urllib.parse import unquote

from rellm_agents.errors import FormatError, SchemaError, UnfitTools
from rellm_agents.json_schema import Whitespace, compile_schema, schema_node, unwritten_nulls, without_titles
from rellm_agents.json_schema.text import Layout
from rellm_agents.patterns import Node

_Source = TypeVar("_Source")
_Made = TypeVar("_Made")


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
        takes_text: its executor runs it with a text in place of a mapping of its one argument.
    """

    name: str
    description: str
    parameters: dict[str, Any]
    takes_text: bool = True

    @property
    def properties(self) -> dict[str, Any]:
        """The schema of each argument."""
        found: dict[str, Any] = self.parameters.get("properties", {})
        return found

    @property
    def narrowed(self) -> tuple[str, ...]:
        """What of the schema is not written although it may be meant, each with its place."""
        return tuple(f"tool {self.name!r}, {line}" for line in unwritten_nulls(self.parameters))

    @property
    def _names(self) -> list[str]:
        """The names of all arguments, also of those that only a branch of a union has."""
        known: dict[str, Any] = {key: self.parameters[key] for key in ("$defs", "definitions") if key in self.parameters}
        branches = [one for key in ("allOf", "anyOf", "oneOf") for one in self.parameters.get(key, ()) if isinstance(one, dict)]
        parts = [self.parameters, *(at_root({**known, **one}) for one in branches)]
        return list(dict.fromkeys(name for one in parts for name in one.get("properties", {})))

    @property
    def definition(self) -> dict[str, Any]:
        """The tool as chat templates take it, and as many models were trained to read it; without titles."""
        parameters = without_titles(self.parameters)
        return {"type": "function", "function": {"name": self.name, "description": self.description, "parameters": parameters}}

    def ordered(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments in the order of the schema, which is the order they are written in."""
        place = {name: number for number, name in enumerate(self._names)}
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


def of_each(tools: Iterable[_Source], make: Callable[[_Source], _Made], name: Callable[[_Source], str]) -> list[_Made]:
    """What is made of each of some tools.

    Args:
        tools: in any form.
        make: raises a :class:`FormatError` for a tool that it cannot be made of.
        name: of a tool.

    Raises:
        UnfitTools: it cannot be made of some of several tools: names all of them.
        FormatError: it cannot be made of the only one.
    """
    sources, found, unfit = list(tools), [], dict[str, str]()
    for one in sources:
        try:
            found.append(make(one))
        except FormatError as error:
            if len(sources) == 1:
                raise
            unfit[name(one)] = str(error)
    if unfit:
        raise UnfitTools(unfit, len(found) + len(unfit))  # each name once
    return found


def at_root(schema: dict[str, Any]) -> dict[str, Any]:
    """The definition that a schema refers to, with its other keys: pydantic writes models that hold themselves in this way."""
    _, place, name = f"{unquote(str(schema.get('$ref', '')))}//".split("/", 2)
    target = schema.get(place, {}).get(name.removesuffix("//")) if place in ("$defs", "definitions") else None
    return {**target, **{key: value for key, value in schema.items() if key != "$ref"}} if isinstance(target, dict) else schema
