"""Named parts of a pattern, and what a pattern names: its parts and its special tokens.

A part has the texts of its node, but a machine knows when it is inside, so that a part can have a token budget of its own while a text is
written. A part is a rule whose body ends in a second rule, which reads nothing; every continuation inside the part leads through it.

    part("thought", node)  =  rule: node rule(end of "thought": "")

Knows nothing of machines and of tokenizers.

>>> from rellm_agents.patterns.ir.constructors import literal, sequence, special_token
>>> list(parts_in(sequence(part("thought", literal("so")), literal("!"))))
['thought']
>>> special_names(sequence(special_token("<|channel|>"), literal("final"), special_token("<|end|>")))
('<|channel|>', '<|end|>')
"""

from __future__ import annotations

from collections.abc import Callable

from rellm_agents.patterns.ir.constructors import EMPTY, rule, sequence
from rellm_agents.patterns.ir.node import MAYBE_EMPTY, RARE_BYTES, SPECIAL, Node
from rellm_agents.patterns.ir.node_types import Literal, Rule, directly_inside
from rellm_agents.patterns.ir.special_tokens import contents_in

_PART, _END = "part", "end of part"


def part(name: str, node: Node) -> Node:
    """The texts of ``node``, as a part that is known by its name.

    Args:
        name: several parts may have the same, if none is inside of another.
        node: what the part looks like.
    """
    return rule((_PART, name, node), lambda: sequence(node, _end_of(name)), flags=node.inside & (RARE_BYTES | MAYBE_EMPTY | SPECIAL))


def _end_of(name: str) -> Node:
    return rule((_END, name), lambda: EMPTY, flags=0)


def is_part_end(node: Node, name: str) -> bool:
    """Whether a node is the end of a part of this name."""
    return isinstance(node, Rule) and node.key == (_END, name)


def without_name(node: Node) -> Node:
    """What a named part looks like, for those who do not care for names; any other node itself."""
    match node:
        case Rule((str(kind), str(), Node() as inner)) if kind == _PART:
            return inner
        case Rule((str(kind), str())) if kind == _END:
            return EMPTY
    return node


def parts_in(node: Node) -> dict[str, list[Node]]:
    """What the parts of each name look like; those that stand in the bodies of other rules are not looked for."""
    found: dict[str, list[Node]] = {}

    def inside(one: Node) -> tuple[Node, ...]:
        match one:
            case Rule((str(kind), str(name), Node() as inner)) if kind == _PART:
                found.setdefault(name, []).append(inner)
                return (inner,)
        return directly_inside(one)

    _visit(node, inside)
    return found


def special_names(node: Node) -> tuple[str, ...]:
    """The contents of the special tokens in a node, sorted. Only those rule bodies are made in which special tokens stand."""
    found: set[str] = set()

    def inside(one: Node) -> tuple[Node, ...]:
        if isinstance(one, Literal):
            found.update(contents_in(one.data))
        return tuple(inner for inner in ((one.body,) if isinstance(one, Rule) else directly_inside(one)) if inner.has_special)

    _visit(node, inside)
    return tuple(sorted(found))


def _visit(node: Node, inside: Callable[[Node], tuple[Node, ...]]) -> None:
    """Call ``inside`` with each node that can be reached by it, once."""
    waiting, seen = [node], {node}
    while waiting:
        following = dict.fromkeys(one for one in inside(waiting.pop()) if one not in seen)
        waiting += following
        seen.update(following)
