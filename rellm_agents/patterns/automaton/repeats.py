"""A repeat in, how it is read out: with a counter, as one automaton, or one time after the other.

>>> from rellm_agents.patterns.ir import literal, repeat
>>> strategy_of(repeat(literal("a"), 0, 5_000)).name, strategy_of(repeat(literal("a"))).name
('COUNTER', 'AUTOMATON')
"""

from __future__ import annotations

from enum import Enum, auto
from functools import lru_cache

from rellm_agents.patterns.automaton.automaton import DEAD, START, Automaton
from rellm_agents.patterns.ir import Characters, Literal, Node, Repeat

COUNTED = 16  # a bound from which on times are counted, rather than told apart as states
COUNTED_WIDE = 3  # the same where many bytes may come next: a walk for each of the states is dear, and one for all bounds is enough
WIDE = 64  # bytes
WORTHWHILE = 4  # bytes of literals from which on reading them one by one is faster than an automaton
MAX_POSITIONS = 2_000  # places in a repeat's text, spelled out, that one automaton may stand for


class RepeatStrategy(Enum):
    """How a repeat is read."""

    COUNTER = auto()  # the automaton of its inner part, over and over, and a count
    AUTOMATON = auto()  # one automaton for the whole
    UNROLLED = auto()  # the inner part, then the repeat with one time less


def strategy_of(node: Repeat) -> RepeatStrategy:
    """How ``node`` is read."""
    if not node.is_plain or node.maximum == 1:
        return RepeatStrategy.UNROLLED  # nothing goes round
    bound = max(node.minimum, node.maximum or 0)
    if bound >= COUNTED_WIDE and _is_prefix_code(node.inner) and (bound >= COUNTED or _is_wide(node.inner)):
        return RepeatStrategy.COUNTER
    if not node.inner.has_classes and node.inner.positions >= WORTHWHILE:
        return RepeatStrategy.UNROLLED  # literals are read as they are
    return RepeatStrategy.AUTOMATON if node.positions <= MAX_POSITIONS else RepeatStrategy.UNROLLED


@lru_cache(maxsize=4_096)
def _is_prefix_code(node: Node) -> bool:
    """No text of ``node`` begins with another: where one ends is known without what follows."""
    if isinstance(node, Characters | Literal):
        return True
    if node.nullable or node.positions > MAX_POSITIONS:
        return False
    automaton = Automaton.of(node)
    table = automaton.whole_table()
    if table is None or automaton.is_empty:
        return False
    return all(not automaton.accepting[state] or not any(automaton.row(state)) for state in range(START, automaton.size) if state != DEAD)


@lru_cache(maxsize=4_096)
def _is_wide(node: Node) -> bool:
    return sum(map(bool, Automaton.of(node).row(START))) >= WIDE
