r"""Compiles a combining parser to the texts of its parsers, separated by blank lines.

``CombiningOutputParser`` splits a text at blank lines, strips the pieces, skips the last parsers if there are too few pieces, and merges
all values into one dict. So no piece may contain a blank line or begin or end with whitespace, and no two parsers may return the same key.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rellm_agents.errors import ParserError
from rellm_agents.langchain.model_schema import model_schema
from rellm_agents.langchain.output_parsers.class_lookup import look_up_class
from rellm_agents.langchain.output_parsers.parser_pattern import ParserOptions, ParserPattern
from rellm_agents.patterns import intersection, lexeme, literal, not_containing, sequence
from rellm_agents.patterns.ir import SPACES, ends_outside

Keys = frozenset[str]

_PIECE = intersection(ends_outside(SPACES), not_containing("\n\n"))


def combining_texts(parser: Any, options: ParserOptions) -> ParserPattern:
    """The texts of all parsers in their order.

    Raises:
        ParserError: the keys of a parser are unknown, or two parsers return the same key; or a parser has no texts without blank lines.
    """
    if options.whitespace == "flexible":
        raise ParserError('whitespace="flexible" can write a blank line, at which this parser splits: there are "spaced" and "compact"')
    owners: dict[str, str] = {}
    pieces: list[ParserPattern] = []
    for one in parser.parsers:
        name = type(one).__name__
        for key in _keys(one, options):
            if key in owners:
                raise ParserError(f"{owners[key]} and {name} both return the key {key!r}, so one value would be lost: rename one")
            owners[key] = name
        pieces.append(_piece(options.compile_inner(one, options)))
    nodes = [part for piece in pieces for part in (literal("\n\n"), piece.node)][1:]
    narrowed = tuple(text for piece in pieces for text in piece.narrowed)
    return ParserPattern(sequence(*nodes), narrowed, tuple(text for piece in pieces for text in piece.unenforced))


def _piece(pattern: ParserPattern) -> ParserPattern:
    """The texts that can be a piece. A pattern with rules is JSON in one line between brackets, so all of its texts can."""
    if pattern.node.has_rules:
        return pattern
    return ParserPattern(lexeme(intersection(pattern.node, _PIECE)), pattern.narrowed, pattern.unenforced)


def _keys(parser: Any, options: ParserOptions) -> Keys:
    keys_of = look_up_class(_KEYS, parser)
    keys = None if keys_of is None else keys_of(parser, options)
    if keys is None:
        raise ParserError(
            f"the keys that {type(parser).__name__} returns are not known: combine parsers of models, response schemas or regexes"
        )
    return keys


def _keys_of_model(parser: Any, _: ParserOptions) -> Keys | None:
    """The fields of a model, which ``dict.update`` reads as keys; ``None`` if the model could pass for a dict itself."""
    fields = getattr(parser.pydantic_object, "model_fields", {})
    if not fields or "keys" in fields or parser.pydantic_object.model_config.get("extra") == "allow":
        return None
    return frozenset(fields)


def _keys_of_json(parser: Any, _: ParserOptions) -> Keys | None:
    if parser.pydantic_object is None:
        return None
    schema = model_schema(parser.pydantic_object).schema
    return None if schema.get("additionalProperties") else frozenset(schema.get("properties", ())) or None


_KEYS: dict[str | type, Callable[[Any, ParserOptions], Keys | None]] = {
    "JsonOutputParser": _keys_of_json,
    "OutputFixingParser": lambda parser, options: _keys(parser.parser, options),
    "PydanticOutputParser": _keys_of_model,
    "RegexDictParser": lambda parser, _: frozenset(parser.output_key_to_format),
    "RegexParser": lambda parser, _: frozenset(parser.output_keys),
    "StructuredOutputParser": lambda parser, _: frozenset(one.name for one in parser.response_schemas),
    "XMLOutputParser": lambda _, options: frozenset(options.tree or ()),
    "YamlOutputParser": _keys_of_model,
}
