"""Compiles parsers of JSON to strict JSON: objects with their properties in the order of the schema, without undeclared properties.

LangChain's JSON parsers repair broken JSON, so they may read a truncated text as another value; they read strict JSON unchanged.
The parsers of tool calls read messages, not texts: their texts here are the arguments of one call, as a chat model puts them into a
message.

>>> from types import SimpleNamespace
>>> from rellm_agents.langchain.output_parsers.parser_pattern import ParserOptions
>>> schemas = [SimpleNamespace(name="city", type="string"), SimpleNamespace(name="days", type="List[int]")]
>>> structured_texts(SimpleNamespace(response_schemas=schemas), ParserOptions()).fullmatch('{"city": "Oslo", "days": [1, 2]}')
True
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from rellm_agents.errors import ParserError, SchemaError
from rellm_agents.json_schema import Span, compile_in_layout, value_spans
from rellm_agents.json_schema.text import Layout
from rellm_agents.langchain.model_schema import model_schema, schema_of_type
from rellm_agents.langchain.output_parsers.parser_pattern import ParserOptions, ParserPattern

SchemaAdapter = Callable[[dict[str, Any]], dict[str, Any]]

ARGUMENTS_ONLY = "the texts are the arguments of one call, as a chat model puts them into a message"

# Spellings of the type of a ResponseSchema, and the JSON types that they mean. The parser itself checks no type.
_TYPES = {
    **dict.fromkeys(("string", "str", "text"), "string"),
    **dict.fromkeys(("integer", "int"), "integer"),
    **dict.fromkeys(("number", "float", "double"), "number"),
    **dict.fromkeys(("boolean", "bool"), "boolean"),
    **dict.fromkeys(("array", "list"), "array"),
    **dict.fromkeys(("object", "dict", "json"), "object"),
}
_LIST = re.compile(r"(?:list|array)\[(.+)\]|(?:list|array) of (.+?)s?")


@dataclass(frozen=True, repr=False)
class JsonParserPattern(ParserPattern):
    """The texts of a parser of JSON, which tells where each value stands."""

    def fields(self, text: str) -> dict[str, Span]:
        """See :meth:`Pattern.fields`."""
        return value_spans(text)


def json_texts(parser: Any, options: ParserOptions) -> ParserPattern:
    """Instances of the model of a ``JsonOutputParser``, which does not validate them; without a model, any object or array."""
    if parser.pydantic_object is None:
        return schema_texts({"type": ["object", "array"]}, options)
    return schema_texts(model_schema(parser.pydantic_object).schema, options)


def pydantic_texts(parser: Any, options: ParserOptions) -> ParserPattern:
    """Instances of the model of a ``PydanticOutputParser``."""
    return model_texts(parser.pydantic_object, options)


def structured_texts(parser: Any, options: ParserOptions) -> ParserPattern:
    """Objects with the properties that a ``StructuredOutputParser`` asks for, each of the type that its response schema names.

    A property with an unknown type may have any value, since the parser checks no type.

    Raises:
        ParserError: two response schemas give one property different types.
    """
    properties: dict[str, Any] = {}
    for one in parser.response_schemas:
        schema = _type_schema(one.type)
        if properties.setdefault(one.name, schema) != schema:
            raise ParserError(f"the response schemas give {one.name!r} two types: keep one of them")
    return schema_texts({"type": "object", "properties": properties, "required": list(properties)}, options)


def tool_texts(parser: Any, options: ParserOptions) -> ParserPattern:
    """The arguments of a call of the tool of a ``PydanticToolsParser``.

    Raises:
        ParserError: there are several tools, and arguments alone do not say which of them is called.
    """
    return _arguments_of([(tool.__name__, tool) for tool in parser.tools], options)


def function_texts(parser: Any, options: ParserOptions) -> ParserPattern:
    """The arguments of a call of the function of a ``PydanticOutputFunctionsParser``.

    Raises:
        ParserError: there are several functions, and arguments alone do not say which of them is called.
    """
    schemas = parser.pydantic_schema
    return _arguments_of(list(schemas.items()) if isinstance(schemas, dict) else [(schemas.__name__, schemas)], options)


def arguments_texts(_parser: Any, options: ParserOptions) -> ParserPattern:
    """The arguments of a call of some tool or function: any object."""
    return _as_arguments(schema_texts({"type": "object"}, options))


def keyed_arguments_texts(parser: Any, options: ParserOptions) -> ParserPattern:
    """The arguments of a call, with the one that a ``JsonKeyOutputFunctionsParser`` returns."""
    return _as_arguments(schema_texts({"type": "object", "required": [parser.key_name]}, options))


def model_texts(
    model: Any,
    options: ParserOptions,
    *,
    adapt: SchemaAdapter | None = None,
    layout: Layout | None = None,
    reads_text: bool = False,
) -> ParserPattern:
    """Instances of a pydantic model, or of another type that pydantic can describe.

    Args:
        model: the type.
        options: how texts are written.
        adapt: narrows the schema, for a notation that can express less than JSON.
        layout: how JSON is written, if not as ``options`` say.
        reads_text: the parser gives the type JSON text, not Python values.

    Raises:
        ParserError: as :func:`schema_of_type` says.
    """
    schema, unenforced = schema_of_type(model, validators=options.validators, reads_text=reads_text, lenient=options.lenient)
    found = schema_texts(schema if adapt is None else adapt(schema), options, layout)
    return JsonParserPattern(found.node, found.narrowed, (*unenforced, *found.unenforced))


def schema_texts(schema: dict[str, Any], options: ParserOptions, layout: Layout | None = None) -> ParserPattern:
    """Instances of a schema; objects without undeclared properties, unless the schema says something about those.

    Raises:
        ParserError: the schema cannot be compiled; names the JSON pointer.
    """
    try:
        found = compile_in_layout(schema, layout or Layout.of(options.whitespace), closed=True, lenient=options.lenient)
    except SchemaError as error:
        raise ParserError(f"the schema of the parser cannot be compiled: {error}") from error
    return JsonParserPattern(found.node, found.narrowed, found.unenforced)


def _arguments_of(tools: Iterable[tuple[str, Any]], options: ParserOptions) -> ParserPattern:
    (name, model), *others = tools
    if others:
        raise ParserError(
            f"this parser has several tools, {', '.join([name, *(other for other, _ in others)])}, and arguments alone do not say which of "
            "them is called: compile a parser of one of them, or the whole call as an action format such as json_action(tools)"
        )
    schema = model_schema(model).schema
    if schema.get("type") != "object" and "$ref" not in schema:
        raise ParserError(f"the arguments of {name} are no object, which those of a call are")
    return _as_arguments(model_texts(model, options))


def _as_arguments(pattern: ParserPattern) -> ParserPattern:
    return JsonParserPattern(pattern.node, (*pattern.narrowed, ARGUMENTS_ONLY), pattern.unenforced)


def _type_schema(name: str) -> dict[str, Any]:
    """E.g. "List[string]" -> an array of strings."""
    name = name.strip().lower()
    if name in _TYPES:
        return {"type": _TYPES[name]}
    found = _LIST.fullmatch(name)
    return {"type": "array", "items": _type_schema(found[1] or found[2])} if found else {}
