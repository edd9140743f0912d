"""Special tokens that a pattern names: each is one id, in masks, in texts of every budget and spelling, and in no other pattern."""

from __future__ import annotations

import os
import random
from functools import cache

import numpy as np
import pytest
import regex
import torch
from decoding.many_patterns import GROUPS
from decoding.masks.test_token_masks import allowed_ids, tried_ids, visited
from tokenizers import AddedToken
from toy_tokenizers import KINDS, with_added
from toys import END, FixedLogits, byte_level_tokenizer, one_thread, random_model, vocabulary_of
from transformers import PreTrainedTokenizerFast

from rellm_agents import Pattern
from rellm_agents.decoding import ConstrainedDecoder, ConstrainedLogitsProcessor, TokenMasks, Vocabulary
from rellm_agents.decoding.forward.allowed_tokens import AllowedTokens
from rellm_agents.decoding.generation.options import TextOptions
from rellm_agents.decoding.masks.pattern_masks import ENDED
from rellm_agents.errors import BudgetTooSmall, TokenRefused, VocabularyError
from rellm_agents.patterns import (
    choice,
    intersection,
    lexeme,
    literal,
    not_containing,
    optional,
    part,
    read_regex,
    repeat,
    rule,
    sequence,
    special_token,
)
from rellm_agents.patterns.ir.constructors import EMPTY

EVERY = int(os.environ.get("EVERY_BUDGET", "0"))
BEYOND = 20
"""Budgets from the least to this many tokens more; by default a few of them."""
MARKED = ("<|channel|>", "<|message|>", "<|chan|>", "[CALLS]", "<｜begin▁call｜>")
CHANNEL, MESSAGE, CHAN, CALLS, BEGIN_CALL = map(special_token, MARKED)
THE_END = special_token(END)
WORD = lexeme(read_regex("( ?(ab|yes|no|true))+"))  # in one piece, for tokenizers that write no word without its space
AB = lexeme(read_regex(" ?ab"))  # told apart however many follow each other
NESTED = rule("special nested", lambda: choice(WORD, sequence(CALLS, NESTED, MESSAGE)), special=True)

NAMING = {
    name: Pattern(node)
    for name, node in {
        "one": CHANNEL,
        "before text": sequence(CHANNEL, WORD),
        "after text": sequence(WORD, CHANNEL),
        "between": sequence(CHANNEL, WORD, MESSAGE, WORD, THE_END),
        "one begins another": choice(CHANNEL, CHAN, sequence(CHAN, CHANNEL, WORD)),
        "in a choice with text": repeat(choice(CHANNEL, AB, sequence(CHAN, MESSAGE)), 1, 5),
        "the end inside": sequence(WORD, THE_END, CALLS, WORD),
        "the end where the text may end": sequence(WORD, optional(sequence(THE_END, WORD)), repeat(THE_END, 0, 2)),
        "a set of literals": sequence(choice(*(sequence(CHANNEL, literal(w), MESSAGE) for w in ("a", "b", "ab")), CHAN), EMPTY),
        "in an automaton": lexeme(repeat(choice(sequence(CALLS, WORD), BEGIN_CALL), 2, 4)),
        "counted": repeat(choice(CALLS, BEGIN_CALL, AB), 30, 35),
        "nested": sequence(CHANNEL, NESTED),
        "in a part": sequence(part("thought", sequence(CHANNEL, repeat(WORD, 0, 1), THE_END)), optional(CALLS)),
    }.items()
}
every_naming = pytest.mark.parametrize("name", NAMING)
every_kind = pytest.mark.parametrize("kind", KINDS)


@cache
def marked(kind: str) -> PreTrainedTokenizerFast:
    """A toy of this kind with the special tokens added, the last one as markup that is not called special."""
    tokenizer = KINDS[kind]()
    tokenizer.add_tokens([AddedToken(text, special=text != MARKED[-1], normalized=False) for text in MARKED])
    return tokenizer


@cache
def decoder_of(kind: str) -> ConstrainedDecoder:
    tokenizer = marked(kind)
    return ConstrainedDecoder(FixedLogits(torch.zeros(1, len(tokenizer))), tokenizer)


def special_ids(tokenizer: PreTrainedTokenizerFast) -> dict[str, int]:
    return {text: tokenizer.convert_tokens_to_ids(text) for text in (*MARKED, END)}


@every_naming
def test_what_names_special_tokens_is_sampled_matched_and_printed(name):
    pattern = NAMING[name]
    for text in (pattern.shortest(), *(pattern.sample(seed) for seed in range(30))):
        assert pattern.fullmatch(text)
        assert regex.fullmatch(pattern.regex, text)
        assert all(pattern.begins(text[:i]) for i in range(len(text) + 1))
        assert not pattern.fullmatch(text + "<")
    assert set(pattern.special_tokens) <= {*MARKED, END}
    assert pattern.fingerprint not in {other.fingerprint for other in NAMING.values() if other is not pattern}


@every_kind
def test_a_mask_equals_trying_every_token(kind):
    vocabulary = Vocabulary.from_tokenizer(marked(kind), cache_dir=False)
    ids = special_ids(marked(kind))
    for name, pattern in NAMING.items():
        masks = TokenMasks(pattern, vocabulary)
        named = {ids[content] for content in pattern.special_tokens}
        for state in visited(masks, random.Random(name), steps=4):
            allowed = allowed_ids(masks, masks.bits(state))
            assert allowed == tried_ids(masks, state) != set(), name
            assert allowed & set(ids.values()) <= {*named, *(vocabulary.end_ids if state.accepting else ())}, name
            after = {i: 0 if (to := masks.advance(state, i)) is ENDED else masks.tokens_needed(to) for i in allowed}
            needed = masks.tokens_needed(state)
            for budget in (needed, needed + 1, needed + 5):
                assert allowed_ids(masks, masks.bits(state, budget)) == {i for i, more in after.items() if more < budget}, name
            with pytest.raises(BudgetTooSmall):
                masks.bits(state, needed - 1)


@every_kind
@pytest.mark.parametrize("spelling", ["canonical", "any"])
def test_texts_of_every_budget_match_and_their_special_tokens_are_single_ids(kind, spelling):
    decoder, chance = decoder_of(kind), random.Random(kind)
    ids = special_ids(marked(kind))
    for name, pattern in NAMING.items():
        masks = decoder.masks(pattern)
        least = masks.tokens_needed(masks.start)
        for budget in range(least, least + BEYOND + 1) if EVERY else {least, least + 1, least + chance.randrange(BEYOND)}:
            (row,) = decoder.engine.sequences([[0]], pattern, TextOptions(max_new_tokens=budget, seed=0, spelling=spelling, healing=False))
            while not row.is_finished:
                row.choose_next(lambda _, allowed: int(chance.choice(allowed.ids_allowed())))
            written = row.committed[1:]
            assert len(written) + (row.end_id is not None) <= budget, (name, budget)
            assert pattern.fullmatch(row.text), (name, row.text)
            assert row.text == b"".join(map(decoder.vocabulary.shown_bytes, written)).decode()
            shown = regex.findall("|".join(map(regex.escape, sorted(ids, key=len, reverse=True))), row.text)
            assert [ids[content] for content in shown] == [i for i in written if i in ids.values()], (name, row.text)


@pytest.mark.parametrize("kind", ["byte-level, split by a regex", "byte fallback"])
@pytest.mark.parametrize("spelling", ["canonical", "any"])
def test_streaming_equals_generate(kind, spelling):
    tokenizer = marked(kind)
    with one_thread():
        decoder = ConstrainedDecoder(random_model(tokenizer, seed=3), tokenizer)
        for name, pattern in NAMING.items():
            options = {"spelling": spelling, "max_new_tokens": 40, "temperature": 1.0, "seed": 5}
            whole = decoder.generate("yes ab", pattern, **options)
            assert "".join(decoder.stream("yes ab", pattern, **options)) == whole.text, name
            assert pattern.fullmatch(whole.text), name
            (batched, other) = decoder.generate(["yes ab", "no"], pattern, **options)
            assert (batched.text, pattern.fullmatch(other.text)) == (whole.text, True)
            decoded = tokenizer.decode([0, *whole.token_ids]).replace("\u2581", " ")  # in the content of a token it may be read as a space
            assert decoded.endswith(whole.text.lstrip().replace("\u2581", " ")), name


def test_forced_special_tokens_cost_no_pass():
    tokenizer = marked("byte-level")
    with one_thread():
        decoder = ConstrainedDecoder(random_model(tokenizer), tokenizer)
        pattern = Pattern(sequence(CHANNEL, literal("action"), MESSAGE, literal("query"), THE_END, CALLS))
        completion = decoder.generate("ab", pattern)
    assert (completion.text, completion.forward_passes) == (
        "<|channel|>action<|message|>query<|end|><|calls|>".replace("<|calls|>", "[CALLS]"),
        0,
    )
    assert list(completion.token_ids) == tokenizer.encode(completion.text, add_special_tokens=False)


def test_a_text_goes_on_behind_an_end_of_text_token_that_it_names_and_stops_at_another():
    vocabulary = Vocabulary([b"a", None, None], end_ids=[1, 2], special_tokens={1: "<call>", 2: "<end>"})
    masks = TokenMasks(
        Pattern(sequence(special_token("<call>"), literal("a"), optional(sequence(special_token("<call>"), literal("a"))))), vocabulary
    )
    after = masks.advance(masks.start, 1)
    assert after is not ENDED
    assert allowed_ids(masks, masks.bits(masks.start)) == {1}
    accepting = masks.advance(after, 0)
    assert allowed_ids(masks, masks.bits(accepting)) == {1, 2}
    assert masks.advance(accepting, 1) is masks.advance(accepting, 2) is ENDED  # where the text may end, either ends it
    with pytest.raises(TokenRefused, match="token 2 ends the text, which may not end here"):
        masks.advance(masks.start, 2)


@pytest.mark.parametrize("make", [lambda: marked("byte-level"), lambda: marked("byte fallback")])
def test_canonical_masks_and_plain_generate(make):
    tokenizer = make()
    ids = special_ids(tokenizer)
    vocabulary, chance = Vocabulary.from_tokenizer(tokenizer), random.Random(2)
    for name, pattern in NAMING.items():
        masks, plain = TokenMasks(pattern, vocabulary, spelling="canonical"), TokenMasks(pattern, vocabulary)
        left = masks.tokens_needed(masks.start) + 6
        state, inner, data = masks.start, plain.start, b""
        while not state.is_final and state is not ENDED:
            bits, wide = masks.bits(state, left), plain.bits(inner, left)
            assert bits.any(), name
            assert not (bits & ~wide).any(), name
            token_id = int(chance.choice(AllowedTokens(np.array(bits), vocabulary.size).ids_allowed().tolist()))
            state, inner, left = masks.advance(state, token_id), plain.advance(inner, token_id), left - 1
            data += b"" if state is ENDED else vocabulary.shown_bytes(token_id)
        assert pattern.fullmatch(data.decode()), name
    with one_thread():
        model = random_model(tokenizer)
        pattern = NAMING["before text"]
        inputs = tokenizer("yes ab", return_tensors="pt")["input_ids"]
        processor = ConstrainedLogitsProcessor(pattern, vocabulary, prompt_length=inputs.shape[1], max_new_tokens=30)
        made = model.generate(input_ids=inputs, max_new_tokens=30, logits_processor=[processor], do_sample=False)[
            0, inputs.shape[1] :
        ].tolist()
    assert made[0] == ids["<|channel|>"]
    assert pattern.fullmatch(b"".join(vocabulary.shown_bytes(i) for i in made if i not in vocabulary.end_ids).decode())


@pytest.mark.parametrize("group", GROUPS)
def test_no_pattern_that_names_none_allows_a_special_token(group):
    vocabulary = Vocabulary.from_tokenizer(marked("byte-level"))
    ids = {*special_ids(marked("byte-level")).values()} - {*vocabulary.end_ids}
    raw = {0xFE, 0xFF}
    for name, pattern in GROUPS[group].items():
        masks = TokenMasks(pattern, vocabulary)
        assert pattern.special_tokens == ()
        for state in visited(masks, random.Random(name), steps=3):
            assert not allowed_ids(masks, masks.bits(state)) & (ids | raw), name


def test_no_token_of_bytes_can_begin_or_end_a_special_token():
    pieces = [b"\xff", b"\xff<", b"<|x|>\xfe", b"\xfe", b"\xff<|x|>\xfe", b"<|x|>", b"|>\xfe"]
    tokens = [*vocabulary_of(pieces).token_bytes, None]
    vocabulary = Vocabulary(tokens, end_ids=[len(tokens) - 2], special_tokens={len(tokens) - 1: "<|x|>"})
    masks = TokenMasks(Pattern(sequence(special_token("<|x|>"), literal("<|x|>"))), vocabulary)
    assert allowed_ids(masks, masks.bits(masks.start)) == tried_ids(masks, masks.start) == {len(tokens) - 1}
    after = masks.advance(masks.start, len(tokens) - 1)
    assert allowed_ids(masks, masks.bits(after)) == tried_ids(masks, after) == {pieces.index(b"<|x|>"), len(pieces) + ord("<")}
    assert masks.tokens_needed(masks.start) == 3


def test_a_special_token_that_the_vocabulary_lacks_is_refused_and_similar_ones_are_named():
    vocabulary = Vocabulary.from_tokenizer(marked("byte-level"))
    with pytest.raises(
        VocabularyError, match=r"special token '<\|chanel\|>', which the vocabulary lacks; similar ones: '<\|channel\|>', '<\|chan\|>'"
    ):
        TokenMasks(Pattern(sequence(literal("a"), optional(special_token("<|chanel|>")))), vocabulary)
    with pytest.raises(VocabularyError, match="which the vocabulary lacks; similar ones: none at all"):
        TokenMasks(Pattern(special_token("zzz")), vocabulary)
    with pytest.raises(VocabularyError, match="the token 'covid' is no special token but text: write it as a literal"):
        TokenMasks(Pattern(special_token("covid")), Vocabulary.from_tokenizer(with_added("covid")))


def test_special_tokens_of_words_are_named_like_others():
    tokenizer = with_added("word", "  ", special=True)
    masks = TokenMasks(Pattern(special_token("word")), Vocabulary.from_tokenizer(tokenizer))
    assert allowed_ids(masks, masks.bits(masks.start)) == {tokenizer.convert_tokens_to_ids("word")}


@pytest.mark.parametrize(
    ("special_tokens", "message"),
    [
        ({5: "<x>"}, r"special token 5 \('<x>'\) is not in the vocabulary of 2 entries"),
        ({0: "<x>"}, r"special token 0 \('<x>'\): it has a content, and writes no text such as b'a'"),
        ({1: ""}, r"special token 1 \(''\): it has a content"),
    ],
)
def test_what_is_no_special_token_is_refused(special_tokens, message):
    with pytest.raises(VocabularyError, match=message):
        Vocabulary([b"a", None], end_ids=[1], special_tokens=special_tokens)


def test_a_vocabulary_from_disk_names_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr("rellm_agents.decoding.vocabulary.vocabulary.MIN_KEPT", 10)
    tokenizer = marked("byte-level")
    made, kept = (Vocabulary.from_tokenizer(tokenizer, cache_dir=tmp_path) for _ in range(2))
    assert len([*tmp_path.glob("vocabularies/*")]) == 1
    assert dict(made.special_tokens) == dict(kept.special_tokens) == {id_: text for text, id_ in special_ids(tokenizer).items()}
    smaller = Vocabulary.from_tokenizer(tokenizer, cache_dir=tmp_path, size=300)
    assert dict(smaller.special_tokens) == {256: END}
    for vocabulary in (made, kept):
        masks = TokenMasks(NAMING["one"], vocabulary)
        assert allowed_ids(masks, masks.bits(masks.start)) == {special_ids(tokenizer)["<|channel|>"]}


def test_stop_strings_and_healing_are_as_before():
    tokenizer = byte_level_tokenizer()
    tokenizer.add_tokens([AddedToken(text, special=True, normalized=False) for text in MARKED])
    with one_thread():
        decoder = ConstrainedDecoder(random_model(tokenizer), tokenizer)
        pattern = Pattern(sequence(literal(" the"), CHANNEL, literal("action"), MESSAGE))
        stopped = decoder.generate("ab", pattern, stop=["ion"])
        assert (stopped.text, stopped.finish) == (" the<|channel|>act", "stopped")
        assert decoder.generate("ab", pattern, stop=["<|mess"]).text == " the<|channel|>action"
        healed = decoder.generate("ab ", Pattern(sequence(literal("the"), CHANNEL)))
        assert healed.text == "the<|channel|>"


@pytest.mark.model
def test_smollm2_writes_its_own_special_tokens():
    from rellm_agents.decoding import smollm2  # noqa: PLC0415 - the real model

    model, tokenizer = smollm2(progress=False)
    decoder = ConstrainedDecoder(model, tokenizer)
    start, end = special_token("<|im_start|>"), special_token("<|im_end|>")
    free = intersection(read_regex("(?s:.){1,60}"), not_containing("<|"))
    pattern = Pattern(sequence(free, end, literal("\n"), start, literal("user\n"), free, end))
    prompt = "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n"
    for spelling in ("canonical", "any"):
        completion = decoder.generate(prompt, pattern, spelling=spelling, max_new_tokens=60)
        assert pattern.fullmatch(completion.text)
        assert "Paris" in completion.text
        assert [t for t in tokenizer.convert_ids_to_tokens(completion.token_ids) if t.startswith("<|")] == [
            "<|im_end|>",
            "<|im_start|>",
            "<|im_end|>",
        ]
        assert tokenizer.decode(completion.token_ids) == completion.text
