"""The promise of a format: whatever its pattern accepts, the real LangChain parser reads as the very record that was written."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
import regex
from langchain_core.agents import AgentAction

from rellm_agents.errors import EmptyPattern, FormatError
from rellm_agents.formats import Action, ActionFormat, Finish, Step, json_action, react
from rellm_agents.langchain import parser_for
from rellm_agents.patterns import TEXT, Node, Pattern, choice, intersection, literal, repeat, sequence
from rellm_agents.patterns.kinds import Choice, Repeat, Rule, Sequence

SAMPLES = 5_000


def arguments(*, required: tuple[str, ...] | None = None, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties if required is None else required)}


TEXT_TOOLS = {
    "search": arguments(query={"type": "string"}),
    "set_alarm": arguments(hour={"type": "integer"}),
    "colour": arguments(name={"enum": ["red", "light blue", "Final"]}),
}
JSON_TOOLS = {
    "search": arguments(query={"type": "string"}, limit={"anyOf": [{"type": "integer"}, {"type": "null"}]}, required=("query",)),
    "nested": arguments(
        where={
            "type": "object",
            "properties": {"action_input": {"type": "string"}, "points": {"type": "array", "items": {"type": "number"}}},
        },
        action={"type": "boolean"},
    ),
    'odd "name" é': arguments(kind={"enum": ["a", "```", "Final Answer:", 7, None]}),
}
FORMATS = [react(TEXT_TOOLS), json_action(JSON_TOOLS)]


def record(read: Any) -> Step:
    """What a LangChain parser made of a text, as a step without its thought."""
    return Action(read.tool, read.tool_input) if isinstance(read, AgentAction) else Finish(read.return_values["output"])


def without_thought(step: Step) -> Step:
    return Action(step.tool, step.tool_input) if isinstance(step, Action) else Finish(step.output)


@pytest.mark.parametrize("format_", FORMATS, ids=lambda f: f.name)
def test_the_langchain_parser_reads_back_what_was_written(format_: ActionFormat) -> None:
    parser = parser_for(format_)
    seen: set[str] = set()
    for seed in range(SAMPLES):
        text = format_.pattern.sample(seed)
        step = format_.read(text)
        assert record(parser.parse(text)) == without_thought(step), text
        written = format_.write(step)
        assert format_.read(written) == step
        assert record(parser.parse(written)) == without_thought(step), written
        seen.add(step.tool if isinstance(step, Action) else "")
    assert seen == {"", *(tool.name for tool in format_.tools)}


def test_arguments_are_valid_against_the_schema_of_their_tool() -> None:
    format_ = json_action(JSON_TOOLS)
    for seed in range(1_000):
        step = format_.read(format_.pattern.sample(seed))
        if isinstance(step, Action):
            jsonschema.validate(step.tool_input, JSON_TOOLS[step.tool])


@pytest.mark.parametrize("format_", FORMATS, ids=lambda f: f.name)
def test_no_step_holds_a_stop_string(format_: ActionFormat) -> None:
    for stop in format_.stop:
        with pytest.raises(EmptyPattern):
            Pattern(intersection(without_rules(format_.pattern.node), sequence(TEXT, literal(stop), TEXT)))


def without_rules(node: Node) -> Node:
    """The same texts, with the bodies of its rules, none of which recurse, in their places."""
    match node:
        case Rule() as one:
            return without_rules(one.body)
        case Sequence(parts):
            return sequence(*map(without_rules, parts))
        case Choice(options):
            return choice(*map(without_rules, options))
        case Repeat(inner, minimum, maximum):
            return repeat(without_rules(inner), minimum, maximum)
        case _:
            return node


@pytest.mark.parametrize("format_", FORMATS, ids=lambda f: f.name)
def test_the_printed_regex_accepts_the_steps(format_: ActionFormat) -> None:
    printed = regex.compile(format_.pattern.regex)
    for seed in range(200):
        text = format_.pattern.sample(seed)
        assert printed.fullmatch(text, timeout=10)
        assert bool(printed.fullmatch(text[:-1], timeout=10)) == format_.pattern.fullmatch(text[:-1])


def writes(format_: ActionFormat, step: Step) -> bool:
    try:
        format_.write(step)
    except FormatError:
        return False
    return True


TRICKY = [
    "", " ", "plain", " led by a space", "followed by one ", 'say "hi"', '"quoted"', '"', "two\nlines", "\n", "```", "`x`",
    "Final Answer: 42", "Final Answer", "AI: hello", "</tool_input>", "[[tool]]", "10:30", "SELECT * FROM t", "Action: search",
    "Action 1 : x", "Action Input: y", "\nObservation: z", "Observation", "\\", "\\n", "{", "}", '{"a": 1}', "null",
    "é 你好 \U0001f389", "\x00\x1f", "\x1c", "\x85", "\xa0", "\u2028", "tab\there", "a" * 2_000,
]  # fmt: skip


@pytest.mark.parametrize("format_", FORMATS, ids=lambda f: f.name)
@pytest.mark.parametrize("text", TRICKY, ids=ascii)
def test_a_tricky_string_is_read_back_or_refused_with_a_reason(format_: ActionFormat, text: str) -> None:
    parser = parser_for(format_)
    given: Any = text if format_.name == "react" else {"query": text}
    for step in (Action("search", given), Finish(text)):
        if writes(format_, step):
            assert record(parser.parse(format_.write(step))) == step
        else:
            with pytest.raises(FormatError, match="cannot write this step"):
                format_.write(step)


def test_json_writes_every_tricky_string_and_text_most_of_them() -> None:
    assert all(writes(FORMATS[1], Action("search", {"query": text})) for text in TRICKY)
    refused = [text for text in TRICKY if not writes(FORMATS[0], Action("search", text))]
    assert refused == ['say "hi"', '"quoted"', '"', "Final Answer: 42", "\nObservation: z"]
