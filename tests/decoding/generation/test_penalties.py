"""Penalties, bias and ``min_p`` are those of transformers and of OpenAI's API, counted on free text; neutral values change nothing."""

from __future__ import annotations

import itertools
import json

import pytest
import torch
from toys import byte_level_tokenizer, random_model
from transformers import MinPLogitsWarper, RepetitionPenaltyLogitsProcessor

from rellm_agents import compile_regex, compile_schema
from rellm_agents.decoding import ConstrainedDecoder, ConstrainedLogitsProcessor, Vocabulary
from rellm_agents.decoding.generation.sampling import biased, penalized, pick
from rellm_agents.decoding.masks import PatternMasks
from rellm_agents.decoding.spelling import FreeText

pytestmark = pytest.mark.usefixtures("one_thread")

FREE = compile_regex("(?s:.*)")
KNOWN = [
    compile_regex("(yes|no|maybe){4}"),
    compile_schema(
        {
            "type": "object",
            "properties": {name: {"enum": ["red", "read", "rest"]} for name in ("first", "second", "third")},
            "required": ["first", "second", "third"],
            "additionalProperties": False,
        }
    ),
]
TITLES = compile_schema(
    {
        "type": "object",
        "properties": {
            "titles": {"type": "array", "items": {"type": "string", "maxLength": 9}, "minItems": 2},
            "kind": {"enum": ["a", "b"]},
        },
        "required": ["titles", "kind"],
        "additionalProperties": False,
    }
)
PENALTIES = [{"repetition_penalty": 1.7}, {"repetition_penalty": 0.8}, {"presence_penalty": 2.0}, {"frequency_penalty": 1.5}]
ALL = {"repetition_penalty": 1.3, "presence_penalty": 1.0, "frequency_penalty": 0.5}
NEUTRAL = {"repetition_penalty": 1.0, "presence_penalty": 0, "frequency_penalty": 0.0, "logit_bias": {}, "min_p": 0.0, "top_k": 0}


def decoder_of(seed=0):
    tokenizer = byte_level_tokenizer()
    return ConstrainedDecoder(random_model(tokenizer, seed=seed), tokenizer)


def written(decoder, pattern, **options):
    return decoder.generate("the ", pattern, max_new_tokens=80, on_budget="close", **options)


@pytest.mark.parametrize("drawing", [{}, {"temperature": 1.0, "seed": 3}], ids=["greedy", "drawn"])
def test_neutral_values_change_nothing(drawing):
    for seed, pattern in enumerate([FREE, TITLES, *KNOWN]):
        decoder = decoder_of(seed)
        assert written(decoder, pattern, **drawing) == written(decoder, pattern, **drawing, **NEUTRAL)


@pytest.mark.parametrize("penalty", PENALTIES, ids=str)
def test_where_all_is_free_the_text_is_that_of_a_plain_loop(penalty):
    for seed in range(3):
        decoder = decoder_of(seed)
        made = decoder.generate("the ", FREE, max_new_tokens=24, healing=False, on_budget="close", **penalty)
        assert list(made.token_ids) == plain_loop(decoder, 24, **penalty)
        assert made.text != decoder.generate("the ", FREE, max_new_tokens=24, healing=False, on_budget="close").text


def plain_loop(decoder, budget, *, repetition_penalty=1.0, presence_penalty=0.0, frequency_penalty=0.0):
    """The tokens of a greedy loop without a cache, with the processor of transformers and the formula of OpenAI's documentation."""
    prompt = decoder.tokenizer("the ", return_tensors="pt").input_ids
    masks = ConstrainedLogitsProcessor(FREE, decoder.vocabulary, prompt_length=prompt.shape[1], max_new_tokens=budget)
    repetition = RepetitionPenaltyLogitsProcessor(repetition_penalty)
    ids = prompt
    for _ in range(budget):
        with torch.no_grad():
            scores = decoder.model(ids).logits[:, -1]
        text = ids[:, prompt.shape[1] :]
        scores = repetition(text, scores) if text.shape[1] else scores
        counts = torch.bincount(text[0], minlength=scores.shape[1])
        scores = masks(ids, scores - presence_penalty * (counts > 0) - frequency_penalty * counts)
        ids = torch.cat([ids, scores.argmax(-1, keepdim=True)], dim=1)
        if int(ids[0, -1]) in decoder.vocabulary.end_ids:
            return ids[0, prompt.shape[1] : -1].tolist()
    return ids[0, prompt.shape[1] :].tolist()


@pytest.mark.parametrize("spelling", ["canonical", "any"])
def test_known_text_is_chosen_as_without_penalties(spelling):
    for seed, pattern in itertools.product(range(4), KNOWN):
        decoder = decoder_of(seed)
        assert written(decoder, pattern, spelling=spelling, **ALL) == written(decoder, pattern, spelling=spelling)


@pytest.mark.parametrize(
    "options", [*PENALTIES, ALL, {"logit_bias": dict.fromkeys(range(0, 200, 3), 100.0)}], ids=lambda one: next(iter(one))
)
def test_what_the_pattern_forces_stays(options):
    for seed in range(3):
        text = written(decoder_of(seed), TITLES, **options, temperature=1.0, seed=seed).text
        assert TITLES.fullmatch(text), text
        assert list(json.loads(text)) == ["titles", "kind"]


def test_the_letters_of_strings_count_and_nothing_else():
    text = '{"titles": ["abc", "de, f"], "kind": "a"}'
    vocabulary = Vocabulary([bytes([one]) for one in range(256)] + [None], end_ids=[256])
    masks = PatternMasks(TITLES, vocabulary)
    state, found = masks.start, FreeText(masks)
    for byte in text.encode():
        found.note(state, byte)
        state = masks.advance(state, byte)
    inside = masks.start.after(b'{"titles": ["')
    assert found.again(inside) == dict.fromkeys(b"abcde, f", 1)
    assert not found.again(masks.start.after(b'{"titles": ["abc"'))
    assert not found.again(masks.start)


def test_a_bias_decides_among_members():
    pattern = compile_regex("red|blue")
    for seed, word in itertools.product(range(3), ("red", "blue")):
        decoder = decoder_of(seed)
        token_ids = [one for one in range(decoder.vocabulary.size) if word.encode().startswith(decoder.vocabulary.token_bytes[one] or b"-")]
        assert written(decoder, pattern, logit_bias={str(one): 100 for one in token_ids}).text == word
        assert written(decoder, pattern, logit_bias=dict.fromkeys(token_ids, -100)).text != word


def test_a_lone_stop_string_is_one_string():
    decoder = decoder_of()
    text = written(decoder, FREE).text
    assert written(decoder, FREE, stop=text[5:7]) == written(decoder, FREE, stop=[text[5:7]])


def test_scores_are_changed_as_by_the_processors_of_transformers():
    source = torch.Generator().manual_seed(1)
    for size in (1, 7, 200):
        scores = torch.randn(size, generator=source) * 5
        history = torch.randint(size, (20,), generator=source)
        counts = dict(zip(*[one.tolist() for one in history.unique(return_counts=True)], strict=True))
        whole = RepetitionPenaltyLogitsProcessor(1.4)(history[None], scores[None])[0]
        assert torch.equal(penalized(scores, None, counts, repetition=1.4, presence=0, frequency=0), whole)
        ids = torch.randperm(size, generator=source)[: size // 2 + 1].sort().values
        assert torch.equal(penalized(scores[ids], ids, counts, repetition=1.4, presence=0, frequency=0), whole[ids])
        bias = {one: float(one) for one in counts}
        assert torch.equal(biased(scores[ids], ids, bias), biased(scores, None, bias)[ids])


@pytest.mark.parametrize("min_p", [0.02, 0.2, 0.7, 1.0])
def test_min_p_leaves_what_transformers_leaves(min_p):
    source = torch.Generator().manual_seed(2)
    scores = torch.randn(30, generator=source) * 2
    left = (MinPLogitsWarper(min_p)(None, scores[None])[0] > -torch.inf).nonzero().flatten().tolist()
    drawn = {pick(scores, None, temperature=1.0, min_p=min_p, generator=source) for _ in range(3000)}
    assert drawn <= set(left)
    assert min_p < 0.1 or drawn == set(left)
