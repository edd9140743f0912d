"""An output parser in, what a table holds for its class out; LangChain is not imported for it.

Tables name LangChain's own classes, and hold those that users register as they are. A class that overrides how LangChain's reads is
another parser: what is known of LangChain's says nothing of it.

>>> class Shouting(str):
...     def parse(self, text): return text.upper()
>>> found_in({Shouting: "known"}, Shouting()), found_in({str: "known"}, Shouting()), found_in({str: "known"}, "a")
('known', None, 'known')
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

Held = TypeVar("Held")

_READS = frozenset({"parse", "parse_result", "parse_with_prompt", "_parse_obj"})


def found_in(table: Mapping[str | type, Held], parser: Any) -> Held | None:
    """What a table holds for a parser's class, or for one that it inherits its reading from; ``None``: nothing."""
    for kind in type(parser).__mro__:
        if kind in table:
            return table[kind]
        if kind.__module__.startswith("langchain") and kind.__name__ in table:
            return table[kind.__name__]
        if _READS & vars(kind).keys():
            return None
    return None
