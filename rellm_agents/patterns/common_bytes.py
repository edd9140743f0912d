r"""A node in, whether any text begun can be finished with common bytes alone out.

Where it can, a vocabulary that spells those bytes needs no watching: no token leads to where no token fits.

>>> from rellm_agents.patterns.regex_text import read_regex
>>> is_finished_by_common_bytes(read_regex("a[^b]*c")), is_finished_by_common_bytes(read_regex(r"a\x04?"))
(True, False)
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from rellm_agents.patterns.automaton import START, Automaton
from rellm_agents.patterns.charset import COMMON_BYTES
from rellm_agents.patterns.kinds import Choice, Complement, Intersection, Lexeme, Node, Repeat, Rule, Sequence, Steps

_COMMON = np.frombuffer(COMMON_BYTES, dtype=np.uint8)


def is_finished_by_common_bytes(node: Node) -> bool:
    """Whether from everywhere in ``node`` some way to its end takes only ``COMMON_BYTES``; ``False`` also where it is not known."""
    waiting, seen = [node], {node}
    while waiting:
        one = waiting.pop()
        if one.is_common:
            continue
        match one:
            case Sequence(parts):
                inner = parts
            case Choice(options):
                inner = options
            case Repeat(again, _, _) if not one.has_boolean:
                inner = (again,)
            case Rule():
                inner = (one.body,)
            case Lexeme() | Intersection() | Complement() | Steps() | Repeat() if one.is_plain or isinstance(one, Lexeme):
                if not _is_finished(Automaton.of(one)):
                    return False
                inner = ()
            case _:
                return False
        new = [part for part in inner if part not in seen]
        seen.update(new)
        waiting.extend(new)
    return True


@lru_cache(maxsize=4_096)
def _is_finished(automaton: Automaton) -> bool:
    """A search backwards from the accepting states of an automaton that is small enough to be made whole."""
    table = automaton.whole_table()
    if table is None:
        return False
    reached = table[: automaton.size, _COMMON]
    finished = np.array(automaton.accepting)
    while True:
        more = finished | finished[reached].any(axis=1)
        if (more == finished).all():
            return bool(finished[START:].all()) and not automaton.is_empty
        finished = more
