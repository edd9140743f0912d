"""Parsers of JSON in, the strict JSON that they read out: objects in the order of their schema, without undeclared names.

LangChain's JSON parsers repair what is broken, so that a truncated text is read as something else; strict JSON they read as it is.
The parsers of tool calls read messages: their texts here are the arguments of one call, as a chat model puts them into a message.

>>> from types import SimpleNamespace
>>> from rellm_agents.langchain.output_parsers.parser_pattern import Wishes
>>> schemas = [SimpleNamespace(name="city", type="string"), SimpleNamespace(name="days", type="List[int]")]
>>> structured_texts(SimpleNamespace(response_schemas=schemas), Wishes()).fullmatch('{"city": "Oslo", "days": [1, 2]}')
True
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from rellm_agents.errors import ParserError, SchemaError
from rellm_agents.json_schema import compile_schema
from rellm_agents.langchain.model_schema import model_schema
from rellm_agents.langchain.output_parsers.parser_pattern import ParserPattern, Wishes

Adapter = Callable[[dict[str, Any]], dict[str, Any]]

ARGUMENTS = "the texts are the arguments of one call, as a chat model puts them into a message"

# What people write as the type of a ResponseSchema, and what it says; the parser itself checks none of it.
_TYPES = {
    **dict.fromkeys(("string", "str", "text"), "string"),
    **dict.fromkeys(("integer", "int"), "integer"),
    **dict.fromkeys(("number", "float", "double"), "number"),
    **dict.fromkeys(("boolean", "bool"), "boolean"),
    **dict.fromkeys(("array", "list"), "array"),
    **dict.fromkeys(("object", "dict", "json"), "object"),
}
_LIST = re.compile(r"(?:list|array)\[(.+)\]|(?:list|array) of (.+?)s?")


def json_texts(parser: Any, wishes: Wishes) -> ParserPattern:
    """Instances of the model of a ``JsonOutputParser``, which does not validate them; without one, any object or list."""
    if parser.pydantic_object is None:
        return schema_texts({"type": ["object", "array"]}, wishes)
    return schema_texts(described(parser.pydantic_object)[0], wishes)


def pydantic_texts(parser: Any, wishes: Wishes) -> ParserPattern:
    """Instances of the model of a ``PydanticOutputParser``."""
    return model_texts(parser.pydantic_object, wishes)


def structured_texts(parser: Any, wishes: Wishes) -> ParserPattern:
    """Objects of the names that a ``StructuredOutputParser`` asks for, each of the type that is written there.

    A type that is not known narrows nothing, as the parser checks none.
    """
    properties: dict[str, Any] = {}
    for one in parser.response_schemas:
        schema = _type_schema(one.type)
        if properties.setdefault(one.name, schema) != schema:
            raise ParserError(f"the response schemas give {one.name!r} two types: keep one of them")
    return schema_texts({"type": "object", "properties": properties, "required": list(properties)}, wishes)


def tool_texts(parser: Any, wishes: Wishes) -> ParserPattern:
    """The arguments of a call of the tool of a ``PydanticToolsParser``.

    Raises:
        ParserError: it has several tools, and arguments alone do not say which of them is called.
    """
    return _arguments_of([(tool.__name__, tool) for tool in parser.tools], wishes)


def function_texts(parser: Any, wishes: Wishes) -> ParserPattern:
    """The arguments of a call of the function of a ``PydanticOutputFunctionsParser``.

    Raises:
        ParserError: it has several functions, and arguments alone do not say which of them is called.
    """
    schemas = parser.pydantic_schema
    return _arguments_of(list(schemas.items()) if isinstance(schemas, dict) else [(schemas.__name__, schemas)], wishes)


def arguments_texts(parser: Any, wishes: Wishes) -> ParserPattern:  # noqa: ARG001 - as all of the table
    """The arguments of a call of some tool or function: any object."""
    return _noted(schema_texts({"type": "object"}, wishes))


def keyed_arguments_texts(parser: Any, wishes: Wishes) -> ParserPattern:
    """The arguments of a call, among them the one that a ``JsonKeyOutputFunctionsParser`` gives back."""
    return _noted(schema_texts({"type": "object", "required": [parser.key_name]}, wishes))


def model_texts(model: Any, wishes: Wishes, *, adapted: Adapter | None = None, **options: Any) -> ParserPattern:
    """Instances of a pydantic model, or of another type that pydantic can describe.

    Args:
        model: the type.
        wishes: how they are written.
        adapted: makes of the schema another one, for a narrower notation than JSON.
        options: further ones of :func:`rellm_agents.compile_schema`.

    Raises:
        ParserError: the type may refuse what its schema allows, and that was not wished for.
    """
    schema, beyond = described(model)
    if beyond and not wishes.lenient:
        raise ParserError(
            f"not every text of the schema is read: {'; '.join(beyond)}. Say it in the schema, "
            "or pass lenient=True, which lists this as unenforced and leaves it to the parser"
        )
    found = schema_texts(schema if adapted is None else adapted(schema), wishes, **options)
    return ParserPattern(found.node, found.narrowed, (*beyond, *found.unenforced))


def schema_texts(schema: dict[str, Any], wishes: Wishes, **options: Any) -> ParserPattern:
    """Instances of a schema, with declared names only where it leaves others open.

    Raises:
        ParserError: the schema cannot be compiled; names the place.
    """
    try:
        found = compile_schema(schema, whitespace=wishes.whitespace, closed=True, lenient=wishes.lenient, **options)
    except SchemaError as error:
        raise ParserError(f"the schema of the parser cannot be compiled: {error}") from error
    return ParserPattern(found.node, found.narrowed, found.unenforced)


def described(model: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The schema of a model, and what it asks for beyond that; see :func:`model_schema`."""
    if not hasattr(model, "__pydantic_core_schema__") and hasattr(model, "__fields__") and hasattr(model, "schema"):
        schema: dict[str, Any] = model.schema()
        return schema, (f"{model.__name__}: a model of pydantic v1, of which is not known what it refuses beyond its schema",)
    return model_schema(model)


def _arguments_of(tools: Iterable[tuple[str, Any]], wishes: Wishes) -> ParserPattern:
    (name, model), *others = tools
    if others:
        raise ParserError(
            f"this parser has several tools, {', '.join([name, *(other for other, _ in others)])}, and arguments alone do not say which of "
            "them is called: compile a parser of one of them, or the whole call as an action format such as json_action(tools)"
        )
    schema = described(model)[0]
    if schema.get("type") != "object" and "$ref" not in schema:
        raise ParserError(f"the arguments of {name} are no object, which those of a call are")
    return _noted(model_texts(model, wishes))


def _noted(pattern: ParserPattern) -> ParserPattern:
    return ParserPattern(pattern.node, (*pattern.narrowed, ARGUMENTS), pattern.unenforced)


def _type_schema(words: str) -> dict[str, Any]:
    """E.g. "List[string]" -> an array of strings."""
    words = words.strip().lower()
    if words in _TYPES:
        return {"type": _TYPES[words]}
    found = _LIST.fullmatch(words)
    return {"type": "array", "items": _type_schema(found[1] or found[2])} if found else {}
