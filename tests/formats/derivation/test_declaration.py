"""A declaration that is derived from examples writes and reads what the examples show; what cannot be proved is not derived."""

from __future__ import annotations

import dataclasses

import pytest

from rellm_agents.formats import Message, ToolCall, message_format
from rellm_agents.formats.derivation import EXAMPLES, derived_declaration
from rellm_agents.formats.template.declarations import builtin_declaration, builtin_names

TOOLS = {
    "probe_tool": {"type": "object", "properties": {"probe_key": {"type": "string"}, "probe_more": {"type": "string"}}},
    "other_tool": {"type": "object", "properties": {"other_key": {"type": "string"}, "other_more": {"type": "string"}}},
    "typed_tool": {"type": "object", "properties": {"typed_key": {"type": "integer"}}},
    "third": {
        "type": "object",
        "properties": {"text": {"type": "string"}, "count": {"type": "integer"}, "on": {"type": "boolean"}},
        "required": ["text", "count"],
    },
}
NOT_DERIVED = {"gemma4", "functiongemma", "deepseek_v32", "deepseek_v4"}
"""Those that write names without quotes, or say of each value whether it is a string."""


def examples_of(family):
    """The examples as a built-in format writes them."""
    declaration = builtin_declaration(family, "message")
    found = {}
    for name, message in EXAMPLES.items():
        if (name == "reasoned" and "reasoning" not in declaration) or (name == "both" and "before_calls" not in declaration):
            continue
        if len(message.tool_calls) > 1 and "between" not in declaration.get("calls", {}):
            continue
        is_numbered, first = "[0-9]" in declaration.get("call_id_regex", ""), int(name == "other")  # which comes after "call" in a chat
        calls = [dataclasses.replace(call, id=str(first + n) if is_numbered else call.id) for n, call in enumerate(message.tool_calls)]
        shown = dataclasses.replace(message, tool_calls=tuple(calls))
        found[name] = message_format(family, TOOLS, reasoning=name == "reasoned").render(shown)
    return found


@pytest.mark.parametrize("family", builtin_names("message"))
def test_every_format_is_derived_from_its_own_texts(family):
    """It writes the same texts, also of calls that are no examples."""
    own, derived = builtin_declaration(family, "message"), derived_declaration(examples_of(family), special_tokens=("<think>",))
    if family in NOT_DERIVED:
        assert derived is None
        return
    assert derived is not None
    first, second = message_format(own, TOOLS), message_format(derived, TOOLS)
    calls = (ToolCall("third", {"text": "some rain", "count": 3, "on": True}), ToolCall("other_tool", {"other_key": "so"}))
    for message in (Message("Hello."), Message(tool_calls=calls[:1]), Message(tool_calls=calls[1:]), Message(tool_calls=calls)):
        if len(message.tool_calls) < 2 or "between" in own.get("calls", {}):
            assert second.write(message) == first.write(message)
            assert second.read(first.write(message)) == message
    for seed in range(12):
        text = second.pattern.sample(seed)
        assert second.write(second.read(text)) == second.render(second.read(text))


@pytest.mark.parametrize("name", ["words", "call", "other"])
def test_without_these_examples_nothing_is_derived(name):
    assert derived_declaration({key: text for key, text in examples_of("hermes").items() if key != name}) is None


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("other", lambda text: text.replace("name", "tool")),
        ("two", lambda text: text.replace("third value", "fourth value")),
        ("call", lambda text: text + text),
        ("typed", lambda text: text.replace("3", "'3'")),
        ("call", lambda text: text.replace("probe_tool", "tool")),
    ],
)
def test_examples_that_contradict_each_other_prove_nothing(name, change):
    examples = examples_of("hermes")
    assert derived_declaration({**examples, name: change(examples[name])}) is None


def shown(message, number):
    calls = [
        f'<call id="{call.id if number is None else number + n}">{call.name}:{{"k": 1}}'.replace('{"k": 1}', "ARGUMENTS" + str(n))
        for n, call in enumerate(message.tool_calls)
    ]
    text = "".join(f"{call}</call>" for call in calls)
    for n, call in enumerate(message.tool_calls):
        text = text.replace(f"ARGUMENTS{n}", message_format("mistral_name").render(Message(tool_calls=(call,))).partition(call.name)[2])
    return message.content + text


@pytest.mark.parametrize("numbered", [False, True])
def test_an_id_has_a_slot_of_its_own(numbered):
    examples = {
        name: shown(message, (1 if name == "other" else 0) if numbered else None)
        for name, message in EXAMPLES.items()
        if name != "reasoned"
    }
    derived = derived_declaration(examples)
    assert derived is not None
    assert derived["call"] == '<call id="{id}">{name}:{arguments}</call>'
    assert derived["call_id_regex"] == ("[0-9]{1,4}" if numbered else "[A-Za-z0-9]{9}")
    format_ = message_format(derived, TOOLS)
    given = ToolCall("third", {"text": "a", "count": 1}, "7" if numbered else "abcdefghi")
    text = format_.write(Message(tool_calls=(given,)))
    assert f'id="{given.id}"' in text
    assert [dataclasses.astuple(call) for call in format_.read(text).tool_calls] == [dataclasses.astuple(given)]
    assert format_.read_partial(text[: text.index("a") + 1]).calls == ()
    assert [call.id for call in format_.read_partial(text[:-9]).calls] == [given.id]
    assert len(format_.read(format_.write(Message(tool_calls=(ToolCall("third", {"text": "a", "count": 1}),)))).tool_calls[0].id) > 0


def test_json_over_several_lines_is_written_on_one():
    examples = {
        name: text.replace(
            '{"probe_key": "probe value", "probe_more": "more of it"}', '{\n  "probe_key": "probe value",\n  "probe_more": "more of it"\n}'
        )
        for name, text in examples_of("granite31").items()
    }
    derived = derived_declaration(examples)
    assert derived is not None
    assert derived["call"] == builtin_declaration("granite31", "message")["call"]
