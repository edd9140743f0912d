"""Smart constructors in, interned immutable pattern nodes out: the one representation every stage shares.

Equal nodes are the same object, so a node is a dictionary key and comparing two costs nothing. Only the functions
in lower case make nodes; they flatten, drop what cannot match, and refuse what cannot be said. A node describes a
set of texts; it knows nothing of automata, regex text, JSON or tokens.

    literal("ab")                 the text itself
    special_token("<|end|>")      one token of the tokenizer, which text cannot spell
    characters(charset)           one character of a set
    sequence(a, b, ...)           one after the other
    choice(a, b, ...)             any of them
    repeat(a, minimum, maximum)   counted; no maximum: any number
    intersection(a, b, ...)       texts that all of them match
    complement(a)                 byte strings that ``a`` does not match; meet it with ``TEXT`` to stay in UTF-8. None holds a special token
    dfa(functions, state)       what an automaton reads that is given by functions: remainders, counts
    rule(key, make)               a named part whose body is made when it is first needed: recursion, and large families
    capture(a, excluded, then, key, make)  a text of ``a``, none of the barred, and what follows it depends on what it was
    lexeme(a)                     ``a``; marks a part worth an automaton of its own, shared by all patterns that hold it

>>> sequence(literal("a"), sequence(literal("b"), EMPTY)) is literal("ab")
True
>>> choice(literal("a"), NOTHING) is literal("a")
True
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

from rellm_agents.errors import PatternError
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
    matched is the token. So the text beside it must be kept from spelling the content, as message formats do it:
    ``not_containing("<|end|>")``, ``compile_schema(..., without=["<|end|>"])``; what is written otherwise is not read back.

    Args:
        content: as the tokenizer has it, e.g. ``<|channel|>``. Tokens that were added to a tokenizer as markup without being called
            special, such as ``<tool_call>``, are named alike; those of words or white space are no more than their text.

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
    """The last ``count`` bytes of a character, their payload in ``ranges``; see :class:`Utf8Tail`."""
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
    if len(flat) < 2:
        return next(iter(flat), ANYTHING)
    return Intersection._make(*flat)


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
        key: what tells this rule from all others in the process; put the object that owns the family into it.
        make: the body; may name this rule again, behind at least one character.
        flags: which of ``RARE_BYTES`` and ``MAYBE_EMPTY`` may stand inside; what the caller rules out, nobody has to make the body
            to find out.
        witness: makes a node that holds a cheapest text of the rule and no texts but its own, where the body is too large to look
            through: it is measured in place of the body, and a rule with an exit needs a key that its body can be told by.
        special: special tokens stand inside; what holds none, nobody has to make the body of to look for them.
    """
    found = Node._known((Rule, key))
    if found is None:
        with Node._lock:
            inside = flags | SPECIAL if special else flags
            found = Node._known((Rule, key)) or Rule._intern((Rule, key), key, make, inside, witness)
    return found


def capture(
    inner: Node,
    excluded: frozenset[bytes],
    then: Node,
    key: Hashable,
    make: Callable[[bytes], Node],
    *,
    flags: int = RARE_BYTES | MAYBE_EMPTY,
    first_bytes: bytes | None = None,
) -> Node:
    """A text of ``inner`` that is none of ``excluded``, then a text of ``then``, then what ``make`` says of the text of ``inner``.

    Args:
        inner: what the text looks like; not empty.
        excluded: the texts that it may not be.
        then: what follows the text, whatever it was.
        key: what tells this recall from all others of the same parts; put the object that owns the family into it.
        make: for each text what comes after ``then``: something that some text matches, equal nodes for equal texts. It
            may cost no more, in tokens, than after a cheapest text: so it is where the texts read are only kept from being read again.
        flags: as of :func:`rule`; ``inner`` and ``then`` included.
        first_bytes: the bytes that what comes after ``then`` can begin with, whatever the text was; only if it cannot be empty.
            ``None``: not known, so that where ``then`` may be empty, each place inside a token at which ``inner`` may be over
            is looked at alone.

    Raises:
        PatternError: ``inner`` matches the empty text, or holds special tokens.

    >>> twice = capture(CHARACTER, frozenset({b"a"}), literal("="), "nodes.twice", lambda text: literal(text))
    >>> from rellm_agents.patterns.machine import run, start
    >>> run(start(twice), b"b=b").accepting, run(start(twice), b"b=a").accepting, run(start(twice), b"a=a").accepting
    (True, False, False)
    """
    if inner.nullable:
        raise PatternError("a recall of what may be empty: only a text of one character or more can be told from what follows it")
    _refuse_special(inner, "the text of a recall")
    if inner is NOTHING or then is NOTHING:
        return NOTHING
    name = (Capture, id(inner), excluded, id(then), key)  # parts by their identity: see ``Node._make``
    found = Node._known(name)
    if found is None:
        with Node._lock:
            found = Node._known(name) or Capture._intern(name, inner, excluded, then, key, make, flags, first_bytes)
    return found


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
        raise PatternError(f"{where} cannot hold a special token, which is no text: put it beside, in a sequence or a choice")


EMPTY: Node = Literal._make(b"")
NOTHING: Node = Choice._make()
ANYTHING: Node = Complement._make(NOTHING)  # every byte string without special tokens
CHARACTER: Node = Characters._make(ALL_CHARACTERS)
TEXT: Node = Repeat._make(CHARACTER, 0, None)  # every text
