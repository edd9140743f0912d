"""Spells text as a tokenizer does: the tokens that it writes a text with, after the tokens that stand before it.

Many sequences of tokens write the same text; a model was trained on one of them, the *canonical* one. Text that has to come anyway is
written with it. Knows no patterns.

    "ab" could be a b, or ab; the tokenizer writes ab

>>> from transformers import PreTrainedTokenizerFast
>>> from tokenizers import Tokenizer, models, decoders
>>> from rellm_agents.decoding.vocabulary import Vocabulary
>>> backend = Tokenizer(models.BPE({"a": 0, "b": 1, "ab": 2, "<end>": 3}, [("a", "b")]))
>>> backend.decoder = decoders.Fuse()
>>> tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<end>")
>>> speller = Speller(tokenizer, Vocabulary.from_tokenizer(tokenizer))
>>> speller.spell([0], b"ab"), speller.spell([0], b"b")
((2,), (1,))
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from rellm_agents.decoding.lru import BoundedCache
from rellm_agents.decoding.vocabulary import Vocabulary, fast_backend
from rellm_agents.errors import VocabularyError
from rellm_agents.patterns.ir import contents_in, holds_special, pieces

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CONTEXT = 8
"""Tokens before a text that its split may depend on."""
MAX_TEXTS = 16_384
"""Upper bound of the texts whose tokens are remembered, and of the states whose refused tokens are."""
_STAND_IN = "\n"  # before a text with nothing before it, where a tokenizer writes the beginning of a text in a way of its own


@lru_cache(maxsize=16)
def speller_of(vocabulary: Vocabulary) -> Speller:
    """The speller of the tokenizer that a vocabulary was made of.

    Raises:
        VocabularyError: it was made of none.
    """
    if vocabulary.tokenizer is None:
        raise VocabularyError("canonical spelling asks the tokenizer: make the vocabulary with Vocabulary.from_tokenizer(tokenizer)")
    return Speller(vocabulary.tokenizer, vocabulary)


class Speller:
    """Spells text as one tokenizer does. Safe to share between threads: a race spells a text twice.

    Args:
        tokenizer: a fast tokenizer.
        vocabulary: the bytes of its tokens.

    Attributes:
        added_ids: ids of tokens that are found in a text before it is split.
        refused: by the id of a pattern's state and the tokens before it: those that the tokenizer would not write there,
            each with those that it would write instead.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, vocabulary: Vocabulary) -> None:
        self._backend = copy.deepcopy(fast_backend(tokenizer))  # calls of the tokenizer change how its own one pads and cuts
        self._backend.no_padding()
        self._backend.no_truncation()
        self._vocabulary = vocabulary
        self.added_ids = frozenset(self._backend.get_added_tokens_decoder())
        self.refused: BoundedCache[tuple[int, tuple[int, ...]], dict[int, set[int]]] = BoundedCache(MAX_TEXTS)
        self._memo = lru_cache(maxsize=MAX_TEXTS)(self._spell_in_context)

    def spell(self, before: Sequence[int], data: bytes) -> tuple[int, ...]:
        """The tokens of a text.

        Args:
            before: ids of the tokens before it.
            data: the text, which ends with a whole character; special tokens stand in it as patterns name them.

        Returns:
            Their ids; none if the tokenizer writes no such text, or no token begins where it does.
        """
        if not holds_special(data):
            return self._memo(tuple(before[-CONTEXT:]), data)
        found: list[int] = []
        for piece in pieces(data):  # how a text is split does not depend on what stands across a special token
            content = contents_in(piece)
            if content:
                found.append(self._vocabulary.special_ids[content[0]])
                continue
            ids = self.spell((*before[-CONTEXT:], *found), piece)
            if not ids:
                return ()
            found += ids
        return tuple(found)

    def _spell_in_context(self, before: tuple[int, ...], data: bytes) -> tuple[int, ...]:
        for size in dict.fromkeys((len(before), min(len(before), 1))):
            found = self._split(self._text_of(before[len(before) - size :]), data)
            if found:
                return found
        return self._split(b"", data) or self._split(_STAND_IN.encode(), data)

    def _text_of(self, ids: tuple[int, ...]) -> bytes:
        """The text of the last tokens, from the first after which all write text, and from the beginning of a character."""
        data = b""
        for id_ in reversed(ids):
            piece = self._vocabulary.token_bytes[id_] if id_ < self._vocabulary.size else None
            if piece is None:
                break
            data = piece + data
        begin = next((i for i, byte in enumerate(data) if not 0x80 <= byte < 0xC0), len(data))
        return data[begin:] if begin < 4 else b""

    def _split(self, before: bytes, data: bytes) -> tuple[int, ...]:
        """The tokens of ``data`` among those of ``before + data``; none if no token begins where ``data`` does."""
        whole = before + data
        try:
            ids: list[int] = self._backend.encode(whole.decode(), add_special_tokens=False).ids
        except UnicodeDecodeError:
            return ()
        written_by = [self._vocabulary.token_bytes[id_] if id_ < self._vocabulary.size else None for id_ in ids]
        written = b"".join(piece or b"" for piece in written_by)
        if None in written_by or written not in (whole, b" " + whole):  # a special token; or a space that begins each text
            return ()
        left = len(written) - len(data)
        for at, piece in enumerate(written_by):
            if left == 0:
                return tuple(ids[at:])
            left -= len(piece or b"")
        return ()
