"""Finds what a word on the command line may become: the names of formats, and of files. For the shell's completion.

>>> formats_of_name("react")
['react', 'react_json']
"""

import os
from pathlib import Path

from rellm_agents.formats import FORMATS

MAX_FILES = 200
"""Names of files that are offered at most."""


def formats_of_name(incomplete: str) -> list[str]:
    """The names of formats that begin as what was typed."""
    return [name for name in FORMATS if name.startswith(incomplete)]


def files_of_name(incomplete: str) -> list[str]:
    """The files and folders whose paths begin as what was typed; folders end in a slash, so that what is inside can be typed next."""
    folder, name = os.path.split(incomplete)
    try:
        inside = sorted(Path(folder or ".").expanduser().iterdir())
    except OSError:  # there is no such folder: nothing to offer
        return []
    found = [one for one in inside if one.name.startswith(name) and (name.startswith(".") or not one.name.startswith("."))]
    return [f"{os.path.join(folder, one.name)}{'/' if one.is_dir() else ''}" for one in found[:MAX_FILES]]  # noqa: PTH118 - as it was typed
