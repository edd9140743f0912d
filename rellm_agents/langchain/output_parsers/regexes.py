r"""Compiles regex parsers to the texts that their search matches as a whole.

A ``RegexParser`` *searches*: ``Score: (\d+?)`` is found in ``Score: 12``, but the match ends after the 1. So a text belongs to the
pattern only if the match that a backtracking engine prefers ends where the text ends; :func:`leftmost_first_texts` computes these texts by
leftmost-first semantics. A regex with lookaround is narrowed further: only those texts are left of which no shorter piece can match at all.

LangChain searches with the ``re`` module, whereas this package reads the dialect of the ``regex`` module. The two disagree about a few
rare characters (whether they are digits, letters or spaces). Texts with those are left out where the regex uses such a class.

>>> from rellm_agents.patterns import Pattern
>>> pattern = Pattern(searched_texts(r"Answer: (.*)")[0])
>>> pattern.fullmatch("Answer: 42"), pattern.fullmatch("An Answer: 42"), pattern.fullmatch("Answer: 4\n2")
(True, False, False)
>>> Pattern(searched_texts(r"Score: (\d+?)")[0]).fullmatch("Score: 12")
False
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from typing import Any

from rellm_agents.errors import EmptyPattern, ParserError, PatternTooLarge, RegexSyntaxError
from rellm_agents.langchain.output_parsers.parser_pattern import ParserOptions, ParserPattern
from rellm_agents.patterns import (
    EMPTY,
    TEXT,
    CharSet,
    Node,
    Pattern,
    characters,
    difference,
    intersection,
    lexeme,
    literal,
    read_regex,
    repeat,
    sequence,
)
from rellm_agents.patterns.ir import CHARACTER
from rellm_agents.patterns.regex_parser import ANY_CHARACTER, Concat, Look, Repetition, Tree, members_of, parse_regex, text_start
from rellm_agents.patterns.regex_reader import UnsupportedSearchError, compile_tree, leftmost_first_texts

LEFT_OUT = "texts that the parser's search matches only in part, or may match only in part, are left out"
DISPUTED = "characters are left out that the re and regex modules classify differently (as digits, letters, spaces or cases of a letter)"

_DICT_PATTERN = r"{}:\s?([^.'\n']*)\.?"  # what LangChain's RegexDictParser looks for
_VALUE = read_regex(r"[^.'\n]*")
_CLASS_ESCAPES = {r"\w": r"\\[wWbB]", r"\d": r"\\[dD]", r"\s": r"\\[sS]"}  # class: the escapes that use it
_TURKIC = CharSet.of("\u0130\u0131")  # cases of the letter i for the re module only


def regex_texts(parser: Any, _: ParserOptions) -> ParserPattern:
    """The texts that the search of a ``RegexParser`` matches as a whole.

    Raises:
        ParserError: there is no such text; the regex is not regular; or it has fewer groups than the parser has keys.
    """
    groups = _checked_regex(parser.regex).groups
    if groups < len(parser.output_keys):
        raise ParserError(f"the regex {parser.regex!r} has {groups} groups, and the parser {len(parser.output_keys)} keys for them")
    found, leaves_out = searched_texts(parser.regex)
    try:
        pattern = ParserPattern(lexeme(found), (LEFT_OUT,) if leaves_out else ())
    except EmptyPattern as error:
        raise ParserError(f"the search for {parser.regex!r} matches no text as a whole: end it with $, or with a greedy repeat") from error
    except PatternTooLarge as error:
        raise ParserError(f"the regex {parser.regex!r} needs too large an automaton: {error}") from error
    return replace(pattern, narrowed=(*pattern.narrowed, DISPUTED)) if _disputed_characters(parser.regex) else pattern


def regex_dict_texts(parser: Any, _: ParserOptions) -> ParserPattern:
    """A line ``Word: value`` for each word that a ``RegexDictParser`` looks for; no other word is found in that line.

    Raises:
        ParserError: a word is always found in the line of another word; or the parser has another regex than LangChain's.
    """
    if parser.regex_pattern != _DICT_PATTERN:
        raise ParserError(
            f"this RegexDictParser looks for {parser.regex_pattern!r} instead of LangChain's {_DICT_PATTERN!r}: "
            "register a pattern for a subclass of it with register_parser"
        )
    words = list(dict.fromkeys(parser.output_key_to_format.values()))
    if not words:
        raise ParserError("this RegexDictParser looks for nothing: give it a key")
    return ParserPattern(sequence(*[part for word in words for part in (literal("\n"), _line(word, words))][1:]))


def _line(word: str, words: list[str]) -> Node:
    others = [sequence(TEXT, literal(f"{other}:"), TEXT) for other in words if other != word]
    line = difference(sequence(literal(f"{word}: "), _VALUE), *others, sequence(CHARACTER, TEXT, literal(f"{word}:"), TEXT))
    if "\n" in word or _is_empty(line):
        raise ParserError(
            f"the line of {word!r} cannot be distinguished from the other lines, of {', '.join(map(repr, words))}: change that word"
        )
    return lexeme(line)


def searched_texts(regex_text: str) -> tuple[Node, bool]:
    """The texts that ``re.search`` matches as a whole.

    Returns:
        The texts; and whether ``fullmatch`` of the regex may accept other texts, too.

    Raises:
        ParserError: the regex is not regular, or the ``re`` and ``regex`` modules read it differently.
    """
    try:
        tree, groups, _, reading = parse_regex(regex_text)
        try:
            found, leaves_out = leftmost_first_texts(_without_start_anchor(tree))
        except (UnsupportedSearchError, PatternTooLarge):
            longer = Concat((tree, Repetition(ANY_CHARACTER, 1, None, "greedy", 0)))
            whole = compile_tree(tree, groups, reading)
            found, leaves_out = difference(whole, compile_tree(longer, groups, reading)), True
    except RegexSyntaxError as error:
        raise ParserError(f"the regex of the parser is not read: {error}") from error
    if found.nullable and not _checked_regex(regex_text).search(""):  # before Python 3.14, the re module matches no \B there
        found = difference(found, EMPTY)
    disputed = _disputed_characters(regex_text)
    return (intersection(found, repeat(characters(~disputed))) if disputed else found), leaves_out


def _without_start_anchor(tree: Tree) -> Tree:
    """The same without an anchor at its start: a search that matches the whole text begins there anyway."""
    first = tree.parts[0] if isinstance(tree, Concat) and tree.parts else tree
    return Concat(tree.parts[1:]) if isinstance(tree, Concat) and isinstance(first, Look) and first == text_start(first.at) else tree


def _checked_regex(regex_text: str) -> re.Pattern[str]:
    if "[:" in regex_text:
        raise ParserError(f"the regex {regex_text!r}: '[:' is read differently by the re and regex modules: write \\[ or the characters")
    try:
        return re.compile(regex_text)
    except re.error as error:
        raise ParserError(f"the re module, with which the parser searches, does not read {regex_text!r}: {error}") from error


def _disputed_characters(regex_text: str) -> CharSet:
    """The characters that the modules classify differently, by a class that the regex uses."""
    found = _TURKIC if re.search(r"\(\?[a-zA-Z]*i", regex_text) else CharSet()
    for escape, uses in _CLASS_ESCAPES.items():
        if re.search(uses, regex_text):
            found |= _disputed_members(escape)
    return found


@lru_cache(maxsize=len(_CLASS_ESCAPES))
def _disputed_members(escape: str) -> CharSet:
    """The members of a class in only one of the modules."""
    alphabet = "".join(map(chr, (*range(0xD800), *range(0xE000, 0x110000))))
    theirs = CharSet((ord(run[0][0]), ord(run[0][-1])) for run in re.finditer(f"{escape}+", alphabet))
    ours = members_of(escape)
    return (theirs & ~ours) | (ours & ~theirs)


def _is_empty(node: Node) -> bool:
    try:
        Pattern(node)
    except EmptyPattern:
        return True
    return False
