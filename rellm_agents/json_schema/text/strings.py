r"""Makes the JSON strings that fit all conditions of a schema, or raw ones: decoded strings, encoded, with their quotes.

JSON text has one form of a character: raw UTF-8, short escapes, other control characters as ``\u00xx``. Encoding takes one character
after the other and never two to the same text (it is an injective homomorphism of strings), so it goes through every kind of node,
intersections and complements among them. Knows nothing of how the conditions become a node: see ``decoded``.

>>> from rellm_agents.patterns import Pattern
>>> quoted_words = Pattern(string_node(patterns=('^"[ab]+"$',), max_length=4))
>>> quoted_words.fullmatch(r'"\"ab\""'), quoted_words.fullmatch(r'"\"aab\""'), quoted_words.fullmatch('"ab"')
(True, False, False)
"""

from __future__ import annotations

from functools import lru_cache, reduce
from operator import and_, or_
from typing import Unpack, assert_never, cast

from rellm_agents.errors import PatternError
from rellm_agents.json_schema.text.banned_substrings import (
    ALWAYS_ESCAPED,
    SHORT_ESCAPES,
    Banned,
    escape,
    escaped_where_needed,
    last_characters,
    quoted,
    string_text,
    within_alphabet,
)
from rellm_agents.json_schema.text.decoded import Conditions, decoded_strings
from rellm_agents.json_schema.text.layout import Layout
from rellm_agents.json_schema.text.raw_strings import BARE_NAME, RawStrings
from rellm_agents.patterns import (
    NOTHING,
    TEXT,
    CharSet,
    Node,
    characters,
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
from rellm_agents.patterns.automaton import counter_of
from rellm_agents.patterns.machine import has_text

_QUOTE = literal('"')


@lru_cache(maxsize=1_024)
def string_node(*, banned: Banned = (), raw: RawStrings | None = None, **conditions: Unpack[Conditions]) -> Node:
    """The strings, with their quotes, that fit all conditions; ``NOTHING`` if none does.

    Args:
        banned: texts that no string holds as they are, see :mod:`banned_substrings`.
        raw: how strings are written, if not as in JSON.
        conditions: as of :func:`decoded_strings`.

    Raises:
        RegexSyntaxError, InexactFormat, PatternTooLarge: as :func:`decoded_strings`.
    """
    decoded = decoded_strings(**conditions)
    if decoded is NOTHING:
        return NOTHING
    node = json_string(decoded, banned) if raw is None else raw_string(decoded, raw)
    return node if has_text(node) else NOTHING


def name_node(layout: Layout) -> Node:
    """The names that properties may have, as a layout writes them."""
    return string_node(banned=layout.banned) if layout.raw is None else lexeme(read_regex(BARE_NAME.pattern))


@lru_cache(maxsize=4_096)
def encoded(node: Node, banned: Banned = ()) -> Node:
    r"""The JSON text, without quotes, of decoded strings; ``node`` itself if none of them holds a character to be escaped.

    Args:
        node: the decoded strings; without rules.
        banned: a character that completes one is written both as it is and escaped; one that is banned by itself, escaped.

    Raises:
        PatternError: ``node`` holds rules.

    >>> encoded(literal('say "a"')) is literal(r'say \"a\"')
    True
    """

    def inside(part: Node) -> Node:
        return encoded(part, banned)

    match cast(ir.AnyNode, node):
        case ir.Literal() as one:
            doubled = last_characters(banned)
            if not any(c in one.text for c in doubled):
                return literal(string_text(one.text))
            return sequence(*(_encoded_set(CharSet.of(c), banned) if c in doubled else literal(string_text(c)) for c in one.text))
        case ir.Characters(charset):
            return _encoded_set(charset, banned)
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


def _encoded_set(charset: CharSet, banned: Banned) -> Node:
    """One character, as it is and as its escapes."""
    also = [literal(escape(c, banned)) for c in last_characters(banned) if c in charset]
    charset &= ~CharSet.of(text for text in banned if len(text) == 1)
    if not charset & ALWAYS_ESCAPED:
        return choice(characters(charset), *also) if also else characters(charset)
    short = CharSet.of(letter for c, letter in SHORT_ESCAPES.items() if c in charset)
    control = charset & ALWAYS_ESCAPED & ~CharSet.of(SHORT_ESCAPES)
    digits = [CharSet.of(f"{i % 16:x}" for i in range(first, first + 16) if chr(i) in control) for first in (0, 16)]
    in_hex = choice(sequence(literal("0"), characters(digits[0])), sequence(literal("1"), characters(digits[1])))
    options = [characters(charset & ~ALWAYS_ESCAPED), sequence(literal("\\"), characters(short)), sequence(literal("\\u00"), in_hex)]
    return choice(*(option for option in options if option is not NOTHING), *also)


def json_string(content: Node, banned: Banned = ()) -> Node:
    """The JSON strings of decoded ones, with their quotes.

    Literals stay literals, and what is counted stays counted; anything else is a lexeme, with its closing quote.

    Args:
        content: the decoded strings.
        banned: texts that no string holds as they are, see :mod:`banned_substrings`.

    Raises:
        PatternError: ``content`` holds rules.

    >>> json_string(choice(literal("red"), literal("blue"))) is choice(literal('"red"'), literal('"blue"'))
    True
    """
    texts = _listed(content)
    if texts is not None:
        return choice(*(literal(quoted(text, banned)) for text in texts))
    banned = within_alphabet(_alphabet(content), banned) if banned else ()
    inner = encoded(content, banned)
    longer = tuple(text for text in banned if len(text) > 1)
    if longer:
        inner = intersection(inner, escaped_where_needed(encoded(ir.CHARACTER, banned), longer))
    if counter_of(inner) is not None:
        return sequence(_QUOTE, inner, _QUOTE)
    return sequence(_QUOTE, lexeme(sequence(inner, _QUOTE)))


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
