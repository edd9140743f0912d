r"""Small tokenizers, vocabularies and models for tests: nothing is downloaded, everything is the same on every run.

The tokenizers are spelled out, not trained: a list of tokens beyond the single bytes is all that tells them apart from others.

>>> from rellm_agents.decoding import Vocabulary
>>> Vocabulary.from_tokenizer(byte_level_tokenizer()).token_bytes[257:259]
(b' {', b' {"')
>>> Vocabulary.from_tokenizer(byte_fallback_tokenizer()).token_bytes[3:5]
(b'\x00', b'\x01')
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    Gemma2Config,
    GPT2Config,
    LlamaConfig,
    MambaConfig,
    MistralConfig,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    T5Config,
)

from rellm_agents.decoding import Vocabulary

END = "<|end|>"

# Tokens that go across the edges of what patterns are made of: words with their space, punctuation of JSON in a row, parts of
# characters, two characters and the beginning of a third, and the words of the agent formats.
PIECES: tuple[bytes, ...] = (
    *(
        b' {"',
        b'": "',
        b'", "',
        b'"}',
        b'"}}',
        b'": ',
        b'": {"',
        b'{"',
        b"[]",
        b"{}",
        b"[[",
        b"]]",
        b", ",
        b'""',
        b'\\"',
        b"\\\\",
        b"\\n",
        b"\\u00",
    ),
    *(
        b"  ",
        b"    ",
        b"\n\n",
        b"\r\n",
        b" the",
        b" a",
        b"ab",
        b"abc",
        b"ba",
        b"aab",
        b"aaaa",
        b"true",
        b"false",
        b"null",
        b"yes",
        b"no",
        b"10",
        b"00",
        b"-1",
    ),
    *(
        "é".encode(),
        "€".encode(),
        "€".encode()[:2],
        "€".encode()[1:],
        "€a".encode(),
        "a€".encode()[:2],
        "😀".encode(),
        "😀".encode()[:3],
        "😀".encode()[1:],
    ),
    *("é€".encode(), "é€".encode()[:3], "é€".encode()[1:], "你".encode(), "你好".encode()[:5], b"\x80\x80", b"\x82\xac"),
    *(
        b"action",
        b'"action',
        b'"action_input',
        b'_input": ',
        b'{"action": "',
        b"Final Answer",
        b'", "action_input": ',
        b"search",
        b"query",
        b'{"query": "',
    ),
    *(
        b"\nAction",
        b": ",
        b" Input",
        b"\nAction: ",
        b"\nAction Input: ",
        b"Final Answer: ",
        b"Action Input:",
        b"\nObservation",
        b"Observ",
        b"Human:",
        b"\nHum",
    ),
)


def byte_level_tokenizer(pieces: Iterable[bytes] = PIECES) -> PreTrainedTokenizerFast:
    """Byte-level BPE as in GPT-2, without splitting into words: ids 0 to 255 are the bytes, 256 the end of text, then the pieces."""
    tokens, merges = _bpe(pieces, _STAND_INS)
    vocab = {_STAND_INS[b]: b for b in range(256)} | {END: 256} | {token: 257 + i for i, token in enumerate(tokens)}
    backend = Tokenizer(models.BPE(vocab, merges))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    return _wrapped(backend, 256)


def byte_fallback_tokenizer(pieces: Iterable[bytes] = PIECES, *, prefix_space: bool = False) -> PreTrainedTokenizerFast:
    """BPE as SentencePiece makes it: a mark for the space, whole characters, and bytes in angle brackets for all others.

    With ``prefix_space`` every text begins with a space that was not in it, as with Llama 2; without, it is more like Gemma.
    """
    letters = {chr(b) for b in range(0x21, 0x7F)} | set("é€\u2581")
    texts = [text.replace(" ", "\u2581") for text in map(_text_of, pieces) if text is not None]
    tokens, merges = _bpe([text for text in texts if set(text) <= letters], {c: c for c in letters})
    order = ["<unk>", "<s>", END, *(f"<0x{b:02X}>" for b in range(256)), *sorted(letters), *tokens]
    backend = Tokenizer(
        models.BPE({token: i for i, token in enumerate(order)}, merges, byte_fallback=True, unk_token="<unk>", fuse_unk=True)
    )
    prefix = [normalizers.Prepend("\u2581")] if prefix_space else []
    backend.normalizer = normalizers.Sequence([*prefix, normalizers.Replace(" ", "\u2581")])
    strip = [decoders.Strip(" ", 1, 0)] if prefix_space else []
    backend.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), *strip])
    return _wrapped(backend, 2, unk_token="<unk>", bos_token="<s>")


def unreadable_tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE with a decoder that writes the last token of a text otherwise than the others."""
    tokenizer = byte_level_tokenizer()
    tokenizer.backend_tokenizer.decoder = decoders.BPEDecoder()
    return tokenizer


def vocabulary_of(pieces: Iterable[bytes], *, single: Iterable[int] = range(256)) -> Vocabulary:
    """The pieces in their order, duplicates and all; then the single bytes; then an id without text, and the end of text."""
    tokens: list[bytes | None] = [*pieces, *(bytes([b]) for b in single), None, None]
    return Vocabulary(tokens, end_ids=[len(tokens) - 1])


def random_pieces(seed: int, *, count: int = 60, alphabet: bytes = b'ab(["]) ,:{}\n01\xe2\x82\xac') -> list[bytes]:
    """Random byte strings of two to five bytes, some of them twice."""
    chance = random.Random(seed)
    found = [bytes(chance.choices(alphabet, k=chance.randint(2, 5))) for _ in range(count)]
    return [*found, *found[: count // 10]]


_SMALL = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 8192,
    "initializer_range": 0.3,
}
KINDS: dict[str, Callable[..., PreTrainedConfig]] = {
    "llama": partial(LlamaConfig, **_SMALL),
    "gpt2": partial(GPT2Config, n_positions=2048, n_embd=32, n_layer=2, n_head=4, initializer_range=0.3),
    "mistral": partial(MistralConfig, sliding_window=16, **_SMALL),
    "qwen2": partial(Qwen2Config, **_SMALL),
    "gemma": partial(Gemma2Config, sliding_window=16, head_dim=8, query_pre_attn_scalar=8, **_SMALL),  # scores are capped
    "mamba": partial(MambaConfig, hidden_size=32, num_hidden_layers=2, state_size=4, initializer_range=0.3),
    "t5": partial(T5Config, d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4, initializer_factor=1.0),
}
"""Configurations by the shape of model they make, but for the size of the vocabulary."""


def random_model(
    tokenizer: PreTrainedTokenizerFast, *, seed: int = 0, kind: str = "llama", spread: float = 6.0, extra_rows: int = 0
) -> PreTrainedModel:
    """A model with random weights, the adversary: what it likes has nothing to do with what a pattern wants.

    Args:
        tokenizer: its ids are the rows of the model's head.
        seed: of the weights.
        kind: one of ``KINDS``.
        spread: how far the logits are from each other.
        extra_rows: rows of the head beyond the tokenizer's ids, as models are padded to a round number.
    """
    ends = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.eos_token_id}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        config = KINDS[kind](vocab_size=len(tokenizer) + extra_rows, **ends)
        if config.is_encoder_decoder:
            config.decoder_start_token_id = tokenizer.eos_token_id
        kinds = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
        model: PreTrainedModel = kinds.from_config(config)
        with torch.no_grad():
            head = model.get_output_embeddings().weight
            head.copy_(torch.randn(head.shape) * spread / 32**0.5)
    return model.eval()


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute in one thread; for matrices as small as these, several cost four times as much. Afterwards it is as it was."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class FixedLogits(torch.nn.Module):
    """A stand-in for a model whose logits depend on the last token alone: ``table`` is float[rows, V], row ``id % rows`` follows ``id``."""

    def __init__(self, table: torch.Tensor) -> None:
        super().__init__()
        self._is_stateful = False
        self.table, self.device = table, table.device
        self.config = LlamaConfig(num_hidden_layers=1, hidden_size=4, num_attention_heads=1)
        self.generation_config = SimpleNamespace(eos_token_id=None)

    def forward(self, input_ids, cache, position_ids=None, **_):
        keys = input_ids[:, None, :, None].float()
        cache.update(keys, keys, 0)
        return SimpleNamespace(logits=self.table[input_ids % len(self.table)].clone(), cache=cache)


def _wrapped(backend: Tokenizer, end_id: int, **special: str) -> PreTrainedTokenizerFast:
    for name in (*special.values(), END):
        backend.add_special_tokens([AddedToken(name, special=True, normalized=False)])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token=END, pad_token=END, padding_side="left", **special)
    assert tokenizer.eos_token_id == end_id
    return tokenizer


def _bpe(pieces: Iterable[Sequence[str | int]], letters: dict[str | int, str]) -> tuple[list[str], list[tuple[str, str]]]:
    """Tokens for the pieces and for all their beginnings, with the merges that make each of them from left to right."""
    merges: dict[tuple[str, str], None] = {}
    for piece in pieces:
        spelled = [letters[c] for c in piece]
        for i in range(1, len(spelled)):
            merges["".join(spelled[:i]), spelled[i]] = None
    return list(dict.fromkeys(left + right for left, right in merges)), list(merges)


def _text_of(piece: bytes) -> str | None:
    try:
        return piece.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _stand_ins() -> Iterator[str]:
    """GPT-2's printable character for each byte, as ``tokenizers`` itself has it."""
    shown = {0x21: "!"} | {b: chr(b) for b in (*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100))}
    hidden = iter(range(256, 512))
    for byte in range(256):
        yield shown.get(byte) or chr(next(hidden))


_STAND_INS: dict[int, str] = dict(enumerate(_stand_ins()))
