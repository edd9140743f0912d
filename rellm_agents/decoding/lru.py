"""A function of one argument in, a dictionary of what it gave lately out: bounded, and as fast to ask as a dictionary.

What was asked for since the last time half of it was dropped is kept, so the least recently used go first. Compared with
``functools.lru_cache`` it holds no tuple for each argument, which the garbage collector would have to go through.
Safe to use from several threads: at worst something is made twice.

>>> squares = LruCache(4, lambda n: n * n)
>>> [squares[n] for n in (1, 2, 3, 1)], len(squares) <= 4
([1, 4, 9, 1], True)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class LruCache(dict[Key, Value]):
    """What ``make`` gave lately, by argument; ask with ``[...]``.

    Args:
        limit: values kept at most, half of them from before.
        make: what makes the value for a key that is not known.
    """

    def __init__(self, limit: int, make: Callable[[Key], Value]) -> None:
        super().__init__()
        self._limit, self._make = max(limit // 2, 1), make
        self._before: dict[Key, Value] = {}

    def __missing__(self, key: Key) -> Value:
        try:
            value = self._before[key]
        except KeyError:
            value = self._make(key)
        self.remember(key, value)
        return value

    def remember(self, key: Key, value: Value) -> None:
        """Keep a value."""
        if len(self) >= self._limit:
            self._before = dict(self)
            self.clear()
        self[key] = value
