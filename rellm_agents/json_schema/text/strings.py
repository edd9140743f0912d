r"""Conditions on a decoded string in, the node of its JSON text out: the strings that fit all of them, with their quotes.

Schemas speak of the decoded string; the text holds it encoded, in the one spelling of :mod:`json_text`: raw UTF-8, short
escapes, other control characters as ``\u00xx``. Encoding takes one character after the other and never two to the same
text, so it goes through every kind of node. Knows nothing of schemas.

>>> from rellm_agents.patterns import Pattern
>>> quoted = Pattern(string_node(patterns=('^"[ab]+"$',), max_length=4))
>>> quoted.fullmatch(r'"\"ab\""'), quoted.fullmatch(r'"\"aab\""'), quoted.fullmatch('"ab"')
(True, False, False)
"""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache, reduce
from operator import and_, or_
from typing import TypedDict, Unpack, assert_never, cast

from rellm_agents.errors import InexactFormat, PatternError
from rellm_agents.json_schema.text.banned_substrings import (
    ESCAPED,
    SHORT,
    Marks,
    concerned,
    escaped,
    last_characters,
    one_spelling,
    spelled,
)
from rellm_agents.json_schema.text.layout import NAME, Layout, Raw, quoted
from rellm_agents.json_schema.text.string_formats import string_format
from rellm_agents.patterns import (
    NOTHING,
    TEXT,
    CharSet,
    Node,
    characters,
    choice,
    complement,
    intersection,
    lexeme,
    literal,
    not_containing,
    read_regex,
    repeat,
    sequence,
)
from rellm_agents.patterns.automaton import counter_of
from rellm_agents.patterns.ir import (
    ALL_CHARACTERS,
    CHARACTER,
    AnyNode,
    Capture,
    Characters,
    Choice,
    Complement,
    Dfa,
    Intersection,
    Lexeme,
    Literal,
    Repeat,
    Rule,
    Sequence,
    Utf8Tail,
)
from rellm_agents.patterns.machine import has_text

_QUOTE = literal('"')


@lru_cache(maxsize=4_096)
def encoded(node: Node, marks: Marks = ()) -> Node:
    r"""The JSON spelling, without quotes, of decoded texts; ``node`` itself if none of them holds a character to be escaped.

    Args:
        node: the decoded texts; without rules.
        marks: the characters that complete one are spelled in both ways, as they are and escaped; those that are one, escaped.

    Raises:
        PatternError: ``node`` holds rules.

    >>> encoded(literal('say "a"')) is literal(r'say \"a\"')
    True
    """

    def inside(part: Node) -> Node:
        return encoded(part, marks)

    match cast(AnyNode, node):
        case Literal() as one:
            doubled = last_characters(marks)
            if not any(c in one.text for c in doubled):
                return literal(spelled(one.text))
            return sequence(*(_encoded_set(CharSet.of(c), marks) if c in doubled else literal(spelled(c)) for c in one.text))
        case Characters(charset):
            return _encoded_set(charset, marks)
        case Sequence(parts):
            return sequence(*map(inside, parts))
        case Choice(options):
            return choice(*map(inside, options))
        case Repeat(inner, minimum, maximum):
            return repeat(inside(inner), minimum, maximum)
        case Intersection(parts):
            minus = [part for part in parts if isinstance(part, Complement)]
            whole = [inside(part) for part in parts if not isinstance(part, Complement)] or [inside(TEXT)]
            return intersection(*whole, *(complement(inside(part.inner)) for part in minus))
        case Complement(inner):
            return intersection(inside(TEXT), complement(inside(inner)))
        case Lexeme(inner):
            return lexeme(inside(inner))
        case Rule() | Capture() | Dfa() | Utf8Tail():
            raise PatternError("a string's text cannot hold a rule (a part that is made on demand and may recurse)")
        case _:
            assert_never(node)


def _encoded_set(charset: CharSet, marks: Marks) -> Node:
    """One character; put together as ``json_text.STRING`` is, so that both are the same node."""
    also = [literal(escaped(c, marks)) for c in last_characters(marks) if c in charset]
    charset &= ~CharSet.of(mark for mark in marks if len(mark) == 1)
    if not charset & ESCAPED:
        return choice(characters(charset), *also) if also else characters(charset)
    short = CharSet.of(letter for c, letter in SHORT.items() if c in charset)
    control = charset & ESCAPED & ~CharSet.of(SHORT)
    digits = [CharSet.of(f"{i % 16:x}" for i in range(first, first + 16) if chr(i) in control) for first in (0, 16)]
    in_hex = choice(sequence(literal("0"), characters(digits[0])), sequence(literal("1"), characters(digits[1])))
    options = [characters(charset & ~ESCAPED), sequence(literal("\\"), characters(short)), sequence(literal("\\u00"), in_hex)]
    return choice(*(option for option in options if option is not NOTHING), *also)


def json_string(content: Node, marks: Marks = ()) -> Node:
    """The JSON strings of decoded texts, with their quotes.

    Literals stay literals, and what is counted stays counted; anything else is a lexeme, with its closing quote.

    Args:
        content: the decoded texts.
        marks: texts that they do not hold as they are, see :mod:`marks`.

    Raises:
        PatternError: ``content`` holds rules.

    >>> json_string(choice(literal("red"), literal("blue"))) is choice(literal('"red"'), literal('"blue"'))
    True
    """
    options = content.options if isinstance(content, Choice) else (content,)
    texts = [option.text for option in options if isinstance(option, Literal)]
    if len(texts) == len(options):
        return choice(*(literal(quoted(text, marks)) for text in texts))
    marks = concerned(_alphabet(content), marks) if marks else ()
    inner = encoded(content, marks)
    longer = tuple(mark for mark in marks if len(mark) > 1)
    if longer:
        inner = intersection(inner, one_spelling(encoded(CHARACTER, marks), longer))
    if counter_of(inner) is not None:
        return sequence(_QUOTE, inner, _QUOTE)
    return sequence(_QUOTE, lexeme(sequence(inner, _QUOTE)))


def raw_string(content: Node, raw: Raw) -> Node:
    """The strings of texts that are written as they are, with the marks around them; without those that they cannot hold.

    Args:
        content: the texts.
        raw: the marks.

    >>> raw = Raw("''", literal("''"), ("''",))
    >>> raw_string(choice(literal("red"), literal("a''b")), raw) is literal("''red''")
    True
    """
    options = content.options if isinstance(content, Choice) else (content,)
    texts = [option.text for option in options if isinstance(option, Literal)]
    if len(texts) == len(options):
        return sequence(raw.node, choice(*(literal(text) for text in texts if raw.holds(text))), raw.node)
    edges = [*(sequence(TEXT, literal(end)) for end in raw.no_ends), *(sequence(literal(start), TEXT) for start in raw.no_starts)]
    inner = intersection(content, not_containing(*raw.without), *map(complement, edges))
    return sequence(raw.node, inner if counter_of(inner) is not None else lexeme(inner), raw.node)


@lru_cache(maxsize=4_096)
def _alphabet(node: Node) -> CharSet:
    """The characters that may stand in texts of a node without rules, and maybe others."""
    match cast(AnyNode, node):
        case Literal() as one:
            return CharSet.of(one.text)
        case Characters(charset):
            return charset
        case Sequence(parts) | Choice(parts):
            return reduce(or_, map(_alphabet, parts), CharSet())
        case Intersection(parts):
            return reduce(and_, map(_alphabet, parts), ALL_CHARACTERS)
        case Repeat(inner) | Lexeme(inner):
            return _alphabet(inner)
        case Complement() | Dfa() | Rule() | Capture() | Utf8Tail():
            return ALL_CHARACTERS
        case _:
            assert_never(node)


def length(minimum: int, maximum: int | None) -> Node:
    """The JSON strings, with their quotes, of so many characters (code points, decoded); no maximum: any number.

    >>> from rellm_agents.json_schema.text.layout import STRING
    >>> length(0, None) is STRING
    True
    """
    return NOTHING if maximum is not None and maximum < minimum else json_string(repeat(CHARACTER, minimum, maximum))


class Conditions(TypedDict, total=False):
    """What a decoded string has to fit; see :func:`string_texts`."""

    min_length: int
    max_length: int | None
    patterns: tuple[str, ...]
    excluded_patterns: tuple[str, ...]
    formats: tuple[str, ...]
    excluded_formats: tuple[str, ...]
    excluded: tuple[str, ...]


@lru_cache(maxsize=1_024)
def string_node(*, marks: Marks = (), raw: Raw | None = None, **conditions: Unpack[Conditions]) -> Node:
    """The JSON strings, with their quotes, that fit all conditions; ``NOTHING`` if none does.

    Args:
        marks: texts that they do not hold as they are, see :mod:`marks`.
        raw: how they are written, if not as in JSON.
        conditions: as of :func:`string_texts`.

    Raises:
        RegexSyntaxError, InexactFormat, PatternTooLarge: as :func:`string_texts`.
    """
    fitting = string_texts(**conditions)
    if fitting is NOTHING:
        return NOTHING
    made = json_string(fitting, marks) if raw is None else raw_string(fitting, raw)
    return made if has_text(made) else NOTHING


def name_node(layout: Layout) -> Node:
    """The names that properties may have, as a layout writes them."""
    return string_node(marks=layout.marks) if layout.raw is None else lexeme(read_regex(NAME.pattern))


def string_texts(
    *,
    min_length: int = 0,
    max_length: int | None = None,
    patterns: tuple[str, ...] = (),
    excluded_patterns: tuple[str, ...] = (),
    formats: tuple[str, ...] = (),
    excluded_formats: tuple[str, ...] = (),
    excluded: tuple[str, ...] = (),
) -> Node:
    """The decoded strings that fit all conditions, without rules; where the conditions contradict each other, maybe none.

    Args:
        min_length: in code points of the decoded string, as ``max_length``.
        max_length: ``None``: any.
        patterns: ECMA-262 regexes that match somewhere in it.
        excluded_patterns: those that match nowhere in it; not as Python reads them either, where ``.`` and ``$`` match more.
        formats: what it is written in; names that are not known ask for nothing.
        excluded_formats: what it is not written in. Names that are not known fit every string, so that none is left.
        excluded: strings that it is not.

    Raises:
        RegexSyntaxError: a pattern is outside the dialect, or not regular.
        InexactFormat: an excluded format that is not known exactly.
        PatternTooLarge: a named bound was passed while looking for a string that fits.
    """
    if max_length is not None and max_length < min_length:
        return NOTHING
    whole = [read_regex(text, dialect="ecma", search=True) for text in patterns]
    whole += [known.node for name in formats if (known := string_format(name)) is not None]
    minus = [reading for text in excluded_patterns for reading in _readings(text)]
    for name in excluded_formats:
        known = string_format(name)
        if known is None:
            return NOTHING
        if not known.exact:
            raise InexactFormat(name)
        minus.append(known.node)
    minus += [literal(text) for text in excluded if _is_text(text)]
    fitting = bounded(intersection(*whole) if whole else TEXT, min_length, max_length)
    return intersection(fitting, complement(choice(*minus))) if minus else fitting


def _readings(pattern: str) -> list[Node]:
    """What validators take a pattern for: most of them read it as their own language does."""
    found = [read_regex(pattern, dialect="ecma", search=True)]
    with suppress(PatternError):  # what another language does not read, no validator of it can apply
        found.append(read_regex(pattern, search=True))
    return found


def bounded(node: Node, minimum: int, maximum: int | None) -> Node:
    """The texts of a node with so many characters; a bound that all of them keep anyway is not asked for.

    >>> from rellm_agents.patterns import read_regex
    >>> bounded(read_regex("[0-9]{4}"), 1, 10) is read_regex("[0-9]{4}"), bounded(read_regex("a+"), 0, 5) is read_regex("a{1,5}")
    (True, True)
    """
    least, most = lengths(node)
    if (maximum is not None and least > maximum) or (most is not None and most < minimum):
        return NOTHING
    low = minimum if least < minimum else 0
    high = maximum if maximum is not None and (most is None or most > maximum) else None
    if low == 0 and high is None:
        return node
    if isinstance(node, Repeat) and lengths(node.inner) == (1, 1):
        return repeat(node.inner, max(node.minimum, low), high if high is not None else node.maximum)
    return intersection(node, repeat(CHARACTER, low, high))


@lru_cache(maxsize=4_096)
def lengths(node: Node) -> tuple[int, int | None]:
    """No text of a node without rules has fewer characters than the first, nor more than the second; ``None``: without end.

    Exact, where neither intersections nor complements are inside.
    """
    match cast(AnyNode, node):
        case Literal() as one:
            return len(one.text), len(one.text)
        case Characters():
            return 1, 1
        case Lexeme(inner):
            return lengths(inner)
        case Sequence(parts):
            found = [lengths(part) for part in parts]
            return sum(least for least, _ in found), _sum([most for _, most in found])
        case Choice(options):
            found = [lengths(option) for option in options]
            endless = any(most is None for _, most in found)
            return min((least for least, _ in found), default=0), None if endless else max((most or 0 for _, most in found), default=0)
        case Repeat(inner, minimum, maximum):
            least, most = lengths(inner)
            return least * minimum, 0 if most == 0 else None if most is None or maximum is None else most * maximum
        case Intersection(parts):
            found = [lengths(part) for part in parts]
            return max(least for least, _ in found), min((most for _, most in found if most is not None), default=None)
        case Complement() | Dfa() | Rule() | Capture() | Utf8Tail():
            return 0, None
        case _:
            assert_never(node)


def _sum(counts: list[int | None]) -> int | None:
    total = 0
    for count in counts:
        if count is None:
            return None
        total += count
    return total


def _is_text(value: str) -> bool:
    """It holds no lone surrogate: no text in UTF-8 spells one."""
    return not any("\ud800" <= c <= "\udfff" for c in value)
