"""The shortest byte string from a state of an automaton to its end.

The search is A* (Hart, Nilsson and Raphael, "A formal basis for the heuristic determination of minimum cost paths", 1968): the bytes read
so far plus a lower bound on the bytes that are missing, which is :meth:`Automaton.min_bytes`. Knows nothing of nodes and of tokens.

    a(bb|c)    1 --a--> 2 --c--> 3 (accepting)
                        2 --b--> 4 --b--> 3        shortest_way from 2: b"c"

>>> from rellm_agents.patterns.automaton.automaton import START
>>> from rellm_agents.patterns.regex_reader import read_regex
>>> shortest_way(Automaton.of(read_regex("a(bb|c)")), START)
b'ac'
"""

from __future__ import annotations

from heapq import heappop, heappush

from rellm_agents.patterns.automaton.automaton import DEAD, Automaton


def shortest_way(automaton: Automaton, start: int) -> bytes:
    """The fewest bytes, among equals the lowest, from a state of an automaton, not ``DEAD``, to a state in which a text may end."""
    best = {start: b""}
    queue = [(0, b"", start)]
    while queue:
        _, text, state = heappop(queue)
        if automaton.accepting[state]:
            return text
        if text != best[state]:
            continue  # a better text leads to the same state
        for byte, target in enumerate(automaton.row(state)):
            if target == DEAD:
                continue
            longer = text + bytes((byte,))
            known = best.get(target)
            if known is None or (len(longer), longer) < (len(known), known):
                best[target] = longer
                heappush(queue, (len(longer) + automaton.min_bytes(target), longer, target))
    raise AssertionError("an automaton enters no state that cannot reach the end")
