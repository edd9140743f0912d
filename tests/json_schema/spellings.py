"""All spellings of characters and values in JSON, in our own words: for laws about what is accepted."""

from __future__ import annotations

import json
from itertools import product
from random import Random
from typing import Any

SHORT = {"\b": r"\b", "\t": r"\t", "\n": r"\n", "\f": r"\f", "\r": r"\r", '"': r"\"", "\\": r"\\", "/": r"\/"}


def spellings(character: str) -> list[str]:
    """Every JSON text of a character."""
    data = character.encode("utf-16-be").hex()
    digits = ["".join(found) for found in product(*({c, c.upper()} for c in data))]
    found = ["".join(f"\\u{text[i : i + 4]}" for i in range(0, len(text), 4)) for text in digits]
    found += [SHORT[character]] if character in SHORT else []
    return found if character < " " or character in '"\\' else [*found, character]


def spelled(text: str, chance: Random) -> str:
    """A JSON text of a string: each character as it is usually written, or in any other way."""
    usual = chance.choice((0.0, 0.5, 0.9))
    return f'"{"".join(_usual(c) if chance.random() < usual else chance.choice(spellings(c)) for c in text)}"'


def respelled(value: Any, chance: Random) -> str:
    """A JSON text of a value, its strings spelled in any way, its keys as usual."""
    match value:
        case str():
            return spelled(value, chance)
        case list():
            return f"[{', '.join(respelled(one, chance) for one in value)}]"
        case dict():
            return f"{{{', '.join(f'{json.dumps(key, ensure_ascii=False)}: {respelled(one, chance)}' for key, one in value.items())}}}"
    return json.dumps(value)


def _usual(character: str) -> str:
    return json.dumps(character, ensure_ascii=False)[1:-1]
