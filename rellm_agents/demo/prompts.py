"""An action format and tools in, the prompt out that shows the format to a small model.

The worked steps in it come from a data file and are written by the format itself, so that what the model reads is what
its pattern lets it write. A step stands behind ``Thought:``, because LangChain's scratchpad puts it there.

>>> from rellm_agents.demo.tools import TOOLS
>>> from rellm_agents.formats import react
>>> print(prompt_for(react(TOOLS)).template[-107:])
Observation: 84
Thought: I know the answer.
Final Answer: 84
<BLANKLINE>
Question: {input}
Thought:{agent_scratchpad}
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from langchain_core.prompts import PromptTemplate
from langchain_core.tools import BaseTool

from rellm_agents.formats import Action, ActionFormat, Finish
from rellm_agents.resources import data_path

_OPENING = """Answer each question with the help of the tools {tool_names}:
{tools}
"""


def prompt_for(format: ActionFormat) -> PromptTemplate:
    """The prompt for an agent that writes this format, as LangChain's constructors of agents take it.

    Args:
        format: an action format whose tools are those of the worked steps, of one argument each.
    """
    shots = "\n".join(_shot(format, shot) for shot in _worked_steps())
    tail = "Question: {input}\nThought:" + _gap(format) + "{agent_scratchpad}"
    return PromptTemplate.from_template(f"{_OPENING}\n{_escaped(shots)}\n{tail}")


def described(tools: Sequence[BaseTool]) -> str:
    """The tools as lines of the prompt: ``tools_renderer`` of LangChain's constructors of agents."""
    return "\n".join(f"{tool.name}: {tool.description}" for tool in tools)


def _worked_steps() -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(data_path("examples/worked_steps.json").read_text(encoding="utf-8"))
    return found


def _shot(format: ActionFormat, shot: dict[str, str]) -> str:
    """A question, a tool's use and the answer, with what LangChain's scratchpad writes in between."""
    if format.ends_open:  # free text: thoughts, and an argument without its name
        action, finish = Action(shot["tool"], shot["argument"], f" {shot['thought']}"), Finish(shot["answer"], "I know the answer.\n")
    else:
        (argument,) = next(tool.properties for tool in format.tools if tool.name == shot["tool"])
        action, finish = Action(shot["tool"], {argument: shot["argument"]}), Finish(shot["answer"])
    steps = f"Thought:{_gap(format)}{format.write(action)}\nObservation: {shot['observation']}\nThought: {format.write(finish)}"
    return f"Question: {shot['question']}\n{steps}\n"


def _gap(format: ActionFormat) -> str:
    """A thought begins with its own space, which is one token with its first word; JSON has none to begin with."""
    return "" if format.ends_open else " "


def _escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")
