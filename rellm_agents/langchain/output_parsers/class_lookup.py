"""Looks up the entry of a table for an output parser's class, without importing LangChain's optional packages.

A key is the name of one of LangChain's classes, or a class that a user has registered. Subclasses share the entry of their base class.
A subclass that overrides a reading method (such as ``parse``) has none: it may read other texts.

>>> class Shouting(str):
...     def parse(self, text): return text.upper()
>>> look_up_class({Shouting: "known"}, Shouting()), look_up_class({str: "known"}, Shouting()), look_up_class({str: "known"}, "a")
('known', None, 'known')
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

Entry = TypeVar("Entry")

_READING_METHODS = frozenset({"parse", "parse_result", "parse_with_prompt", "_parse_obj"})


def look_up_class(table: Mapping[str | type, Entry], parser: Any) -> Entry | None:
    """The entry for a parser's class, or for the class that it inherits its reading methods from; ``None`` without one."""
    for kind in type(parser).__mro__:
        if kind in table:
            return table[kind]
        if kind.__module__.startswith("langchain") and kind.__name__ in table:
            return table[kind.__name__]
        if _READING_METHODS & vars(kind).keys():
            return None
    return None
