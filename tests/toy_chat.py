"""Chat models that know nothing, and tools for them."""

from __future__ import annotations

from typing import Annotated, Literal

from jsonschema import Draft202012Validator
from langchain_core.tools import tool
from pydantic import BaseModel, Field
from toys import byte_level_tokenizer, random_model

from rellm_agents.langchain import ChatRELLM

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
CALLS: list[dict[str, object]] = []


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


def chat(seed=0, **options):
    tokenizer = byte_level_tokenizer()
    given = {"chat_template": CHATML, "max_new_tokens": 120, "temperature": 1.0, "seed": seed, **options}
    return ChatRELLM(model=random_model(tokenizer, seed=seed), tokenizer=tokenizer, **given)


def check_calls(message, *tools):
    schemas = {one.name: one.tool_call_schema.model_json_schema() for one in tools}
    for call in message.tool_calls:
        Draft202012Validator(schemas[call["name"]]).validate(call["args"])
    ids = [call["id"] for call in message.tool_calls]
    assert all(ids)
    assert len(set(ids)) == len(ids)
