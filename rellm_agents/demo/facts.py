"""Looks up a fact in a small data file by name; misspelt names are found, too.

Knows nothing of LangChain.

>>> fact_about("  everest ")
'Mount Everest is the highest mountain on Earth, 8,849 metres.'
>>> fact_about("Mozrat")
'Wolfgang Amadeus Mozart was a composer, born in Salzburg in 1756.'
>>> fact_about("Atlantis")
Traceback (most recent call last):
rellm_agents.demo.facts.UnknownName: nothing is known about 'Atlantis'; there are entries such as ...
"""

from __future__ import annotations

import difflib
import json
from functools import cache

from rellm_agents.resources import data_path

_CLOSE = 0.75  # least similarity, by difflib, of a misspelt name


class UnknownName(LookupError):
    """A name without an entry; the message names similar entries."""


def fact_about(name: str) -> str:
    """The fact about a name, whatever its case and despite spelling mistakes.

    Raises:
        UnknownName: there is no such entry.
    """
    names = {known.casefold(): known for known in facts()}
    asked = name.strip().casefold()
    close = [asked] if asked in names else difflib.get_close_matches(asked, names, n=1, cutoff=_CLOSE)
    if not close:
        nearest = difflib.get_close_matches(asked, names, n=3, cutoff=0.0)
        raise UnknownName(f"nothing is known about {name!r}; there are entries such as {', '.join(names[n] for n in nearest)}")
    return facts()[names[close[0]]]


@cache
def facts() -> dict[str, str]:
    """All entries of the data file: names and sentences."""
    found: dict[str, str] = json.loads(data_path("examples/facts.json").read_text(encoding="utf-8"))
    return found
