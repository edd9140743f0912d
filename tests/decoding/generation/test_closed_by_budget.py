"""A text says whether the budget has changed it, and where: if not, it is the text of an endless budget."""

from __future__ import annotations

import json
import logging

import pytest
from toys import byte_level_tokenizer, random_model

from rellm_agents import compile_regex, compile_schema
from rellm_agents.decoding import ConstrainedDecoder, RequestQueue
from rellm_agents.errors import ClosedByBudget

pytestmark = pytest.mark.usefixtures("one_thread")

TEXT = {"type": "string", "pattern": "^[a-c ]*$"}
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}, "summary": TEXT, "tags": {"type": "array", "items": TEXT}},
          "required": ["n", "summary", "tags"], "additionalProperties": False}  # fmt: skip
PATTERNS = [
    compile_regex("[ab]{0,30}"),
    compile_regex("x{20}(y|zz)?"),
    compile_regex("(yes|no|maybe so)( [a-c]+)*[.]"),
    compile_schema(SCHEMA),
    compile_schema({"type": "array", "items": {"enum": ["red", "green", 12345678]}, "maxItems": 6}),
]


@pytest.fixture(scope="module")
def decoder():
    tokenizer = byte_level_tokenizer([b'"summary": "', b"ab", b"yes", b'", "'])
    return ConstrainedDecoder(random_model(tokenizer), tokenizer)


@pytest.mark.parametrize("pattern", PATTERNS, ids=range(len(PATTERNS)))
@pytest.mark.parametrize("selection", ["greedy", "likeliest"])
def test_a_text_that_is_not_closed_is_that_of_an_endless_budget(decoder, pattern, selection):
    least, closed = decoder.masks(pattern).tokens_needed(decoder.masks(pattern).start), 0
    for prompt in ("a", "Question:", "one two"):
        endless = decoder.generate(prompt, pattern, max_new_tokens=400, selection=selection, on_budget="close")
        for budget in (*range(least, least + 12), 60):
            made = decoder.generate(prompt, pattern, max_new_tokens=budget, selection=selection, on_budget="close")
            assert (made.finish == "closed") is (made.closed_at is not None)
            if made.closed_at is None:
                assert made.text == endless.text
            elif selection == "greedy":
                assert made.token_ids != endless.token_ids
            closed += made.closed_at is not None
    assert closed


def test_the_value_that_was_closed_is_named(decoder):
    """It is the first that differs from what an endless budget writes."""
    text = {"type": "string", "pattern": "^[a-c]{30,40}$"}
    schema = {**SCHEMA, "properties": {**SCHEMA["properties"], "summary": text, "tags": {"type": "array", "items": text, "minItems": 1}}}
    pattern, named = compile_schema(schema), set()
    least = decoder.masks(pattern).tokens_needed(decoder.masks(pattern).start)
    for prompt in map(str, range(2)):
        endless = decoder.generate(prompt, pattern, max_new_tokens=2000, on_budget="close")
        for budget in range(least, least + 120, 17):
            made = decoder.generate(prompt, pattern, max_new_tokens=budget, on_budget="close")
            if made.closed_at is None:
                continue
            named.add("/".join(made.closed_at.split("/")[:2]))
            whole, cut = json.loads(endless.text), json.loads(made.text)
            first = next(name for name in ("n", "summary", "tags") if whole[name] != cut[name])
            assert made.closed_at.startswith(f"#/{first}")
    assert len(named) > 1


def test_it_is_told_in_the_log_or_raised_or_left(decoder, caplog):
    pattern, options = compile_schema(SCHEMA), {"max_new_tokens": 45}
    queue = RequestQueue(decoder)
    with caplog.at_level(logging.WARNING, logger="rellm_agents"):
        made = queue.generate("1", pattern, on_budget="close", **options)
        assert made.closed_at is not None
        assert not caplog.records
        assert queue.generate("1", pattern, **options) == made
        (record,) = caplog.records
    assert f"closed the text at {made.closed_at}" in record.getMessage()
    assert "max_new_tokens" in record.getMessage()
    for ask in (decoder.generate, queue.generate):
        with pytest.raises(ClosedByBudget, match="maxLength") as raised:
            ask("1", pattern, on_budget="raise", **options)
        assert (raised.value.text, raised.value.pointer, raised.value.budget) == (made.text, made.closed_at, 45)
    assert decoder.generate("1", compile_regex("yes"), max_new_tokens=4, on_budget="raise").text == "yes"
    with pytest.raises(ValueError, match="'warn', 'raise', 'close'"):
        decoder.generate("1", pattern, on_budget="stop")  # type: ignore[call-overload]


def test_the_budget_of_a_part_closes_it_in_silence(decoder, caplog):
    pattern = compile_regex("(?&thought); (yes|no)", parts={"thought": "[a-c ]*"})
    made = decoder.generate("1", pattern, max_new_tokens=400, part_tokens={"thought": 5})
    assert made.closed_parts == ("thought",)
    assert made.closed_at is None
    assert not caplog.records
