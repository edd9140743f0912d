"""Texts of which only some special tokens are meant: exact for every kind of tokenizer."""

from __future__ import annotations

import random

import pytest
from tokenizers import AddedToken
from toy_tokenizers import KINDS, with_added

from rellm_agents.decoding.spelling import framed_tokenizer_of

ADDED = [
    AddedToken("<|start|>", special=True, normalized=False),
    AddedToken("<|stop|>", special=True, normalized=False, rstrip=True),
    AddedToken("[L]", special=True, normalized=False, lstrip=True),
    AddedToken("<W>", special=True, single_word=True),
    AddedToken("<tool>", normalized=True),
    AddedToken("10", special=True, normalized=False),  # some models have it too
]
WORDS = ["ab", "yes no", " ", "  ", "\n", "é€", "1", "0 10", "covid", "word", " Yes", " action ", '{"query": 1}', "<", "|>", "\t\t", "a"]


def made(kind):
    tokenizer = KINDS[kind]()
    tokenizer.add_tokens(ADDED)
    framed = framed_tokenizer_of(tokenizer)
    return tokenizer, framed, {tokenizer.convert_tokens_to_ids(one) for one in framed.contents} - {tokenizer.unk_token_id}


def texts(framed, count=120):
    chance = random.Random(count)
    return ["".join(chance.choices([*WORDS, *sorted(framed.contents) * 2], k=chance.randrange(12))) for _ in range(count)]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_found_is_what_the_tokenizer_reads_and_ids_are_the_same(kind):
    tokenizer, framed, special = made(kind)
    for text in texts(framed):
        expected, found = tokenizer.encode(text, add_special_tokens=False), framed.find(text)
        ids = [tokenizer.convert_tokens_to_ids(one.content) for one in found]
        assert [id_ for id_ in ids if id_ in special] == [id_ for id_ in expected if id_ in special], text
        assert framed.encode(text, found) == expected, text


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_frame_is_read_as_tokens(kind):
    tokenizer, framed, special = made(kind)
    chance = random.Random(kind)
    for text in texts(framed):
        frame = [one for one in framed.find(text) if chance.random() < 0.5]
        ids = framed.encode(text, frame)
        wanted = [tokenizer.convert_tokens_to_ids(one.content) for one in frame]
        assert [id_ for id_ in ids if id_ in special] == [id_ for id_ in wanted if id_ in special], text


def test_tokens_that_are_added_later_are_known():
    tokenizer = with_added("<one>")
    before = framed_tokenizer_of(tokenizer)
    assert framed_tokenizer_of(tokenizer) is before
    tokenizer.add_tokens(["<two>"])
    assert [one.content for one in framed_tokenizer_of(tokenizer).find("<one><two>")] == ["<one>", "<two>"]


def test_an_added_word_stays_one_token():
    tokenizer = with_added("covid", "    ", "<one>")
    framed = framed_tokenizer_of(tokenizer)
    assert framed.encode("    covid<one>", []) == tokenizer.encode("    covid")[:2] + tokenizer.encode("<") + tokenizer.encode("one>")
