"""A text that has begun to repeat itself is closed, where that is asked for; until then it is the text that would be written anyway."""

from __future__ import annotations

import logging

import pytest
import torch
from toys import FixedLogits, byte_level_tokenizer

from rellm_agents import compile_regex, compile_schema
from rellm_agents.decoding import ConstrainedDecoder
from rellm_agents.decoding.budget import ends_in_repeats

pytestmark = pytest.mark.usefixtures("one_thread")

NAMES = {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}}
PATTERNS = [
    compile_regex("(?s:.*)"),
    compile_regex("[a-d ]+[.]"),
    compile_schema(
        {"type": "object", "properties": {"summary": {"type": "string"}, "n": {"type": "integer"}}, "required": ["summary", "n"]}
    ),
    compile_schema(NAMES),
    compile_regex("(ab){40}"),
]


@pytest.fixture(scope="module", params=range(3))
def decoder(request):
    tokenizer = byte_level_tokenizer([b'{"name": "', b'"}, '])
    table = torch.randn(5, len(tokenizer), generator=torch.Generator().manual_seed(request.param))
    return ConstrainedDecoder(FixedLogits(table), tokenizer)  # what follows a token is always the same, so greedy texts go round in circles


@pytest.mark.parametrize("number", range(len(PATTERNS)))
@pytest.mark.parametrize("drawing", [{}, {"temperature": 0.5, "seed": 1}, {"spelling": "any"}], ids=["greedy", "drawn", "any"])
def test_a_text_is_closed_where_it_repeats_itself(decoder, number, drawing):
    pattern, times = PATTERNS[number], 3
    for prompt in ("a", "Question:", "{"):
        plain = decoder.generate(prompt, pattern, max_new_tokens=120, on_budget="close", **drawing)
        made = decoder.generate(prompt, pattern, max_new_tokens=120, on_budget="close", max_repeats=times, **drawing)
        assert pattern.fullmatch(made.text)
        first = next((n for n in range(1, len(plain.token_ids)) if ends_in_repeats(plain.token_ids[:n], times)), None)
        if first is None:
            assert (made.text, made.repeats) == (plain.text, False)
            continue
        assert made.token_ids[:first] == plain.token_ids[:first]
        assert made.repeats or made.text == plain.text  # nothing but the rest of a forced text could follow
        assert not made.repeats or (made.finish, len(made.token_ids) <= len(plain.token_ids)) == ("closed", True)


def test_some_texts_repeat_themselves(decoder):
    made = [decoder.generate(prompt, PATTERNS[0], max_new_tokens=120, on_budget="close", max_repeats=2) for prompt in ("a", "b", "c")]
    assert any(one.repeats for one in made)


def test_who_asks_for_it_is_not_warned_of_it(decoder, caplog):
    with caplog.at_level(logging.WARNING, logger="rellm_agents"):
        made = [decoder.generate(prompt, PATTERNS[0], max_new_tokens=120, max_repeats=2) for prompt in ("a", "b", "c")]
    assert len(caplog.records) == sum(one.closed_at is not None and not one.repeats for one in made)


def test_a_batch_and_a_stream_are_closed_alike(decoder):
    prompts = ["a", "b", "c"]
    alone = [decoder.generate(prompt, PATTERNS[2], max_new_tokens=90, on_budget="close", max_repeats=2) for prompt in prompts]
    together = decoder.generate(prompts, PATTERNS[2], max_new_tokens=90, on_budget="close", max_repeats=2)
    assert [one.text for one in together] == [one.text for one in alone]
    assert "".join(decoder.stream("a", PATTERNS[2], max_new_tokens=90, on_budget="close", max_repeats=2)) == alone[0].text


def test_fewer_than_two_are_no_repeats(decoder):
    with pytest.raises(ValueError, match="max_repeats=1: at least 2, or None"):
        decoder.generate("a", PATTERNS[0], max_repeats=1)
