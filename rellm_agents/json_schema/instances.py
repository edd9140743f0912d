"""Writes a value as a text of the pattern of its schema, or says which part of it the schema or the pattern does not allow.

Knows nothing of tokens.

>>> from rellm_agents.json_schema.schema_pattern import compile_schema
>>> schema = {"type": "object", "properties": {"n": {"type": "integer"}, "m": {"type": "null"}}, "required": ["n"]}
>>> pattern = compile_schema(schema, closed=True)
>>> instance_text(pattern, schema, {"m": None, "n": 4})
'{"n": 4, "m": null}'
>>> instance_text(pattern, schema, {"n": "4"})
Traceback (most recent call last):
  ...
rellm_agents.errors.InvalidInstance: #/n: "4" is not of type "integer"
>>> instance_text(pattern, schema, {"n": 4, "k": 1})
Traceback (most recent call last):
  ...
rellm_agents.errors.InvalidInstance: #/k: the pattern of the schema has no text for this
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rellm_agents.arguments import instance_of
from rellm_agents.errors import InvalidInstance, RELLMError
from rellm_agents.json_schema.sizes import MAX_VALUE_DEPTH, is_deeper, odd_name
from rellm_agents.json_schema.source import SchemaLike, Validator, below, schema_of
from rellm_agents.json_schema.text import Layout, ban_substrings, serializations
from rellm_agents.patterns import Pattern

_PATTERN = instance_of(Pattern)


def instance_text(pattern: Pattern, schema: SchemaLike, value: Any, *, without: Sequence[str] = ()) -> str:
    """The text of a value, with its properties in an order that the pattern has.

    Args:
        pattern: of the JSON texts of the schema's instances, with white space as ``json.dumps`` writes it.
        schema: as of :func:`compile_schema`.
        value: what JSON can say.
        without: texts that no string holds as they are, as the pattern was compiled.

    Raises:
        InvalidInstance: the schema does not allow the value, or the pattern has no text for it: names the JSON pointer into the value.
    """
    _PATTERN.check("pattern", pattern)
    if is_deeper(value, MAX_VALUE_DEPTH):
        raise InvalidInstance("#", f"it has more than {MAX_VALUE_DEPTH} levels of lists and objects, or holds itself")
    if (name := odd_name(value)) is not None:
        raise InvalidInstance("#", f"JSON has no text for it: a name is a str, not {name!r}")
    layout = Layout.of("spaced", ban_substrings(without))

    def text_of(one: Any) -> bytes | None:
        try:
            return next(serializations(pattern.node, one, layout), None)
        except (TypeError, ValueError) as error:
            raise InvalidInstance("#", f"JSON has no text for it: {error}") from error

    text = text_of(value)
    if text is not None:
        return text.decode()
    try:
        violation = Validator(schema_of(schema), None).violation(value)
    except ValueError as error:
        if isinstance(error, RELLMError):
            raise
        raise InvalidInstance("#", f"JSON has no text for it: {error}") from error
    if violation is not None:
        place, _, reason = violation
        raise InvalidInstance(below("#", *map(str, place)), reason)
    pointer = next((pointer for pointer, rest in _parts_left_out(value, "#") if text_of(rest) is not None), "#")
    raise InvalidInstance(pointer, "the pattern of the schema has no text for this")


def _parts_left_out(value: Any, pointer: str) -> Iterator[tuple[str, Any]]:
    """The pointer of each member and item, and the value without it."""
    match value:
        case dict():
            for name, one in value.items():
                there = below(pointer, name)
                yield there, {key: other for key, other in value.items() if key != name}
                yield from ((inner, {**value, name: rest}) for inner, rest in _parts_left_out(one, there))
        case list():
            for i, one in enumerate(value):
                there = below(pointer, str(i))
                yield there, [*value[:i], *value[i + 1 :]]
                yield from ((inner, [*value[:i], rest, *value[i + 1 :]]) for inner, rest in _parts_left_out(one, there))
