"""Reads the bytes that each token of a fast transformers tokenizer adds to a text, and compares every one with what it decodes.

The bytes of a token are those it writes after other text: a constrained text follows a prompt. So a leading word mark is a space, though
decoders leave it out at the very beginning of their input. The bytes are read from the decoder itself, after an anchor token; only parts of
characters, which a decoder cannot show, are read by the rules of byte-level BPE and of byte fallback. Decoders in which the text of a token
depends on more than whether some text stands before it are refused.

    tokens "\u2581the", "<0xE2>"      bytes  " the", one byte of a character

Knows nothing of tries or of patterns.

>>> decoder_stages(None), decoder_stages(decoders.Sequence([decoders.Metaspace(), decoders.Fuse()]))
([], ['Metaspace', 'Fuse'])
>>> decoder_stages(decoders.CTC())
Traceback (most recent call last):
rellm_agents.errors.VocabularyError: the decoder of this tokenizer has the stage CTC, which writes nothing for a token that is repeated: ...
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice, product
from typing import TYPE_CHECKING, Any

import numpy as np
from tokenizers import Tokenizer, decoders

from rellm_agents.errors import VocabularyError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_ADVICE = "Build Vocabulary(token_bytes, end_ids=...) yourself if you know the bytes of its tokens"
_OF_MISTRAL = (
    "AutoTokenizer gives it for folders with a tekken.json where mistral-common is installed. The same tokens from the same folder, as a "
    "fast tokenizer: PreTrainedTokenizerFast.from_pretrained(folder, eos_token='</s>', fix_mistral_regex=True); for chats, pass "
    "chat_template= where the folder has none"
)
_BATCH = 32  # tokens that are decoded together
_REPLACED = "\N{REPLACEMENT CHARACTER}"
_BYTE_TOKEN = re.compile("<0x([0-9A-Fa-f]{2})>")


def read_tokens(tokenizer: PreTrainedTokenizerBase) -> list[bytes | None]:
    """The bytes of each id up to the highest one.

    Returns:
        ``None`` for ids that write no text or must not be written: special tokens, the unknown token, added tokens that are markup
        (``<think>``), and ids that the tokenizer does not have. Added tokens of words or white space have their bytes.

    Raises:
        VocabularyError: not a fast tokenizer, or a decoder whose tokens have no bytes of their own; names the stage or the token.
    """
    backend = fast_backend(tokenizer)
    stages = decoder_stages(backend.decoder)
    texts = {id_: text for text, id_ in backend.get_vocab(with_added_tokens=True).items()}
    denied = denied_ids(tokenizer)
    written = {id_: texts[id_] for id_ in sorted(texts) if id_ not in denied}
    token_bytes: list[bytes | None] = [None] * (max(texts, default=-1) + 1)
    if written:
        anchor = _anchor(backend, written)
        read = _by_alphabet(written) if stages[:1] == ["ByteLevel"] else _by_decoding(backend, anchor, written, stages)
        _verify(tokenizer, anchor, read, texts)
        for id_, data in read.items():
            token_bytes[id_] = data or None
    return token_bytes


def fast_backend(tokenizer: PreTrainedTokenizerBase) -> Tokenizer:
    """The ``tokenizers.Tokenizer`` inside.

    Raises:
        VocabularyError: there is none.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if not isinstance(backend, Tokenizer):
        name = type(tokenizer).__name__
        advice = _OF_MISTRAL if name.startswith("MistralCommon") else f"load it with AutoTokenizer.from_pretrained(...). {_ADVICE}"
        raise VocabularyError(f"{name} is not a fast tokenizer: {advice}")
    return backend


def denied_ids(tokenizer: PreTrainedTokenizerBase) -> set[int]:
    """Ids that are never to be written as text: special, unknown and markup."""
    backend = fast_backend(tokenizer)
    unknown = backend.token_to_id(getattr(backend.model, "unk_token", None) or "")
    if unknown is None and type(backend.model).__name__ == "Unigram":
        named = re.search(rb'"unk_id":(\d+)', backend.model.__getstate__()[:200])
        unknown = int(named[1]) if named else None
    added = backend.get_added_tokens_decoder().items()
    markup = {id_ for id_, token in added if token.special or not _is_plain(token.content)}
    return {*markup, *tokenizer.all_special_ids, *([] if unknown is None else [unknown])}


def special_contents(tokenizer: PreTrainedTokenizerBase) -> dict[int, str]:
    """The contents of the tokens that are never written as text, by which patterns name them; ids ascend."""
    backend = fast_backend(tokenizer)
    named = ((id_, backend.id_to_token(id_)) for id_ in sorted(denied_ids(tokenizer)))
    return {id_: content for id_, content in named if content}


def _is_plain(text: str) -> bool:
    """Words and white space, whose token means no more than its text."""
    return all(c.isalnum() or c.isspace() or c in "_\u2581" for c in text)


def decoder_stages(decoder: decoders.Decoder | None) -> list[str]:
    """The kinds of a decoder's stages.

    Raises:
        VocabularyError: a token's text depends on which tokens are beside it.
    """
    if decoder is None:  # tokens are joined by spaces
        return []
    if type(decoder) is decoders.Decoder:  # a subclass for each kind, but for those of Decoder.custom()
        raise VocabularyError(f"the decoder of this tokenizer is written in Python: what it does cannot be known. {_ADVICE}")
    stages = list(_flat(json.loads(decoder.__getstate__())))
    kinds = [stage["type"] for stage in stages]
    for i, stage in enumerate(stages):
        why = _not_local(stage, kinds[:i])
        if why:
            raise VocabularyError(
                f"the decoder of this tokenizer has the stage {stage['type']}, which {why}: its tokens have no bytes of "
                f"their own. {_ADVICE}"
            )
    return kinds


def _flat(stage: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if stage["type"] == "Sequence":
        for part in stage["decoders"]:
            yield from _flat(part)
    else:
        yield stage


def _not_local(stage: dict[str, Any], before: Sequence[str]) -> str:
    """Why the text of a token at this stage depends on other tokens; ``""`` if it depends on no more than whether the token is the first.

    As the decoders of the ``tokenizers`` library work, version 0.23: each stage is given a list of texts; ``Fuse`` and ``ByteLevel``
    make them one, ``ByteFallback`` makes one of each run of bytes.
    """
    joined = bool({"Fuse", "ByteLevel", "ByteFallback"} & {*before})
    fused = bool({"Fuse", "ByteLevel"} & {*before})
    match stage["type"]:
        case "Fuse":
            return ""
        case "ByteLevel":
            return "comes after other stages" if before else ""
        case "ByteFallback" | "WordPiece" | "Metaspace":
            return "comes after tokens were joined" if joined else ""
        case "Replace":
            single = len(stage["pattern"].get("String", "")) == 1
            return "replaces text that may lie across tokens" if joined and not single else ""
        case "Strip":
            if fused:
                return "strips the end of the text" if stage["stop"] else ""
            return "strips characters that were put together of several tokens" if joined else ""
        case "BPEDecoder":
            return "writes the last token otherwise than those before it"
        case "CTC":
            return "writes nothing for a token that is repeated"
        case _:
            return "is not known here"


def _anchor(backend: Tokenizer, written: dict[int, str]) -> int:
    """An id that writes plain text, to be decoded before those that are read."""
    words = (id_ for id_, text in written.items() if text.isascii() and text.isalnum())
    for id_ in chain(islice(words, 64), islice(written, 64)):
        text = backend.decode([id_], skip_special_tokens=False)
        if text.strip() and _REPLACED not in text:
            return id_
    raise VocabularyError(f"this tokenizer decodes none of its first tokens to text, e.g. {next(iter(written.values()))!r}. {_ADVICE}")


def _by_alphabet(written: dict[int, str]) -> dict[int, bytes]:
    """As the decoder ``ByteLevel`` does it: by the stand-ins of bytes; a text that has any other character is taken as it is."""
    found = {}
    for id_, text in written.items():
        try:
            found[id_] = text.translate(_ALPHABET).encode("latin-1")
        except UnicodeEncodeError:
            found[id_] = text.encode("utf-8")
    return found


def _by_decoding(backend: Tokenizer, anchor: int, written: dict[int, str], stages: Sequence[str]) -> dict[int, bytes]:
    """The bytes that each token writes after the anchor."""
    base = backend.decode([anchor], skip_special_tokens=False)
    found = {}
    decoded = backend.decode_batch([[anchor, id_] for id_ in written], skip_special_tokens=False)
    for (id_, text), both in zip(written.items(), decoded, strict=True):
        byte = _BYTE_TOKEN.fullmatch(text) if "ByteFallback" in stages else None
        if byte:
            found[id_] = bytes([int(byte[1], 16)])
        elif both.startswith(base) and (_REPLACED not in both or _REPLACED in text):
            found[id_] = both[len(base) :].encode("utf-8")
        else:
            raise VocabularyError(f"token {id_} ({text!r}) cannot be read: after {base!r} the tokenizer decodes {both!r}. {_ADVICE}")
    return found


def _verify(tokenizer: PreTrainedTokenizerBase, anchor: int, read: dict[int, bytes], texts: dict[int, str]) -> None:
    """Decode every token, in batches in a random order; parts of characters are completed by other tokens.

    Raises:
        VocabularyError: a batch is decoded to another text; names the tokens.
    """

    def decoded(ids: Sequence[int]) -> str:
        return str(tokenizer.decode([anchor, *ids], skip_special_tokens=False, clean_up_tokenization_spaces=False))

    def spelled(ids: Iterable[int]) -> str:
        return base + b"".join([read[id_] for id_ in ids]).decode("utf-8", "replace")

    base = decoded([])
    whole: list[int] = []
    partial: list[int] = []
    for id_, data in read.items():
        (whole if _is_utf8(data) else partial).append(id_)
    whole = np.random.default_rng(0).permutation(np.array(whole, dtype=np.int64)).tolist()
    single = {data[0]: id_ for id_, data in read.items() if len(data) == 1}
    batches = (whole[i : i + _BATCH] for i in range(0, len(whole), _BATCH))
    for batch in chain(batches, ([id_] for id_ in partial), _completed(partial, read, single)):
        if decoded(batch) == spelled(batch):
            continue
        wrong = next(([id_] for id_ in batch if decoded([id_]) != spelled([id_])), batch)
        named = ", ".join(f"{id_} ({texts[id_]!r})" for id_ in wrong[:3])
        raise VocabularyError(
            f"the tokens of {type(tokenizer).__name__} cannot be read: {named} should write {spelled(wrong)[len(base) :]!r} after "
            f"{base!r}, and the tokenizer decodes {decoded(wrong)!r}. {_ADVICE}"
        )


def _completed(partial: Iterable[int], read: dict[int, bytes], single: dict[int, int]) -> Iterator[list[int]]:
    """Each part of a character between tokens of single bytes that complete the character, if there are such tokens."""
    for id_ in partial:
        around = _rest_of_characters(read[id_])
        if around is not None and single.keys() >= {*around[0], *around[1]}:
            yield [*(single[b] for b in around[0]), id_, *(single[b] for b in around[1])]


def _rest_of_characters(data: bytes) -> tuple[bytes, bytes] | None:
    r"""Bytes before and after ``data`` that complete its characters; ``None``: there are none.

    >>> _rest_of_characters("€".encode()[1:] + "é".encode()[:1])
    (b'\xe1', b'\x80')
    """
    for head, count in product((b"", b"\xc2", b"\xe1", b"\xf1"), range(4)):
        for first in (b"\x80", b"\x90", b"\xa0")[: 3 if count else 1]:
            tail = (first + b"\x80\x80")[:count]
            if _is_utf8(head + data + tail):
                return head, tail
    return None


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _byte_alphabet() -> dict[int, int]:
    """The printable stand-ins of bytes that byte-level BPE vocabularies are written in (Radford et al., GPT-2, 2019).

    From the stand-in's code point to the byte; code points under 256 that stand for nothing are sent where no byte is.
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [b for b in range(256) if b not in printable]
    return dict.fromkeys(others, 0xFFFF) | {256 + i: b for i, b in enumerate(others)}


_ALPHABET = _byte_alphabet()
