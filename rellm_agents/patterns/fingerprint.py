"""A node in, a digest of what it says out: the same in every process for nodes that are made alike.

>>> from rellm_agents.patterns.nodes import choice, literal
>>> fingerprint(choice(literal("a"), literal("b"))) == fingerprint(choice(literal("a"), literal("c")))
False
"""

from __future__ import annotations

from hashlib import sha256
from typing import cast

from rellm_agents.patterns.kinds import (
    AnyNode,
    Characters,
    Choice,
    Complement,
    Intersection,
    Lexeme,
    Literal,
    Node,
    Repeat,
    Rule,
    Sequence,
    Steps,
    Tail,
)


def fingerprint(node: Node) -> str:
    """SHA-256 of the structure of ``node``, its rules included: 64 hexadecimal digits.

    Rules are told apart by the order in which they are met, so that it does not matter what they are called.
    """
    numbers: dict[Rule, int] = {}
    digests: dict[Node, bytes] = {}

    def digest(one: Node) -> bytes:
        if one not in digests:
            digests[one] = sha256(type(one).__name__.encode() + b"\0" + fields(one)).digest()
        return digests[one]

    def fields(one: Node) -> bytes:
        match cast(AnyNode, one):
            case Literal(data):
                return data
            case Characters(charset):
                return repr(charset.ranges).encode()
            case Tail(ranges, count):
                return repr((ranges, count)).encode()
            case Sequence(parts) | Choice(parts) | Intersection(parts):
                return b"".join(map(digest, parts))
            case Repeat(inner, minimum, maximum):
                return digest(inner) + repr((minimum, maximum)).encode()
            case Complement(inner) | Lexeme(inner):
                return digest(inner)
            case Steps(stepper, state):
                return repr((stepper, state)).encode()
            case Rule() as rule:
                return str(numbers.setdefault(rule, len(numbers))).encode()

    whole = sha256(digest(node))
    done = 0
    while done < len(numbers):  # a body may name further rules
        for rule in list(numbers)[done:]:
            whole.update(digest(rule.body))
            done += 1
    return whole.hexdigest()
