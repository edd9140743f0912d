r"""Makes the JSON strings that fit all conditions of a schema, or raw ones: decoded strings, encoded, with their quotes.

Reading is a function from JSON text to decoded strings: it takes each text of a character (see ``escapes``) to that character. The
JSON text of some strings is their inverse image under it. Inverse images go through unions, intersections and complements of any
function; and through sequences and repeats of this one, since the texts of characters are a prefix code, which is cut in one way only.
So encoding goes through every kind of node, however many texts a character has. Knows nothing of how the conditions become a node: see
``decoded``.

>>> from rellm_agents.patterns import Pattern
>>> quoted_words = Pattern(string_node(patterns=('^"[ab]+"$',), max_length=4))
>>> [quoted_words.fullmatch(text) for text in (r'"\"ab\""', r'"\u0022\u0061b\""', r'"\"aab\""', '"ab"')]
[True, True, False, False]
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, reduce
from operator import and_, or_
from typing import Unpack, assert_never, cast

from rellm_agents.errors import PatternError
from rellm_agents.json_schema.text.banned_substrings import (
    Banned,
    escape,
    escaped_where_needed,
    free_of,
    last_characters,
    quoted,
    within_alphabet,
)
from rellm_agents.json_schema.text.decoded import Conditions, decoded_strings
from rellm_agents.json_schema.text.escapes import IN_ESCAPES, Escapes, character_texts
from rellm_agents.json_schema.text.format_automata import written
from rellm_agents.json_schema.text.layout import Layout
from rellm_agents.json_schema.text.raw_strings import BARE_NAME, RawStrings
from rellm_agents.patterns import (
    NOTHING,
    TEXT,
    CharSet,
    Node,
    choice,
    complement,
    intersection,
    ir,
    lexeme,
    literal,
    not_containing,
    read_regex,
    repeat,
    sequence,
)
from rellm_agents.patterns.automaton import counter_of, derive_as, derived_as
from rellm_agents.patterns.machine import has_text

_QUOTE = literal('"')


@lru_cache(maxsize=1_024)
def string_node(
    *,
    banned: Banned = (),
    raw: RawStrings | None = None,
    escapes: Escapes = "json",
    unique: bool = False,
    **conditions: Unpack[Conditions],
) -> Node:
    """The strings, with their quotes, that fit all conditions; ``NOTHING`` if none does.

    Args:
        banned: texts that no string holds as they are, see :mod:`banned_substrings`.
        raw: how strings are written, if not as in JSON.
        escapes: which escapes are written.
        unique: each string has one text, the usual one.
        conditions: as of :func:`decoded_strings`.

    Raises:
        RegexSyntaxError, InexactFormat, PatternTooLarge: as :func:`decoded_strings`.
    """
    decoded = decoded_strings(**conditions)
    excludes = conditions.get("excluded_patterns") or conditions.get("excluded_formats")
    if decoded is NOTHING or (excludes and not has_text(decoded)):  # which takes far less time than where characters have escapes
        return NOTHING
    node = json_string(decoded, banned, escapes, unique=unique) if raw is None else raw_string(decoded, raw)
    return node if has_text(node) else NOTHING


def name_node(layout: Layout) -> Node:
    """The names that properties may have, as a layout writes them: each in one way, so that none comes twice."""
    if layout.raw is not None:
        return lexeme(read_regex(BARE_NAME.pattern))
    return string_node(banned=layout.banned, escapes=layout.escapes, unique=True)


def encoded(node: Node, escapes: Escapes = "json", *, unique: bool = False, banned: Banned = ()) -> Node:
    r"""The JSON text, without quotes, of decoded strings.

    Args:
        node: the decoded strings; without rules.
        escapes: which are written.
        unique: a character has one text; then ``node`` itself is returned if no string in it holds a character to be escaped.
        banned: a character that is one of them is not written as it is. If ``unique``, one that completes one is written in two ways.

    Raises:
        PatternError: ``node`` holds rules.

    >>> encoded(literal('say "a"'), unique=True) is literal(r'say \"a\"')
    True
    """
    writing = _Written(escapes, unique, banned)
    found = _encoded(node, writing)
    states = written(derived_as(node), writing)
    if states is not None and derived_as(found) is None:
        derive_as(found, states)
    return found


@dataclass(frozen=True)
class _Written:
    """Characters as JSON writes them; see :func:`encoded`."""

    escapes: Escapes
    unique: bool
    banned: Banned

    def texts(self, charset: CharSet) -> Node:
        """The texts of one character of a set."""
        escapes, unique, banned = self.escapes, self.unique, self.banned
        escaped = CharSet.of(text for text in banned if len(text) == 1)
        completing = CharSet.of(last_characters(banned)) & ~escaped if unique else CharSet()
        one = character_texts(charset, escapes, unique=unique, escaped=escaped & charset)
        both = charset & completing
        return choice(one, *(literal(escape(c, banned, escapes)) for c in last_characters(banned) if c in both)) if both else one


@lru_cache(maxsize=4_096)
def _encoded(node: Node, writing: _Written) -> Node:
    texts = writing.texts

    def inside(part: Node) -> Node:
        return encoded(part, writing.escapes, unique=writing.unique, banned=writing.banned)

    match cast(ir.AnyNode, node):
        case ir.Literal() as one:
            return sequence(*(texts(CharSet.of(c)) for c in one.text))
        case ir.Characters(charset):
            return texts(charset)
        case ir.Sequence(parts):
            return sequence(*map(inside, parts))
        case ir.Choice(options):
            return choice(*map(inside, options))
        case ir.Repeat(inner, minimum, maximum):
            return repeat(inside(inner), minimum, maximum)
        case ir.Intersection(parts):
            minus = [part for part in parts if isinstance(part, ir.Complement)]
            whole = [inside(part) for part in parts if not isinstance(part, ir.Complement)] or [inside(TEXT)]
            return intersection(*whole, *(complement(inside(part.inner)) for part in minus))
        case ir.Complement(inner):
            return intersection(inside(TEXT), complement(inside(inner)))
        case ir.Lexeme(inner):
            return lexeme(inside(inner))
        case ir.Rule() | ir.Capture() | ir.Dfa() | ir.Utf8Tail():
            raise PatternError("a string's text cannot hold a rule (a part that is made on demand and may recurse)")
        case _:
            assert_never(node)


def json_string(content: Node, banned: Banned = (), escapes: Escapes = "json", *, unique: bool = False) -> Node:
    """The JSON strings of decoded ones, with their quotes.

    What is counted stays counted, literals with one text stay literals; anything else is a lexeme, with its closing quote.

    Args:
        content: the decoded strings.
        banned: texts that no string holds as they are, see :mod:`banned_substrings`.
        escapes: which escapes are written.
        unique: each string has one text, the usual one.

    Raises:
        PatternError: ``content`` holds rules.

    >>> json_string(choice(literal("red"), literal("blue")), unique=True) is choice(literal('"red"'), literal('"blue"'))
    True
    """
    texts = _listed(content) if unique else None
    if texts is not None:
        return choice(*(literal(quoted(text, banned, escapes)) for text in texts))
    banned = within_alphabet(_alphabet(content), banned) if banned else ()
    inner = encoded(content, escapes, unique=unique, banned=banned)
    longer = tuple(text for text in banned if len(text) > 1 or (not unique and text in IN_ESCAPES))
    if longer and unique:
        inner = intersection(inner, escaped_where_needed(encoded(ir.CHARACTER, escapes, unique=True, banned=banned), longer, escapes))
    elif longer:
        inner = intersection(inner, free_of(longer))
    if counter_of(inner) is not None:
        return sequence(_QUOTE, inner, _QUOTE)
    whole, states = sequence(inner, _QUOTE), derived_as(inner)
    if states is not None:
        derive_as(whole, sequence(states, _QUOTE))
    return sequence(_QUOTE, lexeme(whole))


def raw_string(content: Node, raw: RawStrings) -> Node:
    """The raw strings of some texts, with their quotes; texts that a raw string cannot hold are left out.

    Args:
        content: the texts.
        raw: how they are written.

    >>> raw = RawStrings("''", literal("''"), ("''",))
    >>> raw_string(choice(literal("red"), literal("a''b")), raw) is literal("''red''")
    True
    """
    texts = _listed(content)
    if texts is not None:
        return sequence(raw.quote_node, choice(*(literal(text) for text in texts if raw.can_hold(text))), raw.quote_node)
    edges = [*(sequence(TEXT, literal(end)) for end in raw.banned_ends), *(sequence(literal(start), TEXT) for start in raw.banned_starts)]
    inner = intersection(content, not_containing(*raw.banned), *map(complement, edges))
    return sequence(raw.quote_node, inner if counter_of(inner) is not None else lexeme(inner), raw.quote_node)


def _listed(content: Node) -> list[str] | None:
    """The texts, if they are given one by one."""
    options = content.options if isinstance(content, ir.Choice) else (content,)
    texts = [option.text for option in options if isinstance(option, ir.Literal)]
    return texts if len(texts) == len(options) else None


@lru_cache(maxsize=4_096)
def _alphabet(node: Node) -> CharSet:
    """A superset of the characters in the texts of a node without rules."""
    match cast(ir.AnyNode, node):
        case ir.Literal() as one:
            return CharSet.of(one.text)
        case ir.Characters(charset):
            return charset
        case ir.Sequence(parts) | ir.Choice(parts):
            return reduce(or_, map(_alphabet, parts), CharSet())
        case ir.Intersection(parts):
            return reduce(and_, map(_alphabet, parts), ir.ALL_CHARACTERS)
        case ir.Repeat(inner) | ir.Lexeme(inner):
            return _alphabet(inner)
        case ir.Complement() | ir.Dfa() | ir.Rule() | ir.Capture() | ir.Utf8Tail():
            return ir.ALL_CHARACTERS
        case _:
            assert_never(node)
