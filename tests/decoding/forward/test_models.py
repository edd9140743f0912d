"""The adversary on models of all shapes: whatever they like, the text matches and ends within its budget."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from decoding.many_patterns import GROUPS
from toys import KINDS, byte_level_tokenizer, random_model
from transformers import AutoModelForSeq2SeqLM, BartConfig, MarianConfig, PegasusConfig

from rellm_agents import compile_regex
from rellm_agents.decoding import ConstrainedDecoder
from rellm_agents.decoding.forward import Resumption, scorer_of
from rellm_agents.decoding.forward.allowed_tokens import AllowedTokens
from rellm_agents.decoding.forward.cache_names import cache_name

pytestmark = pytest.mark.usefixtures("one_thread")

PATTERNS = [pattern for group in GROUPS.values() for pattern in group.values()]
PROMPTS = ("a", "Question: how many?\nThought:", "é€ 你好", '{"action": ')
TAKES_GAPS = {"llama", "gpt2", "qwen2"}


@pytest.fixture(params=KINDS)
def kind(request) -> str:
    return request.param


def decoder_of(kind: str, seed: int = 0) -> ConstrainedDecoder:
    tokenizer = byte_level_tokenizer()
    return ConstrainedDecoder(random_model(tokenizer, kind=kind, seed=seed), tokenizer)


def least(decoder: ConstrainedDecoder, pattern) -> int:
    masks = decoder.masks(pattern)
    return masks.tokens_needed(masks.start)


@pytest.mark.parametrize("spelling", ["canonical", "any"])
def test_every_text_matches_and_ends_in_time(kind, spelling):
    decoder = decoder_of(kind)
    for i in range(0, 24, len(PROMPTS)):
        batch = PATTERNS[i : i + len(PROMPTS)]
        budget = max(least(decoder, pattern) for pattern in batch) + i % 7
        for completion, pattern in zip(
            decoder.generate(PROMPTS, batch, max_new_tokens=budget, temperature=1.0, seed=i, spelling=spelling), batch, strict=True
        ):
            assert pattern.fullmatch(completion.text)
            assert len(completion.token_ids) <= budget + (4 if completion.healed else 0)


def test_a_batch_is_each_prompt_alone(kind):
    decoder = decoder_of(kind, seed=1)
    options = {"max_new_tokens": max(least(decoder, pattern) for pattern in PATTERNS[:4]) + 12, "temperature": 1.0}
    together = decoder.generate(PROMPTS, PATTERNS[:4], seed=[1, 2, 3, 4], **options)
    alone = [decoder.generate(p, q, seed=s, **options) for p, q, s in zip(PROMPTS, PATTERNS, (1, 2, 3, 4), strict=False)]
    assert [c.text for c in together] == [c.text for c in alone]


@torch.inference_mode()
def test_each_token_is_the_likeliest_after_one_pass_over_all_before_it(kind):
    decoder = decoder_of(kind, seed=2)
    for number, pattern in enumerate((compile_regex("[ab ]{20}"), compile_regex(r"(yes|no|[0-9 ]{4,9}){2,4}"))):
        masks = decoder.masks(pattern)
        made = decoder.generate(PROMPTS[number], pattern, max_new_tokens=60, spelling="any", healing=False)
        state, left = masks.start, 60
        for at, chosen in enumerate(made.token_ids):
            scores = AllowedTokens.of(masks.bits(state, left), masks.vocabulary.size).apply_(
                in_one_pass(decoder, PROMPTS[number], made.token_ids[:at])
            )
            assert scores[chosen] >= scores.max() - 1e-3
            state, left = masks.advance(state, chosen), left - 1


def in_one_pass(decoder: ConstrainedDecoder, prompt: str, written: Sequence[int]) -> torch.Tensor:
    """float[V]: what the model makes of a prompt and a text, without a cache."""
    ids = decoder.tokenizer(prompt)["input_ids"]
    if decoder.engine.scorer.has_encoder:
        start = [decoder.model.config.decoder_start_token_id, *written]
        inputs = {"input_ids": torch.tensor([ids]), "decoder_input_ids": torch.tensor([start])}
    else:
        inputs = {"input_ids": torch.tensor([[*ids, *written]])}
    return decoder.model(**inputs, use_cache=False).logits[0, -1].float().clone()


@pytest.mark.parametrize("takes_cache", [True, False])
def test_a_model_that_keeps_nothing_reads_each_text_again(takes_cache, caplog):
    decoder, pattern = decoder_of("llama"), compile_regex(r"yes, [a-z ]{9}")
    inner = decoder.model.forward

    def without(input_ids, cache=None, **_):
        return inner(input_ids=input_ids, use_cache=False)

    decoder.model.forward = without if takes_cache else lambda input_ids: inner(input_ids=input_ids)
    again = ConstrainedDecoder(decoder.model, decoder.tokenizer)
    assert again.engine.scorer.resumption is Resumption.READS_AGAIN
    assert ("LlamaForCausalLM keeps nothing that it could go on from" in caplog.text) == takes_cache
    texts = [one.text for one in again.generate(PROMPTS, pattern, spelling="any")]
    assert texts == [decoder_of("llama").generate(prompt, pattern, spelling="any").text for prompt in PROMPTS]


@pytest.mark.parametrize("kind", [BartConfig, PegasusConfig, MarianConfig])
def test_an_encoder_of_learned_positions_reads_each_prompt_of_a_batch_as_it_does_alone(kind):
    tokenizer = byte_level_tokenizer()
    ends = dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id"), tokenizer.eos_token_id)
    small = {"layers": 2, "attention_heads": 4, "ffn_dim": 48}
    sizes = {f"{part}_{name}": size for part in ("encoder", "decoder") for name, size in small.items()}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        config = kind(vocab_size=len(tokenizer), d_model=32, init_std=0.5, max_position_embeddings=512, **sizes, **ends)
        model = AutoModelForSeq2SeqLM.from_config(config).eval()
    decoder, pattern = ConstrainedDecoder(model, tokenizer), compile_regex("(yes|no), [a-z ]{9}")
    alone = [decoder.generate(prompt, pattern) for prompt in PROMPTS]
    assert [one.text for one in decoder.generate(PROMPTS, pattern)] == [one.text for one in alone]
    assert len({one.text for one in alone}) > 1
    measured = decoder.generate(PROMPTS[1], pattern, measure=["logprobs"], healing=False)
    for at, one in enumerate(measured.logprobs or ()):
        if one.free is not None:
            with torch.inference_mode():
                scores = in_one_pass(decoder, PROMPTS[1], measured.token_ids[:at]).log_softmax(-1)
            assert one.free == pytest.approx(float(scores[one.token_id]), abs=1e-3)


def test_a_model_that_hands_its_arguments_on_is_given_the_cache_by_its_usual_name():
    decoder, pattern = decoder_of("llama"), compile_regex("[a-z ]{9}")
    inner, name = decoder.model.forward, cache_name(decoder.model.forward)

    def handing_on(**inputs):
        return inner(**inputs)

    decoder.model.forward = handing_on
    assert cache_name(decoder.model.forward) == name
    assert ConstrainedDecoder(decoder.model, decoder.tokenizer).generate("a", pattern) == decoder_of("llama").generate("a", pattern)


def test_only_where_the_output_layer_says_it_all_few_of_its_rows_are_computed(kind):
    scorer = scorer_of(random_model(byte_level_tokenizer(), kind=kind))
    with torch.inference_mode():
        assert (scorer.head is not None) == (kind in TAKES_GAPS)
    assert scorer.keeps_prompts == (kind in TAKES_GAPS)
    assert scorer.has_encoder == (kind == "t5")


def test_capped_scores_are_never_taken_from_the_output_layer(monkeypatch):
    scorer = scorer_of(random_model(byte_level_tokenizer(), kind="gemma"))
    monkeypatch.setattr(scorer, "keeps_prompts", True)  # the reason that holds for them as well
    with torch.inference_mode():
        assert scorer.head is None


def test_a_model_that_is_watched_is_called_as_a_whole():
    decoder, pattern, seen = decoder_of("llama"), compile_regex("[a-z]{5,}"), []
    options = {"max_new_tokens": least(decoder, pattern) + 12, "temperature": 1.0, "seed": 1}
    alone = decoder.generate("a", pattern, **options)
    handle = decoder.model.register_forward_hook(lambda *_: seen.append(1))
    watched = decoder.generate("b", pattern, **options)
    assert len(seen) == watched.forward_passes > 0
    handle.remove()
    assert decoder.generate("a", pattern, **options).text == alone.text
