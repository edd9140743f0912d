"""A node in, the contents of the special tokens that it names out.

>>> from rellm_agents.patterns.nodes import literal, sequence, special_token
>>> special_names(sequence(special_token("<|channel|>"), literal("final"), special_token("<|end|>")))
('<|channel|>', '<|end|>')
"""

from __future__ import annotations

from typing import cast

from rellm_agents.patterns.kinds import (
    AnyNode,
    Characters,
    Choice,
    Complement,
    Intersection,
    Lexeme,
    Literal,
    Recall,
    Repeat,
    Rule,
    Sequence,
    Steps,
    Tail,
)
from rellm_agents.patterns.node import Node
from rellm_agents.patterns.special_bytes import contents_in


def special_names(node: Node) -> tuple[str, ...]:
    """The contents, sorted. Rules are made for it where they say that special tokens stand inside, and no others."""
    found: set[str] = set()
    waiting, seen = [node], {node}
    while waiting:
        match cast(AnyNode, waiting.pop()):
            case Literal(data):
                found.update(contents_in(data))
                inner: tuple[Node, ...] = ()
            case Sequence(parts) | Choice(parts):
                inner = parts
            case Repeat(one, _, _) | Lexeme(one):
                inner = (one,)
            case Rule() as rule:
                inner = (rule.body,)
            case Recall(_, _, between, _):
                inner = (between,)
            case Characters() | Tail() | Steps() | Intersection() | Complement():  # which hold none
                inner = ()
        new = [part for part in inner if part.has_special and part not in seen]
        seen.update(new)
        waiting.extend(new)
    return tuple(sorted(found))
