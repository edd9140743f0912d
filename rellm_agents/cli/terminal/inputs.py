"""Reads the files that a command is given, ``-`` for standard input.

>>> json_of('{"a": 1,}', "order.json")
Traceback (most recent call last):
  ...
rellm_agents.errors.UnreadableInput: order.json, line 1, column ...: this is not JSON: ...
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rellm_agents.errors import UnreadableInput

STANDARD_INPUT = "-"


def text_of(path: str) -> str:
    """The text of a file, or of standard input.

    Args:
        path: of a file in UTF-8, or ``-``.

    Raises:
        UnreadableInput: there is no such file, or it is no text.
    """
    try:
        data = sys.stdin.buffer.read() if path == STANDARD_INPUT else Path(path).read_bytes()
        return data.decode("utf-8-sig")
    except OSError as error:
        raise UnreadableInput(path, error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise UnreadableInput(path, f"byte {error.start} is not UTF-8") from error


def json_of(text: str, name: str, *, line: int = 1) -> Any:
    """The value of JSON text.

    Args:
        text: JSON.
        name: of the file it is from, for errors.
        line: the line of the file on which it begins.

    Raises:
        UnreadableInput: it is not JSON.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise UnreadableInput(name, f"this is not JSON: {error.msg}", line=line + error.lineno - 1, column=error.colno) from error
    except RecursionError as error:
        raise UnreadableInput(name, "this is nested deeper than Python's json module reads") from error


def schema_of(text: str, name: str) -> dict[str, Any] | bool:
    """The JSON Schema of JSON text; arguments as of :func:`json_of`.

    Raises:
        UnreadableInput: it is not JSON, or no object and neither true nor false.
    """
    schema = json_of(text, name)
    if isinstance(schema, (dict, bool)):
        return schema
    kind = {list: "a list", str: "a string", type(None): "null"}.get(type(schema), "a number")
    raise UnreadableInput(name, f"a JSON Schema is an object, or true or false, and this is {kind}")


def files_of(path: str) -> list[str]:
    """The files of a folder that are called ``*.json``, also in folders inside, sorted; or the one file that is named.

    Raises:
        UnreadableInput: a folder without such files.
    """
    if path == STANDARD_INPUT or not Path(path).is_dir():
        return [path]
    found = sorted(map(str, Path(path).rglob("*.json")))
    if not found:
        raise UnreadableInput(path, "the folder has no files named *.json")
    return found


def data_lines(path: str) -> Iterator[tuple[int, str]]:
    """The lines of a file that are not blank, each with its number from 1 on.

    Raises:
        UnreadableInput: there is no such file, or it is no text.
    """
    for number, line in enumerate(text_of(path).splitlines(), start=1):
        if line.strip():
            yield number, line.strip()


def check_writable(path: str) -> None:
    """Return if a file can be written; it is left as it is.

    Raises:
        UnreadableInput: it cannot.
    """
    file = Path(path)
    try:
        is_new = not file.exists()
        file.open("a").close()
        if is_new:
            file.unlink()
    except OSError as error:
        raise UnreadableInput(path, error.strerror or str(error)) from error


def write_text(path: str, text: str) -> None:
    """Writes a file, in UTF-8.

    Raises:
        UnreadableInput: it cannot be written.
    """
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UnreadableInput(path, error.strerror or str(error)) from error
