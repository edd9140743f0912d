r"""The tokens of a transformers tokenizer as bytes, with a trie over them.

The bytes of a token are those it adds to a text when it follows other text. Special tokens and markup have no bytes: no text is written
with them, and a pattern has to name them (see :func:`rellm_agents.patterns.special_token`). A pattern reads such a token as its content
between two bytes that UTF-8 never uses, so that it is one more text in the trie.

Knows nothing of torch, and of patterns only how they name tokens. How tokens are read is in ``token_bytes``, how a vocabulary is kept on
disk in ``array_files``.

>>> vocabulary = Vocabulary([b"a", b"ab", b"b", None], end_ids=[3])
>>> vocabulary.size, vocabulary.token_bytes[1]
(4, b'ab')
>>> Vocabulary([b"a", None], end_ids=[1], special_tokens={1: "<|end|>"}).read_bytes(1)
b'\xff<|end|>\xfe'
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, overload

import numpy as np
import platformdirs
from numpy.typing import NDArray

from rellm_agents.arguments import INTEGER, TEXT, Wanted, checked, either, instance_of, mapping_of, sequence_of
from rellm_agents.caches import cached_property
from rellm_agents.decoding.vocabulary.array_files import read_arrays, write_arrays
from rellm_agents.decoding.vocabulary.token_bytes import fast_backend, read_tokens, special_contents
from rellm_agents.decoding.vocabulary.tokenizer_digest import digest_of
from rellm_agents.decoding.vocabulary.trie import TokenTrie
from rellm_agents.errors import ArgumentValueError, VocabularyError
from rellm_agents.patterns.ir import COMMON_BYTES, holds_special, special_bytes

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

MIN_KEPT: Final = 4_096
"""Vocabularies of fewer tokens are built each time: that costs a few milliseconds."""

_MOST: Final = 2**31
_IDS = Wanted(
    "a list of ids",
    lambda value: isinstance(value, Iterable) and getattr(value, "shape", None) != () and not isinstance(value, (str, bytes, Mapping)),
)
_FOLDER = Wanted("a folder or False", lambda value: value is False or isinstance(value, (str, os.PathLike))).or_none
_BYTES_OF_UTF8 = frozenset((*range(0xC0), *range(0xC2, 0xF5)))


class Vocabulary:
    """The tokens of a tokenizer as bytes. Immutable; build it once and share it.

    Args:
        token_bytes: the bytes of each id; ``None`` for ids that write no text.
        end_ids: ids that end a text.
        special_tokens: the contents of ids that write no text, by which a pattern can name them; those that end a text too.

    Attributes:
        token_bytes: as given.
        size: number of ids.
        end_ids: ascending.
        special_tokens: as given.
        trie: over what patterns read of the tokens, see :meth:`read_bytes`; of those that end a text only the special ones.

    Raises:
        VocabularyError: no end id, or one outside the vocabulary; a special token that is outside, or writes text.
    """

    tokenizer: PreTrainedTokenizerBase | None = None

    @checked(
        token_bytes=sequence_of(instance_of(bytes).or_none, words="a list of bytes or None"),
        end_ids=_IDS,
        special_tokens=mapping_of(INTEGER, TEXT, words="a mapping from ids to str").or_none,
    )
    def __init__(
        self, token_bytes: Sequence[bytes | None], *, end_ids: Iterable[int], special_tokens: Mapping[int, str] | None = None
    ) -> None:
        self.token_bytes: Sequence[bytes | None] = tuple(token_bytes)
        self.size = len(self.token_bytes)
        self.end_ids = _checked_ends(end_ids, self.size)
        self.special_tokens = _checked_special(special_tokens or {}, self.token_bytes)
        ends = {*self.end_ids} - self.special_tokens.keys()
        self.trie = TokenTrie([None if id_ in ends else self.read_bytes(id_) for id_ in range(self.size)])

    @classmethod
    @checked(end_ids=either(INTEGER, _IDS).or_none, size=INTEGER.or_none, cache_dir=_FOLDER)
    def from_tokenizer(
        cls,
        tokenizer: PreTrainedTokenizerBase,
        *,
        end_ids: Iterable[int] | int | None = None,
        size: int | None = None,
        cache_dir: str | os.PathLike[str] | Literal[False] | None = None,
    ) -> Vocabulary:
        """The vocabulary of a transformers tokenizer, its bytes compared with what the tokenizer itself decodes.

        Read are fast tokenizers whose decoder writes each token by itself: byte-level BPE (also converted from tiktoken), SentencePiece's
        BPE and Unigram with or without byte fallback, WordPiece, words. A word mark or a WordPiece token without ``##`` is a space and
        its text, at the start of the constrained text too, since that follows a prompt. Large vocabularies are kept on disk.

        Args:
            tokenizer: a fast tokenizer.
            end_ids: ids that end a text, as in a generation config; by default the tokenizer's end-of-text token.
            size: the width of the model's logits: ids beyond the tokenizer are never written, tokens beyond the model's either.
                By default, up to the tokenizer's highest id.
            cache_dir: where large vocabularies are kept; default: the user's cache directory of this platform, e.g.
                ``~/.cache/rellm-agents``; ``False``: nowhere.

        Raises:
            VocabularyError: tokens that cannot be read, with the stage of the decoder or the token; or as above.
        """
        if size is not None and not 1 <= size < _MOST:
            raise ArgumentValueError("size", size, f"the width of the model's logits, from 1 to {_MOST - 1}")
        vocabulary = cls._of_tokenizer(tokenizer, end_ids, size, cache_dir)
        vocabulary.tokenizer = tokenizer
        return vocabulary

    @classmethod
    def _of_tokenizer(
        cls,
        tokenizer: PreTrainedTokenizerBase,
        end_ids: Iterable[int] | int | None,
        size: int | None,
        cache_dir: str | os.PathLike[str] | Literal[False] | None,
    ) -> Vocabulary:
        fast_backend(tokenizer)
        if end_ids is None:
            end_ids = [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]
        ends = [*_ascending([end_ids] if INTEGER.fits(end_ids) else end_ids)]  # type: ignore[list-item, arg-type]  # as just found out
        if cache_dir is False or len(tokenizer) < MIN_KEPT:
            return cls._read(tokenizer, ends, size)
        user_dir = platformdirs.user_cache_dir("rellm-agents", appauthor=False) if cache_dir is None else cache_dir
        path = Path(user_dir) / "vocabularies" / f"{digest_of(tokenizer, end_ids=ends, size=size)}.arrays"
        arrays = read_arrays(path)
        if arrays is not None:
            return cls._from_arrays(arrays, ends, special_contents(tokenizer))
        vocabulary = cls._read(tokenizer, ends, size)
        arrays = vocabulary._arrays()
        write_arrays(path, arrays)
        return cls._from_arrays(arrays, ends, vocabulary.special_tokens)

    @classmethod
    def _read(cls, tokenizer: PreTrainedTokenizerBase, ends: list[int], size: int | None) -> Vocabulary:
        token_bytes = _resized(read_tokens(tokenizer), size)
        return cls(token_bytes, end_ids=ends, special_tokens=_within(special_contents(tokenizer), len(token_bytes)))

    def _arrays(self) -> dict[str, NDArray[Any]]:
        lengths = [len(data or b"") for data in self.token_bytes]
        flat = b"".join([data or b"" for data in self.token_bytes])
        ends = np.concatenate(([0], np.cumsum(lengths))).astype(np.uint32)
        return {"token_bytes": np.frombuffer(flat, dtype=np.uint8), "token_ends": ends, **self.trie.arrays()}

    @classmethod
    def _from_arrays(cls, arrays: Mapping[str, NDArray[Any]], end_ids: Iterable[int], special_tokens: Mapping[int, str]) -> Vocabulary:
        vocabulary = cls.__new__(cls)
        vocabulary.token_bytes = TokenBytes(arrays["token_bytes"], arrays["token_ends"])
        vocabulary.size = len(vocabulary.token_bytes)
        vocabulary.end_ids = _checked_ends(end_ids, vocabulary.size)
        vocabulary.special_tokens = _within(special_tokens, vocabulary.size)
        vocabulary.trie = TokenTrie.from_arrays(arrays)
        return vocabulary

    def read_bytes(self, id_: int) -> bytes | None:
        """The bytes that a pattern reads of a token: its text, or its name where it is special; ``None`` if it can never be written.

        Tokens of byte-level vocabularies that hold bytes which UTF-8 never uses are never written: these bytes delimit special tokens
        inside of patterns.
        """
        content = self.special_tokens.get(id_)
        if content is not None:
            return special_bytes(content)
        data = self.token_bytes[id_]
        return None if not data or holds_special(data) else data

    def shown_bytes(self, id_: int) -> bytes:
        """The bytes that a reader sees of a token: its text, or the content of a special one; none for ids beyond the vocabulary."""
        content = self.special_tokens.get(id_)
        if content is not None:
            return content.encode("utf-8")
        return (self.token_bytes[id_] or b"") if id_ < self.size else b""

    @cached_property
    def special_ids(self) -> dict[str, int]:
        """The ids of the special tokens by their contents."""
        return {content: id_ for id_, content in sorted(self.special_tokens.items(), reverse=True)}

    def named_ids(self, contents: Collection[str]) -> frozenset[int]:
        """The ids of the special tokens of these contents.

        Raises:
            VocabularyError: there is none of one of them; names it, and similar ones.
        """
        for content in contents:
            if content not in self.special_ids:
                if content.encode("utf-8") in self.token_bytes:
                    raise VocabularyError(f"the token {content!r} is no special token but text: write it as a literal")
                similar = ", ".join(map(repr, get_close_matches(content, self.special_ids, cutoff=0.4))) or "none at all"
                raise VocabularyError(
                    f"the pattern names the special token {content!r}, which the vocabulary lacks; similar ones: {similar}"
                )
        return frozenset(id_ for id_, content in self.special_tokens.items() if content in contents) if contents else frozenset()

    @cached_property
    def spells_every_text(self) -> bool:
        """Whether every byte that UTF-8 uses is a token of its own, so that any text can be written from any place."""
        return self.spelled_bytes >= _BYTES_OF_UTF8

    @cached_property
    def spells_common_bytes(self) -> bool:
        """Whether every one of ``COMMON_BYTES`` is a token of its own."""
        return self.spelled_bytes.issuperset(COMMON_BYTES)

    @cached_property
    def spelled_bytes(self) -> frozenset[int]:
        """The bytes that are tokens of their own."""
        root = self.trie.root
        return frozenset(byte for byte in range(256) if (node := self.trie.child(root, byte)) and self.trie.is_token[node])


class TokenBytes(Sequence[bytes | None]):
    """The bytes of each token, cut from one buffer when they are asked for; ``None`` for those that have none.

    Args:
        flat: uint8, the bytes of all tokens.
        ends: uint32[V + 1], the offsets in ``flat`` at which the bytes of each token begin, and at which the last ones end.

    >>> TokenBytes(np.frombuffer(b"abb", dtype=np.uint8), np.array([0, 2, 2, 3], dtype=np.uint32))[:]
    (b'ab', None, b'b')
    """

    __slots__ = ("_ends", "_flat", "_size")

    def __init__(self, flat: NDArray[np.uint8], ends: NDArray[np.uint32]) -> None:
        self._flat, self._ends, self._size = flat.tobytes(), memoryview(ends.data), len(ends) - 1  # a memoryview gives plain ints

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, at: int) -> bytes | None: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[bytes | None]: ...
    def __getitem__(self, at: int | slice) -> bytes | Sequence[bytes | None] | None:
        if isinstance(at, slice):
            return tuple(self)[at]
        if not -self._size <= at < self._size:
            raise IndexError(f"id {at} is not in the vocabulary of {self._size} entries")
        at %= self._size
        return self._flat[self._ends[at] : self._ends[at + 1]] or None

    def __iter__(self) -> Iterator[bytes | None]:
        ends, flat = self._ends.tolist(), self._flat
        return (flat[begin:end] or None for begin, end in pairwise(ends))


def _checked_ends(end_ids: Iterable[int], size: int) -> tuple[int, ...]:
    ends = _ascending(end_ids)
    if not ends:
        raise VocabularyError("the tokenizer has no end-of-text token: set tokenizer.eos_token, or pass end_ids")
    for id_ in ends:
        if not 0 <= id_ < size:
            raise VocabularyError(f"end-of-text id {id_} is not in the vocabulary of {size} entries")
    return ends


def _ascending(ids: Iterable[int]) -> tuple[int, ...]:
    listed = [*ids]
    for id_ in listed:
        INTEGER.check("end_ids", id_)
    return tuple(sorted({int(id_) for id_ in listed}))


def _checked_special(special_tokens: Mapping[int, str], token_bytes: Sequence[bytes | None]) -> Mapping[int, str]:
    for id_, content in special_tokens.items():
        if not 0 <= id_ < len(token_bytes):
            raise VocabularyError(f"special token {id_} ({content!r}) is not in the vocabulary of {len(token_bytes)} entries")
        if token_bytes[id_] or not content:
            raise VocabularyError(f"special token {id_} ({content!r}): it has a content, and writes no text such as {token_bytes[id_]!r}")
    return dict(special_tokens)


def _within(special_tokens: Mapping[int, str], size: int) -> Mapping[int, str]:
    return {id_: content for id_, content in special_tokens.items() if id_ < size}


def _resized(token_bytes: list[bytes | None], size: int | None) -> list[bytes | None]:
    if size is None:
        return token_bytes
    return [*token_bytes[:size], *([None] * (size - len(token_bytes)))]
