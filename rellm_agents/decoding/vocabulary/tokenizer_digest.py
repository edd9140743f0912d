"""Computes a digest of all that the bytes of a tokenizer's tokens depend on, in less time than it takes to list the tokens.

It is the name under which a vocabulary is kept on disk: equal digests promise equal bytes. It covers the tokens, the decoder, the added
tokens, and the versions of the libraries that decode.

Knows nothing of what is kept under it.

>>> from tokenizers import models
>>> from transformers import PreTrainedTokenizerFast
>>> one, other = (PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({word: 0}))) for word in ("a", "b"))
>>> digest_of(one) == digest_of(one), digest_of(one) == digest_of(other), digest_of(one) == digest_of(one, size=5)
(True, False, False)
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import tokenizers
from tokenizers import Tokenizer, decoders

from rellm_agents.decoding.vocabulary.token_bytes import decoder_stages, denied_ids, fast_backend

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

FORMAT: Final = 3
"""Grows with each change of the files that are kept, or of how the bytes of tokens are read."""

_BATCH: Final = 64


def digest_of(tokenizer: PreTrainedTokenizerBase, **further: object) -> str:
    """A digest of all that the bytes of the tokens depend on, and of ``further``.

    Raises:
        VocabularyError: not a fast tokenizer, or its decoder is refused.
    """
    import transformers  # noqa: PLC0415 - whose tokenizer this is: masks of other vocabularies do without it

    backend = fast_backend(tokenizer)
    decoder_stages(backend.decoder)  # one that is refused cannot always be told
    added = [(id_, token.content, token.special) for id_, token in sorted(backend.get_added_tokens_decoder().items())]
    class_name = f"{type(tokenizer).__module__}.{type(tokenizer).__qualname__}"
    decoder = backend.decoder.__getstate__() if backend.decoder is not None else b""
    versions = [FORMAT, tokenizers.__version__, transformers.__version__]
    model, denied = type(backend.model).__name__, sorted(denied_ids(tokenizer))
    dependencies = [versions, class_name, model, decoder.decode(), added, denied, sorted(further.items())]
    digest = hashlib.sha256(json.dumps(dependencies).encode())
    for text in _texts(backend):
        digest.update(text.encode())
        digest.update(b" ")
    return digest.hexdigest()[:40]


def token_state(tokenizer: PreTrainedTokenizerBase) -> tuple[object, ...]:
    """What changes when tokens are added to a tokenizer, or its special tokens are others: found in a moment, to be asked each time."""
    added = fast_backend(tokenizer).get_added_tokens_decoder()
    return len(tokenizer), tuple((id_, token.content, token.special) for id_, token in sorted(added.items()))


def _texts(backend: Tokenizer) -> Iterable[str]:
    """The texts of the model's tokens by their ids, whatever the decoder makes of them, such that each id's can be told from the others'.

    Without a decoder tokens are joined by spaces. If no token holds a space, and every id below their number has a token, the joined texts
    determine all tokens, and take a third of the time of their list.
    """
    size = backend.get_vocab_size(with_added_tokens=False)
    plain = Tokenizer(backend.model)
    batches = [range(i, min(size, i + _BATCH)) for i in range(0, size, _BATCH)]
    joined = plain.decode_batch(batches, skip_special_tokens=False)
    plain.decoder = decoders.Fuse()
    fused = plain.decode_batch(batches, skip_special_tokens=False)
    spaced = any(" " in text for text in fused)
    complete = sum(text.count(" ") for text in joined) == size - len(batches)
    return [backend.to_str()] if spaced or not complete else joined
