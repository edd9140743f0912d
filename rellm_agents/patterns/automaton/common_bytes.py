r"""A node in, whether its texts can be finished with common bytes alone out.

Where they can, and no token is written inside an automaton that leads to where that is not so any more, a vocabulary that spells those
bytes needs no more watching: no token leads to where no token fits.

>>> from rellm_agents.patterns.regex_reader import read_regex
>>> is_finished_by_common_bytes(read_regex("(?!b)[^c]*")), is_finished_by_common_bytes(read_regex(r"a\x04"))
(True, False)
"""

from __future__ import annotations

from rellm_agents.patterns.automaton.automaton import START, Automaton
from rellm_agents.patterns.ir import Choice, Complement, Dfa, Intersection, Lexeme, Node, Repeat, Rule, Sequence


def is_finished_by_common_bytes(node: Node) -> bool:
    """Whether every part of ``node`` has a text of ``COMMON_BYTES``; ``False`` also where it is not known."""
    waiting, seen = [node], {node}
    while waiting:
        one = waiting.pop()
        if one.is_spelled_by_common_bytes:
            continue
        match one:
            case Sequence(parts):
                inner = parts
            case Choice(options):
                inner = options
            case Repeat(again, _, _):
                inner = (again,)
            case Rule():
                inner = (one.body,)
            case Lexeme() | Intersection() | Complement() | Dfa() if one.is_plain or isinstance(one, Lexeme):
                if not Automaton.of(one).ends_in_common_bytes(START):
                    return False
                inner = ()
            case _:
                return False
        new = [part for part in inner if part not in seen]
        seen.update(new)
        waiting.extend(new)
    return True
