r"""The tree of a regex in, the texts out that a search from their beginning takes as a whole.

A search that backtracks prefers some ways to match to others: more rounds of a greedy repeat, fewer of a lazy one, earlier options.
Its ways are followed side by side, the preferred ones first, as Pike's machine does (Cox, "Regular expression matching: the virtual
machine approach", 2009): what comes behind a way that is over has lost. A state is such a list; where a way of it is over at the end
of a text, the search takes that text as a whole.

>>> from rellm_agents.patterns.pattern import Pattern
>>> from rellm_agents.patterns.regex_parser import parse_regex
>>> [Pattern(leftmost_first_texts(parse_regex(text)[0])[0]).fullmatch("ab") for text in ("a(b?)", "a(b??)", "ab|a", "a|ab")]
[True, False, True, False]
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass

from rellm_agents.errors import PatternTooLarge
from rellm_agents.patterns.automaton import node_of_automaton, trim
from rellm_agents.patterns.ir import CharSet, Node
from rellm_agents.patterns.regex_parser import Alternation, Atomic, Call, Class, Concat, Look, Repetition, Tree, widths

MAX_PLACES = 2_000  # of the tree, repeats spelled out
MAX_STATES = 500  # lists of ways

_OVER = 0  # the place behind the tree


class UnsupportedSearchError(Exception):
    """The tree holds what is not followed: lookaround, parts that are not gone back into, repeats of what may be empty."""


@dataclass(frozen=True)
class _Reads:
    charset: CharSet
    then: int


@dataclass(frozen=True)
class _Forks:
    places: tuple[int, ...]  # the preferred first


def leftmost_first_texts(tree: Tree) -> tuple[Node, bool]:
    """The texts that a search takes as a whole, of those at whose beginning it finds something.

    Returns:
        The texts; and whether the tree matches others as a whole, too.

    Raises:
        UnsupportedSearchError: the tree holds what is not followed.
        PatternTooLarge: there are too many places or states, or what is made of them is too long.
    """
    ways = _Ways()
    first = (ways.place(tree, _OVER),)
    start = (tuple(ways.standing(first)), frozenset(ways.standing(first, all_of_them=True)))
    symbols = ways.symbols()
    holding = {charset: {i for i, one in enumerate(symbols) if one & charset} for charset in ways.charsets()}
    numbers, states = {start: 0}, [start]
    moves: list[list[tuple[CharSet, int]]] = []
    for in_order, together in states:
        out: list[tuple[CharSet, int]] = []
        for i, symbol in enumerate(symbols):
            there = (
                tuple(ways.standing(ways.read(in_order, i, holding))),
                frozenset(ways.standing(ways.read(together, i, holding), all_of_them=True)),
            )
            if there not in numbers:
                numbers[there] = len(states)
                states.append(there)
                if len(states) > MAX_STATES:
                    raise PatternTooLarge(f"the ways to match a regex stand in more than {MAX_STATES} orders")
            out.append((symbol, numbers[there]))
        moves.append(out)
    node = node_of_automaton(trim(moves, {number for (in_order, _), number in numbers.items() if _OVER in in_order}))
    return node, any(_OVER in together and _OVER not in in_order for in_order, together in states)


class _Ways:
    """The places of a tree, and where one goes from each."""

    def __init__(self) -> None:
        self.places: list[_Reads | _Forks | None] = [None]

    def place(self, tree: Tree, then: int) -> int:
        """The place before ``tree`` where ``then`` is the place behind it."""
        match tree:
            case Class(charset):
                return self._new(_Reads(charset, then))
            case Concat(parts):
                for part in reversed(parts):
                    then = self.place(part, then)
                return then
            case Alternation(options):
                return self._new(_Forks(tuple(self.place(option, then) for option in options)))
            case Repetition(inner, minimum, maximum, preference):
                if preference == "possessive" or widths(inner, {})[0] == 0:
                    raise UnsupportedSearchError
                return self._repeated(inner, minimum, maximum, then, is_lazy=preference == "lazy")
            case Look() | Atomic() | Call():
                raise UnsupportedSearchError

    def _repeated(self, inner: Tree, minimum: int, maximum: int | None, then: int, *, is_lazy: bool) -> int:
        behind = then
        if maximum is None:
            then = self._new(None)
            self.places[then] = _forks(self.place(inner, then), behind, is_lazy=is_lazy)
        else:
            for _ in range(maximum - minimum):
                then = self._new(_forks(self.place(inner, then), behind, is_lazy=is_lazy))
        for _ in range(minimum):
            then = self.place(inner, then)
        return then

    def _new(self, place: _Reads | _Forks | None) -> int:
        if len(self.places) >= MAX_PLACES:
            raise PatternTooLarge(f"a regex has more than {MAX_PLACES} places, repeats spelled out")
        self.places.append(place)
        return len(self.places) - 1

    def charsets(self) -> set[CharSet]:
        """What is read somewhere."""
        return {place.charset for place in self.places if isinstance(place, _Reads)}

    def symbols(self) -> list[CharSet]:
        """Sets of characters that no place tells apart."""
        found: list[CharSet] = []
        for charset in self.charsets():
            rest = charset
            for one in found:
                rest &= ~one
            found = [part for one in found for part in (one & charset, one & ~charset) if part]
            found += [rest] if rest else []
        return found

    def read(self, ways: Iterable[int], symbol: int, holding: Mapping[CharSet, Container[int]]) -> Iterator[int]:
        """Where a character leads, the preferred first; ``holding`` tells of each set which symbols are in it."""
        for number in ways:
            place = self.places[number]
            if isinstance(place, _Reads) and symbol in holding[place.charset]:
                yield place.then

    def standing(self, ways: Iterable[int], *, all_of_them: bool = False) -> Iterator[int]:
        """Where one stands without reading, the preferred first, each once; nothing behind a way that is over, or all of them."""
        seen: set[int] = set()
        stack = list(ways)[::-1]
        while stack:
            number = stack.pop()
            if number in seen:
                continue
            seen.add(number)
            place = self.places[number]
            if isinstance(place, _Forks):
                stack.extend(reversed(place.places))
                continue
            yield number
            if number == _OVER and not all_of_them:
                return


def _forks(inner: int, behind: int, *, is_lazy: bool) -> _Forks:
    return _Forks((behind, inner) if is_lazy else (inner, behind))
