"""Finds the data files of the project on this disk.

The data (action formats, example tools, example answers) lies in the folder ``schemas/`` at the root of the repository; a wheel carries
that folder inside the package. This module knows where the folder is and nothing of what is in it.

>>> data_path("formats").is_dir()
True
"""

from __future__ import annotations

from pathlib import Path

# The folder inside the package first: next to an installed package, a folder "schemas" would belong to another project.
_FOLDERS = (Path(__file__).resolve().parent / "schemas", Path(__file__).resolve().parent.parent / "schemas")


def data_path(relative: str) -> Path:
    """The path of a file or folder of ``schemas/``, from a wheel, an editable install or a bare checkout.

    Args:
        relative: path inside ``schemas/`` with forward slashes, e.g. ``"formats"``.

    Returns:
        An absolute path that exists.

    Raises:
        FileNotFoundError: neither folder has it; the message names both.

    >>> data_path("formats").name
    'formats'
    >>> data_path("no/such.json")
    Traceback (most recent call last):
    FileNotFoundError: no data file 'no/such.json': looked for ...no/such.json and ...no/such.json
    """
    paths = [folder / relative for folder in _FOLDERS]
    for path in paths:
        if path.exists():
            return path
    raise FileNotFoundError(f"no data file {relative!r}: looked for {' and '.join(map(str, paths))}")
