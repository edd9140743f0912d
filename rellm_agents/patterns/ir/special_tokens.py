r"""Special tokens inside patterns: symbols that no text can spell, written as their content between two bytes that UTF-8 never uses.

RFC 3629 keeps FE and FF out of UTF-8, so no character and no complement has a text in common with a special token. To the outside, a
special token is shown as its content. Knows no nodes and no tokenizers.

    special token <|end|>     FF 3C 7C 65 6E 64 7C 3E FE

>>> special_bytes("<|end|>"), shown(b"so" + special_bytes("<|end|>"))
(b'\xff<|end|>\xfe', b'so<|end|>')
>>> pieces(b"so\xff<|end|>\xfe.")
[b'so', b'\xff<|end|>\xfe', b'.']
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

BEGIN: Final = 0xFF
END: Final = 0xFE
SPECIAL_DELIMITERS: Final = bytes((BEGIN, END))
"""The bytes around the content of a special token."""

_SPECIAL = re.compile(b"(\xff[^\xff\xfe]*\xfe)")


def special_bytes(content: str) -> bytes:
    """The bytes of the special token of this content."""
    return bytes((BEGIN,)) + content.encode("utf-8") + bytes((END,))


def shown(data: bytes) -> bytes:
    """The data with each special token as its content."""
    return data.translate(None, SPECIAL_DELIMITERS)


def holds_special(data: bytes) -> bool:
    """Whether the data holds a special token, or a part of one."""
    return BEGIN in data or END in data


def pieces(data: bytes) -> list[bytes]:
    """Text and special tokens one after the other, none empty."""
    return [piece for piece in _SPECIAL.split(data) if piece]


def contents_in(data: bytes) -> list[str]:
    """The contents of the special tokens, in their order."""
    return [piece[1:-1].decode("utf-8") for piece in _SPECIAL.findall(data)]


def whole_specials(data: bytes) -> bytes:
    r"""The data without a special token that is not complete at its end.

    >>> whole_specials(b"a\xff<|b|>\xfe\xff<|")
    b'a\xff<|b|>\xfe'
    """
    begin = data.rfind(BEGIN)
    return data if begin <= data.rfind(END) else data[:begin]


def read_special(text: bytes, contents: Iterable[str]) -> bytes:
    r"""Text as tokenizers read it, which look for special tokens first: from left to right, the longest that begins at an offset.

    >>> read_special(b"a<|b|>", ["<|b", "<|b|>"])
    b'a\xff<|b|>\xfe'
    """
    longest_first = sorted((content.encode("utf-8") for content in contents), key=len, reverse=True)
    if not longest_first:
        return text
    return re.sub(b"|".join(map(re.escape, longest_first)), lambda found: bytes((BEGIN,)) + found[0] + bytes((END,)), text)


def begun_readings(text: bytes, contents: Iterable[str]) -> Iterator[bytes]:
    r"""The readings of a text that may be continued: its end may be the beginning of a special token.

    >>> [*begun_readings(b"a<|", ["<|b|>"])]
    [b'a<|', b'a\xff<|']
    """
    known = [*contents]
    yield read_special(text, known)
    for content in known:
        whole = content.encode("utf-8")
        for size in range(1, len(whole)):
            if text.endswith(whole[:size]):
                yield read_special(text[:-size], known) + bytes((BEGIN,)) + whole[:size]
