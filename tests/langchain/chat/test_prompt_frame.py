"""What a chat holds is text: no special token of a prompt comes from a message, a tool, a result or an example."""

from __future__ import annotations

import random

import pytest
from framed_templates import FRAMES, READING, TOKENIZERS, hostile_contents, tokenizer_for
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from rellm_agents.decoding import smollm2
from rellm_agents.decoding.spelling import framed_tokenizer_of
from rellm_agents.formats import Message, ToolCall, message_format
from rellm_agents.langchain.chat.chat_template import ChatTemplate
from rellm_agents.langchain.chat.examples import ExampleMessage
from rellm_agents.langchain.chat.prompt_frame import encoded_prompt

WORDS = ["ab", "yes no", "é€ the", "10:00", 'say "no"', "x < y > z", "two\n\nlines", "{}", "café"]


def chat(contents, *, calls=True, system=True) -> list[BaseMessage]:
    """A chat whose texts, names and arguments are the next of ``contents``."""
    given = iter(contents)
    made: list[BaseMessage] = [SystemMessage(next(given))] if system else []
    made += [HumanMessage(next(given)), AIMessage(next(given)), HumanMessage([next(given), {"type": "text", "text": next(given)}])]
    if calls:
        made.append(
            AIMessage(next(given), tool_calls=[{"name": next(given), "args": {next(given): next(given), "city": [next(given)]}, "id": "a1"}])
        )
        made += [ToolMessage(next(given), tool_call_id="a1"), HumanMessage(next(given))]
    return made


def tools(contents):
    """A tool whose description, arguments and their values are the next of ``contents``."""
    given = iter(contents)
    schema = {
        "type": "object",
        "description": next(given),
        "properties": {
            "city": {"type": "string", "description": next(given)},
            next(given): {"enum": [next(given), "b"], "description": next(given)},
        },
    }
    return {"search": schema, "im_end": {"type": "object", "properties": {}}}


def encoded(tokenizer, messages, *, tools_given=(), instructions=(), examples=(), split=True):
    template = ChatTemplate(tokenizer)
    native = message_format("hermes", tools_given)
    return encoded_prompt(
        lambda mark: template.prompt(messages, native, instructions, examples, mark=mark), tokenizer, split_special_tokens=split
    )


def frame_of(tokenizer, ids) -> list[str]:
    """The special tokens and the markup among some ids."""
    contents = framed_tokenizer_of(tokenizer).contents - {tokenizer.unk_token}
    return [token for token in tokenizer.convert_ids_to_tokens(ids) if token in contents]


@pytest.mark.parametrize("kind", TOKENIZERS)
@pytest.mark.parametrize("name", [*FRAMES, *READING])
def test_without_tokens_in_content_ids_are_those_of_the_tokenizer(name, kind):
    tokenizer = tokenizer_for((FRAMES | READING)[name], TOKENIZERS[kind])
    chance = random.Random(name)
    for _ in range(20):
        messages = chat([chance.choice(WORDS) for _ in range(20)], calls=chance.random() < 0.5, system=chance.random() < 0.5)
        given = tools([chance.choice(WORDS) + str(i) for i in range(9)]) if chance.random() < 0.5 else ()
        prompt = encoded(tokenizer, messages, tools_given=given)
        assert list(prompt.ids) == tokenizer.encode(prompt, add_special_tokens=False)
        framed = framed_tokenizer_of(tokenizer)
        assert framed.encode(prompt, framed.find(prompt)) == list(prompt.ids)  # by the private copy, too


def test_plain_messages_have_the_ids_of_apply_chat_template():
    chance = random.Random(0)
    for template in FRAMES.values():
        tokenizer = tokenizer_for(template)
        for _ in range(5):
            texts = [chance.choice(WORDS) for _ in range(3)]
            messages = [HumanMessage(texts[0]), AIMessage(texts[1]), HumanMessage(texts[2])]
            turns = [{"role": role, "content": text} for role, text in zip(("user", "assistant", "user"), texts, strict=True)]
            expected = tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=True, return_dict=False)
            assert list(encoded(tokenizer, messages).ids) == expected


@pytest.mark.parametrize("kind", TOKENIZERS)
@pytest.mark.parametrize("name", FRAMES)
def test_no_special_token_comes_from_content(name, kind):
    """Whatever the contents, the special tokens of the prompt are those of the same chat with harmless contents."""
    tokenizer = tokenizer_for(FRAMES[name], TOKENIZERS[kind])
    known = sorted(framed_tokenizer_of(tokenizer).contents - {tokenizer.unk_token})
    hostile, chance = hostile_contents(known), random.Random(name)
    assert len(hostile) == 50
    for content in hostile:
        where = [content if chance.random() < 0.4 else chance.choice(hostile) if chance.random() < 0.5 else "ab" for _ in range(30)]
        where = [one if chance.random() < 0.5 else content for one in where]
        for index, extra in enumerate(({}, {"with_tools": True}, {"with_examples": True})):
            prompts = [made(tokenizer, contents, **extra) for contents in (where, [f"w{i}" for i in range(30)])]
            found, expected = (frame_of(tokenizer, prompt.ids) for prompt in prompts)
            assert found == expected, (index, where)
            framed = framed_tokenizer_of(tokenizer)
            assert tokenizer.decode(prompts[0].ids).replace(" ", "") == tokenizer.decode(
                framed.encode(prompts[0], framed.find(prompts[0]))
            ).replace(" ", "")


def made(tokenizer, contents, *, with_tools=False, with_examples=False):
    given = tools(contents[:9]) if with_tools else ()
    examples = [
        ExampleMessage(contents[9], Message(contents[10])),
        ExampleMessage(contents[11], Message("", (ToolCall(contents[12], {contents[13]: contents[14]}),))),
    ]
    return encoded(
        tokenizer,
        chat(contents[15:]),
        tools_given=given,
        instructions=[contents[8]],
        examples=examples if with_examples else (),
    )


def test_without_the_option_transformers_reading_is_kept():
    tokenizer = tokenizer_for(FRAMES["chatml"])
    prompt = encoded(tokenizer, [HumanMessage("a<|im_end|>b")], split=False)
    assert list(prompt.ids) == tokenizer.encode(prompt, add_special_tokens=False)
    assert frame_of(tokenizer, prompt.ids).count("<|im_end|>") == 2


@pytest.mark.model
def test_smollm2_reads_no_token_in_content():
    _, tokenizer = smollm2(progress=False)
    known = sorted(framed_tokenizer_of(tokenizer).contents)
    for content in hostile_contents(known):
        prompt, harmless = (encoded(tokenizer, chat([one] * 20), tools_given=tools([one] * 9)) for one in (content, "ab"))
        assert frame_of(tokenizer, prompt.ids) == frame_of(tokenizer, harmless.ids)
        assert tokenizer.decode(prompt.ids) == prompt
    for text in WORDS:
        turns = [{"role": "user", "content": text}]
        expected = tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=True, return_dict=False)
        assert list(encoded(tokenizer, [HumanMessage(text)]).ids) == expected
