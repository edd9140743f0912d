r"""Characters, sets and counts as regex text that means the same to the ``regex`` module, to Rust's ``regex`` and to RE2.

Knows no nodes.

>>> escape("a+b"), escape_set(CharSet.of("^ab]")), quantifier(2, None)
('a\\+b', '[\\]\\^ab]', '{2,}')
"""

from __future__ import annotations

from rellm_agents.patterns.ir.charset import CharSet, Range

ANY_CHARACTER_REGEX = "(?s:.)"  # any character

_SPECIAL = frozenset("\\.^$*+?{}[]|()")
_SPECIAL_IN_CLASS = frozenset("\\]^-[&|~")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\f": "\\f", "\v": "\\v"}


def escape(text: str, *, braces: bool = False) -> str:
    r"""Regex text for exactly ``text``.

    Args:
        text: what is to be matched.
        braces: write code points as ``\x{...}``, as Rust and RE2 do, rather than as ``\x``, ``\u`` and ``\U``.
    """
    return "".join(_character(c, _SPECIAL, braces=braces) for c in text)


def escape_set(charset: CharSet, *, braces: bool = False) -> str:
    """Regex text for one character of a set that is not empty; ``braces`` as for :func:`escape`."""
    inverse = ~charset
    if not inverse:
        return ANY_CHARACTER_REGEX
    negated = len(inverse.ranges) < len(charset.ranges)
    members = "".join(_range(pair, braces=braces) for pair in (inverse if negated else charset).ranges)
    return f"[{'^' if negated else ''}{members}]"


def quantifier(minimum: int, maximum: int | None) -> str:
    """The quantifier for ``minimum`` to ``maximum`` times."""
    match minimum, maximum:
        case 0, None:
            return "*"
        case 1, None:
            return "+"
        case 0, 1:
            return "?"
        case _ if minimum == maximum:
            return f"{{{minimum}}}"
        case _:
            return f"{{{minimum},{'' if maximum is None else maximum}}}"


def _range(pair: Range, *, braces: bool) -> str:
    first, last = (_character(chr(i), _SPECIAL_IN_CLASS, braces=braces) for i in pair)
    if pair[0] == pair[1]:
        return first
    return first + last if pair[0] + 1 == pair[1] else f"{first}-{last}"


def _character(c: str, special: frozenset[str], *, braces: bool) -> str:
    if c in special:
        return "\\" + c
    if c in _SHORT:
        return _SHORT[c]
    if c.isprintable():
        return c
    code = ord(c)
    if braces:
        return f"\\x{{{code:x}}}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
