"""A message tells where each of its values stands, in the way of every family: what stands there reads as the value."""

from __future__ import annotations

import ast
import json
from contextlib import suppress
from typing import Any

import pytest
from formats.messages.test_format import FAMILIES, SAMPLES, SETS, WAYS, made

from rellm_agents.formats import Message
from rellm_agents.formats.template.declarations import builtin_declaration
from rellm_agents.json_schema.source import below

CONTAINERS = (dict, list)


def values(value: Any, pointer: str) -> dict[str, Any]:
    """The values inside of a value, and itself."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {pointer: value} | {key: one for name, inner in inside for key, one in values(inner, below(pointer, str(name))).items()}


def values_of(message: Message, *, is_answer: bool) -> dict[str, Any]:
    if is_answer and not message.tool_calls:
        return {"#": None, **values(json.loads(message.content), "#")} | reasoned(message)
    found = {"#": message, **reasoned(message), **({"#/content": message.content} if message.content else {})}
    for number, call in enumerate(message.tool_calls):
        pointer = f"#/tool_calls/{number}"
        found |= {pointer: call, f"{pointer}/name": call.name, **values(call.arguments, f"{pointer}/arguments")}
    return found


def reasoned(message: Message) -> dict[str, Any]:
    return {"#/reasoning": message.reasoning} if message.reasoning else {}


def readings(text: str, quote: str) -> list[Any]:
    """As itself, as JSON, as Python, between quotes of the family's own, and with the character that ends it."""
    found: list[Any] = [text, text[:-1]]
    for read in (json.loads, ast.literal_eval):
        with suppress(ValueError, SyntaxError):
            found.append(read(text))
    return [*found, text.removeprefix(quote).removesuffix(quote)] if quote and text.startswith(quote) else found


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("tools", SETS)
@pytest.mark.parametrize("family", FAMILIES)
def test_each_value_stands_where_it_is_said(family, tools, way):
    format_, quote = made(family, tools, **WAYS[way]), builtin_declaration(family, "message").get("quote", "")
    for seed in range(SAMPLES):
        text = format_.pattern.sample(seed)
        expected = values_of(format_.read(text), is_answer="answer" in WAYS[way])
        fields = format_.pattern.fields(text)
        assert set(fields) == set(expected)
        for name, (begin, end) in fields.items():
            assert 0 <= begin < end <= len(text)
            value = expected[name]
            if isinstance(value, str | int | float | None) and name != "#":
                assert any(type(one) is type(value) and one == value for one in readings(text[begin:end], quote)), (name, text[begin:end])
        for name, (begin, end) in fields.items():
            for inner, (b, e) in fields.items():
                assert not inner.startswith(f"{name}/") or name == "#" or (begin <= b and e <= end + 1)


@pytest.mark.parametrize("family", FAMILIES)
def test_of_a_beginning_the_calls_that_have_ended_are_told(family):
    format_ = made(family, "3", choice="required")
    for seed in range(SAMPLES):
        text = format_.pattern.sample(seed)
        fields = format_.pattern.fields(text)
        for end in range(0, len(text), 5):
            found = format_.pattern.fields(text[:end])
            assert {name: span for name, span in found.items() if name not in ("#", "#/content")}.items() <= fields.items()
