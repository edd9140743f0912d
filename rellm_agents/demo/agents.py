"""An action format and a transformers pipeline in, an agent of LangChain's that writes the format out.

The agents are LangChain's own: its constructors, its parsers, its executor. Only the language model is ours. Whatever goes
wrong in parsing ends the run, because nothing is handled: there should be nothing to handle.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from langchain_classic.agents import AgentExecutor, create_react_agent, create_structured_chat_agent

from rellm_agents.demo.prompts import bare_prompt, described, prompt_for
from rellm_agents.demo.tools import TOOLS
from rellm_agents.formats import ActionFormat, json_action, react
from rellm_agents.langchain import RELLM, parser_for

MAX_STEPS: Final = 3

TITLES: Final = {"json_action": "JSON", "react": "ReAct"}
NEXT_QUESTION: Final = "\n\nQuestion:"  # where an answer in free text is over, although the model may think of more


@dataclass(frozen=True)
class DemoAgent:
    """A format, and a language model held to it.

    Attributes:
        format: how a step is written; its tools are the tools of the demo.
        llm: the model.
    """

    format: ActionFormat
    llm: RELLM

    @property
    def title(self) -> str:
        """What people call the format."""
        return TITLES[self.format.name]

    @property
    def stop(self) -> list[str]:
        """Where its texts are stopped, by the executor as in the table."""
        return [*self.format.stop, NEXT_QUESTION]

    @cached_property
    def parser(self) -> Any:
        """The LangChain parser that reads the steps."""
        return parser_for(self.format)

    def executor(self) -> AgentExecutor:
        """LangChain's executor of the agent, with the real tools."""
        runnable = _CONSTRUCTORS[self.format.name](self)
        return AgentExecutor(agent=runnable, tools=list(TOOLS), max_iterations=MAX_STEPS, handle_parsing_errors=False)

    def first_prompt(self, question: str, *, worked: bool = True) -> str:
        """What the model is given before its first step.

        Args:
            question: what the agent is asked.
            worked: the prompt holds worked steps, as the executor's does, rather than instructions only.
        """
        if not worked:
            return bare_prompt(self.format, question)
        names = ", ".join(tool.name for tool in TOOLS)
        return prompt_for(self.format).format(tools=described(TOOLS), tool_names=names, input=question, agent_scratchpad="")


def demo_agents(pipeline: Any, *, max_new_tokens: int, temperature: float, seed: int) -> list[DemoAgent]:
    """One agent for each format.

    Args:
        pipeline: a transformers text-generation pipeline.
        max_new_tokens: the budget of one step in tokens.
        temperature: 0 for greedy.
        seed: makes drawing repeatable.
    """
    return [
        DemoAgent(made, RELLM(pipeline=pipeline, format=made, max_new_tokens=max_new_tokens, temperature=temperature, seed=seed))
        for made in (json_action(TOOLS), react(TOOLS))
    ]


def _structured_chat(agent: DemoAgent) -> Any:
    prompt: Any = prompt_for(agent.format)  # annotated as a prompt of messages, but any prompt will do
    return create_structured_chat_agent(agent.llm, TOOLS, prompt, tools_renderer=_described, stop_sequence=agent.stop)


def _react(agent: DemoAgent) -> Any:
    return create_react_agent(
        agent.llm, TOOLS, prompt_for(agent.format), output_parser=agent.parser, tools_renderer=_described, stop_sequence=agent.stop
    )


def _described(tools: list[Any]) -> str:
    return described(tools)


_CONSTRUCTORS: Final[dict[str, Callable[[DemoAgent], Any]]] = {"json_action": _structured_chat, "react": _react}
