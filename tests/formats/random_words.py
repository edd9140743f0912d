"""Words that get in each other's way: of few characters, which overlap, repeat and stand in JSON, too."""

from __future__ import annotations

import random

BITS = ["<", "a", ">", "</", "|", "ab", "{", "}", "\n", " ", "[", "]", '"', "x", ":", ";"]


def bits(chance: random.Random, most: int = 3) -> str:
    return "".join(chance.choice(BITS) for _ in range(chance.randrange(1, most + 1)))
