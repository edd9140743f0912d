"""A node in, the automaton of its times and their bounds out, where it can be read with a counter: large bounds cost what small ones do.

That is a repeat, and also one of whose texts some are left out, if what is left out never is a matter of how many times there are:
where one time ends a text may end, and one more time is always possible.

>>> from rellm_agents.patterns.ir import CHARACTER, intersection, not_containing, repeat
>>> found = counter_of(intersection(repeat(CHARACTER, 3, 5_000), not_containing("stop")))
>>> found.minimum, found.maximum, found.automaton.matches(b"sto"), found.automaton.matches(b"stop")
(3, 5000, True, False)
>>> counter_of(intersection(repeat(CHARACTER, 3, 5_000), repeat(repeat(CHARACTER, 2, 2)))) is None
True
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from rellm_agents.patterns.automaton.automaton import DEAD, MAX_WHOLE, START, Automaton
from rellm_agents.patterns.automaton.repeats import RepeatStrategy, strategy_of
from rellm_agents.patterns.ir import Intersection, Node, Repeat, intersection, repeat


class Counter(NamedTuple):
    """A number of times.

    Attributes:
        automaton: of any number of times; it accepts where one ends, and nowhere else.
        minimum, maximum: how many; ``None``: without end.
    """

    automaton: Automaton
    minimum: int
    maximum: int | None

    @property
    def iteration_ends(self) -> list[int]:
        """The states of the automaton in which a time may end."""
        if isinstance(self.automaton.node, Repeat):
            return [START]  # no time begins with another, so behind each is the repeat again
        self.automaton.whole_table()
        return [state for state in range(START, self.automaton.size) if self.automaton.accepting[state]]


@lru_cache(maxsize=4_096)
def counter_of(node: Node) -> Counter | None:
    """How ``node`` is read with a counter; ``None``: it is not."""
    match node:
        case Repeat(inner, minimum, maximum) if strategy_of(node) is RepeatStrategy.COUNTER:
            return Counter(Automaton.of(repeat(inner)), minimum, maximum)
        case Intersection(parts):
            counters = [
                part for part in parts if isinstance(part, Repeat) and not part.has_boolean and strategy_of(part) is RepeatStrategy.COUNTER
            ]
            if len(counters) == 1:
                (counter,) = counters
                any_number = repeat(counter.inner)
                within = Automaton.of(intersection(any_number, *(part for part in parts if part is not counter)))
                if _ends_with_each_time(Automaton.of(any_number), within):
                    return Counter(within, counter.minimum, counter.maximum)
    return None


def _ends_with_each_time(times: Automaton, within: Automaton) -> bool:
    """``within``, some of the texts of ``times``, accepts wherever that does, and goes on from there."""
    found = [(START, START)]
    seen = {*found}
    for one, other in found:
        if times.accepting[one] != within.accepting[other] or within.size > MAX_WHOLE:
            return False
        if within.accepting[other] and not any(within.row(other)):
            return False
        for pair in zip(times.row(one), within.row(other), strict=True):
            if pair[1] != DEAD and pair not in seen:
                seen.add(pair)
                found.append(pair)
    return True
