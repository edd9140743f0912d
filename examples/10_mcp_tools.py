"""An agent calls a tool of an MCP server, which runs as a process of its own: trains_server.py, beside this file.

Shows ``langchain-mcp-adapters``: the tools of the server become LangChain's, and calls are held to the schemas that the server gives.

    python examples/10_mcp_tools.py               # needs rellm-agents[agents] and langchain-mcp-adapters
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

from langchain.agents import create_agent
from langchain.agents.middleware import ModelRequest, ModelResponse, wrap_model_call
from langchain_core.messages import HumanMessage
from pydantic import BaseModel, Field

from rellm_agents.decoding import smollm2
from rellm_agents.langchain import ChatRELLM
from rellm_agents.langchain.answer_in_time import AnswerInTime

try:
    from langchain_mcp_adapters.client import MultiServerMCPClient
except ModuleNotFoundError as error:
    raise SystemExit(f"skipped, since the module {error.name!r} is not installed: pip install langchain-mcp-adapters") from error

TRAINS = {"command": sys.executable, "args": [str(Path(__file__).with_name("trains_server.py"))], "transport": "stdio"}


class Answer(BaseModel):
    """What the user is told."""

    city: Annotated[str, Field(max_length=20)]
    platform: Annotated[int, Field(ge=1, le=20)]
    time: Annotated[str, Field(pattern=r"^\d{1,2}:\d\d$")]


@wrap_model_call
async def looks_up(request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]) -> ModelResponse[Any]:
    """Have the model call a tool after each question: a small model would rather guess."""
    is_asked = isinstance(request.messages[-1], HumanMessage)
    return await handler(request.override(model_settings={"tool_choice": "any"}) if is_asked else request)


async def ask(question: str) -> dict[str, Any]:
    """The messages and the answer of an agent with the tools of the server."""
    model, tokenizer = smollm2()
    chat = ChatRELLM(model=model, tokenizer=tokenizer, max_tokens=80)
    tools = await MultiServerMCPClient({"trains": TRAINS}).get_tools()
    agent = create_agent(chat, tools, response_format=Answer, middleware=[looks_up, AnswerInTime(steps=1)])
    state: dict[str, Any] = await agent.ainvoke({"messages": [("user", question)]})
    return state


found = asyncio.run(ask("When is the next train to Oslo?"))
for message in found["messages"]:
    print(f"{message.type}: {getattr(message, 'tool_calls', None) or message.text}")

(call,) = (call for message in found["messages"] for call in getattr(message, "tool_calls", []))
assert (call["name"], call["args"]) == ("next_train", {"city": "Oslo"})
assert found["structured_response"] == Answer(city="Oslo", platform=7, time="9:10")
