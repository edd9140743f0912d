"""Arguments that are a union of objects are written in every family, or refused by name where a family writes arguments one by one."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from formats.every_format import MAKERS

from rellm_agents.errors import FormatError
from rellm_agents.formats import Action, Message, ToolCall, message_format
from rellm_agents.langchain.agents import parser_for
from rellm_agents.resources import data_path

FAMILIES = sorted(path.stem for path in data_path("messages").glob("*.json"))
TEXT, COUNT = {"type": "string", "maxLength": 5}, {"type": "integer"}
A = {"type": "object", "properties": {"a": TEXT}, "required": ["a"]}
B = {"type": "object", "properties": {"b": COUNT, "c": TEXT}, "required": ["b"]}
UNIONS: dict[str, Any] = {
    "without a type": {"anyOf": [A, B]},
    "beside properties": {"type": "object", "properties": {"a": TEXT, "b": COUNT}, "anyOf": [{"required": ["a"]}, {"required": ["b"]}]},
    "of references": {"anyOf": [{"$ref": "#/$defs/A"}, {"$ref": "#/$defs/B"}], "$defs": {"A": A, "B": B}},
    "told apart by a constant": {
        "oneOf": [
            {"type": "object", "properties": {"kind": {"const": "a"}, "a": TEXT}, "required": ["kind", "a"], "additionalProperties": False},
            {
                "type": "object",
                "properties": {"kind": {"const": "a"}, "b": COUNT},
                "required": ["kind", "b"],
                "additionalProperties": False,
            },
        ]
    },
    "with a shared argument": {"type": "object", "properties": {"q": TEXT}, "required": ["q"], "anyOf": [A, B]},
}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", UNIONS)
def test_a_call_of_a_union_is_of_one_of_its_branches(family: str, kind: str) -> None:
    schema = UNIONS[kind]
    format_ = message_format(family, {"f": schema, "g": A}, choice="f")
    for seed in range(3):
        (call,) = (message := format_.read(format_.pattern.sample(seed))).tool_calls[:1]
        jsonschema.Draft202012Validator(schema).validate(call.arguments)
        assert format_.read(format_.write(message)) == message
    for arguments in ({"a": "x"}, {"b": 3}):
        whole = {**arguments, **({"kind": "a"} if "told apart" in kind else {}), **({"q": ""} if "shared" in kind else {})}
        assert format_.read(format_.write(message := Message(tool_calls=(ToolCall("f", whole),)))) == message


@pytest.mark.parametrize(
    "name", [name for name in MAKERS if name not in ("react", "mrkl", "conversational", "docstore", "self_ask", "xml")]
)
def test_an_action_of_a_union_is_of_one_of_its_branches(name: str) -> None:
    for schema in UNIONS.values():
        format_ = MAKERS[name]({"f": schema})
        parser = parser_for(format_)
        for seed in range(6):
            step = format_.read(text := format_.pattern.sample(seed))
            if isinstance(step, Action):
                jsonschema.Draft202012Validator(schema).validate(step.tool_input)
                assert parser.parse(text).tool_input == step.tool_input


def test_a_union_that_arguments_one_by_one_cannot_say_is_refused() -> None:
    for schema, reason in (
        (
            {"oneOf": [{"type": "object", "properties": {"a": TEXT}}, {"type": "object", "properties": {"b": TEXT}}]},
            "cannot enforce 'oneOf'",
        ),
        ({"anyOf": [A, {"type": "object", "minProperties": 1}]}, "cannot enforce 'minProperties'"),
        ({"anyOf": [A, {"type": "object", "properties": {"a": COUNT}}]}, "'a' has different schemas in two branches"),
    ):
        with pytest.raises(FormatError, match=f"qwen3_coder: tool 'f'.*{reason}.*use 'hermes'"):
            message_format("qwen3_coder", {"f": schema})
        message_format("hermes", {"f": schema})


@pytest.mark.parametrize("family", ["qwen3_coder", "pythonic", "glm45", "deepseek_v32", "hermes"])
def test_an_argument_without_values_is_left_out_and_unknown_words_are_annotations(family: str) -> None:
    properties = {"a": TEXT, "odd": {"type": "string", "enum": [1, 2]}}
    schema = {"type": "object", "properties": properties, "required": ["a"], "optional": ["odd"], "x-order": 3}
    format_ = message_format(family, {"f": schema}, choice="f")
    for seed in range(4):
        assert all(call.arguments.keys() == {"a"} for call in format_.read(format_.pattern.sample(seed)).tool_calls)
    with pytest.raises(FormatError, match="no instance is valid"):
        message_format(family, {"f": {**schema, "required": ["odd"]}}, choice="f")
