"""Caches that are bounded, for what can be made again.

:class:`BoundedCache` forgets all when it is full; it is asked with ``get``, which is a dictionary's own. :class:`LruCache` makes what it
lacks, and forgets what was asked for least lately: values asked for since the last time that half of it was dropped stay. Compared with
``functools.lru_cache`` neither holds a tuple for each argument, which the garbage collector would have to go through.
:class:`SizedLruCache` is bounded by the sizes of its values.

All are safe to use from several threads: a race makes an equal value twice, or waits for a lock. They know nothing of what they hold.

>>> squares = LruCache(4, lambda n: n * n)
>>> [squares[n] for n in (1, 2, 3, 1)], len(squares) <= 4
([1, 4, 9, 1], True)
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class BoundedCache(dict[Key, Value]):
    """Values by key. When it is full, it restarts empty: cheaper than an order of use where few programs ever fill it.

    Args:
        limit: the largest number of values.
    """

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit

    def remember(self, key: Key, value: Value) -> Value:
        """Hold a value, and return it."""
        if len(self) >= self._limit:
            self.clear()
        self[key] = value
        return value


class LruCache(BoundedCache[Key, Value]):
    """Values that ``make`` gave lately, by argument; ask with ``[...]``.

    Args:
        limit: the largest number of values, half of them from before the last drop.
        make: makes the value of a key that is not known.
    """

    def __init__(self, limit: int, make: Callable[[Key], Value]) -> None:
        super().__init__(max(limit // 2, 1))
        self._make = make
        self._before: dict[Key, Value] = {}

    def __missing__(self, key: Key) -> Value:
        try:
            value = self._before[key]
        except KeyError:
            value = self._make(key)
        return self.remember(key, value)

    def clear(self) -> None:
        """Forget all values."""
        self._before = {}
        super().clear()

    def remember(self, key: Key, value: Value) -> Value:
        """Hold a value, and return it."""
        if len(self) >= self._limit:
            before = dict(self)
            self.clear()
            self._before = before
        self[key] = value
        return value


class SizedLruCache(Generic[Key, Value]):
    """Values by key, as many as fit into a number of bytes, the least recently used dropped first. The last value is held at any size.

    Args:
        limit: the largest sum of sizes, in bytes.

    Attributes:
        held: the present sum.
    """

    def __init__(self, limit: int) -> None:
        self.limit, self.held = limit, 0
        self._values: OrderedDict[Key, tuple[Value, int]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Key, make: Callable[[], tuple[Value, int]]) -> Value:
        """The value of a key; ``make`` gives it and its size."""
        with self._lock:
            found = self._values.get(key)
            if found is None:
                found = self._values[key] = make()
                self.held += found[1]
                while self.held > self.limit and len(self._values) > 1:
                    self.held -= self._values.popitem(last=False)[1][1]
            else:
                self._values.move_to_end(key)
            return found[0]

    def clear(self) -> None:
        """Forget all values."""
        with self._lock:
            self._values.clear()
            self.held = 0
