"""Caches give the values that were made, and never hold more than their limits."""

import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from rellm_agents.decoding.lru import BoundedCache, LruCache, SizedLruCache


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 10, 101])
def test_values_are_right_and_bounded(limit):
    made = []
    recent = LruCache(limit, lambda n: made.append(n) or n * n)
    chance = random.Random(limit)
    lately: list[int] = []
    for _ in range(3_000):
        key = chance.randrange(2 * limit + 2)
        before = len(made)
        assert recent[key] == key * key
        if limit > 1 and key in lately[-(limit // 2) :]:
            assert len(made) == before  # what was asked for lately is not made again
        lately = [*(k for k in lately if k != key), key]
        assert len(recent) + len(recent._before) <= max(limit, 2)


def test_values_are_right_from_several_threads():
    recent = LruCache(16, lambda n: n * n)

    def ask(seed):
        chance = random.Random(seed)
        return all(recent[key] == key * key for key in (chance.randrange(40) for _ in range(3_000)))

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(ask, range(8)))


def test_sizes_are_bounded_and_the_least_recently_used_goes_first():
    memo, made = SizedLruCache(30), []
    for key in [0, 1, 2, 0, 3, 0, 1]:
        memo.get(key, lambda key=key: (made.append(key), 10))
        assert memo.held <= 30
    assert made == [0, 1, 2, 3, 1]


def test_a_full_cache_restarts_empty():
    cache = BoundedCache(2)
    assert [cache.remember(key, key * key) for key in (1, 2, 3)] == [1, 4, 9]
    assert (cache.get(1), cache.get(3), len(cache)) == (None, 9, 1)
