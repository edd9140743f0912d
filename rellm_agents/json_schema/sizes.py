"""Bounds how deep schemas and values may be, how far references may lead, and how many parts a schema may ask for.

What passes such a bound would end in a ``RecursionError``, or in a stack overflow inside of the normalising library, which ends the
process. So it is refused before, with both numbers. Cycles in Python data are found likewise: they are deeper than any bound. Knows
nothing of what keywords mean.

>>> is_deeper([[[1]]], 3), is_deeper([[[1]]], 2)
(False, True)
"""

from __future__ import annotations

from typing import Any

MAX_DEPTH = 250
"""Levels of lists and objects in a schema, as JSON text has them."""
MAX_VALUE_DEPTH = 100
"""Levels of lists and objects in a value that a schema lists, or that is to be written."""
MAX_CHAIN = 1_500
"""Schemas one inside of the other, where a reference leads into the next. The normalising library overflows its stack at about 3,000."""


def odd_name(value: Any) -> object | None:
    """A name in the mappings of plain data that is no str, which JSON would write as one; ``None``: there is none.

    Args:
        value: of bounded depth.

    >>> odd_name([{"a": {5: 1}}])
    5
    """
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            for name, inner in one.items():
                if not isinstance(name, str):
                    return name  # type: ignore[no-any-return]
                if isinstance(inner, (dict, list, tuple)):
                    waiting.append(inner)
        elif isinstance(one, (list, tuple)):
            waiting += [inner for inner in one if isinstance(inner, (dict, list, tuple))]
    return None


def is_deeper(value: Any, most: int) -> bool:
    """Whether plain data has more levels of lists, tuples and mappings than ``most``, or holds itself.

    Args:
        value: of any depth; it is read level by level.
        most: levels.
    """
    level = [value]
    for _ in range(most):
        inside = [one.values() if isinstance(one, dict) else one for one in level if isinstance(one, (dict, list, tuple))]
        level = list({id(inner): inner for items in inside for inner in items if isinstance(inner, (dict, list, tuple))}.values())
        if not level:
            return False
    return True
