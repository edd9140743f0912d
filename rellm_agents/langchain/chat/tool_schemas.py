"""Converts tools and answer types, in all forms that LangChain knows, to complete JSON Schemas.

LangChain's own conversion is made for servers that support less: it empties a schema without ``properties`` and cuts recursive schemas
short. This module uses that conversion only for names, descriptions and the forms that only LangChain knows.

>>> answer_schema({"type": "array", "items": {"type": "integer"}})
({'type': 'array', 'items': {'type': 'integer'}}, ())
>>> openai_tool({"title": "pick", "description": "Any.", "patternProperties": {"^x": {"title": "X", "type": "null"}}})["function"]
{'name': 'pick', 'description': 'Any.', 'parameters': {'patternProperties': {'^x': {'type': 'null'}}}}
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable
from typing import Any, Literal, TypeVar

from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_json_schema, convert_to_openai_tool
from langchain_core.utils.json_schema import dereference_refs
from langchain_core.utils.pydantic import is_basemodel_subclass

from rellm_agents.errors import UnfitTools
from rellm_agents.formats import arguments_of, is_tool_dict, listed_tools, name_of, of_each, tools_of
from rellm_agents.json_schema import without_titles
from rellm_agents.langchain.model_schema import model_schema

Unfit = Literal["refuse", "leave_out"]
_Made = TypeVar("_Made")
_TOOL_KEYS = frozenset({"parameters", "input_schema", "toolSpec", "function"})


def answer_schema(source: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The JSON Schema of answers, and the reasons why the type may reject one of them.

    Args:
        source: a pydantic model, a dataclass, a TypedDict, a JSON Schema, or a tool in any of the forms that LangChain knows.

    Returns:
        The schema; and the reasons, as :func:`model_schema` lists them.

    Raises:
        ValueError: LangChain cannot convert the source.
    """
    if is_json_schema(source):
        return source, ()
    if is_dataclass(source) or is_model(source):
        schema, rejections = model_schema(source)
        return schema, rejections if hasattr(source, "__pydantic_core_schema__") or is_dataclass(
            source
        ) else ()  # not listed for pydantic v1, where every model has one
    return _typed_dict_schema(source) or convert_to_json_schema(source), ()


def openai_tool(source: Any) -> dict[str, Any]:
    """A tool in the form of OpenAI's API.

    Args:
        source: anything that LangChain can convert to a tool, or a tool of an MCP server.

    Raises:
        ValueError: it cannot be converted; a :class:`FormatError` names a tool that only a provider can run.
    """
    if _is_openai_function(source):
        return source  # type: ignore[no-any-return]
    if not _is_convertible(source):
        (read,) = tools_of([source])
        return read.definition
    schema = _arguments_schema(source)
    if schema is None:
        return convert_to_openai_tool(source)
    is_named = isinstance(source, (dict, BaseTool)) or is_model(source)
    tool: dict[str, Any] = convert_to_openai_tool(source if is_named else {**schema, "title": source.__name__})
    tool["function"]["parameters"] = without_titles(
        {key: value for key, value in _without_references(schema).items() if key != "description"}
    )
    return tool


def openai_tools(sources: Any, unfit: Unfit = "refuse") -> list[dict[str, Any]]:
    """Tools in the form of OpenAI's API.

    Args:
        sources: a list of tools, each as of :func:`openai_tool`, or one of them.
        unfit: see :func:`each_fit`.

    Raises:
        ValueError: one cannot be converted; an :class:`UnfitTools` names all that only a provider can run, or that are no tools.
    """
    return each_fit(listed_tools(sources), lambda tools: of_each(tools, openai_tool, name_of), unfit)[1]


def each_fit(tools: list[Any], make: Callable[[list[Any]], _Made], unfit: Unfit) -> tuple[list[Any], _Made]:
    """The tools that something can be made of, and what is made.

    Args:
        tools: in any form.
        make: raises an :class:`UnfitTools` for those that it cannot be made of.
        unfit: ``"refuse"``: so does this; ``"leave_out"``: they are left out, with a warning that names each, unless none is left.
    """
    while True:
        try:
            return tools, make(tools)
        except UnfitTools as error:
            if unfit == "refuse":
                raise UnfitTools(error.reasons, error.count, ", or pass unfit_tools='leave_out'") from error
            fit = [one for one in tools if name_of(one) not in error.reasons]
            if not fit or len(fit) == len(tools):
                raise
            tools = fit
            for name, reason in error.reasons.items():
                warnings.warn(f"the tool {name!r} is left out, the model cannot call it: {reason}", stacklevel=2)


def _is_openai_function(source: Any) -> bool:
    """Whether it is a function in the form of OpenAI's API already."""
    match source:
        case {"type": "function", "function": {"name": str()}}:
            return True
    return False


def _is_convertible(source: Any) -> bool:
    """Whether LangChain converts it to a tool that has its arguments."""
    if isinstance(source, type):
        return not issubclass(source, BaseTool)
    if isinstance(source, dict):
        return "title" in source and not is_tool_dict(source)
    return isinstance(source, BaseTool) or callable(source)


def is_json_schema(source: Any) -> bool:
    """Whether it is a mapping that is a JSON Schema, and not the description of a tool."""
    return isinstance(source, dict) and _TOOL_KEYS.isdisjoint(source)


def is_model(source: Any) -> bool:
    """Whether it is the class of a pydantic model, of version 1 or 2."""
    return isinstance(source, type) and is_basemodel_subclass(source)


def is_dataclass(source: Any) -> bool:
    """Whether it is a dataclass, and not an instance of one."""
    return isinstance(source, type) and dataclasses.is_dataclass(source)


def _arguments_schema(source: Any) -> dict[str, Any] | None:
    """The complete schema of a tool's arguments; ``None`` for forms that only LangChain can convert."""
    match source:
        case dict() if "title" in source and "name" not in source and is_json_schema(source):
            return source
        case BaseTool():
            schema = arguments_of(source)
            return schema if isinstance(schema, dict) else model_schema(schema)[0]
    return model_schema(source)[0] if is_model(source) or is_dataclass(source) else _typed_dict_schema(source)


def _typed_dict_schema(source: Any) -> dict[str, Any] | None:
    """The schema of a TypedDict that LangChain cannot convert, e.g. one with ``NotRequired``; else ``None``."""
    if not hasattr(source, "__required_keys__"):
        return None
    try:
        convert_to_json_schema(source)
    except TypeError:
        return model_schema(source)[0]
    return None


def _without_references(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with references replaced by what they refer to, unless it is recursive."""
    if "$defs" not in schema and "definitions" not in schema:
        return schema
    if _refers_to_itself(schema):
        return schema
    return {key: value for key, value in dereference_refs(schema).items() if key not in ("$defs", "definitions")}


def _refers_to_itself(schema: dict[str, Any]) -> bool:
    definitions = {f"#/{where}/{name}": one for where in ("$defs", "definitions") for name, one in schema.get(where, {}).items()}

    def reaches(part: Any, above: frozenset[str]) -> bool:
        if isinstance(part, list):
            return any(reaches(one, above) for one in part)
        if not isinstance(part, dict):
            return False
        target = part.get("$ref")
        if isinstance(target, str) and (target in above or target not in definitions or reaches(definitions[target], above | {target})):
            return True
        return any(reaches(value, above) for key, value in part.items() if key not in ("$defs", "definitions"))

    return reaches(schema, frozenset())
