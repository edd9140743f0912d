"""Many literals as one sorted set, narrowed byte by byte: enumerations and property names are looked up, never gone through.

The literals are in ascending order, so those that share a prefix are a range of indices, and one more byte is a bisection. That is a trie
whose nodes are pairs of numbers. Knows nothing of tokens.

    blue red rose    after "r": 1 to 3      after "ro": 2 to 3

>>> from rellm_agents.patterns.ir import choice, literal
>>> members = LiteralSet.of(choice(literal("red"), literal("rose"), literal("blue")).options)
>>> members.texts, members.narrowed(0, 3, 0, ord("r"))
([b'blue', b'red', b'rose'], (1, 3))
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

from rellm_agents.patterns.ir import EMPTY, Literal, Node, Sequence, choice, sequence

MIN_LITERALS = 8  # from which on a set is faster than a cell for each


class LiteralSet:
    """Literals in ascending order, each once, with what follows it.

    Attributes:
        texts: the literals' bytes, none empty.
        rests: for each, the node that follows it.
    """

    __slots__ = ("__weakref__", "rests", "texts")

    def __init__(self, members: dict[bytes, Node]) -> None:
        self.texts = sorted(members)
        self.rests = [members[text] for text in self.texts]

    @classmethod
    def of(cls, options: Iterable[Node]) -> LiteralSet:
        """The set of options that all :func:`begin with a literal <begins_with_literal>`."""
        members: dict[bytes, Node] = {}
        for option in options:
            head, rest = (option, EMPTY) if isinstance(option, Literal) else _split(option)
            known = members.get(head.data)
            members[head.data] = rest if known is None else choice(known, rest)
        return cls(members)

    def narrowed(self, low: int, high: int, offset: int, byte: int) -> tuple[int, int]:
        """The range of those members from ``low`` to ``high``, equal up to ``offset`` and longer, whose next byte is ``byte``."""
        if low == high:
            return low, low
        texts = self.texts
        begin = texts[low][:offset]
        low = bisect_left(texts, begin + bytes((byte,)), low, high)
        if low == high or texts[low][offset] != byte:
            return low, low
        return low, high if texts[high - 1][offset] == byte else bisect_left(texts, begin + bytes((byte + 1,)), low, high)


def begins_with_literal(option: Node) -> bool:
    """Whether an option is a literal, not empty, or a sequence that begins with one."""
    return (isinstance(option, Literal) and option is not EMPTY) or (isinstance(option, Sequence) and isinstance(option.parts[0], Literal))


def _split(option: Node) -> tuple[Literal, Node]:
    assert isinstance(option, Sequence)
    head, *rest = option.parts
    assert isinstance(head, Literal)
    return head, sequence(*rest)
