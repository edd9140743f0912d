"""A real vLLM that runs this package's processor: texts that its own back ends refuse are whole at the smallest budgets."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest

from rellm_agents import compile_regex, json_action
from rellm_agents.errors import ServerRefused
from rellm_agents.serving.client import request_for

URL = os.environ.get("RELLM_VLLM_URL")
pytestmark = [
    pytest.mark.heavy_server,
    pytest.mark.skipif(URL is None, reason="RELLM_VLLM_URL names no server: benchmarks/serving.sh installs one, and runs this"),
]
TOOLS = {"search": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}}
SOURCES: list[Any] = [
    compile_regex(r"\((?:[a-c]|(?R)){1,3}\)"),
    compile_regex(r"(?!no|yes)[a-z]{2,9}"),
    json_action(TOOLS),
    {"type": "array", "items": {"enum": ["a", "b", "c"]}, "uniqueItems": True, "minItems": 2},
]


def asked(source: Any, max_tokens: int, **extra: Any) -> Any:
    request = request_for(source, "vllm+rellm")
    with openai.OpenAI(base_url=URL, api_key="none", max_retries=0) as client, request.errors():
        body = {"vllm_xargs": request["extra_body"]["vllm_xargs"], **extra}
        messages: Any = [{"role": "user", "content": "Rain in Paris?"}]
        return request.read(client.chat.completions.create(model="smollm2", messages=messages, max_tokens=max_tokens, extra_body=body))


def test_texts_are_whole_side_by_side() -> None:
    with ThreadPoolExecutor(8) as threads:
        assert len(list(threads.map(lambda number: asked(SOURCES[number % 4], 24 + number), range(16)))) == 16


def test_what_cannot_be_held_is_refused() -> None:
    for source, budget, extra in ((SOURCES[2], 3, {}), (SOURCES[0], 30, {"min_tokens": 3}), (SOURCES[0], 30, {"thinking_token_budget": 5})):
        with pytest.raises(ServerRefused, match="status 400"):
            asked(source, budget, **extra)
