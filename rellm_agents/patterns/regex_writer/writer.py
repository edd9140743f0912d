r"""A node as regex text in the dialect of the ``regex`` module: ``regex.fullmatch`` accepts the same texts.

Rules, and nodes that occur several times, become named groups of a ``(?(DEFINE)...)`` block, called as ``(?&name)``, so that the text is
linear in the node. No automaton is written out: intersections and complements are lookarounds.

*Contains none of these* is a guard ``(?!...)`` before every character that could begin one of them: exact if none of them can begin
inside and end in what follows, which a walk over what follows decides.

Every other part of an intersection is a lookahead from the begin of the text in question to its end. Where what follows is known up to
the end of the whole text, the end is ``\Z``. Elsewhere group ``s`` captures the rest of the whole text at the begin, group ``e`` that
at the end. Rests identify positions, since no two have the same length. From the end, a lookbehind goes back to the position with the
rest ``s``, and looks ahead up to the position with the rest ``e``.

>>> from rellm_agents.patterns.ir import literal, not_containing, sequence
>>> from rellm_agents.patterns.regex_reader import read_regex
>>> write_regex(read_regex(r"(\{|[a-c]{2,}?)\n"))
'(?:\\{|[a-c]{2,})\\n'
>>> write_regex(sequence(not_containing("stop"), literal(";")))
'(?:(?!stop)(?s:.))*;'
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple, cast

from rellm_agents.errors import PatternTooLarge, UnsupportedRegex
from rellm_agents.patterns.automaton import CHARACTERS, character_automaton, transitions, without_boolean
from rellm_agents.patterns.ir import (
    ANY_CHARACTER_REGEX,
    TEXT,
    AnyNode,
    Capture,
    Characters,
    CharSet,
    Choice,
    Complement,
    Dfa,
    Intersection,
    Lexeme,
    Literal,
    Node,
    Repeat,
    Rule,
    Sequence,
    Utf8Tail,
    escape,
    escape_set,
    quantifier,
    sequence,
    without_name,
)
from rellm_agents.patterns.regex_writer.utf8_boundaries import refuse_split_characters

_NOTHING = "(?!)"
_MIN_NAMED = 24  # characters from which on a node that occurs several times is written once

_ALTERNATION, _SEQUENCE, _ATOM = range(3)  # how tightly a text binds


def write_regex(node: Node) -> str:
    """Regex text for ``node``.

    Raises:
        PatternError: complements meet inside a character, which no regex text can say.
        UnsupportedRegex: the node holds a capture, or a DFA that other text follows.
    """
    refuse_split_characters(node)
    return _Writer().whole(node)


class _Following(NamedTuple):
    """What follows a node: it begins with ``text``; if ``to_end``, it is nothing else."""

    text: str
    to_end: bool


_UNKNOWN, _END = _Following("", to_end=False), _Following("", to_end=True)


class _Occurrence(NamedTuple):
    """A node, what follows it, and the texts that must not begin anywhere inside."""

    node: Node
    following: _Following
    guards: tuple[Node, ...]


_Piece = str | tuple[_Occurrence, int]  # regex text, or an occurrence and how tightly it must bind


class _Writer:
    def __init__(self) -> None:
        self.pieces: dict[_Occurrence, tuple[list[_Piece], int]] = {}
        self.uses: Counter[_Occurrence] = Counter()
        self.bodies: list[_Occurrence] = []
        self.captures = 0
        self.lengths: dict[_Occurrence, int] = {}
        self.names: dict[_Occurrence, str] = {}

    def whole(self, node: Node) -> str:
        main = self.part(node, _ALTERNATION, _END)
        for body in self.bodies:  # writing a body may name further rules
            self.write(body)
        text = self.concatenated([main])
        definitions: list[str] = []
        while len(definitions) < len(self.names):  # and writing those out may name further parts
            for occurrence, name in list(self.names.items())[len(definitions) :]:
                definitions.append(f"(?<{name}>{self.concatenated(self.pieces[occurrence][0])})")
        return f"(?(DEFINE){''.join(definitions)}){text}" if definitions else text

    # First, each occurrence once, with inner ones left open.

    def part(self, node: Node, binding: int, following: _Following = _UNKNOWN, guards: tuple[Node, ...] = ()) -> _Piece:
        node = without_name(node)
        occurrence = _Occurrence(node, following if node.has_boolean else _UNKNOWN, guards)
        self.uses[occurrence] += 1
        if occurrence not in self.pieces:
            if isinstance(node, Rule):
                self.pieces[occurrence] = [], _ATOM
                self.bodies.append(occurrence)
            else:
                self.write(occurrence)
        return occurrence, binding

    def write(self, occurrence: _Occurrence) -> None:
        if isinstance(occurrence.node, Rule):
            self.pieces[occurrence] = [self.part(occurrence.node.body, _ALTERNATION)], _ATOM
        else:
            self.pieces[occurrence] = self.written(*occurrence)

    def written(self, node: Node, following: _Following, guards: tuple[Node, ...]) -> tuple[list[_Piece], int]:
        match cast(AnyNode, node):
            case Literal() as one:
                found: list[_Piece] = []
                for c in one.text:
                    found += [*self.guarded(CharSet.of(c), guards), escape(c)]
                return found, _ATOM if len(found) == 1 else _SEQUENCE
            case Characters(charset):
                guarded = self.guarded(charset, guards)
                return [*guarded, escape_set(charset)], _SEQUENCE if guarded else _ATOM
            case Sequence(parts):
                return [self.part(p, _SEQUENCE, _after(parts[i + 1 :], following), guards) for i, p in enumerate(parts)], _SEQUENCE
            case Choice(options):
                if not options:
                    return [_NOTHING], _ATOM
                return _alternated(self.part(option, _ALTERNATION, following, guards) for option in options), _ALTERNATION
            case Repeat(inner, minimum, maximum):
                once = self.part(inner, _ATOM, following if maximum == 1 else _UNKNOWN, guards)
                return [once, quantifier(minimum, maximum)], _SEQUENCE
            case Lexeme(inner):
                return [self.part(inner, _SEQUENCE, following, guards)], _SEQUENCE
            case Intersection(parts):
                return self.lookarounds(parts, following, guards), _SEQUENCE
            case Complement():
                return self.lookarounds((node,), following, guards), _SEQUENCE
            case Dfa():
                if not following.to_end:  # the module caches where a repeated part failed, although the lookaround around it differs
                    raise UnsupportedRegex("multiples inside of other text: the regex module does not find all of these texts")
                return [self.part(without_boolean(node), _SEQUENCE, following, guards)], _SEQUENCE
            case Rule():
                raise AssertionError("the body of a rule is written by itself")
            case Capture():
                raise AssertionError("captures are refused before")
            case Utf8Tail():
                raise AssertionError("a part of a character is made by derivatives only, and never written")

    def guarded(self, charset: CharSet, guards: tuple[Node, ...]) -> list[_Piece]:
        """The guards before one character of a set: those whose texts can begin with it."""
        found: list[_Piece] = []
        for guard in guards:
            if _first_characters(guard) & charset:
                found += ["(?!", self.part(guard, _ALTERNATION), ")"]
        return found

    def lookarounds(self, parts: tuple[Node, ...], following: _Following, guards: tuple[Node, ...]) -> list[_Piece]:
        base: Node | None = None
        checks: list[tuple[str, Node]] = []
        for part in parts:
            match part:
                case Complement(inner):
                    banned = _contained(inner)
                    if banned is not None and _ends_inside(banned, following):
                        guards = guards if banned in guards else (*guards, banned)
                    else:
                        checks.append(("(?!", inner))
                case _ if part is TEXT:
                    pass
                case _ if base is None:
                    base = part
                case _:
                    checks.append(("(?=", part))
        text = self.part(TEXT if base is None else base, _SEQUENCE, following, guards)
        if not checks:
            return [text]
        if following.to_end:
            end = escape(following.text) + "\\Z"
            ahead = [piece for opening, node in checks for piece in (opening, self.part(node, _SEQUENCE, following), end + ")")]
            return [*ahead, text]
        self.captures += 1  # a new pair of names: another such node may occur inside
        begin, end = f"s{self.captures}", f"e{self.captures}"
        found: list[_Piece] = [
            f"(?=(?<{begin}>{ANY_CHARACTER_REGEX}*))",
            text,
            f"(?=(?<{end}>{ANY_CHARACTER_REGEX}*))(?<=(?=(?P={begin})\\Z)",
        ]
        for opening, node in checks:
            found += [opening, self.part(node, _SEQUENCE), f"(?P={end})\\Z)"]
        return [*found, f"{ANY_CHARACTER_REGEX}*?)"]

    # Then, which occurrences get a name, and the text.

    def concatenated(self, pieces: list[_Piece]) -> str:
        return "".join(piece if isinstance(piece, str) else self.text(*piece) for piece in pieces)

    def text(self, occurrence: _Occurrence, binding: int) -> str:
        if self.is_named(occurrence):
            name = self.names.setdefault(occurrence, f"r{len(self.names) + 1}")
            return f"(?&{name})"
        pieces, own = self.pieces[occurrence]
        return self.concatenated(pieces) if own >= binding else f"(?:{self.concatenated(pieces)})"

    def is_named(self, occurrence: _Occurrence) -> bool:
        return isinstance(occurrence.node, Rule) or (self.uses[occurrence] > 1 and self.length(occurrence) >= _MIN_NAMED)

    def length(self, occurrence: _Occurrence) -> int:
        """About the length of the text of an occurrence, with inner named ones counted as calls."""
        if occurrence not in self.lengths:
            total = 0
            for piece in self.pieces[occurrence][0]:
                if isinstance(piece, str):
                    total += len(piece)
                else:
                    total += 8 if self.is_named(piece[0]) else self.length(piece[0])
            self.lengths[occurrence] = total
        return self.lengths[occurrence]


def _alternated(pieces: Iterable[_Piece]) -> list[_Piece]:
    found: list[_Piece] = []
    for piece in pieces:
        found += ["|", piece] if found else [piece]
    return found


def _after(parts: tuple[Node, ...], following: _Following) -> _Following:
    """What follows a part of a sequence: the parts after it, then what follows the sequence."""
    match parts:
        case ():
            return following
        case (Literal() as one,):
            return _Following(one.text + following.text, following.to_end)
        case (Literal() as one, *_):
            return _Following(one.text, to_end=False)
    return _UNKNOWN


def _contained(node: Node) -> Node | None:
    """The node that occurs inside the texts of ``node``, if these are all texts in which it does."""
    match node:
        case Sequence((first, *between, last)) if first is TEXT and last is TEXT and between:
            banned = sequence(*between)
            return None if banned.nullable else banned
    return None


@lru_cache(maxsize=256)
def _ends_inside(banned: Node, following: _Following) -> bool:
    """Whether no text of ``banned`` begins before what follows and ends in it."""
    try:
        automaton = character_automaton(banned)
    except PatternTooLarge:
        return False
    return all(_dies_in(automaton.moves, automaton.to_end, state, following) for state in {j for out in automaton.moves for _, j in out})


def _dies_in(moves: tuple[tuple[tuple[CharSet, int], ...], ...], to_end: tuple[int, ...], state: int, following: _Following) -> bool:
    for c in following.text:
        found = next((target for charset, target in moves[state] if c in charset), None)
        if found is None:
            return True
        if to_end[found] == 0:
            return False
        state = found
    return following.to_end or not moves[state]


@lru_cache(maxsize=256)
def _first_characters(node: Node) -> CharSet:
    found = CharSet()
    for charset, _ in transitions(node, CHARACTERS):
        found |= charset
    return found
