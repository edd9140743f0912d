"""Any node in, the cost of its cheapest text out - for bytes here, for tokens in the decoder: one algorithm.

The cost of a node is the sum over a sequence, the least over a choice, and for rules, which may recurse, the least
fixpoint (Knuth, "A generalization of Dijkstra's algorithm", 1977). ``None`` is the cost of what no text matches.

>>> from rellm_agents.patterns.nodes import choice, literal, repeat, rule, sequence
>>> nested = rule("measure.nested", lambda: choice(literal("()"), sequence(literal("("), nested, literal(")"))))
>>> byte_length(nested), byte_length(repeat(nested, 3))
(2, 6)
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import cast
from weakref import WeakKeyDictionary

from rellm_agents.patterns.automaton import DEAD, START, Automaton
from rellm_agents.patterns.kinds import (
    AnyNode,
    Characters,
    Choice,
    Complement,
    Intersection,
    Lexeme,
    Literal,
    Node,
    Repeat,
    Rule,
    Sequence,
    Steps,
    Tail,
)
from rellm_agents.patterns.repeats import Way, way_of

Cost = int | None


class Measure:
    """Costs of nodes, remembered.

    Args:
        of_terminal: the cost of a literal, or of a node that one automaton stands for; ``None``: it cannot be written.
    """

    def __init__(self, of_terminal: Callable[[Node], Cost]) -> None:
        self._of_terminal = of_terminal
        self._known: WeakKeyDictionary[Node, Cost] = WeakKeyDictionary()

    def __call__(self, node: Node) -> Cost:
        """The cost of the cheapest text of ``node``; ``None`` if there is none."""
        try:
            return self._known[node]
        except KeyError:
            cost = self._of_rule(node) if isinstance(node, Rule) else self._combined(node, self)
            self._known[node] = cost
            return cost

    def _combined(self, node: Node, cost_of: Callable[[Node], Cost]) -> Cost:
        match cast(AnyNode, node):
            case Sequence(parts):
                total = 0
                for part in parts:
                    cost = cost_of(part)
                    if cost is None:
                        return None
                    total += cost
                return total
            case Choice(options):
                return min((c for o in options if (c := cost_of(o)) is not None), default=None)
            case Repeat(inner, minimum, _) as one if way_of(one) is Way.UNROLLED:
                if minimum == 0:
                    return 0
                cost = cost_of(inner)
                return None if cost is None else minimum * cost
            case Rule():
                return cost_of(node)
            case Literal() | Characters() | Tail() | Repeat() | Intersection() | Complement() | Steps() | Lexeme():
                return self._of_terminal(node)

    def _of_rule(self, asked: Rule) -> Cost:
        """Costs of all rules met from ``asked``: lowered until nothing changes, those that stay ``None`` match nothing."""
        users: dict[Rule, list[Rule]] = {asked: []}
        order = [asked]
        for one in order:
            for inner in _rules_inside(one.body):
                if inner not in users:
                    users[inner] = []
                    order.append(inner)
                users[inner].append(one)
        found: dict[Rule, Cost] = dict.fromkeys(order)

        def cost_of(node: Node) -> Cost:
            if isinstance(node, Rule):
                return self._known.get(node, found.get(node))
            return self._combined(node, cost_of) if node.has_rules else self(node)

        queue, queued = deque(reversed(order)), set(order)
        while queue:
            one = queue.popleft()
            queued.discard(one)
            cost = cost_of(one.body)
            before = found[one]
            if cost is not None and (before is None or cost < before):
                found[one] = cost
                for user in users[one]:
                    if user not in queued:
                        queued.add(user)
                        queue.append(user)
        for rule_, cost in found.items():
            self._known[rule_] = cost
        return found[asked]


def _rules_inside(node: Node) -> list[Rule]:
    found: dict[Rule, None] = {}
    stack = [node]
    while stack:
        match cast(AnyNode, stack.pop()):
            case Rule() as one:
                found[one] = None
            case Sequence(parts):
                stack.extend(p for p in parts if p.has_rules)
            case Choice(options):
                stack.extend(o for o in options if o.has_rules)
            case Repeat(inner, _, _):
                stack.append(inner)
            case _:
                pass
    return list(found)


def shortest_bytes(node: Node) -> bytes | None:
    """A shortest text of a node without rules, among equals the one of lowest bytes; ``None`` if there is none."""
    match node:
        case Literal(data):
            return data
        case Repeat(inner, minimum, _):
            once = shortest_bytes(inner) if minimum else b""
            return None if once is None else once * minimum
    automaton = Automaton.of(node)
    if automaton.is_empty:
        return None
    return shortest_way(automaton, START)


def shortest_way(automaton: Automaton, start: int) -> bytes:
    """The fewest bytes, among equals the lowest, from a state of an automaton, not ``DEAD``, to where a text may end."""
    came_from: dict[int, tuple[int, int]] = {}
    queue, seen = deque([start]), {start}
    while queue:
        state = queue.popleft()
        if automaton.accepting[state]:
            text = bytearray()
            while state != start:
                state, byte = came_from[state]
                text.append(byte)
            return bytes(reversed(text))
        for byte, target in enumerate(automaton.row(state)):
            if target != DEAD and target not in seen:
                seen.add(target)
                came_from[target] = (state, byte)
                queue.append(target)
    raise AssertionError("an automaton enters no state that cannot reach the end")


def _bytes_of_terminal(node: Node) -> Cost:
    text = shortest_bytes(node)
    return None if text is None else len(text)


byte_length = Measure(_bytes_of_terminal)
"""The length in bytes of a shortest text of a node; ``None`` if nothing matches."""
