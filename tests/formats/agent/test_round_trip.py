"""The promise of a format: whatever its pattern accepts, the real LangChain parser reads as the very record that was written."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import regex
from formats.every_format import MAKERS, TEXT, arguments, every_format, made, record, tool_sets, without_thought
from formats.tricky import TRICKY, steps, table, writes
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.exceptions import OutputParserException

from rellm_agents.errors import EmptyPattern, FormatError
from rellm_agents.formats import Action, ActionFormat, Finish, Step
from rellm_agents.formats.agent.template_check import check_unambiguous
from rellm_agents.formats.template.declarations import builtin_declaration
from rellm_agents.langchain import parser_for
from rellm_agents.patterns import TEXT as ANY_TEXT
from rellm_agents.patterns import Node, Pattern, choice, intersection, literal, repeat, sequence
from rellm_agents.patterns.ir.node_types import Choice, Repeat, Rule, Sequence

SAMPLES = int(os.environ.get("FORMAT_SAMPLES", "150"))


@pytest.mark.parametrize(("name", "tools"), every_format())
def test_the_langchain_parser_reads_back_what_was_written(name: str, tools: str) -> None:
    format_ = made(name, tools)
    parser = parser_for(format_)
    seen: set[str] = set()
    for seed in range(SAMPLES):
        text = format_.pattern.sample(seed)
        step = format_.read(text)
        assert record(parser.parse(text)) == without_thought(step), text
        written = format_.write(step)
        assert written == text or (format_.read(written) == step and record(parser.parse(written)) == without_thought(step)), written
        seen.add(step.tool if isinstance(step, Action) else "")
    assert seen == {"", *(tool.name for tool in format_.tools)}


@pytest.mark.parametrize("name", ["json_action", "chat", "structured_chat"])
def test_arguments_are_valid_against_the_schema_of_their_tool(name: str) -> None:
    format_ = made(name, "10")
    for seed in range(300):
        step = format_.read(format_.pattern.sample(seed))
        if isinstance(step, Action):
            jsonschema.validate(step.tool_input, tool_sets(name)["10"][step.tool])


@pytest.mark.parametrize("name", sorted(set(TEXT) - {"self_ask"}))
def test_an_argument_in_text_is_one_that_its_schema_allows(name: str) -> None:
    format_, tools = made(name, "10"), tool_sets(name)["10"]
    for seed in range(200):
        step = format_.read(format_.pattern.sample(seed))
        if isinstance(step, Action):
            ((argument, _),) = tools[step.tool]["properties"].items()
            judge = jsonschema.Draft202012Validator(tools[step.tool], format_checker=jsonschema.FormatChecker())
            assert any(judge.is_valid({argument: value}) for value in values(str(step.tool_input))), step


def values(text: str) -> list[Any]:
    """What a tool may take a text for."""
    try:
        return [text, json.loads(text)]
    except ValueError:
        return [text]


@pytest.mark.parametrize("name", MAKERS)
def test_no_text_can_be_read_in_two_ways(name: str) -> None:
    check_unambiguous(builtin_declaration(name))


@pytest.mark.parametrize("name", MAKERS)
def test_no_step_holds_a_stop_string(name: str) -> None:
    format_ = made(name)
    for stop in format_.stop:
        with pytest.raises(EmptyPattern):
            Pattern(intersection(without_rules(format_.pattern.node), sequence(ANY_TEXT, literal(stop), ANY_TEXT)))


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


@pytest.mark.parametrize("name", sorted(set(MAKERS) - {"mrkl", "chat"}))  # those are as react and react_json
def test_the_printed_regex_accepts_the_steps(name: str) -> None:
    format_ = made(name)
    printed = regex.compile(format_.pattern.regex)
    for seed in range(6):
        text = format_.pattern.sample(seed)
        assert printed.fullmatch(text, timeout=10)
        assert bool(printed.fullmatch(text[:-1], timeout=10)) == format_.pattern.fullmatch(text[:-1])


@pytest.mark.parametrize("name", MAKERS)
def test_a_format_that_ends_open_can_go_on(name: str) -> None:
    format_ = made(name)
    goes_on = any(format_.pattern.fullmatch(f"{text}!") for text in map(format_.pattern.sample, range(20)))
    assert format_.ends_open == goes_on


# Tricky texts


@pytest.mark.parametrize("name", MAKERS)
def test_a_tricky_text_is_read_back_or_refused_with_a_reason(name: str) -> None:
    format_ = made(name)
    parser = parser_for(format_)
    for text in TRICKY:
        for step in steps(name, format_, text):
            if writes(format_, step):
                assert record(parser.parse(format_.write(step))) == step
            else:
                with pytest.raises(FormatError, match=r"cannot write this step .* (it (holds|begins|is)|strings no lone surrogates)"):
                    format_.write(step)


@pytest.mark.parametrize("name", MAKERS)
def test_what_is_refused_the_parser_would_misread(name: str) -> None:
    """Written as if nothing were the matter, bare or quoted: read as something else, or cut at a stop string, or no text at all."""
    format_ = made(name)
    parser = parser_for(format_)
    for text in TRICKY:
        for step in steps(name, format_, text):
            if step != Finish("") and not writes(format_, step):  # an answer that says nothing could be read
                assert not any(reads_as(parser, format_, naive, step) for naive in written_plainly(format_, step, text)), (text, step)


def reads_as(parser: Any, format_: ActionFormat, text: str, step: Step) -> bool:
    try:
        return record(parser.parse(text)) == step and not any(stop in text for stop in format_.stop)
    except (OutputParserException, ValueError):
        return False


def written_plainly(format_: ActionFormat, step: Step, text: str) -> list[str]:
    """The step as a template that knows no rules would write it."""
    if "\ud800" in text:
        return []
    other = Action(step.tool, "PLAIN") if isinstance(step, Action) else Finish("PLAIN")
    plain = format_.write(other)
    return [plain.replace("PLAIN", text), plain.replace("PLAIN", f'"{text}"')]


def test_the_table_of_tricky_texts_is_as_it_is_shown() -> None:
    assert table() == Path(__file__).with_name("tricky.md").read_text("utf-8")


PIECES = ["`", "``", "```", "```json\n", "Final ", "Final Answer", "Final Answer:", ":", '"', "\\", "\n", "{", "}", "a", " é"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=9).map("".join), st.lists(st.sampled_from(PIECES), max_size=5).map("".join))
@pytest.mark.parametrize("name", sorted(set(MAKERS) - set(TEXT)))
def test_arguments_of_json_look_as_ever_and_are_read_back(name: str, text: str, key: str) -> None:
    schema = arguments(query={"type": "string", "maxLength": 200}, more={"type": "object", "additionalProperties": {"type": "string"}})
    format_ = MAKERS[name]({"search": schema})
    step = Action("search", {"query": text, "more": {key: text}})
    written = format_.write(step)
    assert record(parser_for(format_).parse(written)) == step
    if not any(mark in text + key for mark in ("```", "Final Answer:")):
        assert json.dumps(step.tool_input, ensure_ascii=False) in written


def test_every_json_format_writes_every_argument_that_is_text() -> None:
    for name in set(MAKERS) - set(TEXT):
        refused = [text for text in TRICKY if not writes(made(name), Action("search", {"query": text}))]
        assert refused == ["\ud800"]
