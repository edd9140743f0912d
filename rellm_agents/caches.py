"""Empties the caches of this package: by hand, or where what they hold has grown past a bound in bytes.

Everything that a cache holds can be made again, so this changes no text, only how long the next ones take. Counted are the bytes of what
grows: rows of automata, and tokens of lexemes. Knows nothing of what the caches hold.

>>> from functools import lru_cache
>>> clear_caches()
>>> BOUND >> 20
256
"""

from __future__ import annotations

import functools
import sys
from typing import Any, Protocol, Self, TypeVar, overload
from weakref import WeakSet

BOUND = 256 << 20
"""Bytes that may be added to caches before they are emptied, when the next pattern comes."""

_Value = TypeVar("_Value")


class cached_property(functools.cached_property[_Value]):  # noqa: N801 - as the one of ``functools``
    """A property whose value is made once and kept. In a race it is made twice, and one of the two is kept for all.

    That of ``functools`` holds a lock while a value is made, in Python 3.11, and the same one for all objects: two threads wait for each
    other for ever, where each makes a value while it holds a lock that the other's needs.
    """

    @overload
    def __get__(self, instance: None, owner: type[Any] | None = None) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type[Any] | None = None) -> _Value: ...
    def __get__(self, instance: Any, owner: type[Any] | None = None) -> Any:
        if instance is None:
            return self
        return instance.__dict__.setdefault(self.attrname, self.func(instance))


_PACKAGE = __name__.partition(".")[0]


class _Clearable(Protocol):
    def clear(self) -> None: ...


class _Held:
    """What the caches hold: the bytes that were added since they were emptied, and the objects that have caches of their own."""

    def __init__(self) -> None:
        self.bytes = 0
        self.owners: WeakSet[_Clearable] = WeakSet()


_held = _Held()


def has_caches(owner: _Clearable) -> None:
    """Let an object, which can be hashed and weakly referenced, clear its own caches whenever all are cleared."""
    _held.owners.add(owner)


def add_bytes(size: int) -> None:
    """Note that a cache has grown by about so many bytes."""
    _held.bytes += size


def clear_if_full() -> None:
    """Empty the caches if more than ``BOUND`` bytes were added; called where nobody is in the midst of using them."""
    if _held.bytes > BOUND:
        clear_caches()


def clear_caches() -> None:
    """Empty all caches of this package that no pattern or model owns, to give memory back.

    Patterns, vocabularies and decoders that you hold keep working, and fill the caches again. Memory is bounded without this too: the
    caches are emptied after ``256 MB`` were added to them. What a model has read of prompts is a decoder's own, see ``kept_bytes`` of
    :class:`rellm_agents.decoding.ConstrainedDecoder`.

    >>> import rellm_agents
    >>> rellm_agents.clear_caches()
    """
    _held.bytes = 0
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == _PACKAGE:
            for value in list(vars(module).values()):
                if callable(getattr(value, "cache_clear", None)):
                    value.cache_clear()
    for owner in list(_held.owners):
        owner.clear()
