r"""Keeps arrays in files that appear whole or not at all, and reads them back.

A file is written under another name and moved to its own, so that whoever else writes, no reader sees half of it. A file that is damaged
nevertheless - a full disk, a power failure - is found by its checksum. A folder that cannot be read or written costs time, nothing else.

    rellm-agents arrays\n   checksum, header in JSON\n   the arrays, each aligned to 16 bytes

Knows nothing of what the arrays mean.

>>> with tempfile.TemporaryDirectory() as folder:
...     write_arrays(Path(folder) / "some.arrays", {"ends": np.array([1, 3])})
...     read_arrays(Path(folder) / "some.arrays")["ends"].tolist()
[1, 3]
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import tempfile
import time
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_MAGIC: Final = b"rellm-agents arrays\n"
_ALIGNED: Final = 16
_STALE_SECONDS: Final = 24 * 3600
_log = logging.getLogger(__name__)


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
    checksum, _, header = data[len(_MAGIC) : head_end].partition(b" ")
    if checksum != _checksum(header, memoryview(data)[begin:]):
        _log.debug("%s is damaged: its checksum is another", path)
        return None
    arrays, at = {}, begin
    for name, dtype, count in json.loads(header):
        arrays[name] = np.frombuffer(data, dtype=dtype, count=count, offset=at)
        at += -(-arrays[name].nbytes // _ALIGNED) * _ALIGNED
    return arrays


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Keep arrays of one dimension in a file. A failure is only logged."""
    header = json.dumps([(name, array.dtype.str, len(array)) for name, array in arrays.items()]).encode() + b"\n"
    body = b"".join(array.tobytes() + bytes(-array.nbytes % _ALIGNED) for array in arrays.values())
    head = _MAGIC + _checksum(header, body) + b" " + header
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
    """Remove the unfinished files of writers that were killed."""
    for left in folder.glob("writing-*"):
        with contextlib.suppress(OSError):  # another process sweeps too
            if left.stat().st_mtime < time.time() - _STALE_SECONDS:
                left.unlink()
