r"""Finds where in JSON text each value stands, by its JSON pointer, and which value is being written where the text breaks off.

Knows nothing of schemas. The text may have quotes of its own around strings, names without quotes, and other words for true, false and
null, as some models write arguments; what is no JSON at all gives some positions or other, and no error.

>>> value_spans('{"a": [1, "x"]}')
{'#': (0, 15), '#/a': (6, 14), '#/a/0': (7, 8), '#/a/1': (10, 13)}
>>> [open_pointer(text) for text in ('{"a": ', '{"a": {"b": [1, ', '{"a": {"b": [1, 2]}', '{"a": 1, "c')]
['#/a', '#/a/b/1', '#/a', '#']
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache

from rellm_agents.json_schema.source import below

Span = tuple[int, int]


def value_spans(text: str, start: int = 0, end: int | None = None, *, pointer: str = "#", quote: str = '"') -> dict[str, Span]:
    r"""Where the first value of a text, and each value inside of it, begin and end.

    Args:
        text: JSON, or its beginning: values that have not ended are left out.
        start: where to begin, in characters.
        end: where the text ends.
        pointer: of the first value.
        quote: stands around strings, which have no escapes unless it is JSON's own.

    Returns:
        Begin and end by JSON pointer, quotes and brackets included, in the order in which values begin. Of two properties with one
        name the last counts, as for ``json.loads``.

    >>> value_spans('{"a/b": "\\"", "c": tru')
    {'#/a~1b': (8, 12)}
    >>> value_spans("f({n:''{''})", 2, pointer="#/0", quote="''")
    {'#/0': (2, 11), '#/0/n': (5, 10)}
    """
    spans, _ = _scan(text, start, len(text) if end is None else end, pointer, quote)
    return dict(sorted(spans.items(), key=lambda item: (item[1][0], -item[1][1])))


def open_pointer(text: str) -> str:
    """The JSON pointer, as a URI fragment, of the value that is being written at the end of a text."""
    return _scan(text, 0, len(text), "#", '"')[1]


@dataclass
class _Container:
    """An object or array that has not ended: its pointer, where it begins, and the index of its present item, if it is an array."""

    pointer: str
    start: int
    index: int | None


def _scan(text: str, start: int, end: int, pointer: str, quote: str) -> tuple[dict[str, Span], str]:
    """The spans of values, and the pointer of the value in which the text ends."""
    spans: dict[str, Span] = {}
    containers: list[_Container] = []
    name: str | None = None  # the last one, where the name of a property stands
    for found in _tokens(quote).finditer(text, start, end):
        piece, inner = found[0], containers[-1] if containers else None
        match piece:
            case "{" | "[":
                containers.append(_Container(pointer, found.start(), 0 if piece == "[" else None))
                pointer, name = (below(pointer, "0"), None) if piece == "[" else (pointer, "")
            case "}" | "]" if inner:
                containers.pop()
                pointer, name = inner.pointer, None
                spans[pointer] = (inner.start, found.end())
            case "," if inner and inner.index is not None:
                inner.index += 1
                pointer = below(inner.pointer, str(inner.index))
            case "," if inner:
                pointer, name = inner.pointer, ""
            case ":" if inner and name is not None:
                pointer, name = below(inner.pointer, name), None
            case _ if inner and name is not None:
                name = _name(piece)
            case _ if found["string"] is None or found["closed"]:
                is_cut = found["string"] is None and found.end() == end and containers
                if not is_cut:
                    spans[pointer] = found.span()
        if not containers and pointer in spans:
            break
    return spans, pointer


@lru_cache(maxsize=16)
def _tokens(quote: str) -> re.Pattern[str]:
    """Matches one string, bracket, separator, or run of other characters."""
    mark = re.escape(quote)
    inside = r'(?:[^"\\]|\\.)*+\\?' if quote == '"' else ".*?"
    return re.compile(rf"(?P<string>{mark}{inside}(?:(?P<closed>{mark})|\Z))|[{{}}\[\],:]|(?:(?!{mark})[^\s{{}}\[\],:])+", re.DOTALL)


def _name(token: str) -> str:
    r"""E.g. '"a\u0062"' -> "ab"; a name without quotes as it is."""
    try:
        return str(json.loads(token)) if token.startswith('"') else token
    except ValueError:  # it breaks off, or is no JSON
        return token
