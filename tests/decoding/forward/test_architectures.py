"""The law of all models: the log probabilities of a text's tokens are those of one pass over prompt and text, however it was decoded.

It is shown for every causal architecture of the installed transformers, but for those in ``ALONE_IMPOSSIBLE``: alone, in a batch of several
lengths, where texts come while others are written, behind what is kept of earlier prompts, where text is forced, where a few rows of the
output layer are computed, and where options are weighed.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from functools import cache

import pytest
import torch
from decoding.forward.architectures import ALONE_IMPOSSIBLE, CLASSES, recorded_rows, row_of, tiny_model
from toys import byte_level_tokenizer

from rellm_agents import compile_regex
from rellm_agents.decoding import Completion, ConstrainedDecoder
from rellm_agents.decoding.generation import TextOptions
from rellm_agents.errors import DecodingError

pytestmark = pytest.mark.usefixtures("one_thread")

REFUSED = {
    "CpmAntForCausalLM": "by the tokens that follow it too",
    "ProphetNetForCausalLM": "by the tokens that follow it too",
    "XLNetLMHeadModel": "by the tokens that follow it too",
}
PATTERN = compile_regex(r'\{"action": "[ab]{2,4}", "is": (true|false)\}')
PROMPTS = ("Question: how many?", "a", "é€ 你好, how far")
OPTIONS = ("yes", "no", "not sure")
TOLERANCE = 2e-3


@cache
def tokenizer():
    return byte_level_tokenizer([b'{"action', b'": "', b'", "', b'": ', b"true", b"false", b"ab", b" how", b"yes"])


def in_one_pass(model: torch.nn.Module, ids: Sequence[int]) -> torch.Tensor:
    """float[n, V]: log probabilities of the tokens after each of a text, by the plain call of the model."""
    keeping_nothing = {"use_cache": False} if "use_cache" in inspect.signature(model.forward).parameters else {}
    with torch.inference_mode():
        return model(input_ids=torch.tensor([list(ids)]), **keeping_nothing).logits[0].double().log_softmax(-1)


def assert_right(model: torch.nn.Module, prompt: str, made: Completion) -> None:
    """The measured log probabilities are those of one pass."""
    ids = tokenizer().encode(prompt)
    whole = in_one_pass(model, [*ids, *made.token_ids])
    assert made.logprobs is not None
    assert sum(one.free is not None for one in made.logprobs) > 6
    for at, (token, one) in enumerate(zip(made.token_ids, made.logprobs, strict=False)):
        if one.free is None:  # no pass has read what is before it
            continue
        assert one.free == pytest.approx(float(whole[len(ids) + at - 1, token]), abs=TOLERANCE), f"token {at} of {made.text!r}"


def test_nearly_all_are_made():
    assert len(ALONE_IMPOSSIBLE) <= 20
    assert not recorded_rows() or {*recorded_rows()} == {"architecture", *CLASSES}


@pytest.mark.parametrize("name", [name for name in CLASSES if name not in ALONE_IMPOSSIBLE])
def test_a_text_is_scored_as_in_one_pass_over_all_of_it(name):
    model = tiny_model(name)
    if name in REFUSED:
        with pytest.raises(DecodingError, match=REFUSED[name]) as refused:
            ConstrainedDecoder(model, tokenizer())
        assert row_of(name, refused.value) == recorded_rows().get(name, row_of(name, refused.value))
        return
    decoder, options = ConstrainedDecoder(model, tokenizer()), {"max_new_tokens": 60, "healing": False}
    row = row_of(name, decoder.engine.scorer)
    assert row == recorded_rows().get(name, row), "make the table anew, and see that nothing became worse"
    together = decoder.generate(PROMPTS, PATTERN, measure=["logprobs"], **options)
    for prompt, beside in zip(PROMPTS, together, strict=True):
        alone = decoder.generate(prompt, PATTERN, measure=["logprobs"], **options)
        few = decoder.generate(prompt, PATTERN, **options)
        assert few.token_ids == alone.token_ids == beside.token_ids
        assert_right(model, prompt, alone)
        assert_right(model, prompt, beside)
    # where others come one after the other, and options are weighed in one of them
    chosen = [{}, {"selection": "likeliest"}, {}]
    requests = [
        decoder.begin([prompt], PATTERN, TextOptions(measure=["logprobs"], **own, **options))[0]
        for prompt, own in zip(PROMPTS, chosen, strict=True)
    ]
    running, waiting = decoder.running(3), list(requests)
    while waiting or running:
        if waiting:
            one = waiting.pop(0)
            running.add(one.sequence, one.prompt_ids)
        running.step()
        running.step()
    for prompt, one, beside in zip(PROMPTS, requests, together, strict=True):
        if one.sequence.options.selection == "greedy":
            assert decoder.completion(one).token_ids == beside.token_ids
        assert_right(model, prompt, decoder.completion(one))
    # behind what was read of another text that begins alike
    decoder.generate(PROMPTS[0] + "an", PATTERN, **options)
    longer = PROMPTS[0] + together[0].text + "\nThen:"
    assert_right(model, longer, decoder.generate(longer, PATTERN, measure=["logprobs"], **options))
    # options that are weighed as a whole
    decision = decoder.probabilities(longer, OPTIONS, healing=False)
    ids = tokenizer().encode(longer)
    for option, found in zip(OPTIONS, decision.log_probabilities, strict=True):
        row = [*tokenizer().encode(option), tokenizer().eos_token_id]
        whole = in_one_pass(model, [*ids, *row])
        assert found == pytest.approx(sum(float(whole[len(ids) + at - 1, token]) for at, token in enumerate(row)), abs=TOLERANCE)
