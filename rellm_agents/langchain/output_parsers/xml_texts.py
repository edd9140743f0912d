"""Compiles XML parsers to the texts of a given tree of elements.

A tree is ``{tag: content}``. The content ``str`` stands for text, a mapping for elements in this order, a list of one mapping for the
elements of the mapping, repeated at least once. The parser's own ``tags`` are a flat list of hints, which do not determine a tree.

There is no whitespace between elements. Text is never empty, because the parser returns ``None`` for empty text, and contains no
Markdown code fence, because the parser would take it for the border of the XML. ``<``, ``>`` and ``&`` are written ``&lt;``, ``&gt;``
and ``&amp;``.

>>> from rellm_agents.patterns import Pattern
>>> films = Pattern(element_texts({"films": [{"film": {"title": str, "year": str}}]}))
>>> films.fullmatch("<films><film><title>Alien &amp; co</title><year>1979</year></film></films>"), films.fullmatch("<films></films>")
(True, False)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Any

from rellm_agents.errors import ParserError
from rellm_agents.langchain.output_parsers.parser_pattern import ParserOptions, ParserPattern
from rellm_agents.patterns import (
    TEXT,
    CharSet,
    Node,
    characters,
    choice,
    difference,
    intersection,
    lexeme,
    literal,
    not_containing,
    repeat,
    sequence,
)
from rellm_agents.patterns.ir import SPACES

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
# XML 1.0, section 2.2, without markup, and without the carriage return, which readers turn into a line feed (section 2.11).
_XML_CHARACTERS = CharSet([(0x9, 0xA), (0x20, 0xFFFD), (0x10000, 0x10FFFF)]) & ~CharSet.of("<>&")
_LEAF = intersection(
    repeat(choice(characters(_XML_CHARACTERS), *map(literal, ("&lt;", "&gt;", "&amp;"))), 1),
    not_containing("```"),
)
_NOT_BLANK = sequence(TEXT, characters(~SPACES), TEXT)


def xml_texts(parser: Any, options: ParserOptions) -> ParserPattern:
    """The texts of ``options.tree``.

    Raises:
        ParserError: there is no tree, or it has a tag that the parser's ``tags`` do not name; or the parser itself lacks a package.
    """
    if options.tree is None:
        raise ParserError(
            "the tags of an XMLOutputParser are a flat list of hints: say which elements stand in which, e.g. "
            'compile_parser(parser, tree={"films": [{"film": {"title": str, "year": str}}]})'
        )
    if parser.parser == "defusedxml" and find_spec("defusedxml") is None:
        raise ParserError("this XMLOutputParser needs the package defusedxml: install it, or make the parser with parser='xml'")
    unnamed = [tag for tag in _tags(options.tree) if parser.tags and tag not in parser.tags]
    if unnamed:
        raise ParserError(f"the tree has the tag {unnamed[0]!r}, but the parser tells the model of {', '.join(parser.tags)} only")
    return ParserPattern(element_texts(options.tree))


def element_texts(tree: Mapping[str, Any]) -> Node:
    """The texts of a tree of one root.

    Raises:
        ParserError: several roots, a tag that is no XML name, or a content of another type.
    """
    if len(tree) != 1:
        raise ParserError(f"an XML text has one root, the tree has {len(tree)}")
    ((tag, content),) = tree.items()
    return _element(tag, content, is_root=True)


def _element(tag: str, content: Any, *, is_root: bool = False) -> Node:
    if not _NAME.fullmatch(tag):
        raise ParserError(f"{tag!r} is no name of an element: it has letters, digits, '_', '-' and '.', and begins with a letter or '_'")
    match content:
        case type() if content is str:
            inner = _leaf(tag, is_root=is_root)
        case Mapping() if content:
            inner = sequence(*(_element(*child) for child in content.items()))
        case [Mapping() as repeated] if repeated:
            inner = repeat(sequence(*(_element(*child) for child in repeated.items())), 1)
        case _:
            raise ParserError(f"the content of {tag!r} is str, a mapping, or a list of one mapping, not {content!r}")
    return sequence(literal(f"<{tag}>"), inner, literal(f"</{tag}>"))


def _leaf(tag: str, *, is_root: bool) -> Node:
    found = _LEAF
    if is_root:  # the parser treats a blank root as empty
        found = intersection(found, _NOT_BLANK)
    if "encoding" in tag:  # the parser takes such a tag at the end of a line for an XML declaration
        found = difference(found, sequence(literal("\n"), TEXT))
    return lexeme(found)


def _tags(tree: Any) -> Iterator[str]:
    match tree:
        case Mapping():
            for tag, content in tree.items():
                yield tag
                yield from _tags(content)
        case [inner]:
            yield from _tags(inner)
