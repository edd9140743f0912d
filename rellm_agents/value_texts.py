"""Puts values and places of texts into words, for errors.

Knows nothing of what goes wrong.

>>> kind_of([1, None]), shown("a" * 80, most=5), kind_of(3)
('a list of int and None', "'aaaa...", 'an int')
"""

from __future__ import annotations

_PACKAGE = __name__.partition(".")[0]
_MAX_HELD = 32  # items of a list whose types an error looks at


def kind_of(value: object) -> str:
    """What a value is, with an article; of a list, what it holds."""
    if isinstance(value, (list, tuple)) and value:
        held = dict.fromkeys(map(_type_name, value[:_MAX_HELD]))
        return f"a {type(value).__name__} of {' and '.join(held)}"
    name = _type_name(value)
    return name if value is None else f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _type_name(value: object) -> str:
    kind = type(value)
    if value is None:
        return "None"
    package = kind.__module__.partition(".")[0]
    return kind.__name__ if package in ("builtins", "__main__", _PACKAGE) else f"{package}.{kind.__name__}"


def shown(value: object, most: int = 60) -> str:
    """The beginning of how a value is written in Python."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - of a class of the user's
        text = f"<{type(value).__name__}>"
    return text if len(text) <= most else f"{text[:most]}..."


def where_left(text: str, position: int) -> str:
    """Where a text is no longer what it should be, with a caret: a character, or its end, which comes too early.

    >>> print(where_left("Sure! yes", 0))
    it is wrong from position 0 on:
      Sure! yes
      ^
    """
    what = f"it is wrong from position {position} on" if position < len(text) else f"it ends too early, at position {position}"
    return f"{what}:\n{caret(text, position)}"


def caret(text: str, position: int, width: int = 72) -> str:
    """The line around ``position`` with a caret below it; at most ``width`` characters of it."""
    start = max(0, position - width // 2)
    shown = text[start : start + width]
    printable = [c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in shown]
    return "  " + "".join(printable) + "\n  " + " " * (position - start) + "^"
