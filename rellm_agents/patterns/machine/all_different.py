"""Chooses the cheapest different keys for places of several kinds: a matching of places and keys (a transversal matroid).

A key costs the same in each place, so the greedy choice is the cheapest one: keys in ascending order of their costs, each taken if there
is a place for it, where others may have to move to places of another kind (Edmonds and Fulkerson, "Transversals and matroid partition",
1965). Where one of the chosen keys is missing, one other key replaces it.

    one place for a or b, one for b or c        a, b; without a: b, c; without b: a, c

>>> found = Chosen.of([("ab", 1), ("bc", 1)], "abc")
>>> found.keys, [found.replacement(kind) for kind in (0, 1)]
({'a': 0, 'b': 1}, ['c', 'c'])
>>> Chosen.of([("a", 1), ("a", 1)], "abc") is None
True
"""

from __future__ import annotations

from collections.abc import Container, Hashable, Iterable, Sequence
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Kinds = tuple[int, ...]


class Chosen(Generic[Key]):
    """The chosen keys. Use :meth:`of`.

    Attributes:
        keys: each with the kind of its place.
    """

    def __init__(self, kinds: Sequence[tuple[Container[Key], int]]) -> None:
        self.keys: dict[Key, int] = {}
        self._kinds = kinds
        self._free = [count for _, count in kinds]
        self._held: list[dict[Kinds, dict[Key, None]]] = [{} for _ in kinds]  # of each kind, by the kinds of places that they fit
        self._left: dict[Kinds, Key] = {}  # the first key that was not chosen, by the kinds of places that it fits
        self._replacements: dict[int, Key | None] = {}

    @classmethod
    def of(cls, kinds: Sequence[tuple[Container[Key], int]], keys: Iterable[Key]) -> Chosen[Key] | None:
        """The cheapest choice; ``None`` if there are not enough different keys.

        Args:
            kinds: the keys that fit places of a kind, and how many such places there are.
            keys: each once, the cheapest first.
        """
        found, missing = cls(kinds), sum(count for _, count in kinds)
        if len(kinds) == 1:  # the same at once: nothing has to move
            fitting = [key for key in keys if key in kinds[0][0]]
            found.keys = dict.fromkeys(fitting[:missing], 0)
            if len(fitting) > missing:
                found._left[0,] = fitting[missing]
            return found if len(found.keys) == missing else None
        for key in keys:
            fits = found._fits(key)
            if not fits or fits in found._left:
                continue
            if missing and found._place(key, fits):
                missing -= 1
            else:
                found._left[fits] = key
        return None if missing else found

    def replacement(self, kind: int) -> Key | None:
        """The cheapest key that makes up for a chosen one in a place of a kind; ``None``: there is none."""
        if kind not in self._replacements:
            reaches = self._kinds_that_reach(kind)
            # Keys are met in the order of their costs, so the first of each sort of keys is the cheapest, and the sorts are in order.
            self._replacements[kind] = next((key for fits, key in self._left.items() if not reaches.isdisjoint(fits)), None)
        return self._replacements[kind]

    def _fits(self, key: Key) -> Kinds:
        return tuple([kind for kind, (fitting, _) in enumerate(self._kinds) if key in fitting])

    def _place(self, key: Key, fits: Kinds) -> bool:
        """Take a key, if others can make room for it."""
        came_from: dict[int, tuple[int, Kinds] | None] = dict.fromkeys(fits)
        waiting = [*fits]
        for kind in waiting:
            if self._free[kind]:
                self._free[kind] -= 1
                while (step := came_from[kind]) is not None:
                    before, moved = step
                    other = next(iter(self._held[before][moved]))
                    self._hold(other, moved, kind, before)
                    kind = before  # noqa: PLW2901 - the place that is free now
                self._hold(key, fits, kind)
                return True
            for others, held in self._held[kind].items():
                for other_kind in others if held else ():
                    if other_kind not in came_from:
                        came_from[other_kind] = kind, others
                        waiting.append(other_kind)
        return False

    def _hold(self, key: Key, fits: Kinds, kind: int, before: int | None = None) -> None:
        if before is not None:
            del self._held[before][fits][key]
        self._held[kind].setdefault(fits, {})[key] = None
        self.keys[key] = kind

    def _kinds_that_reach(self, kind: int) -> set[int]:
        """The kinds of places that a key can enter if one of this kind is free, others moving."""
        found = {kind}
        while more := {
            one
            for one, held in enumerate(self._held)
            if one not in found and any(keys and not found.isdisjoint(fits) for fits, keys in held.items())
        }:
            found |= more
        return found
