"""Makes the shapes of any JSON value, and of any value of some types: shared by all schemas of a style. Knows nothing of schemas.

>>> from rellm_agents.json_schema.text import Layout
>>> from rellm_agents.patterns import Pattern
>>> pattern = Pattern(anything(Style(Layout.of("spaced"))).node())
>>> pattern.fullmatch('{"a": [null, -1.5e+30]}'), pattern.fullmatch('{"a": 1, "a": 2}')
(True, False)
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple, Unpack

from rellm_agents.json_schema.numbers import Notation, Numbers, canonical_numbers, numbers_node
from rellm_agents.json_schema.shapes.arrays import Array
from rellm_agents.json_schema.shapes.objects import Object, Undeclared
from rellm_agents.json_schema.shapes.shape import Ready, Reference, Rules, SchemaKey, Shape, Style, Union
from rellm_agents.json_schema.text import Conditions, name_node, string_node
from rellm_agents.patterns import Node, literal

TYPES = ("null", "boolean", "number", "string", "array", "object")  # scalars first
_MAX_STYLES = 64


@lru_cache(maxsize=_MAX_STYLES)
def any_of_types(types: tuple[str, ...], style: Style, *, integers: Notation = "digits") -> Shape:
    """Any value of some types.

    Args:
        types: names of types, as JSON Schema has them.
        style: how it is written.
        integers: how integers are written.
    """
    if not set(TYPES) - set(types):
        return _free(style).whole
    if len(types) > 1:
        return Union([any_of_types((name,), style, integers=integers) for name in types])
    match types[0]:
        case "null":
            return Ready(style.layout.null)
        case "boolean":
            return Ready(style.layout.boolean)
        case "integer":
            return Ready(styled_numbers(Numbers(integers=True), style, integers))
        case "number":
            return Ready(styled_numbers(Numbers(), style, style.layout.numbers))
        case "string":
            return Ready(styled_strings(style))
        case "array":
            return _free(style).array
        case "object":
            return _free(style).object
    raise AssertionError(f"JSON has no type {types[0]!r}")


def anything(style: Style) -> Shape:
    """Any value."""
    return _free(style).whole


def styled_strings(style: Style, **conditions: Unpack[Conditions]) -> Node:
    """The texts of strings in a style; ``NOTHING`` if none fits the conditions.

    Raises:
        RegexSyntaxError, InexactFormat, PatternTooLarge: the conditions cannot be said.
    """
    layout = style.layout
    return string_node(banned=layout.banned, raw=layout.raw, escapes=layout.escapes, unique=style.unique, **conditions)


def styled_numbers(conditions: Numbers, style: Style, notation: Notation) -> Node:
    """The texts of numbers in a notation; in one spelling each, where the style is unique.

    Raises:
        PatternTooLarge: they need more digits or states than the limits of the layout allow.
    """
    if style.unique:
        return canonical_numbers(numbers_node(conditions, "digits" if notation == "digits" else "plain", style.layout.limits))
    return numbers_node(conditions, notation, style.layout.limits)


class _Free(NamedTuple):
    whole: Shape
    array: Shape
    object: Shape


@lru_cache(maxsize=_MAX_STYLES)
def _free(style: Style) -> _Free:
    layout = style.layout
    rules = Rules(
        SchemaKey("true", f"{layout.key} {style.unique} {style.in_order}"), is_spelled_by_common_bytes=True, special=layout.is_special
    )
    whole = Reference(rules, "any", cheapest=literal("0"))
    array = Array(rules, "array", layout, rest=((0, whole),))
    object_ = Object(rules, "object", layout, (), (Undeclared(name_node(layout), ((0, whole),)),), others=1 if style.in_order else None)
    whole.target = Union([*(any_of_types((name,), style) for name in TYPES[:4]), array, object_])
    return _Free(whole, array, object_)
