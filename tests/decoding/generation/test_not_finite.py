"""Scores that are no numbers are an error at the pass where they happen, however a token is chosen; no text is made of them."""

from __future__ import annotations

import pytest
import torch
from toys import KINDS, byte_level_tokenizer, random_model

from rellm_agents import compile_regex
from rellm_agents.decoding import ConstrainedDecoder, ConstrainedLogitsProcessor, RequestQueue
from rellm_agents.errors import ScoresNotFinite

pytestmark = pytest.mark.usefixtures("one_thread")

TOKENIZER = byte_level_tokenizer([])
FEW, MANY = compile_regex("x[ab]+"), compile_regex("x.+")
BAD = (float("nan"), float("inf"))
HOW = [
    {},
    {"temperature": 1.0, "seed": 1},
    {"temperature": 0.5, "top_k": 3, "seed": 1},
    {"temperature": 0.5, "top_p": 0.5, "seed": 1},
    {"measure": ["logprobs"]},
    {"measure": ["kept"]},
    {"spelling": "any"},
]


def spoilt(kind: str, value: float, id_: int | None):
    """A model that is spoilt by all tokens, or once it has read one of them."""
    model = random_model(TOKENIZER, kind=kind)
    with torch.no_grad():
        if id_ is None:
            [one for name, one in model.named_parameters() if "norm" in name or "ln_f" in name][-1].fill_(value)
        else:
            model.set_output_embeddings(torch.nn.Linear(32, len(TOKENIZER), bias=False))
            model.get_output_embeddings().weight.copy_(torch.randn(len(TOKENIZER), 32))
            model.get_input_embeddings().weight[id_] = value
    return model


@pytest.mark.parametrize("value", BAD)
@pytest.mark.parametrize("kind", KINDS)
def test_no_text_is_made_of_them(kind, value):
    model = spoilt(kind, value, None)
    decoder = ConstrainedDecoder(model, TOKENIZER)
    for pattern in (FEW, MANY):
        for how in HOW:
            for prompt in ("Say: ", ["Say: ", "Now say: "]):
                with pytest.raises(ScoresNotFinite) as refused:
                    decoder.generate(prompt, pattern, max_new_tokens=9, healing=False, **how)
                error = refused.value
                assert (error.model, error.dtype) == (type(model).__name__, "float32")
                assert error.token == 2 or "measure" in how
        with pytest.raises(ScoresNotFinite):
            list(decoder.stream("Say: ", pattern, max_new_tokens=9))
        with pytest.raises(ScoresNotFinite):
            RequestQueue(decoder).generate("Say: ", pattern, max_new_tokens=9)
    for options in (["yes", "no"], ["a", "ab", "abc"]):
        with pytest.raises(ScoresNotFinite, match="for an option"):
            decoder.probabilities("Say: ", options)
    for selection in ("likeliest", "exact"):
        with pytest.raises(ScoresNotFinite):
            decoder.generate("Say: ", compile_regex("yes|no"), selection=selection, max_new_tokens=9)


@pytest.mark.parametrize("kind", KINDS)
def test_they_are_told_where_they_happen(kind):
    """At the token after the one that spoils, which the text holds at several places."""
    model = spoilt(kind, torch.nan, TOKENIZER.encode("b")[0])
    decoder = ConstrainedDecoder(model, TOKENIZER)
    for count in range(5):
        free = "[acde]" * count
        with pytest.raises(ScoresNotFinite) as refused:
            decoder.generate("Say: ", compile_regex(f"{free}b[fg]"), max_new_tokens=20, healing=False)
        assert refused.value.token == count + 2
        assert "after '" in str(refused.value)
        text = decoder.generate("Say: ", compile_regex(f"{free}b"), max_new_tokens=20, healing=False).text  # it is not read
        assert len(text) == count + 1


@pytest.mark.parametrize("value", BAD)
@pytest.mark.parametrize("kind", KINDS)
def test_generate_of_transformers_tells_them_too(kind, value):
    model = spoilt(kind, value, None)
    decoder, inputs = ConstrainedDecoder(model, TOKENIZER), TOKENIZER("Say: ", return_tensors="pt")
    length = 1 if model.config.is_encoder_decoder else inputs["input_ids"].shape[1]
    for pattern in (FEW, MANY):
        for how in ({}, {"repetition_penalty": 1.2}, {"do_sample": True, "top_k": 3}):
            with pytest.raises(ScoresNotFinite, match="token 2 of the text, after 'x',"):
                model.generate(**inputs, custom_generate=decoder.custom_generate(pattern), max_new_tokens=9, **how)
            processor = ConstrainedLogitsProcessor(pattern, TOKENIZER, prompt_length=length, max_new_tokens=9)
            with pytest.raises(ScoresNotFinite):
                model.generate(**inputs, logits_processor=[processor], max_new_tokens=9, **how)


def test_what_overflows_in_half_precision_is_told_with_the_way_out():
    model = random_model(TOKENIZER)
    with torch.no_grad():
        model.get_output_embeddings().weight.mul_(3e4)
    assert ConstrainedDecoder(model, TOKENIZER).generate("Say: ", FEW, max_new_tokens=9).text
    with pytest.raises(ScoresNotFinite, match='numbers overflow in float16: load it with dtype="bfloat16"'):
        ConstrainedDecoder(model.half(), TOKENIZER).generate("Say: ", FEW, max_new_tokens=9)
