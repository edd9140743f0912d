"""The bytes of tokens: what is read of a tokenizer is what the tokenizer decodes."""

from __future__ import annotations

import json
import random

import pytest
from tokenizers import Tokenizer
from toys import END, PIECES, byte_fallback_tokenizer, byte_level_tokenizer, word_piece_tokenizer
from transformers import PreTrainedTokenizerFast

from rellm_agents.decoding import Vocabulary
from rellm_agents.errors import VocabularyError

TEXTS = (
    "",
    " ",
    "a",
    " a b ",
    '{"action": "search", "action_input": {"query": "€uro"}}\n',
    "é€ 你好 😀 \x00\x7f\u2028",
    "tab\tand\r\nline",
    "  two  spaces",
    "\u2581",
)
TOKENIZERS = {
    "byte-level": byte_level_tokenizer,
    "byte-level, bytes only": lambda: byte_level_tokenizer([]),
    "byte fallback": byte_fallback_tokenizer,
    "byte fallback, bytes and letters only": lambda: byte_fallback_tokenizer([]),
}


@pytest.fixture(params=TOKENIZERS.values(), ids=TOKENIZERS)
def tokenizer(request) -> PreTrainedTokenizerFast:
    return request.param()


def test_what_is_encoded_is_spelled(tokenizer):
    vocabulary = Vocabulary.from_tokenizer(tokenizer)
    for text in TEXTS[:-1]:
        assert spelled(vocabulary, tokenizer.encode(text, add_special_tokens=False)) == text.encode()


def test_what_is_spelled_is_what_the_tokenizer_decodes(tokenizer):
    vocabulary, chance = Vocabulary.from_tokenizer(tokenizer), random.Random(0)
    writable = [i for i, data in enumerate(vocabulary.token_bytes) if data]
    for _ in range(200):
        ids = chance.choices(writable, k=chance.randint(1, 6))
        data = spelled(vocabulary, ids)
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            continue  # tokenizers replace what is no character, each in its own way
        assert tokenizer.decode(ids) == text


def test_every_token_but_the_special_ones_writes_text(tokenizer):
    vocabulary = Vocabulary.from_tokenizer(tokenizer)
    assert vocabulary.size == len(tokenizer)
    assert {i for i, data in enumerate(vocabulary.token_bytes) if not data} == set(tokenizer.all_special_ids)
    assert vocabulary.spells_every_text
    assert vocabulary.end_ids == (tokenizer.eos_token_id,)


def test_the_pieces_of_the_toys_are_tokens():
    byte_level, byte_fallback = (Vocabulary.from_tokenizer(made()).token_bytes for made in (byte_level_tokenizer, byte_fallback_tokenizer))
    assert set(PIECES) <= set(byte_level)
    assert {b"action_input"[:6], b'{"query": "', b"    "} <= set(byte_fallback)
    assert byte_fallback.count(b"a") == 2  # a letter, and the byte behind it


def test_a_tokenizer_that_begins_every_text_with_a_space_is_read():
    """As those of Llama 2, Mistral 7B and TinyLlama do."""
    tokenizer = byte_fallback_tokenizer(prefix_space=True)
    vocabulary = Vocabulary.from_tokenizer(tokenizer)
    for text in TEXTS[1:-1]:
        assert spelled(vocabulary, tokenizer.encode(text, add_special_tokens=False)) == b" " + text.encode()


def test_ids_may_be_left_out():
    made = json.loads(byte_level_tokenizer([b"ab"]).backend_tokenizer.to_str())
    made["model"]["vocab"]["ab"] = 300
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(json.dumps(made)), eos_token=END)
    vocabulary = Vocabulary.from_tokenizer(tokenizer)
    assert (vocabulary.size, vocabulary.token_bytes[256:300], vocabulary.token_bytes[300]) == (301, (None,) * 44, b"ab")


def test_added_tokens_write_no_text():
    tokenizer = byte_level_tokenizer()
    tokenizer.add_tokens(["<think>"])
    vocabulary = Vocabulary.from_tokenizer(tokenizer)
    assert vocabulary.token_bytes[tokenizer.convert_tokens_to_ids("<think>")] is None


def test_a_tokenizer_whose_runs_of_spaces_are_added_tokens_is_read():
    """As those of GPT-NeoX and Phi-2 are, and Gemma's runs of spaces and line ends."""
    tokenizer = byte_level_tokenizer([b"ab"])
    tokenizer.add_tokens(["  "])
    assert Vocabulary.from_tokenizer(tokenizer).size == 259


@pytest.mark.parametrize("given", [[5], [5, 7, 5]])
def test_end_ids_can_be_given(given):
    vocabulary = Vocabulary.from_tokenizer(byte_level_tokenizer(), end_ids=given)
    assert vocabulary.end_ids == tuple(sorted(set(given)))
    assert 5 not in vocabulary.trie.tokens_at(vocabulary.trie.child(0, 5))


def test_a_tokenizer_without_an_end_is_refused():
    tokenizer = byte_level_tokenizer()
    tokenizer.eos_token = None
    with pytest.raises(VocabularyError, match=r"no end-of-text token: set tokenizer\.eos_token"):
        Vocabulary.from_tokenizer(tokenizer)


@pytest.mark.parametrize("end_id", [-1, 3, 10**6])
def test_an_end_outside_the_vocabulary_is_refused(end_id):
    with pytest.raises(VocabularyError, match=f"end-of-text id {end_id} is not in the vocabulary of 3 entries"):
        Vocabulary([b"a", b"b", None], end_ids=[end_id])


def test_a_slow_tokenizer_is_refused():
    class Slow:
        pass

    with pytest.raises(VocabularyError, match="Slow is not a fast tokenizer: load it with AutoTokenizer"):
        Vocabulary.from_tokenizer(Slow())


def test_a_tokenizer_of_another_kind_is_refused():
    with pytest.raises(VocabularyError, match=r"cannot be read: .* byte-level BPE and SentencePiece"):
        Vocabulary.from_tokenizer(word_piece_tokenizer())


def test_a_tokenizer_that_changes_the_text_is_refused():
    made = json.loads(byte_level_tokenizer().backend_tokenizer.to_str())
    made["normalizer"] = {"type": "Lowercase"}
    made["pre_tokenizer"] = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(json.dumps(made)), eos_token=END)
    with pytest.raises(VocabularyError, match="misread: "):
        Vocabulary.from_tokenizer(tokenizer)


@pytest.mark.parametrize(
    ("single", "complete"),
    [
        (range(256), True),
        ([*range(0xC0), *range(0xC2, 0xF5)], True),
        (range(128), False),
        ([*range(ord("a")), *range(ord("b"), 256)], False),
    ],
)
def test_every_text_is_spelled_where_every_byte_of_utf8_is_a_token(single, complete):
    assert Vocabulary([*(bytes([b]) for b in single), b"ab", None], end_ids=[len(list(single)) + 1]).spells_every_text == complete


def spelled(vocabulary: Vocabulary, ids: list[int]) -> bytes:
    return b"".join(vocabulary.token_bytes[i] or b"<?>" for i in ids)
