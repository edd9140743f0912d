"""What users describe answers and tools with in, the whole of their JSON Schemas out.

LangChain's own conversion is made for servers that take less: of a schema without ``properties`` it keeps nothing, and what refers to
itself it cuts off. Here it is asked for names, descriptions and the kinds that only it knows.

>>> answer_schema({"type": "array", "items": {"type": "integer"}})
({'type': 'array', 'items': {'type': 'integer'}}, ())
>>> described_tool({"title": "pick", "description": "Any.", "patternProperties": {"^x": {"title": "X", "type": "null"}}})["function"]
{'name': 'pick', 'description': 'Any.', 'parameters': {'patternProperties': {'^x': {'type': 'null'}}}}
"""

from __future__ import annotations

import dataclasses
from typing import Any

from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_json_schema, convert_to_openai_tool
from langchain_core.utils.json_schema import dereference_refs
from langchain_core.utils.pydantic import is_basemodel_subclass

from rellm_agents.json_schema.source import SUBSCHEMA_KEYWORDS, Subschemas
from rellm_agents.langchain.output_parsers import described

_TOOL_WORDS = frozenset({"parameters", "input_schema", "toolSpec", "function"})


def answer_schema(source: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The JSON Schema of answers, and what is asked of them beyond it.

    Args:
        source: a pydantic model, a dataclass, a TypedDict, a JSON Schema, or a tool in any of the forms that LangChain knows.

    Returns:
        The schema; and each place with the reason.

    Raises:
        ValueError: it describes nothing that is known.
    """
    if is_json_schema(source):
        return source, ()
    if is_dataclass(source) or is_model(source):
        schema, beyond = described(source)
        return schema, beyond if hasattr(source, "__pydantic_core_schema__") or is_dataclass(source) else ()  # all could be, of pydantic v1
    return _typed_dict(source) or convert_to_json_schema(source), ()


def described_tool(source: Any) -> dict[str, Any]:
    """A tool as OpenAI's API describes it.

    Args:
        source: what LangChain makes tools of.

    Raises:
        ValueError: it is no tool.
    """
    schema = _arguments(source)
    if schema is None:
        return convert_to_openai_tool(source)
    is_named = isinstance(source, (dict, BaseTool)) or is_model(source)
    tool = convert_to_openai_tool(source if is_named else {**schema, "title": source.__name__})
    tool["function"]["parameters"] = untitled({key: value for key, value in _inlined(schema).items() if key != "description"})
    return tool


def is_json_schema(source: Any) -> bool:
    """Whether a mapping is one, and no tool."""
    return isinstance(source, dict) and _TOOL_WORDS.isdisjoint(source)


def is_model(source: Any) -> bool:
    """Whether it is a pydantic model, of either version."""
    return isinstance(source, type) and is_basemodel_subclass(source)


def is_dataclass(source: Any) -> bool:
    """Whether it is a dataclass itself."""
    return isinstance(source, type) and dataclasses.is_dataclass(source)


def untitled(schema: Any) -> Any:
    """The same without titles, as models are shown it."""
    if not isinstance(schema, dict):
        return schema
    found: dict[str, Any] = {}
    for keyword, value in schema.items():
        match SUBSCHEMA_KEYWORDS.get(keyword), value:
            case _ if keyword == "title":
                continue
            case Subschemas.NAMED, dict():
                found[keyword] = {name: untitled(one) for name, one in value.items()}
            case ((Subschemas.ONE | Subschemas.LIST), list()):
                found[keyword] = [untitled(one) for one in value]
            case Subschemas.ONE, _:
                found[keyword] = untitled(value)
            case _:
                found[keyword] = value
    return found


def _arguments(source: Any) -> dict[str, Any] | None:
    """The schema of a tool's arguments, where it is known without LangChain's conversion."""
    match source:
        case dict() if "title" in source and "name" not in source and is_json_schema(source):
            return source
        case BaseTool() if source.args_schema is not None:
            schema = source.tool_call_schema
            return schema if isinstance(schema, dict) else described(schema)[0]
    return described(source)[0] if is_model(source) or is_dataclass(source) else _typed_dict(source)


def _typed_dict(source: Any) -> dict[str, Any] | None:
    """The schema of a TypedDict that LangChain does not convert, as of one with ``NotRequired``."""
    if not hasattr(source, "__required_keys__"):
        return None
    try:
        convert_to_json_schema(source)
    except TypeError:
        return described(source)[0]
    return None


def _inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """The same without references, if they end."""
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
