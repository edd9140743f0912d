"""The shortest text of a node, as text.

    ("()" | "(" nested ")") twice      2 + 2 bytes: "()()"

Knows nothing of chance and of tokens.

>>> from rellm_agents.patterns.ir import choice, literal, repeat, rule, sequence
>>> nested = rule("shortest.nested", lambda: choice(literal("()"), sequence(literal("("), nested, literal(")"))))
>>> shortest_length(nested), shortest_text(repeat(nested, 2))
(2, '()()')
"""

from __future__ import annotations

from rellm_agents.patterns.ir import Node, shown
from rellm_agents.patterns.machine import shortest_length


def shortest_text(node: Node) -> str:
    """A text of ``node``, which must match something, with the fewest bytes in UTF-8; a special token counts two more than its content."""
    return shown(shortest_length.data(node)).decode("utf-8")
