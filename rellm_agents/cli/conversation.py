"""Lets an agent talk in a terminal: each step is shown, and what was said is kept. Imports langchain, torch and transformers."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import typer
from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware, ToolCallRequest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import BaseTool
from langgraph.types import Command

from rellm_agents.langchain import AnswerInTime, ChatRELLM

Show = Callable[[str, str], object]
"""Is given a label, such as ``"tool"``, and a text."""


class Conversation:
    """An agent and what was said so far.

    Args:
        chat: the model.
        tools: what it may call.
        steps: how many messages with calls it may write after each message of the user; then it has to answer.
        system: what it is told at first; ``None``: nothing.
        show: is given each step as soon as it is made.
    """

    def __init__(self, chat: ChatRELLM, tools: Sequence[BaseTool], *, steps: int, system: str | None, show: Show) -> None:
        middleware = [AnswerInTime(steps=steps), _ErrorsAsResults()]
        self._agent: Any = create_agent(chat, list(tools), system_prompt=system, middleware=middleware)
        self._messages: list[BaseMessage] = []
        self._show = show

    def answer(self, message: str) -> dict[str, Any]:
        """The answer to a message of the user.

        Returns:
            The ``message``, the ``steps`` (a tool, its arguments, its result), and the ``answer``.

        Raises:
            RELLMError: the model cannot write an answer, e.g. since the chat is too long for it.
        """
        self._messages.append(HumanMessage(message))
        steps: dict[str, dict[str, Any]] = {}
        answer = ""
        for update in self._agent.stream({"messages": [*self._messages]}, stream_mode="updates"):
            for one in (one for part in update.values() for one in (part or {}).get("messages", ())):
                self._messages.append(one)
                if isinstance(one, AIMessage):
                    answer = one.text
                    for call in one.tool_calls:
                        steps[str(call["id"])] = {"tool": call["name"], "arguments": call["args"], "result": None}
                        self._show("call", f"{call['name']} {json.dumps(call['args'], ensure_ascii=False)}")
                elif isinstance(one, ToolMessage):
                    steps[one.tool_call_id]["result"] = one.text
                    self._show("result", one.text)
        self._show("answer", answer)
        return {"message": message, "steps": [*steps.values()], "answer": answer}


class _ErrorsAsResults(AgentMiddleware[Any, Any]):
    """Tells the model of an error of a tool, as its result, so that the chat goes on."""

    def wrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], ToolMessage | Command[Any]]
    ) -> ToolMessage | Command[Any]:
        """See :class:`AgentMiddleware`."""
        try:
            return handler(request)
        except Exception as error:  # noqa: BLE001 - of the user's tool
            call = request.tool_call
            return ToolMessage(f"{type(error).__name__}: {error}", name=call["name"], tool_call_id=str(call["id"]), status="error")


def in_colours(label: str, text: str) -> None:
    """A step on the terminal; control characters of the text are escaped."""
    colour = {"call": "cyan", "result": "yellow", "answer": "green"}[label]
    typer.echo(f"{typer.style(f'{label:>8}:', dim=True)} {typer.style(visible(text), fg=colour)}")


def visible(text: str) -> str:
    r"""The text with control characters escaped, except line ends.

    >>> visible("one\ntwo\x1b[31m")
    'one\ntwo\\x1b[31m'
    """
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)
