"""Runs ``rellm-agents demo``: a small local model with two real tools, whose every step parses.

Uses all rooms of the package; only the command line uses the demo. In reading order:

    calculator    an expression -> its value, safely
    facts         a name -> a fact from a data file
    tools         both as LangChain tools
    prompts       an action format -> the prompt that explains it
    agents        a format and a model -> LangChain's AgentExecutor
    screen        lines on the terminal, or plain text in a pipe
    reference     part (a): an unconstrained and a constrained completion of the same prompt
    streaming     parts (b), (c): a question, each step shown while it is written
    first_steps   part (d): questions -> verdicts on the first steps
    table         the verdicts as a table
    run           all parts in order
"""

from rellm_agents.demo.run import run_demo
from rellm_agents.demo.screen import Screen

__all__ = [
    "Screen",
    "run_demo",
]
