"""Converts tools and answer types, in all forms that LangChain knows, to complete JSON Schemas.

LangChain's own conversion is made for servers that support less: it empties a schema without ``properties`` and cuts recursive schemas
short. This module uses that conversion only for names, descriptions and the forms that only LangChain knows.

>>> answer_schema({"type": "array", "items": {"type": "integer"}}).schema
{'type': 'array', 'items': {'type': 'integer'}}
>>> openai_tool({"title": "pick", "description": "Any.", "patternProperties": {"^x": {"title": "X", "type": "null"}}})["function"]
{'name': 'pick', 'description': 'Any.', 'parameters': {'patternProperties': {'^x': {'type': 'null'}}}}
"""

from __future__ import annotations

import dataclasses
from enum import Enum
from types import UnionType
from typing import Any, Union, get_args, get_origin, is_typeddict

from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_json_schema, convert_to_openai_tool
from langchain_core.utils.json_schema import dereference_refs
from langchain_core.utils.pydantic import is_basemodel_subclass
from typing_extensions import TypeAliasType

from rellm_agents.errors import UnsatisfiableSchema
from rellm_agents.json_schema import TypeSchema, endless_property, with_all_properties, with_integer_members, without_titles
from rellm_agents.langchain.model_schema import model_schema

_VALUES = frozenset({"builtins", "datetime", "decimal", "uuid"})  # modules of types that pydantic reads
_TOOL_KEYS = frozenset({"parameters", "input_schema", "toolSpec", "function"})


def answer_schema(source: Any) -> TypeSchema:
    """The JSON Schema of answers, and the reasons why the type may reject one of them.

    Args:
        source: a pydantic model, a dataclass, a TypedDict or another type, a JSON Schema, or a tool in any of the forms that LangChain
            knows.

    Raises:
        ValueError: LangChain cannot convert the source, or it is a type without a JSON Schema.
    """
    if is_json_schema(source):
        return TypeSchema(with_integer_members(source))
    if is_type(source):
        return model_schema(source)
    return TypeSchema(_typed_dict_schema(source) or convert_to_json_schema(source))


def openai_tool(source: Any) -> dict[str, Any]:
    """A tool in the form of OpenAI's API.

    Args:
        source: anything that LangChain can convert to a tool.

    Raises:
        ValueError: it cannot be converted.
    """
    schema = _arguments_schema(source)
    if schema is None:
        return convert_to_openai_tool(source)
    is_named = isinstance(source, (dict, BaseTool)) or is_model(source)
    tool = convert_to_openai_tool(source if is_named else {**schema, "title": source.__name__})
    tool["function"]["parameters"] = without_titles(
        {key: value for key, value in _without_references(schema).items() if key != "description"}
    )
    return tool


def is_json_schema(source: Any) -> bool:
    """Whether it is a mapping that is a JSON Schema, and not the description of a tool."""
    return isinstance(source, dict) and _TOOL_KEYS.isdisjoint(source)


def is_model(source: Any) -> bool:
    """Whether it is the class of a pydantic model, of version 1 or 2."""
    return isinstance(source, type) and is_basemodel_subclass(source)


def is_type(source: Any) -> bool:
    """Whether answers are objects of this type: a model, a dataclass, a builtin, or a type that is made of others, such as a union."""
    if is_model(source) or is_dataclass(source) or get_origin(source) is not None or isinstance(source, TypeAliasType):
        return True
    return isinstance(source, type) and (issubclass(source, Enum) or source.__module__ in _VALUES) and not is_typeddict(source)


def with_every_argument(tool: dict[str, Any]) -> dict[str, Any]:
    """A tool in the form of OpenAI's API whose calls give every declared argument.

    Raises:
        UnsatisfiableSchema: as :func:`with_every_property`.
    """
    function = tool["function"]
    return {**tool, "function": {**function, "parameters": with_every_property(function.get("parameters") or {})}}


def members_of(source: Any) -> tuple[Any, ...]:
    """The types of which an answer is one: those of a union, else the type itself."""
    while isinstance(source, TypeAliasType):
        source = source.__value__
    return get_args(source) if get_origin(source) in (Union, UnionType) else (source,)


def with_every_property(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with every declared property required, as APIs read ``strict=True``.

    Raises:
        UnsatisfiableSchema: a property contains itself, so that it never ends: names it.
    """
    changed = with_all_properties(schema)
    if (endless := endless_property(changed)) is not None:
        raise UnsatisfiableSchema(
            endless[0], f"with strict=True this property is always written, and contains {endless[1]} again, without end: allow null for it"
        )
    return changed  # type: ignore[return-value]  # a dict stays one


def is_dataclass(source: Any) -> bool:
    """Whether it is a dataclass, and not an instance of one."""
    return isinstance(source, type) and dataclasses.is_dataclass(source)


def _arguments_schema(source: Any) -> dict[str, Any] | None:
    """The complete schema of a tool's arguments; ``None`` for forms that only LangChain can convert."""
    match source:
        case dict() if "title" in source and "name" not in source and is_json_schema(source):
            return source
        case BaseTool() if source.args_schema is not None:
            schema = source.tool_call_schema
            return schema if isinstance(schema, dict) else model_schema(schema).schema
    return model_schema(source).schema if is_model(source) or is_dataclass(source) else _typed_dict_schema(source)


def _typed_dict_schema(source: Any) -> dict[str, Any] | None:
    """The schema of a TypedDict that LangChain cannot convert, e.g. one with ``NotRequired``; else ``None``."""
    if not hasattr(source, "__required_keys__"):
        return None
    try:
        convert_to_json_schema(source)
    except TypeError:
        return model_schema(source).schema
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
