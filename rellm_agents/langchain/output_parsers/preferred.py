r"""The tree of a regex in, the texts out that a search from their beginning takes as a whole.

A search that backtracks prefers some ways to match to others: more rounds of a greedy repeat, fewer of a lazy one, earlier options.
Its ways are followed side by side, the preferred ones first, as Pike's machine does (Cox, "Regular expression matching: the virtual
machine approach", 2009): what comes behind a way that is over has lost. A state is such a list; where a way of it is over at the end
of a text, the search takes that text as a whole.

>>> from rellm_agents.patterns import Pattern
>>> from rellm_agents.patterns.regex_text.parser import parse_regex
>>> [Pattern(preferred(parse_regex(text)[0])).fullmatch("ab") for text in ("a(b?)", "a(b??)", "ab|a", "a|ab")]
[True, False, True, False]
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rellm_agents.errors import PatternTooLarge
from rellm_agents.patterns import CharSet, Node
from rellm_agents.patterns.elimination import alive, node_of_automaton
from rellm_agents.patterns.regex_text.syntax import Around, Atomic, Call, Either, One, Row, Times, Tree, widths

MAX_PLACES = 2_000  # of the tree, repeats spelled out
MAX_STATES = 500  # lists of ways

_OVER = 0  # the place behind the tree


class NotFollowedError(Exception):
    """The tree holds what is not followed: lookaround, parts that are not gone back into, repeats of what may be empty."""


@dataclass(frozen=True)
class _Reads:
    charset: CharSet
    then: int


@dataclass(frozen=True)
class _Forks:
    places: tuple[int, ...]  # the preferred first


def preferred(tree: Tree) -> Node:
    """The texts that a search takes as a whole, of those at whose beginning it finds something.

    Raises:
        NotFollowedError: the tree holds what is not followed.
        PatternTooLarge: there are too many places or states, or what is made of them is too long.
    """
    ways = _Ways()
    start = tuple(ways.places_from((ways.place(tree, _OVER),)))
    numbers, lists = {start: 0}, [start]
    moves: list[list[tuple[CharSet, int]]] = []
    for here in lists:
        out: list[tuple[CharSet, int]] = []
        for symbol in ways.symbols():
            there = tuple(ways.places_from(ways.read(here, symbol)))
            if there not in numbers:
                numbers[there] = len(lists)
                lists.append(there)
                if len(lists) > MAX_STATES:
                    raise PatternTooLarge(f"the ways to match a regex stand in more than {MAX_STATES} orders")
            out.append((symbol, numbers[there]))
        moves.append(out)
    return node_of_automaton(alive(moves, {number for one, number in numbers.items() if _OVER in one}))


class _Ways:
    """The places of a tree, and where one goes from each."""

    def __init__(self) -> None:
        self.places: list[_Reads | _Forks | None] = [None]
        self._symbols: list[CharSet] | None = None

    def place(self, tree: Tree, then: int) -> int:
        """The place before ``tree`` where ``then`` is the place behind it."""
        match tree:
            case One(charset):
                return self._new(_Reads(charset, then))
            case Row(parts):
                for part in reversed(parts):
                    then = self.place(part, then)
                return then
            case Either(options):
                return self._new(_Forks(tuple(self.place(option, then) for option in options)))
            case Times(inner, minimum, maximum, preference):
                if preference == "possessive" or widths(inner, {})[0] == 0:
                    raise NotFollowedError
                return self._repeated(inner, minimum, maximum, then, is_lazy=preference == "lazy")
            case Around() | Atomic() | Call():
                raise NotFollowedError

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

    def symbols(self) -> list[CharSet]:
        """Sets of characters that no place tells apart."""
        if self._symbols is None:
            found: list[CharSet] = []
            for charset in {place.charset for place in self.places if isinstance(place, _Reads)}:
                rest = charset
                for one in found:
                    rest &= ~one
                found = [part for one in found for part in (one & charset, one & ~charset) if part]
                found += [rest] if rest else []
            self._symbols = found
        return self._symbols

    def read(self, ways: Iterable[int], symbol: CharSet) -> Iterator[int]:
        """Where a character leads, the preferred first."""
        for number in ways:
            place = self.places[number]
            if isinstance(place, _Reads) and place.charset & symbol:
                yield place.then

    def places_from(self, ways: Iterable[int]) -> Iterator[int]:
        """Where one stands without reading, the preferred first, each once; nothing behind a way that is over."""
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
            if number == _OVER:
                return


def _forks(inner: int, behind: int, *, is_lazy: bool) -> _Forks:
    return _Forks((behind, inner) if is_lazy else (inner, behind))
