"""The prompts: what a model reads in the worked steps is what its pattern lets it write, and what LangChain would write."""

import re

import pytest
from langchain_classic.agents.format_scratchpad import format_log_to_str

from rellm_agents.demo.prompts import prompt_for, tool_lines
from rellm_agents.demo.tools import TOOLS
from rellm_agents.formats import json_action, react
from rellm_agents.langchain import parser_for

FORMATS = pytest.mark.parametrize("action_format", [json_action(TOOLS), react(TOOLS)], ids=["json_action", "react"])


@FORMATS
def test_the_worked_steps_read_like_a_run_of_the_agent(action_format):
    *worked, last = prompt(action_format, "Q").split("Question: ")[1:]
    assert len(worked) >= 2
    for shot in worked:
        question, rest = re.split(r"\n(?:Thought:)?", shot, maxsplit=1)
        text, observation, final = re.fullmatch(r"(.*?)\nObservation: (.*?)\nThought: (.*?)\n\n", rest, re.DOTALL).groups()
        action = parser_for(action_format).parse(text)
        assert prompt(action_format, question, format_log_to_str([(action, observation)])).endswith(shot[: shot.index(final)])
        assert parser_for(action_format).parse(final).return_values["output"]
        assert all(map(action_format.pattern.fullmatch, (text, final)))
    assert last.startswith("Q\n")


@FORMATS
def test_a_first_step_does_not_follow_a_space(action_format):
    assert not prompt(action_format, "Q").endswith(" ")


@FORMATS
def test_a_question_may_hold_braces(action_format):
    assert "{x} {{y}}" in prompt(action_format, "{x} {{y}}")


def prompt(action_format, question, scratchpad=""):
    names = ", ".join(tool.name for tool in TOOLS)
    return prompt_for(action_format).format(tools=tool_lines(TOOLS), tool_names=names, input=question, agent_scratchpad=scratchpad)
