"""Smart constructors of pattern nodes: the only functions that make them, and so the owners of all invariants.

They flatten, drop what cannot match, and refuse what cannot be said. Equal nodes are the same object.

    literal("ab")                 the text itself
    special_token("<|end|>")      one token of the tokenizer, which text cannot spell
    characters(charset)           one character of a set
    sequence(a, b, ...)           one after the other
    choice(a, b, ...)             any of them
    repeat(a, minimum, maximum)   counted; no maximum: any number
    intersection(a, b, ...)       texts that all of them match
    complement(a)                 byte strings that ``a`` does not match; meet it with ``TEXT`` to stay in UTF-8. None holds a special token
    dfa(functions, state)         texts that an automaton accepts which is given by functions: remainders, counts
    rule(key, make)               a named part whose body is made when it is first needed: recursion, and large families
    capture(a, excluded, then, key, make)  a text of ``a`` that is not excluded; what follows depends on it
    lexeme(a)                     ``a``; worth an automaton of its own, shared by all patterns that hold it

Knows nothing of automata, regex text, JSON and tokens.

>>> sequence(literal("a"), sequence(literal("b"), EMPTY)) is literal("ab")
True
>>> choice(literal("a"), NOTHING) is literal("a")
True
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

from rellm_agents.errors import PatternError
from rellm_agents.patterns.ir.after_capture import AllDifferent, WrittenAgain
from rellm_agents.patterns.ir.charset import ALL_CHARACTERS, CharSet, Range
from rellm_agents.patterns.ir.node import MAYBE_EMPTY, RARE_BYTES, SPECIAL, Node
from rellm_agents.patterns.ir.node_types import (
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
    TransitionFunctions,
    Utf8Tail,
)
from rellm_agents.patterns.ir.special_tokens import special_bytes


def literal(text: str | bytes) -> Node:
    """Exactly ``text``.

    Args:
        text: characters, or the same in UTF-8.

    Raises:
        PatternError: the characters hold a lone surrogate, or the bytes are no UTF-8.
    """
    try:
        return byte_literal((text if isinstance(text, str) else text.decode("utf-8")).encode("utf-8"))
    except UnicodeEncodeError as error:
        raise PatternError(f"{text!r} holds a lone surrogate at position {error.start}, which UTF-8 cannot write") from error
    except UnicodeDecodeError as error:
        raise PatternError(f"{text!r} is no UTF-8: {error.reason} at position {error.start}") from error


def special_token(content: str) -> Node:
    """The special token of this content: one token of the tokenizer, never the same characters written as text.

    To the outside it reads as its content: texts are shown with it, and where a pattern names it, its content in a text that is
    matched is the token. So the text around it must not spell the content, as message formats ensure with
    ``not_containing("<|end|>")`` or ``compile_schema(..., without=["<|end|>"])``; otherwise the text is not read back.

    Args:
        content: as the tokenizer has it, e.g. ``<|channel|>``. Tokens that were added to a tokenizer as markup without being called
            special, such as ``<tool_call>``, are named alike; those of words or white space are text only.

    Raises:
        PatternError: there is no content, or it holds a lone surrogate.

    >>> special_token("<|end|>") is literal("<|end|>")
    False
    """
    if not content:
        raise PatternError("a special token without content: name it as the tokenizer does, e.g. '<|end|>'")
    literal(content)
    return Literal._make(special_bytes(content))


def byte_literal(data: bytes) -> Node:
    """Exactly these bytes, which may begin inside a character; for derivatives only."""
    return Literal._make(data)


def characters(charset: CharSet) -> Node:
    """One character of ``charset``; the empty set matches nothing."""
    if not charset:
        return NOTHING
    (first, last), *others = charset.ranges
    if first == last and not others:
        return literal(chr(first))
    return Characters._make(charset)


def tail(ranges: tuple[Range, ...], count: int) -> Node:
    """The last ``count`` bytes of a character, their payload in ``ranges``; see :class:`Utf8Tail`. For derivatives only."""
    return Utf8Tail._make(ranges, count) if count else EMPTY


def sequence(*parts: Node) -> Node:
    """The parts one after the other.

    >>> sequence() is EMPTY, sequence(literal("a"), NOTHING) is NOTHING
    (True, True)
    """
    flat: list[Node] = []
    for part in parts:
        for piece in part.parts if type(part) is Sequence else (part,):
            if piece is NOTHING:
                return NOTHING
            if type(piece) is Literal and flat and type(before := flat[-1]) is Literal:
                flat[-1] = Literal._make(before.data + piece.data)  # e.g. "a", "b" -> "ab"
            elif piece is not EMPTY:
                flat.append(piece)
    if len(flat) < 2:
        return flat[0] if flat else EMPTY
    return Sequence._made_of(*flat)


def choice(*options: Node) -> Node:
    """Any of the options.

    >>> choice(literal("a"), literal("a")) is literal("a")
    True
    """
    flat: dict[Node, None] = {}
    for option in options:
        for one in option.options if type(option) is Choice else (option,):
            flat[one] = None
    if ANYTHING in flat:
        flat = {one: None for one in flat if one is ANYTHING or one.has_special}
    if len(flat) == 1:
        return next(iter(flat))
    return Choice._made_of(*flat)


def optional(inner: Node) -> Node:
    """``inner`` or the empty text."""
    return repeat(inner, 0, 1)


def repeat(inner: Node, minimum: int = 0, maximum: int | None = None) -> Node:
    """``inner``, ``minimum`` to ``maximum`` times; no maximum: any number of times.

    Raises:
        PatternError: the bounds are negative or the wrong way round.
    """
    if minimum < 0 or (maximum is not None and maximum < minimum):
        raise PatternError(f"no repeat from {minimum} to {maximum} times: the bounds must be 0 <= minimum <= maximum")
    if inner is NOTHING:
        return EMPTY if minimum == 0 else NOTHING
    if maximum == 0 or inner is EMPTY:
        return EMPTY
    if minimum == maximum == 1:
        return inner
    if inner.nullable:
        minimum = 0  # e.g. (a?){2,3} -> (a?){0,3}
    match inner:
        case Repeat(once, 0 | 1 as least, None):
            return repeat(once, minimum * least)  # e.g. (a+){2,3} -> a{2,}
        case Repeat(once, 0, int(most)):
            return repeat(once, 0, None if maximum is None else most * maximum)  # e.g. (a{0,3}){2,5} -> a{0,15}
        case Repeat(once, least, int(most)) if minimum == maximum or minimum * most + 1 >= (minimum + 1) * least:
            return repeat(once, minimum * least, None if maximum is None else most * maximum)  # e.g. (a{2,3}){2,5} -> a{4,15}
    return Repeat._make(inner, minimum, maximum)


def intersection(*parts: Node) -> Node:
    """Texts that all of the parts match.

    Raises:
        PatternError: a part holds rules, since what recurses cannot be intersected; or special tokens.
    """
    flat: dict[Node, None] = {}
    for part in parts:
        _refuse_rules(part, "an intersection")
        _refuse_special(part, "an intersection")
        for one in part.parts if isinstance(part, Intersection) else (part,):
            if one is NOTHING:
                return NOTHING
            if one is not ANYTHING:
                flat[one] = None
    lengths = [one for one in flat if type(one) is Repeat and type(one.inner) is Characters]
    if len(lengths) > 1:  # e.g. [a-c]{2,9} & [b-d]{0,5} -> [bc]{2,5}
        return intersection(*(one for one in flat if one not in lengths), _same_length(lengths))
    if len(flat) < 2:
        return next(iter(flat), ANYTHING)
    return Intersection._make(*flat)


def _same_length(repeats: list[Repeat]) -> Node:
    """The texts of several repeats of single characters, as one: of characters of all of them, as often as all of them allow."""
    charset = ALL_CHARACTERS
    for one in repeats:
        assert isinstance(one.inner, Characters)
        charset &= one.inner.charset
    low = max(one.minimum for one in repeats)
    high = min((one.maximum for one in repeats if one.maximum is not None), default=None)
    return NOTHING if high is not None and high < low else repeat(characters(charset), low, high)


def complement(inner: Node) -> Node:
    """Byte strings that ``inner`` does not match.

    Raises:
        PatternError: ``inner`` holds rules, since what recurses cannot be complemented; or special tokens.
    """
    _refuse_rules(inner, "a complement")
    _refuse_special(inner, "a complement")
    return inner.inner if isinstance(inner, Complement) else Complement._make(inner)


def dfa(functions: TransitionFunctions, state: Hashable) -> Node:
    """Texts that lead ``functions`` from ``state`` to where it accepts; see :class:`TransitionFunctions`."""
    return Dfa._make(functions, state)


def difference(whole: Node, *minus: Node) -> Node:
    """Texts of ``whole`` that none of ``minus`` match."""
    return intersection(whole, *(complement(m) for m in minus))


def not_containing(*parts: Node | str) -> Node:
    """Any text in which none of ``parts`` occurs.

    >>> from rellm_agents.patterns.automaton import Automaton
    >>> Automaton.of(not_containing("stop")).matches(b"no sto p here")
    True
    """
    inner = choice(*(literal(p) if isinstance(p, str) else p for p in parts))
    return difference(TEXT, sequence(TEXT, inner, TEXT))


def rule(
    key: Hashable,
    make: Callable[[], Node],
    *,
    flags: int = RARE_BYTES | MAYBE_EMPTY,
    witness: Callable[[], Node] | None = None,
    special: bool = False,
) -> Node:
    """A named part whose body ``make()`` is called for when it is first needed.

    Args:
        key: tells this rule from all others in the process; put the object that owns the family into it.
        make: makes the body, which may name this rule again after at least one character.
        flags: which of ``RARE_BYTES`` and ``MAYBE_EMPTY`` may occur in the body. Flags that are left out save making the body.
        witness: makes a node that holds a cheapest text of the rule and no texts but its own, if the body is too large to be looked
            through. Costs are taken of it in place of the body. A rule with a witness needs a key that determines its body.
        special: whether special tokens occur in the body.
    """
    return Rule._made_once((Rule, key), key, make, flags | SPECIAL if special else flags, witness)


def capture(
    inner: Node,
    excluded: frozenset[bytes],
    then: Node,
    key: Hashable,
    make: Callable[[bytes], Node],
    *,
    flags: int = RARE_BYTES | MAYBE_EMPTY,
    first_bytes: bytes | None = None,
    leaves: AllDifferent | WrittenAgain | None = None,
) -> Node:
    """A text of ``inner`` that is none of ``excluded``, then a text of ``then``, then a text of what ``make`` gives for the first text.

    Args:
        inner: the texts that can be captured; none is empty.
        excluded: the texts that may not be captured.
        then: what follows the text, whatever it was.
        key: tells this capture from all others with the same nodes; put the object that owns the family into it.
        make: gives the node that comes after ``then``, for each text: some text matches it, and it is the same node for the same text.
            Contract: no continuation may cost more tokens than the one after a cheapest text, unless ``leaves`` tells what it costs.
            That holds where captured texts are only excluded later on, from equal captures.
        flags: as of :func:`rule`, those of ``inner`` and ``then`` included.
        first_bytes: the bytes with which texts of the nodes from ``make`` can begin, if none of these matches the empty text. ``None`` if
            they are not known; then, if ``then`` may be empty, each offset inside a token at which ``inner`` may end is looked at alone.
        leaves: what has to be written after the text; ``then`` is empty where it is told.

    Raises:
        PatternError: ``inner`` matches the empty text, or holds special tokens.

    >>> twice = capture(CHARACTER, frozenset({b"a"}), literal("="), "nodes.twice", lambda text: literal(text))
    >>> from rellm_agents.patterns.machine import run, start
    >>> run(start(twice), b"b=b").accepting, run(start(twice), b"b=a").accepting, run(start(twice), b"a=a").accepting
    (True, False, False)
    """
    if inner.nullable:
        raise PatternError("a capture of a text that may be empty: only a text of one character or more can be told from what follows it")
    _refuse_special(inner, "the text of a capture")
    if inner is NOTHING or then is NOTHING:
        return NOTHING
    identity = (Capture, id(inner), excluded, id(then), key)  # inner nodes by their id: see ``Node._make``
    return Capture._made_once(identity, inner, excluded, then, key, make, flags, first_bytes, leaves)


def lexeme(inner: Node) -> Node:
    """``inner``; its automaton and all token work on it are shared by the patterns that hold it.

    Raises:
        PatternError: ``inner`` holds rules.
    """
    _refuse_rules(inner, "a lexeme")
    return inner if isinstance(inner, (Literal, Lexeme)) or inner is NOTHING else Lexeme._make(inner)


def _refuse_rules(node: Node, where: str) -> None:
    if node.has_rules:
        raise PatternError(f"{where} cannot hold a rule (a part that is made on demand and may recurse): only what one automaton can say")


def _refuse_special(node: Node, where: str) -> None:
    if node.has_special:
        raise PatternError(f"{where} cannot hold a special token, which is no text: put it next to it, in a sequence or a choice")


EMPTY: Node = Literal._make(b"")
NOTHING: Node = Choice._make()
ANYTHING: Node = Complement._make(NOTHING)  # every byte string without special tokens
CHARACTER: Node = Characters._make(ALL_CHARACTERS)
TEXT: Node = Repeat._make(CHARACTER, 0, None)  # every text
