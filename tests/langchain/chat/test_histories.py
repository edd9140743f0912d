"""Every word of every message is in the prompt, whatever the chat is like and whatever the template wants of it."""

from __future__ import annotations

import json

import pytest
from chat_templates import STRICT
from family_templates import FAMILIES, family_template
from langchain_core.messages import AIMessage, BaseMessage, ChatMessage, HumanMessage, SystemMessage, ToolMessage, trim_messages
from small_chats import chat
from toys import byte_level_tokenizer

from rellm_agents.errors import ChatRefused
from rellm_agents.formats import message_format
from rellm_agents.formats.template import Declaration
from rellm_agents.langchain.chat.chat_request import compile_request
from rellm_agents.langchain.chat.chat_template import ChatTemplate
from rellm_agents.langchain.chat.native_format import native_format


def called(text: str, *calls: tuple[str, dict[str, object], str]) -> AIMessage:
    return AIMessage(text, tool_calls=[{"name": name, "args": args, "id": id_, "type": "tool_call"} for name, args, id_ in calls])


SYSTEM, RULE = SystemMessage("sysone speaks"), SystemMessage("systwo rules")
USER, AGAIN = HumanMessage("userone asks"), HumanMessage("usertwo wonders")
ANSWER, MORE = AIMessage("modelone says"), AIMessage("modeltwo adds")
ONE = ("alpha", {"beta": "gammavalue", "count": 3}, "call_Abc123def456")  # ids of two other providers
TWO = ("delta", {"epsilon": "zetavalue"}, "toolu_01XyZ")
FOUND, TOO = ToolMessage("etaresult words", tool_call_id=ONE[2]), ToolMessage("thetaresult", tool_call_id=TWO[2])
HISTORIES: dict[str, list[BaseMessage]] = {
    "as usual": [SYSTEM, USER, ANSWER, AGAIN],
    "several system messages": [SYSTEM, RULE, USER],
    "a system message in the middle": [SYSTEM, USER, ANSWER, RULE, AGAIN],
    "a system message alone": [SYSTEM],
    "ids of another provider": [USER, called("", ONE), FOUND, ANSWER, AGAIN],
    "two calls in a message": [USER, called("", ONE, TWO), FOUND, TOO],
    "two calls, their results in another order": [SYSTEM, USER, called("", ONE, TWO), TOO, FOUND, ANSWER, AGAIN],
    "two steps": [USER, called("", ONE), FOUND, called("", TWO), TOO],
    "content with calls": [USER, called("iotawords first", ONE), FOUND],
    "content with calls, later answered": [USER, called("iotawords first", ONE), FOUND, ANSWER, AGAIN],
    "the assistant begins": [ANSWER, USER],
    "the assistant begins after a system message": [SYSTEM, ANSWER, USER],
    "users one after the other": [USER, AGAIN],
    "assistants one after the other": [USER, ANSWER, MORE, AGAIN],
    "the assistant has the last word": [USER, ANSWER],
    "a result without a call": [FOUND, ANSWER, USER],
    "nothing but a result without a call": [FOUND],
    "a call without a result": [USER, called("", ONE), AGAIN],
    "a user right after a result": [USER, called("", ONE), FOUND, AGAIN],
    "empty content": [HumanMessage(""), AIMessage(""), USER],
    "an empty result": [USER, called("", ONE), ToolMessage("", tool_call_id=ONE[2])],
    "turned round": [AGAIN, ANSWER, FOUND, called("", ONE), USER],
    "content in blocks": [HumanMessage(["userone asks", {"type": "text", "text": " kappablock"}]), ANSWER, AGAIN],
    "quotes and line breaks": [
        HumanMessage('one "two"\n\n\té'),
        called("", ONE),
        ToolMessage('{"a": "b\\n",\n"c": [1]}', tool_call_id=ONE[2]),
    ],
}
TOOL = {
    "type": "function",
    "function": {
        "name": "alpha",
        "description": "Lambdadescription.",
        "parameters": {"type": "object", "properties": {"beta": {"type": "string"}, "count": {"type": "integer"}}, "required": ["beta"]},
    },
}


def native(family: str) -> tuple[ChatTemplate, Declaration]:
    """A template as a chat model uses it."""
    template = family_template(family)
    found = native_format(template)
    return (template.with_tools_in_words() if found.is_last_resort else template), found.declaration


def words_of(messages: list[BaseMessage]) -> list[str]:
    found = []
    for message in messages:
        found += message.text.split()
        for call in getattr(message, "tool_calls", ()):
            found += [call["name"], *call["args"], *map(str, call["args"].values())]
    return found


def is_in(word: str, prompt: str) -> bool:
    return any(form in prompt for form in (word, json.dumps(word)[1:-1], json.dumps(word, ensure_ascii=False)[1:-1]))


@pytest.mark.parametrize("family", FAMILIES)
def test_every_word_of_every_history_is_in_the_prompt(family: str) -> None:
    template, declaration = native(family)
    for tools in ([], [TOOL]):
        format_ = compile_request(declaration, tools=tools).format
        for name, messages in HISTORIES.items():
            prompt = template.prompt(messages, format_)
            asked = [*words_of(messages), *(["alpha", "beta", "count", "Lambdadescription."] if tools else [])]
            assert [word for word in asked if not is_in(word, prompt)] == [], name


@pytest.mark.parametrize("family", FAMILIES)
def test_instructions_are_in_the_prompt_beside_any_system_messages(family: str) -> None:
    template, format_ = family_template(family), message_format("hermes")
    for messages in HISTORIES.values():
        prompt = template.prompt(messages, format_, ["Muinstruction."])
        assert is_in("Muinstruction.", prompt)
        assert all(is_in(word, prompt) for word in words_of(messages))


@pytest.mark.parametrize(
    "refused", ["not t.function.parameters.properties.beta.description is defined", "t.function.parameters.properties.count"]
)
def test_tools_that_a_template_cannot_show_are_described_otherwise(refused: str) -> None:
    refusal = f"{{% for t in tools if {refused} %}}{{{{ raise_exception('a tool like this') }}}}{{% endfor %}}"
    template = ChatTemplate(byte_level_tokenizer(), text=refusal + FAMILIES["qwen 2.5"])
    prompt = template.prompt([USER], compile_request(native_format(template).declaration, tools=[TOOL]).format)
    assert all(word in prompt for word in ("alpha", "beta", "count", "Lambdadescription.", "userone"))


def test_a_word_that_a_template_leaves_out_is_named() -> None:
    text = "{% for m in messages %}{{ m.content | replace('secret', '') }}{% endfor %}"
    template = ChatTemplate(byte_level_tokenizer(), text=text)
    with pytest.raises(ChatRefused, match="does not show 'secret' of this user message: 'a secret word': leave it out"):
        template.prompt([HumanMessage("a secret word")], message_format("hermes"))


def test_a_message_that_a_template_leaves_out_is_named() -> None:
    text = "{% for m in messages[-1:] %}{{ m.content }}{% endfor %}"
    template = ChatTemplate(byte_level_tokenizer(), text=text)
    with pytest.raises(ChatRefused, match="does not show the words of this user message: 'userone asks'"):
        template.prompt([USER, ANSWER, AGAIN], message_format("hermes"))


def test_what_a_template_takes_for_a_switch_or_for_earlier_reasoning_is_not_missed() -> None:
    nemotron, deepseek = family_template("nemotron nano 2"), family_template("deepseek r1 distill")
    assert "/no_think" not in nemotron.prompt([SystemMessage("Be kind. /no_think"), USER], message_format("nemotron"))
    prompt = deepseek.prompt([USER, AIMessage("<think>Hm.</think>modelone says"), AGAIN], message_format("deepseek_v3"))
    assert "modelone says" in prompt


def test_the_reason_is_the_one_that_is_left() -> None:
    """Not the ids, nor the order, which can be helped."""
    template = family_template("mistral nemo")
    critic = ChatMessage("nuwords", role="critic")
    with pytest.raises(ChatRefused, match="does not show the words of this critic message: 'nuwords'"):
        template.prompt([ANSWER, called("", ONE), FOUND, critic], message_format("mistral"))


def test_ids_are_the_same_for_the_same_call_in_every_prompt() -> None:
    template, format_ = family_template("mistral small 3.2"), message_format("mistral_args")
    kept = ("alpha", {}, "abc123XYZ")
    messages = [USER, called("", ONE), FOUND, ANSWER, AGAIN, called("", kept), ToolMessage("xi", tool_call_id=kept[2])]
    shorter, longer = template.prompt(messages[:3], format_), template.prompt(messages, format_)
    assert longer.startswith(shorter)
    (id_,) = {part[:9] for part in longer.split("[CALL_ID]")[1:]} - {"abc123XYZ"}
    assert longer.count(id_) == 2
    assert longer.count("abc123XYZ") == 2


@pytest.mark.parametrize("family", ["gpt-oss", "mistral nemo", "llama 3.1", "gemma", "chatml"])
@pytest.mark.parametrize("strategy", ["first", "last"])
def test_messages_are_trimmed_whatever_order_is_counted(family: str, strategy: str) -> None:
    model = chat(chat_template=FAMILIES[family].replace("{{ bos_token }}", ""))
    last = [called("", (*TWO[:2], "third")), ToolMessage("thetaresult", tool_call_id="third")]
    messages = [
        SYSTEM,
        *HISTORIES["two calls, their results in another order"][1:],
        *last,
        ANSWER,
        USER,
        *HISTORIES["users one after the other"],
    ]
    whole = model.get_num_tokens_from_messages(messages)
    assert model.get_num_tokens_from_messages([]) == 0
    for limit in range(20, whole + 40, 60):
        for options in (
            ({"start_on": "human"}, {"start_on": "human", "include_system": True}) if strategy == "last" else ({}, {"allow_partial": True})
        ):
            kept = trim_messages(messages, max_tokens=limit, token_counter=model, strategy=strategy, **options)
            assert kept in ([], [SYSTEM]) or model.get_num_tokens_from_messages(kept) <= limit
    assert trim_messages(messages, max_tokens=whole, token_counter=model, strategy=strategy) == messages  # the count of all is of all


def test_messages_that_make_no_prompt_are_counted_by_their_texts() -> None:
    model = chat(chat_template=STRICT)
    critics = [USER, ChatMessage("nuwords", role="critic"), ChatMessage("xiwords", role="critic")]
    with pytest.raises(ChatRefused, match="in turns"):
        model.invoke(critics)
    texts = "user\nuserone asks\ncritic\nnuwords\ncritic\nxiwords"
    assert model.get_num_tokens_from_messages(critics) == model.get_num_tokens(texts)
