r"""Makes the JSON strings that fit all conditions of a schema, and the names that properties may have.

Knows nothing of schemas: the conditions are on decoded strings (``decoded_strings``), which are then written (``encoding``).

>>> from rellm_agents.patterns import Pattern
>>> quoted = Pattern(string_node(patterns=('^"[ab]+"$',), max_length=4))
>>> quoted.fullmatch(r'"\"ab\""'), quoted.fullmatch(r'"\"aab\""'), quoted.fullmatch('"ab"')
(True, False, False)
"""

from __future__ import annotations

from functools import lru_cache
from typing import Unpack

from rellm_agents.json_schema.text.banned_substrings import Banned
from rellm_agents.json_schema.text.decoded_strings import Conditions, decoded_strings
from rellm_agents.json_schema.text.encoding import json_string, raw_string
from rellm_agents.json_schema.text.layout import Layout
from rellm_agents.json_schema.text.raw_strings import BARE_NAME, RawStrings
from rellm_agents.patterns import NOTHING, Node, lexeme, read_regex
from rellm_agents.patterns.machine import has_text


@lru_cache(maxsize=1_024)
def string_node(*, banned: Banned = (), raw: RawStrings | None = None, **conditions: Unpack[Conditions]) -> Node:
    """The strings, with their quotes, that fit all conditions; ``NOTHING`` if none does.

    Args:
        banned: texts that no string holds as they are, see :mod:`banned_substrings`.
        raw: how strings are written, if not as in JSON.
        conditions: as of :func:`decoded_strings`.

    Raises:
        RegexSyntaxError, InexactFormat, PatternTooLarge: as :func:`decoded_strings`.
    """
    decoded = decoded_strings(**conditions)
    if decoded is NOTHING:
        return NOTHING
    node = json_string(decoded, banned) if raw is None else raw_string(decoded, raw)
    return node if has_text(node) else NOTHING


def name_node(layout: Layout) -> Node:
    """The names that properties may have, as a layout writes them."""
    return string_node(banned=layout.banned) if layout.raw is None else lexeme(read_regex(BARE_NAME.pattern))
