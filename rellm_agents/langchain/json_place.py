"""This module tells which value of a JSON text is being written, as the text comes in pieces. Knows nothing of schemas.

>>> place = JsonPlace()
>>> [place.after(piece) for piece in ('{"a": ', '{"b', '": [1', ', 2', ']}', ', "c": 3}')]
['#/a', '#/a', '#/a/b/0', '#/a/b/1', '#/a', '#']
"""

from __future__ import annotations

import json

from rellm_agents.json_schema.source import below


class JsonPlace:
    """The place in one JSON text, from its beginning on."""

    def __init__(self) -> None:
        self._path: list[str | int] = []  # the names and numbers that lead to where the text stands
        self._is_list: list[bool] = []
        self._string: str | None = None  # what is written of a string that is not over
        self._name: str | None = None  # the last string that was over
        self._is_escaped = False

    def after(self, piece: str) -> str:
        """The JSON pointer of the value that is being written where ``piece`` ends.

        Args:
            piece: what comes next of the text.
        """
        for c in piece:
            self._read(c)
        return below("#", *map(str, self._path))

    def _read(self, c: str) -> None:
        if self._string is not None:
            self._string += c
            if c == '"' and not self._is_escaped:
                self._name, self._string = self._string, None
            self._is_escaped = c == "\\" and not self._is_escaped
            return
        match c:
            case '"':
                self._string = c
            case "{" | "[":
                self._is_list.append(c == "[")
                self._path.extend([0] if c == "[" else [])
            case ":" if self._is_list:
                self._path.append(_said(self._name or '""'))
            case "," if self._path:
                last = self._path.pop()
                self._path.extend([int(last) + 1] if self._is_list[-1:] == [True] else [])
            case "]" | "}" if self._is_list:
                self._is_list.pop()
                del self._path[len(self._is_list) :]


def _said(string: str) -> str:
    try:
        return str(json.loads(string))
    except ValueError:  # no JSON is being written, but what a regex says
        return string
