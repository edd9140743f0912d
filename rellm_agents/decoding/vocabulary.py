"""A transformers tokenizer in, the bytes of each of its tokens out, with a trie over them.

Read are byte-level BPE tokenizers and those with SentencePiece's word mark and byte fallback. Special and added tokens
have no bytes: no text is written with them. Knows nothing of patterns or of torch.

>>> vocabulary = Vocabulary([b"a", b"ab", b"b", None], end_ids=[3])
>>> vocabulary.size, vocabulary.token_bytes[1]
(4, b'ab')
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from rellm_agents.decoding.trie import TokenTrie
from rellm_agents.errors import VocabularyError
from rellm_agents.patterns.charset import COMMON_BYTES

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_PROBES = ('{"name": "Zoë", "n": [1, 2.50, null]}\n', " spaces  and\ttabs, 你好 🎉")
_BYTES_OF_UTF8 = frozenset((*range(0xC0), *range(0xC2, 0xF5)))


class Vocabulary:
    """The tokens of a tokenizer as bytes. Immutable; build it once and share it.

    Args:
        token_bytes: the bytes of each id; ``None`` for ids that write no text.
        end_ids: ids that end a text.

    Raises:
        VocabularyError: no end id, or one outside the vocabulary.
    """

    def __init__(self, token_bytes: Sequence[bytes | None], *, end_ids: Iterable[int]) -> None:
        self.token_bytes: tuple[bytes | None, ...] = tuple(token_bytes)
        self.size = len(self.token_bytes)
        self.end_ids: tuple[int, ...] = tuple(sorted(set(end_ids)))
        if not self.end_ids:
            raise VocabularyError("the tokenizer has no end-of-text token: set tokenizer.eos_token, or pass end_ids")
        for id_ in self.end_ids:
            if not 0 <= id_ < self.size:
                raise VocabularyError(f"end-of-text id {id_} is not in the vocabulary of {self.size} entries")
        self.trie = TokenTrie([None if i in self.end_ids else data or None for i, data in enumerate(self.token_bytes)])

    @classmethod
    def from_tokenizer(cls, tokenizer: PreTrainedTokenizerBase, *, end_ids: Iterable[int] | None = None) -> Vocabulary:
        """The vocabulary of a transformers tokenizer.

        Args:
            tokenizer: a fast tokenizer, byte-level BPE or SentencePiece-like with byte fallback.
            end_ids: ids that end a text; by default the tokenizer's end-of-text token.

        Raises:
            VocabularyError: its kind is not known, or what is read of its tokens does not spell what it encodes.
        """
        backend = getattr(tokenizer, "backend_tokenizer", None)
        if backend is None:
            raise VocabularyError(f"{type(tokenizer).__name__} is not a fast tokenizer: load it with AutoTokenizer.from_pretrained(...)")
        read = _reader(json.loads(backend.to_str()).get("decoder"))
        if read is None:
            raise VocabularyError(
                f"the tokens of {type(tokenizer).__name__} cannot be read: read are "
                "byte-level BPE and SentencePiece-like tokenizers with byte fallback"
            )
        entries, added = tokenizer.get_vocab(), tokenizer.added_tokens_decoder
        token_bytes: list[bytes | None] = [None] * (max(entries.values(), default=-1) + 1)
        for text, id_ in entries.items():
            if id_ not in added:
                token_bytes[id_] = read(text)
        if end_ids is None:
            end_ids = [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]
        vocabulary = cls(token_bytes, end_ids=end_ids)
        vocabulary._check_against(tokenizer)
        return vocabulary

    @cached_property
    def spells_every_text(self) -> bool:
        """Every byte that UTF-8 uses is a token of its own, so that any text can be written from any place."""
        return self.spelled_bytes >= _BYTES_OF_UTF8

    @cached_property
    def spells_common_bytes(self) -> bool:
        """Every one of ``COMMON_BYTES`` is a token of its own."""
        return self.spelled_bytes.issuperset(COMMON_BYTES)

    @cached_property
    def spelled_bytes(self) -> frozenset[int]:
        """The bytes that are tokens of their own."""
        spelled = (data for id_, data in enumerate(self.token_bytes) if data is not None and id_ not in self.end_ids)
        return frozenset(data[0] for data in spelled if len(data) == 1)

    def _spelling(self, id_: int, tokenizer: PreTrainedTokenizerBase) -> bytes:
        """As text is encoded, added tokens included: a tokenizer may write runs of spaces with them."""
        added = tokenizer.added_tokens_decoder.get(id_)
        return self.token_bytes[id_] or (added.content.encode() if added is not None and not added.special else b"<?>")

    def _check_against(self, tokenizer: PreTrainedTokenizerBase) -> None:
        for probe in _PROBES:
            ids: list[int] = tokenizer.encode(probe, add_special_tokens=False)
            spelled = b"".join(self._spelling(i, tokenizer) for i in ids).decode("utf-8", "replace")
            if spelled not in (probe, " " + probe):
                raise VocabularyError(f"the tokens of {type(tokenizer).__name__} are misread: {probe!r} is encoded to {spelled!r}")


def _reader(decoder: dict[str, Any] | None) -> Any:
    """How to turn the vocabulary's spelling of a token into bytes, from the tokenizer's own decoder."""
    kinds = {part["type"] for part in (decoder or {}).get("decoders", [decoder] if decoder else [])}
    if "ByteLevel" in kinds:
        return _byte_level
    if "ByteFallback" in kinds:
        return _byte_fallback
    return None


def _byte_alphabet() -> dict[str, int]:
    """The printable stand-ins of bytes that byte-level BPE vocabularies are written in (Radford et al., GPT-2, 2019)."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [b for b in range(256) if b not in printable]
    return {**{chr(b): b for b in printable}, **{chr(256 + i): b for i, b in enumerate(others)}}


_ALPHABET = _byte_alphabet()


def _byte_level(text: str) -> bytes | None:
    try:
        return bytes([_ALPHABET[c] for c in text])
    except KeyError:
        return None


def _byte_fallback(text: str) -> bytes | None:
    if len(text) == 6 and text.startswith("<0x") and text.endswith(">"):
        return bytes([int(text[3:5], 16)])
    return text.replace("\N{LOWER ONE EIGHTH BLOCK}", " ").encode("utf-8")
