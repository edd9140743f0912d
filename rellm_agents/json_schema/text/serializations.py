"""A node of JSON text and a value in; the texts of the node that say the value out: its properties may stand in several orders.

The text is tried piece by piece, and orders that the node does not have are left at once.

>>> from rellm_agents.json_schema.text.layout import Layout
>>> from rellm_agents.patterns import choice, literal
>>> node = choice(literal('{"b": 1, "a": []}'), literal('{"a": [], "b": 1}'), literal('{"a": 1}'))
>>> list(serializations(node, {"a": [], "b": 1}, Layout.of("spaced")))
[b'{"a": [], "b": 1}', b'{"b": 1, "a": []}']
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import Any

from rellm_agents.json_schema.text.layout import Layout, dumps
from rellm_agents.patterns import Node
from rellm_agents.patterns.machine import DEAD_STATE, State, run, start


def serializations(node: Node, value: Any, layout: Layout) -> Iterator[bytes]:
    """The texts of ``node`` that say ``value``, each once.

    Args:
        node: of JSON text.
        value: what JSON can say.
        layout: of the text, with separators that are not flexible.
    """
    for text, state in _continued(start(node), value, layout):
        if state.accepting:
            yield text.encode()


def _continued(state: State, value: Any, layout: Layout) -> Iterator[tuple[str, State]]:
    """The texts of a value that are read from a state on, each with the state behind it."""
    match value:
        case dict():
            yield from _read(state, "{", lambda s: _members(s, "", list(value.items()), layout))
        case list():
            yield from _read(state, "[", lambda s: _listed(s, "", value, layout))
        case int() | float() if not isinstance(value, bool):
            for text in _number_texts(value):
                yield from _read(state, text, lambda s: iter([("", s)]))
        case _:
            yield from _read(state, layout.text(value), lambda s: iter([("", s)]))


def _number_texts(value: float) -> Iterable[str]:
    """The ways in which numbers are written here: as Python does, without an exponent, with a fraction of zero and without."""
    exact = Decimal(repr(value))
    texts = {dumps(value): None, f"{exact:f}": None}
    if exact == exact.to_integral_value():
        texts |= {f"{exact:.0f}": None, f"{exact:.0f}.0": None}
    return texts


def _read(state: State, text: str, then: Callable[[State], Iterator[tuple[str, State]]]) -> Iterator[tuple[str, State]]:
    after = run(state, text.encode())
    if after is not DEAD_STATE:
        for rest, end in then(after):
            yield text + rest, end


def _members(state: State, comma_before: str, members: list[tuple[str, Any]], layout: Layout) -> Iterator[tuple[str, State]]:
    if not members:
        yield from _read(state, "}", lambda s: iter([("", s)]))
    comma, colon = layout.separators
    for i, (name, value) in enumerate(members):
        others = members[:i] + members[i + 1 :]

        def behind(s: State, value: Any = value, others: list[tuple[str, Any]] = others) -> Iterator[tuple[str, State]]:
            for text, end in _continued(s, value, layout):
                for rest, last in _members(end, comma, others, layout):
                    yield text + rest, last

        yield from _read(state, comma_before + layout.text(name) + colon, behind)


def _listed(state: State, comma_before: str, items: list[Any], layout: Layout) -> Iterator[tuple[str, State]]:
    if not items:
        yield from _read(state, "]", lambda s: iter([("", s)]))
        return

    def behind(s: State) -> Iterator[tuple[str, State]]:
        for text, end in _continued(s, items[0], layout):
            for rest, last in _listed(end, layout.separators[0], items[1:], layout):
                yield text + rest, last

    yield from _read(state, comma_before, behind)
