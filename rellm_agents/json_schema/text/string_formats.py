r"""The string formats by name: dates, addresses, identifiers, as nodes of decoded strings.

The formats are those of the JSON Schema specification (2020-12 Validation, section 7.3), as the regular expressions of
``schemas/string_formats.json``. They describe the decoded string as a whole. Knows nothing of how JSON writes a string.

>>> from rellm_agents.patterns import Pattern
>>> leap_day = Pattern(string_format("date").node)
>>> leap_day.fullmatch("2000-02-29"), leap_day.fullmatch("1900-02-29")
(True, False)
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from rellm_agents.caches import cached_property
from rellm_agents.json_schema.text.format_automata import format_states
from rellm_agents.patterns import Node
from rellm_agents.patterns.automaton import derive_as
from rellm_agents.patterns.regex_reader import read_composed
from rellm_agents.resources import data_path

_FILE = "string_formats.json"
_VERSION = 1
_KEYS = ("$schema", "version", "pieces", "formats")
_FORMAT_KEYS = ("regex", "standard", "exact", "because")
_RENAMED = {"source": "standard"}


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
        found = _composed(_declared()["formats"][self.name]["regex"])
        derive_as(found, format_states(self.name))
        return found


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
    return checked(json.loads(data_path(_FILE).read_text("utf-8")))


def checked(data: dict[str, Any]) -> dict[str, Any]:
    """The content of the data file, if its version is ours and all its keys are known.

    Raises:
        ValueError: they are not; the message names the place, and the key that is meant.

    >>> checked({"version": 1, "pieces": {}, "formats": {"a": {"source": "RFC 1"}}})
    Traceback (most recent call last):
    ValueError: string_formats.json, #/formats/a/source: this key is called 'standard' now
    """
    if data.get("version") != _VERSION:
        raise ValueError(f"{_FILE}, #/version: {data.get('version')!r}, where only {_VERSION} is read")
    _check_keys("#", data, _KEYS)
    for name, declared in data["formats"].items():
        _check_keys(f"#/formats/{name}", declared, _FORMAT_KEYS)
    return data


def _check_keys(pointer: str, declared: Mapping[str, Any], known: Iterable[str]) -> None:
    for key in declared.keys() - known:
        meant = f"this key is called {_RENAMED[key]!r} now" if key in _RENAMED else f"there is no such key, only {', '.join(known)}"
        raise ValueError(f"{_FILE}, {pointer}/{key}: {meant}")


@lru_cache(maxsize=256)
def _piece(name: str) -> Node:
    return _composed(_declared()["pieces"][name])


def _composed(text: str) -> Node:
    """What a regex says that calls pieces by name, e.g. ``(?&octet)``."""
    return read_composed(text, _declared()["pieces"], _piece)
