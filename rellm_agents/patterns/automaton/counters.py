"""How a repeat is run, and the counters of those whose iterations are counted: large bounds cost what small ones do.

A repeat as one automaton has a state for each count, so ``[a-z]{0,5000}`` would have thousands. Where no text of the inner part begins with
another of its texts (a prefix code), the end of an iteration is known when it comes, and one automaton of the inner part with a number
beside it is enough: a counter automaton, as for counted repetition in Turonova, Holik et al., "Regex matching with counting-set automata"
(2020), with a single counter value. An intersection with such a repeat is counted too: as simply, if its other parts never forbid a count,
so that every iteration may end the text, and may be followed by another; otherwise by a :class:`CountedAutomaton
<rellm_agents.patterns.automaton.counted.CountedAutomaton>`, which knows the counts. Knows nothing of tokens.

    [ab]{2,9}    automaton of [ab]*, counts 0 1 2 ... 9, and the text may end from 2 on

>>> from rellm_agents.patterns.ir import CHARACTER, intersection, literal, not_containing, repeat
>>> strategy_of(repeat(literal("a"), 0, 5_000)).name, strategy_of(repeat(literal("a"))).name
('COUNTER', 'AUTOMATON')
>>> found = counter_of(intersection(repeat(CHARACTER, 3, 5_000), not_containing("stop")))
>>> found.minimum, found.maximum, found.automaton.matches(b"sto"), found.automaton.matches(b"stop")
(3, 5000, True, False)
>>> type(counter_of(intersection(repeat(CHARACTER, 3, 5_000), repeat(repeat(CHARACTER, 2, 2)))).automaton).__name__
'CountedAutomaton'
"""

from __future__ import annotations

from enum import Enum, auto
from functools import lru_cache, reduce
from operator import or_
from typing import NamedTuple

from rellm_agents.errors import PatternTooLarge
from rellm_agents.patterns.automaton.automaton import DEAD, MAX_WHOLE, START, Automaton
from rellm_agents.patterns.automaton.counted import CountedAutomaton
from rellm_agents.patterns.automaton.derivative import BYTES, transitions
from rellm_agents.patterns.ir import Characters, Choice, Intersection, Literal, Node, Repeat, Sequence, intersection, repeat

MIN_COUNTED = 16  # the bound from which on iterations are counted, rather than kept as states
MIN_COUNTED_WIDE = 3  # the same where many bytes may come next: tokens are found once for each state, which is slow there
WIDE = 64  # bytes
MIN_LITERAL = 4  # bytes of literals from which on reading them one by one is faster than an automaton
MAX_POSITIONS = 2_000  # positions of a repeat, written out, that one automaton may stand for


class RepeatStrategy(Enum):
    """How a repeat is run."""

    COUNTER = auto()  # the automaton of its inner part without bounds, and a count
    AUTOMATON = auto()  # one automaton for the whole
    UNROLLED = auto()  # the inner part, then the repeat with one iteration less


def strategy_of(node: Repeat) -> RepeatStrategy:
    """How ``node`` is run."""
    if not node.is_plain or node.maximum == 1:
        return RepeatStrategy.UNROLLED  # there is no loop
    bound = max(node.minimum, node.maximum or 0)
    if bound >= MIN_COUNTED_WIDE and _is_prefix_code(node.inner) and (bound >= MIN_COUNTED or _is_wide(node.inner)):
        return RepeatStrategy.COUNTER
    if not node.inner.has_classes and node.inner.positions >= MIN_LITERAL:
        return RepeatStrategy.UNROLLED  # literals are read as they are
    return RepeatStrategy.AUTOMATON if node.positions <= MAX_POSITIONS else RepeatStrategy.UNROLLED


@lru_cache(maxsize=4_096)
def _is_prefix_code(node: Node) -> bool:
    """No text of ``node`` begins with another: where one ends is known without what follows."""
    match node:
        case Characters() | Literal():
            return True
        case Sequence(parts) if all(map(_is_prefix_code, parts)):
            return True
        case Repeat(inner, minimum, maximum) if minimum == maximum and _is_prefix_code(inner):
            return True
        case Choice(options) if all(map(_is_prefix_code, options)) and _begin_differently(options):
            return True
    if node.nullable or node.positions > MAX_POSITIONS:
        return False
    automaton = Automaton.of(node)
    table = automaton.whole_table()
    if table is None or automaton.is_empty:
        return False
    return all(not automaton.accepting[state] or not any(automaton.row(state)) for state in range(START, automaton.size) if state != DEAD)


def _begin_differently(options: tuple[Node, ...]) -> bool:
    """No two options begin with the same byte."""
    seen = 0
    for option in options:
        first = reduce(or_, (symbols for symbols, _ in transitions(option, BYTES)), 0)
        if first & seen:
            return False
        seen |= first
    return True


@lru_cache(maxsize=4_096)
def _is_wide(node: Node) -> bool:
    return sum(map(bool, Automaton.of(node).row(START))) >= WIDE


class Counter(NamedTuple):
    """A counted repeat.

    Attributes:
        automaton: of any number of iterations; it accepts where an iteration ends, and nowhere else. If it is a ``CountedAutomaton``,
            the text cannot end or be continued after every iteration.
        minimum, maximum: bounds on the number of iterations; ``None``: no upper bound.
    """

    automaton: Automaton
    minimum: int
    maximum: int | None

    @property
    def is_empty(self) -> bool:
        """There is no text."""
        return self.automaton.is_empty or not has_rest(self.automaton, START, self.minimum, self.maximum)

    @property
    def nullable(self) -> bool:
        """The text may be empty."""
        return self.minimum == 0 and may_end(self.automaton, START)

    @property
    def iteration_ends(self) -> list[int]:
        """The states of the automaton in which an iteration may end."""
        if isinstance(self.automaton.node, Repeat):
            return [START]  # a prefix code: after each iteration the whole repeat is left
        self.automaton.whole_table()
        return [state for state in range(START, self.automaton.size) if self.automaton.accepting[state]]


@lru_cache(maxsize=4_096)
def counter_of(node: Node) -> Counter | None:
    """The counter that ``node`` is run with; ``None``: it is run without one."""
    match node:
        case Repeat(inner, minimum, maximum) if strategy_of(node) is RepeatStrategy.COUNTER:
            return Counter(Automaton.of(repeat(inner)), minimum, maximum)
        case Intersection(parts):
            counters = [
                part for part in parts if isinstance(part, Repeat) and not part.has_boolean and strategy_of(part) is RepeatStrategy.COUNTER
            ]
            if len(counters) == 1:
                (counter,) = counters
                any_number, others = repeat(counter.inner), intersection(*(part for part in parts if part is not counter))
                within = Automaton.of(intersection(any_number, others))
                if _accepts_after_each_iteration(Automaton.of(any_number), within):
                    return Counter(within, counter.minimum, counter.maximum)
                if max(counter.minimum, counter.maximum or 0) >= MIN_COUNTED and not within.is_empty:
                    # Without complements the other conditions are cheaper alone, and what else they allow is never entered.
                    return _restricted(counter, _counted(any_number, within.node if others.has_boolean else others))
    return None


def may_end(automaton: Automaton, state: int) -> bool:
    """Whether the text may end in a state of a counter's automaton, where the number of iterations is right."""
    return automaton.may_end[state] if isinstance(automaton, CountedAutomaton) else automaton.accepting[state]


def has_rest(automaton: Automaton, state: int, low: int, high: int | None) -> bool:
    """Whether some text leads from a state of a counter's automaton to the end in ``low`` to ``high`` more iterations."""
    if isinstance(automaton, CountedAutomaton):
        return automaton.has_rest(state, low, high)
    return high is None or high >= (not automaton.accepting[state])


@lru_cache(maxsize=1_024)
def _counted(any_number: Node, within: Node) -> CountedAutomaton:
    return CountedAutomaton(Automaton.of(any_number), Automaton.of(within))


def _restricted(counter: Repeat, automaton: CountedAutomaton) -> Counter | None:
    """The counter of an automaton that forbids some counts; ``None``: too many states would have to be known."""
    if counter.minimum:
        try:
            _ = automaton.numbers
        except PatternTooLarge:
            return None
    return Counter(automaton, counter.minimum, counter.maximum)


def _accepts_after_each_iteration(iterations: Automaton, within: Automaton) -> bool:
    """Whether ``within``, a subset of ``iterations``, accepts whenever that does, and can be continued from there."""
    found = [(START, START)]
    seen = {*found}
    for one, other in found:
        if iterations.accepting[one] != within.accepting[other] or within.size > MAX_WHOLE:
            return False
        if within.accepting[other] and not any(within.row(other)):
            return False
        for pair in zip(iterations.row(one), within.row(other), strict=True):
            if pair[1] != DEAD and pair not in seen:
                seen.add(pair)
                found.append(pair)
    return True
