"""Shortest texts: of any node, and of a capture among the texts that it does not exclude.

The length is the cost of :class:`CheapestText <rellm_agents.patterns.machine.CheapestText>` with bytes as the unit; the text is read off by
taking, at each choice, an option of least length. The text of a capture is found by a search of its own
(:func:`rellm_agents.patterns.machine.shortest_allowed`).

    ("()" | "(" nested ")") twice      2 + 2 bytes: "()()"

Knows nothing of chance and of tokens.

>>> from rellm_agents.patterns.ir import choice, literal, repeat, rule, sequence
>>> nested = rule("shortest.nested", lambda: choice(literal("()"), sequence(literal("("), nested, literal(")"))))
>>> shortest_length(nested), shortest_text(repeat(nested, 2))
(2, '()()')
"""

from __future__ import annotations

from typing import cast

from rellm_agents.patterns.automaton import shortest_bytes
from rellm_agents.patterns.ir import AnyNode, Capture, Choice, Node, Repeat, Rule, Sequence, Terminal, shown
from rellm_agents.patterns.machine import CheapestText, Machine, allowed_length, bytes_of_terminal, shortest_allowed


def shortest_text(node: Node) -> str:
    """A text of ``node``, which must match something, with the fewest bytes in UTF-8; a special token counts two more than its content."""
    return shown(shortest_data(node)).decode("utf-8")


def shortest_data(node: Node) -> bytes:
    """The same as the machine reads it, with the delimiters of special tokens."""
    out = bytearray()
    stack = [node]
    while stack:
        match cast(AnyNode, stack.pop()):
            case Sequence(parts):
                stack.extend(reversed(parts))
            case Choice(options):
                stack.append(shortest_option(options))
            case Repeat(inner, minimum, _):
                stack.extend([inner] * minimum)
            case Rule() as one:
                stack.append(one.witness)
            case Capture(_, _, then) as capture:
                text = shortest_captured(capture)
                out += text
                stack += [capture.continue_with(text), then]
            case Terminal() as terminal:
                out += shortest_bytes(terminal) or b""
    return bytes(out)


def shortest_captured(capture: Capture) -> bytes:
    """A shortest allowed text of a capture, which must have one."""
    found = shortest_length.cheapest(capture)
    assert found is not None
    return found[1]


def shortest_option(options: tuple[Node, ...]) -> Node:
    """An option with a shortest text; among equals the first without rules."""
    lengths = {option: length for option in options if (length := shortest_length(option)) is not None}
    return min(lengths, key=lambda option: (lengths[option], option.has_rules))


def _cheapest_allowed(capture: Capture) -> tuple[int, bytes] | None:
    if not capture.excluded:  # no search is needed, unless the text is asked for inside itself
        length = shortest_length(capture.inner)
        if length is not None and not shortest_length.inside_cycle:
            return length, shortest_data(capture.inner)
    text = shortest_allowed(capture, Machine.of(capture.inner).open_start)
    return None if text is None else (len(text), text)


shortest_length = CheapestText(bytes_of_terminal, _cheapest_allowed, allowed_length)
"""The length in bytes of a shortest text of a node; ``None`` if nothing matches."""
