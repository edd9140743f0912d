r"""Compiles YAML parsers to JSON in one line, restricted to the JSON that YAML 1.1 reads as the same value.

There are few restrictions. Characters that PyYAML rejects, or reads as line breaks, are written as ``\u`` escapes. Numbers have no
exponent, because PyYAML would read those as strings. Names are short, because YAML looks for the colon after a name within 1,024
characters only.

>>> from types import SimpleNamespace
>>> from pydantic import BaseModel
>>> class Note(BaseModel):
...     text: str
>>> pattern = yaml_texts(SimpleNamespace(pydantic_object=Note), ParserOptions())
>>> pattern.fullmatch('{"text": "\\u0085"}'), pattern.fullmatch('{"text": "\x85"}')
(True, False)
"""

from __future__ import annotations

from typing import Any

from rellm_agents.errors import ParserError
from rellm_agents.langchain.output_parsers.json_texts import model_texts
from rellm_agents.langchain.output_parsers.parser_pattern import ParserOptions, ParserPattern

MAX_NAME = 170  # characters of an undeclared name; an escape takes at most six

_ESCAPED = [*map(chr, range(0x7F, 0xA0)), "\u2028", "\u2029", "\ufeff", "\ufffe", "\uffff"]
_SHORT_NAME = {"maxLength": MAX_NAME}
_ANYTHING = {"$ref": "#/$defs/yaml-anything"}
_ANYTHING_SCHEMA = {
    "anyOf": [
        {"type": ["null", "boolean", "number", "string"]},
        {"type": "array", "items": _ANYTHING},
        {"type": "object", "additionalProperties": _ANYTHING, "propertyNames": _SHORT_NAME},
    ]
}
_TYPE_KEYWORDS = frozenset({"$ref", "allOf", "anyOf", "const", "enum", "oneOf", "type"})


def yaml_texts(parser: Any, options: ParserOptions) -> ParserPattern:
    """Instances of the model of a ``YamlOutputParser``, on one line.

    Raises:
        ParserError: flexible whitespace, some of which YAML rejects; or as for JSON.
    """
    if options.whitespace == "flexible":
        raise ParserError('whitespace="flexible": YAML does not take tabs and line breaks everywhere; there are "spaced" and "compact"')
    return model_texts(parser.pydantic_object, options, adapt=_with_short_names, without=_ESCAPED, numbers="plain")


def _with_short_names(schema: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = _narrowed(schema)
    found.setdefault("$defs", {})["yaml-anything"] = _ANYTHING_SCHEMA
    return found


def _narrowed(schema: Any) -> Any:
    """The schema with short names wherever an object may have undeclared properties, also where any value is allowed."""
    if schema is True or (isinstance(schema, dict) and not _TYPE_KEYWORDS & schema.keys()):
        return _ANYTHING
    if schema is False:
        return schema
    found = dict(schema)
    for keyword, value in schema.items():
        match keyword:
            case "items" | "additionalProperties":
                found[keyword] = _narrowed(value)
            case "properties" | "patternProperties" | "$defs" | "definitions":
                found[keyword] = {name: _narrowed(one) for name, one in value.items()}
            case "anyOf" | "oneOf" | "prefixItems":
                found[keyword] = [_narrowed(one) for one in value]
    if schema.get("type") == "array" and "items" not in schema and not ("prefixItems" in schema and "maxItems" in schema):
        found["items"] = _ANYTHING
    if schema.get("type") == "object" and schema.get("additionalProperties", "properties" not in schema) is not False:
        found.setdefault("additionalProperties", _ANYTHING)
        found["propertyNames"] = {"allOf": [schema["propertyNames"], _SHORT_NAME]} if "propertyNames" in schema else _SHORT_NAME
    return found
