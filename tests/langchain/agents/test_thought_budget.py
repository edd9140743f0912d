"""A thought leaves tokens for what follows: an action or an answer that is not empty, whatever the model would like to think."""

from __future__ import annotations

import pytest
from langchain_core.tools import tool
from toys import byte_level_tokenizer, random_model

from rellm_agents import formats
from rellm_agents.formats import Finish
from rellm_agents.langchain import RELLM

pytestmark = pytest.mark.usefixtures("one_thread")


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
            assert llm._request(None, {})[1]["part_tokens"] == {"thought": budget // 2}
            assert not isinstance(step, Finish) or step.output.strip()
            closed += made.generation_info.get("closed_parts") == ["thought"]
            own = llm.bind(part_tokens={"thought": 20}).invoke(f"Question {seed}:")
            assert own != made.text or len(step.thought) < 20
    assert closed or not make([word_length]).parts
