"""A name and a node in, the node as a named part out: its texts are the same, but a machine knows when it is inside.

So a part can have a token budget of its own while a text is written. A part ends in a mark that reads nothing; every continuation
inside of the part leads through it.

>>> from rellm_agents.patterns.ir.constructors import literal, sequence
>>> list(parts_in(sequence(part("thought", literal("so")), literal("!"))))
['thought']
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rellm_agents.patterns.ir.constructors import EMPTY, rule, sequence
from rellm_agents.patterns.ir.node import MAYBE_EMPTY, RARE_BYTES, SPECIAL, Node
from rellm_agents.patterns.ir.node_types import Rule, directly_inside

if TYPE_CHECKING:
    from rellm_agents.patterns.machine import Continuation

_PART, _END = "part", "end of part"


def part(name: str, node: Node) -> Node:
    """The texts of ``node``, as a part that is known by its name.

    Args:
        name: several parts may have the same, if none is inside of another.
        node: what the part looks like.
    """
    return rule((_PART, name, node), lambda: sequence(node, _end_of(name)), flags=node.inside & (RARE_BYTES | MAYBE_EMPTY | SPECIAL))


def parts_in(node: Node) -> dict[str, list[Node]]:
    """What the parts of each name look like; those that stand in the bodies of other rules are not looked for."""
    found: dict[str, list[Node]] = {}
    waiting, seen = [node], {node}
    while waiting:
        match waiting.pop():
            case Rule((str(kind), str(name), Node() as inner)) if kind == _PART:
                found.setdefault(name, []).append(inner)
                following: tuple[Node, ...] = (inner,)
            case one:
                following = directly_inside(one)
        waiting += [one for one in following if one not in seen]
        seen.update(following)
    return found


def without_name(node: Node) -> Node:
    """What a named part looks like, for those who do not care for names; any other node itself."""
    match node:
        case Rule((str(kind), str(), Node() as inner)) if kind == _PART:
            return inner
        case Rule((str(kind), str())) if kind == _END:
            return EMPTY
    return node


def part_end(then: Continuation | None, name: str) -> Continuation | None:
    """The mark that ends the innermost part of this name, where a continuation leads out of one; else ``None``."""
    key = (_END, name)
    while then is not None and not (isinstance(then.node, Rule) and then.node.key == key):
        then = then.then
    return then


def _end_of(name: str) -> Node:
    return rule((_END, name), lambda: EMPTY, flags=0)
