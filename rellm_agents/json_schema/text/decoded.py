"""Finds the decoded strings that fit all conditions of a schema, as a node of their characters.

Schemas speak of decoded strings: a character is a code point, whatever JSON makes of it. A bound on the length that all strings keep
anyway is left out, and one on repeated characters becomes the count of the repeat, so that less has to be intersected. Knows nothing
of JSON text.

>>> from rellm_agents.patterns import Pattern
>>> words = Pattern(decoded_strings(patterns=('^"[ab]+"$',), max_length=4))
>>> words.fullmatch('"ab"'), words.fullmatch('"aab"'), words.fullmatch("ab")
(True, False, False)
"""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
from typing import TypedDict, assert_never, cast

from rellm_agents.errors import InexactFormat, PatternError, PatternTooLarge
from rellm_agents.json_schema.text.string_formats import string_format
from rellm_agents.limits import DEFAULT_LIMITS, Limits
from rellm_agents.patterns import NOTHING, TEXT, CharSet, Node, choice, complement, intersection, ir, literal, read_regex, repeat


class Conditions(TypedDict, total=False):
    """What a decoded string has to fit; see :func:`decoded_strings`."""

    min_length: int
    max_length: int | None
    patterns: tuple[str, ...]
    excluded_patterns: tuple[str, ...]
    formats: tuple[str, ...]
    excluded_formats: tuple[str, ...]
    excluded: tuple[str, ...]
    limits: Limits


def decoded_strings(
    *,
    min_length: int = 0,
    max_length: int | None = None,
    patterns: tuple[str, ...] = (),
    excluded_patterns: tuple[str, ...] = (),
    formats: tuple[str, ...] = (),
    excluded_formats: tuple[str, ...] = (),
    excluded: tuple[str, ...] = (),
    limits: Limits = DEFAULT_LIMITS,
) -> Node:
    """The decoded strings that fit all conditions, without rules; where the conditions contradict each other, maybe none.

    Args:
        min_length: in code points of the decoded string, as ``max_length``.
        max_length: ``None``: any.
        patterns: ECMA-262 regexes that match somewhere in it.
        excluded_patterns: those that match nowhere in it; not as Python reads them either, where ``.``, ``$`` and white space match more.
        formats: what it is written in; names that are not known ask for nothing.
        excluded_formats: what it is not written in. A name that is not known fits every string, so that none is left.
        excluded: strings that it is not.
        limits: on what patterns may ask for.

    Raises:
        RegexSyntaxError: a pattern is outside the dialect, or not regular.
        InexactFormat: an excluded format that is not known exactly.
        PatternTooLarge: more characters are asked for than a limit allows, or a bound was passed while looking for a string that fits.
    """
    if max_length is not None and max_length < min_length:
        return NOTHING
    if refusal := limits.refusal("least_characters", min_length, "ask for fewer"):
        raise PatternTooLarge(refusal)
    whole = [read_regex(text, dialect="ecma", search=True, limits=limits) for text in patterns]
    whole += [known.node for name in formats if (known := string_format(name)) is not None]
    absent, minus = _absent([reading for text in excluded_patterns for reading in _readings(text, limits)])
    if absent:
        whole.append(repeat(ir.characters(ir.ALL_CHARACTERS & ~absent)))
    for name in excluded_formats:
        known = string_format(name)
        if known is None:
            return NOTHING
        if not known.exact:
            raise InexactFormat(name)
        minus.append(known.node)
    minus += [literal(text) for text in excluded if _is_text(text)]
    fitting = with_length(intersection(*whole) if whole else TEXT, min_length, max_length)
    return intersection(fitting, complement(choice(*minus))) if minus else fitting


def _absent(searched: list[Node]) -> tuple[CharSet, list[Node]]:
    """The characters that are searched for and must not be found, and what else must not be: a set of characters has far fewer states."""
    absent, others = CharSet(), list[Node]()
    for node in searched:
        match node:
            case ir.Sequence((before, ir.Characters(charset), after)) if before is TEXT and after is TEXT:
                absent |= charset
            case _:
                others.append(node)
    return absent, others


def _readings(pattern: str, limits: Limits) -> list[Node]:
    """The meanings that validators give a pattern: ECMA-262's, and those of their own language."""
    found = [read_regex(pattern, dialect="ecma", search=True, limits=limits)]
    for dialect in ("regex", "re"):  # both Python's; classes such as \s and \w differ between the two as well
        with suppress(PatternError):  # a pattern that Python cannot read, no validator in Python applies
            found.append(read_regex(pattern, dialect=dialect, search=True, limits=limits))
    return found


def with_length(node: Node, minimum: int, maximum: int | None) -> Node:
    """The texts of a node that are so long, in characters; a bound that all of them keep anyway adds nothing.

    >>> from rellm_agents.patterns import read_regex
    >>> with_length(read_regex("[0-9]{4}"), 1, 10) is read_regex("[0-9]{4}"), with_length(read_regex("a+"), 0, 5) is read_regex("a{1,5}")
    (True, True)
    """
    least, most = length_bounds(node)
    if (maximum is not None and least > maximum) or (most is not None and most < minimum):
        return NOTHING
    low = minimum if least < minimum else 0
    high = maximum if maximum is not None and (most is None or most > maximum) else None
    if low == 0 and high is None:
        return node
    if isinstance(node, ir.Repeat) and length_bounds(node.inner) == (1, 1):
        return repeat(node.inner, max(node.minimum, low), high if high is not None else node.maximum)
    return intersection(node, repeat(ir.CHARACTER, low, high))


@lru_cache(maxsize=4_096)
def length_bounds(node: Node) -> tuple[int, int | None]:
    """A lower and an upper bound on the characters of a text of a node without rules; ``None``: no upper bound.

    Exact for nodes without intersections and complements.
    """
    match cast(ir.AnyNode, node):
        case ir.Literal() as one:
            return len(one.text), len(one.text)
        case ir.Characters():
            return 1, 1
        case ir.Lexeme(inner):
            return length_bounds(inner)
        case ir.Sequence(parts):
            found = [length_bounds(part) for part in parts]
            upper = [most for _, most in found if most is not None]
            return sum(least for least, _ in found), sum(upper) if len(upper) == len(found) else None
        case ir.Choice(options):
            found = [length_bounds(option) for option in options]
            upper = [most for _, most in found if most is not None]
            return min((least for least, _ in found), default=0), max(upper, default=0) if len(upper) == len(found) else None
        case ir.Repeat(inner, minimum, maximum):
            least, most = length_bounds(inner)
            return least * minimum, 0 if most == 0 else None if most is None or maximum is None else most * maximum
        case ir.Intersection(parts):
            found = [length_bounds(part) for part in parts]
            return max(least for least, _ in found), min((most for _, most in found if most is not None), default=None)
        case ir.Complement() | ir.Dfa() | ir.Rule() | ir.Capture() | ir.Utf8Tail():
            return 0, None
        case _:
            assert_never(node)


def _is_text(value: str) -> bool:
    """Whether it holds no lone surrogate, which UTF-8 cannot write."""
    return not any("\ud800" <= c <= "\udfff" for c in value)
