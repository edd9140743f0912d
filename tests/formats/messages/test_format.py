"""What a chat model writes is read back, whole or while it is still being written; what cannot be told apart is refused."""

from __future__ import annotations

import json
import os
import re

import pytest
from formats.every_format import JSON_TOOLS, arguments
from formats.family_readers import READERS
from formats.tricky import TRICKY, messages, writes

from rellm_agents import compile_schema
from rellm_agents.errors import FormatError
from rellm_agents.formats import Message, ToolCall, message_format
from rellm_agents.formats.template.declarations import builtin_declaration, builtin_names

SAMPLES = int(os.environ.get("MESSAGE_SAMPLES", "8"))
FAMILIES = builtin_names("message")
TOOLS = {
    **{name: tool for name, tool in JSON_TOOLS.items() if re.fullmatch("[a-z_]+", name)},
    "tagged": arguments(text={"enum": ["</tool_call>", "<tool_call>\n{", "plain"]}, **{"</tool_call>": {"type": "string"}}),
}
CANNOT = {family: {"tagged"} for family in FAMILIES if "argument_style" in builtin_declaration(family, "message")}
"""Tools with a name or a value that a family has no way to write."""
SETS = {str(count): dict(list(TOOLS.items())[:count]) for count in (1, 3, len(TOOLS))}
ANSWER = compile_schema(arguments(city={"type": "string"}, days={"type": "integer"}), closed=True, without=["</tool_call>"])
WAYS = {
    "free": {},
    "one call at most": {"parallel": False},
    "calls only": {"choice": "required"},
    "one call": {"choice": "required", "parallel": False},
    "no calls": {"choice": "none"},
    "reasoned": {"reasoning": True},
    "an answer": {"answer": ANSWER},
    "an answer, reasoned": {"answer": ANSWER, "reasoning": True},
}


def made(family, tools, **way):
    if way.get("reasoning") and "reasoning" not in builtin_declaration(family, "message"):
        pytest.skip("no place for reasoning")
    return message_format(family, carried(family, SETS[tools]), **way)


def carried(family, tools):
    return {name: tool for name, tool in tools.items() if name not in CANNOT.get(family, ())}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("tools", SETS)
@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_written_is_read_back(family, tools, way):
    format_ = made(family, tools, **WAYS[way])
    for seed in range(SAMPLES):
        text = format_.pattern.sample(seed)
        message = format_.read(text)
        assert format_.read(format_.write(message)) == message
        assert len(message.tool_calls) <= 1 or format_.pattern.fullmatch(format_.render(message))
        for call in message.tool_calls:
            assert compile_schema(TOOLS[call.name], closed=True).value(json.dumps(call.arguments, ensure_ascii=False)) == call.arguments
        if WAYS[way].get("choice") == "required":
            assert message.tool_calls
            assert not message.content
        else:
            assert bool(message.content) or bool(message.tool_calls)
        if message.content and "answer" in WAYS[way]:
            assert set(json.loads(message.content)) == {"city", "days"}


@pytest.mark.parametrize("family", FAMILIES)
def test_content_holds_no_tag_of_a_result(family):
    """An answer that begins as the family's results do would be a result that no tool gave."""
    shown = message_format(family, SETS["1"]).render_result("5")
    tag = re.match(r"<[^<>]+>|\[[^\[\]]+\]", shown)
    for choice in ("auto", "none"):
        format_ = message_format(family, SETS["1"], choice=choice)
        for text in (shown, f"Look: {shown}"):
            written = format_.render(Message(text))
            assert bool(format_.pattern.fullmatch(written)) == (tag is None)
            if tag:
                with pytest.raises(FormatError, match=re.escape(f"it holds {tag[0]!r}")):
                    format_.write(Message(text))
    assert message_format(family).pattern.fullmatch(message_format(family).render(Message("Look: <tool_response>5</tool_response>")))


@pytest.mark.parametrize(("family", "name"), [(family, name) for family in FAMILIES for name in TOOLS])
def test_a_tool_that_a_family_cannot_write_is_refused(family, name):
    if name not in CANNOT.get(family, ()):
        message_format(family, {name: TOOLS[name]})
    else:
        with pytest.raises(FormatError, match=f"{family}: tool '{name}'.*: use 'hermes'|{family}: tool '{name}'.*; use 'hermes'"):
            message_format(family, {name: TOOLS[name]})


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_certain_of_a_beginning_stays(family, way):
    """Of each beginning: what it says is the beginning of what the whole says, and nothing is ever taken back."""
    format_ = made(family, "3", **WAYS[way])
    for seed in range(max(2, SAMPLES // 6)):
        text = format_.pattern.sample(seed)
        whole = format_.read_partial(text, is_whole=True)
        last = format_.read_partial("")
        for end in range(len(text) + 1):
            now = format_.read_partial(text[:end])
            assert whole.content.startswith(now.content)
            assert whole.reasoning.startswith(now.reasoning)
            assert now.content.startswith(last.content)
            assert now.reasoning.startswith(last.reasoning)
            assert len(last.calls) <= len(now.calls) <= len(whole.calls)
            for one, later in zip(last.calls, now.calls, strict=False):
                assert later.name == one.name
                assert later.arguments.startswith(one.arguments)
            last = now
        assert [call.arguments for call in last.calls] == [call.arguments for call in whole.calls]
        assert all(call.is_whole for call in whole.calls)


@pytest.mark.parametrize("way", ["free", "calls only", "reasoned"])
@pytest.mark.parametrize("family", FAMILIES)
def test_others_read_the_same(family, way):
    """As servers read it, who search the text for words of the family, once the reasoning is cut off."""
    format_ = made(family, str(len(TOOLS)), **WAYS[way])
    reasoning_ends = builtin_declaration(family, "message")["reasoning"]["end"].strip() if "reasoning" in WAYS[way] else None
    for seed in range(SAMPLES):
        text = format_.pattern.sample(seed)
        message = format_.read(text)
        body = text.partition(reasoning_ends)[2].lstrip() if reasoning_ends else text
        assert READERS[family](body, TOOLS) == (message.content, [(call.name, call.arguments) for call in message.tool_calls])


@pytest.mark.parametrize("family", FAMILIES)
def test_what_marks_a_call_stands_nowhere_else(family):
    declaration = builtin_declaration(family, "message")
    has_reasoning = "reasoning" in declaration
    format_ = message_format(family, {"echo": arguments(texts={"type": "array", "items": {"type": "string"}})}, reasoning=has_reasoning)
    for marker in declaration.get("special_tokens", ()):
        for message in (Message(f"a{marker}b"), *([Message("a", (), f"b{marker}c")] if has_reasoning else [])):
            with pytest.raises(FormatError, match="cannot write this message"):
                format_.write(message)
    for marker in declaration.get("banned_substrings", ()):
        if declaration.get("argument_style") == "bare":
            with pytest.raises(FormatError, match="cannot write this message"):
                format_.write(Message("", (ToolCall("echo", {"texts": [f"a{marker}b"]}),)))
            continue
        assert f"a{marker}b" not in format_.write(Message("", (ToolCall("echo", {"texts": [f"a{marker}b"]}),)))


def test_the_prompt_may_have_begun_the_reasoning():
    prompt = "<|assistant|>\n<think>\n"
    assert message_format("hermes", TOOLS, reasoning=True).adjust_prompt(prompt) == "<|assistant|>\n"
    assert message_format("hermes", TOOLS).adjust_prompt(prompt) == "<|assistant|>\n<think>\n\n</think>\n\n"
    assert message_format("hermes", TOOLS).adjust_prompt("<|assistant|>\n") == "<|assistant|>\n"


def test_a_tool_without_arguments_is_called_without_any():
    format_ = message_format("hermes", {"now": {"type": "object", "properties": {}}}, choice="required", parallel=False)
    assert {format_.pattern.sample(seed) for seed in range(9)} == {'<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>'}


def test_instructions_name_each_tool_and_show_a_call():
    format_ = message_format("hermes", TOOLS)
    assert all(f"\n{name}(" in format_.instructions for name in TOOLS)
    schemas = message_format("hermes", TOOLS, tool_prompt="schemas").instructions
    assert all(json.dumps(name, ensure_ascii=False) in schemas for name in TOOLS)
    assert "title" not in schemas
    assert '<tool_call>\n{"name": "NAME", "arguments": {"ARGUMENT": "VALUE"}}\n</tool_call>' in format_.instructions
    assert message_format("hermes").instructions == ""


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"tools": {}, "choice": "required"}, "a call is required, but there is no tool"),
        ({"tools": SETS["1"], "choice": "nothing"}, "there is no tool named 'nothing', only search; a choice is"),
        (
            {"tools": {"f": {"type": "object", "properties": {"a": {"type": "string", "pattern": "("}}}}},
            "tool 'f', arguments: #/properties/a",
        ),
    ],
)
def test_what_cannot_be_written_is_refused(options, reason):
    with pytest.raises(FormatError, match=re.escape(reason)):
        message_format("hermes", options.pop("tools"), **options)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (Message(" spaces at its ends"), "of its content, it begins or ends with whitespace"),
        (Message("a <tool_call> in words"), "of its content, it holds '<tool_call>'"),
        (Message("", (ToolCall("gone", {}),)), "there is no tool named 'gone' to call, only search, "),
        (Message("", (ToolCall("search", {"limit": 3}),)), "the arguments of 'search' are not of its schema"),
        (Message("", (), "thought of nothing"), "it has reasoning, and this format has none"),
        (Message(), "of its content, it is empty"),
    ],
)
def test_what_would_be_misread_is_not_written(message, reason):
    with pytest.raises(FormatError, match=f"cannot write this message so that it is read back as it is: {reason}"):
        message_format("hermes", TOOLS).write(message)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_tricky_text_is_read_back_or_refused_with_a_reason(family):
    format_ = message_format(family, {"search": arguments(query={"type": "string"})})
    for text in TRICKY:
        for message in messages(format_, text):
            if writes(format_, message):
                assert READERS[family](format_.write(message), {"search": format_.tools[0].parameters}) == (
                    message.content,
                    [(call.name, call.arguments) for call in message.tool_calls],
                )
            else:
                with pytest.raises(FormatError, match=r"of its content, it (holds|begins|is|does)|hold what this format has no text for"):
                    format_.write(message)


OWN = {
    **builtin_declaration("hermes", "message"),
    "name": "own",
    "call": "CALL {name} {arguments}",
    "banned_substrings": [],
    "special_tokens": [],
}
TAGGED = {**OWN, "argument_style": "tagged", "argument_template": "{key}={value};", "call": "CALL {name}({arguments})"}


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"call": "CALL {name} {arguments} {x}"}, "#/call: a template has {name}, {arguments} once each, in this order"),
        ({"result": "{content} of {tool}"}, "#/result: a template has {content} once each"),
        ({"rendered_as": ["{name} {arguments} {y}"]}, "#/rendered_as/0: a template has {name}, {arguments} once each"),
        ({"call": "{name} {arguments}"}, "#/call: no delimiter begins a call"),
        ({"call": "CALL {name}x{arguments}"}, "#/call: nothing tells where {name} ends"),
        ({"calls": {"between": ";", "end": ";CALL off"}}, "#/calls/end: ';CALL off' begins as another call does"),
        ({"content": {"begin": "CAL"}, "before_calls": ""}, "content may begin with 'CALL ', as a call does"),
        ({**TAGGED, "call": "CALL {name} {arguments}"}, "#/call: nothing tells where {arguments} end"),
        ({**TAGGED, "call": "CALL {name}{arguments})"}, "#/call: nothing tells where {name} ends"),
        ({**TAGGED, "call": "CALL {name}({arguments}q"}, "its arguments would be cut too early at 'q', as 'q=;q'"),
        ({**TAGGED, "argument_template": "{key}={value}"}, "#/argument_template: '{key}={value}' does not match"),
        ({**TAGGED, "argument_template": "{key}={value}, "}, "#/argument_template: the value in ', , ' would be cut too early at ', '"),
        ({**TAGGED, "argument_template": '{key}="{value}"'}, "#/argument_template: without='\"': strings cannot be kept without it"),
        (
            {**OWN, "argument_style": "python", "call": "CALL {name} {arguments}."},
            "#/call: {arguments} as Python has them end at a parenthesis",
        ),
        ({**OWN, "argument_style": "bare", "quote": "'", "call": "CALL {name}{arguments}"}, "#/call: nothing tells where {arguments} end"),
        ({**OWN, "argument_style": "bare", "quote": "'", "call": "CALL {name}{arguments}}"}, "would be cut too early at '}'"),
    ],
)
def test_delimiters_that_would_be_taken_for_others_are_refused(changed, reason):
    with pytest.raises(FormatError, match=re.escape(reason)):
        message_format({**OWN, **changed}, {"f": arguments(q={"type": "string"})})


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("names", "tool_name_regex"),
        ("arguments", "argument_style"),
        ("argument", "argument_template"),
        ("keys", "argument_name_regex"),
        ("shown", "rendered_as"),
        ("without", "banned_substrings"),
    ],
)
def test_a_key_of_an_earlier_version_is_refused_with_its_new_name(old, new):
    with pytest.raises(FormatError, match=f"format 'own', #/{old}: this key is now called '{new}'"):
        message_format({**OWN, old: "json"})


def test_what_ends_in_the_beginning_of_a_call_is_not_written():
    format_ = message_format({**OWN, "call": ">>{name} {arguments}", "before_calls": ""}, {"f": arguments()}, reasoning=True)
    for message in (Message("a>", (ToolCall("f", {}),)), Message("a", (), "b\n</think>\n")):
        with pytest.raises(
            FormatError, match=r"it ends in a beginning of '.*', which stands after it, and would be cut too early|whitespace"
        ):
            format_.write(message)
    assert not format_.pattern.fullmatch("<think>\nhm\n</think>\n\na>>>f {}")
    assert format_.read("<think>\nhm\n</think>\n\na>b>>f {}") == Message("a>b", (ToolCall("f", {}),), "hm")


def test_a_file_says_where_it_is_wrong():
    with pytest.raises(FormatError, match=re.escape("#/slots/content/trimed: there is no such key, only banned_regexes")):
        message_format({**builtin_declaration("hermes", "message"), "slots": {"content": {"trimed": True}}})


@pytest.mark.parametrize("family", FAMILIES)
def test_a_stop_string_counts_in_content_only(family):
    format_ = message_format(family, carried(family, TOOLS))
    call = format_.write(Message(tool_calls=(ToolCall("search", {"query": "stop"}),)))
    content = format_.write(Message("do not stop"))
    assert not format_.free_content.fullmatch(call[: call.index("stop")])
    assert format_.free_content.fullmatch(content[: content.index("stop")])


@pytest.mark.parametrize(("family", "kind"), [("llama3_json", "object"), ("pythonic", "array")])
def test_an_answer_that_begins_as_a_call_does_is_refused(family, kind):
    called = compile_schema({"type": kind})
    with pytest.raises(FormatError, match=f"{family}: an answer may begin with .*, as a call does"):
        message_format(family, carried(family, TOOLS), answer=called)


def test_content_that_begins_as_a_call_does_is_refused():
    bare = {**builtin_declaration("pythonic", "message"), "slots": {"content": {}}}
    with pytest.raises(FormatError, match=re.escape("pythonic: content may begin with '[', as a call does")):
        message_format(bare, {"now": arguments()})


@pytest.mark.parametrize(
    ("tools", "reason"),
    [
        ({"f": arguments(**{"from": {"type": "string"}})}, "tool 'f': this format cannot write the name of argument 'from': use 'hermes'"),
        ({"f": {"type": "object", "properties": {"ﬁx": {"type": "string"}}}}, "cannot write the name of argument 'ﬁx'"),
        ({"f": {**arguments(a={}), "minProperties": 1}}, "cannot enforce 'minProperties': use 'hermes'"),
        ({"f": arguments(a={"type": "string", "pattern": "("})}, "tool 'f', argument 'a': #"),
    ],
)
def test_what_python_has_no_words_for_is_refused(tools, reason):
    with pytest.raises(FormatError, match=re.escape(reason)):
        message_format("pythonic", tools)


def test_python_is_written_as_python_has_it():
    schema = arguments(a={}, b={"enum": [True, None, "True"]}, c={"type": "array", "items": {"enum": [True, False]}, "uniqueItems": True})
    format_ = message_format("pythonic", {"f": {**schema, "required": []}})
    message = Message(tool_calls=(ToolCall("f", {"a": {"x": [None, 'a "True"', 1.5]}, "b": "True", "c": [True, False]}),))
    text = '[f(a={"x": [None, "a \\"True\\"", 1.5]}, b="True", c=[True, False])]'
    assert format_.write(message) == text
    assert format_.pattern.fullmatch("[f(b=None), f(), f(c=[False])]")
    assert not format_.pattern.fullmatch("[f(c=[True, True])]")
    assert not format_.pattern.fullmatch("[f(b=true)]")
    assert not format_.pattern.fullmatch("[f(c=[False], b=None)]")
