"""What was read is not read again, alone or in a batch, and nobody can tell by the texts."""

from __future__ import annotations

import random
import threading

import pytest
import torch
from decoding.many_patterns import GROUPS
from toys import KINDS, byte_level_tokenizer, random_model

from rellm_agents import compile_regex
from rellm_agents.decoding import ConstrainedDecoder, RequestQueue
from rellm_agents.decoding.forward.cache_names import taken_from

pytestmark = pytest.mark.usefixtures("one_thread")

BEGINNINGS = ("Question: how many?\n" * 6, "Question: which of them?\n" * 9, "a", "é€ 你好 ", '{"action": ', "Question: how far?\n")
SEEN = "\nObservation: no\nThought:"
PATTERNS = [pattern for group in GROUPS.values() for pattern in group.values()]
WORDS = compile_regex("[jqxz]{20}")  # has one row of tokens: what a prompt repeats is what was written
CHOICES = [WORDS, compile_regex(r'\{"answer": "[^"]{0,60}"\}'), compile_regex(r"(thought|action): [a-z ]{5,40}")] * 2
TAKES_GAPS = ("llama", "gpt2", "qwen2")


def decoder_of(kept_bytes: int, *, kind: str = "llama", seed: int = 0) -> ConstrainedDecoder:
    tokenizer = byte_level_tokenizer()
    return ConstrainedDecoder(random_model(tokenizer, kind=kind, seed=seed), tokenizer, kept_bytes=kept_bytes)


def all_read(read) -> int:
    """Tokens since it was last asked."""
    count = sum(map(sum, read))
    read.clear()
    return count


def together(decoder, prompts, seeds, patterns=WORDS, **options):
    return [c.text for c in decoder.generate(prompts, patterns, seed=seeds, **{"max_new_tokens": 40, "temperature": 1.0, **options})]


def each_alone(decoder, prompts, seeds):
    return [text for prompt, seed in zip(prompts, seeds, strict=True) for text in together(decoder, [prompt], [seed])]


def from_threads(decoder, prompts, seeds):
    """Through a queue, all at the same time."""
    queue, found = RequestQueue(decoder, wait=0.3), dict[int, str]()

    def ask(number):
        options = {"max_new_tokens": 40, "temperature": 1.0, "seed": seeds[number]}
        found[number] = queue.generate(prompts[number], WORDS, **options).text

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(prompts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return [found[number] for number in range(len(prompts))]


# The same texts


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("kind", KINDS)
def test_texts_are_those_of_a_decoder_that_keeps_nothing(kind, temperature):
    """Agents that come together in ever other groups, some of them twice, begin, and begin anew."""
    chance, keeping, forgetting = random.Random(kind), decoder_of(1 << 20, kind=kind), decoder_of(0, kind=kind)
    prompts = list(BEGINNINGS)
    for step in range(6):
        group = [chance.randrange(len(prompts)) for _ in range(chance.randint(1, 4))]
        patterns = [chance.choice(PATTERNS) for _ in group]
        masks = [keeping.masks(pattern) for pattern in patterns]
        budget = max(one.tokens_needed(one.start) for one in masks) + chance.randrange(20)
        seeds, options = [10 * step + i for i in range(len(group))], {"max_new_tokens": budget, "temperature": temperature}
        asked = [prompts[one] for one in group]
        texts = together(keeping, asked, seeds, patterns, **options)
        assert texts == together(forgetting, asked, seeds, patterns, **options)
        for one, text in zip(group, texts, strict=True):
            prompts[one] = chance.choice([prompts[one] + text + SEEN, BEGINNINGS[one] + text, prompts[one]])
    assert bool(keeping.engine.prefix_cache.held_bytes) == (kind in TAKES_GAPS)


@pytest.mark.parametrize("kind", TAKES_GAPS)
def test_what_is_kept_is_what_the_model_makes_of_the_text(kind):
    decoder, prompts = decoder_of(1 << 24, kind=kind), list(BEGINNINGS)
    for step in range(2):
        texts = together(decoder, prompts, range(10 * step, 10 * step + len(prompts)), CHOICES, max_new_tokens=90)
        prompts = [prompt + text + SEEN for prompt, text in zip(prompts, texts, strict=True)]
    assert len(decoder.engine.prefix_cache._entries) >= len(prompts)
    for (_, ids), layers in decoder.engine.prefix_cache._entries.items():
        with torch.inference_mode():
            made = taken_from(vars(decoder.model(input_ids=torch.tensor([ids]))))
        for layer, (keys, values) in zip(made.layers, layers, strict=True):
            torch.testing.assert_close((keys, values), (layer.keys, layer.values), rtol=1e-3, atol=1e-3)


# What is read


@pytest.mark.parametrize("ask", [each_alone, together, from_threads])
def test_a_step_reads_what_is_new_only(read, ask):
    """Two agents in lockstep. Of the last step all was read but its last token."""
    found, counts = [], []
    for kept_bytes in (1 << 20, 0):
        decoder, prompts, texts, first = decoder_of(kept_bytes), list(BEGINNINGS[:2]), [], []
        for step in range(4):
            texts.append(ask(decoder, prompts, [2 * step, 2 * step + 1]))
            first.append(sorted(count for one in read[: len(prompts) if ask is each_alone else 1] for count in one))
            counts.append(all_read(read))
            prompts = [prompt + text + SEEN for prompt, text in zip(prompts, texts[-1], strict=True)]
        found.append(texts)
        if kept_bytes and ask is not each_alone:
            new = len(decoder.tokenizer.encode(SEEN)) + 1
            assert all(count <= new for step in first[1:] for count in step)
    assert found[0] == found[1]
    kept, whole = counts[1:4], counts[5:]
    assert sum(kept) < 0.2 * sum(whole)


def test_a_batch_reads_no_more_than_each_alone(read):
    counts = []
    for ask in (together, each_alone):
        decoder, prompts = decoder_of(1 << 20), list(BEGINNINGS[:3])
        for step in range(3):
            texts = ask(decoder, prompts, range(3 * step, 3 * step + 3))
            counts.append(all_read(read))
            prompts = [prompt + text + SEEN for prompt, text in zip(prompts, texts, strict=True)]
    assert counts[1:3] == counts[4:]


def test_rows_begin_from_what_each_has(read):
    """One that was read in whole, one in part, one not at all."""
    decoder, prompts = decoder_of(1 << 20), [BEGINNINGS[0], BEGINNINGS[1] + BEGINNINGS[0], "No: " + BEGINNINGS[0]]
    together(decoder, [BEGINNINGS[0], BEGINNINGS[1]], [1, 2])
    read.clear()
    assert together(decoder, prompts, [1, 2, 3]) == together(decoder_of(0), prompts, [1, 2, 3])
    lengths = [len(decoder.tokenizer.encode(prompt)) for prompt in (*prompts, BEGINNINGS[1])]
    whole, part, none = read[0]
    assert whole <= 2
    assert lengths[1] - lengths[3] <= part <= lengths[1] - lengths[3] + 2
    assert lengths[2] - 2 <= none <= lengths[2]


def test_what_was_read_is_not_read_again(read):
    """The prompts of an agent grow at their ends."""
    texts, counts = [], []
    for kept_bytes in (1 << 20, 0):
        decoder, prompt, written = decoder_of(kept_bytes), "Question: how many?\n" * 10, []
        read.clear()
        for step in range(5):
            completion = decoder.generate(prompt, WORDS, max_new_tokens=40, temperature=1.0, seed=step)
            written.append(completion.text)
            prompt += completion.text + SEEN
        texts.append(written)
        counts.append(all_read(read))
    assert texts[0] == texts[1]
    assert counts[0] < 0.5 * counts[1]


# What is kept


@pytest.mark.parametrize("rows", [1, 3])
def test_what_is_kept_is_bounded(rows):
    """Also what lies behind it: a row holds on to nothing of its batch."""
    decoder = decoder_of(200_000, seed=1)
    for step in range(30 // rows):
        prompts = [f"{step} {number} how many? " * 5 for number in range(rows)]
        together(decoder, prompts, range(step, step + rows))
        assert decoder.engine.prefix_cache.held_bytes <= 200_000
    parts = [part for layers in decoder.engine.prefix_cache._entries.values() for keys_and_values in layers for part in keys_and_values]
    assert decoder.engine.prefix_cache.held_bytes == sum(part.nbytes for part in parts) > 0
    assert all(part.untyped_storage().nbytes() == part.nbytes for part in parts)


def test_a_text_that_is_larger_than_all_that_may_be_kept_drops_nothing():
    decoder = decoder_of(100_000)
    together(decoder, ["a", "b"], [1, 2])
    held = decoder.engine.prefix_cache.held_bytes
    together(decoder, ["how many? " * 50], [3])
    assert decoder.engine.prefix_cache.held_bytes == held > 0
