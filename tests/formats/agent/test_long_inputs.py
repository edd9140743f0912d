"""Long texts in a slot are read in steps that their length does not add to, and a bound on it is kept to the character."""

from __future__ import annotations

from typing import Any

import pytest

from rellm_agents.formats import Action, ActionFormat, conversational, mrkl, react
from rellm_agents.patterns.automaton import Automaton

MOST = 20_000
QUERIES: list[dict[str, Any]] = [
    {"type": "string", "maxLength": MOST},
    {"type": "string", "minLength": MOST - 5, "maxLength": MOST},
    {"type": "string", "maxLength": MOST, "pattern": "^[a-z ]*$"},
    {"type": "string", "maxLength": MOST, "pattern": "^a.*[^ ]$"},
]


def format_for(make: Any, query: dict[str, Any]) -> ActionFormat:
    tool = {"type": "object", "properties": {"query": query}, "required": ["query"]}
    return make({"search": tool})  # type: ignore[no-any-return]


@pytest.mark.parametrize("number", range(len(QUERIES)))
@pytest.mark.parametrize("make", [react, mrkl, conversational], ids=lambda make: make.__name__)
def test_a_bound_on_the_length_of_an_input_is_kept_and_adds_no_states(monkeypatch: pytest.MonkeyPatch, make: Any, number: int) -> None:
    steps = format_for(make, QUERIES[number])
    made: list[int] = []
    keep = Automaton._keep

    def counted(automaton: Automaton, state: int, row: list[int]) -> None:
        made.append(state)
        keep(automaton, state, row)

    monkeypatch.setattr(Automaton, "_keep", counted)
    text = steps.write(Action("search", "a" * MOST, ""))
    assert steps.read(text) == Action("search", "a" * MOST, "")
    assert len(made) < 1_000
    assert not steps.pattern.fullmatch(text.replace("a" * MOST, "a" * (MOST + 1)))


@pytest.mark.parametrize("unit", ["a", "ä ", "word ", "\nAction", '"', "Final Answer "])
def test_free_text_is_read_by_few_states(monkeypatch: pytest.MonkeyPatch, unit: str) -> None:
    steps = format_for(react, {"type": "string"})
    made: list[int] = []
    keep = Automaton._keep

    def counted(automaton: Automaton, state: int, row: list[int]) -> None:
        made.append(state)
        keep(automaton, state, row)

    monkeypatch.setattr(Automaton, "_keep", counted)
    assert steps.pattern.fullmatch(f"{unit * (MOST // len(unit))}\nAction: search\nAction Input: x")
    assert len(made) < 200
