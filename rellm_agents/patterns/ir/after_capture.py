"""Says what a captured text leaves to be written, where that depends on the text: costs are taken of it, texts are not.

Without it, what follows a capture is priced as after a cheapest text, and through it again and again: a list of a thousand items of which
none may come twice would be a thousand captures, each after any of a thousand texts. Knows nothing of costs and of JSON.

    two of a, bb, c, none twice: after "a" the cheapest is c, after "bb" it is a

>>> digits = TextSet("digits", tuple(b"0123456789"[i : i + 1] for i in range(10)))
>>> digits.key(b"7"), AllDifferent(digits, ((digits, 1),), frozenset({b"7"})).count
(b'7', 1)
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rellm_agents.caches import cached_property

if TYPE_CHECKING:
    from rellm_agents.patterns.ir.node import Node


class TextSet:
    """The texts of a node, of which several may stand for the same thing. Compared by identity.

    Args:
        node: whose texts they are.
        texts: all of them, if they are few.
        meaning: equal for texts that stand for the same thing; by default each stands for itself.

    Attributes:
        node, texts: as given.
    """

    def __init__(self, node: Node, texts: tuple[bytes, ...] | None, meaning: Callable[[bytes], Hashable] | None = None) -> None:
        self.node, self.texts, self._meaning = node, texts, meaning
        self._keys: dict[bytes, Hashable] = {}

    def key(self, text: bytes) -> Hashable:
        """What a text stands for."""
        if self._meaning is None:
            return text
        found = self._keys.get(text)
        if found is None:
            found = self._keys[text] = self._meaning(text)
        return found

    @cached_property
    def by_key(self) -> dict[Hashable, tuple[bytes, ...]]:
        """The texts, if they are few, by what they stand for."""
        found: dict[Hashable, tuple[bytes, ...]] = {}
        for text in self.texts or ():
            key = self.key(text)
            found[key] = (*found.get(key, ()), text)
        return found


@dataclass(frozen=True, eq=False)
class AllDifferent:
    """So many more texts have to come, all different from each other and from the captured one.

    Attributes:
        own: the texts that can be captured; ``None``: what they leave need not be told, since nothing has to come, nor had before.
        later: sets of texts, and how many of each have to come.
        written: texts that may not come again.
        between: what stands before each of them; ``None``: nothing.
        end: what follows the last of them; ``None``: nothing.
    """

    own: TextSet | None
    later: tuple[tuple[TextSet, int], ...]
    written: frozenset[bytes]
    between: Node | None = None
    end: Node | None = None

    @property
    def count(self) -> int:
        """How many texts have to come."""
        return sum(count for _, count in self.later)


@dataclass(frozen=True, eq=False)
class WrittenAgain:
    """The captured text has to come again, as it is.

    Attributes:
        rest: all else that has to come.
    """

    rest: Node
