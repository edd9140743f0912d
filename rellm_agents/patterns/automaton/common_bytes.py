r"""Whether every text of a node that was begun can be finished with common bytes alone.

If it can, a vocabulary that spells these bytes needs no dead-end checks: no token leads to a state that no token leaves. Knows nothing of
tokens.

>>> from rellm_agents.patterns.regex_reader import read_regex
>>> is_finished_by_common_bytes(read_regex("(?!b)[^c]*")), is_finished_by_common_bytes(read_regex(r"a\x04"))
(True, False)
"""

from __future__ import annotations

from rellm_agents.patterns.automaton.automaton import START, Automaton
from rellm_agents.patterns.automaton.counted import CountedAutomaton
from rellm_agents.patterns.automaton.counters import counter_of
from rellm_agents.patterns.ir import Choice, Intersection, Lexeme, Node, Repeat, Rule, Sequence, Terminal


def is_finished_by_common_bytes(node: Node) -> bool:
    """Whether every inner node of ``node`` has a text of ``COMMON_BYTES``; ``False`` also if it is not known."""
    waiting, seen = [node], {node}
    while waiting:
        one = waiting.pop()
        if one.is_spelled_by_common_bytes:
            continue
        match one:
            case Sequence(parts):
                inner = parts
            case Choice(options):
                inner = options
            case Repeat(again, _, _):
                inner = (again,)
            case Rule():
                inner = (one.body,)
            case Intersection() if (counter := counter_of(one)) is not None and isinstance(counter.automaton, CountedAutomaton):
                if counter.automaton.fewest_bytes(START, counter.minimum, counter.maximum) is None:
                    return False
                inner = ()
            case Terminal() if one.is_plain or isinstance(one, Lexeme):
                if not Automaton.of(one).ends_in_common_bytes(START):
                    return False
                inner = ()
            case _:
                return False
        new = [part for part in inner if part not in seen]
        seen.update(new)
        waiting.extend(new)
    return True
