"""A traced run has every text that was written inside of it, whatever threads and tasks wrote it, and no other."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from langchain.agents import create_agent
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.outputs import LLMResult
from small_chats import Trip, chat, search
from toys import byte_level_tokenizer, random_model

from rellm_agents.decoding import tracing
from rellm_agents.langchain import RELLM

pytestmark = pytest.mark.usefixtures("one_thread")


class Ends(BaseCallbackHandler):
    """Keeps what each model call ends with."""

    def __init__(self) -> None:
        self.results: list[LLMResult] = []

    def on_llm_end(self, response: LLMResult, **_: object) -> None:
        self.results.append(response)


@pytest.mark.parametrize("in_time", [False, True])
def test_a_run_has_each_step_of_an_agent(in_time):
    agent = create_agent(chat(max_new_tokens=80), [search], response_format=Trip)
    ends, question = Ends(), {"messages": [("user", "Plan it.")]}
    config = {"callbacks": [ends], "recursion_limit": 6}
    with tracing() as run:
        try:
            asyncio.run(agent.ainvoke(question, config)) if in_time else agent.invoke(question, config)
        except Exception as error:
            if "recursion" not in type(error).__name__.lower():  # a random model may call tools for ever
                raise
    assert len(run.texts) == len(ends.results) > 0
    for text, result in zip(run.texts, ends.results, strict=True):
        metadata = result.generations[0][0].message.response_metadata
        assert metadata["trace"] == text.completion.trace.summary()
        json.dumps(metadata)
        assert "Plan it." in text.prompt
        assert text.asked == "Plan it."
        assert len(repr(text)) < 250


def test_batches_threads_pieces_and_copies_are_traced_and_nothing_outside():
    tokenizer = byte_level_tokenizer()
    llm = RELLM(model=random_model(tokenizer), tokenizer=tokenizer, regex="[ab]{1,9}c", max_new_tokens=20)
    llm.invoke("x")
    with tracing() as outer:
        llm.batch(["a", "b", "c"])
        assert "trace" in llm.generate(["d"]).generations[0][0].generation_info
        with tracing(full=True) as inner:
            list(llm.stream("e"))
            llm.generate(["f"], n=2, temperature=1.0)
        asyncio.run(llm.ainvoke("g"))
        with ThreadPoolExecutor(1) as pool:  # which hands no context on
            pool.submit(llm.invoke, "h").result()
    info = llm.generate(["i"]).generations[0][0].generation_info
    assert "trace" not in info
    assert sorted(text.prompt for text in outer.texts) == ["a", "b", "c", "d", "e", "f", "f", "g"]
    assert [text.prompt for text in inner.texts] == ["e", "f", "f"]
    assert all(token.best for text in inner.texts for token in text.completion.trace.tokens if token.free is not None)
