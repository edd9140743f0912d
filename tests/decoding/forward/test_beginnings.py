"""What prompts of a batch begin with alike is read once, and nobody can tell by the texts."""

from __future__ import annotations

import random
import string

import pytest
import torch
from toys import KINDS, byte_level_tokenizer, random_model

from rellm_agents import compile_regex
from rellm_agents.decoding import ConstrainedDecoder
from rellm_agents.decoding.forward import begin, fingerprint_of
from rellm_agents.decoding.forward.beginnings import MIN_SAVED
from rellm_agents.decoding.forward.cache_names import taken_from

pytestmark = pytest.mark.usefixtures("one_thread")

WORDS = compile_regex("[a-z]{1,12}")
MASK_OUT = ("llama", "gpt2", "qwen2")
OPTIONS = {"max_new_tokens": 14, "temperature": 1.0}


def decoder_of(kind="llama", *, kept_bytes=1 << 20):
    tokenizer = byte_level_tokenizer()
    return ConstrainedDecoder(random_model(tokenizer, kind=kind), tokenizer, kept_bytes=kept_bytes)


def text(chance, length):
    return "".join(chance.choices(string.ascii_uppercase, k=length))


def family(chance, rows, *, deepest=3):
    """Prompts that begin alike, some of them further than others, some of them the same; or like no other."""
    if rows == 1 or not deepest:
        return [text(chance, chance.randint(1, 60)) for _ in range(rows)]
    first, shared = chance.randint(1, rows), text(chance, chance.choice([0, 5, 40, 120]))
    inner = family(chance, first, deepest=deepest - 1)
    found = [shared + one for one in inner] + [text(chance, chance.choice([1, 30, 150])) for _ in range(rows - first)]
    return [chance.choice([*found[:at], one]) if chance.random() < 0.1 else one for at, one in enumerate(found)]


def padded(counts):
    return sum(len(one) * max(one) for one in counts)


# The same texts


@pytest.mark.parametrize("kept_bytes", [0, 1 << 20])
@pytest.mark.parametrize("kind", KINDS)
def test_texts_are_those_alone(kind, kept_bytes):
    chance, decoder, alone = random.Random(kind), decoder_of(kind, kept_bytes=kept_bytes), decoder_of(kind, kept_bytes=0)
    for batch in range(6):
        prompts = family(chance, chance.randint(2, 9))
        options = {**OPTIONS, "temperature": chance.choice([0.0, 1.0])}
        if chance.random() < 0.3:
            options["measure"] = ["logprobs"]
        seeds = [100 * batch + number for number in range(len(prompts))]
        found = decoder.generate(prompts, WORDS, seed=seeds, **options)
        for prompt, seed, one in zip(prompts, seeds, found, strict=True):
            assert one.text == alone.generate(prompt, WORDS, seed=seed, **options).text


@pytest.mark.parametrize("kind", MASK_OUT)
def test_what_rows_go_on_from_is_what_the_model_makes_of_their_texts(kind):
    decoder, chance = decoder_of(kind), random.Random(1)
    engine, made = decoder.engine, 0
    for _ in range(20):
        texts = [decoder.tokenizer.encode(one) for one in family(chance, chance.randint(2, 9))]
        with torch.inference_mode():
            batch, lengths = begin(engine.scorer, texts, engine.prefix_cache, fingerprint_of(decoder.model))
            made += batch.made
            for row, (ids, length) in enumerate(zip(texts, lengths, strict=True)):
                positions = batch.cache_positions(row)
                assert len(positions) == length <= len(ids)
                if not length:
                    continue
                alone = taken_from(vars(decoder.model(input_ids=torch.tensor([ids[:length]]))))
                for layer, own in zip(batch.cache.layers, alone.layers, strict=True):
                    torch.testing.assert_close(layer.keys[row, :, positions], own.keys[0], rtol=1e-3, atol=1e-3)
                    torch.testing.assert_close(layer.values[row, :, positions], own.values[0], rtol=1e-3, atol=1e-3)
    assert made >= 5


# What is read


@pytest.mark.parametrize("kind", MASK_OUT)
@pytest.mark.parametrize("kept_bytes", [0, 1 << 24])
def test_a_cold_batch_reads_a_shared_prefix_once(read, kind, kept_bytes):
    chance, decoder = random.Random(2), decoder_of(kind, kept_bytes=kept_bytes)
    shared = text(chance, 280)
    read.clear()  # of what was tried when the decoder was made
    decoder.generate([shared + text(chance, 20) for _ in range(20)], compile_regex("[jqxz]"), max_new_tokens=4)
    first, second = read[:2]
    assert [len(first), len(second)] == [1, 20]
    assert 280 <= sum(first) < 285
    assert all(15 < one <= 20 for one in second)
    assert sum(map(sum, read)) < 800  # not 6000


def test_two_families_and_one_that_is_like_no_other(read):
    chance, decoder = random.Random(3), decoder_of()
    families = [text(chance, 200), text(chance, 260)]
    prompts = [families[number % 2] + text(chance, 10) for number in range(12)] + [text(chance, 250)]
    read.clear()
    decoder.generate(prompts, compile_regex("[jqxz]"), max_new_tokens=4)
    assert [len(read[0]), len(read[1])] == [3, 13]
    assert max(read[1]) <= 10
    assert sum(read[0]) < 200 + 260 + 250 + 10


def test_what_is_kept_of_a_shared_prefix_is_not_read_again(read):
    chance, decoder = random.Random(4), decoder_of(kept_bytes=1 << 24)
    shared = text(chance, 200)
    decoder.generate([shared], WORDS, **OPTIONS)
    read.clear()
    decoder.generate([shared + text(chance, 100) + text(random.Random(number), 20) for number in range(2)], WORDS, **OPTIONS)
    assert sum(read[0]) <= 240
    decoder.generate([shared + "A" * 100 + text(chance, 20) for _ in range(8)], WORDS, **OPTIONS)
    read.clear()
    decoder.generate([shared + "A" * 100 + text(chance, 20) for _ in range(8)], WORDS, **OPTIONS)
    assert len(read[0]) == 8
    assert max(read[0]) <= 20


def test_no_more_is_read_than_without_it_padding_included(read, monkeypatch):
    chance = random.Random(5)
    tried = [family(chance, chance.randint(2, 12)) for _ in range(30)]
    costs = []
    for least in (MIN_SAVED, 1 << 30):
        monkeypatch.setattr("rellm_agents.decoding.forward.beginnings.MIN_SAVED", least)
        decoder = decoder_of(kept_bytes=0)
        for prompts in tried:
            read.clear()
            decoder.generate(prompts, compile_regex("[jqxz]"), max_new_tokens=2)
            costs.append(padded(read))
    once, each = costs[:30], costs[30:]
    assert all(one <= other for one, other in zip(once, each, strict=True))
    assert sum(once) < 0.8 * sum(each)


def test_texts_know_the_pass_that_read_their_beginning():
    decoder, made = decoder_of(), []
    decoder.model.register_forward_hook(lambda *_: made.append(1))
    shared = "A" * 200
    found = decoder.generate([shared + end for end in "BCD"], compile_regex("[jqxz]{3}"), max_new_tokens=6)
    assert max(one.forward_passes for one in found) == len(made) > 1
