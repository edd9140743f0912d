"""An agent remembers what it was told earlier in a conversation, in a LangGraph checkpointer.

Shows ``create_agent`` with a tool, a typed answer and a ``thread_id`` for each conversation. The second question names no
city: the one in its call comes from the first question. Another thread knows nothing of it, and there the model can only guess.

    python examples/02_agent_with_memory.py       # needs rellm-agents[agents]
"""

from collections.abc import Callable
from typing import Any, Literal

from langchain.agents import create_agent
from langchain.agents.middleware import ModelRequest, ModelResponse, wrap_model_call
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from typing_extensions import TypedDict

from rellm_agents.decoding import smollm2
from rellm_agents.langchain import ChatRELLM
from rellm_agents.langchain.answer_in_time import AnswerInTime

City = Literal["Oslo", "Rome", "Lima"]
WEATHER = {"Oslo": "snow, -4 degrees", "Rome": "sun, 21 degrees", "Lima": "fog, 17 degrees"}


def weather(city: City) -> str:
    """The weather in a city."""
    return WEATHER[city]


@wrap_model_call
def looks_up(request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]) -> ModelResponse[Any]:
    """Have the model call a tool after each question: a small model would rather guess."""
    is_asked = isinstance(request.messages[-1], HumanMessage)
    return handler(request.override(model_settings={"tool_choice": "any"}) if is_asked else request)


class Report(TypedDict):
    """What the user is told."""

    city: City
    weather: Literal["snow", "sun", "fog"]
    degrees: int


model, tokenizer = smollm2()
agent = create_agent(
    ChatRELLM(model=model, tokenizer=tokenizer, max_tokens=80),
    [weather],
    response_format=Report,
    middleware=[looks_up, AnswerInTime(steps=1)],  # one call for each question, then the answer
    checkpointer=InMemorySaver(),  # or one that writes to a file or a database
)


def ask(thread: str, question: str) -> dict[str, Any]:
    """The state of a conversation after one more question."""
    state: dict[str, Any] = agent.invoke({"messages": [("user", question)]}, {"configurable": {"thread_id": thread}})
    print(f"{thread}: {question}\n    {state['structured_response']}")
    return state


ask("first", "I am Ada and I live in Oslo. What is the weather like?")
again = ask("first", "What is the weather like now?")
other = ask("second", "What is the weather like now?")

assert [message.type for message in again["messages"]] == ["human", "ai", "tool", "ai"] * 2
assert again["messages"][5].tool_calls[0]["args"] == {"city": "Oslo"}
assert again["structured_response"] == {"city": "Oslo", "weather": "snow", "degrees": -4}
assert [message.text for message in other["messages"] if message.type == "human"] == ["What is the weather like now?"]
