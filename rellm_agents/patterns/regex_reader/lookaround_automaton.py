r"""Lookaround anywhere in a regex, also inside repeats, is compiled away by an automaton of the whole tree.

A configuration is a state of the tree's nondeterministic automaton with its obligations: for each lookahead that was met, the
configurations that are still reading it, one of which has to end before the text does, or none of which may. A state of the automaton is a
set of configurations, and for each lookbehind the set of configurations that have been reading it since any earlier position. So the past
is known when it is asked for, and the future is owed. (Moseley et al., "Derivative based nonbacktracking real-world regex matching with
backtracking semantics", PLDI 2023, do the same for the past, with locations.)

    (?:(?!ab).)*    after "a": one configuration, with the obligation that no "b" comes next

>>> from rellm_agents.patterns.regex_parser import ANY_CHARACTER, Class, Concat, Look, Repetition
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

from rellm_agents.errors import PatternTooLarge
from rellm_agents.limits import DEFAULT_LIMITS, Limits
from rellm_agents.patterns.automaton import explored, node_of_automaton
from rellm_agents.patterns.ir import CharSet, Node
from rellm_agents.patterns.regex_parser import Tree
from rellm_agents.patterns.regex_reader.nfa import END, Nfa

_NFA_STATES = 16  # of the tree, repeats written out, for each state of the automaton that is allowed
_STEPS = 240  # configurations looked at, likewise

Obligation = tuple[bool, "Configurations"]  # whether one of the configurations has to end before the text does, or none may
Obligations = frozenset[Obligation]
Configuration = tuple[int, Obligations]
Configurations = frozenset[Configuration]
State = tuple[Configurations, ...]  # of the tree, then of each lookbehind

_FREE: Obligations = frozenset()


def node_of(tree: Tree, limits: Limits = DEFAULT_LIMITS) -> Node:
    """The node of a tree without calls.

    Args:
        tree: the whole.
        limits: on the states of its automaton.

    Raises:
        PatternTooLarge: there are more states, or more is to be done to make them than is in proportion.
    """
    most, refusal = limits.lookaround_states, limits.passed("lookaround_states", "use fewer of them, or shorter ones")
    run = _Run(Nfa(tree, max_states=_NFA_STATES * most, refusal=refusal), _STEPS * most, refusal)
    return node_of_automaton(explored(run.start(), run.moves_of, run.accepting.__contains__, most, refusal))


class _Run:
    """The states of the automaton, made from those of a nondeterministic one.

    Attributes:
        accepting: of the states whose moves were asked for, those in which a text may end.
    """

    def __init__(self, nfa: Nfa, most_steps: int, refusal: str) -> None:
        self.nfa, self.most_steps, self.refusal = nfa, most_steps, refusal
        behinds = [number for number, state in enumerate(nfa.states) if state.look is not None and not state.look.ahead]
        self.behinds = {number: i for i, number in enumerate(behinds)}  # the numbers of the lookbehinds, by the states that ask
        self.behind_starts = [nfa.states[number].inner for number in behinds]
        self.steps = 0
        self.accepting: set[State] = set()

    def start(self) -> State:
        return tuple(frozenset({(first, _FREE)}) for first in (self.nfa.first, *self.behind_starts))

    def moves_of(self, state: State) -> Iterator[tuple[CharSet, State]]:
        """The symbols and the states that follow."""
        closed = self.closures(state)
        if self.may_end(closed[0]):
            self.accepting.add(state)
        if closed[0]:
            for i, symbol in enumerate(self.nfa.symbols):
                after = self.step(closed, i)
                if after[0]:
                    yield symbol, after

    def closures(self, state: State) -> State:
        """The configurations of each part of a state in which a character is read, or the end is reached."""
        known: dict[int, Configurations] = {}

        def behind(number: int) -> Configurations:
            if number not in known:
                known[number] = close(renewed(state[1 + number]))
            return known[number]

        def close(configurations: Iterable[Configuration]) -> Configurations:  # their obligations are up to date
            found: set[Configuration] = set()
            waiting = list(configurations)
            seen = set(waiting)
            while waiting:
                number, owed = waiting.pop()
                self.steps += 1
                if self.steps > self.most_steps:
                    raise PatternTooLarge(self.refusal)
                one = self.nfa.states[number]
                if one.look is not None:
                    new = asked(number)
                    if new is None:
                        continue
                    owed = owed | new
                if one.reads is not None or number == END:
                    found.add((number, owed))
                for then in one.free:
                    if (then, owed) not in seen:
                        seen.add((then, owed))
                        waiting.append((then, owed))
            return _simplest(found)

        def asked(number: int) -> Obligations | None:
            """The obligations under which a lookaround holds; ``None`` if it does not."""
            one = self.nfa.states[number]
            assert one.look is not None
            if one.look.ahead:
                reading = close([(one.inner, _FREE)])
            else:
                reading = frozenset(each for each in behind(self.behinds[number]) if each[0] == END)
            return _settled(positive=one.look.positive, reading=reading)

        def renewed(configurations: Configurations) -> Iterator[Configuration]:
            for number, owed in configurations:
                still: set[Obligation] = set()
                for positive, reading in owed:
                    new = _settled(positive=positive, reading=close(renewed(reading)))
                    if new is None:
                        break
                    still |= new
                else:
                    yield number, frozenset(still)

        main = close(renewed(state[0]))
        return (main, *(behind(number) for number in range(len(self.behind_starts))))

    def step(self, closed: State, symbol: int) -> State:
        """The state after one more character; ``closed`` are closures."""
        main, *behinds = closed
        moved = [frozenset({*self.advanced(part, symbol), (first, _FREE)}) for part, first in zip(behinds, self.behind_starts, strict=True)]
        return (frozenset(self.advanced(main, symbol)), *moved)

    def advanced(self, closed: Configurations, symbol: int, *, keep_ended: bool = False) -> Iterator[Configuration]:
        """The configurations after one more character; inside obligations, one that has ended stays so."""
        for number, owed in closed:
            if number == END and keep_ended:
                then = END
            elif symbol in self.nfa.reads[number]:
                then = self.nfa.states[number].then
            else:
                continue
            yield then, frozenset((positive, frozenset(self.advanced(reading, symbol, keep_ended=True))) for positive, reading in owed)

    def may_end(self, closed: Configurations) -> bool:
        """Whether the text may end here: some configuration has ended, and its obligations are met."""
        return any(number == END and all(positive is self.may_end(reading) for positive, reading in owed) for number, owed in closed)


def _settled(*, positive: bool, reading: Configurations) -> Obligations | None:
    """The obligation that one of the configurations ends, or that none does; ``None`` if it cannot be met."""
    if (END, _FREE) in reading:
        return _FREE if positive else None
    if not reading:
        return None if positive else _FREE
    return frozenset({(positive, reading)})


def _simplest(found: set[Configuration]) -> Configurations:
    """The configurations without those that owe more than another one of the same state."""
    by_state: dict[int, list[Obligations]] = defaultdict(list)
    for number, owed in found:
        by_state[number].append(owed)
    return frozenset((number, owed) for number, owed in found if not any(less < owed for less in by_state[number]))
