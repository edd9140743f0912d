"""The loop inside of ``generate``: the same texts as the decoder's own, with all that ``generate`` brings."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from decoding.many_patterns import GROUPS
from toys import KINDS, byte_fallback_tokenizer, byte_level_tokenizer, random_model
from transformers import DynamicCache, StoppingCriteria, StoppingCriteriaList, StopStringCriteria, set_seed
from transformers.generation.streamers import BaseStreamer, TextIteratorStreamer, TextStreamer

from rellm_agents import Pattern, compile_regex
from rellm_agents.decoding import ConstrainedDecoder
from rellm_agents.decoding.forward.cache_names import cache_name, taken_from
from rellm_agents.errors import BudgetTooSmall

pytestmark = pytest.mark.usefixtures("one_thread")

PATTERNS = [pattern for group in GROUPS.values() for pattern in group.values()]
PROMPTS = ["a", "Question: how many?\nThought:", "é€ 你好", '{"action": ']


@cache
def decoder_of(kind: str = "llama", *, fallback: bool = False) -> ConstrainedDecoder:
    tokenizer = byte_fallback_tokenizer() if fallback else byte_level_tokenizer()
    return ConstrainedDecoder(random_model(tokenizer, kind=kind), tokenizer, kept_bytes=0)


def least(decoder: ConstrainedDecoder, patterns: list[Pattern]) -> int:
    return max(decoder.masks(pattern).tokens_needed(decoder.masks(pattern).start) for pattern in patterns)


def inputs_of(decoder: ConstrainedDecoder, prompts: list[str]) -> dict[str, torch.Tensor]:
    encoded = decoder.tokenizer(prompts, return_tensors="pt", padding=True)
    return {"input_ids": encoded["input_ids"], "attention_mask": encoded["attention_mask"]}


def texts_of(decoder: ConstrainedDecoder, sequences: torch.Tensor, begin: int) -> list[str]:
    """What the returned rows say by the tokenizer's own decoding."""
    ends = set(decoder.vocabulary.end_ids)
    return [b"".join(decoder.vocabulary.token_bytes[i] or b"" for i in row[begin:].tolist() if i not in ends).decode() for row in sequences]


@pytest.mark.parametrize("kind", KINDS)
def test_greedy_texts_are_those_of_the_decoder(kind):
    decoder = decoder_of(kind)
    begin = {"t5": 1}.get(kind)
    for i in range(0, 16, 4):
        patterns = PATTERNS[i : i + 4]
        budget = least(decoder, patterns) + i
        for prompts, asked in ((PROMPTS, patterns), (PROMPTS[1:2], patterns[1:2])):
            inputs = inputs_of(decoder, prompts)
            loop = decoder.custom_generate(asked)
            sequences = decoder.model.generate(**inputs, custom_generate=loop, max_new_tokens=budget)
            texts = texts_of(decoder, sequences, begin or inputs["input_ids"].shape[1])
            expected = decoder.generate(prompts, asked, max_new_tokens=budget, healing=False)
            assert texts == [one.text for one in loop.completions] == [one.text for one in expected]
            assert [one.finish for one in loop.completions] == [one.finish for one in expected]
            if kind not in ("t5", "mamba"):
                assert (sequences[:, : inputs["input_ids"].shape[1]] == inputs["input_ids"]).all()


@pytest.mark.parametrize("fallback", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {"do_sample": True, "top_k": 5},
        {"do_sample": True, "top_p": 0.7, "temperature": 2.0, "num_return_sequences": 3},
        {"do_sample": True, "min_p": 0.1, "typical_p": 0.9},
        {"repetition_penalty": 3.0, "no_repeat_ngram_size": 3},
        {"cache_implementation": "static"},
        {"cache_implementation": "static", "do_sample": True, "num_return_sequences": 2},
        {"return_dict_in_generate": True, "do_sample": True},
        {"renormalize_logits": True, "exponential_decay_length_penalty": (4, 1.5), "do_sample": True},
    ],
    ids=str,
)
def test_every_text_matches_whatever_generate_is_told(options, fallback):
    decoder = decoder_of(fallback=fallback)
    inputs, copies = inputs_of(decoder, PROMPTS), options.get("num_return_sequences", 1)
    for i in range(0, 16, 4):
        patterns = PATTERNS[i : i + 4]
        budget = least(decoder, patterns) + 3 * i
        found = []
        for _ in range(2):
            set_seed(i)
            loop = decoder.custom_generate(patterns)
            made = decoder.model.generate(**inputs, custom_generate=loop, max_new_tokens=budget, **options)
            sequences = made.sequences if "return_dict_in_generate" in options else made
            found.append(texts_of(decoder, sequences, inputs["input_ids"].shape[1]))
            assert sequences.shape[1] <= inputs["input_ids"].shape[1] + budget
        assert found[0] == found[1]
        for at, text in enumerate(found[0]):
            assert patterns[at // copies].fullmatch(text)


def test_the_scores_that_processors_see_are_masked_and_theirs_are_taken():
    decoder, seen = decoder_of(), []

    def prefer(ids, scores):
        seen.append((ids.shape, int(torch.isfinite(scores).sum())))
        scores[:, ord("c")] = 99.0  # denied or not
        scores[:, ord("z")] = 999.0
        return scores

    loop = decoder.custom_generate(compile_regex("x[abc]{3}y"))
    decoder.model.generate(**inputs_of(decoder, ["a"]), custom_generate=loop, max_new_tokens=9, logits_processor=[prefer])
    assert loop.completions[0].text == "xcccy"
    assert {shape[0] for shape, _ in seen} == {1}
    assert max(count for _, count in seen) < 12


def test_the_pattern_goes_before_processors_that_leave_nothing(caplog):
    decoder = decoder_of()
    denied = [[i] for i, data in enumerate(decoder.vocabulary.token_bytes) if data and data[:1] in (b"a", b"c")]
    loop = decoder.custom_generate(compile_regex("(ab|cd)"))
    decoder.model.generate(**inputs_of(decoder, ["x"]), custom_generate=loop, max_new_tokens=9, bad_words_ids=denied)
    assert loop.completions[0].text in ("ab", "cd")
    assert "after '' the pattern allows only tokens that are denied by NoBadWordsLogitsProcessor" in caplog.text


def test_processors_that_tell_rows_by_their_numbers_find_them():
    decoder = decoder_of()
    loop = decoder.custom_generate(compile_regex("[a-h]{2}"), spelling="any")
    wanted = [[ord("a")], [ord("b")], [ord("c")], [ord("d")]]
    decoder.model.generate(
        **inputs_of(decoder, PROMPTS), custom_generate=loop, max_new_tokens=9, prefix_allowed_tokens_fn=lambda number, ids: wanted[number]
    )
    assert [one.text for one in loop.completions] == ["aa", "bb", "cc", "dd"]


class Heard(BaseStreamer):
    def __init__(self) -> None:
        self.ids, self.calls, self.is_over = [], 0, False

    def put(self, value: torch.Tensor) -> None:
        self.calls += 1
        self.ids += value.flatten().tolist()

    def end(self) -> None:
        self.is_over = True


def test_a_streamer_hears_all_tokens_as_they_are_certain():
    decoder, heard = decoder_of(), Heard()
    loop = decoder.custom_generate(compile_regex('[{]"action": "(search|query)", "n": [0-9]+[}]'), streamer=heard)
    inputs = inputs_of(decoder, ["how many?"])
    sequences = decoder.model.generate(**inputs, custom_generate=loop, max_new_tokens=60)
    assert heard.ids == sequences[0].tolist()
    assert heard.is_over
    assert 3 < heard.calls < len(heard.ids)


@pytest.mark.parametrize("kind", ["llama", "t5"])
@pytest.mark.parametrize("skip_prompt", [True, False])
def test_streamers_of_transformers_are_given_what_generate_gives_them(kind, skip_prompt):
    """What is printed, and what is waited for in another thread, is what they make of the sequence that is returned."""
    decoder, pattern = decoder_of(kind), compile_regex('[{]"action": "(search|query)", "n": [0-9]+[}]')
    tokenizer, inputs = decoder.tokenizer, inputs_of(decoder, ["how many?"])
    printed = []

    class Printing(TextStreamer):
        def on_finalized_text(self, text: str, stream_end: bool = False) -> None:
            printed.append(text)

    waited = TextIteratorStreamer(tokenizer, skip_prompt=skip_prompt, timeout=60, skip_special_tokens=True)
    for streamer in (Printing(tokenizer, skip_prompt=skip_prompt, skip_special_tokens=True), waited):
        loop = decoder.custom_generate(pattern, streamer=streamer)
        sequences = decoder.model.generate(**inputs, custom_generate=loop, max_new_tokens=60)
    length = 1 if kind == "t5" else inputs["input_ids"].shape[1]
    before = [] if skip_prompt else sequences[0, :length].tolist()
    wanted = tokenizer.decode([*before, *loop.completions[0].token_ids], skip_special_tokens=True)
    assert pattern.fullmatch(loop.completions[0].text)
    assert "".join(printed) == wanted == "".join(waited)


def test_a_streamer_gets_an_end_where_something_goes_wrong():
    decoder, heard = decoder_of(), Heard()
    loop = decoder.custom_generate(compile_regex("[ab]{20}"), streamer=heard)
    hook = decoder.model.register_forward_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        decoder.model.generate(**inputs_of(decoder, ["how many?"]), custom_generate=loop, max_new_tokens=60)
    hook.remove()
    assert heard.is_over


class AfterTokens(StoppingCriteria):
    """Ends a row behind so many tokens."""

    def __init__(self, length: int) -> None:
        self.length, self.asked = length, []

    def __call__(self, input_ids, scores, **_):
        self.asked.append(input_ids.shape[1])
        return torch.tensor([row.shape[0] >= self.length for row in input_ids])


def test_stopping_criteria_are_asked_after_every_token():
    decoder, pattern = decoder_of(), compile_regex('[{]"action": "search", "action_input": [0-9]{30,}[}]')
    inputs = inputs_of(decoder, ["how many?"])
    begin = inputs["input_ids"].shape[1]
    criterion, loop = AfterTokens(begin + 5), decoder.custom_generate(pattern)
    sequences = decoder.model.generate(
        **inputs, custom_generate=loop, max_new_tokens=90, stopping_criteria=StoppingCriteriaList([criterion])
    )
    assert sequences.shape[1] == begin + 5
    assert criterion.asked == [begin + n for n in range(1, 6)]
    assert loop.completions[0].finish == "stopped"
    loop = decoder.custom_generate(pattern)
    stop = StopStringCriteria(decoder.tokenizer, ["search"])
    decoder.model.generate(**inputs, custom_generate=loop, max_new_tokens=90, stopping_criteria=StoppingCriteriaList([stop]))
    assert loop.completions[0].text.endswith("search")


@pytest.mark.parametrize("kind", ["llama", "mistral", "mamba"])
def test_embeddings_stand_for_tokens(kind):
    decoder = decoder_of(kind)
    inputs = inputs_of(decoder, PROMPTS)
    embeddings = decoder.model.get_input_embeddings()(inputs["input_ids"])
    for i in (0, 4, 8):
        options = {"max_new_tokens": least(decoder, PATTERNS[i : i + 4]) + 8, "attention_mask": inputs["attention_mask"]}
        loops = [decoder.custom_generate(PATTERNS[i : i + 4], spelling="any") for _ in range(2)]
        plain = decoder.model.generate(input_ids=inputs["input_ids"], custom_generate=loops[0], **options)
        embedded = decoder.model.generate(inputs_embeds=embeddings.detach(), custom_generate=loops[1], **options)
        assert [one.token_ids for one in loops[0].completions] == [one.token_ids for one in loops[1].completions]
        assert torch.equal(plain[:, inputs["input_ids"].shape[1] :], embedded)


def test_a_cache_of_the_caller_is_gone_on_with_and_stays_whole():
    decoder, pattern = decoder_of(), compile_regex("[a-z ]{12}")
    inputs = inputs_of(decoder, ["the the the"])["input_ids"]
    held = DynamicCache(config=decoder.model.config)
    options = {"max_new_tokens": 20, cache_name(decoder.model.forward): held}
    first = decoder.model.generate(input_ids=inputs, custom_generate=decoder.custom_generate(pattern), **options)
    longer = torch.cat([first, inputs_of(decoder, [" yes no"])["input_ids"]], dim=1)
    assert inputs.shape[1] < held.get_seq_length() <= first.shape[1]
    again, anew = (decoder.custom_generate(pattern) for _ in range(2))
    decoder.model.generate(input_ids=longer, custom_generate=again, **options)
    decoder.model.generate(input_ids=longer, custom_generate=anew, max_new_tokens=20)
    assert again.completions[0].text == anew.completions[0].text


def test_a_state_of_the_caller_that_does_not_tell_what_was_read_is_refused():
    decoder, pattern = decoder_of("mamba"), compile_regex("[a-z ]{12}")
    options = {"max_new_tokens": 20, cache_name(decoder.model.forward): DynamicCache(config=decoder.model.config)}
    decoder.model.generate(**inputs_of(decoder, ["the"]), custom_generate=decoder.custom_generate(pattern), **options)
    with pytest.raises(ValueError, match="a DynamicCache of one state does not tell how many tokens were read into it"):
        decoder.model.generate(**inputs_of(decoder, ["the"]), custom_generate=decoder.custom_generate(pattern), **options)


@pytest.mark.parametrize("kind", ["llama", "t5"])
def test_what_is_returned_holds_the_cache(kind):
    decoder, pattern = decoder_of(kind), compile_regex("[a-z ]{12}")
    loop = decoder.custom_generate(pattern)
    made = decoder.model.generate(**inputs_of(decoder, ["the the"]), custom_generate=loop, max_new_tokens=20, return_dict_in_generate=True)
    assert taken_from(made).get_seq_length() > 0


def test_an_assistant_changes_nothing():
    decoder, pattern = decoder_of(), compile_regex("[a-z ]{12}")
    inputs = inputs_of(decoder, ["the"])
    loops = [decoder.custom_generate(pattern) for _ in range(2)]
    decoder.model.generate(**inputs, custom_generate=loops[0], max_new_tokens=20)
    decoder.model.generate(**inputs, custom_generate=loops[1], max_new_tokens=20, assistant_model=random_model(decoder.tokenizer, seed=5))
    assert loops[0].completions == loops[1].completions


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_beams": 2}, "num_beams=2: .* pass a ConstrainedLogitsProcessor"),
        ({"return_dict_in_generate": True, "output_scores": True}, "output_scores=True"),
        ({"eos_token_id": 65}, r"eos_token_id=65: texts end with one of \[256\]"),
        ({"guidance_scale": 2.0}, "UnbatchedClassifierFreeGuidanceLogitsProcessor counts on seeing all rows"),
    ],
    ids=str,
)
def test_what_the_loop_cannot_do_is_refused(options, message):
    decoder = decoder_of()
    loop = decoder.custom_generate(compile_regex("[a-z]{3}"))
    with pytest.raises(ValueError, match=message):
        decoder.model.generate(**inputs_of(decoder, PROMPTS), custom_generate=loop, max_new_tokens=9, **options)


def test_options_that_generate_has_are_not_dropped_in_silence():
    with pytest.raises(TypeError, match="temperature"):
        decoder_of().custom_generate(compile_regex("a"), temperature=1.0)
    with pytest.raises(ValueError, match="spelling='best'"):
        decoder_of().custom_generate(compile_regex("a"), spelling="best")


def test_wrong_numbers_and_models_and_budgets_are_refused():
    decoder, pattern = decoder_of(), compile_regex("[a-z]{3}")
    inputs = inputs_of(decoder, PROMPTS)
    with pytest.raises(ValueError, match="4 prompts with 3 patterns"):
        decoder.model.generate(**inputs, custom_generate=decoder.custom_generate([pattern] * 3), max_new_tokens=9)
    with pytest.raises(ValueError, match="one text at a time, not 4"):
        decoder.model.generate(**inputs, custom_generate=decoder.custom_generate(pattern, streamer=Heard()), max_new_tokens=9)
    with pytest.raises(ValueError, match="another model"):
        decoder_of("gpt2").model.generate(**inputs, custom_generate=decoder.custom_generate(pattern), max_new_tokens=9)
    with pytest.raises(BudgetTooSmall):
        decoder.model.generate(**inputs, custom_generate=decoder.custom_generate(pattern), max_new_tokens=1)
    with pytest.raises(ValueError, match="position_ids other than"):
        decoder.model.generate(
            **inputs, custom_generate=decoder.custom_generate(pattern), max_new_tokens=9, position_ids=torch.ones_like(inputs["input_ids"])
        )


def test_what_is_returned_can_be_trained_on():
    tokenizer = byte_level_tokenizer()
    model = random_model(tokenizer)
    decoder = ConstrainedDecoder(model, tokenizer)
    inputs = tokenizer("hello", return_tensors="pt", return_token_type_ids=False)
    for more in ({}, {"return_dict_in_generate": True}):
        made = model.generate(**inputs, custom_generate=decoder.custom_generate(compile_regex("yes|no")), max_new_tokens=9, **more)
        ids = made.sequences if more else made
        assert not ids.is_inference()
        loss = model(ids, labels=ids).loss
        loss.backward()
        assert model.get_input_embeddings().weight.grad is not None
        assert not more or not next(iter(cached(made))).is_inference()


def cached(made):
    """The keys of the layers of the cache that is returned."""
    return (layer.keys for layer in next(value for value in made.values() if hasattr(value, "layers")).layers)
