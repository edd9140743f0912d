r"""A combining parser in, the texts of its parsers with a blank line between them out.

``CombiningOutputParser`` cuts a text at blank lines, strips the pieces, skips the parsers for which none is left, and puts all values
into one dict. So no piece holds a blank line, none begins or ends with space, and no two parsers give the same key.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rellm_agents.errors import ParserError
from rellm_agents.langchain.output_parsers.class_lookup import found_in
from rellm_agents.langchain.output_parsers.json_texts import described
from rellm_agents.langchain.output_parsers.parser_pattern import ParserPattern, Wishes
from rellm_agents.patterns import intersection, lexeme, literal, not_containing, sequence
from rellm_agents.patterns.ir import SPACES, ends_outside

Keys = frozenset[str]

_PIECE = intersection(ends_outside(SPACES), not_containing("\n\n"))


def combining_texts(parser: Any, wishes: Wishes) -> ParserPattern:
    """The texts of all parsers in their order.

    Raises:
        ParserError: a parser whose keys are not known, or are another's too; or whose texts cannot stand beside others.
    """
    if wishes.whitespace == "flexible":
        raise ParserError('whitespace="flexible" can write a blank line, at which this parser cuts: there are "spaced" and "compact"')
    owners: dict[str, str] = {}
    pieces: list[ParserPattern] = []
    for one in parser.parsers:
        name = type(one).__name__
        for key in _keys(one, wishes):
            if key in owners:
                raise ParserError(f"{owners[key]} and {name} both give the key {key!r}, of which the last would be kept: rename one")
            owners[key] = name
        pieces.append(_piece(wishes.inner(one, wishes)))
    nodes = [part for piece in pieces for part in (literal("\n\n"), piece.node)][1:]
    narrowed = tuple(text for piece in pieces for text in piece.narrowed)
    return ParserPattern(sequence(*nodes), narrowed, tuple(text for piece in pieces for text in piece.unenforced))


def _piece(pattern: ParserPattern) -> ParserPattern:
    """The same without what a piece cannot hold. What has rules is JSON on one line, between brackets."""
    if pattern.node.has_rules:
        return pattern
    return ParserPattern(lexeme(intersection(pattern.node, _PIECE)), pattern.narrowed, pattern.unenforced)


def _keys(parser: Any, wishes: Wishes) -> Keys:
    told = found_in(_KEYS, parser)
    keys = None if told is None else told(parser, wishes)
    if keys is None:
        raise ParserError(f"which keys {type(parser).__name__} gives is not known: combine parsers of models, response schemas or regexes")
    return keys


def _keys_of_model(parser: Any, wishes: Wishes) -> Keys | None:  # noqa: ARG001 - as all of the table
    """A model is put into a dict by its fields, unless it looks like a dict itself."""
    fields = getattr(parser.pydantic_object, "model_fields", {})
    if not fields or "keys" in fields or parser.pydantic_object.model_config.get("extra") == "allow":
        return None
    return frozenset(fields)


def _keys_of_json(parser: Any, wishes: Wishes) -> Keys | None:  # noqa: ARG001 - as all of the table
    if parser.pydantic_object is None:
        return None
    schema = described(parser.pydantic_object)[0]
    return None if schema.get("additionalProperties") else frozenset(schema.get("properties", ())) or None


_KEYS: dict[str | type, Callable[[Any, Wishes], Keys | None]] = {
    "JsonOutputParser": _keys_of_json,
    "OutputFixingParser": lambda parser, wishes: _keys(parser.parser, wishes),
    "PydanticOutputParser": _keys_of_model,
    "RegexDictParser": lambda parser, _: frozenset(parser.output_key_to_format),
    "RegexParser": lambda parser, _: frozenset(parser.output_keys),
    "StructuredOutputParser": lambda parser, _: frozenset(one.name for one in parser.response_schemas),
    "XMLOutputParser": lambda _, wishes: frozenset(wishes.tree or ()),
    "YamlOutputParser": _keys_of_model,
}
