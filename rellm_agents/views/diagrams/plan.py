"""Decides which rules of a grammar are drawn inside of others, and what each rule is called.

A rule is drawn where another one goes on with it, if nothing else leads to it, or if that other one is a line of loops and skips up to
it; never inside of itself. Knows no drawing.

>>> from rellm_agents import compile_schema
>>> node = {"type": "object", "properties": {"next": {"$ref": "#"}}, "additionalProperties": False}
>>> pattern = compile_schema(node)
>>> plan = Plan(Grammar(pattern.node))
>>> [plan.titles[key] for key in plan.grammar.rules if key not in plan.host]
['the whole', '#']
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Iterator

from rellm_agents.json_schema import node_name, rule_place
from rellm_agents.patterns import Node
from rellm_agents.patterns.ir import Rule, directly_inside
from rellm_agents.views.diagrams.grammar import ROOT, Captured, Grammar, Item, Line, rule_id

_CALL = re.compile(r"\(\?(?:&|P>)([^\W\d]\w*)\)")


class Plan:
    """Where the rules of a grammar are drawn.

    Args:
        grammar: the rules.

    Attributes:
        grammar: the rules.
        lines: each of them as loops, skips and alternatives.
        uses: how often each rule is gone on with, or stands in the middle of another.
        host: the rules that are drawn inside of another one, each with that one.
        titles: what each is called; no two are called alike.
    """

    def __init__(self, grammar: Grammar) -> None:
        self.grammar = grammar
        self.lines: dict[Hashable, Line] = {key: grammar.line(key) for key in grammar.rules}
        self.uses = Counter(used for line in self.lines.values() for used in _used(line))
        self.host: dict[Hashable, Hashable] = {}
        for key, line in self.lines.items():
            for one in line.rest:
                if one.tail in self.lines and (self.uses[one.tail] == 1 or _is_line(line)) and self._may_host(key, one.tail):
                    self.host[one.tail] = key
        self.titles = _titles(grammar)

    def _may_host(self, key: Hashable, inner: Hashable) -> bool:
        if inner in self.host or inner == ROOT:
            return False
        above: Hashable | None = key
        while above is not None and above != inner:
            above = self.host.get(above)
        return above is None


def _is_line(line: Line) -> bool:
    return bool(line.loops or line.skips) and len(line.rest) == 1


def _used(line: Line) -> Iterator[Hashable]:
    for items in (*line.loops, *line.skips, *(one.items for one in line.rest)):
        for item in items:
            yield from _rules_in(item)
    yield from (one.tail for one in line.rest if one.tail is not None)


def _rules_in(item: Item) -> Iterator[Hashable]:
    waiting: list[Node] = [item.inner if isinstance(item, Captured) else item]
    seen = {*waiting}
    while waiting:
        node = waiting.pop()
        if node_name(node) is not None:
            continue
        if isinstance(node, Rule):
            yield rule_id(node)
        new = [one for one in directly_inside(node) if one not in seen or isinstance(one, Rule)]
        seen.update(new)
        waiting += new


def _titles(grammar: Grammar) -> dict[Hashable, str]:
    found: dict[Hashable, str] = {}
    count: Counter[str] = Counter()
    for key in grammar.rules:
        title = _title(key)
        count[title] += 1
        found[key] = title if count[title] == 1 else f"{title} ({count[title]})"
    return found


def _title(key: Hashable) -> str:
    place = rule_place(key)
    if place is not None:
        return f"rest of {place.of}" if place.inside else place.of
    match key:
        case ("part", str(name), *_):
            return f"part {name}"
        case ("regex_text", _, str(text), _, int(number), *_):
            called = [*dict.fromkeys(_CALL.findall(text))]  # names that are called are numbered from -1 down
            return f"group {called[-1 - number] if 0 < -number <= len(called) else number}"
    return "the whole" if key == ROOT else "a rule"
