"""A node of JSON text and a value in; the texts of the node that say the value out: its properties may stand in several orders.

The text is tried piece by piece, and orders that the node does not have are left at once.

>>> from rellm_agents.patterns import choice, literal
>>> node = choice(literal('{"b": 1, "a": []}'), literal('{"a": [], "b": 1}'), literal('{"a": 1}'))
>>> list(spellings(node, {"a": [], "b": 1}, (", ", ": ")))
[b'{"a": [], "b": 1}', b'{"b": 1, "a": []}']
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from rellm_agents.json_schema.json_text import dumps
from rellm_agents.patterns import Node
from rellm_agents.patterns.cells import State
from rellm_agents.patterns.machine import DEAD_STATE, run, start


def spellings(node: Node, value: Any, separators: tuple[str, str]) -> Iterator[bytes]:
    """The texts of ``node`` that say ``value``, each once.

    Args:
        node: of JSON text.
        value: what JSON can say.
        separators: after an item, and after a key, as in the text.
    """
    for text, state in _continued(start(node), value, separators):
        if state.accepting:
            yield text.encode()


def _continued(state: State, value: Any, separators: tuple[str, str]) -> Iterator[tuple[str, State]]:
    """The texts of a value that are read from a state on, each with the state behind it."""
    comma, colon = separators
    match value:
        case dict():
            yield from _read(state, "{", lambda s: _members(s, "", list(value.items()), comma, colon))
        case list():
            yield from _read(state, "[", lambda s: _listed(s, "", value, separators))
        case _:
            yield from _read(state, dumps(value), lambda s: iter([("", s)]))


def _read(state: State, text: str, then: Callable[[State], Iterator[tuple[str, State]]]) -> Iterator[tuple[str, State]]:
    after = run(state, text.encode())
    if after is not DEAD_STATE:
        for rest, end in then(after):
            yield text + rest, end


def _members(state: State, comma_before: str, members: list[tuple[str, Any]], comma: str, colon: str) -> Iterator[tuple[str, State]]:
    if not members:
        yield from _read(state, "}", lambda s: iter([("", s)]))
    for i, (name, value) in enumerate(members):
        others = members[:i] + members[i + 1 :]

        def behind(s: State, value: Any = value, others: list[tuple[str, Any]] = others) -> Iterator[tuple[str, State]]:
            for text, end in _continued(s, value, (comma, colon)):
                for rest, last in _members(end, comma, others, comma, colon):
                    yield text + rest, last

        yield from _read(state, comma_before + dumps(name) + colon, behind)


def _listed(state: State, comma_before: str, items: list[Any], separators: tuple[str, str]) -> Iterator[tuple[str, State]]:
    if not items:
        yield from _read(state, "]", lambda s: iter([("", s)]))
        return

    def behind(s: State) -> Iterator[tuple[str, State]]:
        for text, end in _continued(s, items[0], separators):
            for rest, last in _listed(end, separators[0], items[1:], separators):
                yield text + rest, last

    yield from _read(state, comma_before, behind)
