"""The look-up: names are found as people write them, and a miss says what there is."""

import pytest

from rellm_agents.demo.facts import UnknownName, fact_about, facts
from rellm_agents.demo.first_steps import questions
from rellm_agents.demo.tools import TOOLS, look_up


@pytest.mark.parametrize("name", ["Japan", "japan", " JAPAN ", "Japen", "japan."])
def test_a_name_is_found_as_people_write_it(name):
    assert fact_about(name) == "Japan is an island country in Asia; its capital is Tokyo."


@pytest.mark.parametrize("name", ["", " ", "x", "Atlantis", "the capital of Japan", "\x00"])
def test_a_name_without_an_entry_is_refused_with_names_that_have_one(name):
    with pytest.raises(UnknownName, match="nothing is known about") as refusal:
        fact_about(name)
    suggested = str(refusal.value).partition("such as ")[2].split(", ")
    assert len(suggested) == 3
    assert set(suggested) <= facts().keys()


def test_every_name_finds_its_own_fact():
    assert all(fact_about(name) == fact for name, fact in facts().items())
    assert len(facts()) >= 40


def test_the_tool_answers_with_a_string_whatever_happens():
    assert look_up.invoke({"name": "gold"}) == facts()["Gold"]
    assert look_up.invoke({"name": "Atlantis"}).startswith("error: nothing is known about 'Atlantis'")


def test_the_questions_need_the_tools_there_are():
    asked = questions(20)
    assert len(asked) == 20
    assert {one.tool for one in asked} == {tool.name for tool in TOOLS}
    assert len({one.question for one in asked}) == 20
