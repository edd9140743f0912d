"""Writes prompts that show an action format to a small model.

The worked steps come from a data file, and the format itself writes them, so they match the pattern of the model's own steps. Later
steps follow ``Thought:`` and a space, because LangChain's scratchpad writes both.

>>> from rellm_agents.demo.tools import TOOLS
>>> from rellm_agents.formats import react
>>> print(prompt_for(react(TOOLS)).template[-44:])
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
# Between a question and the first step. No space at the end: in most tokenizers a word and the space before it are one token.
_LEAD = {"json_action": "\n", "react": "\nThought:"}


def prompt_for(action_format: ActionFormat) -> PromptTemplate:
    """The prompt for an agent that writes this format, as LangChain's constructors of agents take it.

    Args:
        action_format: an action format whose tools are those of the worked steps, of one argument each.
    """
    shots = "\n".join(_shot(action_format, shot) for shot in _worked_steps())
    question = "Question: {input}" + _LEAD[action_format.name] + "{agent_scratchpad}"
    return PromptTemplate.from_template(f"{_OPENING}\n{_escaped(shots)}\n{question}")


def bare_prompt(action_format: ActionFormat, question: str) -> str:
    """A prompt without worked steps: the format's own instructions and the question."""
    return f"{action_format.instructions}\n\nQuestion: {question}{_LEAD[action_format.name]}"


def tool_lines(tools: Sequence[BaseTool]) -> str:
    """The tools as lines of the prompt: ``tools_renderer`` of LangChain's constructors of agents."""
    return "\n".join(f"{tool.name}: {tool.description}" for tool in tools)


def _worked_steps() -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(data_path("examples/worked_steps.json").read_text(encoding="utf-8"))
    return found


def _shot(action_format: ActionFormat, shot: dict[str, str]) -> str:
    """A question, a call of a tool and the answer, with the text of LangChain's scratchpad in between."""
    action, finish = (action_format.write(step) for step in _steps(action_format, shot))
    lead = _LEAD[action_format.name]
    return f"Question: {shot['question']}{lead}{action}\nObservation: {shot['observation']}\nThought: {finish}\n"


def _steps(action_format: ActionFormat, shot: dict[str, str]) -> tuple[Action, Finish]:
    """The two steps, for free text with thoughts, for JSON with names of arguments."""
    if action_format.ends_open:
        return Action(shot["tool"], shot["argument"], f" {shot['thought']}"), Finish(shot["answer"], " I know the answer.\n")
    (argument,) = next(tool.properties for tool in action_format.tools if tool.name == shot["tool"])
    return Action(shot["tool"], {argument: shot["argument"]}), Finish(shot["answer"])


def _escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")
