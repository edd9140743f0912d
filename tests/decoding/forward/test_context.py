"""The law of all models: a prompt that leaves too little of the context for the text is refused before the first pass, and no other one."""

from __future__ import annotations

import random
from functools import cache

import pytest
import torch
from decoding.forward.architectures import ALONE_IMPOSSIBLE, CLASSES, END, tiny_model
from decoding.forward.test_architectures import REFUSED, TOLERANCE, in_one_pass
from toys import byte_level_tokenizer, random_model
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    BartConfig,
    FalconConfig,
    FalconForCausalLM,
    GPT2Config,
    LEDConfig,
    LlamaConfig,
    OPTConfig,
    PegasusConfig,
    T5Config,
)

from rellm_agents import compile_regex
from rellm_agents.decoding import ConstrainedDecoder, RequestQueue
from rellm_agents.decoding.forward import ForwardPasses
from rellm_agents.decoding.forward.context import context_length, scaled_length
from rellm_agents.errors import ContextOverflow

pytestmark = pytest.mark.usefixtures("one_thread")

UNBOUNDED = {
    *("BloomForCausalLM", "FalconMambaForCausalLM", "GraniteMoeHybridForCausalLM", "Inkling2ForCausalLM", "Inkling2LoopForCausalLM"),
    *("InklingForCausalLM", "JambaForCausalLM", "KimiLinearForCausalLM", "Mamba2ForCausalLM", "MambaForCausalLM", "NemotronHForCausalLM"),
    *("RecurrentGemmaForCausalLM", "RwkvForCausalLM", "xLSTMForCausalLM", "Zamba2ForCausalLM", "ZambaForCausalLM"),
}
"""Architectures that number no positions, or declare no length."""
DRAWS_HASHES = {"ReformerModelWithLMHead"}
"""What attends to what is drawn in each pass, over long texts."""
BUDGET = 7
PATTERN = compile_regex("[cdefg]{3,}")  # of any length


@cache
def tokenizer():
    return byte_level_tokenizer([b"ab"])


def prompt_of(length: int) -> str:
    """A prompt of so many tokens."""
    return "".join(random.Random(length).choices("cdefg", k=length))


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows with each pass of a text."""
    made: list[int] = []
    real = ForwardPasses.forward
    monkeypatch.setattr(ForwardPasses, "forward", lambda self, *given, **named: (made.append(1), real(self, *given, **named))[1])
    return made


@pytest.mark.parametrize("name", [name for name in CLASSES if name not in ALONE_IMPOSSIBLE and name not in REFUSED])
def test_a_prompt_is_right_up_to_the_context_and_refused_beyond(name, passes):
    model = tiny_model(name)
    decoder = ConstrainedDecoder(model, tokenizer())
    limit = decoder.engine.scorer.context_length
    assert (limit is None) == (name in UNBOUNDED)
    passes.clear()
    if limit is not None:
        with pytest.raises(ContextOverflow) as refused:
            decoder.generate(["a", prompt_of(limit - BUDGET + 1)], PATTERN, max_new_tokens=BUDGET)
        error = refused.value
        assert (error.prompt, error.budget, error.context, error.model) == (limit - BUDGET + 1, BUDGET, limit, name)
        assert all(str(number) in str(error) for number in (error.prompt, BUDGET, limit))
        assert not passes
    if limit is not None and limit > 600:  # too slow to be tried
        return
    longest = prompt_of((600 if limit is None else limit) - BUDGET)
    options = {"max_new_tokens": BUDGET, "healing": False, "measure": ["logprobs"]}
    made = decoder.generate([longest, "cd"], PATTERN, **options)
    for prompt, one in zip((longest, "cd"), made, strict=True):
        ids = tokenizer().encode(prompt)
        if name in DRAWS_HASHES:
            continue
        whole = in_one_pass(model, [*ids, *one.token_ids])
        for at, (token, found) in enumerate(zip(one.token_ids, one.logprobs, strict=False)):
            assert found.free == pytest.approx(float(whole[len(ids) + at - 1, token]), abs=TOLERANCE)


@pytest.mark.parametrize("limit", [3, 5, 8, 11, 12, 13])
@pytest.mark.parametrize("kind", [GPT2Config, LlamaConfig, OPTConfig])
def test_contexts_shorter_than_what_is_tried_out_are_read_to_their_ends(kind, limit):
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": limit}
    model = AutoModelForCausalLM.from_config(kind(vocab_size=384, eos_token_id=256, pad_token_id=256, **sizes)).eval()
    decoder = ConstrainedDecoder(model, tokenizer())
    assert decoder.engine.scorer.context_length == limit
    options = {"max_new_tokens": limit - 1, "healing": False, "measure": ["logprobs"]}
    pattern = compile_regex("[cdefg]+")
    for prompt, one in zip("cd", decoder.generate(["c", "d"], pattern, **options), strict=True):
        whole = in_one_pass(model, [*tokenizer().encode(prompt), *one.token_ids])
        for at, (token, found) in enumerate(zip(one.token_ids, one.logprobs, strict=False)):
            assert found.free == pytest.approx(float(whole[at, token]), abs=TOLERANCE)
    with pytest.raises(ContextOverflow):
        decoder.generate("cd", pattern, **options)


@pytest.mark.parametrize(
    ("rope", "expected"),
    [
        (None, 1000),
        ({"rope_type": "default"}, 1000),
        ({"rope_type": "linear", "factor": 4.0}, 4000),
        ({"rope_type": "dynamic", "factor": 2.0}, 2000),
        ({"rope_type": "yarn", "factor": 4.0}, 4000),
        ({"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 1000}, 4000),  # as in Qwen2.5
        ({"rope_type": "yarn", "factor": 40.0, "original_max_position_embeddings": 25}, 1000),  # as in DeepSeek-V3
        ({"rope_type": "llama3", "factor": 32.0, "original_max_position_embeddings": 250}, 1000),
        ({"rope_type": "longrope", "original_max_position_embeddings": 30, "short_factor": [1.0] * 4, "long_factor": [2.0] * 4}, 1000),
        ({"full_attention": {"rope_type": "linear", "factor": 8.0}, "sliding_attention": {"rope_type": "default"}}, 1000),  # as in Gemma 3
        ({"full_attention": {"rope_type": "yarn", "factor": 8.0, "original_max_position_embeddings": 500}}, 4000),
    ],
)  # fmt: skip
def test_scaled_rotation_reaches_as_far_as_it_says(rope, expected):
    config = LlamaConfig(max_position_embeddings=1000)
    config.rope_parameters = rope and {"rope_theta": 1e4, **rope} if "full_attention" not in (rope or {}) else rope
    assert scaled_length(config, 1000) == expected


def test_alibi_numbers_no_positions():
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4, "vocab_size": 300}
    assert context_length(FalconForCausalLM(FalconConfig(alibi=True, **sizes))) is None
    assert context_length(FalconForCausalLM(FalconConfig(alibi=False, **sizes))) == 2048


_SIZES = {"d_model": 32, "encoder_layers": 1, "decoder_layers": 1, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32}
_HEADS = {"encoder_attention_heads": 4, "decoder_attention_heads": 4}


@pytest.mark.parametrize(
    ("config", "prompt", "text"),
    [
        (BartConfig(max_position_embeddings=40, **_SIZES, **_HEADS), 40, 40),
        (PegasusConfig(max_position_embeddings=40, **_SIZES, **_HEADS), 40, 40),
        (
            LEDConfig(max_encoder_position_embeddings=64, max_decoder_position_embeddings=40, attention_window=16, **_SIZES, **_HEADS),
            64,
            40,
        ),
        (T5Config(d_model=32, d_kv=8, d_ff=32, num_layers=1, num_heads=4, n_positions=40), None, None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_encoder_and_its_decoder_have_bounds_of_their_own(config, prompt, text, passes):
    config.vocab_size, config.decoder_start_token_id = len(tokenizer()), END
    config.bos_token_id = config.eos_token_id = config.pad_token_id = END
    model = AutoModelForSeq2SeqLM.from_config(config).eval()
    model.generation_config.decoder_start_token_id = END
    decoder = ConstrainedDecoder(model, tokenizer())
    passes.clear()
    if prompt is None:
        assert len(decoder.generate(prompt_of(60), PATTERN, max_new_tokens=50).text) >= 3
        return
    with pytest.raises(ContextOverflow, match=f"has {prompt + 1} tokens, but the context of {type(model).__name__}'s encoder is {prompt} "):
        decoder.generate(["a", prompt_of(prompt + 1)], PATTERN, max_new_tokens=BUDGET)
    with pytest.raises(ContextOverflow, match=f"up to {text} are to be written .* is {text} tokens"):
        decoder.generate("a", PATTERN, max_new_tokens=text)
    assert not passes
    assert decoder.generate(prompt_of(prompt), PATTERN, max_new_tokens=text - 1).text


def small(**fields: object):
    model = random_model(tokenizer(), kind="gpt2")
    config = GPT2Config(n_positions=40, n_embd=32, n_layer=1, n_head=4, vocab_size=len(tokenizer()), eos_token_id=END, **fields)
    return type(model)(config).eval()


@pytest.mark.parametrize(("regex", "longest"), [("yes|no", 3), ("[cd]{1,4}", 4), ("c", 1), ("[é€]{2}", 6)])
def test_what_no_text_of_the_pattern_needs_is_not_counted(regex, longest):
    decoder, pattern = ConstrainedDecoder(small(), tokenizer()), compile_regex(regex)
    assert pattern.fullmatch(decoder.generate(prompt_of(40 - longest - 1), pattern, max_new_tokens=256).text)
    with pytest.raises(ContextOverflow) as refused:
        decoder.generate(prompt_of(40 - longest), pattern, max_new_tokens=256)
    assert (refused.value.prompt, refused.value.budget) == (40 - longest, longest + 1)


def test_decisions_and_custom_generate_are_refused_likewise(passes):
    model = small()
    decoder = ConstrainedDecoder(model, tokenizer())
    passes.clear()
    for prompt, how in ((prompt_of(38), {}), ("a", {"calibrate": prompt_of(38)})):
        with pytest.raises(ContextOverflow):
            decoder.probabilities(prompt, ["yes", "no"], healing=False, **how)
    ids = torch.tensor([tokenizer().encode(prompt_of(35))])
    embedded = model.get_input_embeddings()(ids)
    for inputs in ({"input_ids": ids}, {"inputs_embeds": embedded, "attention_mask": torch.ones_like(ids)}):
        with pytest.raises(ContextOverflow, match="the prompt has 35 tokens and up to 6 "):
            model.generate(**inputs, custom_generate=decoder.custom_generate(PATTERN), max_new_tokens=6)
    assert not passes
    assert set(decoder.probabilities(prompt_of(37), ["yes", "no"], healing=False).probabilities) == {"yes", "no"}
    model.generate(input_ids=ids, custom_generate=decoder.custom_generate(PATTERN), max_new_tokens=5)


def test_one_that_is_too_long_fails_alone_in_a_queue():
    queue = RequestQueue(ConstrainedDecoder(small(), tokenizer()), wait=0.05)
    with pytest.raises(ContextOverflow):
        queue.probabilities(prompt_of(39), ["yes", "no"])
    waiting = queue.probabilities("a", ["yes", "no"])
    pieces = queue.stream("a", PATTERN, max_new_tokens=BUDGET)
    first = next(pieces)
    with pytest.raises(ContextOverflow):
        queue.generate(prompt_of(39), PATTERN, max_new_tokens=BUDGET)
    assert PATTERN.fullmatch(first + "".join(pieces))
    assert waiting.result().options == ("yes", "no")
