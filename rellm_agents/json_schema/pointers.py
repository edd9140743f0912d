"""Names on the way down a schema in, its JSON pointer out (RFC 6901, as a URI fragment without percent signs).

>>> below("#/properties", "a/b", "type")
'#/properties/a~1b/type'
"""

from __future__ import annotations


def below(pointer: str, *names: str) -> str:
    """The JSON pointer to what stands under ``names`` below ``pointer`` (RFC 6901, section 3)."""
    for name in names:
        pointer = f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}"
    return pointer
