r"""Names nodes of JSON text that many patterns share, and the place in a schema that a rule stands for: for pictures of patterns.

Nodes are interned, so a node that *is* the one that is made here has its name, and any other has none. Knows nothing of pictures.

>>> from rellm_agents.json_schema.schema_pattern import compile_schema
>>> node_name(compile_schema({"type": "integer"}).node)
'an integer'
>>> spelled_characters(character_texts(CharSet.of("ab")))
CharSet(0x61-0x62)
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple, get_args

from rellm_agents.json_schema.numbers import Notation
from rellm_agents.json_schema.shapes import SchemaKey, Style, any_of_types, anything
from rellm_agents.json_schema.text import Escapes, Layout, Whitespace, character_texts, format_names, name_node, string_node
from rellm_agents.patterns import CharSet, Node
from rellm_agents.patterns.ir import ALL_CHARACTERS, Characters, Choice, Lexeme, Literal, Sequence

_ONLY_ESCAPED = CharSet([(0, 0x1F)]) | CharSet.of('"\\')
_REFERENCE = re.compile(r"(?P<target>\S*) : ?=?<?:(?P<rest>.*)")
_STEP = re.compile(r"/(=?[^/]*)")
_STEPS = {"rest": "items", "other": "additionalProperties"}


class Place(NamedTuple):
    """What a rule of a schema stands for.

    Attributes:
        of: the place in the instances, such as ``#/address/street``, or what ``$ref`` names.
        inside: the rule is a rest of the text there: what follows some property or item.
    """

    of: str
    inside: bool


def node_name(node: Node) -> str | None:
    """The name of a node that many patterns share; ``None``: it is none of them."""
    return _names().get(node) or (_format_names().get(node) if isinstance(node, Lexeme) else None)


@lru_cache(maxsize=4_096)
def spelled_characters(node: Node) -> CharSet | None:
    """The characters that a node writes in every spelling of JSON, escapes included; ``None``: it is another node."""
    if not isinstance(node, Choice):
        return None
    plain = CharSet()
    for option in node.options:
        match option:
            case Characters(charset):
                plain |= charset
            case Literal() as one if len(one.text) == 1:
                plain |= CharSet.of(one.text)
    for charset in (plain, plain | _ONLY_ESCAPED):
        for escapes in get_args(Escapes):
            if charset and node is character_texts(charset, escapes):
                return charset
    return None


def rule_place(key: Hashable) -> Place | None:
    """The place of a rule of a schema by its key; ``None``: it is a rule of something else.

    >>> rule_place((SchemaKey("{}", ""), "#/$defs/node : :/=next", "inner"))
    Place(of='#/$defs/node → next', inside=False)
    """
    match key:
        case (SchemaKey(), str(path), name):
            found = _REFERENCE.fullmatch(path)
            target, rest = (found["target"] or "#", found["rest"]) if found else ("#", path)
            steps = [_STEPS.get(step, step.removeprefix("=")) for step in _STEP.findall(rest)]
            return Place(" → ".join([target, *steps]), inside=isinstance(name, tuple))
    return None


@lru_cache(maxsize=1)
def _names() -> Mapping[Node, str]:
    return dict(_named())


def _named() -> Iterator[tuple[Node, str]]:
    # Of nodes that are equal, the last name is the one that is kept.
    for whitespace in get_args(Whitespace):
        for numbers in get_args(Notation):
            style = Style(Layout.of(whitespace, numbers="any" if numbers == "digits" else numbers))
            yield any_of_types(("array",), style).node(), "any list"
            yield any_of_types(("object",), style).node(), "any object"
            yield any_of_types(("number",), style).node(), "a number"
            yield any_of_types(("integer",), style, integers=numbers).node(), "an integer"
            yield anything(style).node(), "any JSON value"
            if style.layout.is_flexible:
                yield style.layout.padding, "white space"
    for escapes in get_args(Escapes):
        layout = Layout.of("spaced", escapes=escapes)
        yield from _text_of_string(string_node(escapes=escapes), 'text of a string, and "')
        yield from _text_of_string(name_node(layout), 'a name, and "')
        yield character_texts(ALL_CHARACTERS, escapes), "a character of a string"


@lru_cache(maxsize=1)
def _format_names() -> Mapping[Node, str]:
    """The same for the formats of strings; they take longer to be made."""
    found: dict[Node, str] = {}
    for name in format_names():
        for unique in (False, True):
            found |= dict(_text_of_string(string_node(formats=(name,), unique=unique), f'{name}, and "'))
    return found


def _text_of_string(string: Node, name: str) -> Iterator[tuple[Node, str]]:
    """The part of a string after its opening quote, which is merged with the text before it."""
    match string:
        case Sequence((Literal(), Lexeme() as rest)):
            yield rest, name
