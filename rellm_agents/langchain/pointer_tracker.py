"""Tracks the JSON pointer of the value that is being written, while JSON text arrives in pieces. Knows nothing of schemas.

>>> tracker = PointerTracker()
>>> [tracker.advance(piece) for piece in ('{"a": ', '{"b', '": [1', ', 2', ']}', ', "c": 3}')]
['#/a', '#/a', '#/a/b/0', '#/a/b/1', '#/a', '#']
"""

from __future__ import annotations

import json

from rellm_agents.json_schema.source import below


class PointerTracker:
    """The position in one JSON text, from its beginning on."""

    def __init__(self) -> None:
        self._path: list[str | int] = []  # names and indices that lead to the current value
        self._is_list: list[bool] = []
        self._string: str | None = None  # the open string so far, with its quote
        self._name: str | None = None  # the last complete string
        self._is_escaped = False

    def advance(self, piece: str) -> str:
        """Read one more piece of the text.

        Returns:
            The JSON pointer, as a URI fragment, of the value that is being written at the end of the piece.
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
                self._path.append(_decoded(self._name or '""'))
            case "," if self._path:
                last = self._path.pop()
                self._path.extend([int(last) + 1] if self._is_list[-1:] == [True] else [])
            case "]" | "}" if self._is_list:
                self._is_list.pop()
                del self._path[len(self._is_list) :]


def _decoded(string: str) -> str:
    try:
        return str(json.loads(string))
    except ValueError:  # the text is no JSON, but matches a regex
        return string
