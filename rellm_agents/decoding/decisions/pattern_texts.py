"""Lists all texts of a pattern, if they are few: walks its machine byte by byte, and gives up as soon as there are too many.

From each state of a machine the end can be reached, so each beginning that waits to be continued stands for one text at least, and the walk
over an endless pattern is over soon. Knows nothing of tokens.

>>> from rellm_agents.patterns import compile_regex
>>> finite_texts(compile_regex("not (sure|yet)|no"), 3)
[b'no', b'not sure', b'not yet']
>>> finite_texts(compile_regex("no+"), 3)
Traceback (most recent call last):
rellm_agents.errors.PatternTooLarge: a decision needs a pattern of at most 3 texts, and this one has more, such as 'no', 'noo'
"""

from __future__ import annotations

from typing import Final

from rellm_agents.errors import PatternTooLarge
from rellm_agents.patterns import Pattern
from rellm_agents.patterns.ir import shown
from rellm_agents.patterns.machine import first_bytes

MAX_OPTIONS: Final = 1_024
"""Options of one decision at most."""
MAX_STEPS: Final = 1 << 16
"""Bytes that are read of all texts together, at most."""


def finite_texts(pattern: Pattern, limit: int) -> list[bytes]:
    """All texts of a pattern as its machine reads them, special tokens between their delimiters, in ascending order.

    Raises:
        PatternTooLarge: they are more than ``limit``, or longer than ``MAX_STEPS`` bytes together.
    """
    found: list[bytes] = []
    waiting = [(b"", pattern.machine.start)]
    steps = 0
    while waiting:
        data, state = waiting.pop()
        if state.accepting:
            found.append(data)
        following = sorted(first_bytes(state), reverse=True)
        if len(found) + len(waiting) + len(following) > limit:
            examples = "".join(f", {shown(one).decode()[:40]!r}" for one in found[:2])
            raise PatternTooLarge(
                f"a decision needs a pattern of at most {limit} texts, and this one has more{', such as' if examples else ''}{examples[1:]}"
            )
        steps += len(following)
        if steps > MAX_STEPS:
            raise PatternTooLarge(f"a decision reads at most {MAX_STEPS} bytes of its options, and the texts of this pattern are longer")
        waiting += [(data + bytes((byte,)), state.after(bytes((byte,)))) for byte in following]
    return found
