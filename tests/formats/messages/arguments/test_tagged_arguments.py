"""Arguments between tags: strings as they are where they are sure to be read as such, all else as JSON, the rest refused."""

from __future__ import annotations

import re

import pytest
from formats.every_format import arguments

from rellm_agents.errors import FormatError
from rellm_agents.formats import Message, ToolCall, message_format

STRING = {"type": "string"}


def tagged(**properties):
    return message_format("qwen3_coder", {"f": arguments(**properties, required=())})


def call(**values):
    return Message(tool_calls=(ToolCall("f", values),))


@pytest.mark.parametrize(
    ("schema", "value", "text"),
    [
        (STRING, "why?", "why?"),
        (STRING, '"quoted"', '"quoted"'),
        (STRING, "3", "3"),
        (STRING, "", ""),
        (STRING, "two\nlines <b>", "two\nlines <b>"),
        ({"enum": ["a b", "c"]}, "a b", "a b"),
        ({"anyOf": [STRING, {"type": "null"}]}, "null", '"null"'),
        ({"anyOf": [STRING, {"type": "null"}]}, None, "null"),
        ({"enum": ["3", 3]}, "3", '"3"'),
        ({"type": "integer"}, 3, "3"),
        ({"type": "boolean"}, True, "true"),
        ({"type": "array", "items": STRING}, ["a", "</parameter>"], '["a", "</parameter\\u003e"]'),
        ({}, {"a": [None]}, '{"a": [null]}'),
    ],
)
def test_a_value_is_written_as_its_schema_says(schema, value, text):
    written = tagged(a=schema).write(call(a=value))
    assert written == f"<tool_call>\n<function=f>\n<parameter=a>\n{text}\n</parameter>\n</function>\n</tool_call>"


@pytest.mark.parametrize(
    ("schema", "value", "is_string", "text"),
    [
        (STRING, " why? ", "true", " why? "),
        ({"anyOf": [STRING, {"type": "null"}]}, "null", "true", "null"),
        ({"anyOf": [STRING, {"type": "null"}]}, None, "false", "null"),
        ({"enum": ["3", 3]}, "3", "true", "3"),
        ({"enum": ["3", 3]}, 3, "false", "3"),
        ({}, "{}", "true", "{}"),
        ({}, {"a": ["b"]}, "false", '{"a": ["b"]}'),
        ({"$defs": {"n": {"type": "integer"}}, "anyOf": [STRING, {"$ref": "#/$defs/n"}]}, 7, "false", "7"),
        ({"type": "array", "items": STRING}, ["｜DSML｜"], "false", '["｜DSML\\uff5c"]'),
    ],
)
def test_a_value_is_written_with_whether_it_is_a_string(schema, value, is_string, text):
    schema = dict(schema)
    tool = {**arguments(a=schema), **({"$defs": schema.pop("$defs")} if "$defs" in schema else {})}
    format_ = message_format("deepseek_v4", {"f": tool})
    written = format_.write(call(a=value))
    assert f'<｜DSML｜parameter name="a" string="{is_string}">{text}</｜DSML｜parameter>' in written
    assert format_.read(written) == call(a=value)
    flipped = {"true": "false", "false": "true"}[is_string]
    other = written.replace(f'string="{is_string}"', f'string="{flipped}"')
    assert not format_.pattern.fullmatch(other) or format_.read(other) != call(a=value)


@pytest.mark.parametrize("value", [" a", "a\n", "a</parameter>", "</function>", "<parameter=b>", "null", "NULL", "</tool_call>"])
def test_a_string_that_would_be_misread_is_not_written(value):
    with pytest.raises(FormatError, match="cannot write this message"):
        tagged(a=STRING).write(call(a=value))
    with pytest.raises(FormatError, match=re.escape(f"qwen3_coder: tool 'f', argument 'a': this format cannot write the value {value!r}")):
        tagged(a={"enum": [value, "b"]})


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        ({"a>b": STRING}, "cannot write the name of argument 'a>b': use 'hermes'"),
        ({"a": {"type": "string", "pattern": "^ +$"}}, "argument 'a': this format can write no value"),
    ],
)
def test_what_has_no_place_between_tags_is_refused(properties, reason):
    with pytest.raises(FormatError, match=re.escape(reason)):
        tagged(**properties)


@pytest.mark.parametrize(
    ("more", "keyword"),
    [
        ({"minProperties": 1}, "'minProperties'"),
        ({"additionalProperties": STRING}, "'additionalProperties'"),
        ({"required": ["b"]}, "'required: b'"),
        ({"oneOf": [{"required": ["a"]}, {"properties": {"b": STRING}}]}, "'oneOf'"),
    ],
)
def test_what_a_schema_says_of_arguments_together_is_refused(more, keyword):
    with pytest.raises(FormatError, match=re.escape(f"cannot enforce {keyword}: use 'hermes'")):
        message_format("qwen3_coder", {"f": {**arguments(a=STRING, required=()), **more}})


def test_optional_arguments_keep_the_order_of_the_schema():
    format_ = tagged(a=STRING, b={"type": "integer"}, c=STRING)
    text = format_.write(call(c="z", a="x"))
    assert text.index("<parameter=a>") < text.index("<parameter=c>")
    assert not format_.pattern.fullmatch(text.replace("=a>", "=d>"))
    assert format_.render(call(c="z", unknown=[1])).count("<parameter=") == 2
