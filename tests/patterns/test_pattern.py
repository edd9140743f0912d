"""What users ask of a pattern: where a text leaves it."""

from __future__ import annotations

import random

import pytest

from rellm_agents import Pattern, compile_regex, compile_schema
from rellm_agents.errors import FormatError, InvalidInstance
from rellm_agents.formats import json_action, message_format, react
from rellm_agents.langchain import reader_for
from rellm_agents.patterns.ir import literal, repeat, sequence, special_token
from rellm_agents.value_texts import where_left

TOOLS = {"search": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}}
PATTERNS = {
    "regex": compile_regex("(yes|no|né+){2,}"),
    "schema": compile_schema({"type": "object", "properties": {"a": {"type": "array"}, "b": {"enum": ["ö", 1]}}}),
    "react": react(TOOLS).pattern,
    "special": Pattern(sequence(special_token("<|a|>"), repeat(literal("b<"), 0, 3), special_token("<|c|>"))),
}


@pytest.mark.parametrize("name", PATTERNS)
def test_a_text_leaves_its_pattern_where_no_text_of_it_goes_on(name: str) -> None:
    pattern, chance = PATTERNS[name], random.Random(0)
    for seed in range(40):
        text = pattern.sample(seed)
        assert pattern.leaves_at(text) is None
        place = chance.randrange(len(text) + 1)
        for changed in (text[:place], text[:place] + chance.choice("a<|é\ud800}") + text[place:], text[:place] + text[place + 1 :]):
            at = pattern.leaves_at(changed)
            assert (at is None) == pattern.fullmatch(changed)
            if at is not None:
                assert pattern.begins(changed[:at])
                assert at == len(changed) or not pattern.begins(changed[: at + 1])


def test_readers_say_where_a_text_is_wrong() -> None:
    answers = compile_schema({"type": "object", "properties": {"a": {"type": "integer"}}, "additionalProperties": False})
    for read, text, at in (
        (react(TOOLS).read, "\nAction: serch", 11),
        (json_action(TOOLS).read, "hello", 0),
        (message_format("hermes", TOOLS, choice="required").read, "<tool_call>\n{}", 13),
        (answers.value, '{"a": "1"}', 6),
        (answers.value, '{"a": ', 6),
        (reader_for(answers).invoke, '{"b": 1}', 2),
    ):
        with pytest.raises((FormatError, InvalidInstance, ValueError)) as error:
            read(text)
        assert where_left(text, at) in str(error.value)
