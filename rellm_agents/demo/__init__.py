"""``rellm-agents demo``: a small local model, two real tools, and steps that always parse.

Reads everything else of the package; nothing reads it but the command line. In reading order:

    calculator    an expression -> its value, safely
    facts         a name -> a fact from a data file
    tools         both as LangChain tools
    prompts       an action format -> the prompt that explains it
    agents        a format and a model -> LangChain's AgentExecutor
    reference     part (a): one constrained completion beside an unconstrained one
    streaming     parts (b), (c): a question, each step shown while it is written
    first_steps   part (d): questions -> what their first steps are worth
    table         that as a table
    run           all parts in order
"""

from rellm_agents.demo.run import run_demo
from rellm_agents.demo.screen import Screen

__all__ = [
    "Screen",
    "run_demo",
]
