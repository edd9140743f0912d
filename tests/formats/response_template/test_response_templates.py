"""Whatever a response template is like: what is written for it, transformers' own parser reads as it was meant; or it is refused."""

from __future__ import annotations

import copy
import os
import re

import pytest
from formats.every_format import arguments
from formats.messages.test_format import TOOLS, WAYS
from formats.tricky import TRICKY, writes
from transformers.cli.serving.utils import _RESPONSE_TEMPLATE_FALLBACKS
from transformers.utils.chat_parsing import parse_response

from rellm_agents.errors import FormatError
from rellm_agents.formats import Message, ToolCall, message_format
from rellm_agents.formats.response_template.declaration import declaration_of

SAMPLES = int(os.environ.get("MESSAGE_SAMPLES", "4"))
CALL = ToolCall("probe_tool", {"probe_key": "probe value"})
MESSAGE = Message("Probe words.", (CALL, CALL), "A probe of thoughts.")
FUNCTION = {"type": "function", "function": {"name": "{name}", "arguments": "{content}"}}
JSON_CALL = '{"name": "probe_tool", "arguments": {"probe_key": "probe value"}}'


def template(said=None, reasoning=None, **calls):
    fields = {
        "content": said or {},
        "tool_calls": {"content": "json", "transform": {"type": "function", "function": "{content}"}, **calls},
    }
    return {"start_anchor": "<|a|>", "defaults": {"role": "assistant"}, "fields": {**fields, **(reasoning or {})}}


THOUGHT = {"thinking": {"open": "<think>", "close": "</think>"}}
OF_TRANSFORMERS = {models[0]: one for models, one in _RESPONSE_TEMPLATE_FALLBACKS.items()}
TEMPLATES = {
    **OF_TRANSFORMERS,
    "one call": template(open="[CALL]", close="[/CALL]"),
    "to the end": template(open=["<call>", "<tool>"]),
    "a list": template(
        open="CALLS ", close_pattern=r";\s*(?:<eos>|<end>)", transform_each=True,
        transform={"type": "function", "function": {"name": "{name}", "arguments": "{arguments}"}},
    ),
    "a list of other keys": template(
        open_pattern=r"\n*functools", close="\n\n", transform_each=True, reasoning=THOUGHT,
        transform={"function": {"name": "{call.what}", "arguments": "{call.with}"}},
    ),
    "other keys": template(
        open_pattern=r"<(?:a|b)>\s*", close=["</a>", "</b>"], repeats=True,
        transform={"type": "function", "function": {"name": "{content.function.name}", "arguments": "{content.function.parameters}"}},
    ),
    "a name outside": template(
        open_pattern=r"\[(?P<kind>call|tool):(?P<name>[a-z_]+)\]", close="[end]", repeats=True, reasoning=THOUGHT,
        transform={"type": "{kind}", "function": {"name": "{name}", "arguments": "{content.args}"}},
    ),
    "quotes of their own": template(
        open_pattern=r"@(?P<name>\w+)", close=";", repeats=True, transform=FUNCTION,
        content_args={"unquoted_keys": True, "string_delims": [["''", "''"]]},
    ),
    "tags": template(
        open_pattern=r"<call (?P<name>\w+)>", close="</call>", repeats=True, content="xml-inline", transform=FUNCTION,
        content_args={"tag_pattern": r"<arg (?P<key>[^>]+)>(?P<value>.*?)</arg>"},
    ),
    "lines": template(
        open_pattern=r"\s*CALL (?P<name>\w+)\n", close="END", repeats=True, content="kv-lines", transform=FUNCTION, reasoning=THOUGHT,
    ),
    "other lines": template(
        open_pattern=r"CALL (?P<name>\w+) ", close="END", content="kv-lines", transform=FUNCTION,
        content_args={"line_sep": ";", "kv_sep": "="},
    ),
    "content between words": template(
        {"open": "<say>", "close": "</say>"}, {"reasoning": {"open": "<t>", "close_pattern": "</t>+"}},
        open="<call>", close="</call>", repeats=True,
    ),
    "nothing stripped": template(
        {"content_args": {"strip": False}}, {"reasoning": {"open": "<t>", "close": "</t>", "content_args": {"strip": False}}},
        open="<call>", close="</call>", repeats=True,
    ),
    "a thought that is not used": template({"close": "<eos>"}, {"thoughts": {"open": "(", "close": ")"}}, open="<call>", close="</call>"),
}  # fmt: skip
SHOWN = {
    "qwen2": "<think>\nA probe of thoughts.\n</think>\n\nProbe words." + f"\n<tool_call>\n{JSON_CALL}\n</tool_call>" * 2 + "<|im_end|>\n",
    "qwen3_5": "<think>\nA probe of thoughts.\n</think>\n\nProbe words."
    + "\n\n<tool_call>\n<function=probe_tool>\n<parameter=probe_key>\nprobe value\n</parameter>\n</function>\n</tool_call>" * 2,
    "gemma4": "<|channel>thought\nA probe of thoughts.\n<channel|>Probe words."
    + '<|tool_call>call:probe_tool{probe_key:<|"|>probe value<|"|>}<tool_call|>' * 2,
    "one call": f"Probe words. [CALL]{JSON_CALL}[/CALL]",
    "other keys": 'Probe words.' + '<b> \n{"function":{"name":"probe_tool","parameters":{"probe_key":"probe value"}}}</b>' * 2,
    "a name outside": "<think>A probe of thoughts. </think>Probe words."
    + '[tool:probe_tool]{"args": {"probe_key": "probe value"}}[end]\n' * 2,
    "quotes of their own": "Probe words.@probe_tool{probe_key:''probe value''};",
    "tags": "Probe words." + "<call probe_tool>\n<arg probe_key>probe value</arg>\n</call>" * 2,
    "lines": "Probe words." + "\nCALL probe_tool\nprobe_key: probe value\nEND" * 2,
    "content between words": f"<t>A probe of thoughts.</t><say>Probe words.</say><call>{JSON_CALL}</call>",
    "nothing stripped": f"<t>A probe of thoughts. </t>\nProbe words.\n<call>\n{JSON_CALL}\n</call>\n<call>\n{JSON_CALL}\n</call>",
}  # fmt: skip
CALLS_AS_SHOWN = {
    "qwen2": '<tool_call>\n{"name": "{name}", "arguments": {arguments}}\n</tool_call>',
    "qwen3_5": "<tool_call>\n<function={name}>\n{arguments}</function>\n</tool_call>",
    "gemma4": "<|tool_call>call:{name}{arguments}<tool_call|>",
    "other keys": '<b> \n{"function":{"name":"{name}","parameters":{arguments}}}</b>',
    "a name outside": '[tool:{name}]{"args": {arguments}}[end]',
    "tags": "<call {name}>\n{arguments}</call>",
}
CASES = [(name, how) for name in TEMPLATES for how in ("shortest", *(["as shown"] if name in SHOWN else []))]
every_case = pytest.mark.parametrize(("name", "how"), CASES)


def declared_of(name, how):
    return declaration_of(TEMPLATES[name], example=(MESSAGE, SHOWN[name]) if how == "as shown" else None)


def as_parsed(message, name):
    """What transformers should make of a message, for a template of ours."""
    return {"role": "assistant", **as_parsed_by(TEMPLATES[name], message)}


def as_parsed_by(template, message):
    """What transformers should make of a message."""
    given, found = template["fields"], {}
    if message.reasoning:
        found[next(key for key in ("reasoning_content", "reasoning", "thinking") if key in given)] = message.reasoning
    if message.content:
        found["content"] = message.content
    calls = [{"type": "function", "function": {"name": call.name, "arguments": call.arguments}} for call in message.tool_calls]
    if calls:
        rules = given["tool_calls"]
        calls = [{key: value for key, value in call.items() if key in rules["transform"]} for call in calls]
        found["tool_calls"] = calls if rules.get("repeats") or rules.get("transform_each") else calls[0]
    return found


def without_kind(parsed):
    """What a template adds to calls is its own business."""
    for call in parsed.get("tool_calls", []) if isinstance(parsed.get("tool_calls"), list) else []:
        if "type" in call:
            call["type"] = "function"
    return parsed


def of(declaration, tools, **way):
    """The format, with those of the tools that it can write."""
    return message_format(declaration, {name: tool for name, tool in tools.items() if can_write(declaration, name, tool)}, **way)


def can_write(declaration, name, tool):
    try:
        message_format(declaration, {name: tool})
    except FormatError:
        return False
    return True


@pytest.mark.parametrize("way", [way for way in WAYS if "answer" not in way])
@every_case
def test_what_is_written_is_read_by_transformers(name, how, way):
    declaration = declared_of(name, how)
    if WAYS[way].get("reasoning") and "reasoning" not in declaration:
        pytest.skip("no place for reasoning")
    format_ = of(declaration, TOOLS, **WAYS[way])
    assert len(format_.tools) >= (0 if way == "no calls" else 3)
    told = [tool.definition for tool in format_.tools]
    for seed in range(SAMPLES):
        text = format_.pattern.sample(seed)
        message = format_.read(text)
        parsed = parse_response(text, TEMPLATES[name], prefix="", tools=copy.deepcopy(told))
        assert without_kind(parsed) == as_parsed(message, name), text
        assert format_.read(format_.write(message)) == message


def words_of(template):
    """All words of a template, whole and in parts."""
    match template:
        case dict():
            return [word for inner in template.values() for word in words_of(inner)]
        case list():
            return [word for inner in template for word in words_of(inner)]
        case str():
            return [template, template[1:], template[:-1], *re.findall(r"[<\[{(|]*\w+[>\]})|:]*|\W", template)]
    return []


@every_case
def test_its_own_words_are_kept_out_or_read_back(name, how):
    tools = {"f": arguments(v={"type": "string"}, w={"type": "array", "items": {"type": "string"}}, required=())}
    format_ = message_format(declared_of(name, how), tools, reasoning="reasoning" in declared_of(name, how))
    written = 0
    for word in dict.fromkeys([*TRICKY, *words_of(TEMPLATES[name])]):
        for text in (word, f"a{word}b", f"a{word}", f"{word}b"):
            calls = [(ToolCall("f", {"v": text}),), (ToolCall("f", {"w": ["x", text]}),)]
            messages = [*(Message(tool_calls=call) for call in calls), Message(text), Message(text, calls[1]), Message("c", (), text)]
            for message in messages:
                if writes(format_, message):
                    written += 1
                    parsed = parse_response(format_.write(message), TEMPLATES[name], prefix="", tools=[format_.tools[0].definition])
                    assert without_kind(parsed) == as_parsed(message, name), message
    assert written > 400


@pytest.mark.parametrize("name", CALLS_AS_SHOWN)
def test_calls_are_written_as_the_chat_template_shows_them(name):
    assert declared_of(name, "as shown")["call"] == CALLS_AS_SHOWN[name]


@pytest.mark.parametrize("name", ["qwen2", "qwen3_5", "gemma4"])
def test_a_whole_message_is_written_as_it_is_shown(name):
    declaration = declared_of(name, "as shown")
    shown = message_format(declaration, {"probe_tool": arguments(probe_key={"type": "string"})}, reasoning=True).write(MESSAGE)
    assert SHOWN[name].startswith(shown)


@pytest.mark.parametrize(
    ("name", "cannot"),
    [("qwen2", set()), ("a list", set()), ("qwen3_5", {"tagged"}), ("gemma4", {"tagged"}), ("tags", {"tagged"}), ("lines", {"tagged"})],
)
def test_most_tools_can_be_written(name, cannot):
    declaration = declared_of(name, "shortest")
    assert {tool for tool in TOOLS if not can_write(declaration, tool, TOOLS[tool])} == cannot


STRING, NULL = {"type": "string"}, {"type": "null"}


@pytest.mark.parametrize(
    ("schema", "values"),
    [
        (STRING, ["3", "null", "true", '"a"', "{}"]),
        ({"enum": ["a", "b"]}, ["a"]),
        ({"anyOf": [STRING, NULL]}, ["3", "true", None]),
        ({"type": ["null", "string"], "enum": ["a", "b"]}, ["a"]),
        ({"type": "integer"}, [3, -(10**18)]),
        ({"type": ["number", "null"]}, [3, 2.5, None, 0.0015, -(10**15)]),
        ({"type": ["integer", "number"]}, [12345678901234567890, 0.5]),
        ({"type": "boolean"}, [True, False]),
        ({"type": ["array", "object"]}, [["3"], {"a": "null"}]),
        ({"oneOf": [{"type": "boolean"}, {"type": "array", "items": STRING}]}, [True, ["true"]]),
    ],
)
@pytest.mark.parametrize("name", ["qwen3_5", "lines"])
def test_a_value_is_read_as_what_it_is(name, schema, values):
    declaration = declared_of(name, "as shown")
    format_ = message_format(declaration, {"f": arguments(v=schema)}, choice="required")
    for value in values:
        text = format_.write(Message(tool_calls=(ToolCall("f", {"v": value}),)))
        (call,) = parse_response(text, TEMPLATES[name], prefix="", tools=[format_.tools[0].definition])["tool_calls"]
        assert call["function"]["arguments"] == {"v": value}
        assert type(call["function"]["arguments"]["v"]) is type(value)


@pytest.mark.parametrize(
    "schema",
    [
        {"enum": [1, 2]},
        {"type": ["string", "integer"]},
        {"type": ["boolean", "integer"]},
        {"enum": ["a", None]},
        {"anyOf": [STRING, {"const": 3}]},
    ],
)
def test_a_value_that_would_be_read_as_another_is_refused(schema):
    with pytest.raises(FormatError, match="tool 'f', argument 'v': the reader goes by the types that the schema names"):
        message_format(declared_of("qwen3_5", "shortest"), {"f": arguments(v=schema)})


@pytest.mark.parametrize("text", ["null", "None"])
def test_a_string_that_is_read_as_null_is_not_written(text):
    format_ = message_format(declared_of("qwen3_5", "shortest"), {"f": arguments(v={"anyOf": [STRING, NULL]})})
    with pytest.raises(FormatError, match="cannot write this message"):
        format_.write(Message(tool_calls=(ToolCall("f", {"v": text}),)))


FINE = {"open": "<call>", "close": "</call>"}
NAMED = {"open_pattern": "<(?P<name>[a-z]+)>", "close": "</>", "transform": FUNCTION}


@pytest.mark.parametrize(
    ("wrong", "place", "reason"),
    [
        ({"fields": {"content": {"opne": "a"}}}, "#/fields/content/opne", "there is no such key, only open, "),
        ({"fields": {"content": {}}}, "", "the response template has no field 'tool_calls', only content"),
        ({"version": 2, "fields": {}}, "#/fields", "should be non-empty"),
        (template(), "#/fields/tool_calls", "no delimiter opens a call"),
        (template({"open": "a", "open_pattern": "a"}, **FINE), "#/fields/content/open", "it stands beside open_pattern"),
        (template({"content": "json"}, **FINE), "#/fields/content/content", "the text of this field is written as it is"),
        (template({"optional": False}, **FINE), "#/fields/content/optional", "a message has to have this field"),
        (template(None, {"score": {"content": "int", "optional": False}}, **FINE), "#/fields/score/optional", "a message has to have"),
        (template(open_pattern="<call>", close_pattern="("), "#/fields/tool_calls/close_pattern", "this group is never closed"),
        (template(open_pattern=r"(<)\1", close="x"), "#/fields/tool_calls/open_pattern", "a back-reference is not regular"),
        (template(open_pattern=r"\w+:", close="x"), "#/fields/tool_calls/open_pattern", "its matches begin in too many ways"),
        (template(open="<call>", close_pattern="x*"), "#/fields/tool_calls/close_pattern", "it may be empty"),
        (template(open="<call>", close="}"), "#/fields/tool_calls/close", "is not the end of that call"),
        (template(open_pattern="<call>.*>", close="</call>"), "#/fields/tool_calls/open_pattern", "may extend beyond '<call>>' into"),
        (template(open="aa", close="</call>"), "#/fields/tool_calls/open", "may be read as it together"),
        (template(**FINE, content="int"), "#/fields/tool_calls/content", "cannot be read as 'int'"),
        (template(**FINE, transform={"name": "x"}), "#/fields/tool_calls/transform", 'where a call has its "name"'),
        (template(**FINE, repeats=True, join="a"), "#/fields/tool_calls/join", "calls are no texts"),
        (template(**FINE, content_args={"unquoted_keys": True}), "#/fields/tool_calls/content_args", "unquoted_keys need"),
        (template(open="{x}", close="</call>"), "#/fields/tool_calls", "a text that would be taken for a slot: '{x}"),
        (
            template(**NAMED, content="xml-inline", content_args={"tag_pattern": "x"}),
            "#/fields/tool_calls/content_args/tag_pattern",
            "it needs the groups 'key' and 'value'",
        ),
        (
            template(**NAMED, content="kv-lines", content_args={"value_parser": {}, "merge_duplicates": True}),
            "#/fields/tool_calls/content_args/merge_duplicates",
            "by the types of the arguments alone",
        ),
        (template(**NAMED, content="kv-lines", content_args={"strip": False}), "#/fields/tool_calls/content_args/strip", "white space"),
        (template(**FINE, content="kv-lines"), "#/fields/tool_calls/content_args", "arguments are written one by one where"),
        (template(None, {"thinking": {"close": "x"}}, **FINE), "#/fields/thinking/close", "no delimiter opens the reasoning"),
    ],
)  # fmt: skip
def test_what_cannot_be_written_is_refused_with_the_place(wrong, place, reason):
    with pytest.raises(FormatError, match=re.escape(reason)) as error:
        declaration_of(wrong)
    assert f"{place}: " in str(error.value)
