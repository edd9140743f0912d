"""Small tokenizers of every kind that is read, by name: each made anew when it is called.

>>> len(KINDS) >= 22
True
>>> KINDS["WordPiece"]().decode([5, 9])
'abb'
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from toys import END, byte_fallback_tokenizer, byte_level_tokenizer
from transformers import PreTrainedTokenizerFast

MARK = "\u2581"
LETTERS = [*(chr(b) for b in range(0x21, 0x7F)), "\n", "é", "€"]
WORDS = ["ab", "abc", "ba", "aab", "yes", "no", "true", "false", "null", "10", "00", "-1", "action", "query", '{"', '":', '"}', "€a", ". ."]
LLAMA_3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def wrapped(backend: Tokenizer, **special: str) -> PreTrainedTokenizerFast:
    """For transformers; the end of text is added where the model does not have it."""
    backend.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in (*special.values(), END)])
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token=END, **special)


def numbered(texts: Iterable[str]) -> dict[str, int]:
    return {text: i for i, text in enumerate(dict.fromkeys(texts))}


def changed(tokenizer: PreTrainedTokenizerFast, **parts: object) -> PreTrainedTokenizerFast:
    """The tokenizer with other parts of its JSON, ``model__`` before those of its model."""
    made = json.loads(tokenizer.backend_tokenizer.to_str())
    for name, part in parts.items():
        if name.startswith("model__"):
            made["model"][name.removeprefix("model__")] = part
        else:
            made[name] = part
    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(json.dumps(made)), eos_token=END)


def with_decoder(
    decoder: decoders.Decoder | None, texts: Iterable[str] = ("a", "b", "ab", f"{MARK}a", "##b", ".")
) -> PreTrainedTokenizerFast:
    """Words, and whatever decoder."""
    backend = Tokenizer(models.WordLevel(numbered(["[UNK]", *texts]), unk_token="[UNK]"))
    if decoder is not None:
        backend.decoder = decoder
    return wrapped(backend, unk_token="[UNK]")


def split_by_regex() -> PreTrainedTokenizerFast:
    tokenizer = byte_level_tokenizer()
    split = pre_tokenizers.Split(Regex(LLAMA_3), behavior="isolated")
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    return tokenizer


def with_added(*texts: str, special: bool = False) -> PreTrainedTokenizerFast:
    tokenizer = byte_level_tokenizer()
    tokenizer.add_tokens([AddedToken(text, special=special, normalized=False) for text in texts])
    return tokenizer


def metaspace(scheme: str) -> PreTrainedTokenizerFast:
    texts = ["<unk>", MARK, *LETTERS, *WORDS, *(MARK + word for word in WORDS), MARK * 2, MARK * 4]
    backend = Tokenizer(models.BPE(numbered(text.replace(" ", MARK) for text in texts), [], unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(MARK, scheme)
    backend.decoder = decoders.Metaspace(MARK, scheme)
    return wrapped(backend, unk_token="<unk>")


def unigram(*, fallback: bool) -> PreTrainedTokenizerFast:
    byte_tokens = [f"<0x{b:02X}>" for b in range(256)] if fallback else []
    texts = numbered(["<unk>", *byte_tokens, MARK, *LETTERS, *WORDS, *(MARK + word for word in WORDS)])
    backend = Tokenizer(
        models.Unigram([(text.replace(" ", MARK), -float(i)) for text, i in texts.items()], unk_id=0, byte_fallback=fallback)
    )
    if fallback:
        backend.normalizer = normalizers.Replace(" ", MARK)
        backend.decoder = decoders.Sequence([decoders.Replace(MARK, " "), decoders.ByteFallback(), decoders.Fuse()])
    else:
        backend.pre_tokenizer = pre_tokenizers.Metaspace(MARK, "always")
        backend.decoder = decoders.Metaspace(MARK, "always")
    return wrapped(backend)


def word_piece(*, prefix: str = "##", cleanup: bool = True) -> PreTrainedTokenizerFast:
    texts = [
        "[UNK]",
        "[unused0]",
        "'s",
        "n't",
        ".",
        "ab",
        ",",
        "?",
        *(prefix + "a", prefix + "b"),
        *LETTERS,
        *WORDS,
        *(prefix + text for text in LETTERS + WORDS),
    ]
    backend = Tokenizer(models.WordPiece(numbered(texts), unk_token="[UNK]", continuing_subword_prefix=prefix))
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece(prefix, cleanup)
    return wrapped(backend, unk_token="[UNK]")


def replacing(*stages: decoders.Decoder) -> PreTrainedTokenizerFast:
    return with_decoder(decoders.Sequence(list(stages)), ["a", "b", "ab", f"{MARK}a", f"{MARK}{MARK}", f"a{MARK}b", " b", "a ", ".", "é€"])


KINDS: dict[str, Callable[[], PreTrainedTokenizerFast]] = {
    "byte-level": byte_level_tokenizer,
    "byte-level, bytes only": lambda: byte_level_tokenizer([]),
    "byte-level, split by a regex": split_by_regex,
    "byte-level, its decoder in a sequence": lambda: changed(
        byte_level_tokenizer(), decoder={"type": "Sequence", "decoders": [byte_level_decoder(), {"type": "Fuse"}]}
    ),
    "byte-level, converted from tiktoken": lambda: changed(split_by_regex(), model__ignore_merges=True),
    "byte-level, lowercased": lambda: changed(byte_level_tokenizer(), normalizer={"type": "Lowercase"}),
    "byte-level, ids left out": lambda: changed(byte_level_tokenizer([]), model__vocab=sparse_vocab()),
    "byte-level, spaces and words added": lambda: with_added("  ", "   ", "\t\t", "covid", "né"),
    "byte-level, markup added": lambda: with_added("<think>", "[TOOL]", "<|x|>"),
    "byte-level, special tokens added": lambda: with_added("word", "  ", special=True),
    "byte fallback": byte_fallback_tokenizer,
    "byte fallback, a space before the text": lambda: byte_fallback_tokenizer(prefix_space=True),
    "byte fallback, bytes and letters only": lambda: byte_fallback_tokenizer([]),
    "Metaspace, first": lambda: metaspace("first"),
    "Metaspace, always": lambda: metaspace("always"),
    "Metaspace, never": lambda: metaspace("never"),
    "Unigram": lambda: unigram(fallback=False),
    "Unigram, byte fallback": lambda: unigram(fallback=True),
    "WordPiece": word_piece,
    "WordPiece, not cleaned up": lambda: word_piece(cleanup=False),
    "WordPiece, another prefix": lambda: word_piece(prefix="@@"),
    "words, joined by spaces": lambda: with_decoder(None),
    "words, fused": lambda: with_decoder(decoders.Fuse()),
    "replaced by a regex": lambda: replacing(decoders.Replace(Regex(f"{MARK}+"), " "), decoders.Fuse()),
    "replaced, several characters": lambda: replacing(decoders.Replace("ab", "xyz"), decoders.Replace(MARK, " ")),
    "replaced when fused": lambda: replacing(decoders.Fuse(), decoders.Replace(MARK, " ")),
    "stripped each": lambda: replacing(decoders.Strip(" ", 1, 1), decoders.Replace(MARK, " ")),
    "stripped at the start": lambda: replacing(decoders.Replace(MARK, " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)),
}


def byte_level_decoder() -> dict[str, object]:
    return {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}


def sparse_vocab() -> dict[str, int]:
    vocab = json.loads(byte_level_tokenizer([]).backend_tokenizer.to_str())["model"]["vocab"]
    return {**vocab, "ab": 300, "ba": 500}
