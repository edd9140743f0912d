"""Draws the rules of a pattern as diagrams that link to each other, within bounds.

Large nodes that stand at several places, and lexemes of many boxes, have diagrams of their own, as rules have. Knows nothing of SVG.

>>> from rellm_agents import compile_regex
>>> [one.title for one in Drawing(compile_regex("(a|b)+").node).diagrams]
['the whole']
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from functools import partial
from typing import NamedTuple

import railroad
from railroad import DiagramItem

from rellm_agents.json_schema import node_name, spelled_characters
from rellm_agents.patterns import Node
from rellm_agents.patterns.ir import Lexeme, Rule, directly_inside
from rellm_agents.views.diagrams.boxes import MAX_BOXES, MAX_OPTIONS, Boxes, Link, cut, skippable
from rellm_agents.views.diagrams.grammar import MAX_RULES, ROOT, Alternative, Captured, Grammar, Item, body_of, rule_id
from rellm_agents.views.diagrams.plan import Plan

_FEW = 4  # boxes of a rule without other rules, that is drawn where it stands
_MANY = 12  # boxes of a node, from which on it has a diagram of its own


class Titled(NamedTuple):
    """A diagram with its title.

    Attributes:
        id: by which others link to it.
        title: what it shows.
        track: what is drawn.
    """

    id: str
    title: str
    track: DiagramItem


class Drawing:
    """All diagrams of a node.

    Args:
        node: of a pattern.
        prefix: of the ids of diagrams and places in them.

    Attributes:
        diagrams: that of the whole first.
        cut: what is left out; empty: nothing is.
    """

    def __init__(self, node: Node, prefix: str = "") -> None:
        self._plan = Plan(Grammar(node))
        self._prefix = prefix
        self._titles = dict(self._plan.titles)
        self._ids: dict[Hashable, str] = {}
        self._links: list[tuple[str, Link]] = []
        self._waiting: list[Hashable] = [ROOT]
        self._drawn: set[Hashable] = {ROOT}  # or waiting to be drawn
        self._anchored: set[str] = {self._id(ROOT)}
        self._sizes: dict[Node, int] = {}
        self._uses = Counter(self._large_nodes())
        self._texts = 0
        self._open: Node | None = None
        self._boxes = Boxes(self._linked, self._is_linked)
        self.diagrams: list[Titled] = []
        while self._waiting and not self._boxes.is_full:
            key = self._waiting.pop(0)
            self.diagrams.append(Titled(self._id(key), self._titles[key], self._boxes.row(self._whole(key))))
        self.cut = self._what_is_left_out()

    def _what_is_left_out(self) -> str:
        missing = []
        self._anchored -= {self._id(key) for key in self._waiting}
        for target, link in self._links:
            if target not in self._anchored:  # it stands in what was cut
                link.href = None
                link.attrs["class"] = "non-terminal cut"
                self._boxes.left_out += 1
        if rules := self._plan.grammar.left_out:
            missing.append(f"{rules} rules or more ({MAX_RULES} are drawn)")
        if boxes := self._boxes.left_out:
            missing.append(f"{boxes} boxes or alternatives ({MAX_BOXES} boxes are drawn, {MAX_OPTIONS} alternatives at one place)")
        return f"Not all is drawn: {' and '.join(missing)} are left out." if missing else ""

    def _whole(self, key: Hashable) -> list[DiagramItem]:
        """The boxes of one diagram."""
        if not isinstance(key, Node):
            return self._line(key)
        self._open = key
        return self._boxes.items([key])

    def _line(self, key: Hashable) -> list[DiagramItem]:
        """The boxes of a rule, and of those that are drawn inside of it."""
        line, boxes = self._plan.lines[key], self._boxes
        found: list[DiagramItem] = []
        if line.loops:
            found.append(skippable(railroad.OneOrMore(boxes.options(map(self._row_of, line.loops)))))
        if line.skips:
            found.append(skippable(boxes.options(map(self._row_of, line.skips))))
        tails = {one.tail for one in line.rest}
        if len(line.rest) == 1:
            return [*found, *self._alternative(line.rest[0], key)]
        if len(tails) == 1 and None not in tails:
            found.append(boxes.options(self._row_of(one.items) for one in line.rest))
            return [*found, *self._tail(line.rest[0].tail, key)]
        return [*found, boxes.options(partial(self._alternative_row, one, key) for one in line.rest)]

    def _row_of(self, items: tuple[Item, ...]) -> Callable[[], DiagramItem]:
        return lambda: self._boxes.row(self._boxes.items(items))

    def _alternative_row(self, one: Alternative, key: Hashable) -> DiagramItem:
        return self._boxes.row(self._alternative(one, key))

    def _alternative(self, one: Alternative, key: Hashable) -> list[DiagramItem]:
        return [*self._boxes.items(one.items), *self._tail(one.tail, key)]

    def _tail(self, tail: Hashable | None, key: Hashable) -> list[DiagramItem]:
        if tail is None:
            return []
        if tail not in self._plan.host or self._plan.host[tail] != key:
            return [self._link(tail)]
        if self._plan.uses[tail] == 1:
            return self._line(tail)
        begin = railroad.Comment(self._titles[tail], cls="begin")
        begin.attrs["id"] = self._id(tail)
        self._anchored.add(self._id(tail))
        return [begin, *self._line(tail)]

    def _link(self, key: Hashable) -> DiagramItem:
        if key not in self._titles:
            return cut("a rule that is not drawn")
        top = key
        while top in self._plan.host:
            top = self._plan.host[top]
        if top not in self._drawn:
            self._drawn.add(top)
            self._anchored.add(self._id(top))
            self._waiting.append(top)
        link = Link(self._titles[key], href=f"#{self._id(key)}", cls="link")
        self._links.append((self._id(key), link))
        return link

    def _id(self, key: Hashable) -> str:
        return self._ids.setdefault(key, f"{self._prefix}{len(self._ids) + 1}")

    def _is_linked(self, node: Node) -> bool:
        """Whether a node is a rule, or a large node that has a diagram of its own."""
        if isinstance(node, Rule):
            return True
        return node is not self._open and self._size(node) >= _MANY and (self._uses[node] > 1 or isinstance(node, Lexeme))

    def _linked(self, node: Node) -> DiagramItem:
        if isinstance(node, Rule):
            body = body_of(node) if rule_id(node) in self._titles else node
            return self._boxes.node(body) if not body.has_rules and self._size(body) <= _FEW else self._link(rule_id(node))
        if node not in self._titles:
            self._texts += 1
            self._titles[node] = f"text {self._texts}"
        return self._link(node)

    def _size(self, node: Node) -> int:
        """About the number of boxes of a node."""
        if node not in self._sizes:
            inside = directly_inside(node)
            is_one = not inside or node_name(node) is not None or spelled_characters(node) is not None
            self._sizes[node] = 1 if is_one else sum(map(self._size, inside))
        return self._sizes[node]

    def _large_nodes(self) -> Iterator[Node]:
        """The large nodes, each as often as it stands in an alternative or in another node."""
        items = (dict.fromkeys(item for one in found for item in one.items) for found in self._plan.grammar.rules.values())
        waiting = [item.inner if isinstance(item, Captured) else item for found in items for item in found]
        seen: set[Node] = set()
        while waiting:
            node = waiting.pop()
            if self._size(node) < _MANY:
                continue
            yield node
            if node not in seen:
                seen.add(node)
                waiting += directly_inside(node)
