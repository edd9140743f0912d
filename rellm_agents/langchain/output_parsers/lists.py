r"""Compiles list parsers to the texts of lists with at least one item.

    CommaSeparatedListOutputParser   a, b c, "d, e"
    NumberedListOutputParser         1. a\n2. b
    MarkdownListOutputParser         - a\n- b

Items keep their inner spaces. When LangChain *streams* a comma-separated list, it drops the quotes of an item too early; ``parse`` and
``invoke`` read it without loss.

>>> COMMA_SEPARATED.fullmatch("a, b c, \"d, \"\"e\"\" \""), COMMA_SEPARATED.fullmatch("a,  b")
(True, False)
>>> MARKDOWN.fullmatch("- a\n- b"), MARKDOWN.fullmatch("- a\n\n- b")
(True, False)
"""

from __future__ import annotations

from typing import Any

from rellm_agents.errors import ParserError
from rellm_agents.langchain.output_parsers.parser_pattern import ParserOptions, ParserPattern
from rellm_agents.patterns import Node, choice, lexeme, literal, optional, read_regex, repeat, rule, sequence

MAX_NUMBER = 999  # the last number of a numbered list

_NUMBERED_REGEX, _MARKDOWN_REGEX = r"\d+\.\s([^\n]+)", r"^\s*[-*]\s([^\n]+)$"  # of LangChain's parsers
_LINE = lexeme(read_regex(r"[^\n]+"))
# Python's csv reader skips spaces after a comma, ends a row at \r or \n, and treats a quote as special only at the start of an item.
_ITEM = choice(lexeme(read_regex(r'[^ ",\r\n][^,\r\n]*')), sequence(literal('"'), lexeme(read_regex(r'(?:[^"]|"")*"'))))

COMMA_SEPARATED = ParserPattern(sequence(_ITEM, repeat(sequence(literal(", "), _ITEM))))
MARKDOWN = ParserPattern(sequence(literal("- "), _LINE, repeat(sequence(literal("\n- "), _LINE))))


def comma_separated_texts(_parser: Any, _: ParserOptions) -> ParserPattern:
    """Items separated by a comma and a space, in quotes where necessary."""
    return COMMA_SEPARATED


def markdown_texts(parser: Any, _: ParserOptions) -> ParserPattern:
    """One item in each line, after a dash.

    Raises:
        ParserError: the parser has another regex than LangChain's.
    """
    _check_regex(parser, _MARKDOWN_REGEX)
    return MARKDOWN


def numbered_texts(parser: Any, _: ParserOptions) -> ParserPattern:
    """One item in each line, numbered 1, 2, 3 without a gap.

    Raises:
        ParserError: the parser has another regex than LangChain's.
    """
    _check_regex(parser, _NUMBERED_REGEX)
    return ParserPattern(_numbered(1), (f"the items are numbered 1, 2, 3 and so on, up to {MAX_NUMBER}",))


def _numbered(number: int) -> Node:
    """The items from this number on. Each is a rule of its own, so only the items that a text reaches are built."""
    first = sequence(literal(f"{number}. "), _LINE)
    if number == MAX_NUMBER:
        return first

    def body() -> Node:
        return sequence(first, optional(sequence(literal("\n"), _numbered(number + 1))))

    return rule(("langchain.numbered", number), body, flags=0, witness=lambda: first)


def _check_regex(parser: Any, known: str) -> None:
    if parser.pattern != known:
        raise ParserError(
            f"{type(parser).__name__} looks for {parser.pattern!r} instead of LangChain's {known!r}: "
            "register a pattern for a subclass of it with register_parser"
        )
