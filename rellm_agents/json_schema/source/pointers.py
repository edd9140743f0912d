"""Writes and reads JSON pointers (RFC 6901), as URI fragments without percent signs. Knows nothing of schemas.

>>> below("#/properties", "a/b", "type"), names_of("#/properties/a~1b/type")
('#/properties/a~1b/type', ['properties', 'a/b', 'type'])
"""

from __future__ import annotations


def below(pointer: str, *names: str) -> str:
    """The JSON pointer to what stands under ``names`` below ``pointer`` (RFC 6901, section 3)."""
    for name in names:
        pointer = f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}"
    return pointer


def names_of(pointer: str) -> list[str]:
    """The names on the way to what a JSON pointer names."""
    return [name.replace("~1", "/").replace("~0", "~") for name in pointer.split("/")[1:]]
