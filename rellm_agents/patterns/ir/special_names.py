"""A node in, the contents of the special tokens that it names out.

>>> from rellm_agents.patterns.ir.constructors import literal, sequence, special_token
>>> special_names(sequence(special_token("<|channel|>"), literal("final"), special_token("<|end|>")))
('<|channel|>', '<|end|>')
"""

from __future__ import annotations

from rellm_agents.patterns.ir.node import Node
from rellm_agents.patterns.ir.node_types import Literal, Rule, directly_inside
from rellm_agents.patterns.ir.special_tokens import contents_in


def special_names(node: Node) -> tuple[str, ...]:
    """The contents, sorted. Rules are made for it where they say that special tokens stand inside, and no others."""
    found: set[str] = set()
    waiting, seen = [node], {node}
    while waiting:
        one = waiting.pop()
        if isinstance(one, Literal):
            found.update(contents_in(one.data))
        following = (one.body,) if isinstance(one, Rule) else directly_inside(one)
        new = [inner for inner in following if inner.has_special and inner not in seen]
        seen.update(new)
        waiting.extend(new)
    return tuple(sorted(found))
