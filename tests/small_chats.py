"""A chat model with random weights, and what it is asked for in tests: tools, and a schema of answers."""

from __future__ import annotations

import itertools
from typing import Annotated, Any, Literal

from jsonschema import Draft202012Validator
from langchain.agents.middleware import AgentMiddleware
from langchain_core.messages import AIMessage
from langchain_core.tools import BaseTool, tool
from pydantic import BaseModel, Field
from toys import byte_level_tokenizer, random_model

from rellm_agents.langchain import ChatRELLM

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
QWEN = r"""
{%- if tools %}<|im_start|>system
# Tools
{%- for tool in tools %}{{ '\n' + (tool | tojson) }}{%- endfor %}<|im_end|>
{% endif %}
{%- for message in messages %}<|im_start|>{{ message.role + '\n' + message.content }}
{%- for call in message.tool_calls or [] %}<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
</tool_call>{%- endfor %}<|im_end|>
{% endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant
<think>
{% endif %}"""
CALLS: list[dict[str, object]] = []
"""The arguments of all calls of the tools."""


def chat(seed: int = 0, **options: Any) -> ChatRELLM:
    """A model that likes something else with each seed."""
    tokenizer = byte_level_tokenizer()
    given = {"chat_template": CHATML, "max_new_tokens": 120, "temperature": 1.0, "seed": seed, **options}
    return ChatRELLM(model=random_model(tokenizer, seed=seed), tokenizer=tokenizer, **given)


@tool
def search(query: str, limit: Annotated[int, Field(ge=1, le=20)] = 3) -> str:
    """Search the web."""
    CALLS.append({"query": query, "limit": limit})
    return f"found {len(query)}"


@tool
def book(day: Literal["Monday", "Friday"], nights: Annotated[int, Field(ge=1, le=9)]) -> str:
    """Book a room."""
    CALLS.append({"day": day, "nights": nights})
    return "booked"


@tool
def now() -> str:
    """The time."""
    CALLS.append({})
    return "12:30"


class Trip(BaseModel):
    """A trip."""

    city: str
    nights: Annotated[int, Field(ge=1, le=30)]
    kind: Literal["work", "rest"]


def draws_anew(first: int = 0) -> AgentMiddleware[Any, Any, Any]:
    """Another seed in each step of an agent: with the same, each step would make the same choice."""
    seeds = itertools.count(first)

    class DrawsAnew(AgentMiddleware[Any, Any, Any]):
        def wrap_model_call(self, request, handler):
            return handler(self._with_seed(request))

        async def awrap_model_call(self, request, handler):
            return await handler(self._with_seed(request))

        def _with_seed(self, request):
            return request.override(model_settings={**request.model_settings, "seed": next(seeds)})

    return DrawsAnew()


def check_calls(message: AIMessage, *tools: BaseTool) -> None:
    """Each call is one that its tool takes."""
    schemas = {one.name: one.tool_call_schema.model_json_schema() for one in tools}
    for call in message.tool_calls:
        Draft202012Validator(schemas[call["name"]]).validate(call["args"])
    ids = [call["id"] for call in message.tool_calls]
    assert all(ids)
    assert len(set(ids)) == len(ids)
