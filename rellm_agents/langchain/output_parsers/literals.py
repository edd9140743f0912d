"""Compiles enum and boolean parsers to their few literal texts; each text is first read by the parser itself as a check.

>>> from types import SimpleNamespace
>>> literal_texts({"yes": True, "NO ": False}, read=lambda text: {"yes": True, "NO": False}[text.strip()], shown="a parser").node
Traceback (most recent call last):
  ...
rellm_agents.errors.ParserError: a parser strips whitespace around a text, so 'NO ' cannot be read as it is: change that value
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rellm_agents.errors import ParserError, PatternError
from rellm_agents.langchain.output_parsers.parser_pattern import ParserOptions, ParserPattern
from rellm_agents.patterns import choice, literal


def enum_texts(parser: Any, _: ParserOptions) -> ParserPattern:
    """The values of an ``EnumOutputParser``.

    Raises:
        ParserError: a value that the parser does not read back.
    """
    return literal_texts({member.value: member for member in parser.enum}, read=parser.parse, shown=f"the parser of {parser.enum.__name__}")


def boolean_texts(parser: Any, _: ParserOptions) -> ParserPattern:
    """The two words of a ``BooleanOutputParser``.

    Raises:
        ParserError: the parser does not read a word back; it searches the text for the words as regexes.
    """
    if parser.true_val == parser.false_val:
        raise ParserError(f"this boolean parser has one word, {parser.true_val!r}, for both values: give it two")
    return literal_texts({parser.true_val: True, parser.false_val: False}, read=parser.parse, shown="a boolean parser")


def literal_texts(words: Mapping[str, Any], *, read: Callable[[str], Any], shown: str) -> ParserPattern:
    """The literal texts of a parser, after the parser has read each of them as its value.

    Args:
        words: the texts and their values.
        read: the parser's own ``parse``.
        shown: the name of the parser in error messages.

    Raises:
        ParserError: there is no word, or the parser reads a word as another value.
    """
    if not words:
        raise ParserError(f"{shown} has no value at all: give it one")
    for word, value in words.items():
        if word != word.strip():
            raise ParserError(f"{shown} strips whitespace around a text, so {word!r} cannot be read as it is: change that value")
        try:
            found = read(word)
        except Exception as error:  # whatever it raises, the word was not read
            raise ParserError(f"{shown} does not read its own {word!r}: {type(error).__name__}: {error}") from error
        if found is not value:
            raise ParserError(f"{shown} reads {word!r} as {found!r}, not as {value!r}: change that value")
    try:
        return ParserPattern(choice(*map(literal, words)))
    except PatternError as error:
        raise ParserError(f"{shown}: {error}") from error
