"""What is forced costs nothing and changes nothing: the same texts, with the same chances, in fewer forward passes."""

from __future__ import annotations

import os
import random
from collections import Counter
from functools import cache

import pytest
import torch
from decoding.many_patterns import GROUPS
from toys import FixedLogits, byte_fallback_tokenizer, byte_level_tokenizer, random_model

from rellm_agents import Pattern, compile_regex, json_action
from rellm_agents.decoding import ConstrainedDecoder, TokenMasks
from rellm_agents.decoding.forward.allowed_tokens import AllowedTokens
from rellm_agents.decoding.generation import sequence as rows
from rellm_agents.decoding.generation.options import TextOptions
from rellm_agents.decoding.generation.sequence import TextSequence
from rellm_agents.decoding.spelling.tokenizer_spelling import Speller
from rellm_agents.patterns import literal, sequence

pytestmark = pytest.mark.usefixtures("one_thread")

SAMPLES = int(os.environ.get("DISTRIBUTION_SAMPLES", "1000"))
PROMPTS = ("a", "Question: how many?\nThought:", "é€ 你好", '{"action": ', "yes or no, ab ab ab", " ", "the the the", "\n")
PATTERNS = [pattern for group in GROUPS.values() for pattern in group.values()]
SPELLINGS = ("canonical", "any")
SEARCH = {"type": "object", "properties": {"query": {"type": "string"}, "exact": {"type": "boolean"}}, "required": ["query"]}


@cache
def decoder_of(seed: int = 0, *, fallback: bool = False) -> ConstrainedDecoder:
    tokenizer = byte_fallback_tokenizer() if fallback else byte_level_tokenizer()
    return ConstrainedDecoder(random_model(tokenizer, seed=seed), tokenizer, kept_bytes=0)


def least(decoder: ConstrainedDecoder, pattern: Pattern) -> int:
    masks = decoder.masks(pattern)
    return masks.tokens_needed(masks.start)


@pytest.mark.parametrize("fallback", [False, True])
@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_drafts_change_no_text(monkeypatch, spelling, temperature, fallback):
    """Two hundred prompts and patterns in all, with drafts and without, and token by token."""
    chance, decoder, found = random.Random(str((spelling, temperature, fallback))), decoder_of(fallback=fallback), []
    asked = [(chance.choice(PROMPTS), chance.choice(PATTERNS), chance.randrange(20), chance.randrange(1000)) for _ in range(25)]
    for drafts, keeps_prompts in ((rows.MAX_DRAFTS, True), (0, True), (0, False)):
        monkeypatch.setattr(rows, "MAX_DRAFTS", drafts)
        monkeypatch.setattr(decoder.engine.scorer, "keeps_prompts", keeps_prompts)
        found.append(
            [
                decoder.generate(p, q, max_new_tokens=least(decoder, q) + more, temperature=temperature, seed=seed, spelling=spelling)
                for p, q, more, seed in asked
            ]
        )
    for with_drafts, without, one_by_one in zip(*found, strict=True):
        assert with_drafts.text == without.text == one_by_one.text
        assert with_drafts.token_ids == without.token_ids == one_by_one.token_ids
        assert with_drafts.forward_passes <= without.forward_passes == one_by_one.forward_passes


def test_what_is_forced_takes_no_forward_pass():
    decoder, pattern = decoder_of(), compile_regex('[{]"action": "search", "action_input": (true|false)[}]')
    assert decoder.generate("a", compile_regex("Final Answer: 10"), max_new_tokens=20).forward_passes == 0
    assert decoder.generate("a", pattern, max_new_tokens=60).forward_passes == 1
    assert decoder.generate("a", pattern, max_new_tokens=60, spelling="any").forward_passes > 1


# The distribution

SMALL = ["(yes|no)", '"(ab|abc|aab)"', '[{]"action": "(search|query)"[}]', "[ab]{2,3}", "a(b|bc)?( the| a)?"]


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("regex", SMALL)
def test_texts_are_drawn_with_the_probabilities_of_the_model(regex, spelling):
    """By exact enumeration for a model whose logits depend on the last token alone; chi-square, not rejected at 0.001."""
    tokenizer = byte_level_tokenizer()
    table = torch.randn((7, len(tokenizer)), generator=torch.Generator().manual_seed(len(regex))) * 1.5
    decoder, pattern, budget = ConstrainedDecoder(FixedLogits(table), tokenizer), compile_regex(regex), 14
    expected = chances(decoder, pattern, table, budget) if spelling == "any" else spelled_chances(decoder, pattern, table, budget)
    assert sum(expected.values()) == pytest.approx(1)
    drawn: Counter[str] = Counter()
    for begin in range(0, SAMPLES, 200):
        seeds = list(range(begin, begin + 200))
        options = {"max_new_tokens": budget, "temperature": 1.0, "seed": seeds, "spelling": spelling, "healing": False}
        drawn.update(completion.text for completion in decoder.generate(["a"] * 200, pattern, **options))
    assert chi_square_fits(drawn, expected)


def chances(decoder, pattern, table, budget) -> Counter[str]:
    """Along all rows of tokens that the mask allows."""
    masks, found = decoder.masks(pattern), Counter()

    def go(state, last, data, chance, left):
        if state.is_final:
            found[data.decode()] += chance
            return
        ids = AllowedTokens.of(masks.bits(state, left), decoder.vocabulary.size).ids_allowed()
        probabilities = table[last % len(table)][ids].double().softmax(0).tolist()
        for token_id, probability in zip(ids.tolist(), probabilities, strict=True):
            if token_id in decoder.vocabulary.end_ids:
                found[data.decode()] += chance * probability
            else:
                more = decoder.vocabulary.token_bytes[token_id]
                go(masks.advance(state, token_id), token_id, data + more, chance * probability, left - 1)

    go(masks.start, ord("a"), b"", 1.0, budget)
    return found


class _Branch(Exception):
    """Here a token is chosen."""


def spelled_chances(decoder, pattern, table, budget) -> Counter[str]:
    """Along all choices that are made."""
    found, waiting = Counter(), [((), 1.0)]
    while waiting:
        script, chance = waiting.pop()
        row = TextSequence(
            decoder.masks(pattern),
            decoder.engine._speller,
            [ord("a")],
            TextOptions(max_new_tokens=budget, healing=False),
            seed=0,
        )
        left = iter(script)

        def choose(_at, allowed, row=row, left=left):
            ids = allowed.ids_allowed()
            if len(ids) == 1:
                return int(ids[0])
            chosen = next(left, None)
            if chosen is None:
                raise _Branch(ids, table[row.committed[-1] % len(table)][ids].double().softmax(0))
            return chosen

        try:
            while not row.is_finished:
                row.choose_next(choose)
            found[row.text] += chance
        except _Branch as branch:
            ids, probabilities = branch.args
            waiting += [((*script, i), chance * p) for i, p in zip(ids.tolist(), probabilities.tolist(), strict=True)]
    return found


def chi_square_fits(drawn: Counter[str], expected: Counter[str]) -> bool:
    """Whether the numbers are not unlikely at 0.001, by the cube root approximation (Wilson and Hilferty, 1931)."""
    total, statistic, cells = sum(drawn.values()), 0.0, 0
    assert set(drawn) <= set(expected)
    rare = [text for text, chance in expected.items() if chance * total < 5]
    groups = [[text] for text in expected if text not in rare] + ([rare] if rare else [])
    for group in groups:
        wanted = sum(expected[text] for text in group) * total
        statistic += (sum(drawn[text] for text in group) - wanted) ** 2 / max(wanted, 1e-9)
        cells += 1
    freedom = max(cells - 1, 1)
    deviation = ((statistic / freedom) ** (1 / 3) - (1 - 2 / (9 * freedom))) / (2 / (9 * freedom)) ** 0.5
    return deviation < 3.09


# What the pattern takes from the model


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_what_is_kept_is_the_probability_of_all_that_is_allowed(spelling):
    tokenizer = byte_level_tokenizer()
    table = torch.randn((7, len(tokenizer)), generator=torch.Generator().manual_seed(1))
    decoder, budget = ConstrainedDecoder(FixedLogits(table), tokenizer), 12
    for pattern in map(compile_regex, [*SMALL, "(?s:.)*"]):
        made = decoder.generate(
            "a", pattern, max_new_tokens=budget, temperature=1.0, seed=3, spelling=spelling, measure=["kept", "logprobs"]
        )
        masks = TokenMasks(pattern, decoder.vocabulary, spelling=spelling)
        state, last = masks.start, ord("a")
        assert len(made.kept) - len(made.token_ids) <= 1  # the end, if it was chosen
        assert all(one.free is None and not one.masked for one in made.logprobs[len(made.kept) :])  # forced behind the last choice
        assert spelling == "canonical" or len(made.kept) >= len(made.token_ids)  # else every token is a choice
        for at, kept in enumerate(made.kept):
            ids = AllowedTokens.of(masks.bits(state, budget - at), decoder.vocabulary.size).ids_allowed()
            assert kept == pytest.approx(float(table[last % 7].log_softmax(0)[ids].logsumexp(0)), abs=1e-4)
            if at < len(made.token_ids):
                last = made.token_ids[at]
                state = masks.advance(state, last)
        assert decoder.generate("a", pattern, max_new_tokens=budget).kept is None


# Spelling


@pytest.mark.parametrize("fallback", [False, True])
def test_known_texts_are_in_the_spelling_of_the_tokenizer(fallback):
    """All but those near the budget's end; no token that is right for one text begins another one that is written otherwise."""
    same = total = 0
    regex = r'\{"name": "(yes|no|abc)"(, "action": "(search|query)")?\}'
    for seed in range(30):
        decoder = decoder_of(seed % 3, fallback=fallback)
        completion = decoder.generate("how many?", compile_regex(regex), max_new_tokens=200, temperature=0.3, seed=seed)
        if completion.finish == "accepted":
            total += 1
            ids = decoder.tokenizer.encode("how many?" + completion.text, add_special_tokens=False)
            same += tuple(ids[len(ids) - len(completion.token_ids) :]) == completion.token_ids
    assert total > 10
    assert same == total


@pytest.mark.parametrize("fallback", [False, True])
def test_rows_are_those_of_the_tokenizer(fallback):
    decoder, chance, split = decoder_of(fallback=fallback), random.Random(0), 0
    encode = decoder.tokenizer.encode
    for _ in range(300):
        before, text = ("".join(chance.choices(["the", " a", '{"', '": "', "action", "é", "€", "x", " "], k=n)) for n in (3, 4))
        ids, whole = encode(before, add_special_tokens=False), encode(before + text, add_special_tokens=False)
        row = decoder.engine._speller.spell(ids, text.encode())
        if whole[: len(ids)] == ids:
            assert list(row) == whole[len(ids) :]
            split += 1
        assert b"".join(decoder.vocabulary.token_bytes[i] for i in row) in {text.encode(), b""}
    assert split > 30


def test_a_tokenizer_that_pads_and_cuts_its_calls_is_asked_without():
    tokenizer = byte_level_tokenizer()
    decoder = ConstrainedDecoder(random_model(tokenizer), tokenizer)
    tokenizer(["a", "abc"], padding="max_length", max_length=3, truncation=True)
    speller = Speller(tokenizer, decoder.vocabulary)
    assert speller.spell([ord("x")], b"the the the") == speller.spell([], b"the the the") != ()


def test_an_end_of_text_with_bytes_of_its_own_is_no_text():
    tokenizer = byte_level_tokenizer()
    table = torch.zeros(1, len(tokenizer))
    table[0, ord("\n")] = 9.0
    model = FixedLogits(table)
    model.generation_config.eos_token_id = [ord("\n")]
    completion = ConstrainedDecoder(model, tokenizer).generate("x", compile_regex("a(\nAction|b)?"), max_new_tokens=9)
    assert (completion.text, completion.finish) == ("a", "accepted")


# The end of the prompt


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_healed_prompt_is_one_that_ended_earlier(spelling):
    """What is written behind it is what would be written behind its certain tokens, if its end came first."""
    decoder, healed = decoder_of(), 0
    pattern = json_action({"search": SEARCH}).pattern
    for prompt in ("the {", "Thought: ", "a\n", "x {", "yes Hum", "é ", "the  ", "how"):
        for regex in (pattern, compile_regex(r'("action": "[a-z]*"\}|an: [a-z]*|[a-z ]*)')):
            row = TextSequence(
                decoder.masks(regex),
                decoder.engine._speller,
                decoder.tokenizer.encode(prompt),
                TextOptions(max_new_tokens=40, spelling=spelling),
                seed=0,
            )
            again = b"".join(decoder.vocabulary.token_bytes[i] for i in row._healed)
            if not again:
                continue
            healed += 1
            certain = decoder.tokenizer.decode(decoder.tokenizer.encode(prompt)[: -len(row._healed)])
            assert (certain.encode() + again).decode() == prompt
            whole = Pattern(sequence(literal(again), regex.node))
            for seed in range(4):
                options = {"seed": seed, "temperature": 1.0}
                ours = decoder.generate(prompt, regex, max_new_tokens=60, **options)
                longer = decoder.generate(certain, whole, max_new_tokens=60 + len(row._healed), healing=False, **options)
                assert longer.text.encode() == again + ours.text.encode()
                assert regex.fullmatch(decoder.generate(prompt, regex, max_new_tokens=60, spelling=spelling, **options).text)
    assert healed > 4


def test_a_token_across_the_end_of_the_prompt_is_chosen_if_the_model_wants_it():
    tokenizer = byte_level_tokenizer()
    wanted = tokenizer.encode(' {"', add_special_tokens=False)
    assert len(wanted) == 1
    table = torch.zeros(1, len(tokenizer))
    table[0, wanted[0]] = 9.0
    decoder = ConstrainedDecoder(FixedLogits(table), tokenizer)
    pattern = compile_regex(r'\{"[ab]"\}|[x-z]+')
    healed = decoder.generate("a ", pattern, max_new_tokens=9)
    assert (healed.token_ids[0], healed.healed, healed.text[:2]) == (wanted[0], " ", '{"')
    assert decoder.generate("a ", pattern, max_new_tokens=9, healing=False).healed == ""


def test_masks_say_what_a_token_may_span():
    masks = TokenMasks(compile_regex('a"(b|c)'), decoder_of().vocabulary)
    assert masks.goes_beyond(masks.start, b"a") is False
    masks = TokenMasks(compile_regex("(abc|ax)"), decoder_of().vocabulary)
    assert masks.goes_beyond(masks.start, b"a")
    assert not masks.goes_beyond(masks.start, b"abc")
    assert masks.start_with(b"") is masks.start
    assert masks.advance(masks.start_with(b"a"), ord("a")) is masks.start
