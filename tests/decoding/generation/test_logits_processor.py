"""``ConstrainedLogitsProcessor`` in transformers' own search: every row matches and ends in time."""

from __future__ import annotations

import pytest
import torch
from toys import byte_fallback_tokenizer, byte_level_tokenizer, random_model

from rellm_agents import compile_regex, compile_schema
from rellm_agents.decoding import ConstrainedDecoder, ConstrainedLogitsProcessor, Vocabulary
from rellm_agents.errors import BudgetTooSmall, TokenRefused, VocabularyError

pytestmark = pytest.mark.usefixtures("one_thread")

PATTERNS = [
    compile_regex(text)
    for text in ("yes|no", "x", "[a-z]+", "x{0,30}y", '"[^"]*"', "(no|yes, really){1,3}", "[é€]{2,}", "x|y{12}|abababab")
] + [
    compile_schema(
        {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "integer"}}, "b": {"type": "string"}}, "required": ["a"]}
    )
]
PROMPTS = ["hello", "yes or no: the the the", "é"]
GREEDY = {"do_sample": False}
SAMPLED = {"do_sample": True, "temperature": 1.0, "top_k": 0}


@pytest.mark.parametrize("made", [byte_level_tokenizer, byte_fallback_tokenizer])
@pytest.mark.parametrize(
    ("options", "rows"),
    [
        (GREEDY, 1),
        (SAMPLED, 1),
        ({**SAMPLED, "num_return_sequences": 3}, 3),
        ({**SAMPLED, "top_k": 5, "top_p": 0.8, "repetition_penalty": 1.3}, 1),
        ({**GREEDY, "num_beams": 3}, 1),
        ({**GREEDY, "num_beams": 3, "num_return_sequences": 3}, 3),
        ({**GREEDY, "num_beams": 2, "early_stopping": True, "length_penalty": 0.5}, 1),
    ],
    ids=["greedy", "sampled", "sampled thrice", "with other processors", "three beams", "three beams, all returned", "two beams"],
)
def test_every_row_matches_within_the_budget(made, options, rows):
    tokenizer = made()
    vocabulary = Vocabulary.from_tokenizer(tokenizer)
    for seed, pattern in enumerate(PATTERNS):
        model = random_model(tokenizer, seed=seed)
        budget = least(pattern, vocabulary) + 7 * (seed % 2)
        texts = generated(model, tokenizer, pattern, vocabulary, budget, **options)
        assert len(texts) == rows * len(PROMPTS)
        for text in texts:
            assert pattern.fullmatch(text), text


@pytest.mark.parametrize("pattern", [PATTERNS[i] for i in (0, 1, 3)], ids=lambda p: p.regex)
def test_beams_that_are_drawn_match_too(pattern):
    tokenizer = byte_level_tokenizer()
    vocabulary = Vocabulary.from_tokenizer(tokenizer)
    for seed in range(4):
        texts = generated(
            random_model(tokenizer, seed=seed), tokenizer, pattern, vocabulary, least(pattern, vocabulary) + 7, **SAMPLED, num_beams=3
        )
        assert all(map(pattern.fullmatch, texts)), texts


def test_greedy_is_what_the_decoder_writes():
    tokenizer = byte_level_tokenizer()
    vocabulary = Vocabulary.from_tokenizer(tokenizer)
    for seed, pattern in enumerate(PATTERNS):
        model = random_model(tokenizer, seed=seed)
        budget = least(pattern, vocabulary) + 7
        decoder = ConstrainedDecoder(model, tokenizer)
        assert generated(model, tokenizer, pattern, vocabulary, budget, **GREEDY) == [
            c.text for c in decoder.generate(PROMPTS, pattern, max_new_tokens=budget, spelling="any", healing=False)
        ]


def test_a_tokenizer_is_taken_in_place_of_a_vocabulary():
    tokenizer = byte_level_tokenizer()
    made = ConstrainedLogitsProcessor(PATTERNS[0], tokenizer, prompt_length=0, max_new_tokens=9)
    scores = made(torch.zeros(1, 0, dtype=torch.long), torch.zeros(1, len(tokenizer) + 9))
    assert scores.isfinite().nonzero()[:, 1].tolist() == sorted([ord("y"), ord("n"), *(i for i in beginnings(made, ("yes", "no")))])


def beginnings(processor, texts):
    return [
        i
        for i, data in enumerate(processor.masks.vocabulary.token_bytes)
        if data and len(data) > 1 and any(t.encode().startswith(data) for t in texts)
    ]


def test_a_budget_that_is_too_small_is_refused_at_once():
    vocabulary = Vocabulary.from_tokenizer(byte_level_tokenizer())
    with pytest.raises(BudgetTooSmall, match=r"at least 2 tokens .* budget is 1$"):
        ConstrainedLogitsProcessor(PATTERNS[1], vocabulary, prompt_length=3, max_new_tokens=1)


def test_a_vocabulary_that_cannot_spell_the_pattern_is_refused_at_once():
    with pytest.raises(VocabularyError, match="cannot spell"):
        ConstrainedLogitsProcessor(PATTERNS[1], Vocabulary([b"a", None], end_ids=[1]), prompt_length=3, max_new_tokens=9)


def generated(model, tokenizer, pattern, vocabulary, budget, **options):
    """The texts after ``PROMPTS``, padded on the left."""
    inputs = tokenizer(PROMPTS, return_tensors="pt", padding=True, return_token_type_ids=False)
    length = inputs["input_ids"].shape[1]
    processor = ConstrainedLogitsProcessor(pattern, vocabulary, prompt_length=length, max_new_tokens=budget)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        written = model.generate(**inputs, logits_processor=[processor], max_new_tokens=budget, **options)[:, length:]
    assert written.shape[1] <= budget
    ends = set(vocabulary.end_ids)
    rows = [[i for i in row if i not in ends] for row in written.tolist()]
    return [b"".join(vocabulary.token_bytes[i] for i in row).decode("utf-8") for row in rows]


def least(pattern, vocabulary):
    masks = ConstrainedLogitsProcessor(pattern, vocabulary, prompt_length=0, max_new_tokens=10_000).masks
    return masks.tokens_needed(masks.start)


def test_a_wrong_prompt_length_is_refused_and_not_taken_for_the_end():
    vocabulary = Vocabulary([b"a", b"b", b"c", None], end_ids=[3])
    processor = ConstrainedLogitsProcessor(compile_regex("ab+"), vocabulary, prompt_length=1, max_new_tokens=8)
    with pytest.raises(TokenRefused, match="after 1 tokens of prompt"):
        processor(torch.tensor([[2, 2, 0], [2, 2, 0]]), torch.zeros(2, 4))
