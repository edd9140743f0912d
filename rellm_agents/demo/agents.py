"""Builds LangChain agents that write an action format with a local model.

The constructors, parsers and executor are LangChain's own; only the language model is this package's. Parsing errors are not handled, so
any of them would end the run with an exception.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from langchain_classic.agents import AgentExecutor, create_react_agent, create_structured_chat_agent

from rellm_agents.caches import cached_property
from rellm_agents.demo.prompts import bare_prompt, prompt_for, tool_lines
from rellm_agents.demo.tools import TOOLS
from rellm_agents.formats import ActionFormat, json_action, react
from rellm_agents.langchain import RELLM, parser_for

MAX_STEPS: Final = 3

TITLES: Final = {"json_action": "JSON", "react": "ReAct"}
NEXT_QUESTION: Final = "\n\nQuestion:"  # ends an answer in free text, which the model might continue


@dataclass(frozen=True)
class DemoAgent:
    """A format, and a language model that is constrained to it.

    Attributes:
        format: the format of a step; its tools are the tools of the demo.
        llm: the model.
    """

    format: ActionFormat
    llm: RELLM

    @property
    def title(self) -> str:
        """The common name of the format."""
        return TITLES[self.format.name]

    @property
    def stop(self) -> list[str]:
        """The stop strings of its texts, in the executor and in the table."""
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
        """The prompt for the first step.

        Args:
            question: the question for the agent.
            worked: include worked steps, as the executor's prompt does; else only the instructions of the format.
        """
        if not worked:
            return bare_prompt(self.format, question)
        names = ", ".join(tool.name for tool in TOOLS)
        return prompt_for(self.format).format(tools=tool_lines(TOOLS), tool_names=names, input=question, agent_scratchpad="")


def demo_agents(pipeline: Any, *, max_new_tokens: int, temperature: float, seed: int) -> list[DemoAgent]:
    """One agent for each format.

    Args:
        pipeline: a transformers text-generation pipeline.
        max_new_tokens: the budget of one step in tokens.
        temperature: 0 for greedy.
        seed: makes drawing repeatable.
    """
    options: dict[str, Any] = {"max_new_tokens": max_new_tokens, "temperature": temperature, "seed": seed}
    return [  # the table tells how many steps the budget has closed
        DemoAgent(made, RELLM(pipeline=pipeline, format=made, on_budget="close", **options)) for made in (json_action(TOOLS), react(TOOLS))
    ]


def _structured_chat(agent: DemoAgent) -> Any:
    prompt: Any = prompt_for(agent.format)  # annotated as a prompt of messages, but any prompt will do
    return create_structured_chat_agent(agent.llm, TOOLS, prompt, tools_renderer=_tool_lines, stop_sequence=agent.stop)


def _react(agent: DemoAgent) -> Any:
    return create_react_agent(
        agent.llm, TOOLS, prompt_for(agent.format), output_parser=agent.parser, tools_renderer=_tool_lines, stop_sequence=agent.stop
    )


def _tool_lines(tools: list[Any]) -> str:
    return tool_lines(tools)


_CONSTRUCTORS: Final[dict[str, Callable[[DemoAgent], Any]]] = {"json_action": _structured_chat, "react": _react}
