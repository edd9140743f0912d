"""A digest of a node, the same in every process for nodes that are made alike.

>>> from rellm_agents.patterns.ir.constructors import choice, literal
>>> fingerprint(choice(literal("a"), literal("b"))) == fingerprint(choice(literal("a"), literal("c")))
False
"""

from __future__ import annotations

from hashlib import sha256
from typing import cast

from rellm_agents.errors import PatternError
from rellm_agents.patterns.ir.node import Node
from rellm_agents.patterns.ir.node_types import (
    AnyNode,
    Capture,
    Characters,
    Choice,
    Complement,
    Dfa,
    Intersection,
    Lexeme,
    Literal,
    Repeat,
    Rule,
    Sequence,
    Utf8Tail,
)


def fingerprint(node: Node) -> str:
    """SHA-256 of the structure of ``node``, its rules included: 64 hexadecimal digits.

    Rules are numbered in the order in which they are met, so their keys do not matter. What follows the text of a capture is a function
    and cannot be digested; there the key counts, whose parts are plain values or have an attribute ``fingerprint``.

    Raises:
        PatternError: a part of the key of a capture is neither.
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
            case Utf8Tail(ranges, count):
                return repr((ranges, count)).encode()
            case Sequence(parts) | Choice(parts) | Intersection(parts):
                return b"".join(map(digest, parts))
            case Repeat(inner, minimum, maximum):
                return digest(inner) + repr((minimum, maximum)).encode()
            case Complement(inner) | Lexeme(inner):
                return digest(inner)
            case Dfa(functions, state):
                return repr((functions, state)).encode()
            case Capture(inner, excluded, then, key):
                return b"".join([digest(inner), digest(then), *(sha256(text).digest() for text in sorted(excluded)), _of_key(key)])
            case Rule() as rule:
                return str(numbers.setdefault(rule, len(numbers))).encode()

    whole = sha256(digest(node))
    done = 0
    while done < len(numbers):  # a body may name further rules
        for rule in list(numbers)[done:]:
            whole.update(digest(rule.body))
            done += 1
    return whole.hexdigest()


def _of_key(key: object) -> bytes:
    match key:
        case str() | bytes() | int() | None:
            return sha256(repr(key).encode()).digest()
        case tuple():
            return sha256(b"(" + b"".join(map(_of_key, key))).digest()
        case frozenset():
            return sha256(b"{" + b"".join(sorted(map(_of_key, key)))).digest()
    own = getattr(key, "fingerprint", None)
    if not isinstance(own, str):
        raise PatternError(f"no fingerprint: {type(key).__name__}, in the key of a capture, has no attribute ``fingerprint`` to tell it by")
    return sha256(b"=" + own.encode()).digest()
