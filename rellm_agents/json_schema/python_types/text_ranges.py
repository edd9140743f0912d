r"""Regexes of numbers, dates and times between two bounds.

Texts of one length, with the same separators at the same places, are ordered as what they mean. So a range of dates is a range of texts.

>>> texts_between("2024-03-15", "2024-03-19")
'2024-03-1[5-9]'
>>> integers_between(-3, 12)
'-[1-3]|[0-9]|1[0-2]'
"""

from __future__ import annotations

NOTHING = r"[^\s\S]"  # no text


def texts_between(low: str, high: str) -> str:
    """The texts from ``low`` to ``high``, which have the same length and the same separators.

    >>> texts_between("05", "21")
    '0[5-9]|1[0-9]|2[0-1]'
    """
    if low > high:
        return NOTHING
    if low == high:
        return low
    same = next(i for i, (a, b) in enumerate(zip(low, high, strict=True)) if a != b)
    start, first, last = low[:same], int(low[same]), int(high[same])
    rest_low, rest_high = low[same + 1 :], high[same + 1 :]
    found: list[str] = []
    if set(rest_low) - set("0-:T"):
        found += [start + low[same] + one for one in _beyond(rest_low, "9")]
        first += 1
    ends = [start + high[same] + one for one in _beyond(rest_high, "0")] if set(rest_high) - set("9-:T") else []
    last -= bool(ends)
    if first <= last:
        found.append(start + _digit(first, last) + _any(rest_low))
    return "|".join([*found, *ends])


def integers_between(low: int, high: int) -> str:
    """The integers from ``low`` to ``high``, without leading zeros.

    >>> integers_between(98, 1000)
    '9[8-9]|[1-9][0-9][0-9]|1000'
    """
    found = [f"-{_group(_naturals(max(-high, 1), -low))}"] if low < 0 else []
    if high >= 0:
        found.append(_naturals(max(low, 0), high))
    return "|".join(found) or NOTHING


def _naturals(low: int, high: int) -> str:
    if low > high:
        return NOTHING
    found = []
    for width in range(len(str(low)), len(str(high)) + 1):
        least = 10 ** (width - 1) if width > 1 else 0
        found.append(texts_between(str(max(low, least)), str(min(high, 10**width - 1))))
    return "|".join(found)


def _beyond(rest: str, digit: str) -> list[str]:
    """The texts from ``rest`` on, which ends in a digit, towards its end of the digits: up for ``"9"``, down for ``"0"``."""
    found = [rest[:-1] + _towards(int(rest[-1]), digit)]
    for i in reversed(range(len(rest) - 1)):
        if rest[i].isdigit() and rest[i] != digit:
            step = _towards(int(rest[i]) + (1 if digit == "9" else -1), digit)
            found.append(rest[:i] + step + _any(rest[i + 1 :]))
    return found if digit == "9" else found[::-1]


def _towards(first: int, digit: str) -> str:
    return _digit(first, 9) if digit == "9" else _digit(0, first)


def _any(text: str) -> str:
    return "".join("[0-9]" if one.isdigit() else one for one in text)


def _digit(first: int, last: int) -> str:
    return str(first) if first == last else f"[{first}-{last}]"


def _group(text: str) -> str:
    return f"(?:{text})" if "|" in text else text
