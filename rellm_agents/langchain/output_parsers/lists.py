r"""List parsers in, the texts of their lists out, of one item at least.

    CommaSeparatedListOutputParser   a, b c, "d, e"
    NumberedListOutputParser         1. a\n2. b
    MarkdownListOutputParser         - a\n- b

An item is read back with its spaces. LangChain's own *streaming* of comma-separated lists drops the quotes of an item too early;
``parse`` and ``invoke`` do not.

>>> COMMA_SEPARATED.fullmatch("a, b c, \"d, \"\"e\"\" \""), COMMA_SEPARATED.fullmatch("a,  b")
(True, False)
>>> MARKDOWN.fullmatch("- a\n- b"), MARKDOWN.fullmatch("- a\n\n- b")
(True, False)
"""

from __future__ import annotations

from typing import Any

from rellm_agents.errors import ParserError
from rellm_agents.langchain.output_parsers.parser_pattern import ParserPattern, Wishes
from rellm_agents.patterns import Node, choice, lexeme, literal, optional, read_regex, repeat, rule, sequence

MAX_NUMBER = 999  # of the last item of a numbered list

_NUMBERED_BY, _MARKED_BY = r"\d+\.\s([^\n]+)", r"^\s*[-*]\s([^\n]+)$"  # what LangChain's parsers look for
_LINE = lexeme(read_regex(r"[^\n]+"))
# csv skips spaces behind a comma, ends a row at either line break, and takes a quote for its own at the beginning of an item only.
_ITEM = choice(lexeme(read_regex(r'[^ ",\r\n][^,\r\n]*')), sequence(literal('"'), lexeme(read_regex(r'(?:[^"]|"")*"'))))

COMMA_SEPARATED = ParserPattern(sequence(_ITEM, repeat(sequence(literal(", "), _ITEM))))
MARKDOWN = ParserPattern(sequence(literal("- "), _LINE, repeat(sequence(literal("\n- "), _LINE))))


def comma_separated_texts(parser: Any, wishes: Wishes) -> ParserPattern:  # noqa: ARG001 - as all of the table
    """Items with a comma and a space between them, those in quotes that need it."""
    return COMMA_SEPARATED


def markdown_texts(parser: Any, wishes: Wishes) -> ParserPattern:  # noqa: ARG001 - as all of the table
    """One item a line, behind a dash.

    Raises:
        ParserError: the parser looks for something else than LangChain's pattern.
    """
    _check_pattern(parser, _MARKED_BY)
    return MARKDOWN


def numbered_texts(parser: Any, wishes: Wishes) -> ParserPattern:  # noqa: ARG001 - as all of the table
    """One item a line, numbered from 1 on without a gap.

    Raises:
        ParserError: the parser looks for something else than LangChain's pattern.
    """
    _check_pattern(parser, _NUMBERED_BY)
    return ParserPattern(_numbered(1), (f"the items are numbered 1, 2, 3 and so on, up to {MAX_NUMBER}",))


def _numbered(number: int) -> Node:
    """The items from this one on. A rule each: only those are made that a text comes to."""
    first = sequence(literal(f"{number}. "), _LINE)
    if number == MAX_NUMBER:
        return first

    def body() -> Node:
        return sequence(first, optional(sequence(literal("\n"), _numbered(number + 1))))

    return rule(("langchain.numbered", number), body, flags=0, witness=lambda: first)


def _check_pattern(parser: Any, known: str) -> None:
    if parser.pattern != known:
        raise ParserError(
            f"{type(parser).__name__} looks for {parser.pattern!r} instead of LangChain's {known!r}: "
            "register a pattern for a subclass of it with register_parser"
        )
