r"""A YAML parser in, its texts out: JSON in one line, as far as YAML 1.1 reads it as JSON does.

It does nearly everywhere. Characters that PyYAML refuses, or takes for line breaks, are written by their number; numbers have no
exponent, which would make text of them; and names are short, since YAML looks for the colon behind a name up to 1,024 characters.

>>> from types import SimpleNamespace
>>> from pydantic import BaseModel
>>> class Note(BaseModel):
...     text: str
>>> pattern = yaml_texts(SimpleNamespace(pydantic_object=Note), Wishes())
>>> pattern.fullmatch('{"text": "\\u0085"}'), pattern.fullmatch('{"text": "\x85"}')
(True, False)
"""

from __future__ import annotations

from typing import Any

from rellm_agents.errors import ParserError
from rellm_agents.langchain.output_parsers.json_texts import model_texts
from rellm_agents.langchain.output_parsers.parser_pattern import ParserPattern, Wishes

MAX_NAME = 170  # characters of a name that is not declared; escaped, each takes six at most

_BY_NUMBER = [*map(chr, range(0x7F, 0xA0)), "\u2028", "\u2029", "\ufeff", "\ufffe", "\uffff"]
_SHORT = {"maxLength": MAX_NAME}
_ANYTHING = {"$ref": "#/$defs/yaml-anything"}
_DEFINITION = {
    "anyOf": [
        {"type": ["null", "boolean", "number", "string"]},
        {"type": "array", "items": _ANYTHING},
        {"type": "object", "additionalProperties": _ANYTHING, "propertyNames": _SHORT},
    ]
}
_CONDITIONS = frozenset({"$ref", "allOf", "anyOf", "const", "enum", "oneOf", "type"})


def yaml_texts(parser: Any, wishes: Wishes) -> ParserPattern:
    """Instances of the model of a ``YamlOutputParser``, on one line.

    Raises:
        ParserError: flexible whitespace, of which YAML does not take all; or as for JSON.
    """
    if wishes.whitespace == "flexible":
        raise ParserError('whitespace="flexible": YAML does not take tabs and line breaks everywhere; there are "spaced" and "compact"')
    return model_texts(parser.pydantic_object, wishes, adapted=_with_short_names, without=_BY_NUMBER, exponents=False)


def _with_short_names(schema: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = _shortened(schema)
    found.setdefault("$defs", {})["yaml-anything"] = _DEFINITION
    return found


def _shortened(schema: Any) -> Any:
    """The same with short names in objects that may have others than the declared ones, also where anything is allowed."""
    if schema is True or (isinstance(schema, dict) and not _CONDITIONS & schema.keys()):
        return _ANYTHING
    if schema is False:
        return schema
    found = dict(schema)
    for keyword, value in schema.items():
        match keyword:
            case "items" | "additionalProperties":
                found[keyword] = _shortened(value)
            case "properties" | "patternProperties" | "$defs" | "definitions":
                found[keyword] = {name: _shortened(one) for name, one in value.items()}
            case "anyOf" | "oneOf" | "prefixItems":
                found[keyword] = [_shortened(one) for one in value]
    if schema.get("type") == "array" and "items" not in schema and not ("prefixItems" in schema and "maxItems" in schema):
        found["items"] = _ANYTHING
    if schema.get("type") == "object" and schema.get("additionalProperties", "properties" not in schema) is not False:
        found.setdefault("additionalProperties", _ANYTHING)
        found["propertyNames"] = {"allOf": [schema["propertyNames"], _SHORT]} if "propertyNames" in schema else _SHORT
    return found
