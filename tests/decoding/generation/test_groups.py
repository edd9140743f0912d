"""Many prompts are written in groups of a bounded size, in their order, and each gets the text that it gets alone."""

from __future__ import annotations

import pytest
from toys import byte_level_tokenizer, random_model

from rellm_agents import compile_regex
from rellm_agents.decoding import ConstrainedDecoder
from rellm_agents.decoding.forward.scorer import MAX_ROWS
from rellm_agents.errors import BudgetTooSmall
from rellm_agents.langchain import RELLM

pytestmark = pytest.mark.usefixtures("one_thread")

PATTERNS = [compile_regex(text) for text in (r"[ab]{1,8}", "yes|no", r"(thought|action): [a-z ]{1,5}")]
COUNT = 200


@pytest.fixture(params=["llama", "mamba", "mistral", "t5"])
def kind(request):
    return request.param


def decoder_and_rows(kind, **options):
    """A decoder, and the number of rows of each pass."""
    tokenizer, rows = byte_level_tokenizer(), []
    decoder = ConstrainedDecoder(random_model(tokenizer, kind=kind), tokenizer, **options)
    decoder.model.register_forward_hook(lambda module, args, kwargs, output: rows.append(len(output.logits)), with_kwargs=True)
    return decoder, rows


def test_two_hundred_prompts_are_written_in_groups_and_in_order(kind):
    decoder, rows = decoder_and_rows(kind)
    prompts, patterns = [f"Question {i}:" for i in range(COUNT)], [PATTERNS[i % len(PATTERNS)] for i in range(COUNT)]
    options = {"max_new_tokens": 16, "temperature": 1.0}
    found = decoder.generate(prompts, patterns, seed=list(range(COUNT)), **options)
    assert max(rows) == decoder.engine.scorer.max_rows <= MAX_ROWS
    assert len(found) == COUNT
    for i in range(0, COUNT, 9):
        assert found[i].text == decoder.generate(prompts[i], patterns[i], seed=i, **options).text


def test_what_is_wrong_with_the_last_prompt_is_said_before_the_first_pass(kind):
    decoder, rows = decoder_and_rows(kind)
    with pytest.raises(BudgetTooSmall):
        decoder.generate(["a"] * COUNT, [*PATTERNS[:1] * (COUNT - 1), compile_regex("[jqxz]{40}")], max_new_tokens=20)
    with pytest.raises(ValueError, match="199 patterns"):
        decoder.generate(["a"] * COUNT, PATTERNS[:1] * (COUNT - 1), max_new_tokens=20)
    assert not rows


def test_a_prefix_that_all_groups_share_is_read_by_the_first():
    decoder, rows = decoder_and_rows("llama", kept_bytes=1 << 28)
    shared = "ABCDE" * 40
    decoder.generate([f"{shared}{i}" for i in range(COUNT)], compile_regex("[jqxz]"), max_new_tokens=4)
    assert rows.count(1) == 1
    assert max(rows) == MAX_ROWS


def test_decisions_of_many_prompts_are_made_in_groups(kind):
    decoder, rows = decoder_and_rows(kind)
    prompts = [f"Question {i}:" for i in range(70)]
    found = decoder.probabilities(prompts, ["yes", "no"])
    assert max(rows) <= 2 * MAX_ROWS  # the options are two rows behind each prompt
    for i in range(0, 70, 9):
        assert found[i].probabilities == pytest.approx(decoder.probabilities(prompts[i], ["yes", "no"]).probabilities, rel=1e-3)


def test_batch_of_langchain():
    decoder, rows = decoder_and_rows("llama")
    llm = RELLM(model=decoder.model, tokenizer=decoder.tokenizer, regex="[ab]{1,8}", max_new_tokens=12)
    prompts = [f"Question {i}:" for i in range(COUNT)]
    found = llm.batch(prompts)
    assert max(rows) == MAX_ROWS
    assert [found[i] for i in range(0, COUNT, 9)] == [llm.invoke(prompts[i]) for i in range(0, COUNT, 9)]
