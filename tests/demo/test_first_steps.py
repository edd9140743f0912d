"""The verdict on a step: LangChain's parser, then the tool, then its arguments, then sense."""

import pytest

from rellm_agents.demo.agents import DemoAgent
from rellm_agents.demo.first_steps import Verdict, judge
from rellm_agents.demo.tools import TOOLS
from rellm_agents.formats import json_action, react

AGENTS = {"json": DemoAgent(json_action(TOOLS), None), "react": DemoAgent(react(TOOLS), None)}
NOTHING = Verdict()
PARSED = Verdict(parsed=True)
KNOWN = Verdict(parsed=True, known=True)
VALID = Verdict(parsed=True, known=True, valid=True)
APT = Verdict(parsed=True, known=True, valid=True, apt=True)


@pytest.mark.parametrize(
    ("agent", "text", "verdict"),
    [
        ("json", '{"action": "look_up", "action_input": {"name": "Japan"}}', APT),
        ("json", '{"action": "look_up", "action_input": "Japan"}', APT),
        ("json", '{"action": "calculator", "action_input": {"expression": "Japan"}}', VALID),
        ("json", '{"action": "Final Answer", "action_input": "Tokyo"}', VALID),
        ("json", '{"action": "Final Answer", "action_input": {"city": "Tokyo"}}', KNOWN),
        ("json", '{"action": "look_up", "action_input": {"name": 3}}', Verdict(parsed=True, known=True, apt=True)),
        ("json", '{"action": "look_up", "action_input": {"country": "Japan"}}', Verdict(parsed=True, known=True, apt=True)),
        ("json", '{"action": "search", "action_input": {"name": "Japan"}}', PARSED),
        ("json", "Tokyo", NOTHING),
        ("json", "", NOTHING),
        ("react", " I look.\nAction: look_up\nAction Input: Japan", APT),
        ("react", " I look.\nAction: calculator\nAction Input: Japan", VALID),
        ("react", " So.\nFinal Answer: Tokyo", VALID),
        ("react", " I look.\nAction: search\nAction Input: Japan", PARSED),
        ("react", " I look.\nAction: look_up", NOTHING),
        ("react", "Tokyo", NOTHING),
    ],
)
def test_the_verdict_is_that_of_langchains_parser_and_the_tools_schema(agent, text, verdict):
    assert judge(AGENTS[agent], text, "look_up") == verdict
