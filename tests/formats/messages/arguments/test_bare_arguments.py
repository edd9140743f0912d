"""Arguments with quotes of their own: strings as they are, names without quotes, all the rest as JSON has it; and what that cannot say."""

from __future__ import annotations

import re

import pytest
from formats.every_format import arguments

from rellm_agents.errors import FormatError
from rellm_agents.formats import Message, ToolCall, message_format

STRING = {"type": "string"}
QUOTE = '<|"|>'


def bare(**properties):
    return message_format("gemma4", {"f": arguments(**properties, required=())})


def call(**values):
    return Message(tool_calls=(ToolCall("f", values),))


@pytest.mark.parametrize(
    ("schema", "value", "text"),
    [
        (STRING, "why?", f"{QUOTE}why?{QUOTE}"),
        (STRING, '"a": {b:1}\n\\', f'{QUOTE}"a": {{b:1}}\n\\{QUOTE}'),
        (STRING, '<|"', f'{QUOTE}<|"{QUOTE}'),
        ({"type": "string", "maxLength": 2}, "ab", f"{QUOTE}ab{QUOTE}"),
        ({"enum": ["a b", 3, None, "null"]}, "null", f"{QUOTE}null{QUOTE}"),
        ({"enum": ["a b", 3, None, "null"]}, None, "null"),
        ({"enum": [{"größe": ["x", True]}]}, {"größe": ["x", True]}, f"{{größe:[{QUOTE}x{QUOTE},true]}}"),
        ({"type": "number"}, -2.5, "-2.5"),
        ({"type": "array", "items": STRING}, ["a", ""], f"[{QUOTE}a{QUOTE},{QUOTE}{QUOTE}]"),
        ({"type": "array", "items": {"type": "integer"}, "contains": {"const": 3}}, [1, 3], "[1,3]"),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, {"x": 1, "y2": 2}, "{x:1,y2:2}"),
        ({"properties": {"a": STRING}, "required": ["a"], "type": "object"}, {"a": "b"}, f"{{a:{QUOTE}b{QUOTE}}}"),
        ({}, {"a": [None, {"b": "c"}]}, f"{{a:[null,{{b:{QUOTE}c{QUOTE}}}]}}"),
    ],
)
def test_a_value_is_written_as_its_schema_says(schema, value, text):
    written = bare(v=schema).write(call(v=value))
    assert written == f"<|tool_call>call:f{{v:{text}}}<tool_call|>"


@pytest.mark.parametrize("value", [f"a{QUOTE}", "<tool_call|>", "\x01", "<eos>"])
def test_a_string_that_would_be_misread_is_not_written(value):
    with pytest.raises(FormatError, match="cannot write this message"):
        bare(v=STRING).write(call(v=value))
    with pytest.raises(FormatError, match="#/properties/v/enum: strings are written as they are here, between '"):
        bare(v={"enum": [value, "b"]})


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        ({"a-b": STRING}, "#/properties: names stand without quotes here, so they are of letters, digits and '_', not 'a-b': use 'hermes'"),
        ({"a": {"const": {"b c": 1}}}, "#/properties/a/const: names stand without quotes here"),
        ({"a": {"type": "array", "items": STRING, "uniqueItems": True}}, "#/properties/a/uniqueItems: items are not told apart"),
        ({"a": {"type": "object", "propertyNames": {"maxLength": 3}}}, "#/properties/a/propertyNames: names stand without quotes here"),
        (
            {"a": {"type": "object", "patternProperties": {"^x": {"type": "integer"}}}},
            "#/properties/a/patternProperties: names stand without quotes here",
        ),
    ],
)
def test_what_has_no_place_without_quotes_is_refused(properties, reason):
    with pytest.raises(FormatError, match=re.escape(f"gemma4: tool 'f', arguments: {reason}")):
        bare(**properties)
