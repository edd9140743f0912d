"""A message in chunks is the whole message: text, calls, arguments, and ids wherever a format writes them."""

from __future__ import annotations

import json
from functools import reduce
from operator import add

import pytest

from rellm_agents.decoding import Completion
from rellm_agents.formats import message_format
from rellm_agents.formats.template.declarations import builtin_declaration, builtin_names
from rellm_agents.langchain.chat.reply import Reply

TOOLS = {
    "search": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
    "now": {"type": "object", "properties": {}},
}
WITH_IDS = [family for family in builtin_names("message") if "A-Z" in builtin_declaration(family, "message").get("call_id_regex", "")]


def completion(text: str) -> Completion:
    return Completion(text, (), finish="accepted", forward_passes=1, prompt_tokens=1)


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize("family", WITH_IDS)
def test_the_id_that_is_written_is_that_of_the_call(family, size):
    format_ = message_format(family, TOOLS, choice="required", parallel=True)
    for seed in range(6):
        text = format_.pattern.sample(seed)
        written = [call.id for call in format_.read(text).tool_calls]
        assert all(len(one) == 9 for one in written)
        reply = Reply("", format_, {}, "a model", shown_bytes=lambda _: b"")
        found = [chunk.message for at in range(0, len(text), size) for chunk in reply.chunks(text[at : at + size])]
        found += [chunk.message for chunk in reply.chunks(completion(text))]
        whole = reduce(add, found)
        assert [call["id"] for call in whole.tool_calls] == written
        assert [(call["name"], call["args"]) for call in whole.tool_calls] == [
            (call.name, call.arguments) for call in format_.read(text).tool_calls
        ]
        told = [json.loads(call["args"]) for call in whole.tool_call_chunks]
        assert told == [call["args"] for call in whole.tool_calls]
        result = Reply("", format_, {}, "a model", shown_bytes=lambda _: b"").result(completion(text))
        assert [call["id"] for call in result.generations[0].message.tool_calls] == written
