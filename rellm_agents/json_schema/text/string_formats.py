r"""The name of a string format in, the node of its texts out: dates, addresses, identifiers.

The formats are those of the JSON Schema specification (2020-12 Validation, section 7.3), as the regular expressions of
``schemas/string_formats.json``. They speak of the decoded string, whole. Knows nothing of how JSON spells a string.

>>> from rellm_agents.patterns import Pattern
>>> leap_day = Pattern(string_format("date").node)
>>> leap_day.fullmatch("2000-02-29"), leap_day.fullmatch("1900-02-29")
(True, False)
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from rellm_agents.patterns import Node
from rellm_agents.patterns.regex_reader import read_composed
from rellm_agents.resources import data_path


@dataclass(frozen=True)
class StringFormat:
    """What strings of a format look like.

    Attributes:
        name: as the keyword ``format`` says it.
        exact: the texts are precisely those of the format's standard; otherwise some of those, never others.
    """

    name: str
    exact: bool

    @cached_property
    def node(self) -> Node:
        """The texts, decoded; read when first asked for."""
        return _composed(_declared()["formats"][self.name]["regex"])


@lru_cache(maxsize=128)
def string_format(name: str) -> StringFormat | None:
    """The format of this name; ``None``: unknown, so an annotation (2020-12 Validation, section 7.2.3).

    >>> string_format("uuid").exact, string_format("colour")
    (True, None)
    """
    declared = _declared()["formats"].get(name)
    return None if declared is None else StringFormat(name, declared["exact"])


def format_names() -> tuple[str, ...]:
    """The names of all known formats."""
    return tuple(_declared()["formats"])


@lru_cache(maxsize=1)
def _declared() -> dict[str, Any]:
    declared: dict[str, Any] = json.loads(data_path("string_formats.json").read_text("utf-8"))
    return declared


@lru_cache(maxsize=256)
def _piece(name: str) -> Node:
    return _composed(_declared()["pieces"][name])


def _composed(text: str) -> Node:
    """What a regex says that calls pieces by name, e.g. ``(?&octet)``."""
    return read_composed(text, _declared()["pieces"], _piece)
