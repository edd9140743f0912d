"""Shows the run of an agent on a question: every step while it is written, every tool call with its result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler

from rellm_agents.demo.agents import MAX_STEPS, DemoAgent
from rellm_agents.demo.screen import Screen


@dataclass(frozen=True)
class Run:
    """The outcome of one run.

    Attributes:
        steps: the number of texts that the model wrote. All of them were parsed, since a parsing error ends the run with an exception.
        finished: the agent gave an answer before its limit of steps.
    """

    steps: int
    finished: bool


def show_run(screen: Screen, agent: DemoAgent, question: str) -> Run:
    """Run the agent on one question and show what happens.

    Raises:
        ValueError: the executor could not parse a step.
    """
    screen.say("")
    screen.labelled("question", question, "bold")
    steps, finished = 0, False
    for event in agent.executor().stream({"input": question}, config={"callbacks": [_PieceHandler(screen)]}):
        match event:
            case {"actions": actions}:
                steps += len(actions)
                for action in actions:
                    screen.labelled("tool", f"{action.tool}({action.tool_input!r})", "yellow")
            case {"steps": done}:
                for step in done:
                    screen.labelled("observation", str(step.observation), "magenta")
            case {"output": answer}:
                finished = steps < MAX_STEPS
                screen.labelled("answer" if finished else "no answer", str(answer), "bold green" if finished else "red")
    return Run(steps + finished, finished)


class _PieceHandler(BaseCallbackHandler):
    """Shows the pieces of the model's text while it is written."""

    def __init__(self, screen: Screen) -> None:
        self.screen = screen

    def on_llm_start(self, serialized: dict[str, Any], prompts: list[str], **kwargs: Any) -> None:  # noqa: ARG002 - LangChain's signature
        self.screen.end_line()

    def on_llm_new_token(self, token: Any, **kwargs: Any) -> None:  # noqa: ARG002 - LangChain's signature
        self.screen.piece(str(token))
