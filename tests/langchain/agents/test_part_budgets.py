"""A thought leaves tokens for what follows, an action or an answer that is not empty; and an input does not take all of them either."""

from __future__ import annotations

import pytest
from langchain_core.tools import tool
from toys import byte_level_tokenizer, random_model

from rellm_agents import formats
from rellm_agents.errors import FormatError
from rellm_agents.formats import Action, Finish
from rellm_agents.langchain import RELLM, parser_for

pytestmark = pytest.mark.usefixtures("one_thread")

OTHER_TOKENS = 60
"""At most so many are the delimiters, the name and a stop string of a step here, in bytes."""


@tool
def word_length(word: str) -> int:
    """The number of letters in a word."""
    return len(word)


@pytest.mark.parametrize("make", [formats.react, formats.mrkl, formats.chat, formats.xml, formats.react_json])
def test_a_thought_has_half_of_the_budget(make):
    tokenizer, closed = byte_level_tokenizer(), 0
    for seed in range(3):
        model = random_model(tokenizer, seed=seed)
        for budget in (150, 250):
            llm = RELLM(model=model, tokenizer=tokenizer, format=make([word_length]), max_new_tokens=budget, on_budget="close")
            (made,) = llm.generate([f"Question {seed}:"]).generations[0]
            step = llm.format.read(made.text.split(llm.format.stop[0])[0] if llm.format.ends_open and llm.format.stop else made.text)
            parts = ["thought"] if make in (formats.chat, formats.react_json) else ["thought", "input"]
            assert llm._request(None, {})[1]["part_tokens"] == dict.fromkeys(parts, budget // 2)
            assert not isinstance(step, Finish) or step.output.strip()
            closed += "thought" in made.generation_info.get("closed_parts", [])
            own = llm.bind(part_tokens={"thought": 20}).invoke(f"Question {seed}:")
            assert own != made.text or len(step.thought) < 20
    assert closed or not make([word_length]).parts


@pytest.mark.parametrize("make", [formats.react, formats.mrkl, formats.conversational, formats.docstore, formats.xml])
def test_an_input_has_a_budget_that_can_be_lifted(make):
    """Random models write until they are stopped; a step whose input its budget closes is read as well, with or without a stop string."""
    tokenizer, closed = byte_level_tokenizer(), 0
    for seed in range(4):
        model = random_model(tokenizer, seed=seed)
        llm = RELLM(model=model, tokenizer=tokenizer, format=make([word_length]), max_new_tokens=120, temperature=1.0, on_budget="close")
        for parts in ({}, {"thought": 4, "input": 24}, {"thought": 4, "input": 120}):
            (made,) = llm.generate([f"Question {seed}:"], part_tokens=parts, seed=seed).generations[0]
            step = llm.format.read(made.text)
            if isinstance(step, Finish):
                continue
            ended = "input" in made.generation_info.get("closed_parts", [])
            closed += ended
            assert not ended or parts.get("input") != 120
            assert made.generation_info["tokens"] <= 4 + 24 + OTHER_TOKENS or parts.get("input") != 24
    assert closed


def test_only_any_text_has_a_budget():
    """An argument that its schema bounds, as a number or a member of an enum, is never closed."""
    typed = {"alarm": {"type": "object", "properties": {"hour": {"type": "integer"}}, "required": ["hour"]}}
    assert formats.react(typed).parts == ("thought",)
    assert formats.react([word_length]).parts == ("thought", "input")
    assert formats.json_action([word_length]).parts == ()


@pytest.mark.parametrize("make", [formats.react, formats.mrkl, formats.conversational, formats.xml])
def test_inputs_and_answers_of_one_line(make):
    format_ = make([word_length], one_line=True)
    parser = parser_for(format_)
    inputs = [step.tool_input for seed in range(300) if isinstance(step := format_.read(format_.pattern.sample(seed)), Action)]
    assert len(inputs) > 30
    answers = [step.output for seed in range(300) if isinstance(step := format_.read(format_.pattern.sample(seed)), Finish)]
    assert len(answers) > 30
    assert not any({*"\r\n"} & {*one} for one in answers)
    assert not any({*"\r\n"} & {*one} for one in inputs)
    with pytest.raises(FormatError, match=r"it holds '\[\\\\n\\\\r\]'"):
        format_.write(Action("word_length", "SELECT 1\nFROM towns"))
    for one in inputs:
        assert parser.parse(format_.write(Action("word_length", one))).tool_input == one
    assert make([word_length]).pattern.fullmatch(make([word_length]).write(Action("word_length", "SELECT 1\nFROM towns")))
