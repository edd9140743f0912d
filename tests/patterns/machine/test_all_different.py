"""The cheapest different keys for places, against all ways to choose them."""

from __future__ import annotations

import itertools
import random

import pytest

from rellm_agents.patterns.machine import Chosen


def cheapest(places: list[str], keys: str) -> int | None:
    """The least cost of a choice; the cost of a key is 3 to its index."""
    costs = {key: 3**i for i, key in enumerate(keys)}
    ways = (
        sum(map(costs.__getitem__, way)) for way in itertools.permutations(keys, len(places)) if all(map(str.__contains__, places, way))
    )
    return min(ways, default=None)


@pytest.mark.parametrize("seed", range(60))
def test_the_choice_is_the_cheapest_with_and_without_each_of_its_keys(seed: int) -> None:
    chance = random.Random(seed)
    keys = "abcdef"[: chance.randrange(3, 7)]
    kinds = [("".join(chance.sample(keys, chance.randrange(1, len(keys)))), chance.randrange(1, 3)) for _ in range(chance.randrange(1, 4))]
    places = [fitting for fitting, count in kinds for _ in range(count)]
    chosen = Chosen.of(kinds, keys)
    least = cheapest(places, keys) if len(places) <= len(keys) else None
    assert (chosen is None) == (least is None)
    if chosen is None:
        return
    cost = sum(3 ** keys.index(key) for key in chosen.keys)
    assert cost == least
    for key, kind in chosen.keys.items():
        other, without = chosen.replacement(kind), cheapest(places, keys.replace(key, "_"))
        assert (other is None) == (without is None or "_" in places)
        if other is not None:
            assert cost - 3 ** keys.index(key) + 3 ** keys.index(other) == without
