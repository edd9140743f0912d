"""Names of every script, placeholders in descriptions, and content that is empty: read as they are written."""

from __future__ import annotations

import pytest
from formats.every_format import arguments

from rellm_agents.formats import Message, ToolCall, json_action, message_format
from rellm_agents.formats.template.declarations import builtin_declaration, builtin_names

MARKED = "हिन्दी"  # a name in Python, not all of whose characters are of \w
STYLES = {
    style: [f for f in builtin_names("message") if builtin_declaration(f, "message").get("argument_style", "json") == style]
    for style in ("python", "bare")
}


@pytest.mark.parametrize("family", STYLES["python"])
def test_every_argument_is_read_whatever_its_name_is(family):
    format_ = message_format(family, {"t": arguments(**{MARKED: {"type": "integer"}, "℘": {"type": "boolean"}, "n": {"type": "integer"}})})
    message = Message("", (ToolCall("t", {MARKED: 1, "℘": True, "n": 2}),))
    assert format_.read(format_.write(message)) == message


@pytest.mark.parametrize("family", STYLES["bare"])
@pytest.mark.parametrize("schema", [{"type": "object", "additionalProperties": {"type": "integer"}}, {}], ids=["a map", "anything"])
def test_names_of_maps_are_read(family, schema):
    format_ = message_format(family, {"t": arguments(m=schema)}, choice="required", parallel=False)
    for seed in range(150):
        text = format_.pattern.sample(seed)
        assert format_.read(format_.write(format_.read(text))) == format_.read(text)
        for end in range(0, len(text), 7):
            format_.read_partial(text[:end])


def test_a_tool_may_be_described_with_placeholders_of_the_format():
    tool = {**arguments(q={"type": "string"}), "description": "Not {tool_names} nor {call_example}."}
    for format_ in (message_format("hermes", {"t": tool}), json_action({"t": tool})):
        assert "Not {tool_names} nor {call_example}." in format_.instructions


def test_content_may_be_empty_after_its_delimiter():
    declaration = {
        **builtin_declaration("hermes", "message"),
        "name": "own",
        "content": {"begin": "> "},
        "slots": {"content": {}, "reasoning": {}},
    }
    format_ = message_format(declaration)
    assert format_.write(format_.read("> ")) == "> "
