"""Makes the automata of all string formats anew of their regexes.

cd tests && python -m json_schema.text.format_tables        writes the files of ``schemas/format_automata``
"""

from __future__ import annotations

import json
from weakref import WeakKeyDictionary

import pytest

from rellm_agents.json_schema.text import string_formats
from rellm_agents.json_schema.text.format_automata import minimised_table
from rellm_agents.patterns import Node
from rellm_agents.patterns.automaton import derivative
from rellm_agents.patterns.automaton.character_automata import character_automaton
from rellm_agents.resources import data_path


def regex_node(name: str) -> Node:
    """What the regex of a format says."""
    return string_formats._composed(string_formats._declared()["formats"][name]["regex"])


def made_anew(name: str) -> str:
    """The text of the file of a format."""
    with pytest.MonkeyPatch.context() as patch:
        node = regex_node(name)
        patch.setattr(derivative, "_DERIVED_AS", WeakKeyDictionary())  # its own derivatives, not those of the file
        derivative.transitions.cache_clear()
        character_automaton.cache_clear()
        table = minimised_table(character_automaton(node))
    derivative.transitions.cache_clear()
    character_automaton.cache_clear()
    return json.dumps(table, separators=(",", ":")) + "\n"


if __name__ == "__main__":
    for each in string_formats.format_names():
        (data_path("format_automata") / f"{each}.json").write_text(made_anew(each), encoding="utf-8")
