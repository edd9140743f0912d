"""Nothing is read twice: what the model has written is what the template shows again in the next prompt, character for character."""

from __future__ import annotations

import pytest
from family_templates import FAMILIES, family_template
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

from rellm_agents.formats import Message, ToolCall
from rellm_agents.langchain.chat.chat_request import compile_request
from rellm_agents.langchain.chat.native_format import native_format

PARAMETERS = {"type": "object", "properties": {"query": {"type": "string"}, "limit": {"type": "integer"}}, "required": ["query"]}
TOOLS = [{"type": "function", "function": {"name": name, "description": "x", "parameters": PARAMETERS}} for name in ("search", "look_up")]
SEARCH, LOOK_UP = ToolCall("search", {"query": "rain in Oslo", "limit": 3}), ToolCall("look_up", {"query": 'a "b" é\nc'})
MESSAGES = {
    "words": Message("It rains."),
    "a call": Message(tool_calls=(SEARCH,)),
    "a call with quotes": Message(tool_calls=(LOOK_UP,)),
    "two calls": Message(tool_calls=(SEARCH, LOOK_UP)),
    "words and a call": Message("Let me see.", (SEARCH,)),
}
WITHOUT_THOUGHT = {"qwen 3, thinking", "nemotron nano 2", "deepseek r1 distill"}
"""Their prompts end in a thought that they leave out of earlier messages: the message is shown again, the text before it is not."""
MOVES_TOOLS = {"mistral 7b 0.3", "mistral nemo", "devstral", "mistral small 3.2"}
"""They show tools before the last message of the user: after the next one all is read anew."""
OTHERWISE = {
    **{key: {"two calls"} for key in ("llama 3.1", "llama 3.3")},  # show one call in a message
    "hermes 2 pro, tool_use": {"words and a call"},  # leaves out words with calls
    "deepseek r1 distill": {"words and a call"},
    "devstral": {"words and a call"},
    "mistral small 3.2": {"words and a call"},
    "gpt-oss": {"a call", "a call with quotes"},  # shows a call in another order than it is written
    "command r+": {"a call", "a call with quotes", "two calls", "words and a call"},  # shows JSON over several lines
}


def steps(family):
    """Of each message that the family's format writes: the prompt, what is written, and the next prompt."""
    template = family_template(family)
    found = native_format(template)
    template = template.with_tools_in_words() if found.is_last_resort else template
    format_ = compile_request(found.declaration, tools=TOOLS).format
    chat = [SystemMessage("Be kind."), HumanMessage("Rain?")]
    for name, message in MESSAGES.items():
        both, several = bool(message.content and message.tool_calls), len(message.tool_calls) > 1
        if (both and "before_calls" not in found.declaration) or (several and "between" not in found.declaration.get("calls", {})):
            continue
        calls = tuple(ToolCall(call.name, call.arguments, str(n)) for n, call in enumerate(message.tool_calls))
        is_numbered = "[0-9]" in found.declaration.get("call_id_regex", "")
        written = format_.write(Message(message.content, calls) if is_numbered else message)
        read = format_.read(written)
        ids = [call.id if len(call.id) >= 9 else f"call{n}" for n, call in enumerate(read.tool_calls)]
        shown = [{"name": call.name, "args": call.arguments, "id": id_} for call, id_ in zip(read.tool_calls, ids, strict=True)]
        after = [ToolMessage("wet", tool_call_id=id_) for id_ in ids] or [HumanMessage("And?")]
        prompt = format_.adjust_prompt(template.prompt(chat, format_))
        yield (
            name,
            prompt,
            written,
            format_.adjust_prompt(template.prompt([*chat, AIMessage(read.content, tool_calls=shown), *after], format_)),
        )


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_written_is_shown_again(family):
    seen = []
    for name, prompt, written, then in steps(family):
        is_moved = family in MOVES_TOOLS and name == "words"
        is_again = written in then if family in WITHOUT_THOUGHT or is_moved else then.startswith(prompt + written)
        assert is_again == (name not in OTHERWISE.get(family, ())), (name, prompt[-20:] + written, then[len(prompt) - 20 :])
        seen.append(name)
    assert {"words", "a call", "a call with quotes"} <= set(seen)
