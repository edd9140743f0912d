"""Cuts delimiters out of texts: what two of them have in common at their ends, never a part of a tag.

A tag is ``<...>`` or ``[LETTERS]``: often it is one token, and half of it is no delimiter that anybody wrote.

>>> common_end("<calls><call>", "</call><call>"), common_start("}</call></calls>", "}</call><call>")
('<call>', '}</call>')
"""

from __future__ import annotations

import re

_TAG = re.compile(r"<[^<>\s][^<>]*>|\[/?[A-Z_]{2,}\]")


def tags(text: str) -> list[str]:
    """The tags of a text."""
    return _TAG.findall(text)


def common_start(one: str, other: str) -> str:
    """The longest text with which both begin, tags left whole."""
    return one[: _outside(one, other, _common(one, other), -1)]


def common_end(one: str, other: str) -> str:
    """The longest text in which both end, tags left whole."""
    length = _common(one[::-1], other[::-1])
    lengths = (len(text) - _outside(text, text, len(text) - length, 1) for text in (one, other))
    return one[len(one) - min(lengths) :]


def _common(one: str, other: str) -> int:
    """The number of characters with which both begin."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _outside(one: str, other: str, at: int, step: int) -> int:
    """The nearest index, before or after, that is within no tag of either text."""
    for text in (one, other):
        for tag in _TAG.finditer(text):
            if tag.start() < at < tag.end():
                at = tag.start() if step < 0 else tag.end()
    return at
