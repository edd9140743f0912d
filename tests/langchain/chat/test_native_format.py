"""The format of tool calls is found by what a chat template shows, whatever the template is like."""

from __future__ import annotations

import pytest
from chat_templates import CALLS, TURNS, template
from family_templates import FAMILIES, family_template
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from toys import byte_level_tokenizer, random_model

from rellm_agents.formats import message_format
from rellm_agents.formats.messages.format import message_declaration
from rellm_agents.formats.template.declarations import builtin_names
from rellm_agents.langchain import ChatRELLM
from rellm_agents.langchain.chat.chat_template import ChatTemplate
from rellm_agents.langchain.chat.native_format import _derived_declaration, native_format


@pytest.mark.parametrize("way", CALLS)
def test_the_family_is_the_one_whose_calls_are_shown(way):
    found = native_format(template(way))
    assert found.name == way.partition(",")[0]
    assert "shows a call as" in found.reason


def test_every_family_is_found():
    assert {way.partition(",")[0] for way in CALLS} == set(builtin_names("message"))


def test_a_template_that_shows_calls_but_no_tools_has_a_family_too():
    shown = template("deepseek_v31", TURNS[TURNS.index("{%- for message") :])
    assert not shown.shows_tools
    assert native_format(shown).name == "deepseek_v31"


def test_a_template_that_knows_no_tools_is_told_them_in_words():
    plain = ChatTemplate(byte_level_tokenizer(), text="{% for message in messages %}{{ message.content }}{% endfor %}")
    assert native_format(plain).name == "hermes"
    assert "shows no tools" in native_format(plain).reason


def test_calls_that_no_format_writes_are_the_last_resort_with_a_warning():
    tokenizer = byte_level_tokenizer()
    with pytest.warns(
        UserWarning, match="in a way that no format here writes; the prompt tells tools in words, in 'hermes': choose another"
    ):
        model = ChatRELLM(model=random_model(tokenizer), tokenizer=tokenizer, chat_template=FAMILIES["a call in no order"])
    assert model.native_format.is_last_resort
    bound = model.bind_tools([{"type": "function", "function": {"name": "look-up", "description": "", "parameters": LOOK_UP}}])
    call = AIMessage("", tool_calls=[{"name": "look-up", "args": {"word": "rain"}, "id": "a1", "type": "tool_call"}])
    prompt = model._start_reply([HumanMessage("Rain?"), call, ToolMessage("none", tool_call_id="a1")], None, bound.kwargs).prompt
    assert "look-up(word: string)" in prompt
    assert '<tool_call>\n{"name": "look-up", "arguments": {"word": "rain"}}\n</tool_call>' in prompt
    assert "<tool_response>\nnone\n</tool_response>" in prompt
    assert "@@" not in prompt


DERIVED = {
    **dict.fromkeys(("mistral 7b 0.3", "mistral nemo"), '{"name": "{name}", "arguments": {arguments}, "id": "{id}"}'),
    "mistral small 3.2": "[TOOL_CALLS]{name}[CALL_ID]{id}[ARGS]{arguments}",
    "kimi k2": "<|tool_call_begin|>functions.{name}:{id}<|tool_call_argument_begin|>{arguments}<|tool_call_end|>",
    "seed-oss": "<seed:tool_call>\n<function={name}>\n{arguments}</function>\n</seed:tool_call>",
    "command r+": '\n    {\n        "tool_name": "{name}",\n        "parameters": {arguments}\n    }',
    "command r7b": '\n    {"tool_call_id": "{id}", "tool_name": "{name}", "parameters": {arguments}}',
    "functionary 3.1": "<function={name}>{arguments}</function>",
    "a family of its own": "<<{name}>>\n{arguments}\n<<end>>",
    "a list of its own": '{"function": "{name}", "inputs": {arguments}}',
}
KNOWN = {
    "mistral 7b 0.3": "mistral_id",
    "mistral nemo": "mistral_nemo",
    "mistral small 3.2": "mistral_call_id",
    "kimi k2": "kimi_k2",
    "seed-oss": "seed_oss",
    "command r7b": "command_r7b",
    "functionary 3.1": "functionary31",
}
LAST_RESORT = ("functionary 3.2", "a call in no order")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_is_known_or_derived_or_the_last_resort(family):
    found = native_format(family_template(family))
    assert found.is_last_resort == (family in LAST_RESORT)
    assert (found.name == "derived") == (family in DERIVED.keys() - KNOWN.keys())
    assert found.name == KNOWN.get(family, found.name)
    assert found.identity == (found.declaration if found.name == "derived" else found.name)


@pytest.mark.parametrize("family", [*DERIVED, *LAST_RESORT])
def test_a_declaration_is_derived_also_of_families_that_are_known(family):
    derived = _derived_declaration(family_template(family), ())
    assert (derived and derived["call"]) == DERIVED.get(family)


@pytest.mark.parametrize("family", DERIVED)
def test_a_model_calls_in_a_derived_format(family):
    tokenizer = byte_level_tokenizer()
    tokenizer.add_special_tokens({"bos_token": "<s>"})
    declaration = _derived_declaration(family_template(family), ())
    model = ChatRELLM(
        model=random_model(tokenizer),
        tokenizer=tokenizer,
        chat_template=FAMILIES[family],
        message_format=declaration,
        max_new_tokens=250,
        temperature=2.0,
    )
    tool = {"type": "function", "function": {"name": "look_up", "description": "", "parameters": LOOK_UP}}
    bound = model.bind_tools([tool], tool_choice="any")
    for seed in range(4):
        whole, pieces = bound.invoke("Rain?", seed=seed), list(bound.stream("Rain?", seed=seed))
        (call,) = whole.tool_calls
        assert set(call["args"]) == {"word"}
        assert [one["args"] for one in sum(pieces[1:], pieces[0]).tool_calls] == [call["args"]]
        assert len(call["id"]) >= 9
        again = [HumanMessage("Rain?"), whole, ToolMessage("none", tool_call_id=call["id"])]
        assert model.invoke(again, max_new_tokens=40).usage_metadata["input_tokens"] > 9


def test_arguments_are_text_where_the_template_joins_them_to_its_words():
    shown = template("deepseek_v3, arguments as text")
    call = AIMessage("", tool_calls=[{"name": "search", "args": {"größe": 2}, "id": "a1", "type": "tool_call"}])
    prompt = shown.prompt([HumanMessage("Rain?"), call, ToolMessage("none", tool_call_id="a1")], message_format("deepseek_v3"))
    assert 'search\n```json\n{"größe": 2}\n```' in prompt


@pytest.mark.parametrize("family", builtin_names("message"))
def test_a_call_is_streamed_in_every_family(family):
    parameters = {
        "type": "object",
        "properties": {"word": {"type": "string", "maxLength": 9}, "on": {"type": "boolean"}},
        "required": ["on"],
    }
    tool = {"type": "function", "function": {"name": "search", "description": "", "parameters": parameters}}
    plain, tokenizer = "{% for message in messages %}{{ message.content }}{% endfor %}", byte_level_tokenizer()
    model = ChatRELLM(model=random_model(tokenizer), tokenizer=tokenizer, chat_template=plain, message_format=family, max_new_tokens=250)
    bound = model.bind_tools([tool], tool_choice="search")
    whole, pieces = bound.invoke("Rain?"), list(bound.stream("Rain?"))
    calls = [(call["name"], call["args"]) for call in sum(pieces[1:], pieces[0]).tool_calls]
    assert calls == [(call["name"], call["args"]) for call in whole.tool_calls]
    assert set(whole.tool_calls[0]["args"]) in ({"word", "on"}, {"on"})


RESPONSE = {
    "start_anchor": "<assistant>",
    "fields": {
        "content": {},
        "tool_calls": {
            "open_pattern": r"\s*<<(?P<name>[\w-]+)>>",
            "close": "<<>>",
            "content": "json",
            "repeats": True,
            "transform": {"type": "function", "function": {"name": "{name}", "arguments": "{content}"}},
        },
    },
}


def with_response_template(response_template, call="<<{{ name }}>>\n{{ arguments | tojson }}<<>>"):
    tokenizer = byte_level_tokenizer()
    tokenizer.response_template = response_template
    text = TURNS.replace("CALL", call).replace("{{ before }}", "{{ '\n\n' }}").replace("{{ after }}", "")
    return tokenizer, text


def test_a_response_template_says_how_messages_are_written():
    tokenizer, text = with_response_template(RESPONSE)
    found = native_format(ChatTemplate(tokenizer, text=text))
    assert (found.name, found.reason) == ("response_template", "the tokenizer's response template declares how messages are read")
    assert found.declaration["call"] == "<<{name}>>\n{arguments}<<>>"
    assert found.declaration["before_calls"] == "\n\n"
    assert found.identity == found.declaration


def test_what_a_model_calls_is_read_by_its_response_template():
    tokenizer, text = with_response_template(RESPONSE)
    model = ChatRELLM(model=random_model(tokenizer), tokenizer=tokenizer, chat_template=text, max_new_tokens=150, temperature=2.0)
    tool = {"type": "function", "function": {"name": "look-up", "description": "", "parameters": LOOK_UP}}
    request = model._request({"tools": [tool], "tool_choice": "any", "parallel_tool_calls": True})
    for seed in range(8):
        reply = model._start_reply([HumanMessage("Rain?")], None, {**model.bind_tools([tool], tool_choice="any").kwargs, "seed": seed})
        written = model._queue.decoder.generate(reply.prompt, reply.pattern, **reply.options).text
        parsed = tokenizer.parse_response(written, prefix="", tools=[tool])
        called = [(call["function"]["name"], call["function"]["arguments"]) for call in parsed["tool_calls"]]
        assert called == [(call.name, call.arguments) for call in request.format.read(written).tool_calls]


LOOK_UP = {
    "type": "object",
    "properties": {"word": {"type": "string", "maxLength": 9}},
    "required": ["word"],
    "additionalProperties": False,
}


def test_a_response_template_that_cannot_be_written_is_named_in_the_reason():
    fields = {**RESPONSE["fields"], "score": {"content": "int", "optional": False}}
    tokenizer, text = with_response_template({**RESPONSE, "fields": fields}, CALLS["hermes"][1])
    found = native_format(ChatTemplate(tokenizer, text=text))
    assert found.name == found.identity == "hermes"
    assert "; not used: the response template, #/fields/score/optional: a message has to have this field" in found.reason


def test_a_declaration_of_ones_own_can_be_chosen():
    tokenizer, text = with_response_template(RESPONSE)
    own = {**message_declaration("hermes"), "call": "<|{name}|{arguments}|>", "banned_substrings": ["|>"]}
    model = ChatRELLM(model=random_model(tokenizer), tokenizer=tokenizer, chat_template=text, message_format=own, max_new_tokens=150)
    assert model.native_format[:2] == ("hermes", "it was chosen")
    assert model._identifying_params["message_format"] == own
    tool = {"type": "function", "function": {"name": "look-up", "description": "", "parameters": LOOK_UP}}
    (call,) = model.bind_tools([tool], tool_choice="any").invoke("Rain?").tool_calls
    assert set(call["args"]) == {"word"}
