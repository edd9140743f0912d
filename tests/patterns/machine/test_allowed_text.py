"""A text that a capture allows is found in about as many steps as it has bytes, whatever the captures inside of it leave to be written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rellm_agents.patterns import Node, Pattern, capture, choice, lexeme, literal, read_regex, sequence
from rellm_agents.patterns.ir import EMPTY
from rellm_agents.patterns.machine import allowed_text, can_avoid, has_text, shortest_length
from rellm_agents.patterns.machine.machine import Machine

NAMES = lexeme(read_regex('"[a-z]*"'))


def members(count: int, value: str, used: frozenset[bytes] = frozenset()) -> Node:
    """So many names, none twice, each with a value."""
    if not count:
        return literal("}")

    def after(text: bytes) -> Node:
        return members(count - 1, value, used | {text})

    return capture(NAMES, used, literal(value), ("members", count, value, *sorted(used)), after)


def different(inner: Node, excluded: frozenset[bytes]) -> Any:
    return capture(inner, excluded, EMPTY, ("different", *sorted(excluded)), lambda text: EMPTY)


@pytest.fixture
def searched(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How many states were searched for the outermost captures; those inside are asked for a text once."""
    found: list[bytes] = []
    search = allowed_text._representatives

    def counted(node: Any, state: Any, text: bytes) -> list[int]:
        if node.key[0] == "different":
            found.append(text)
        return search(node, state, text)

    monkeypatch.setattr(allowed_text, "_representatives", counted)
    return lambda: len(found)


@pytest.mark.parametrize("count", [1, 2, 4, 8])
@pytest.mark.parametrize("value", [":1;", ':"a longer value";'])
def test_the_search_takes_about_as_many_steps_as_the_texts_have_bytes(searched: Callable[[], int], count: int, value: str) -> None:
    inner = sequence(literal("{"), members(count, value))
    shortest = shortest_length.data(inner)
    node = different(inner, frozenset({shortest}))
    assert has_text(node)
    found = shortest_length.data(node)
    assert found != shortest
    assert Pattern(node).fullmatch(found.decode())
    assert searched() <= 4 * (len(found) + len(shortest))


def test_what_is_found_is_shortest_among_all_that_are_shorter(searched: Callable[[], int]) -> None:
    inner = sequence(literal("{"), members(2, ":"), choice(literal("."), literal("..")))
    excluded: set[bytes] = set()
    sizes: list[int] = []
    for _ in range(12):
        node = different(inner, frozenset(excluded))
        assert can_avoid(node, Machine.of(inner).open_start, b"")
        text = shortest_length.data(node)
        assert text not in excluded
        sizes.append(len(text))
        excluded.add(text)
    assert sizes == sorted(sizes)
    assert searched()
