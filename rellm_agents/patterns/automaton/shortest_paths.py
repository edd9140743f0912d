"""A shortest text of a node without rules, and all texts of one that has few.

Among several shortest texts the one of lowest bytes is found, so that the answer does not depend on the order of states. Knows nothing of
rules, captures and tokens.

>>> from rellm_agents.patterns.regex_reader import read_regex
>>> shortest_bytes(read_regex("a(bb|c)")), shortest_bytes(read_regex("(?!)"))
(b'ac', None)
"""

from __future__ import annotations

from collections import deque

from rellm_agents.patterns.automaton.automaton import DEAD, START, Automaton, shortest_way
from rellm_agents.patterns.automaton.counted import CountedAutomaton
from rellm_agents.patterns.automaton.counters import Counter, counter_of
from rellm_agents.patterns.automaton.length_bounds import witness
from rellm_agents.patterns.ir import Intersection, Literal, Node, Repeat


def shortest_bytes(node: Node) -> bytes | None:
    """A shortest text of a node without rules, among equals the one of lowest bytes; ``None`` if there is none."""
    match node:
        case Literal(data):
            return data
        case Repeat(inner, minimum, _):
            once = shortest_bytes(inner) if minimum else b""
            return None if once is None else once * minimum
        case Intersection() if (counter := counter_of(node)) is not None:
            if isinstance(counter.automaton, CountedAutomaton):
                return counter.automaton.rest(START, counter.minimum, counter.maximum)
            return _shortest_iterations(counter)
    if node.has_boolean and (text := witness(node)) is not None:
        return text
    automaton = Automaton.of(node)
    if automaton.is_empty:
        return None
    return shortest_way(automaton, START)


def _shortest_iterations(counter: Counter) -> bytes:
    """A shortest text of ``minimum`` iterations, among equals the one of lowest bytes, by dynamic programming over iterations."""
    once = {state: _shortest_iteration(counter.automaton, state) for state in counter.iteration_ends}
    rest = [dict.fromkeys(once, 0)]  # rest[n][state]: the fewest bytes of n more iterations, from a state in which one has ended
    for _ in range(counter.minimum):
        rest.append({state: min(len(text) + rest[-1][end] for end, text in once[state].items()) for state in once})
    found, state = b"", START
    for after in reversed(rest[:-1]):
        end, text = min(once[state].items(), key=lambda pair: (len(pair[1]) + after[pair[0]], pair[1]))
        found, state = found + text, end
    return found


def _shortest_iteration(automaton: Automaton, start: int) -> dict[int, bytes]:
    """For each state in which an iteration may end that begins in ``start``, the fewest bytes to it, among equals the lowest."""
    found: dict[int, bytes] = {}
    queue, seen = deque([(start, b"")]), {start}
    while queue:
        state, text = queue.popleft()
        for byte, target in enumerate(automaton.row(state)):
            if target == DEAD:
                continue
            longer = text + bytes((byte,))
            if automaton.accepting[target]:
                found.setdefault(target, longer)
            elif target not in seen:
                seen.add(target)
                queue.append((target, longer))
    return found


def few_texts(node: Node, limit: int) -> frozenset[bytes] | None:
    """All texts of a node without rules, if there are at most ``limit``; ``None`` if there are more.

    >>> from rellm_agents.patterns.ir import choice, literal, optional, sequence
    >>> sorted(few_texts(sequence(literal("a"), optional(choice(literal("b"), literal("c")))), 3))
    [b'a', b'ab', b'ac']
    """
    automaton = Automaton.of(node)
    found: set[bytes] = set()
    waiting = [] if automaton.is_empty else [(START, b"")]
    while waiting:
        state, text = waiting.pop()
        if automaton.accepting[state]:
            found.add(text)
        targets = [(byte, target) for byte, target in enumerate(automaton.row(state)) if target != DEAD]
        waiting += [(target, text + bytes((byte,))) for byte, target in targets]
        if len(found) + len(waiting) > limit:  # each state that waits leads to one more text at least
            return None
    return frozenset(found)
