"""Completions of a model that knows nothing: they match, end in time, and are the same however they are asked for."""

from __future__ import annotations

import random
from functools import cache
from types import SimpleNamespace

import pytest
import torch
from decoding.many_patterns import GROUPS
from toys import FixedLogits, byte_fallback_tokenizer, byte_level_tokenizer, random_model

from rellm_agents import Pattern, compile_regex, compile_schema, json_action, react
from rellm_agents.decoding import ConstrainedDecoder, TokenMasks, Vocabulary, smollm2
from rellm_agents.decoding.generation.options import TextOptions
from rellm_agents.decoding.generation.stop_strings import StopStrings
from rellm_agents.decoding.vocabulary.bitmask import unpacked
from rellm_agents.errors import BudgetTooSmall, VocabularyError
from rellm_agents.patterns import choice, literal, not_containing, optional, sequence

pytestmark = pytest.mark.usefixtures("one_thread")

PROMPTS = ("a", "Question: how many?\nThought:", "é€ 你好", '{"action": ', "yes or no, ab ab ab", " ", "the the the the the the the", "\n")
ANY = {"spelling": "any"}  # for models that write a token a byte
TOKENIZERS = {"byte-level": byte_level_tokenizer, "byte fallback": byte_fallback_tokenizer}


@cache
def decoder_of(tokenizer: str = "byte-level", kind: str = "llama", seed: int = 0, extra_rows: int = 0) -> ConstrainedDecoder:
    made = TOKENIZERS[tokenizer]()
    return ConstrainedDecoder(random_model(made, kind=kind, seed=seed, extra_rows=extra_rows), made)


@pytest.fixture(params=[("byte-level", "llama"), ("byte-level", "gpt2"), ("byte fallback", "llama")], ids="-".join)
def decoder(request) -> ConstrainedDecoder:
    return decoder_of(*request.param)


def some_patterns(count: int, *, seed: int = 0) -> list[Pattern]:
    return random.Random(seed).sample([pattern for group in GROUPS.values() for pattern in group.values()], count)


def needed(decoder: ConstrainedDecoder, pattern: Pattern) -> int:
    masks = decoder.masks(pattern)
    return masks.tokens_needed(masks.start)


def text_of(decoder: ConstrainedDecoder, completion) -> str:
    """The tokens as text; where the last character was cut by a stop string, without it."""
    data = b"".join(decoder.vocabulary.token_bytes[i] or b"<?>" for i in completion.token_ids)
    return data.decode("utf-8", "ignore" if completion.finish == "stopped" else "strict")


# The promise


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_every_completion_matches_within_its_budget(decoder, temperature):
    """Each pattern with a budget close to the least, and all in batches of different prompts, patterns and lengths."""
    patterns = some_patterns(24, seed=int(temperature))
    for i in range(0, len(patterns), 8):
        batch = patterns[i : i + 8]
        budget = max(needed(decoder, pattern) for pattern in batch) + i % 5
        completions = decoder.generate(PROMPTS, batch, max_new_tokens=budget, temperature=temperature, seed=i)
        for pattern, completion in zip(batch, completions, strict=True):
            assert pattern.fullmatch(completion.text)
            assert completion.healed + completion.text == text_of(decoder, completion)
            assert len(completion.token_ids) <= budget
            assert completion.forward_passes <= len(completion.token_ids) + 1
            assert completion.finish in {"accepted", "closed"}


def test_the_least_budget_is_enough_and_one_less_is_refused(decoder):
    for pattern in some_patterns(12, seed=3):
        least = needed(decoder, pattern)
        completion = decoder.generate("a", pattern, max_new_tokens=least, temperature=1.0, seed=0)
        assert pattern.fullmatch(completion.text)
        assert len(completion.token_ids) < least
        with pytest.raises(
            BudgetTooSmall, match=rf"at least {least} tokens .* budget is {least - 1}: set max_new_tokens to {least} at least$"
        ):
            decoder.generate("a", pattern, max_new_tokens=least - 1)


def test_a_budget_that_is_too_small_is_refused_before_the_first_forward_pass(monkeypatch):
    decoder = decoder_of()
    monkeypatch.setattr(type(decoder.model), "forward", lambda *_args, **_options: pytest.fail("the model was called"))
    with pytest.raises(BudgetTooSmall):
        decoder.generate(["a", "b"], [compile_regex("a?"), compile_regex("(abc123){40}")], max_new_tokens=30)
    with pytest.raises(BudgetTooSmall):
        list(decoder.stream("a", compile_regex("(abc123){40}"), max_new_tokens=30))


def test_a_completion_says_how_it_ended():
    decoder = decoder_of()
    pattern = compile_regex("x{0,40}")
    assert decoder.generate("a", compile_regex("[a-z]{9,}"), max_new_tokens=12).finish == "closed"
    assert decoder.generate("a", compile_regex("x|y"), max_new_tokens=2).finish == "accepted"
    assert decoder.generate("a", pattern, max_new_tokens=500).finish == "accepted"
    assert decoder.generate("a", compile_regex("x{9,}"), max_new_tokens=500, stop=["xx"]).finish == "stopped"


def test_nothing_to_write_needs_no_forward_pass():
    empty, one = decoder_of().generate(["a", "b"], [compile_regex(""), compile_regex("x")], max_new_tokens=2)
    assert (empty.text, empty.token_ids, empty.forward_passes, empty.finish) == ("", (), 0, "accepted")
    assert (one.text, one.forward_passes) == ("x", 0)
    assert decoder_of().generate([], compile_regex("a")) == []


def test_a_head_padded_to_a_round_number_is_taken():
    decoder = decoder_of(extra_rows=37)
    for seed in range(5):
        assert compile_regex("(?s).*ab").fullmatch(
            decoder.generate("a", compile_regex("(?s).*ab"), max_new_tokens=12, temperature=1.0, seed=seed).text
        )


def test_a_model_may_have_several_ends():
    tokenizer = byte_level_tokenizer()
    model = random_model(tokenizer)
    model.generation_config.eos_token_id = [256, ord("\n")]
    decoder = ConstrainedDecoder(model, tokenizer)
    assert decoder.vocabulary.end_ids == (10, 256)
    texts = [decoder.generate("a", compile_regex(r"(?s)[^\S\n]*.*"), max_new_tokens=12, temperature=1.0, seed=s).text for s in range(10)]
    assert all(len(text) < 200 for text in texts)


def test_tokens_that_the_vocabulary_lacks_are_refused_at_once():
    decoder = decoder_of()
    vocabulary = decoder.vocabulary
    lacking = Vocabulary([None if data == b"!" else data for data in vocabulary.token_bytes], end_ids=vocabulary.end_ids)
    with pytest.raises(VocabularyError, match="cannot spell"):
        TokenMasks(compile_regex("!"), lacking)


# Chance


def test_the_same_seed_gives_the_same_text_alone_and_in_any_batch(decoder):
    """In float32: what a batch changes in the last bits of a logit, no draw here is close enough to see."""
    patterns = [compile_regex(text) for text in ("[a-z ]*", "(?s).*", '"[^"]*"', r"\d+", "(yes|no)+", "[é€a]{3,}", "a*", r"\[(\d, )*\]")]
    options = {"max_new_tokens": 20, "temperature": 1.0}
    seeds = [5, 6, 7, 8, 9, 10, 11, 12]
    alone = [decoder.generate(p, q, seed=s, **options) for p, q, s in zip(PROMPTS, patterns, seeds, strict=True)]
    together = decoder.generate(PROMPTS, patterns, seed=seeds, **options)
    assert [c.token_ids for c in together] == [c.token_ids for c in alone]
    order = random.Random(0).sample(range(8), 8)
    shuffled = decoder.generate([PROMPTS[i] for i in order], [patterns[i] for i in order], seed=[seeds[i] for i in order], **options)
    assert [c.text for c in shuffled] == [alone[i].text for i in order]


def test_one_seed_for_all_rows_and_one_for_each():
    decoder, pattern = decoder_of(), compile_regex("[a-z]{8,}")
    options = {"max_new_tokens": 16, "temperature": 1.0}
    same = decoder.generate(["a"] * 4, pattern, seed=1, **options)
    assert len({c.text for c in same}) == 1
    different = decoder.generate(["a"] * 4, pattern, seed=[1, 2, 3, 4], **options)
    assert len({c.text for c in different}) > 1
    assert different[0].text == same[0].text
    without = [decoder.generate("a", pattern, **options).text for _ in range(3)]
    assert len(set(without)) > 1


def test_the_source_of_chance_of_the_process_is_left_alone():
    before = torch.get_rng_state()
    decoder_of().generate("a", compile_regex("[a-z]+"), max_new_tokens=5, temperature=1.0, seed=3)
    assert torch.equal(torch.get_rng_state(), before)


def test_only_the_likeliest_are_drawn():
    decoder, pattern = decoder_of(), compile_regex("[a-z]{4,}")
    greedy = decoder.generate("a", pattern, max_new_tokens=10, **ANY).text
    for options in ({"top_k": 1}, {"top_p": 1e-9}, {"top_k": 1, "top_p": 1.0}):
        drawn = [decoder.generate("a", pattern, max_new_tokens=10, temperature=3.0, seed=s, **options, **ANY).text for s in range(4)]
        assert set(drawn) == {greedy}
    for options in ({"top_k": 2}, {"top_p": 0.5}):
        first = {decoder.generate("a", pattern, max_new_tokens=5, temperature=1.0, seed=s, **options, **ANY).token_ids[0] for s in range(8)}
        assert first <= likeliest(decoder, "a", pattern, max_new_tokens=5, **options)


def likeliest(decoder, prompt, pattern, *, max_new_tokens, top_k=None, top_p=1.0):
    """The first tokens that may be drawn, from the logits of the model itself."""
    masks = decoder.masks(pattern)
    logits = decoder.model(torch.tensor([decoder.tokenizer.encode(prompt)])).logits[0, -1, : decoder.vocabulary.size].detach()
    logits[torch.from_numpy(~unpacked(masks.bits(masks.start, max_new_tokens), decoder.vocabulary.size))] = -torch.inf
    kept, covered = set(), 0.0
    for token_id in logits.argsort(descending=True).tolist()[:top_k]:
        kept.add(token_id)
        covered += float(logits.softmax(0)[token_id])
        if covered >= top_p:
            break
    return kept


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": -0.1}, "temperature=-0.1: 0 for greedy"),
        ({"top_k": -1}, "top_k=-1: at least 1, or 0"),
        ({"min_p": 1.5}, "min_p=1.5: from 0 to 1"),
        ({"repetition_penalty": 0.0}, "repetition_penalty=0.0: a positive number"),
        ({"presence_penalty": 3}, "presence_penalty=3: from -2 to 2"),
        ({"frequency_penalty": float("nan")}, "frequency_penalty=nan: from -2 to 2"),
        ({"logit_bias": {"blue": 5}}, "logit_bias: 'blue' is not the id of a token"),
        ({"logit_bias": {"7": 101}}, "logit_bias: 101 for token 7: a number from -100 to 100"),
        ({"logit_bias": {10**6: 1}}, "logit_bias: there is no token 1000000, only 0 to"),
        ({"logit_bias": [1]}, "logit_bias=.1.: a mapping"),
        ({"logit_bias": {7: 1}, "selection": "exact"}, "logit_bias beside selection='exact'"),
        ({"top_p": 0.0}, "top_p=0.0: above 0"),
        ({"top_p": 1.1}, "top_p=1.1: above 0 and at most 1"),
        ({"stop": ""}, "strings that are not empty"),
        ({"stop": ["a", ""]}, "strings that are not empty"),
        ({"seed": [1, 2]}, "1 prompts with 1 patterns and 2 seeds"),
        ({"max_new_tokens": 0}, "at least 2 tokens .* budget is 0"),
        ({"max_new_tokens": -1}, "at least 2 tokens .* budget is -1"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        decoder_of().generate("a", compile_regex("a+"), **options)
    with pytest.raises((ValueError, TypeError), match=message):
        list(decoder_of().stream("a", compile_regex("a+"), **options))


@pytest.mark.parametrize("temperature", [float("inf"), float("nan")])
def test_a_temperature_that_is_no_number_is_refused(temperature):
    with pytest.raises(ValueError, match="temperature="):
        decoder_of().generate("a", compile_regex("a+"), temperature=temperature)


@pytest.mark.parametrize(("prompts", "patterns"), [(["a", "b"], 3), (["a"], 2), ([], 1)])
def test_prompts_and_patterns_that_do_not_fit_together_are_refused(prompts, patterns):
    with pytest.raises(ValueError, match=f"{len(prompts)} prompts with {patterns} patterns"):
        decoder_of().generate(prompts, [compile_regex("a")] * patterns)


def test_an_empty_prompt_begins_with_the_beginning_of_text():
    assert compile_regex("[a-z]+").fullmatch(decoder_of("byte fallback").generate("", compile_regex("[a-z]+"), max_new_tokens=4).text)
    with pytest.raises(ValueError, match="the prompt is empty"):
        decoder_of("byte-level").generate("", compile_regex("a"))


# Stop strings


@pytest.mark.parametrize("stop", [["a"], ["ab"], ["ab", "b"], ["aab", "ab", "a\n"], ["€"], ["\n", "é€"], ["ac", "aba"]])
def test_a_text_ends_before_the_first_stop_string(decoder, stop):
    pattern = compile_regex(r"(?s)[ab€é\nc]*")
    for seed in range(3):
        options = {"max_new_tokens": 24, "temperature": 1.0, "seed": seed}
        whole, cut = decoder.generate("a", pattern, **options), decoder.generate("a", pattern, stop=stop, **options)
        stops = any(s in whole.text for s in stop)
        # What is found first is where the text first holds one; a longer string that began earlier would still be open.
        written = text_of(decoder, cut)
        assert whole.text.startswith(written)
        assert not any(s in cut.text for s in stop)
        if not stops:
            assert (cut.text, cut.finish) == (whole.text, whole.finish)
        else:
            assert cut.finish == "stopped"
            assert cut.text == written[: min(written.find(s) for s in stop if s in written)]
            assert "".join(pieces(decoder, "a", pattern, stop=stop, **options)) == cut.text


def test_a_stop_string_across_tokens_and_at_the_start():
    fixed = fixed_decoder("xaabab")
    assert fixed.generate("x", compile_regex("[abx]*"), max_new_tokens=7, **ANY).text == "aabab"
    for stop, text in (
        (["aab"], ""),
        (["a"], ""),
        (["ab"], "a"),
        (["ba"], "aa"),
        (["bab", "abab"], "a"),
        (["c"], "aabab"),
        (["aababa"], "aabab"),
    ):
        completion = fixed.generate("x", compile_regex("[abx]*"), max_new_tokens=7, stop=stop, **ANY)
        assert (completion.text, completion.finish == "stopped") == (text, text != "aabab")
        assert "".join(pieces(fixed, "x", compile_regex("[abx]*"), max_new_tokens=7, stop=stop, **ANY)) == text


def test_a_stop_string_counts_behind_a_text_of_a_pattern_only():
    fixed = fixed_decoder("x(a)a)a")
    options = {"max_new_tokens": 7, "stop": ["a"], **ANY}
    for behind, text in ((None, "("), (r"\(a\)", "(a)"), (r"\(a\)a\)", "(a)a)"), ("b", "(a)a)a")):
        stop_behind = None if behind is None else compile_regex(behind)
        for written in (
            fixed.generate("x", compile_regex("[()a]*"), stop_behind=stop_behind, **options).text,
            "".join(pieces(fixed, "x", compile_regex("[()a]*"), stop_behind=stop_behind, **options)),
        ):
            assert written == text


def test_a_budget_that_ends_within_a_stop_string_leaves_nothing_of_it():
    """A model that is about to write a stop string wanted nothing else; where strings count after any text, it might go on as it likes."""
    step, stop = "Input: 32", "\nObservation"
    fixed = fixed_decoder("x" + step + stop + ": 7")
    behind, pattern = compile_regex(r"Input: [^\n](?s:.*)"), compile_regex("Input: (?s:.*)")
    for budget in range(len(step) + 1, len(step) + len(stop) + 6):
        made = fixed.generate("x", pattern, max_new_tokens=budget, stop=[stop], stop_behind=behind, on_budget="close", **ANY)
        assert made.text == step
        assert made.finish == ("stopped" if budget > len(step + stop) else "closed")
        assert (made.closed_at is None) == (made.finish == "stopped")
        streamed = pieces(fixed, "x", pattern, max_new_tokens=budget, stop=[stop], stop_behind=behind, on_budget="close", **ANY)
        assert "".join(streamed) == step
    assert fixed.generate("x", pattern, max_new_tokens=len(step) + 4, stop=[stop], on_budget="close", **ANY).text == step + stop[:3]


def fixed_decoder(text: str) -> ConstrainedDecoder:
    """A decoder whose model goes on with ``text`` a byte at a time, wherever the prompt left it, and then ends."""
    tokenizer = byte_level_tokenizer()

    class Writes(FixedLogits):
        def forward(self, input_ids, cache, **_):
            at = cache.get_seq_length() + input_ids.shape[1] - 1
            super().forward(input_ids, cache)
            logits = torch.zeros(1, 1, self.table.shape[1])
            logits[0, 0, ord(text[at + 1]) if at + 1 < len(text) else tokenizer.eos_token_id] = 9.0
            return SimpleNamespace(logits=logits, cache=cache)

    return ConstrainedDecoder(Writes(torch.zeros(1, len(tokenizer))), tokenizer)


# Streams


def pieces(decoder, prompt, pattern, **options) -> list[str]:
    return list(decoder.stream(prompt, pattern, **options))


def test_the_pieces_of_a_stream_are_the_text(decoder):
    for seed, pattern in enumerate(some_patterns(12, seed=5)):
        options = {"max_new_tokens": needed(decoder, pattern) + 15, "temperature": 1.0, "seed": seed}
        found, stream = [], decoder.stream("a", pattern, **options)
        while True:
            try:
                found.append(next(stream))
            except StopIteration as end:
                completion = end.value
                break
            assert not torch.is_inference_mode_enabled()
        assert "" not in found
        assert "".join(found) == completion.text == decoder.generate("a", pattern, **options).text


def test_the_pieces_of_a_stream_are_whole_characters_as_soon_as_they_are_certain():
    fixed = fixed_decoder("xabc")
    assert pieces(fixed, "x", compile_regex("[a-z]*"), max_new_tokens=5, **ANY) == ["a", "b", "c"]
    assert pieces(fixed, "x", compile_regex("[a-z]*"), max_new_tokens=5, stop=["bd"], **ANY) == ["a", "bc"]
    for piece in pieces(decoder_of(), "a", compile_regex("[é€😀]{6}"), max_new_tokens=40, temperature=1.0, seed=0):
        assert set(piece) <= set("é€😀")


def test_a_stream_never_shows_a_part_of_a_stop_string():
    decoder, pattern = decoder_of(), compile_regex("[ab]*")
    for seed in range(10):
        shown = ""
        for piece in decoder.stream("a", pattern, max_new_tokens=30, temperature=1.0, seed=seed, stop=["abb", "bba"]):
            shown += piece
            assert not {"abb", "bba"} & {shown[i : i + 3] for i in range(len(shown))}


def test_a_stream_that_is_left_early_costs_no_more_forward_passes():
    fixed = fixed_decoder("xabcdef")
    stream = fixed.stream("x", compile_regex("[a-z]*"), max_new_tokens=9, **ANY)
    assert next(stream) == "a"
    stream.close()
    assert fixed.generate("x", compile_regex("[a-z]*"), max_new_tokens=9, **ANY).text == "abcdef"


# Against transformers' own greedy search


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_greedy_is_unconstrained_greedy_wherever_the_model_obeys(kind):
    """``(?s).*`` denies special tokens and bytes that make no character: these are all that may differ."""
    agreed = 0
    for seed in range(3):
        decoder = decoder_of("byte-level", kind, seed)
        masks = decoder.masks(compile_regex("(?s).*"))
        for prompt in PROMPTS:
            inputs = decoder.tokenizer(prompt, return_tensors="pt")
            free = decoder.model.generate(inputs["input_ids"], attention_mask=inputs["attention_mask"], max_new_tokens=12, do_sample=False)
            free = free[0, inputs["input_ids"].shape[1] :].tolist()
            ours = decoder.generate(prompt, masks.pattern, max_new_tokens=12, healing=False, spelling="any").token_ids
            state = masks.start
            for i, token_id in enumerate(free):
                if not unpacked(masks.bits(state, 12 - i), decoder.vocabulary.size)[token_id]:
                    break
                if token_id in decoder.vocabulary.end_ids:
                    assert len(ours) == i
                    break
                assert ours[i] == token_id
                agreed += 1
                state = masks.advance(state, token_id)
    assert agreed > 40


@pytest.mark.model
def test_greedy_is_unconstrained_greedy_for_a_real_model():
    model, tokenizer = smollm2(progress=False)
    inputs = tokenizer("The three primary colours are", return_tensors="pt")
    free = model.generate(**inputs, max_new_tokens=24, do_sample=False)[0, inputs["input_ids"].shape[1] :]
    ours = ConstrainedDecoder(model, tokenizer).generate("The three primary colours are", compile_regex("(?s).*"), max_new_tokens=25)
    assert list(ours.token_ids) == free.tolist()


TREE = {
    "type": "object",
    "properties": {
        "all": {"type": "array", "items": {"$ref": "#"}},
        "named": {"type": "object", "additionalProperties": {"$ref": "#"}},
        "kind": {"enum": ["x", "name", None, 1]},
    },
    "additionalProperties": False,
}


@pytest.mark.model
def test_known_text_is_mostly_written_with_the_tokens_of_the_tokenizer():
    """Braces, names and members, whatever is chosen, also where the budget closes them; not where a choice has split what it joins."""
    model, tokenizer = smollm2(progress=False)
    decoder, pattern, same = ConstrainedDecoder(model, tokenizer), compile_schema(TREE), {}
    before = tokenizer.encode("\n")
    for spelling in ("canonical", "any"):
        same[spelling] = 0
        for seed in range(60):
            chance = random.Random(seed)
            options = TextOptions(max_new_tokens=chance.randrange(4, 50), healing=False, spelling=spelling)
            (row,) = decoder.engine.sequences([before], pattern, options)
            while not row.is_finished:
                row.choose_next(lambda _, allowed, chance=chance: int(chance.choice(allowed.ids_allowed())))
            same[spelling] += tokenizer.encode("\n" + row.text, add_special_tokens=False) == row.committed
    assert same["canonical"] > 0.75 * 60 > 1.5 * same["any"]


def test_a_batch_is_decoded_as_each_prompt_alone(decoder):
    """Left padding and rows that leave early change nothing."""
    patterns = some_patterns(8, seed=9)
    budget = max(needed(decoder, p) for p in patterns) + 10
    together = decoder.generate(PROMPTS, patterns, max_new_tokens=budget)
    alone = [decoder.generate(prompt, pattern, max_new_tokens=budget) for prompt, pattern in zip(PROMPTS, patterns, strict=True)]
    assert [(c.text, c.token_ids, c.finish) for c in together] == [(c.text, c.token_ids, c.finish) for c in alone]
    assert all(beside.forward_passes >= by_itself.forward_passes for beside, by_itself in zip(together, alone, strict=True))


# Formats


SEARCH = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}


@pytest.mark.parametrize("format_", [json_action({"search": SEARCH}), react({"search": SEARCH})], ids=lambda f: f.name)
def test_every_step_of_a_format_is_read_back(decoder, format_):
    for seed in range(5):
        budget = needed(decoder, format_.pattern) + 3 * seed
        text = decoder.generate("Thought:", format_.pattern, max_new_tokens=budget, temperature=1.0, seed=seed).text
        assert format_.write(format_.read(text)) == text or format_.name == "react"  # an input in quotes may be written without them


def test_a_step_that_may_end_is_ended_by_its_stop_string(decoder):
    format_ = react({"search": SEARCH})
    pattern = Pattern(sequence(format_.pattern.node, optional(choice(*map(literal, format_.stop)))))
    for seed in range(8):
        budget = needed(decoder, pattern) + 5 * seed
        completion = decoder.generate(
            "Thought:", pattern, max_new_tokens=budget, temperature=1.5, seed=seed, stop=format_.stop, stop_behind=format_.pattern
        )
        assert format_.pattern.fullmatch(completion.text)


def test_text_that_holds_no_stop_string_is_never_stopped():
    pattern = Pattern(not_containing("ab", "€"))
    for seed in range(5):
        completion = decoder_of().generate("a", pattern, max_new_tokens=30, temperature=1.0, seed=seed, stop=["ab", "€"])
        assert completion.finish in {"accepted", "closed"}
        assert pattern.fullmatch(completion.text)


def test_spaces_between_a_whole_text_and_a_stop_string_are_cut_and_never_shown():
    stops = StopStrings(("\nQ:",), compile_regex("A( ?[a-z])*"))
    assert stops.find("A b\n\nQ: c", 0) == len("A b")
    assert stops.find("A b\nQ: c", 0) == len("A b")
    assert stops.find("B\nQ: c", 0) is None
    for end in range(len("A b\n\nQ:")):
        written = "A b\n\nQ:"[:end]
        assert len(written) - stops.held_back(written) <= len("A b")
