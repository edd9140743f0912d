"""Any node in, the cost of its cheapest text out - for bytes here, for tokens in the decoder: one algorithm.

The cost of a node is the sum over a sequence, the least over a choice, and for rules, which may recurse, the least
fixpoint (Knuth, "A generalization of Dijkstra's algorithm", 1977). A recall costs what a cheapest text that is not barred
does, and what follows that text. ``None`` is the cost of what no text matches.

>>> from rellm_agents.patterns.ir import choice, literal, repeat, rule, sequence
>>> nested = rule("measure.nested", lambda: choice(literal("()"), sequence(literal("("), nested, literal(")"))))
>>> shortest_length(nested), shortest_length(repeat(nested, 3))
(2, 6)
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from typing import cast
from weakref import WeakKeyDictionary

from rellm_agents.patterns.automaton import DEAD, START, Automaton, Counter, RepeatStrategy, counter_of, strategy_of, witness
from rellm_agents.patterns.ir import (
    AnyNode,
    Capture,
    Characters,
    Choice,
    Complement,
    Dfa,
    Intersection,
    Lexeme,
    Literal,
    Node,
    Repeat,
    Rule,
    Sequence,
    Utf8Tail,
)

Cost = int | None


class CheapestText:
    """Costs of nodes, remembered. Safe to use from several threads.

    Args:
        of_terminal: the cost of a literal, or of a node that one automaton stands for; ``None``: it cannot be written.
        cheapest: a cheapest text of the inner part of a recall that is not barred, and its cost.
        inside_itself: the cost of a recall inside its own inner part, of which no cheapest text makes use.
    """

    def __init__(
        self,
        of_terminal: Callable[[Node], Cost],
        cheapest: Callable[[Capture], tuple[int, bytes] | None],
        inside_itself: Callable[[Capture], Cost] = lambda _: None,
    ) -> None:
        self._of_terminal, self._cheapest, self._inside_itself = of_terminal, cheapest, inside_itself
        self._known: WeakKeyDictionary[Node, Cost] = WeakKeyDictionary()
        self._texts: WeakKeyDictionary[Capture, tuple[int, bytes] | None] = WeakKeyDictionary()
        self._asked = _Asked()

    def __call__(self, node: Node) -> Cost:
        """The cost of the cheapest text of ``node``; ``None`` if there is none."""
        try:
            return self._known[node]
        except KeyError:
            cost = self._of_rules(node) if isinstance(node, Rule | Capture) else self._combined(node, self)
            if not self.inside_cycle:
                self._known[node] = cost
            return cost

    @property
    def inside_cycle(self) -> bool:
        """What is found out now takes the place of a recall inside itself for granted: it is not to be remembered."""
        return self._asked.again < len(self._asked.open)

    def cheapest(self, capture: Capture) -> tuple[int, bytes] | None:
        """A cheapest text of the inner part that is not barred, and its cost; ``None`` if there is none."""
        try:
            return self._texts[capture]
        except KeyError:
            asked = self._asked
            if capture in asked.open:
                asked.again = min(asked.again, asked.open.index(capture))
                return None
            asked.open.append(capture)
            try:
                found = self._cheapest(capture)
            finally:
                asked.open.pop()
                if asked.again >= len(asked.open):
                    asked.again = _NEVER
            if not self.inside_cycle:
                self._texts[capture] = found
            return found

    def _looked_through(self, capture: Capture) -> tuple[Cost, tuple[Node, ...]]:
        """The cost of a recall's text, and what else is to be added up."""
        found = self.cheapest(capture)
        if found is not None:
            return found[0], (capture.then, capture.continue_with(found[1]))
        return self._inside_itself(capture) if capture in self._asked.open else None, ()

    def _combined(self, node: Node, cost_of: Callable[[Node], Cost]) -> Cost:
        match cast(AnyNode, node):
            case Sequence(parts):
                return _added_up(parts, cost_of)
            case Choice(options):
                return min((c for o in options if (c := cost_of(o)) is not None), default=None)
            case Repeat(inner, minimum, _) as one if strategy_of(one) is RepeatStrategy.UNROLLED:
                if minimum == 0:
                    return 0
                cost = cost_of(inner)
                return None if cost is None else minimum * cost
            case Rule():
                return cost_of(node)
            case Capture() as capture:
                own, others = self._looked_through(capture)
                rest = _added_up(others, cost_of)
                return None if own is None or rest is None else own + rest
            case Literal() | Characters() | Utf8Tail() | Repeat() | Intersection() | Complement() | Dfa() | Lexeme():
                return self._of_terminal(node)

    def _of_rules(self, asked: Node) -> Cost:
        """Costs of all rules met from ``asked``: lowered until nothing changes, those that stay ``None`` match nothing."""
        users: dict[Node, list[Node]] = {asked: []}
        order = [asked]
        for one in order:
            for inner in self._rules_inside(one.witness if isinstance(one, Rule) else one):
                if inner not in users:
                    users[inner] = []
                    order.append(inner)
                users[inner].append(one)
        found: dict[Node, Cost] = dict.fromkeys(order)

        def cost_of(node: Node) -> Cost:
            if isinstance(node, Rule):
                return self._known.get(node, found.get(node))
            return self._combined(node, cost_of) if node.has_rules else self(node)

        queue, queued = deque(reversed(order)), set(order)
        while queue:
            one = queue.popleft()
            queued.discard(one)
            cost = cost_of(one.witness if isinstance(one, Rule) else one)
            before = found[one]
            if cost is not None and (before is None or cost < before):
                found[one] = cost
                for user in users[one]:
                    if user not in queued:
                        queued.add(user)
                        queue.append(user)
        if not self.inside_cycle:
            for one, cost in found.items():
                self._known[one] = cost
        return found[asked]

    def _rules_inside(self, node: Node) -> list[Rule]:
        """The rules met before another rule is looked through."""
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
                case Capture() as capture:
                    stack += self._looked_through(capture)[1]
                case _:
                    pass
        return list(found)


class _Asked(threading.local):
    """The recalls that are being looked into, and the first of them that was met again inside itself."""

    def __init__(self) -> None:
        self.open: list[Capture] = []
        self.again = _NEVER


_NEVER = 1 << 30


def _added_up(parts: tuple[Node, ...], cost_of: Callable[[Node], Cost]) -> Cost:
    total = 0
    for part in parts:
        cost = cost_of(part)
        if cost is None:
            return None
        total += cost
    return total


def shortest_bytes(node: Node) -> bytes | None:
    """A shortest text of a node without rules, among equals the one of lowest bytes; ``None`` if there is none."""
    match node:
        case Literal(data):
            return data
        case Repeat(inner, minimum, _):
            once = shortest_bytes(inner) if minimum else b""
            return None if once is None else once * minimum
        case Intersection() if (times := counter_of(node)) is not None:
            return _shortest_times(times)
    if node.has_boolean and (text := witness(node)) is not None:
        return text
    automaton = Automaton.of(node)
    if automaton.is_empty:
        return None
    return shortest_way(automaton, START)


def _shortest_times(times: Counter) -> bytes:
    """A shortest text of so many times, among equals the one of lowest bytes."""
    ways = {state: _ways_to_end_of_time(times.automaton, state) for state in times.iteration_ends}
    left = [dict.fromkeys(ways, 0)]  # for each number of times to come, the fewest bytes of them, by the state before
    for _ in range(times.minimum):
        left.append({state: min(len(text) + left[-1][end] for end, text in ways[state].items()) for state in ways})
    text, state = b"", START
    for after in reversed(left[:-1]):
        end, once = min(ways[state].items(), key=lambda way: (len(way[1]) + after[way[0]], way[1]))
        text, state = text + once, end
    return text


def _ways_to_end_of_time(automaton: Automaton, start: int) -> dict[int, bytes]:
    """For each state in which a time may end that begins in ``start``, the fewest bytes to it, among equals the lowest."""
    ways: dict[int, bytes] = {}
    queue, seen = deque([(start, b"")]), {start}
    while queue:
        state, text = queue.popleft()
        for byte, target in enumerate(automaton.row(state)):
            if target == DEAD:
                continue
            longer = text + bytes((byte,))
            if automaton.accepting[target]:
                ways.setdefault(target, longer)
            elif target not in seen:
                seen.add(target)
                queue.append((target, longer))
    return ways


def shortest_way(automaton: Automaton, start: int) -> bytes:
    """The fewest bytes, among equals the lowest, from a state of an automaton, not ``DEAD``, to where a text may end.

    What may come to the shortest text is looked through first (A*: Hart, Nilsson and Raphael, 1968), of that the lowest bytes.
    """
    best = {start: b""}
    queue = [(0, b"", start)]
    while queue:
        _, text, state = heappop(queue)
        if automaton.accepting[state]:
            return text
        if text != best[state]:
            continue  # there was a better way
        for byte, target in enumerate(automaton.row(state)):
            if target == DEAD:
                continue
            longer = text + bytes((byte,))
            known = best.get(target)
            if known is None or (len(longer), longer) < (len(known), known):
                best[target] = longer
                heappush(queue, (len(longer) + automaton.min_bytes(target), longer, target))
    raise AssertionError("an automaton enters no state that cannot reach the end")


def few_texts(node: Node, limit: int) -> frozenset[bytes] | None:
    """All texts of a node without rules, if they are at most ``limit``; ``None``: there are more.

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
        if len(found) + len(waiting) > limit:  # each of which leads to another text
            return None
    return frozenset(found)


def _bytes_of_terminal(node: Node) -> Cost:
    text = shortest_bytes(node)
    return None if text is None else len(text)


def _shortest_allowed(capture: Capture) -> tuple[int, bytes] | None:
    from rellm_agents.patterns.machine.captures import shortest_allowed  # noqa: PLC0415 - a machine asks in turn whether what it enters has a text
    from rellm_agents.patterns.machine.machine import Machine  # noqa: PLC0415
    from rellm_agents.patterns.sampling import shortest_data  # noqa: PLC0415

    if not capture.excluded:  # nothing to be looked for step by step, unless the text is asked for inside itself
        length = shortest_length(capture.inner)
        if length is not None and not shortest_length.inside_cycle:
            return length, shortest_data(capture.inner)
    text = shortest_allowed(capture, Machine.of(capture.inner).open_start)
    return None if text is None else (len(text), text)


class _Allowed(CheapestText):
    """Costs if nothing were barred and nothing followed, where only has to be known whether there is a text."""

    def _looked_through(self, capture: Capture) -> tuple[Cost, tuple[Node, ...]]:
        return 0, (capture.inner, capture.then)


allowed_length = _Allowed(_bytes_of_terminal, _shortest_allowed)
shortest_length = CheapestText(_bytes_of_terminal, _shortest_allowed, allowed_length)
"""The length in bytes of a shortest text of a node; ``None`` if nothing matches."""
