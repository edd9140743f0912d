r"""Regex parsers in, the texts of which their search takes all out.

A ``RegexParser`` *searches*: ``Score: (\d+?)`` is found in ``Score: 12`` and takes the 1 alone. So a text is one of the pattern only if
the search takes it as a whole: its preferred way to match ends where the text does, see :func:`leftmost_first_texts`. Where the regex
looks around, those are left of which it could take no shorter piece, whatever it prefers.

The ``re`` module, which LangChain searches with, and the ``regex`` module, whose dialect is read here, take a few rare characters for
other kinds (as digits, letters, spaces): texts with those are left out where the regex asks for such a kind.

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
from rellm_agents.langchain.output_parsers.parser_pattern import ParserPattern, Wishes
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

LEFT_OUT = "texts of which the parser's search takes less than all, or could, are left out"
RARE = "characters of which it depends on the module whether they are digits, letters, spaces or the same letter are left out"

_DICT_PATTERN = r"{}:\s?([^.'\n']*)\.?"  # what LangChain's RegexDictParser looks for
_VALUE = read_regex(r"[^.'\n]*")
_KINDS = {r"\w": r"\\[wWbB]", r"\d": r"\\[dD]", r"\s": r"\\[sS]"}  # and the escapes that ask for them
_TURKIC = CharSet.of("\u0130\u0131")  # which are cases of i for the re module only


def regex_texts(parser: Any, wishes: Wishes) -> ParserPattern:  # noqa: ARG001 - as all of the table
    """The texts that the search of a ``RegexParser`` takes as a whole.

    Raises:
        ParserError: there is none; the regex is not regular; or it has fewer groups than the parser has keys.
    """
    groups = _compiled(parser.regex).groups
    if groups < len(parser.output_keys):
        raise ParserError(f"the regex {parser.regex!r} has {groups} groups, and the parser {len(parser.output_keys)} keys for them")
    found, leaves_out = searched_texts(parser.regex)
    try:
        pattern = ParserPattern(lexeme(found), (LEFT_OUT,) if leaves_out else ())
    except EmptyPattern as error:
        raise ParserError(
            f"the search for {parser.regex!r} takes less than all of every text that it finds: end it with $, or with a greedy repeat"
        ) from error
    except PatternTooLarge as error:
        raise ParserError(f"the regex {parser.regex!r} needs too large an automaton: {error}") from error
    return replace(pattern, narrowed=(*pattern.narrowed, RARE)) if _doubtful(parser.regex) else pattern


def regex_dict_texts(parser: Any, wishes: Wishes) -> ParserPattern:  # noqa: ARG001 - as all of the table
    """A line for each word that a ``RegexDictParser`` looks for, ``Word: value``, in which no other of the words is found.

    Raises:
        ParserError: one word is found inside the line of another; or the parser looks for something else than LangChain's pattern.
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
    begun = [sequence(TEXT, literal(f"{other}:"), TEXT) for other in words if other != word]
    line = difference(sequence(literal(f"{word}: "), _VALUE), *begun, sequence(CHARACTER, TEXT, literal(f"{word}:"), TEXT))
    if "\n" in word or _is_empty(line):
        raise ParserError(f"the line of {word!r} cannot be told from the others of {', '.join(map(repr, words))}: change that word")
    return lexeme(line)


def searched_texts(regex_text: str) -> tuple[Node, bool]:
    """The texts that ``re.search`` finds a regex in, and takes as a whole.

    Returns:
        The texts; and whether the regex may match others as a whole, too.

    Raises:
        ParserError: the regex is not regular, or read otherwise by other modules.
    """
    try:
        tree, groups, _, reading = parse_regex(regex_text)
        try:
            found, leaves_out = leftmost_first_texts(_begun(tree))
        except (UnsupportedSearchError, PatternTooLarge):
            longer = Concat((tree, Repetition(ANY_CHARACTER, 1, None, "greedy", 0)))
            whole = compile_tree(tree, groups, reading)
            found, leaves_out = difference(whole, compile_tree(longer, groups, reading)), True
    except RegexSyntaxError as error:
        raise ParserError(f"the regex of the parser is not read: {error}") from error
    if found.nullable and not _compiled(regex_text).search(""):  # the re module finds no \B there, in Python before 3.14
        found = difference(found, EMPTY)
    doubtful = _doubtful(regex_text)
    return (intersection(found, repeat(characters(~doubtful))) if doubtful else found), leaves_out


def _begun(tree: Tree) -> Tree:
    """The same without an anchor at the beginning, which is where a search that takes all begins."""
    first = tree.parts[0] if isinstance(tree, Concat) and tree.parts else tree
    return Concat(tree.parts[1:]) if isinstance(tree, Concat) and isinstance(first, Look) and first == text_start(first.at) else tree


def _compiled(regex_text: str) -> re.Pattern[str]:
    if "[:" in regex_text:
        raise ParserError(f"the regex {regex_text!r}: what begins with '[:' is read in two ways: write \\[ or the characters")
    try:
        return re.compile(regex_text)
    except re.error as error:
        raise ParserError(f"the re module, with which the parser searches, does not read {regex_text!r}: {error}") from error


def _doubtful(regex_text: str) -> CharSet:
    """The characters that the modules take for different kinds, where the regex asks for such a kind."""
    found = _TURKIC if re.search(r"\(\?[a-zA-Z]*i", regex_text) else CharSet()
    for kind, asked in _KINDS.items():
        if re.search(asked, regex_text):
            found |= _told_apart(kind)
    return found


@lru_cache(maxsize=len(_KINDS))
def _told_apart(kind: str) -> CharSet:
    """The characters that are of a kind for one of the modules only."""
    alphabet = "".join(map(chr, (*range(0xD800), *range(0xE000, 0x110000))))
    theirs = CharSet((ord(run[0][0]), ord(run[0][-1])) for run in re.finditer(f"{kind}+", alphabet))
    ours = members_of(kind)
    return (theirs & ~ours) | (ours & ~theirs)


def _is_empty(node: Node) -> bool:
    try:
        Pattern(node)
    except EmptyPattern:
        return True
    return False
