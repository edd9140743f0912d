"""Texts that come and go while others are written: each is the text that its prompt gets alone, and what goes wrong concerns one only."""

from __future__ import annotations

import os
import random

import pytest
import torch
from toys import byte_level_tokenizer, random_model

from rellm_agents import compile_regex
from rellm_agents.decoding import ConstrainedDecoder
from rellm_agents.decoding.generation import TextOptions, running_batch
from rellm_agents.errors import ScoresNotFinite

pytestmark = pytest.mark.usefixtures("one_thread")

KINDS = ["llama", "mamba", "mistral", "t5", "gpt2"]
RUNS = int(os.environ.get("RELLM_AGENTS_RUNS", "2"))
COUNT = 16
PATTERNS = [compile_regex(text) for text in (r"[ab]{20}", r'\{"answer": "[^"]{0,40}"\}', r"yes|no", r"(thought|action): [a-z ]{5,30}")]


def options_of(number: int, chance: random.Random) -> TextOptions:
    drawn = {"temperature": chance.choice([0.5, 1.0, 2.0]), "top_k": chance.choice([None, 5]), "top_p": chance.choice([None, 0.9])}
    return TextOptions(
        max_new_tokens=chance.choice([50, 60]),
        seed=number,
        measure=chance.choice([(), ("logprobs",)]),
        selection=chance.choice(["greedy", "likeliest"]),
        **chance.choice([{}, drawn]),
    )


@pytest.fixture(params=KINDS)
def decoder(request):
    tokenizer = byte_level_tokenizer([b'{"answer": "', b"thought", b"action", b": ", b"ab"])
    return ConstrainedDecoder(random_model(tokenizer, kind=request.param), tokenizer)


@pytest.mark.parametrize("run", range(RUNS))
def test_each_gets_the_text_that_it_gets_alone(decoder, run):
    """Prompts of many lengths, patterns and ways of choosing; some leave before their end, and places are few at times."""
    chance = random.Random(run)
    asked = [
        ("Question " + "very long " * chance.choice([0, 0, 1, 8]) + f"{i}:", chance.choice(PATTERNS), options_of(i, chance))
        for i in range(COUNT)
    ]
    requests = [decoder.begin([prompt], pattern, options)[0] for prompt, pattern, options in asked]
    left, places = set(chance.sample(range(COUNT), 4)), chance.choice([2, 5, 16])
    running, waiting = decoder.running(places), list(requests)
    while waiting or running:
        for _ in range(min(len(waiting), chance.choice([0, 0, 1, 3]))):
            one = waiting.pop(0)
            running.add(one.sequence, one.prompt_ids)
        running.step()
        if left and chance.random() < 0.1:
            sequence = requests[left.pop()].sequence
            if not sequence.is_finished:
                sequence.truncate(len(sequence.committed))
    for i, (request, (prompt, pattern, options)) in enumerate(zip(requests, asked, strict=True)):
        found, alone = decoder.completion(request), decoder.begin([prompt], pattern, options)[0]
        for _ in decoder.run([alone]):
            pass
        wanted = decoder.completion(alone)
        if found.finish == "stopped":
            assert wanted.text.startswith(found.text)
        else:
            assert (i, found.text, found.token_ids) == (i, wanted.text, wanted.token_ids)
        for mine, its in zip(found.logprobs or (), wanted.logprobs or (), strict=False):
            if mine.free is not None or found.finish != "stopped":  # else no pass has read it
                assert mine.free == pytest.approx(its.free, abs=2e-3)


def test_what_belongs_to_no_text_does_not_stay_in_the_cache():
    """A batch that never ends keeps no more of those who have left than of those who are there."""
    tokenizer = byte_level_tokenizer()
    decoder, lengths = ConstrainedDecoder(random_model(tokenizer), tokenizer), []
    running = decoder.running(4)
    requests = []
    for i in range(60):
        (one,) = decoder.begin([f"{i}"], compile_regex(f"[ab]{{{10 + 5 * (i % 3)}}}"), TextOptions(max_new_tokens=30))
        requests.append(one)
        running.add(one.sequence, one.prompt_ids)
    while running:
        running.step()
        lengths += [batch.passes.cache.get_seq_length() for batch in running._batches]
    assert all(request.sequence.is_finished for request in requests)
    assert max(lengths) < 2 * 30


def test_passes_of_those_who_begin_and_of_the_others_take_turns(monkeypatch):
    tokenizer = byte_level_tokenizer()
    decoder = ConstrainedDecoder(random_model(tokenizer), tokenizer, kept_bytes=0)
    running, read = decoder.running(16), []
    decoder.model.register_forward_hook(
        lambda module, args, kwargs, output: read.append(tuple(kwargs["input_ids"].shape)), with_kwargs=True
    )
    for i in range(12):
        (one,) = decoder.begin(["a prompt of some length"], compile_regex("[ab]{30}"), TextOptions(max_new_tokens=40))
        running.add(one.sequence, one.prompt_ids)
        running.step()
        running.step()
        assert read[-2][0] == 1
        assert read[-2][1] > 1
        assert read[-1] == (i + 1, 1)


def test_long_prompts_are_read_in_pieces_while_others_are_written(monkeypatch):
    """Two long prompts come while a text is written: no pass reads more than so many tokens, and every other one is the text's own."""
    monkeypatch.setattr(running_batch, "MAX_TOKENS", 64)
    tokenizer = byte_level_tokenizer()
    decoder = ConstrainedDecoder(random_model(tokenizer), tokenizer, kept_bytes=0)
    asked = [("short", compile_regex("[jqxz]{50}")), ("long " * 60, PATTERNS[1]), ("longer " * 70, PATTERNS[3])]
    options = TextOptions(max_new_tokens=60, measure=["logprobs"])
    wanted = [decoder.generate(prompt, pattern, max_new_tokens=60, measure=["logprobs"]) for prompt, pattern in asked]
    requests, read = [decoder.begin([prompt], pattern, options)[0] for prompt, pattern in asked], []
    running = decoder.running(8)
    decoder.model.register_forward_hook(
        lambda module, args, kwargs, output: read.append(tuple(kwargs["input_ids"].shape)), with_kwargs=True
    )
    running.add(requests[0].sequence, requests[0].prompt_ids)
    running.step()
    del read[:]
    for one in requests[1:]:
        running.add(one.sequence, one.prompt_ids)
    while running:
        running.step()
    assert set(read[1:24:2]) == {(2, 32)}
    assert {rows for rows, _ in read[:24:2]} == {1}
    assert max(width for _, width in read[:24:2]) < 4
    for one, whole in zip(requests, wanted, strict=True):
        found = decoder.completion(one)
        assert found.text == whole.text
        for mine, its in zip(found.logprobs, whole.logprobs, strict=True):
            assert mine.free == pytest.approx(its.free, abs=2e-3)


class TooDear(Exception):
    """An error of a single text."""


@pytest.mark.parametrize("wrong", ["a mask", "a score", "the first pass"])
def test_what_goes_wrong_with_one_text_ends_no_other(decoder, wrong, monkeypatch):
    """The fifth of eight fails, when it begins or later; the others get their texts, and only its own caller hears of it."""
    texts = [(f"Question {i}:", PATTERNS[i % 2]) for i in range(8)]
    requests = [decoder.begin([prompt], pattern, TextOptions(max_new_tokens=60))[0] for prompt, pattern in texts]
    bad = requests[4].sequence
    if wrong == "a mask":
        before = bad.allowed
        monkeypatch.setattr(bad, "allowed", lambda: before() if bad.next_number < 6 else fail())
    elif wrong == "a score":
        choose_next = type(bad).choose_next
        monkeypatch.setattr(type(bad), "choose_next", lambda self, choose: fail() if self is bad else choose_next(self, choose))
    else:
        begin = decoder.engine.begin
        monkeypatch.setattr(decoder.engine, "begin", lambda sequences, prompts: fail() if bad in sequences else begin(sequences, prompts))
    running = decoder.running(5)
    for one in requests:
        running.add(one.sequence, one.prompt_ids)
    while running:
        running.step()
    assert [type(one.sequence.error) for one in requests] == [type(None)] * 4 + [TooDear] + [type(None)] * 3
    monkeypatch.undo()
    for one, (prompt, pattern) in zip(requests, texts, strict=True):
        if one is not requests[4]:
            assert decoder.completion(one).text == decoder.generate(prompt, pattern, max_new_tokens=60).text


def fail():
    raise TooDear


@pytest.mark.parametrize("selection", ["greedy", "likeliest"])
def test_scores_that_are_no_numbers_concern_the_text_that_has_read_them(selection):
    """One token makes all scores of its own row NaN; texts beside it are written to their ends."""
    tokenizer = byte_level_tokenizer()
    model = random_model(tokenizer)
    decoder = ConstrainedDecoder(model, tokenizer)
    (poison,) = tokenizer.encode("%")
    with torch.no_grad():
        model.get_input_embeddings().weight[poison] = torch.nan
    prompts = ["a", "b%", "c"]
    requests = [
        decoder.begin([one], compile_regex("(yes|no)[ab]{5}"), TextOptions(max_new_tokens=20, selection=selection))[0] for one in prompts
    ]
    running = decoder.running(3)
    for one in requests:
        running.add(one.sequence, one.prompt_ids)
    while running:
        running.step()
    assert [type(one.sequence.error) for one in requests] == [type(None), ScoresNotFinite, type(None)]
    with pytest.raises(ScoresNotFinite):
        decoder.generate(prompts, compile_regex("(yes|no)[ab]{5}"), max_new_tokens=20)
