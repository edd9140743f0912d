"""The characters that a regex for one character matches, as the module of its dialect itself matches them.

>>> members_of("[a-c]").ranges
((97, 99),)
"""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np
import regex

from rellm_agents.patterns.ir import MAX_CODE_POINT, CharSet


@lru_cache(maxsize=256)
def members_of(one_character: str, flags: str = "") -> CharSet:
    """The characters that a regex text for one character matches, as the ``regex`` module itself matches them.

    Args:
        one_character: the text.
        flags: what stands before it to hold for all of the regex, such as ``(?a)``.
    """
    version = 0 if "V1" in flags else regex.VERSION0  # whatever regex.DEFAULT_VERSION is
    spans = (found.span() for found in regex.finditer(f"{flags}(?:{one_character})+", _alphabet(), version))
    return CharSet((_code_point(first), _code_point(end - 1)) for first, end in spans)


@lru_cache(maxsize=256)
def members_in_re(one_character: str, flags: int = 0) -> CharSet:
    """The characters that a regex text for one character matches, as Python's own ``re`` module itself matches them.

    Args:
        one_character: the text.
        flags: of the ``re`` module.
    """
    spans = (found.span() for found in re.finditer(f"(?:{one_character})+", _alphabet(), flags))
    return CharSet((_code_point(first), _code_point(end - 1)) for first, end in spans)


_SURROGATES_START, _SURROGATES_COUNT = 0xD800, 0x800


@lru_cache(maxsize=1)
def _alphabet() -> str:
    points = np.concatenate((np.arange(_SURROGATES_START), np.arange(_SURROGATES_START + _SURROGATES_COUNT, MAX_CODE_POINT + 1)))
    return points.astype("<u4").tobytes().decode("utf-32-le")


def _code_point(index: int) -> int:
    return index if index < _SURROGATES_START else index + _SURROGATES_COUNT
