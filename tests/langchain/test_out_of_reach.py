"""What a local model cannot read - more than its context, images, sounds - is refused, as LangChain knows it, or told in words."""

from __future__ import annotations

import asyncio
import pickle
import re

import pytest
from langchain_core import exceptions
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage, convert_to_messages
from langchain_core.prompt_values import ImagePromptValue
from small_chats import CHATML, chat
from toys import byte_level_tokenizer, random_model
from transformers import LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

from rellm_agents.errors import ChatRefused, ContextOverflow
from rellm_agents.langchain import RELLM, ChatRELLM

pytestmark = pytest.mark.usefixtures("one_thread")

KNOWN = getattr(exceptions, "ContextOverflowError", exceptions.LangChainException)
CONTEXT = 8192


def rellm(**fields) -> RELLM:
    tokenizer = byte_level_tokenizer()
    return RELLM(model=random_model(tokenizer), tokenizer=tokenizer, regex="[a-z]{3,}", max_new_tokens=12, **fields)


async def _all(pieces):
    return [piece async for piece in pieces]


WAYS = [
    lambda model, given: model.invoke(given),
    lambda model, given: list(model.stream(given)),
    lambda model, given: model.batch([given, given]),
    lambda model, given: asyncio.run(model.ainvoke(given)),
    lambda model, given: asyncio.run(_all(model.astream(given))),
    lambda model, given: asyncio.run(model.abatch([given, given])),
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("make", [rellm, chat])
@pytest.mark.parametrize("known", [KNOWN, ContextOverflow, ValueError])
def test_a_prompt_beyond_the_context_is_the_error_that_langchain_knows(make, way, known):
    with pytest.raises(known) as refused:
        way(make(), "0123456789" * 820)
    error = refused.value
    assert isinstance(error, KNOWN)
    assert error.prompt >= CONTEXT
    assert error.context == CONTEXT
    assert all(str(number) in str(error) for number in (error.prompt, error.budget, CONTEXT))
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.prompt) == (type(error), str(error), error.prompt)


@pytest.mark.parametrize("make", [rellm, chat])
def test_it_fails_alone_in_a_batch(make):
    model, given = make(), ["a", "0123456789" * 820, "b", "c"]
    for made in (model.batch(given, return_exceptions=True), asyncio.run(model.abatch(given, return_exceptions=True))):
        assert [isinstance(one, KNOWN) for one in made] == [False, True, False, False]
        assert [made[0], made[2], made[3]] == [model.invoke(one) for one in ("a", "b", "c")] or make is chat
    made = model.batch(given, {"max_concurrency": 2}, return_exceptions=True)
    assert [isinstance(one, Exception) for one in made] == [False, True, False, False]


_TEXT = {
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
}
_SEES = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4, "image_size": 28, "patch_size": 14}


def test_the_profile_tells_the_context_of_the_text_model():
    tokenizer = byte_level_tokenizer()
    size = len(tokenizer)
    text = LlamaConfig(vocab_size=size, max_position_embeddings=3000, **_TEXT)
    config = LlavaConfig(text_config=text, vision_config={"model_type": "clip_vision_model", **_SEES}, image_token_index=5)
    model = LlavaForConditionalGeneration(config).eval()
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    chat_model = ChatRELLM(model=model, tokenizer=tokenizer, chat_template=CHATML)
    assert chat_model.profile["max_input_tokens"] == 3000
    assert chat_model.profile["image_inputs"] is False
    with pytest.raises(KNOWN, match="context of LlavaForConditionalGeneration is 3000 tokens"):
        chat_model.invoke("0123456789" * 300)


@pytest.mark.parametrize(("kind", "expected"), [("llama", 8192), ("gpt2", 2048), ("gemma", 8192), ("mamba", None), ("t5", None)])
def test_the_profile_tells_a_context_where_there_is_one(kind, expected):
    tokenizer = byte_level_tokenizer()
    model = ChatRELLM(model=random_model(tokenizer, kind=kind), tokenizer=tokenizer, chat_template=CHATML)
    assert model.profile.get("max_input_tokens") == expected


PARTS = [
    {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
    {"type": "image_url", "image_url": "data:image/png;base64,aGk="},
    {"type": "image", "url": "https://example.org/a.png"},
    {"type": "image", "base64": "aGk=", "mime_type": "image/png"},
    {"type": "image", "source_type": "url", "url": "https://example.org/a.png"},
    {"type": "image"},
    {"type": "input_image", "image_url": "https://example.org/a.png"},
    {"type": "audio", "base64": "aGk=", "mime_type": "audio/wav"},
    {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}},
    {"type": "video", "url": "https://example.org/a.mp4"},
    {"type": "file", "file_id": "f1"},
    {"type": "media", "data": "aGk=", "mime_type": "image/png"},
    {"type": "search_result", "source": "https://example.org", "title": "Rain", "content": [{"type": "text", "text": "It rains."}]},
]


@pytest.mark.parametrize("part", PARTS, ids=lambda part: str(part)[:40])
def test_images_and_sounds_are_out_of_scope(part):
    mixed = [{"type": "text", "text": "What is this?"}, part]
    chats = [
        ([HumanMessage([part])], 1),
        ([SystemMessage("Be kind."), HumanMessage(mixed)], 2),
        ([{"role": "user", "content": "Look."}, {"role": "assistant", "content": "Yes?"}, {"role": "user", "content": mixed}], 3),
    ]
    for messages, number in chats:
        for model in (chat(), rellm()):
            for way in WAYS:
                with pytest.raises(ChatRefused, match=f"message {number} of the chat, a .* out of scope, this model reads text only"):
                    way(model, messages)
        with pytest.raises(ChatRefused, match=f"message {number} of the chat"):
            chat().get_num_tokens_from_messages(convert_to_messages(messages))


# What other models and tools have left in a chat

CALL = AIMessage("", tool_calls=[{"name": "look", "args": {}, "id": "a1"}])
ENDED = [AIMessage("It rains."), HumanMessage("Well?")]
LEFT = [
    ({"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "rain"}}, "[server tool use: web_search; rain]"),
    ({"type": "server_tool_call", "id": "s1", "name": "run", "args": {"code": "1 + 1"}}, "[server tool call: run; 1 + 1]"),
    ({"type": "server_tool_result", "tool_call_id": "s1", "status": "success", "output": {"n": 2}}, "[server tool result: 2]"),
    (
        {
            "type": "web_search_tool_result",
            "tool_use_id": "s1",
            "content": [{"type": "web_search_result", "title": "Rain", "url": "https://e.org", "encrypted_content": "Eo8BCioI"}],
        },
        "[web search tool result: Rain; https://e.org]",
    ),
    ({"type": "web_search_call", "id": "ws1", "action": {"query": "rain"}, "status": "completed"}, "[web search call: rain]"),
    (
        {"type": "code_interpreter_call", "id": "c1", "code": "2", "outputs": [{"type": "logs", "logs": "2"}]},
        "[code interpreter call: 2; 2]",
    ),
    ({"type": "mcp_call", "id": "m1", "name": "now", "arguments": "{}", "output": "12:30"}, "[mcp call: now; {}; 12:30]"),
    ({"type": "executable_code", "executable_code": "print(1)", "language": "python"}, "[executable code: print(1); python]"),
    ({"type": "non_standard", "value": {"type": "fancy", "note": "a word"}}, "[non standard: a word]"),
    ({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "A page."}}, "[document: A page.]"),
    ({"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "aGk="}}, "[document]"),
    (
        {"type": "search_result", "source": "s", "title": "t", "content": [{"type": "text", "text": "It rains."}]},
        "[search result: s; t; It rains.]",
    ),
    ({"type": "image", "base64": "aGk=", "mime_type": "image/png"}, "[image]"),
    ({"type": "image", "url": "https://e.org/a.png"}, "[image: https://e.org/a.png]"),
    ({"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}, "[image url]"),
    ({"type": "audio", "base64": "aGk=", "mime_type": "audio/wav"}, "[audio]"),
    ({"type": "file", "file_id": "f1"}, "[file]"),
]
UNTOLD = [
    ({"type": "refusal", "refusal": "I cannot."}, "I cannot."),
    ({"type": "output_text", "text": "It rains.", "annotations": []}, "It rains."),
    ({"type": "json", "json": {"n": [1, "ä"]}}, '{"n": [1, "ä"]}'),
    ({"type": "redacted_thinking", "data": "EmwK"}, ""),
    ({"type": "input_json_delta", "partial_json": '{"a"', "index": 0}, ""),
]


LISTENS, READS = chat(), rellm()


def left_in(part):
    """Chats that hold a block: in an answer, in a tool's result, and in one as Anthropic's API has it."""
    mixed = ["Look: ", part, {"type": "text", "text": "Seen."}]
    yield [HumanMessage("Look."), AIMessage(mixed), HumanMessage("Well?")]
    yield [HumanMessage("Look."), CALL, ToolMessage(mixed, tool_call_id="a1"), *ENDED]
    yield [HumanMessage([{"type": "tool_result", "tool_use_id": "a1", "content": mixed}])]


@pytest.mark.filterwarnings("ignore:message . of the chat")
@pytest.mark.parametrize(("part", "told"), [*LEFT, *UNTOLD], ids=lambda one: str(one)[:40])
def test_what_others_have_left_in_a_chat_is_told_in_words(part, told):
    """Their texts are kept word for word, in both kinds of models; what is no text is told beside them."""
    words = f"Look: \n{told}\nSeen." if (part, told) in LEFT else f"Look: {told}Seen."
    for messages in left_in(part):
        prompt = LISTENS._start_reply(messages, None, {}).prompt
        assert words in prompt
        assert words in READS._convert_input(messages).to_string()
        assert "aGk=" not in prompt
        assert len(prompt.ids) == LISTENS.get_num_tokens_from_messages(messages)


def test_an_answer_follows_what_others_have_left():
    messages = [message for part, _ in LEFT[:3] for message in next(left_in(part))]
    with pytest.warns(UserWarning, match="of the chat"):
        assert LISTENS.invoke(messages).usage_metadata["output_tokens"] > 0
    with pytest.warns(UserWarning, match="of the chat"):
        assert len(READS.invoke(messages)) >= 3


@pytest.mark.parametrize(("part", "told"), LEFT, ids=lambda one: str(one)[:40])
def test_what_is_told_in_words_is_named(part, told):
    for number, messages in zip((2, 3, 1), left_in(part), strict=True):
        named = (
            f"message {number} of the chat, an? (AI|tool|human) message, has a content block of type {part['type']!r}, .* {re.escape(told)}"
        )
        with pytest.warns(UserWarning, match=named):
            chat()._start_reply(messages, None, {})


def test_the_address_of_an_image_is_no_prompt():
    with pytest.raises(ChatRefused, match=r"a human message, has the content block .* without a type"):
        rellm().invoke(ImagePromptValue(image_url={"url": "https://example.org/a.png"}))
