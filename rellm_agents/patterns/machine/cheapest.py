"""The cost of a cheapest text of any node, whatever costs are: bytes in ``sampling/``, tokens in the decoder, zero for "is there one".

The cost of a sequence is a sum, the cost of a choice a minimum, and the costs of rules, which may recurse, are the least fixpoint of
these equations: a shortest derivation of a context-free grammar (Knuth, "A generalization of Dijkstra's algorithm", 1977). A capture costs
a cheapest text that it allows, and what follows after that text. ``None`` is the cost of a node that no text matches.

    nested = "()" | "(" nested ")"      cost(nested) = min(2, 1 + cost(nested) + 1) = 2

Knows neither the machine nor what a cost counts.

>>> from rellm_agents.patterns.ir import choice, literal, repeat, rule, sequence
>>> nested = rule("cheapest.nested", lambda: choice(literal("()"), sequence(literal("("), nested, literal(")"))))
>>> bytes_of = CheapestText(lambda node: len(node.data), lambda capture: None)
>>> bytes_of(nested), bytes_of(repeat(nested, 3))
(2, 6)
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import cast
from weakref import WeakKeyDictionary

from rellm_agents.patterns.automaton import RepeatStrategy, strategy_of
from rellm_agents.patterns.ir import AnyNode, Capture, Choice, Node, Repeat, Rule, Sequence, Terminal

Cost = int | None


class CheapestText:
    """Costs of nodes, cached as long as the nodes live. Safe to share between threads: a race computes the same cost twice.

    Args:
        of_terminal: the cost of a literal, or of a node that one automaton stands for; ``None`` if it cannot be written.
        cheapest: the cost of a cheapest allowed text of the inner part of a capture, and the text; ``None`` if there is none.
        inside_itself: the cost used for a capture that occurs inside its own inner part. Never part of a cheapest text.
        with_rest: the cost of a capture that says what its texts leave to be written, all of that included.
    """

    def __init__(
        self,
        of_terminal: Callable[[Node], Cost],
        cheapest: Callable[[Capture], tuple[int, bytes] | None],
        inside_itself: Callable[[Capture], Cost] = lambda _: None,
        with_rest: Callable[[Capture], Cost] | None = None,
    ) -> None:
        self._with_rest = with_rest
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
        """True while the cost depends on a capture that is still being measured; such costs are not cached."""
        return self._asked.again < len(self._asked.open)

    def cheapest(self, capture: Capture) -> tuple[int, bytes] | None:
        """The cost of a cheapest allowed text of the inner part, and the text; ``None`` if there is none."""
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
                    asked.again = _NONE
            if not self.inside_cycle:
                self._texts[capture] = found
            return found

    def _looked_through(self, capture: Capture) -> tuple[Cost, tuple[Node, ...]]:
        """The cost of the text of a capture, and the nodes whose costs are added to it."""
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
            case Capture() as capture if self._with_rest is not None and capture.leaves is not None:
                return self._with_rest(capture)
            case Capture() as capture:
                own, others = self._looked_through(capture)
                rest = _added_up(others, cost_of)
                return None if own is None or rest is None else own + rest
            case Repeat() | Terminal():
                return self._of_terminal(node)

    def _of_rules(self, asked: Node) -> Cost:
        """The cost of a rule or a capture, by fixpoint iteration over all rules that can be reached from it.

        All costs begin as ``None`` and are lowered until nothing changes; a rule whose cost stays ``None`` matches nothing.
        """
        users: dict[Node, list[Node]] = {asked: []}
        order = [asked]
        known: list[Node] = []  # held, since what follows a capture may be made anew each time, and forgotten with its cost
        for one in order:
            for inner in self._rules_inside(one.witness if isinstance(one, Rule) else one):
                if inner in self._known:
                    known.append(inner)
                    continue  # the cost is final
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
        """The rules that occur in a node, those inside the bodies of other rules left out."""
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
                case Capture() as capture if self._with_rest is not None and capture.leaves is not None:
                    pass
                case Capture() as capture:
                    stack += self._looked_through(capture)[1]
                case _:
                    pass
        return list(found)


class LowerBound(CheapestText):
    """Costs as if a capture excluded no texts, and nothing depended on its text: no text costs less.

    ``cheapest`` is only asked whether there is an allowed text at all; its cost and the text are not used.
    """

    def _looked_through(self, capture: Capture) -> tuple[Cost, tuple[Node, ...]]:
        is_possible = self.cheapest(capture) is not None or capture in self._asked.open
        return 0 if is_possible else None, (capture.inner, capture.then)


class _Asked(threading.local):
    """The captures that are being measured, innermost last, and the index of the outermost that was met again inside itself."""

    def __init__(self) -> None:
        self.open: list[Capture] = []
        self.again = _NONE


_NONE = 1 << 30


def _added_up(parts: tuple[Node, ...], cost_of: Callable[[Node], Cost]) -> Cost:
    total = 0
    for part in parts:
        cost = cost_of(part)
        if cost is None:
            return None
        total += cost
    return total
