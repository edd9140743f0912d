"""A trace says how each token came about, as the measures say how probable it was; and it changes neither a text nor what it costs."""

from __future__ import annotations

import json
import random
from math import exp

import pytest
import torch
from decoding.generation.test_measure import BUDGET, PROMPTS, decoder_of, logits_after, schema_patterns
from decoding.many_patterns import GROUPS

from rellm_agents import compile_regex, compile_schema, react
from rellm_agents.decoding import Completion, ConstrainedDecoder
from rellm_agents.decoding.forward.allowed_tokens import AllowedTokens
from rellm_agents.decoding.forward.scorer import Scores
from rellm_agents.decoding.generation import sequence as rows
from rellm_agents.decoding.generation.measured.trace import MAX_BEST

pytestmark = pytest.mark.usefixtures("one_thread")


def check_trace(decoder: ConstrainedDecoder, made: Completion) -> None:
    """What holds for each trace of a text that did not stop at a string."""
    tokens = [one for one in made.trace.tokens if one.data]
    assert [one.token_id for one in tokens] == list(made.token_ids)
    assert b"".join(one.data for one in tokens).decode() == made.healed + made.text
    assert [one.tokens_left for one in made.trace.tokens] == sorted((one.tokens_left for one in made.trace.tokens), reverse=True)
    assert made.trace.forward_passes == made.forward_passes
    assert 0 <= made.trace.accepted_drafts <= made.trace.drafts
    assert 0 <= made.trace.mask_seconds <= made.trace.seconds
    for one in made.trace.tokens:
        assert (one.allowed is None) == (one.kept is None) == (not one.best)
        assert one.origin == "forced" or one.allowed
        if one.best:
            assert [best.free for best in one.best] == sorted((best.free for best in one.best), reverse=True)
            assert len(one.best) == min(MAX_BEST, decoder.vocabulary.size)
            assert all(best.data == decoder.vocabulary.shown_bytes(best.token_id) for best in one.best)
            assert one.fought == (one.best[0].masked is None)
            assert one.removed == pytest.approx(1 - exp(one.kept))
    summary = made.trace.summary()
    assert sum(summary[origin] for origin in ("chosen", "drafted", "forced", "closing")) == len(made.trace.tokens)
    assert json.loads(json.dumps(summary)) == summary


@pytest.mark.parametrize("spelling", ["canonical", "any"])
@pytest.mark.parametrize("measure", ["trace", "full_trace"])
def test_tracing_changes_neither_texts_nor_passes(measure, spelling):
    decoder, chance = decoder_of(kept_bytes=0), random.Random(0)
    patterns = [pattern for group in GROUPS.values() for pattern in group.values()]
    for seed in range(40):
        pattern = chance.choice(patterns)
        masks = decoder.masks(pattern)
        options = {"max_new_tokens": masks.tokens_needed(masks.start) + chance.randrange(30), "temperature": 1.0, "spelling": spelling}
        plain = decoder.generate("how many?", pattern, seed=seed, **options)
        traced = decoder.generate("how many?", pattern, seed=seed, measure=[measure], **options)
        assert (plain.text, plain.token_ids, plain.forward_passes) == (traced.text, traced.token_ids, traced.forward_passes)
        assert plain.trace is None
        assert ("closing" in {one.origin for one in traced.trace.tokens}) <= (traced.finish == "closed")
        check_trace(decoder, traced)


def test_a_trace_asks_for_no_scores_that_were_not_computed(monkeypatch):
    """Forced tokens are read without scores, so tracing what is chosen costs no output layer of a position."""
    decoder, shapes, make = decoder_of(kept_bytes=0), list[tuple[int, ...]](), Scores.__init__
    monkeypatch.setattr(Scores, "few", lambda *_: False)  # the whole output layer, traced or not

    def noted(self: Scores, made: torch.Tensor, head: torch.nn.Linear | None, *, model: str) -> None:
        shapes.append(tuple(made.shape))
        make(self, made, head, model=model)

    monkeypatch.setattr(Scores, "__init__", noted)
    decoder.generate("a", compile_regex("[ab]"))  # how the model goes on is found out first
    for pattern in schema_patterns(10, seed=3):
        shapes.clear()
        decoder.generate("a", pattern, max_new_tokens=BUDGET)
        plain, shapes[:] = [*shapes], []
        decoder.generate("a", pattern, max_new_tokens=BUDGET, measure=["trace"])
        assert shapes == plain


def test_a_trace_has_the_numbers_of_the_other_measures():
    decoder, chance = decoder_of(), random.Random(4)
    for pattern in schema_patterns(40, seed=4):
        options = {"max_new_tokens": BUDGET, "temperature": chance.choice((0.0, 1.0)), "seed": 1}
        made = decoder.generate("a", pattern, measure=["kept", "logprobs", "full_trace"], **options)
        for one, other in zip(made.trace.tokens, made.logprobs, strict=True):
            assert (one.token_id, one.free, one.masked) == (other.token_id, other.free, other.masked)
        for one, kept in zip(made.trace.tokens, made.kept, strict=False):
            assert one.kept == kept
        alone = decoder.generate("a", pattern, measure=["trace"], **options)
        for one, other in zip(alone.trace.tokens, made.trace.tokens, strict=True):
            assert (one.token_id, one.place, one.tokens_left) == (other.token_id, other.place, other.tokens_left)
            if one.origin == "forced":
                assert one.free is one.allowed is None
                assert other.origin == "forced"
            else:
                assert (one.origin, one.allowed) == (other.origin, other.allowed)
                assert (one.kept, one.free, one.masked) == pytest.approx((other.kept, other.free, other.masked), abs=1e-4)


def test_the_likeliest_tokens_are_those_of_the_model_and_marked_as_the_mask_says():
    decoder = decoder_of()
    for pattern in schema_patterns(20, seed=9):
        made = decoder.generate("a", pattern, max_new_tokens=BUDGET, measure=["full_trace"], spelling="any", healing=False)
        masks, state, read = decoder.masks(pattern), decoder.masks(pattern).start, decoder._ids_of("a", add_special_tokens=True)
        for at, one in enumerate(made.trace.tokens):
            assert one.tokens_left == BUDGET - at
            if one.best:
                allowed, logs = AllowedTokens.of(masks.bits(state, BUDGET - at), decoder.vocabulary.size), logits_after(decoder, read)
                free, masked = logs.log_softmax(0), allowed.apply_(logs.clone()).log_softmax(0)
                assert [best.free for best in one.best] == pytest.approx(free.topk(MAX_BEST).values.tolist(), abs=1e-4)
                for best in one.best:
                    assert best.free == pytest.approx(float(free[best.token_id]), abs=1e-4)
                    assert (best.masked is not None) == allowed.allows(best.token_id)
                    assert best.masked is None or best.masked == pytest.approx(float(masked[best.token_id]), abs=1e-4)
                assert one.allowed == allowed.count
                assert exp(one.kept) == pytest.approx(float(free[torch.isfinite(masked)].exp().sum()), abs=1e-4)
            state = masks.advance(state, one.token_id)
            read.append(one.token_id)


def test_a_token_that_the_budget_took_is_told_where_it_was():
    """Where the text was closed first, the token is ``closing``, and the likeliest that any budget would allow is another one."""
    decoder, closed = decoder_of(), 0
    pattern = compile_schema({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False})
    masks = decoder.masks(pattern)
    for seed in range(30):
        made = decoder.generate(PROMPTS[seed % 8], pattern, max_new_tokens=masks.tokens_needed(masks.start) + seed % 9, measure=["trace"])
        places = [one.place for one in made.trace.tokens if one.origin == "closing"]
        assert bool(places) == (made.finish == "closed")
        if places:
            closed += 1
            assert places[0] == made.closed_at or made.closed_at == "#"
    assert closed > 5


def test_tokens_stand_at_the_values_and_parts_that_they_write():
    decoder = decoder_of()
    schema = {"type": "object", "properties": {"a": {"enum": ["xy", "zz"]}, "b": {"type": "integer", "maximum": 9, "minimum": 0}}}
    made = decoder.generate("a", compile_schema({**schema, "required": ["a", "b"], "additionalProperties": False}), measure=["trace"])
    places = {one.place for one in made.trace.tokens}
    assert {"#", "#/a", "#/b"} == places
    for one in made.trace.tokens:
        assert (one.place == "#/b") <= (one.data[:1].isdigit() or one.data == b"")
    named = compile_regex("[xy]{3}(?&inner)z", parts={"inner": "[ab]{4}"})
    made = decoder.generate("a", named, measure=["trace"], spelling="any")
    assert {one.place for one in made.trace.tokens} == {"#", "inner"}
    step = react({"search": {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]}})
    masks = decoder.masks(step.pattern)
    made = decoder.generate("a", step.pattern, max_new_tokens=masks.tokens_needed(masks.start) + 5, measure=["trace"])
    assert {one.place for one in made.trace.tokens} == {"#", "thought"}


@pytest.mark.parametrize("selection", ["likeliest", "exact"])
def test_a_literal_that_is_chosen_as_a_whole_is_chosen_once(selection):
    decoder = decoder_of()
    made = decoder.generate(
        "a", compile_schema({"enum": ["blue", "black", "query"]}), measure=["trace"], selection=selection, healing=False
    )
    assert [one.origin for one in made.trace.tokens if one.data].count("chosen") == 1
    check_trace(decoder, made)


def test_batches_drafts_and_loops_of_generate_are_traced_alike(monkeypatch):
    decoder = decoder_of(kept_bytes=0)
    patterns = schema_patterns(8, seed=100)
    options = {"max_new_tokens": BUDGET, "measure": ["trace"]}
    together = decoder.generate(PROMPTS, patterns, **options)
    inputs = decoder.tokenizer(list(PROMPTS), return_tensors="pt", padding=True)
    loop = decoder.custom_generate(patterns, measure=["trace"])
    decoder.model.generate(**inputs, custom_generate=loop, max_new_tokens=BUDGET, do_sample=False)
    unhealed = [decoder.generate(p, q, healing=False, **options) for p, q in zip(PROMPTS, patterns, strict=True)]
    monkeypatch.setattr(rows, "MAX_DRAFTS", 0)
    for prompt, pattern, one, other, without in zip(PROMPTS, patterns, together, loop.completions, unhealed, strict=True):
        check_trace(decoder, one)
        alone = decoder.generate(prompt, pattern, **options)
        assert not alone.trace.drafts
        drafted = [one.origin == "drafted" for one in alone.trace.tokens]
        assert not any(drafted)
        for a, b in zip(one.trace.tokens, alone.trace.tokens, strict=True):
            assert (a.token_id, a.place, a.origin == "forced") == (b.token_id, b.place, b.origin == "forced")
        assert [a.token_id for a in other.trace.tokens] == [b.token_id for b in without.trace.tokens]


def test_a_text_that_is_stopped_is_traced_to_its_end():
    decoder = decoder_of()
    pattern = compile_schema({"type": "array", "items": {"type": "integer"}, "minItems": 4})
    made = decoder.generate("a", pattern, max_new_tokens=60, stop=[", "], measure=["trace"])
    assert made.finish == "stopped"
    assert [one.token_id for one in made.trace.tokens] == list(made.token_ids)


def test_a_streamed_trace_is_the_trace_of_the_text():
    decoder = decoder_of()
    for prompt, pattern in zip(PROMPTS, schema_patterns(8, seed=31), strict=True):
        stream, tokens = decoder.stream_trace(prompt, pattern, max_new_tokens=BUDGET, healing=False), []
        try:
            while True:
                tokens.append(next(stream))
        except StopIteration as end:
            made = end.value
        assert made.text == decoder.generate(prompt, pattern, max_new_tokens=BUDGET, healing=False).text
        for one, other in zip(tokens, made.trace.tokens, strict=True):
            assert (one.token_id, one.data, one.origin, one.allowed, one.best) == (
                other.token_id,
                other.data,
                other.origin,
                other.allowed,
                other.best,
            )
            assert one.place in (other.place, "#")
