"""Where values stand in a text is where ``json.loads`` finds them, however it is spelled; a beginning has those that have ended."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from rellm_agents import compile_schema
from rellm_agents.json_schema import open_pointer, value_spans
from rellm_agents.json_schema.source import below
from rellm_agents.json_schema.source.pointers import names_of

STRINGS = ("", "a", "a/b", "~", '"', "\\", '\\"', "é", "😀", "{", "]", ",", ":", "true", "1", " ", "\n", "#/a", "a\\u0062", "''")
SCALARS = (None, True, False, 0, -1, 12, 0.5, 1e30, -2e-7)


def random_value(chance: random.Random, depth: int = 3) -> Any:
    match chance.randrange(6 if depth else 3):
        case 0 | 1:
            return chance.choice(SCALARS)
        case 2:
            return "".join(chance.choices(STRINGS, k=chance.randrange(3)))
        case 3:
            return [random_value(chance, depth - 1) for _ in range(chance.randrange(4))]
        case _:
            return {
                "".join(chance.choices(STRINGS, k=chance.randrange(3))): random_value(chance, depth - 1) for _ in range(chance.randrange(4))
            }


def spelled(value: Any, chance: random.Random) -> str:
    """JSON text with any white space and any escapes."""
    gap = lambda: "".join(chance.choices(" \t\n\r", k=chance.choice((0, 0, 1, 3))))  # noqa: E731
    match value:
        case dict():
            members = (f"{gap()}{spelled(key, chance)}{gap()}:{gap()}{spelled(inner, chance)}{gap()}" for key, inner in value.items())
            return f"{{{','.join(members) or gap()}}}"
        case list():
            return f"[{','.join(f'{gap()}{spelled(inner, chance)}{gap()}' for inner in value) or gap()}]"
        case str():
            return f'"{"".join(spelled_character(c, chance) for c in value)}"'
        case float() if chance.random() < 0.5:
            return f"{value:E}"
    return json.dumps(value)


def spelled_character(c: str, chance: random.Random) -> str:
    units = c.encode("utf-16-be")
    spellings = ["".join(f"\\u{units[i]:02x}{units[i + 1]:02X}" for i in range(0, len(units), 2))]
    spellings += ["\\/"] if c == "/" else []
    spellings += [json.dumps(c)[1:-1]]
    if c >= " " and c not in '"\\':
        spellings += [c] * 3
    return chance.choice(spellings)


def values_by_pointer(value: Any, pointer: str = "#") -> Iterator[tuple[str, Any]]:
    yield pointer, value
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in inside:
        yield from values_by_pointer(inner, below(pointer, str(name)))


@pytest.mark.parametrize("seed", range(10))
def test_each_value_stands_where_it_is_read(seed):
    chance = random.Random(seed)
    for _ in range(300):
        value = random_value(chance)
        text = spelled(value, chance)
        assert json.loads(text) == value
        spans = value_spans(text)
        assert {name: json.loads(text[begin:end]) for name, (begin, end) in spans.items()} == dict(values_by_pointer(value))
        assert list(spans.values()) == sorted(spans.values(), key=lambda one: (one[0], -one[1]))
        around = chance.choice(("", "x = ", '"'))
        shifted = value_spans(f"{around}{text}) ] }}", len(around), len(around) + len(text), pointer="#/x")
        assert {f"#/x{name[1:]}": (b + len(around), e + len(around)) for name, (b, e) in spans.items()} == shifted


@pytest.mark.parametrize("seed", range(4))
def test_a_beginning_has_the_values_that_have_ended(seed):
    """And the value that is open at its end is the innermost around it, or the one that stands next."""
    chance = random.Random(seed)
    for _ in range(60):
        value = {"": random_value(chance), "a": [random_value(chance, 1)]}
        text = spelled(value, chance)
        spans = value_spans(text)
        for at in range(len(text)):
            found = value_spans(text[:at])
            assert found.items() <= spans.items()
            assert {name for name, (_, end) in spans.items() if end < at} <= set(found)
            pointer = open_pointer(text[:at])
            inside = [name for name, (begin, end) in spans.items() if begin < at < end]
            assert all(names_of(pointer)[: len(names_of(name))] == names_of(name) for name in inside if is_container(text, spans, name))


def is_container(text: str, spans: dict[str, tuple[int, int]], name: str) -> bool:
    return text[spans[name][0]] in "{["


def test_what_is_no_json_gives_no_error():
    chance = random.Random(0)
    for _ in range(3000):
        text = "".join(chance.choices('{}[]:,"\\ a1\n', k=chance.randrange(12)))
        assert all(0 <= begin < end <= len(text) for begin, end in value_spans(text).values())
        assert open_pointer(text).startswith("#")


@pytest.mark.parametrize("whitespace", ["spaced", "compact", "flexible"])
def test_the_fields_of_a_schema_are_the_values_of_its_instances(whitespace):
    schema = {
        "type": "object",
        "properties": {"a": {"type": "array", "items": {"type": ["number", "null"]}, "maxItems": 3}, "b": {"enum": ["x", 1, True]}},
        "required": ["a"],
    }
    pattern = compile_schema(schema, whitespace=whitespace)
    for seed in range(100):
        text = pattern.sample(seed)
        read = {name: json.loads(text[begin:end]) for name, (begin, end) in pattern.fields(text).items()}
        assert read == dict(values_by_pointer(json.loads(text)))
