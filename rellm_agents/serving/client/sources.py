"""What texts are asked for - those of an action format, a pattern, a schema or a type - as a pattern, and what one of them means.

>>> value_of({"type": "array"}, "[1]")
[1]
"""

from __future__ import annotations

from typing import Any

from rellm_agents.formats import ActionFormat
from rellm_agents.json_schema import SchemaPattern, compile_schema
from rellm_agents.patterns import Pattern


def pattern_of(source: Any) -> Pattern:
    """The pattern of a source.

    Raises:
        SchemaError: the schema cannot be compiled.
    """
    match source:
        case ActionFormat():
            return source.pattern
        case Pattern():
            return source
        case dict() | bool() | str():
            return compile_schema(source, lenient=True)
    return compile_schema(source, lenient=True, closed=True)  # a type has no use for properties that it does not declare


def value_of(source: Any, text: str, pattern: Pattern | None = None) -> Any:
    """What a text means, which matches the pattern of a source: a step, a text, a value, or an object of a type.

    Args:
        source: as of :func:`pattern_of`.
        text: of the pattern.
        pattern: the one that the text matches, if it is another schema's than the source's own.

    Raises:
        InvalidInstance: a value that violates what no pattern enforces.
        MissingExtra: ``langchain-core`` is not installed, by which types are read.
    """
    match source:
        case ActionFormat():
            return source.read(text)
        case Pattern():
            return text
        case dict() | bool() | str():
            found = pattern or pattern_of(source)
            assert isinstance(found, SchemaPattern)
            return found.value(text)
    from rellm_agents.langchain import parser_for  # noqa: PLC0415 - an optional dependency

    return parser_for(source).parse(text)
