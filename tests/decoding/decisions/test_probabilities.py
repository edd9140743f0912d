"""Probabilities of options: those that the model gives to every token of each, whatever is read together, from a cache, or only once."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator, Sequence
from functools import cache

import pytest
import torch
from toys import byte_fallback_tokenizer, byte_level_tokenizer, random_model

from rellm_agents import compile_regex, compile_schema
from rellm_agents.decoding import ConstrainedDecoder, Decision
from rellm_agents.decoding.decisions import row_tree
from rellm_agents.decoding.decisions.pattern_texts import MAX_OPTIONS, finite_texts
from rellm_agents.errors import PatternTooLarge, VocabularyError
from rellm_agents.patterns import Pattern, literal, sequence, special_token

pytestmark = pytest.mark.usefixtures("one_thread")

TOKENIZERS = {"byte-level": byte_level_tokenizer, "byte fallback": byte_fallback_tokenizer}
KINDS = ("llama", "gpt2", "mistral", "qwen2", "gemma", "mamba", "t5")
PROMPTS = ("Question: is it?\nAnswer: ", "ab ab the ", "é€ 你好\nAction: ", "a a", '{"action": "', "Thought: yes\n")
WORDS = ("yes", "no", "not", "sure", "the", " a", "ab", "abc", "aab", "é", "€", "10", "1", "0", "true", " ", "-", "Final", "\n", "q")


@cache
def decoder_of(kind: str = "llama", tokenizer: str = "byte-level", *, seed: int = 0, kept_bytes: int = 1 << 20) -> ConstrainedDecoder:
    """Of a toy model in float64."""
    made = TOKENIZERS[tokenizer]()
    return ConstrainedDecoder(random_model(made, kind=kind, seed=seed).double(), made, kept_bytes=kept_bytes)


def some_options(chance: random.Random, *, longest: int = 4) -> list[str]:
    """Different texts, some of them the beginning of others."""
    found = dict.fromkeys("".join(chance.choices(WORDS, k=chance.randint(1, longest))) for _ in range(chance.randint(1, 9)))
    for text in [*found]:
        if chance.random() < 0.3:
            found[text + chance.choice(WORDS)] = None
    return list(found)


def of_row(decoder: ConstrainedDecoder, prompt: Sequence[int], row: Sequence[int]) -> float:
    """The log probability of some tokens and the end of the text, from one pass over all of them, without a cache."""
    model, ends = decoder.model, list(decoder.vocabulary.end_ids)
    with torch.inference_mode():
        if model.config.is_encoder_decoder:
            start = model.generation_config.decoder_start_token_id
            logits = model(input_ids=torch.tensor([[*prompt]]), decoder_input_ids=torch.tensor([[start, *row]])).logits[0]
        else:
            logits = model(input_ids=torch.tensor([[*prompt, *row]])).logits[0, len(prompt) - 1 :]
    logs = torch.log_softmax(logits, dim=-1)
    return math.fsum(float(logs[at, id_]) for at, id_ in enumerate(row)) + float(torch.logsumexp(logs[len(row), ends], 0))


def rows_of(decoder: ConstrainedDecoder, prompt: str, options: Sequence[str]) -> tuple[list[int], list[list[int]]]:
    """The tokens of a prompt that stay whichever option follows, and those of each option, as the tokenizer writes both together."""
    ids = encoded(decoder, prompt)
    if decoder.model.config.is_encoder_decoder:
        return ids, [encoded(decoder, option) for option in options]
    whole = [encoded(decoder, prompt + option) for option in options]
    same = min(next((i for i, (a, b) in enumerate(zip(ids, one, strict=False)) if a != b), len(ids)) for one in whole)
    return ids[:same], [one[same:] for one in whole]


def encoded(decoder: ConstrainedDecoder, text: str) -> list[int]:
    return decoder.tokenizer.encode(text, add_special_tokens=False)


def close(found: Iterable[float], wanted: Iterable[float], *, within: float = 1e-6) -> bool:
    return all(math.isclose(a, b, rel_tol=within, abs_tol=within) for a, b in zip(found, wanted, strict=True))


def check_distribution(decision: Decision) -> None:
    """What is said of the probabilities follows from them."""
    values = sorted(decision.probabilities.values(), reverse=True)
    assert math.isclose(sum(values), 1)
    assert decision.probabilities[decision.best] == values[0]
    assert -1e-9 <= decision.entropy <= math.log(len(values)) + 1e-9
    assert math.isclose(decision.margin, values[0] - (values[1] if len(values) > 1 else 0))


# Equal to brute force


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tokenizer", TOKENIZERS)
def test_each_option_has_the_probability_of_all_its_tokens(kind, tokenizer):
    """More than 200 option sets in all; the decoder keeps what it has read of the sets before."""
    decoder, chance = decoder_of(kind, tokenizer), random.Random(f"{kind} {tokenizer}")
    for _ in range(16):
        prompt, options = chance.choice(PROMPTS), some_options(chance)
        decision = decoder.probabilities(prompt, options)
        before, rows = rows_of(decoder, prompt, options)
        assert close(decision.log_probabilities, [of_row(decoder, before, row) for row in rows]), options
        assert decision.options == tuple(options)
        check_distribution(decision)


def every_row(decoder: ConstrainedDecoder, data: bytes) -> Iterator[list[int]]:
    """All rows of tokens that write a text, by trying every token."""
    if not data:
        yield []
    for id_, piece in enumerate(decoder.vocabulary.token_bytes):
        if piece and data.startswith(piece):
            yield from ([id_, *row] for row in every_row(decoder, data[len(piece) :]))


@pytest.mark.parametrize(
    ("kind", "tokenizer"), [("llama", "byte-level"), ("gpt2", "byte fallback"), ("mamba", "byte-level"), ("t5", "byte-level")]
)
def test_all_rows_of_tokens_are_added(kind, tokenizer):
    decoder, chance = decoder_of(kind, tokenizer), random.Random(kind)
    for _ in range(4):
        prompt, options = chance.choice(PROMPTS), some_options(chance, longest=2)[:4]
        decision = decoder.probabilities(prompt, options, tokenizations="all", healing=False)
        ids, wanted = encoded(decoder, prompt), []
        for option in options:
            logs = [of_row(decoder, ids, row) for row in every_row(decoder, option.encode())]
            wanted.append(math.log(math.fsum(map(math.exp, logs))))
        assert close(decision.log_probabilities, wanted), options
        canonical = decoder.probabilities(prompt, options, healing=False)
        assert all(a >= b - 1e-6 for a, b in zip(decision.log_probabilities, canonical.log_probabilities, strict=True))


@pytest.mark.parametrize("kind", ["llama", "mistral", "mamba", "t5"])
def test_a_calibrated_decision_is_what_the_prompt_adds_to_an_empty_one(kind):
    decoder, chance = decoder_of(kind), random.Random(kind)
    for calibrate in (True, "Text: \nAnswer: "):
        for _ in range(6):
            options = some_options(chance)
            empty = decoder.tokenizer.eos_token if calibrate is True else calibrate  # toys have no token for the beginning
            alone = decoder.probabilities("Text: yes!\nAnswer: ", options, healing=False)
            decision = decoder.probabilities("Text: yes!\nAnswer: ", options, calibrate=calibrate, healing=False)
            without = [math.exp(a - b) for a, b in zip(decision.log_probabilities, decision.empty_log_probabilities, strict=True)]
            assert close(decision.probabilities.values(), [one / math.fsum(without) for one in without])
            assert close(decision.log_probabilities, alone.log_probabilities)
            assert close(decision.empty_log_probabilities, decoder.probabilities(empty, options, healing=False).log_probabilities)
            check_distribution(decision)


# However they are asked for


@pytest.mark.parametrize("kind", KINDS)
def test_decisions_in_a_batch_are_those_made_alone(kind):
    """In float32: in float64 transformers' Gemma gives no numbers for a padded batch."""
    chance, tokenizer = random.Random(kind), byte_level_tokenizer()
    model, options = random_model(tokenizer, kind=kind), some_options(chance)
    prompts = [*PROMPTS, *(f"{'the ab ' * 40}{text}" for text in PROMPTS[:3])]
    alone = [ConstrainedDecoder(model, tokenizer, kept_bytes=0).probabilities(prompt, options) for prompt in prompts]
    for kept_bytes in (0, 1 << 20):
        decoder = ConstrainedDecoder(model, tokenizer, kept_bytes=kept_bytes)
        for _ in range(2):
            for one, other in zip(decoder.probabilities(prompts, options), alone, strict=True):
                assert close(one.log_probabilities, other.log_probabilities, within=1e-4)


def test_many_branches_are_read_in_several_passes(monkeypatch):
    decoder, chance = decoder_of(), random.Random(5)
    options = sorted({text for _ in range(4) for text in some_options(chance)})
    wanted = decoder.probabilities(PROMPTS[0], options)
    for name, bound in (("MAX_TOKENS", 7), ("MAX_CACHE_BYTES", 1)):
        monkeypatch.setattr(row_tree, name, bound)
        decision = decoder.probabilities(PROMPTS[0], options)
        assert decision.forward_passes > wanted.forward_passes == 2
        assert close(decision.log_probabilities, wanted.log_probabilities)
        monkeypatch.undo()


@cache
def counted(kind: str) -> tuple[ConstrainedDecoder, list[tuple[int, int]]]:
    """A decoder, and the shapes of what its model reads."""
    decoder, read = ConstrainedDecoder(random_model(byte_level_tokenizer(), kind=kind), byte_level_tokenizer()), list[tuple[int, int]]()
    decoder.model.register_forward_hook(lambda module, args, given, output: read.append(tuple(given["input_ids"].shape)), with_kwargs=True)
    decoder.model.get_output_embeddings().register_forward_hook(lambda *_: None)
    return decoder, read


def test_prompts_and_what_options_begin_with_are_read_once():
    decoder, read = counted("llama")
    prompt, options = "the ab yes no\n" * 20, ["abcyes", "abcno", "abcnotrue"]
    first = decoder.probabilities(prompt, options)
    assert first.forward_passes == len(read) == 2
    assert read[0] == (1, first.prompt_tokens + 1)  # with abc
    assert read[1] == (2, 2)
    read.clear()
    decoder.probabilities(prompt, ["yes", "no", "true"])
    assert read == [(1, 1), (3, 1)]
    read.clear()
    decoder.probabilities([f"{prompt}{'10 ' * 50}{word}: " for word in ("true", "false", "null")], ["yes", "no"])
    assert len(read) == 3
    assert read[0][0] == 1
    assert read[1][1] < 10
    read.clear()
    only = decoder.probabilities("Is it? ", ["yes"])
    assert (only.probabilities, only.forward_passes, len(read)) == ({"yes": 1.0}, 1, 1)


# Patterns


def test_the_texts_of_a_pattern_are_its_options():
    decoder = decoder_of()
    few = compile_schema({"type": ["string", "null", "integer"], "enum": ["yes", "no", None, 10]})
    for pattern in (compile_regex("not (sure|yet)|no"), compile_regex("[ab]{1,3}"), few):
        decision = decoder.probabilities(PROMPTS[0], pattern)
        assert all(map(pattern.fullmatch, decision.options))
        assert close(decision.log_probabilities, decoder.probabilities(PROMPTS[0], decision.options).log_probabilities)
    assert len(finite_texts(compile_regex("[ab]{1,3}"), 14)) == 2 + 4 + 8
    with pytest.raises(PatternTooLarge, match="at most 13 texts"):
        finite_texts(compile_regex("[ab]{1,3}"), 13)


def test_a_special_token_may_stand_in_the_texts_of_a_pattern():
    decoder = decoder_of()
    ends = special_token(decoder.tokenizer.eos_token)
    decision = decoder.probabilities(PROMPTS[0], Pattern(sequence(literal("yes"), ends)))
    ids = encoded(decoder, PROMPTS[0] + "yes")
    assert close(decision.log_probabilities, [of_row(decoder, encoded(decoder, PROMPTS[0]), [ids[-1], decoder.tokenizer.eos_token_id])])


# Bad input


@pytest.mark.parametrize(
    ("options", "how", "error", "message"),
    [
        ([], {}, ValueError, "no options"),
        ("yes", {}, TypeError, "options='yes': a Pattern or a list of str, not a str"),
        (["yes", "no", "yes"], {}, ValueError, "options 0 and 2 are both 'yes', so they cannot be told apart"),
        (["yes", 3], {}, TypeError, r"options=\['yes', 3\]: a Pattern or a list of str"),
        ([str(i) for i in range(MAX_OPTIONS + 1)], {}, ValueError, f"{MAX_OPTIONS + 1} options, and a decision has at most {MAX_OPTIONS}"),
        (compile_regex("no+"), {}, PatternTooLarge, f"at most {MAX_OPTIONS} texts, and this one has more, such as 'no', 'noo'"),
        (compile_regex("[a-z]{4}"), {}, PatternTooLarge, f"at most {MAX_OPTIONS} texts"),
        (Pattern(literal("a" * 70_000)), {}, PatternTooLarge, "at most 65536 bytes"),
        (["ab" * 40, "no"], {"tokenizations": "all"}, ValueError, "'abab.*' can be written with [0-9]+ rows of tokens.* at most 4096"),
        (["yes", "no"], {"tokenizations": "some"}, ValueError, "tokenizations='some': one of 'canonical', 'all'"),
        (["yes", "<|end|>"], {}, VocabularyError, "writes no text '<|end|>'"),
    ],
)
def test_bad_options_are_refused_before_the_first_pass(monkeypatch, options, how, error, message):
    decoder = decoder_of()
    monkeypatch.setattr(type(decoder.model), "forward", lambda *_args, **_options: pytest.fail("the model was called"))
    with pytest.raises(error, match=message):
        decoder.probabilities("Is it? ", options, **how)
