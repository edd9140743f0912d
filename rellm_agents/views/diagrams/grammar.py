"""Reads a pattern as a grammar: each rule is a list of alternatives, which end in another rule or in the end of the text.

A rule that leads back to itself is a loop. Where the alternatives of a rule are those of another one and a few more, which all go on with
that other one, the few can be skipped:

    R = a R | b             is    a* b
    R = a S | S's own       is    a? S

So the rules between the properties of an object become one line. What follows a captured text depends on it; it is read for one text,
and rules that differ in captured texts alone are taken for one, since a picture shows what may come, not what came. Knows no drawing.

>>> from rellm_agents import compile_schema
>>> grammar = Grammar(compile_schema({"type": "object", "properties": {"a": {"type": "null"}}}).node)
>>> len(grammar.rules), grammar.left_out
(4, 0)
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import NamedTuple, cast

from rellm_agents.json_schema import node_name
from rellm_agents.patterns import Node
from rellm_agents.patterns.ir import EMPTY, AnyNode, Capture, Choice, Rule, Sequence, WrittenAgain, directly_inside, without_name
from rellm_agents.patterns.machine import shortest_length

MAX_RULES = 100
"""Rules that are read; what leads to more is drawn as a box that says so."""

ROOT: Hashable = "the whole"


class Captured(NamedTuple):
    """A text that is remembered, and may not be one of some.

    Attributes:
        inner: what it looks like.
        excluded: the texts that it may not be, those that came before apart.
        again: it has to come again; otherwise, it may not.
    """

    inner: Node
    excluded: frozenset[bytes]
    again: bool


Item = Node | Captured


class Alternative(NamedTuple):
    """One way through a rule: its items, then another rule; ``None``: the end."""

    items: tuple[Item, ...]
    tail: Hashable | None = None


class Line(NamedTuple):
    """A rule as it is drawn.

    Attributes:
        loops: what may come any number of times first.
        skips: what may come once after it, if it goes on with another rule.
        rest: what comes last: alternatives, one of which is taken.
    """

    loops: tuple[tuple[Item, ...], ...]
    skips: tuple[tuple[Item, ...], ...]
    rest: tuple[Alternative, ...]


class Grammar:
    """The rules that can be reached from a node.

    Args:
        node: of a pattern.

    Attributes:
        rules: their alternatives, by keys without captured texts; those that were met first, first.
        left_out: how many more rules were met, which are not read.
    """

    def __init__(self, node: Node) -> None:
        self.rules: dict[Hashable, tuple[Alternative, ...]] = {}
        self._bodies: dict[Hashable, Rule] = {}
        self._witnesses: set[bytes] = set()
        self._seen: set[Node] = set()
        self.rules[ROOT] = tuple(self._read(node))
        done = 0
        while done < len(self._bodies) and len(self.rules) < MAX_RULES:
            key, rule = list(self._bodies.items())[done]
            done += 1
            self.rules[key] = tuple(dict.fromkeys(self._alternatives(body_of(rule))))
            self._meet(self.rules[key])
        self.left_out = len(self._bodies) - done

    def line(self, key: Hashable) -> Line:
        """A rule as loops, skips and alternatives."""
        own = self.rules[key]
        loops = tuple(one.items for one in own if one.tail == key)
        rest = tuple(one for one in own if one.tail != key)
        for target in dict.fromkeys(one.tail for one in rest if one.tail in self.rules):
            shared = {*self.rules[target]}
            more = [one for one in rest if one not in shared]
            if shared <= {*rest} and all(one.tail == target for one in more):
                return Line(loops, tuple(one.items for one in more), (Alternative((), target),))
        return Line(loops, (), rest)

    def _read(self, node: Node) -> list[Alternative]:
        found = [*dict.fromkeys(self._alternatives(node))]
        self._meet(found)
        return found

    def _meet(self, alternatives: Iterator[Alternative] | tuple[Alternative, ...] | list[Alternative]) -> None:
        """Note the rules that stand in the items of alternatives."""
        waiting = [one for alternative in alternatives for item in alternative.items for one in _nodes(item)]
        while waiting:
            one = waiting.pop()
            if one in self._seen or node_name(one) is not None:
                continue
            self._seen.add(one)
            if isinstance(one, Rule):
                self._bodies.setdefault(rule_id(one), one)
            else:
                waiting += reversed(directly_inside(one))

    def _alternatives(self, node: Node, before: tuple[Item, ...] = ()) -> Iterator[Alternative]:
        if node_name(node) is not None:
            yield Alternative((*before, node))
            return
        match cast(AnyNode, node):
            case Choice(options) if not before or _leads_on(node):
                for option in options:
                    yield from self._alternatives(option, before)
            case Sequence(parts) if _leads_on(parts[-1]):
                yield from self._alternatives(parts[-1], (*before, *parts[:-1]))
            case Sequence(parts):
                yield Alternative((*before, *parts))
            case Rule() as rule:
                self._bodies.setdefault(rule_id(rule), rule)
                yield Alternative(before, rule_id(rule))
            case Capture() as capture:
                yield from self._after(capture, before)
            case _:
                yield Alternative(before if node is EMPTY else (*before, node))

    def _after(self, capture: Capture, before: tuple[Item, ...]) -> Iterator[Alternative]:
        """The alternatives after a captured text, read for a shortest one."""
        again = isinstance(capture.leaves, WrittenAgain)
        then = () if capture.then is EMPTY else (capture.then,)
        items = (*before, Captured(capture.inner, frozenset(capture.excluded - self._witnesses), again), *then)
        text = shortest_length.captured(capture)
        self._witnesses.add(text)
        yield from self._alternatives(capture.continue_with(text), items)


def rule_id(rule: Rule) -> Hashable:
    """The key of a rule, without the texts that were captured before it."""
    return _without_texts(rule.key)


def body_of(rule: Rule) -> Node:
    """The body of a rule; of a named part, without its name."""
    plain = without_name(rule)
    return rule.body if plain is rule else plain


def _without_texts(value: Hashable) -> Hashable:
    match value:
        case bytes():
            return b""
        case frozenset() if all(isinstance(one, bytes) for one in value):
            return frozenset()
        case tuple():
            return tuple(map(_without_texts, value))
        case _:
            return value


def _leads_on(node: Node) -> bool:
    """Whether a node ends in a rule or a captured text, which decides what follows."""
    match cast(AnyNode, node):
        case Rule() | Capture():
            return node_name(node) is None
        case Sequence(parts):
            return _leads_on(parts[-1])
        case Choice(options):
            return any(map(_leads_on, options))
        case _:
            return False


def _nodes(item: Item) -> tuple[Node, ...]:
    return (item.inner,) if isinstance(item, Captured) else (item,)
