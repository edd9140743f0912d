"""What a step is worth: LangChain's parser, then the tool, then its arguments, then sense."""

import pytest

from rellm_agents.demo.agents import DemoAgent
from rellm_agents.demo.first_steps import Worth, judge
from rellm_agents.demo.tools import TOOLS
from rellm_agents.formats import json_action, react

AGENTS = {"json": DemoAgent(json_action(TOOLS), None), "react": DemoAgent(react(TOOLS), None)}
NOTHING = Worth()
PARSED = Worth(parsed=True)
KNOWN = Worth(parsed=True, known=True)
VALID = Worth(parsed=True, known=True, valid=True)
APT = Worth(parsed=True, known=True, valid=True, apt=True)


@pytest.mark.parametrize(
    ("agent", "text", "worth"),
    [
        ("json", '{"action": "look_up", "action_input": {"name": "Japan"}}', APT),
        ("json", '{"action": "look_up", "action_input": "Japan"}', APT),
        ("json", '{"action": "calculator", "action_input": {"expression": "Japan"}}', VALID),
        ("json", '{"action": "Final Answer", "action_input": "Tokyo"}', VALID),
        ("json", '{"action": "Final Answer", "action_input": {"city": "Tokyo"}}', KNOWN),
        ("json", '{"action": "look_up", "action_input": {"name": 3}}', Worth(parsed=True, known=True, apt=True)),
        ("json", '{"action": "look_up", "action_input": {"country": "Japan"}}', Worth(parsed=True, known=True, apt=True)),
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
def test_a_step_is_worth_what_langchain_makes_of_it(agent, text, worth):
    assert judge(AGENTS[agent], text, "look_up") == worth
