"""Where the named part ends that a continuation leads out of: the base of token budgets for parts.

A part's body ends in a rule that reads nothing (:func:`rellm_agents.patterns.ir.part`), so every continuation from inside the part leads
through it. Knows nothing of budgets.

>>> from rellm_agents.patterns.ir import literal, part, sequence
>>> from rellm_agents.patterns.machine import start
>>> (cell,) = start(sequence(part("thought", literal("so")), literal("!"))).cells
>>> part_end(cell.then, "thought") is cell.then, part_end(cell.then, "answer")
(True, None)
"""

from __future__ import annotations

from rellm_agents.patterns.ir import is_part_end
from rellm_agents.patterns.machine.cells import Continuation


def part_end(then: Continuation | None, name: str) -> Continuation | None:
    """The continuation at the end of the innermost part of this name that ``then`` leads out of; ``None`` if it is in no such part."""
    while then is not None and not is_part_end(then.node, name):
        then = then.then
    return then
