"""Defines a middleware for ``create_agent`` that takes an agent's tools away after some steps, so that the model must answer.

A small model may call the same tool for ever. Other limits end such a run without an answer. Here the next message can only match the
pattern of an answer, so a run with a ``response_format`` always ends with one.

This is the only module that needs ``langchain`` itself (extra ``agents``), so it has to be imported by its own name.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import takewhile
from typing import Any

from rellm_agents.errors import ArgumentValueError
from rellm_agents.requirements import require

require("langchain", extra="agents", purpose="AnswerInTime")

from langchain.agents.middleware import AgentMiddleware, ModelRequest, ModelResponse
from langchain_core.messages import AIMessage, HumanMessage


class AnswerInTime(AgentMiddleware[Any, Any]):
    """Takes the tools away from an agent that has made enough steps with them.

        create_agent(model, tools, response_format=Answer, middleware=[AnswerInTime(steps=5)])

    Args:
        steps: how many messages with tool calls the model may write after each message of the user.

    Raises:
        ValueError: a negative number.
    """

    def __init__(self, *, steps: int) -> None:
        super().__init__()
        if steps < 0:
            raise ArgumentValueError.saying(f"steps={steps}: a number of steps, 0 or more")
        self.steps = steps

    def wrap_model_call(self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]) -> ModelResponse[Any]:
        """See :class:`AgentMiddleware`."""
        return handler(self._narrowed(request))

    async def awrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]
    ) -> ModelResponse[Any]:
        """See :class:`AgentMiddleware`."""
        return await handler(self._narrowed(request))

    def _narrowed(self, request: ModelRequest[Any]) -> ModelRequest[Any]:
        """The request, without tools if all steps are used."""
        since = takewhile(lambda message: not isinstance(message, HumanMessage), reversed(request.messages))
        steps = sum(isinstance(message, AIMessage) and bool(message.tool_calls) for message in since)
        return request if steps < self.steps else request.override(tools=[], tool_choice=None)
