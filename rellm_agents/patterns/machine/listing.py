"""Lists the texts of a node, with rules and captures inside, if they are few.

>>> from rellm_agents.patterns.ir import choice, literal, rule, sequence
>>> sorted(listed_texts(rule("listing", lambda: choice(literal("a"), sequence(literal("b"), choice(literal("c"), literal("d"))))), 3))
[b'a', b'bc', b'bd']
"""

from __future__ import annotations

from collections import deque

from rellm_agents.patterns.automaton import few_texts
from rellm_agents.patterns.ir import Choice, Literal, Node
from rellm_agents.patterns.machine.captures import first_bytes
from rellm_agents.patterns.machine.cells import LiteralCell, State
from rellm_agents.patterns.machine.machine import Machine


def listed_texts(node: Node, limit: int) -> frozenset[bytes] | None:
    """All texts of a node, if there are at most ``limit``; ``None`` if there are more."""
    found: set[bytes] = set()
    others: list[Node] = []
    for one in node.options if isinstance(node, Choice) else (node,):  # literals are many at times, and an automaton of them large
        if isinstance(one, Literal):
            found.add(one.data)
        else:
            others.append(one)
    for one in others:
        texts = _read_off(one, limit) if one.has_rules else few_texts(one, limit)
        if texts is None or len(found) > limit:
            return None
        found |= texts
    return frozenset(found) if len(found) <= limit else None


def _read_off(node: Node, limit: int) -> frozenset[bytes] | None:
    machine = Machine.of(node)
    found: set[bytes] = set()
    waiting: deque[tuple[State, bytes]] = deque([(machine.start, b"")])
    while waiting:
        state, text = waiting.popleft()  # in breadth, so that many texts are seen before what only long ones hold
        if state.accepting:
            found.add(text)
        steps = [state.rest] if isinstance(state, LiteralCell) else [bytes((byte,)) for byte in first_bytes(state)]
        for step in steps:
            after = machine.run(state, step)
            if after.machine is not None:
                waiting.append((after, text + step))
        if len(found) + len(waiting) > limit:  # each state that waits leads to one more text at least
            return None
    return frozenset(found)
