r"""Tells tools in a prompt as signatures, with types, defaults and descriptions of arguments: half of the tokens of JSON Schemas, or less.

Types are written as in TypeScript. What has no short form there is told as its JSON Schema, so that nothing of it is lost. Knows nothing
of formats.

>>> from rellm_agents.formats.tool_sources import tools_of
>>> hour = {"type": "integer", "minimum": 0, "maximum": 23, "description": "On a clock of 24."}
>>> alarm = {"type": "object", "properties": {"hour": hour, "label": {"type": "string"}}, "required": ["hour"]}
>>> print(signatures_of(tools_of({"set_alarm": alarm, "now": {"type": "object", "description": "The time.", "properties": {}}})))
set_alarm(hour: integer, label?: string)
  hour: On a clock of 24. (minimum 0, maximum 23)
now() - The time.
Arguments marked with ? may be left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from rellm_agents.formats.tools import Tool
from rellm_agents.json_schema import without_titles

_OPTIONAL = "Arguments marked with ? may be left out."
_IDENTIFIER = re.compile(r"[^\W\d]\w*")
_DEFINITION = re.compile(r"#/(?P<where>\$defs|definitions)/(?P<name>[^\W\d]\w*)")
_REFERENCE = re.compile(r'"\$ref": "([^"]*)"')
_ANNOTATIONS = frozenset({"$defs", "$schema", "default", "definitions", "deprecated", "description", "examples", "readOnly", "title"})
_OF_OBJECTS = frozenset({"type", "properties", "required", "additionalProperties"})
_CONDITIONS = (
    *("format", "pattern", "minLength", "maxLength", "minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", "multipleOf"),
    *("minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties"),
)
"""Keywords that are told behind the description of an argument, in this order."""


def signatures_of(tools: Iterable[Tool], *, as_text: bool = False) -> str:
    """The tools as lines of a prompt: a signature each, and a line for each argument that is described or has conditions.

    Args:
        tools: in the order in which they are told.
        as_text: of a format that writes the one argument of a tool as plain text: it is always written, and has no quotes.
    """
    found = [_Signature(tool, as_text=as_text) for tool in tools]
    lines = [one.text for one in found]
    return "\n".join([*lines, _OPTIONAL] if any(one.has_optional for one in found) else lines)


def schemas_of(tools: Iterable[Tool]) -> str:
    """The tools as lines of a prompt: each in the form of OpenAI's API, with the JSON Schema of its arguments.

    Args:
        tools: in the order in which they are told.
    """
    return "\n".join(json.dumps(_described(tool.definition), ensure_ascii=False) for tool in tools)


def _described(definition: dict[str, Any]) -> dict[str, Any]:
    """A definition that says once what the tool is for, if anything."""
    function = {key: value for key, value in definition["function"].items() if value != ""}
    function["parameters"] = {key: value for key, value in function["parameters"].items() if key != "description"}
    return {**definition, "function": function}


class _Signature:
    """The signature of one tool.

    Attributes:
        text: its lines.
        has_optional: an argument, or a property inside of one, may be left out.
    """

    def __init__(self, tool: Tool, *, as_text: bool) -> None:
        self._as_text = as_text
        self._parameters = without_titles(tool.parameters)
        self._notes: dict[str, list[str]] = {}  # what types do not say, by the path of the argument
        self._named: dict[str, str] = {}  # the pointers of the definitions that are referred to, by their names
        self._is_complete = True
        self.has_optional = False
        arguments, types = self._arguments(), self._named_types()
        if not self._is_complete:
            arguments, types, self._notes, self.has_optional = self._schema_of_arguments(), [], {}, False
        described = f" - {tool.description}" if tool.description else ""
        self.text = "\n".join([_indented(f"{tool.name}{arguments}{described}", ""), *self._lines(), *types])

    def _lines(self) -> list[str]:
        return [_indented(f"{path}: {' '.join(words)}", "  ") for path, words in self._notes.items() if words]

    def _arguments(self) -> str:
        parameters = self._parameters
        if parameters.keys() - _ANNOTATIONS - _OF_OBJECTS or not _is_plain_object(parameters):
            return self._schema_of_arguments()
        return f"({', '.join(self._members(parameters, '', is_closed='properties' in parameters))})"

    def _schema_of_arguments(self) -> str:
        schema = {key: value for key, value in self._parameters.items() if key != "description"}
        return f"(arguments of the JSON Schema {json.dumps(schema, ensure_ascii=False)})"

    def _members(self, schema: dict[str, Any], path: str, *, is_closed: bool) -> list[str]:
        """The properties of an object, each with its type, and the type of all others where there may be others."""
        properties: dict[str, Any] = schema.get("properties", {})
        required = schema.get("required", ())
        found = []
        for name, one in {**properties, **{name: True for name in required if name not in properties}}.items():
            if one is False:
                continue
            is_optional = name not in required and not self._as_text
            self.has_optional |= is_optional
            written = name if _IDENTIFIER.fullmatch(name) else json.dumps(name, ensure_ascii=False)
            default = one.get("default") if isinstance(one, dict) and is_optional else None
            equals = "" if default is None else f" = {json.dumps(default, ensure_ascii=False)}"
            found.append(f"{written}{'?' if is_optional else ''}: {self._type(one, f'{path}.{written}' if path else written)}{equals}")
        others = schema.get("additionalProperties", not is_closed)
        return found if others is False else [*found, f"[name]: {self._type(others, f'{path}[name]')}"]

    def _type(self, schema: Any, path: str) -> str:
        """The type of a schema; what the type does not say is noted."""
        notes = self._notes.setdefault(path, [])
        type_ = self._short_type(schema, path)
        if type_ is None:
            text = json.dumps(schema, ensure_ascii=False)
            self._is_complete &= all(map(self._definition, _REFERENCE.findall(text)))
            return f"JSON Schema {text}"
        if isinstance(schema, dict):
            conditions = [f"{key} {_value(schema[key])}" for key in _CONDITIONS if key in schema]
            if schema.get("deprecated") is True:
                conditions.append("deprecated")
            if isinstance(schema.get("examples"), list):
                conditions.append(f"such as {', '.join(map(_value, schema['examples']))}")
            description = str(schema.get("description", "")).strip()
            notes[:0] = filter(None, [description, f"({', '.join(conditions)})" if conditions else ""])
        return type_

    def _short_type(self, schema: Any, path: str) -> str | None:
        """The type of a schema, as in TypeScript; ``None`` where there is none."""
        if isinstance(schema, bool):
            return "any" if schema else "never"
        keywords = (schema.keys() - _ANNOTATIONS).difference(_CONDITIONS)
        match schema:
            case {"$ref": str(pointer)} if keywords == {"$ref"}:
                return self._definition(pointer)
            case {"const": value} if keywords <= {"const", "type"}:
                return self._literal(value)
            case {"enum": [_, *_] as values} if keywords <= {"enum", "type"}:
                return " | ".join(map(self._literal, values))
            case {"anyOf": [_, *_] as options} | {"oneOf": [_, *_] as options} if len(keywords) == 1:
                return " | ".join(dict.fromkeys(self._type(one, path) for one in options))
            case {"type": [_, *_] as types} if keywords == {"type"}:
                return " | ".join(types)
            case {"type": "array", "items": dict() | bool() as items} if keywords == {"type", "items"}:
                inner = self._type(items, f"{path}[]")
                return f"({inner})[]" if " | " in inner else f"{inner}[]"
            case {"type": "object"} if keywords <= _OF_OBJECTS and len(keywords) > 1 and _is_plain_object(schema):
                return f"{{{', '.join(self._members(schema, path, is_closed=bool(schema.get('properties'))))}}}"
            case {"type": str(name)} if keywords == {"type"}:
                return name
        return None if keywords or any(key in schema for key in _CONDITIONS) else "any"

    def _literal(self, value: Any) -> str:
        return _value(value) if self._as_text else json.dumps(value, ensure_ascii=False)

    def _definition(self, pointer: str) -> str | None:
        """The name of a definition, whose type is told after the signature; ``None`` for other references."""
        found = _DEFINITION.fullmatch(pointer)
        if found is None or found["name"] not in self._parameters.get(found["where"], {}):
            return None
        return found["name"] if self._named.setdefault(found["name"], pointer) == pointer else None

    def _named_types(self) -> list[str]:
        """A line for each definition that is referred to, also by other definitions."""
        arguments, lines = self._notes, []
        done: set[str] = set()
        while missing := [name for name in self._named if name not in done]:
            for name in missing:
                done.add(name)
                self._notes = {}
                _, where, _ = self._named[name].split("/")
                lines += [f"  {name} = {self._type(self._parameters[where][name], name)}", *self._lines()]
        self._notes = arguments
        return lines


def _indented(text: str, indent: str) -> str:
    """A text of several lines, the later ones further in."""
    first, *others = (line for line in text.splitlines() if line.strip())
    return "\n".join([f"{indent}{first}", *(f"{indent}    {line}" for line in others)])


def _is_plain_object(schema: Mapping[str, Any]) -> bool:
    """Whether its keywords have values of the current draft: in draft 3 and some generators, "required" is a boolean."""
    return isinstance(schema.get("properties", {}), dict) and isinstance(schema.get("required", []), list | tuple)


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
