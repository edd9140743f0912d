"""A tokenizer in, a fingerprint of all that its tokens' bytes depend on out; and arrays kept on disk under that fingerprint.

A file is written beside its place and moved there, so that it is there whole or not at all; one that is not whole nevertheless - a full
disk, a power failure - is told by its checksum and made anew. A folder that cannot be read or written costs time, nothing else. Knows
nothing of what the arrays mean.

>>> import tempfile
>>> with tempfile.TemporaryDirectory() as folder:
...     path = Path(folder) / "a.arrays"
...     write_arrays(path, {"ends": np.array([1, 3])})
...     read_arrays(path)["ends"].tolist()
[1, 3]
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import tempfile
import time
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import platformdirs
import tokenizers
import transformers
from numpy.typing import NDArray
from tokenizers import Tokenizer, decoders

from rellm_agents.decoding.token_reader import decoder_stages, denied_ids, fast_backend

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

FORMAT: Final = 1
"""Grows when the files, or how the bytes of tokens are read, change."""

_MAGIC: Final = b"rellm-agents arrays\n"
_ALIGNED: Final = 16
_STALE_SECONDS: Final = 24 * 3600
_ROW: Final = 64
_log = logging.getLogger(__name__)


def cache_folder(cache_dir: str | os.PathLike[str] | None) -> Path:
    """The folder of the files, in ``cache_dir`` or in the user's cache directory of this platform."""
    return Path(platformdirs.user_cache_dir("rellm-agents", appauthor=False) if cache_dir is None else cache_dir) / "vocabularies"


def fingerprint(tokenizer: PreTrainedTokenizerBase, **further: object) -> str:
    """A digest of all that the bytes of the tokens depend on, and of ``further``.

    Raises:
        VocabularyError: not a fast tokenizer, or its decoder is refused.
    """
    backend = fast_backend(tokenizer)
    decoder_stages(backend.decoder)  # one that is refused cannot always be told
    added = [(id_, token.content, token.special) for id_, token in sorted(backend.get_added_tokens_decoder().items())]
    kind = f"{type(tokenizer).__module__}.{type(tokenizer).__qualname__}"
    decoder = backend.decoder.__getstate__() if backend.decoder is not None else b""
    versions = [FORMAT, tokenizers.__version__, transformers.__version__]
    told = [versions, kind, type(backend.model).__name__, decoder.decode(), added, sorted(denied_ids(tokenizer)), sorted(further.items())]
    digest = hashlib.sha256(json.dumps(told).encode())
    for text in _texts(backend):
        digest.update(text.encode())
        digest.update(b" ")
    return digest.hexdigest()[:40]


def _texts(backend: Tokenizer) -> Iterable[str]:
    """The texts of the model's tokens by their ids, whatever the decoder makes of them, such that each id's can be told from the others'.

    Without a decoder tokens are joined by spaces. If none has a space in it and there is one for every id below their number, the
    joined texts tell all, and are had in a third of the time of the list of the tokens.
    """
    size = backend.get_vocab_size(with_added_tokens=False)
    plain = Tokenizer(backend.model)
    rows = [range(i, min(size, i + _ROW)) for i in range(0, size, _ROW)]
    joined = plain.decode_batch(rows, skip_special_tokens=False)
    plain.decoder = decoders.Fuse()
    fused = plain.decode_batch(rows, skip_special_tokens=False)
    spaced = any(" " in text for text in fused)
    complete = sum(text.count(" ") for text in joined) == size - len(rows)
    return [backend.to_str()] if spaced or not complete else joined


def read_arrays(path: Path) -> dict[str, NDArray[Any]] | None:
    """The arrays of a file, read-only; ``None``: there is no such file, or it is not whole."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        _log.debug("%s cannot be read: %s", path, error)
        return None
    head_end = data.find(b"\n", len(_MAGIC)) + 1
    begin = -(-head_end // _ALIGNED) * _ALIGNED
    if not data.startswith(_MAGIC) or not head_end:
        _log.debug("%s is not a file of arrays", path)
        return None
    checksum, _, told = data[len(_MAGIC) : head_end].partition(b" ")
    if checksum != _checksum(told, memoryview(data)[begin:]):
        _log.debug("%s is damaged: its checksum is another", path)
        return None
    arrays, at = {}, begin
    for name, kind, count in json.loads(told):
        arrays[name] = np.frombuffer(data, dtype=kind, count=count, offset=at)
        at += -(-arrays[name].nbytes // _ALIGNED) * _ALIGNED
    return arrays


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Keep arrays of one dimension in a file that appears whole; where that cannot be, it is said to the log only."""
    told = json.dumps([(name, array.dtype.str, len(array)) for name, array in arrays.items()]).encode() + b"\n"
    body = b"".join(array.tobytes() + bytes(-array.nbytes % _ALIGNED) for array in arrays.values())
    head = _MAGIC + _checksum(told, body) + b" " + told
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path.parent)
        handle, made = tempfile.mkstemp(dir=path.parent, prefix="writing-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(head + bytes(-len(head) % _ALIGNED) + body)
            Path(made).replace(path)
        except OSError:
            Path(made).unlink(missing_ok=True)
            raise
    except OSError as error:
        _log.debug("%s cannot be written: %s", path, error)


def _checksum(*parts: bytes | memoryview) -> bytes:
    total = 0
    for part in parts:
        total = zlib.crc32(part, total)
    return b"%08x" % total


def _sweep(folder: Path) -> None:
    """Remove what writers that were killed left behind."""
    for left in folder.glob("writing-*"):
        with contextlib.suppress(OSError):  # another process sweeps too
            if left.stat().st_mtime < time.time() - _STALE_SECONDS:
                left.unlink()
