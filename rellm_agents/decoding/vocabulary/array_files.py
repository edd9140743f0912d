r"""Keeps arrays in files that appear whole or not at all, and reads them back.

A file is written under another name and moved to its own, so that whoever else writes, no reader sees half of it. A file that is damaged
nevertheless - a full disk, a power failure - is found by its digest, which covers the name as well, so that no file is taken for another.
Read is what belongs to the user, or to the system's; the folder is the user's alone, and holds ``MAX_BYTES`` at most: the files that were
not used for the longest time go. A folder that cannot be read or written costs time, nothing else.

    rellm-agents arrays\n   SHA-256 of name, header and arrays, header in JSON\n   the arrays, each aligned to 16 bytes

Knows nothing of what the arrays mean.

>>> with tempfile.TemporaryDirectory() as folder:
...     write_arrays(Path(folder) / "some.arrays", {"ends": np.array([1, 3])})
...     read_arrays(Path(folder) / "some.arrays")["ends"].tolist()
[1, 3]
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import stat
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_MAGIC: Final = b"rellm-agents arrays\n"
_ALIGNED: Final = 16
_STALE_SECONDS: Final = 24 * 3600
MAX_BYTES: Final = 1 << 29
"""Of the files in one folder; a vocabulary of 128,000 tokens takes about 7 MB."""
_log = logging.getLogger(__name__)


def read_arrays(path: Path) -> dict[str, NDArray[Any]] | None:
    """The arrays of a file, read-only; ``None``: there is no such file, it is not whole, or it may be another user's."""
    try:
        if not (_is_trusted(path.parent.stat()) and _is_trusted(path.lstat())):
            _log.debug("%s is not read: it, or its folder, belongs to another user, or others may write to it", path)
            return None
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
    padding = data[head_end:begin]
    if checksum != _digest(path, header, padding, memoryview(data)[begin:]):
        _log.debug("%s is damaged, or was made for another name: its digest is another", path)
        return None
    with contextlib.suppress(OSError):
        os.utime(path)  # it is in use
    arrays, at = {}, begin
    for name, dtype, count in json.loads(header):
        arrays[name] = np.frombuffer(data, dtype=dtype, count=count, offset=at)
        at += -(-arrays[name].nbytes // _ALIGNED) * _ALIGNED
    return arrays


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Keep arrays of one dimension in a file. A failure is only logged."""
    header = json.dumps([(name, array.dtype.str, len(array)) for name, array in arrays.items()]).encode() + b"\n"
    body = b"".join(array.tobytes() + bytes(-array.nbytes % _ALIGNED) for array in arrays.values())
    head_size = len(_MAGIC) + _DIGITS + 1 + len(header)
    padding = bytes(-head_size % _ALIGNED)
    head = _MAGIC + _digest(path, header, padding, body) + b" " + header
    try:
        path.parent.parent.mkdir(parents=True, exist_ok=True)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        if not _is_own(path.parent.stat()):
            _log.debug("%s is not written: its folder belongs to another user", path)
            return
        if stat.S_IMODE(path.parent.stat().st_mode) & 0o077:
            path.parent.chmod(0o700)
        _sweep(path.parent)
        handle, made = tempfile.mkstemp(dir=path.parent, prefix="writing-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(head + padding + body)
            Path(made).replace(path)
        except OSError:
            Path(made).unlink(missing_ok=True)
            raise
        _remove_oldest(path)
    except OSError as error:
        _log.debug("%s cannot be written: %s", path, error)


_DIGITS: Final = 64


def _digest(path: Path, *parts: bytes | memoryview) -> bytes:
    total = hashlib.sha256(path.name.encode() + b"\n")
    for part in parts:
        total.update(part)
    return total.hexdigest().encode()


def _is_own(found: os.stat_result) -> bool:
    return not hasattr(os, "geteuid") or found.st_uid == os.geteuid()


def _is_trusted(found: os.stat_result) -> bool:
    """Whether it is a file or a folder, no link, that nobody but this user and the system's may have written."""
    if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
        return False
    return not hasattr(os, "geteuid") or (found.st_uid in (0, os.geteuid()) and not found.st_mode & 0o022)


def _remove_oldest(kept: Path) -> None:
    """Remove the files that were not used for the longest time, but one, until the rest is within ``MAX_BYTES``."""
    found: list[tuple[float, int, Path]] = []
    for path in kept.parent.glob("*.arrays"):
        with contextlib.suppress(OSError):  # another process may remove it
            status = path.lstat()
            found.append((status.st_mtime, status.st_size, path))
    total = sum(size for _, size, _ in found)
    for _, size, path in sorted(found):
        if total > MAX_BYTES and path != kept:
            total -= size
            with contextlib.suppress(OSError):
                path.unlink()


def _sweep(folder: Path) -> None:
    """Remove the unfinished files of writers that were killed."""
    for left in folder.glob("writing-*"):
        with contextlib.suppress(OSError):  # another process sweeps too
            if left.stat().st_mtime < time.time() - _STALE_SECONDS:
                left.unlink()
