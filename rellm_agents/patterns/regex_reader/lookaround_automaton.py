r"""A tree with lookaround anywhere in, also where it goes round in a repeat, a node without any out: by its automaton.

A configuration is a place in the tree's automaton with the lookahead it still owes; a state is a set of them, and for
each lookbehind the set of configurations that have been reading it since any earlier place. So the past is known when it
is asked for, and the future is owed. (Moseley et al., "Derivative based nonbacktracking real-world regex matching with
backtracking semantics", PLDI 2023, does the same for the past with locations.) States are then merged and removed.

>>> from rellm_agents.patterns.regex_parser import ANY_CHARACTER, Look, Concat, Repetition
>>> from rellm_agents.patterns.ir import CharSet
>>> not_a = Look(Class(CharSet.of("a")), ahead=True, positive=False, at=0)
>>> node = node_of(Repetition(Concat((not_a, ANY_CHARACTER)), 0, None, "greedy", 0))  # (?:(?!a).)*
>>> from rellm_agents.patterns.ir import characters, repeat
>>> node is repeat(characters(~CharSet.of("a")))
True
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import assert_never

from rellm_agents.errors import PatternTooLarge
from rellm_agents.patterns.ir import EMPTY, NOTHING, CharSet, Node, characters, choice, repeat, sequence
from rellm_agents.patterns.regex_parser import Alternation, Atomic, Call, Class, Concat, Look, Repetition, Tree

MAX_PLACES = 4_000  # of the tree, repeats spelled out
MAX_STATES = 250  # of the automaton
MAX_STEPS = 60_000  # configurations looked at

Owed = tuple[bool, "Configurations"]  # whether one of the configurations, or none, has to be over before the text is
Configuration = tuple[int, frozenset[Owed]]
Configurations = frozenset[Configuration]


@dataclass
class _Place:
    free: list[int] = field(default_factory=list)  # where one goes without a character
    reads: CharSet | None = None
    then: int = -1
    around: Look | None = None


class _Context:
    def __init__(self, tree: Tree) -> None:
        self.places: list[_Place] = [_Place()]  # place 0 is the end of any tree
        self.aheads: dict[int, int] = {}  # the first place of a lookahead, by the place that asks
        self.behinds: dict[int, int] = {}  # the number of a lookbehind, by the place that asks
        self.behind_starts: list[int] = []
        self.steps = 0
        self.first = self.place(tree, 0)
        self.symbols = _disjoint(place.reads for place in self.places if place.reads is not None)
        holding = {
            charset: frozenset(i for i, one in enumerate(self.symbols) if one & charset)
            for charset in {p.reads for p in self.places if p.reads}
        }
        self.reads = [holding[place.reads] if place.reads else frozenset[int]() for place in self.places]

    # the automaton of the tree

    def new(self, *free: int) -> int:
        if len(self.places) >= MAX_PLACES:
            raise PatternTooLarge(f"more than {MAX_PLACES} places, repeats spelled out")
        self.places.append(_Place(list(free)))
        return len(self.places) - 1

    def place(self, tree: Tree, then: int) -> int:
        """The place before ``tree`` where ``then`` is the place after it."""
        match tree:
            case Class(charset):
                here = self.new()
                self.places[here].reads, self.places[here].then = charset, then
                return here
            case Concat(parts):
                for part in reversed(parts):
                    then = self.place(part, then)
                return then
            case Alternation(options):
                return self.new(*(self.place(option, then) for option in options))
            case Repetition(inner, minimum, maximum):
                if maximum is None:
                    then = self.new(then)
                    self.places[then].free.append(self.place(inner, then))
                else:
                    after = then
                    for _ in range(maximum - minimum):
                        then = self.new(self.place(inner, then), after)
                for _ in range(minimum):
                    then = self.place(inner, then)
                return then
            case Look(inner, ahead):
                here = self.new(then)
                self.places[here].around = tree
                first = self.place(inner, 0)
                if ahead:
                    self.aheads[here] = first
                else:
                    self.behinds[here] = len(self.behind_starts)
                    self.behind_starts.append(first)
                return here
            case Atomic(inner):
                return self.place(inner, then)
            case Call():
                raise AssertionError("a call is written out before")
            case _:
                assert_never(tree)

    # its states

    def start(self) -> tuple[Configurations, ...]:
        return (frozenset({(self.first, frozenset())}), *(frozenset({(first, frozenset())}) for first in self.behind_starts))

    def closures(self, state: tuple[Configurations, ...]) -> tuple[Configurations, ...]:
        """The places of each part of a state where a character is read, or the end is reached."""
        known: dict[int, Configurations] = {}

        def behind(number: int) -> Configurations:
            if number not in known:
                known[number] = close(renewed(state[1 + number]))
            return known[number]

        def close(configurations: Iterable[Configuration]) -> Configurations:  # what is owed is up to date
            found: set[Configuration] = set()
            waiting = list(configurations)
            seen = set(waiting)
            while waiting:
                here, owed = waiting.pop()
                self.steps += 1
                if self.steps > MAX_STEPS:
                    raise PatternTooLarge(f"more than {MAX_STEPS} steps")
                place = self.places[here]
                if place.around is not None:
                    new = asked(here, place.around)
                    if new is None:
                        continue
                    owed = owed | new
                if place.reads is not None or here == 0:
                    found.add((here, owed))
                for then in place.free:
                    if (then, owed) not in seen:
                        seen.add((then, owed))
                        waiting.append((then, owed))
            return _simplest(found)

        def asked(here: int, around: Look) -> frozenset[Owed] | None:
            """What is owed for a lookaround to hold; ``None``: it does not."""
            if around.ahead:
                reading = close([(self.aheads[here], frozenset())])
            else:
                reading = frozenset(one for one in behind(self.behinds[here]) if one[0] == 0)
            return _settled(positive=around.positive, reading=reading)

        def renewed(configurations: Configurations) -> Iterator[Configuration]:
            for here, owed in configurations:
                still: set[Owed] = set()
                for positive, reading in owed:
                    new = _settled(positive=positive, reading=close(renewed(reading)))
                    if new is None:
                        break
                    still |= new
                else:
                    yield here, frozenset(still)

        main = close(renewed(state[0]))
        return (main, *(behind(number) for number in range(len(self.behind_starts))))

    def step(self, closed: tuple[Configurations, ...], symbol: int) -> tuple[Configurations, ...]:
        """The state after one more character; ``closed`` are closures."""
        none: frozenset[Owed] = frozenset()
        main, *behinds = closed
        moved = [frozenset({*self.advanced(part, symbol), (first, none)}) for part, first in zip(behinds, self.behind_starts, strict=True)]
        return (frozenset(self.advanced(main, symbol)), *moved)

    def advanced(self, closed: Configurations, symbol: int, *, owed_for: bool = False) -> Iterator[Configuration]:
        """After one more character. Where it is owed for, what is over stays over."""
        for here, owed in closed:
            if here == 0 and owed_for:
                then = 0
            elif symbol in self.reads[here]:
                then = self.places[here].then
            else:
                continue
            yield then, frozenset((positive, frozenset(self.advanced(reading, symbol, owed_for=True))) for positive, reading in owed)

    def holds_at_end(self, owed: frozenset[Owed]) -> bool:
        """Whether the text may end with this owed."""
        return all(positive is self.over(reading) for positive, reading in owed)

    def over(self, closed: Configurations) -> bool:
        """Whether the text may end here."""
        return any(here == 0 and self.holds_at_end(owed) for here, owed in closed)


def node_of(tree: Tree) -> Node:
    """The node of a tree without calls.

    Raises:
        PatternTooLarge: a bound of this module is passed.
    """
    context = _Context(tree)
    numbers = {context.start(): 0}
    states = list(numbers)
    moves: list[dict[int, int]] = []
    over: list[bool] = []
    for state in states:
        closed = context.closures(state)
        over.append(context.over(closed[0]))
        moves.append({})
        if not closed[0]:
            continue
        for symbol in range(len(context.symbols)):
            after = context.step(closed, symbol)
            if not after[0]:
                continue
            if after not in numbers:
                if len(states) >= MAX_STATES:
                    raise PatternTooLarge(f"more than {MAX_STATES} states")
                numbers[after] = len(states)
                states.append(after)
            moves[-1][symbol] = numbers[after]
    return _written(moves, over, context.symbols)


def _settled(*, positive: bool, reading: Configurations) -> frozenset[Owed] | None:
    """What is owed so that one of the configurations ends - or none does; ``None``: that is out of reach."""
    if (0, frozenset()) in reading:
        return frozenset() if positive else None
    if not reading:
        return None if positive else frozenset()
    return frozenset({(positive, reading)})


def _simplest(found: set[Configuration]) -> Configurations:
    """Without those that owe more than another one at the same place."""
    by_place: dict[int, list[frozenset[Owed]]] = defaultdict(list)
    for here, owed in found:
        by_place[here].append(owed)
    return frozenset((here, owed) for here, all_owed in by_place.items() for owed in all_owed if not any(less < owed for less in all_owed))


def _disjoint(charsets: Iterable[CharSet]) -> list[CharSet]:
    """The largest sets that each lie in or outside of each of these; what lies outside of all is left out."""
    found: list[CharSet] = []
    for charset in dict.fromkeys(charsets):
        left = charset
        split = []
        for one in found:
            both = one & left
            if both:
                split.append(both)
                left = left & ~both
            if outside := one & ~both:
                split.append(outside)
        found = [*split, left] if left else split
    return found


def _written(moves: list[dict[int, int]], over: list[bool], symbols: list[CharSet]) -> Node:
    """An automaton as a node: equal states are merged, those that lead nowhere dropped, the others removed one by one."""
    block = [int(end) for end in over]
    while True:
        kinds: dict[object, int] = {}
        refined = [
            kinds.setdefault((block[i], tuple(sorted((symbol, block[j]) for symbol, j in out.items()))), len(kinds))
            for i, out in enumerate(moves)
        ]
        if len(kinds) == len(set(block)):
            break
        block = refined
    start, end = -1, -2
    edges: dict[int, dict[int, Node]] = {start: {block[0]: EMPTY}, end: {}}  # edges[a][b]: the texts that lead from a to b
    for i, out in enumerate(moves):
        if block[i] in edges:
            continue
        together: dict[int, list[CharSet]] = defaultdict(list)
        for symbol, j in out.items():
            together[block[j]].append(symbols[symbol])
        edges[block[i]] = {target: characters(reduce(or_, found)) for target, found in together.items()}
        if over[i]:
            edges[block[i]][end] = EMPTY
    left = set(edges) - {start, end}
    while left:
        gone = min(left, key=lambda i: (sum(i in edges[j] for j in edges if j != i) * len(edges[i]), -i))
        left.discard(gone)
        out_of = edges.pop(gone)
        around = repeat(out_of.pop(gone, NOTHING))
        for sources in edges.values():
            into = sources.pop(gone, None)
            if into is None:
                continue
            for target, after in out_of.items():
                sources[target] = choice(sources.get(target, NOTHING), sequence(into, around, after))
    return edges[start].get(end, NOTHING)
