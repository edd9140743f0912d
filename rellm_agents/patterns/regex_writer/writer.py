r"""A node in, regex text in the ``regex`` module's dialect out: ``regex.fullmatch`` accepts the same texts.

Rules, and parts that occur several times, become named groups of a ``(?(DEFINE)...)`` block, called as ``(?&name)``,
so that the text is linear in the node. No automaton is written out: intersections and complements are lookarounds.

*Contains none of these* is a guard ``(?!...)`` before every character that could begin one of them: exact where none
of them can begin inside and end in what follows, which a walk over what follows decides.

Every other part of an intersection is a lookahead from the begin of the text in question to its end. Where what
follows is known up to the end of the whole text, the end is ``\Z``. Elsewhere group ``s`` keeps what is left of the
whole text at the begin, group ``e`` what is left at the end; what is left tells places apart, since no two are
equally long. From the end, a lookbehind goes back to the place where ``s`` is left, and looks ahead up to ``e``.

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
from rellm_agents.patterns.regex_writer.utf8_boundaries import refuse_parts_of_characters

_NOTHING = "(?!)"
_WORTH_A_NAME = 24  # characters from which on a part that occurs several times is written once

_ALTERNATION, _SEQUENCE, _ATOM = range(3)  # how tightly a text binds


def write_regex(node: Node) -> str:
    """Regex text for ``node``.

    Raises:
        PatternError: complements meet inside a character; what they say together, no regex text can.
        UnsupportedRegex: a text may not be written twice, or multiples stand inside of other text.
    """
    refuse_parts_of_characters(node)
    return _Writer().whole(node)


class _Following(NamedTuple):
    """What follows a part: it begins with ``text``; ``to_end``: and is no more than that."""

    text: str
    to_end: bool


_UNKNOWN, _END = _Following("", to_end=False), _Following("", to_end=True)


class _Place(NamedTuple):
    """A node, what follows it, and what must not begin anywhere inside."""

    node: Node
    following: _Following
    guards: tuple[Node, ...]


_Piece = str | tuple[_Place, int]  # regex text, or a part and how tightly it has to bind


class _Writer:
    def __init__(self) -> None:
        self.pieces: dict[_Place, tuple[list[_Piece], int]] = {}
        self.uses: Counter[_Place] = Counter()
        self.bodies: list[_Place] = []
        self.remembered = 0
        self.lengths: dict[_Place, int] = {}
        self.names: dict[_Place, str] = {}

    def whole(self, node: Node) -> str:
        main = self.part(node, _ALTERNATION, _END)
        for body in self.bodies:  # writing a body may name further rules
            self.write(body)
        text = self.joined([main])
        definitions: list[str] = []
        while len(definitions) < len(self.names):  # and writing those out may name further parts
            for place, name in list(self.names.items())[len(definitions) :]:
                definitions.append(f"(?<{name}>{self.joined(self.pieces[place][0])})")
        return f"(?(DEFINE){''.join(definitions)}){text}" if definitions else text

    # First, each part once, its own parts left open.

    def part(self, node: Node, binding: int, following: _Following = _UNKNOWN, guards: tuple[Node, ...] = ()) -> _Piece:
        node = without_name(node)
        place = _Place(node, following if node.has_boolean else _UNKNOWN, guards)
        self.uses[place] += 1
        if place not in self.pieces:
            if isinstance(node, Rule):
                self.pieces[place] = [], _ATOM
                self.bodies.append(place)
            else:
                self.write(place)
        return place, binding

    def write(self, place: _Place) -> None:
        if isinstance(place.node, Rule):
            self.pieces[place] = [self.part(place.node.body, _ALTERNATION)], _ATOM
        else:
            self.pieces[place] = self.written(*place)

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
                return _separated(self.part(option, _ALTERNATION, following, guards) for option in options), _ALTERNATION
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
                if not following.to_end:  # the module remembers where a repeated part failed, though what it has to meet is another
                    raise UnsupportedRegex("multiples inside of other text: the regex module does not find all of these texts")
                return [self.part(without_boolean(node), _SEQUENCE, following, guards)], _SEQUENCE
            case Rule():
                raise AssertionError("what a rule stands for is written on its own")
            case Capture():
                raise AssertionError("what no regex can say is refused before")
            case Utf8Tail():
                raise AssertionError("a part of a character is made by derivatives only, and never written")

    def guarded(self, charset: CharSet, guards: tuple[Node, ...]) -> list[_Piece]:
        """Before one character of a set: the guards that it could set off."""
        found: list[_Piece] = []
        for guard in guards:
            if _first_characters(guard) & charset:
                found += ["(?!", self.part(guard, _ALTERNATION), ")"]
        return found

    def lookarounds(self, parts: tuple[Node, ...], following: _Following, guards: tuple[Node, ...]) -> list[_Piece]:
        consumed: Node | None = None
        checks: list[tuple[str, Node]] = []
        for part in parts:
            match part:
                case Complement(inner):
                    words = _contained(inner)
                    if words is not None and _ends_inside(words, following):
                        guards = guards if words in guards else (*guards, words)
                    else:
                        checks.append(("(?!", inner))
                case _ if part is TEXT:
                    pass
                case _ if consumed is None:
                    consumed = part
                case _:
                    checks.append(("(?=", part))
        base = self.part(TEXT if consumed is None else consumed, _SEQUENCE, following, guards)
        if not checks:
            return [base]
        if following.to_end:
            end = escape(following.text) + "\\Z"
            ahead = [piece for opening, node in checks for piece in (opening, self.part(node, _SEQUENCE, following), end + ")")]
            return [*ahead, base]
        self.remembered += 1  # a pair of names of its own: another such part may stand inside
        begin, end = f"s{self.remembered}", f"e{self.remembered}"
        found: list[_Piece] = [
            f"(?=(?<{begin}>{ANY_CHARACTER_REGEX}*))",
            base,
            f"(?=(?<{end}>{ANY_CHARACTER_REGEX}*))(?<=(?=(?P={begin})\\Z)",
        ]
        for opening, node in checks:
            found += [opening, self.part(node, _SEQUENCE), f"(?P={end})\\Z)"]
        return [*found, f"{ANY_CHARACTER_REGEX}*?)"]

    # Then, which parts have a name of their own, and the text.

    def joined(self, pieces: list[_Piece]) -> str:
        return "".join(piece if isinstance(piece, str) else self.text(*piece) for piece in pieces)

    def text(self, place: _Place, binding: int) -> str:
        if self.is_named(place):
            name = self.names.setdefault(place, f"r{len(self.names) + 1}")
            return f"(?&{name})"
        pieces, own = self.pieces[place]
        return self.joined(pieces) if own >= binding else f"(?:{self.joined(pieces)})"

    def is_named(self, place: _Place) -> bool:
        return isinstance(place.node, Rule) or (self.uses[place] > 1 and self.length(place) >= _WORTH_A_NAME)

    def length(self, place: _Place) -> int:
        """About the length of the text of a part, the names of its own parts counted as such."""
        if place not in self.lengths:
            total = 0
            for piece in self.pieces[place][0]:
                if isinstance(piece, str):
                    total += len(piece)
                else:
                    total += 8 if self.is_named(piece[0]) else self.length(piece[0])
            self.lengths[place] = total
        return self.lengths[place]


def _separated(pieces: Iterable[_Piece]) -> list[_Piece]:
    found: list[_Piece] = []
    for piece in pieces:
        found += ["|", piece] if found else [piece]
    return found


def _after(parts: tuple[Node, ...], following: _Following) -> _Following:
    """What follows a part of a sequence: the other parts, then what follows the sequence."""
    match parts:
        case ():
            return following
        case (Literal() as one,):
            return _Following(one.text + following.text, following.to_end)
        case (Literal() as one, *_):
            return _Following(one.text, to_end=False)
    return _UNKNOWN


def _contained(node: Node) -> Node | None:
    """What a text of ``node`` holds somewhere, if that is all there is to say about it."""
    match node:
        case Sequence((first, *between, last)) if first is TEXT and last is TEXT and between:
            words = sequence(*between)
            return None if words.nullable else words
    return None


@lru_cache(maxsize=256)
def _ends_inside(words: Node, following: _Following) -> bool:
    """No text of ``words`` begins before what follows and ends in it: in no state that is left inside it goes on so far."""
    try:
        automaton = character_automaton(words)
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
