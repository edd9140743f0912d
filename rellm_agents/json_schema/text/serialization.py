"""Lists the texts of a node that mean a given value: the properties of its objects may stand in several orders.

The value is written piece by piece and read by the node's state machine at once, so orders that the node does not have are left early.
Knows nothing of schemas.

>>> from rellm_agents.json_schema.text.layout import Layout
>>> from rellm_agents.patterns import choice, literal
>>> node = choice(literal('{"b": 1, "a": []}'), literal('{"a": [], "b": 1}'), literal('{"a": 1}'))
>>> list(serializations(node, {"a": [], "b": 1}, Layout.of("spaced")))
[b'{"a": [], "b": 1}', b'{"b": 1, "a": []}']
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import Any

from rellm_agents.json_schema.text.layout import Layout, dumps
from rellm_agents.patterns import Node
from rellm_agents.patterns.machine import DEAD_STATE, State, run, start

_Texts = Iterator[tuple[str, State]]  # each with the state after it


def serializations(node: Node, value: Any, layout: Layout) -> Iterator[bytes]:
    """The texts of ``node`` that mean ``value``, each once.

    Args:
        node: of JSON text.
        value: what JSON can say.
        layout: of the text, with separators that are not flexible.
    """
    for text, state in _value(start(node), value, layout):
        if state.accepting:
            yield text.encode()


def _value(state: State, value: Any, layout: Layout) -> _Texts:
    """The texts of a value that can be read from a state."""
    match value:
        case dict():
            yield from _read(state, "{", lambda s: _members(s, "", list(value.items()), layout))
        case list():
            yield from _read(state, "[", lambda s: _items(s, "", value, layout))
        case int() | float() if not isinstance(value, bool):
            for text in _number_texts(value):
                yield from _read(state, text)
        case _:
            yield from _read(state, layout.text(value))


def _number_texts(value: float) -> Iterable[str]:
    """The ways in which numbers are written here: as Python does, without an exponent, with a fraction of zero and without."""
    exact = Decimal(repr(value))
    texts = {dumps(value): None, f"{exact:f}": None}
    if exact == exact.to_integral_value():
        texts |= {f"{exact:.0f}": None, f"{exact:.0f}.0": None}
    return texts


def _read(state: State, text: str, then: Callable[[State], _Texts] | None = None) -> _Texts:
    """A text, if it can be read from a state, and whatever follows it."""
    after = run(state, text.encode())
    if after is DEAD_STATE:
        return
    for rest, end in [("", after)] if then is None else then(after):
        yield text + rest, end


def _members(state: State, comma_before: str, members: list[tuple[str, Any]], layout: Layout) -> _Texts:
    if not members:
        yield from _read(state, "}")
    comma, colon = layout.separators
    for i, (name, value) in enumerate(members):
        others = members[:i] + members[i + 1 :]

        def rest(s: State, value: Any = value, others: list[tuple[str, Any]] = others) -> _Texts:
            for text, end in _value(s, value, layout):
                for more, last in _members(end, comma, others, layout):
                    yield text + more, last

        yield from _read(state, comma_before + layout.text(name) + colon, rest)


def _items(state: State, comma_before: str, items: list[Any], layout: Layout) -> _Texts:
    if not items:
        yield from _read(state, "]")
        return

    def rest(s: State) -> _Texts:
        for text, end in _value(s, items[0], layout):
            for more, last in _items(end, layout.separators[0], items[1:], layout):
                yield text + more, last

    yield from _read(state, comma_before, rest)


def value_key(value: Any) -> str:
    """A text that equal JSON values share: 1 and 1.0, objects in any order.

    >>> value_key({"b": 1.0, "a": True}) == value_key({"a": True, "b": 1}), value_key(1) == value_key(True)
    (True, False)
    """
    return json.dumps(_plain(value), sort_keys=True)


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {name: _plain(inner) for name, inner in value.items()}
        case list():
            return [*map(_plain, value)]
        case float() if value.is_integer():
            return int(value)
    return value
