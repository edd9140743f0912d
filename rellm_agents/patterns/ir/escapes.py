r"""Characters, sets and counts as regex text: for the ``regex`` module, or in what all engines read alike.

Knows no nodes.

>>> escape("a+b"), escape_set(CharSet.of("^ab]")), quantifier(2, None)
('a\\+b', '[\\]\\^ab]', '{2,}')
"""

from __future__ import annotations

from rellm_agents.patterns.ir.charset import CharSet, Range

ANY_CHARACTER_REGEX = "(?s:.)"  # any character

_SPECIAL = frozenset("\\.^$*+?{}[]|()")
_SPECIAL_IN_CLASS = frozenset("\\]^-[&|~")
_PORTABLY_SPECIAL_IN_CLASS = frozenset("\\]^-[")  # the others only where they are doubled, which they never are
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\f": "\\f", "\v": "\\v"}


def escape(text: str, *, portable: bool = False) -> str:
    r"""Regex text for exactly ``text``.

    Args:
        text: what is to be matched.
        portable: characters stand for themselves, since XGrammar reads all hexadecimal digits behind ``\x`` and ``\u``; but NUL.
    """
    return "".join("[\\u0000]" if portable and not ord(c) else _character(c, _SPECIAL, portable=portable) for c in text)


def escape_set(charset: CharSet, *, portable: bool = False) -> str:
    r"""Regex text for one character of a set that is not empty.

    Args:
        charset: the characters.
        portable: as for :func:`escape`; and neither a flag, nor ``^`` at the begin, which XGrammar reads as a negation, escaped or not.

    >>> escape_set(CharSet.of("^_`"), portable=True), escape_set(~CharSet(), portable=True)
    ('[_`\\^]', '([^\\n]|\\n)')
    """
    inverse = ~charset
    if not inverse:
        return "([^\\n]|\\n)" if portable else ANY_CHARACTER_REGEX
    negated = len(inverse.ranges) < len(charset.ranges)
    members = (inverse if negated else charset).ranges
    if not portable:
        return f"[{'^' if negated else ''}{''.join(map(_range, members))}]"
    if members[0][0] == ord("^") and not negated:
        members = (*(charset & ~CharSet.of("^")).ranges, (ord("^"), ord("^")))
    elif members[0] == (0, 0):
        members = (*members[1:], members[0])
    if members == ((ord("^"), ord("^")),) and not negated:
        return r"\^"
    return f"[{'^' if negated else ''}{''.join(_range(pair, portable=True) for pair in members)}]"


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


def _range(pair: Range, *, portable: bool = False) -> str:
    special = _PORTABLY_SPECIAL_IN_CLASS if portable else _SPECIAL_IN_CLASS
    first, last = (_character(chr(i), special, portable=portable) for i in pair)
    if pair[0] == pair[1]:
        return first
    return first + last if pair[0] + 1 == pair[1] else f"{first}-{last}"


def _character(c: str, special: frozenset[str], *, portable: bool) -> str:
    if c in special:
        return "\\" + c
    if c in _SHORT:
        return _SHORT[c]
    code = ord(c)
    if portable:
        return c if code else r"\u0000"
    if c.isprintable():
        return c
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
