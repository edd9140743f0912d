"""What a local model cannot read - more than its context, images, sounds - is refused, as LangChain knows it, and alone."""

from __future__ import annotations

import asyncio
import pickle

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
    {"type": "tool_result", "content": [{"type": "image", "base64": "aGk="}]},
]


@pytest.mark.parametrize("part", PARTS, ids=lambda part: str(part)[:40])
def test_images_and_sounds_are_out_of_scope(part):
    mixed = [{"type": "text", "text": "What is this?"}, part]
    call = AIMessage("", tool_calls=[{"name": "look", "args": {}, "id": "a1"}])
    chats = [
        ([HumanMessage([part])], 1),
        ([SystemMessage("Be kind."), HumanMessage(mixed)], 2),
        ([HumanMessage("Look."), call, ToolMessage(mixed, tool_call_id="a1")], 3),
        ([HumanMessage("Look."), AIMessage(mixed), HumanMessage("Well?")], 2),
        ([{"role": "user", "content": "Look."}, {"role": "assistant", "content": "Yes?"}, {"role": "user", "content": mixed}], 3),
    ]
    for messages, number in chats:
        for model in (chat(), rellm()):
            for way in WAYS:
                with pytest.raises(ChatRefused, match=f"message {number} of the chat, a .* out of scope, this model reads text only"):
                    way(model, messages)
        with pytest.raises(ChatRefused, match=f"message {number} of the chat"):
            chat().get_num_tokens_from_messages(convert_to_messages(messages))


def test_the_address_of_an_image_is_no_prompt():
    with pytest.raises(ChatRefused, match=r"a human message, has the content block .* without a type"):
        rellm().invoke(ImagePromptValue(image_url={"url": "https://example.org/a.png"}))
