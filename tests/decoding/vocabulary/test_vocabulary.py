"""The bytes of tokens: what is read of a tokenizer of any kind is what the tokenizer decodes."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from decoding.many_patterns import GROUPS
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models
from toy_tokenizers import KINDS, MARK, with_added, with_decoder, word_piece
from toys import END, PIECES, byte_fallback_tokenizer, byte_level_tokenizer
from transformers import PreTrainedTokenizerFast
from transformers.utils import is_mistral_common_available

from rellm_agents.decoding import TokenMasks, Vocabulary
from rellm_agents.decoding.forward.allowed_tokens import AllowedTokens
from rellm_agents.decoding.vocabulary.bitmask import unpacked
from rellm_agents.decoding.vocabulary.vocabulary import TokenBytes
from rellm_agents.errors import TokenRefused, VocabularyError

ANCHOR = "a"  # a token of every toy


@pytest.fixture(params=KINDS.values(), ids=KINDS)
def tokenizer(request) -> PreTrainedTokenizerFast:
    return request.param()


def test_what_is_spelled_is_what_the_tokenizer_decodes_after_other_text(tokenizer):
    vocabulary, chance, judged = Vocabulary.from_tokenizer(tokenizer), random.Random(0), 0
    anchor = tokenizer.convert_tokens_to_ids(ANCHOR)
    written = [i for i, data in enumerate(vocabulary.token_bytes) if data]
    for _ in range(1_000):
        ids = chance.choices(written, k=chance.randint(1, 6))
        try:
            text = spelled(vocabulary, ids).decode("utf-8")
        except UnicodeDecodeError:
            continue  # tokenizers replace what is no character, each in its own way
        assert tokenizer.decode([anchor, *ids]) == ANCHOR + text
        judged += 1
    assert judged > 100


def test_parts_of_characters_are_spelled(tokenizer):
    """Every character that single bytes write, one of each lead byte."""
    vocabulary = Vocabulary.from_tokenizer(tokenizer)
    anchor, of_byte = tokenizer.convert_tokens_to_ids(ANCHOR), {data: i for i, data in enumerate(vocabulary.token_bytes)}
    for code in (*range(0x80, 0x800, 61), *range(0x800, 0xD800, 2_003), *range(0xE000, 0x110000, 30_011)):
        ids = [of_byte.get(bytes([byte])) for byte in chr(code).encode()]
        if None in ids:
            assert not vocabulary.spells_every_text
            continue
        assert tokenizer.decode([anchor, *ids]) == ANCHOR + chr(code)


def test_special_unknown_and_missing_tokens_are_not_written(tokenizer):
    vocabulary, added = Vocabulary.from_tokenizer(tokenizer), tokenizer.added_tokens_decoder
    present = set(tokenizer.get_vocab().values())
    assert vocabulary.size == max(present) + 1
    denied = {i for i, data in enumerate(vocabulary.token_bytes) if data is None}
    unknown = {i for text, i in tokenizer.get_vocab().items() if text in ("<unk>", "[UNK]")}
    markup = {i for i, token in added.items() if token.special or token.content.startswith(("<", "["))}
    empty = {i for i in present - denied if vocabulary.token_bytes[i] == b""}
    assert denied - {i for i in present if not decoded_after(tokenizer, i)} == {*range(vocabulary.size)} - present | unknown | markup
    assert not empty
    assert vocabulary.end_ids == (tokenizer.eos_token_id,)


def test_a_mask_equals_trying_every_token_and_what_is_allowed_is_decoded_to_the_pattern(tokenizer):
    vocabulary, masked = Vocabulary.from_tokenizer(tokenizer), 0
    anchor = tokenizer.convert_tokens_to_ids(ANCHOR)
    for name, pattern in GROUPS["hand_written"].items():
        try:
            masks = TokenMasks(pattern, vocabulary)
        except VocabularyError:
            assert not vocabulary.spells_every_text
            continue
        state, ids, chance = masks.start, [], random.Random(name)
        for left in range(masks.tokens_needed(state) + 4, 0, -1):
            allowed = allowed_ids(masks.bits(state), vocabulary.size)
            assert allowed == {i for i in range(vocabulary.size) if takes(masks, state, i)}, name
            following = sorted(allowed_ids(masks.bits(state, left), vocabulary.size))
            if (token_id := chance.choice(following)) in vocabulary.end_ids:
                break
            state = masks.advance(state, token_id)
            ids.append(token_id)
        assert masks.is_accepting(state)
        assert pattern.fullmatch(tokenizer.decode([anchor, *ids]).removeprefix(ANCHOR)), name
        masked += 1
    assert masked > 5


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.startswith(("byte-level", "byte fallback", "Unigram, byte"))])
def test_tokenizers_with_bytes_spell_every_text(kind):
    assert Vocabulary.from_tokenizer(KINDS[kind]()).spells_every_text


@pytest.mark.parametrize("text", ["", " ", " a b ", '{"q": "€uro"}\n', "é€ 你好 😀 \x00\x7f\u2028", "tab\tand\r\nline", "  two  spaces"])
@pytest.mark.parametrize("kind", ["byte-level", "byte-level, split by a regex", "byte fallback", "byte-level, spaces and words added"])
def test_what_is_encoded_is_spelled(kind, text):
    tokenizer = KINDS[kind]()
    assert spelled(Vocabulary.from_tokenizer(tokenizer), tokenizer.encode(text, add_special_tokens=False)) == text.encode()


def test_the_pieces_of_the_toys_are_tokens():
    byte_level, byte_fallback = (Vocabulary.from_tokenizer(made()).token_bytes for made in (byte_level_tokenizer, byte_fallback_tokenizer))
    assert set(PIECES) <= set(byte_level)
    assert {b"action", b'{"query": "', b"    "} <= set(byte_fallback)
    assert byte_fallback.count(b"a") == 2  # a letter, and the byte after it


def test_a_mark_at_the_start_is_a_space_since_the_text_follows_a_prompt():
    for kind in ("Metaspace, first", "Metaspace, always", "Unigram", "byte fallback, a space before the text"):
        tokenizer = KINDS[kind]()
        id_ = tokenizer.convert_tokens_to_ids(MARK + "a" if kind.startswith("byte") else MARK + "ab") or tokenizer.convert_tokens_to_ids(
            MARK
        )
        assert tokenizer.decode([id_]) in ("a", "ab", "")
        assert Vocabulary.from_tokenizer(tokenizer).token_bytes[id_].startswith(b" ")


def test_word_pieces_write_a_space_unless_they_go_on_and_some_punctuation_never():
    tokenizer = word_piece()
    vocabulary = Vocabulary.from_tokenizer(tokenizer)
    data = {text: vocabulary.token_bytes[i] for text, i in tokenizer.get_vocab().items()}
    assert (data["ab"], data["##b"], data["."], data["##."], data["n't"], data["-1"]) == (b" ab", b"b", b".", b".", b"n't", b" -1")


def test_added_words_and_white_space_are_written_and_markup_is_not():
    tokenizer = with_added("  ", "covid", "<think>", "<h1>", "[x]", "/no_think", "�")
    vocabulary = Vocabulary.from_tokenizer(tokenizer)
    ids = tokenizer.convert_tokens_to_ids(["  ", "covid", "<think>", "<h1>", "[x]", "/no_think"])
    assert [vocabulary.token_bytes[i] for i in ids] == [b"  ", b"covid", None, None, None, None]


def test_an_unknown_token_is_not_written_though_no_special_token():
    for model in (models.WordLevel({"a": 0, "?": 1}, unk_token="?"), models.Unigram([("a", -1.0), ("?", -2.0)], unk_id=1)):
        backend = Tokenizer(model)
        backend.add_special_tokens([AddedToken(END, special=True)])
        vocabulary = Vocabulary.from_tokenizer(PreTrainedTokenizerFast(tokenizer_object=backend, eos_token=END))
        assert tuple(vocabulary.token_bytes) == (b" a", None, None)


@pytest.mark.parametrize(
    ("decoder", "message"),
    [
        (decoders.BPEDecoder(), "has the stage BPEDecoder, which writes the last token otherwise"),
        (decoders.CTC(), "has the stage CTC, which writes nothing for a token that is repeated"),
        (decoders.Sequence([decoders.Fuse(), decoders.Replace("ab", "c")]), "Replace, which replaces text that may lie across tokens"),
        (
            decoders.Sequence([decoders.Fuse(), decoders.Replace(Regex("a"), "c")]),
            "Replace, which replaces text that may lie across tokens",
        ),
        (decoders.Sequence([decoders.ByteFallback(), decoders.Replace("ab", "c")]), "Replace, which replaces text that may lie across"),
        (decoders.Sequence([decoders.Fuse(), decoders.Strip(" ", 0, 1)]), "Strip, which strips the end of the text"),
        (decoders.Sequence([decoders.ByteFallback(), decoders.Strip(" ", 1, 0)]), "Strip, which strips characters that were put together"),
        (decoders.Sequence([decoders.Fuse(), decoders.WordPiece()]), "WordPiece, which comes after tokens were joined"),
        (decoders.Sequence([decoders.Fuse(), decoders.Metaspace()]), "Metaspace, which comes after tokens were joined"),
        (decoders.Sequence([decoders.Replace("a", "b"), decoders.ByteLevel()]), "ByteLevel, which comes after other stages"),
        (decoders.Replace("b", "\N{REPLACEMENT CHARACTER}"), r"token 2 \('b'\) cannot be read: after 'a' the tokenizer decodes"),
    ],
)
def test_a_decoder_that_looks_at_more_than_one_token_is_refused(decoder, message):
    with pytest.raises(VocabularyError, match=message):
        Vocabulary.from_tokenizer(with_decoder(decoder))


def test_a_decoder_written_in_python_is_refused():
    tokenizer = with_decoder(None, map(str, range(5_000)))
    tokenizer.backend_tokenizer.decoder = decoders.Decoder.custom(object())
    for cache_dir in (None, False):
        with pytest.raises(VocabularyError, match="is written in Python: what it does cannot be known"):
            Vocabulary.from_tokenizer(tokenizer, cache_dir=cache_dir)


def test_a_tokenizer_that_decodes_in_a_way_of_its_own_is_refused():
    class Shouting(PreTrainedTokenizerFast):
        def _decode(self, *args, **options):
            return super()._decode(*args, **options).replace("query", "QUERY")

    tokenizer = Shouting(tokenizer_object=byte_level_tokenizer().backend_tokenizer, eos_token=END)
    with pytest.raises(
        VocabularyError, match=r"the tokens of Shouting cannot be read: .* should write '.*query.*' after '.*', and .* '.*QUERY"
    ):
        Vocabulary.from_tokenizer(tokenizer)


def test_a_slow_tokenizer_is_refused():
    class Slow:
        pass

    with pytest.raises(VocabularyError, match="Slow is not a fast tokenizer: load it with AutoTokenizer"):
        Vocabulary.from_tokenizer(Slow())


def mistral_common():
    """The tokenizer that transformers gives for a folder with a ``tekken.json``, and the folder; skips where it cannot."""
    package = pytest.importorskip("mistral_common", reason="mistral-common is not installed")
    if not is_mistral_common_available():
        pytest.skip("transformers asks for another version of mistral-common, or for pillow")
    from transformers.tokenization_mistral_common import MistralCommonBackend  # noqa: PLC0415 - may be absent

    (path, *_) = sorted(Path(package.__file__).parent.glob("data/tekken*.json"))
    return MistralCommonBackend(tokenizer_path=path), path


def test_a_tokenizer_of_mistral_common_is_refused_with_what_to_load():
    """The advice is followed, and gives the same tokens."""

    class MistralCommonBackend:
        pass

    with pytest.raises(VocabularyError, match=r"MistralCommonBackend is not a fast tokenizer: .* PreTrainedTokenizerFast\.from_pretra"):
        Vocabulary.from_tokenizer(MistralCommonBackend())


def test_the_advice_on_mistral_common_gives_the_same_tokens(tmp_path):
    given, path = mistral_common()
    with pytest.raises(VocabularyError, match="fix_mistral_regex=True"):
        Vocabulary.from_tokenizer(given)
    shutil.copy(path, tmp_path / "tekken.json")
    (tmp_path / "config.json").write_text('{"model_type": "mistral"}', encoding="utf-8")
    fast = PreTrainedTokenizerFast.from_pretrained(tmp_path, eos_token="</s>", fix_mistral_regex=True)
    assert Vocabulary.from_tokenizer(fast).end_ids == (given.eos_token_id,)
    for text in ("hello world", "Ärger 1234 \n\n x  y", '{"a": [1, 2]}', "日本 don't STOP HelloWorld"):
        assert fast.encode(text, add_special_tokens=False) == given.encode(text, add_special_tokens=False)


@pytest.mark.parametrize("given", [5, [5], [5, 7, 5], (7, 5)])
def test_end_ids_can_be_given(given):
    vocabulary = Vocabulary.from_tokenizer(byte_level_tokenizer(), end_ids=given)
    assert vocabulary.end_ids == ((5,) if given in (5, [5]) else (5, 7))
    assert 5 not in vocabulary.trie.tokens_at(vocabulary.trie.child(0, 5))
    assert 5 not in vocabulary.spelled_bytes


def test_a_tokenizer_without_an_end_is_refused():
    tokenizer = byte_level_tokenizer()
    tokenizer.eos_token = None
    with pytest.raises(VocabularyError, match=r"no end-of-text token: set tokenizer\.eos_token"):
        Vocabulary.from_tokenizer(tokenizer)


@pytest.mark.parametrize("end_id", [-1, 3, 10**6])
def test_an_end_outside_the_vocabulary_is_refused(end_id):
    with pytest.raises(VocabularyError, match=f"end-of-text id {end_id} is not in the vocabulary of 3 entries"):
        Vocabulary([b"a", b"b", None], end_ids=[end_id])


@pytest.mark.parametrize("size", [200, 257, 258, 320, 1_000])
def test_a_vocabulary_as_wide_as_the_logits_has_no_more_tokens_and_no_others(size):
    tokenizer = byte_level_tokenizer()
    whole, vocabulary = Vocabulary.from_tokenizer(tokenizer), Vocabulary.from_tokenizer(tokenizer, size=size, end_ids=[7])
    assert vocabulary.size == len(vocabulary.token_bytes) == vocabulary.trie.vocabulary_size == size
    assert vocabulary.token_bytes[: whole.size] == whole.token_bytes[:size]
    assert not any(vocabulary.token_bytes[whole.size :])


@pytest.mark.parametrize("extra", [0, 1, 31, 32, 1_000])
@pytest.mark.parametrize("text", ["a", r"(?s).*"])
def test_logits_beyond_the_tokenizer_are_denied(text, extra):
    vocabulary = Vocabulary.from_tokenizer(byte_level_tokenizer())
    masks = TokenMasks(GROUPS["hand_written"][f"regex {text!r}"], vocabulary)
    logits = AllowedTokens(masks.bits(masks.start), vocabulary.size).apply_(torch.zeros(vocabulary.size + extra))
    assert torch.isneginf(logits[vocabulary.size :]).all()
    assert set(torch.isfinite(logits).nonzero().ravel().tolist()) == allowed_ids(masks.bits(masks.start), vocabulary.size)


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
    vocabulary = Vocabulary([*(bytes([b]) for b in single), b"ab", None], end_ids=[len(list(single)) + 1])
    assert vocabulary.spells_every_text == complete
    assert vocabulary.spelled_bytes == {*single} - {0xFE, 0xFF}  # which are never written


def test_bytes_cut_from_one_buffer_are_a_sequence():
    tokens = [b"ab", None, b"\xff", b"abcabc", None]
    ends = np.cumsum([0, *(len(data or b"") for data in tokens)]).astype(np.uint32)
    cut = TokenBytes(np.frombuffer(b"".join(filter(None, tokens)), dtype=np.uint8), ends)
    assert [*cut] == tokens == [cut[i] for i in range(len(cut))] == [cut[i - len(cut)] for i in range(len(cut))]
    assert (cut[1:4], cut[::-1], cut[np.int64(3)]) == (tuple(tokens[1:4]), tuple(tokens[::-1]), b"abcabc")
    for outside in (5, -6):
        with pytest.raises(IndexError, match=f"id {outside} is not in the vocabulary of 5 entries"):
            cut[outside]


def spelled(vocabulary: Vocabulary, ids: list[int]) -> bytes:
    return b"".join(vocabulary.token_bytes[i] or b"<?>" for i in ids)


def decoded_after(tokenizer: PreTrainedTokenizerFast, id_: int) -> str:
    return tokenizer.decode([tokenizer.convert_tokens_to_ids(ANCHOR), id_]).removeprefix(ANCHOR)


def allowed_ids(bits: np.ndarray, size: int) -> set[int]:
    return set(np.flatnonzero(unpacked(bits, size)).tolist())


def takes(masks: TokenMasks, state: object, token_id: int) -> bool:
    try:
        masks.advance(state, token_id)
    except TokenRefused:
        return False
    return True
