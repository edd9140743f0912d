"""``ConstrainedLogitsProcessor`` in transformers' own search: every row matches and ends in time."""

from __future__ import annotations

from contextlib import contextmanager, suppress

import pytest
import torch
from toys import byte_fallback_tokenizer, byte_level_tokenizer, random_model
from transformers import LogitsProcessor

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
    with pytest.raises(BudgetTooSmall, match=r"at least 2 tokens .* budget is 1: set max_new_tokens to 2 at least$"):
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


# What generate was told, and what this processor can and cannot know of it


def one(pattern="[ab]{3}", *, prompt="hello", kind="llama", budget=12, prompt_length=None, more=(), **options):
    """The ids and the text that plain ``generate`` writes after one prompt."""
    tokenizer = byte_level_tokenizer()
    model = random_model(tokenizer, kind=kind)
    inputs = tokenizer(prompt, return_tensors="pt", return_token_type_ids=False)
    begins = 1 if kind == "t5" else inputs["input_ids"].shape[1]
    length = begins if prompt_length is None else prompt_length
    processor = ConstrainedLogitsProcessor(compile_regex(pattern), tokenizer, prompt_length=length, max_new_tokens=budget)
    made = model.generate(**inputs, logits_processor=[processor, *more], max_new_tokens=budget, **{**GREEDY, **options})
    return made, tokenizer.decode(made[0, begins:], skip_special_tokens=True) if isinstance(made, torch.Tensor) else made


@pytest.mark.parametrize("length", [0, 1, 3, 6, 40])
def test_a_wrong_prompt_length_is_refused_before_a_token_is_written(length):
    with pytest.raises(ValueError, match=rf"prompt_length={length}: generate begins with 5 tokens.* pass prompt_length=5"):
        one(prompt_length=length)


def test_with_an_encoder_the_prompt_is_what_the_decoder_begins_with():
    _, text = one(kind="t5", prompt="the the the the")
    assert compile_regex("[ab]{3}").fullmatch(text)
    with pytest.raises(ValueError, match=r"generate begins with 1 tokens.* pass prompt_length=1"):
        one(kind="t5", prompt="the the the the", prompt_length=10)


def test_embeddings_have_no_tokens():
    tokenizer = byte_level_tokenizer()
    model = random_model(tokenizer)
    vectors = model.get_input_embeddings()(torch.tensor([[104, 105, 106]]))
    for length in (0, 3):
        processor = ConstrainedLogitsProcessor(compile_regex("[ab]{3}"), tokenizer, prompt_length=length, max_new_tokens=12)
        if length:
            with pytest.raises(ValueError, match="generate begins with 0 tokens"):
                model.generate(inputs_embeds=vectors, logits_processor=[processor], max_new_tokens=12, **GREEDY)
        else:
            made = model.generate(inputs_embeds=vectors, logits_processor=[processor], max_new_tokens=12, **GREEDY)
            assert compile_regex("[ab]{3}").fullmatch(tokenizer.decode(made[0], skip_special_tokens=True))


def test_the_scores_that_are_given_stay_as_they_are():
    made, _ = one(output_logits=True, output_scores=True, return_dict_in_generate=True)
    assert all(step.isfinite().all() for step in made.logits)
    assert not any(step.isfinite().all() for step in made.scores)


DENYING = {
    "min_new_tokens": {"min_new_tokens": 11},
    "min_length": {"min_length": 16},
    "bad_words_ids": {"bad_words_ids": [[i] for i in range(256)] + [[i] for i in range(257, 475)]},
    "suppress_tokens": {"suppress_tokens": list(range(475))},
    "begin_suppress_tokens": {"begin_suppress_tokens": list(range(475))},
    "no_repeat_ngram_size": {"no_repeat_ngram_size": 1},
}


@pytest.mark.parametrize("name", DENYING)
@pytest.mark.parametrize("options", [GREEDY, SAMPLED, {**GREEDY, "num_beams": 3}], ids=["greedy", "sampled", "beams"])
@pytest.mark.parametrize("pattern", ["yes|no", "x{6}", "(ab){4}", "[a-c]{9}"])
def test_beside_processors_that_leave_nothing_the_text_matches_or_the_conflict_is_told(name, options, pattern):
    with suppress(Told), told_conflicts():
        _, text = one(pattern, **options, **DENYING[name])
        assert compile_regex(pattern).fullmatch(text), text


class Told(Exception):
    """The conflict is named."""


@contextmanager
def told_conflicts():
    try:
        yield
    except ValueError as error:
        if "other processors of generate deny all of them" in str(error):
            raise Told from error
        raise


def test_the_second_row_is_not_left_alone():
    tokenizer = byte_level_tokenizer()
    model = random_model(tokenizer)
    inputs = tokenizer(["a q", "z q"], return_tensors="pt", return_token_type_ids=False)

    class DeniesTheSecond(LogitsProcessor):
        def __call__(self, input_ids, scores):
            return scores.masked_fill(torch.tensor([[False], [True]]), -torch.inf)

    processor = ConstrainedLogitsProcessor(compile_regex("yes|no"), tokenizer, prompt_length=3, max_new_tokens=9)
    with pytest.raises(ValueError, match=r"after '' the pattern allows .* other processors of generate deny all"):
        model.generate(**inputs, logits_processor=[DeniesTheSecond(), processor], max_new_tokens=9, **GREEDY)


def test_a_processor_that_comes_later_cannot_change_a_text_in_silence():
    class Denies(LogitsProcessor):
        def __call__(self, input_ids, scores):
            return torch.full_like(scores, -torch.inf)

    with pytest.raises(ValueError, match="a processor or criterion that comes after this one"):
        one("yes|no", more=[Denies()])


def test_beams_go_on_where_one_of_them_cannot():
    pattern = "(ab){1,5}"
    for seed in range(6):
        tokenizer = byte_level_tokenizer([])
        model, prompt = random_model(tokenizer, seed=seed), torch.tensor([[104]])
        processor = ConstrainedLogitsProcessor(compile_regex(pattern), tokenizer, prompt_length=1, max_new_tokens=12)
        made = model.generate(prompt, logits_processor=[processor], max_new_tokens=12, num_beams=3, no_repeat_ngram_size=2, do_sample=False)
        assert compile_regex(pattern).fullmatch(tokenizer.decode(made[0, 1:], skip_special_tokens=True))


def test_an_assistant_with_the_same_tokenizer_changes_no_text():
    tokenizer = byte_level_tokenizer()
    _, alone = one("[a-z ]{3,9}")
    for more in ({"assistant_model": random_model(tokenizer, seed=5)}, {"prompt_lookup_num_tokens": 3}):
        assert one("[a-z ]{3,9}", **more)[1] == alone


@pytest.mark.parametrize("other", [byte_fallback_tokenizer, lambda: byte_level_tokenizer([b"he", b"hel", b"ll"])])
def test_an_assistant_with_another_tokenizer_is_refused_by_name(other):
    tokenizer, theirs = byte_level_tokenizer(), other()
    assistant = random_model(theirs)
    with pytest.raises(ValueError, match="assistant_tokenizer"):
        one("[a-z ]{3,9}", prompt="hello all", assistant_model=assistant, tokenizer=tokenizer, assistant_tokenizer=theirs)


def test_another_call_with_other_prompts_begins_anew():
    tokenizer = byte_level_tokenizer()
    model = random_model(tokenizer)
    processor = ConstrainedLogitsProcessor(compile_regex("yes|no"), tokenizer, prompt_length=2, max_new_tokens=9)
    for prompt in ([[104, 105]], [[110, 111]]):
        made = model.generate(torch.tensor(prompt), logits_processor=[processor], max_new_tokens=9, **GREEDY)
        assert tokenizer.decode(made[0, 2:], skip_special_tokens=True) in ("yes", "no")
    with pytest.raises(ValueError, match="one processor for each call"):
        processor(torch.tensor([[1, 2, 3]]), torch.zeros(1, 475))


def test_scores_that_are_no_numbers_are_told():
    processor = ConstrainedLogitsProcessor(compile_regex("yes|no"), byte_level_tokenizer(), prompt_length=0, max_new_tokens=9)
    with pytest.raises(ValueError, match="token 1 of the text, after '', are not finite numbers"):
        processor(torch.zeros(1, 0, dtype=torch.long), torch.full((1, 475), torch.nan))
