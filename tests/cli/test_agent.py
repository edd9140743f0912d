"""``agent``, ``formats``, ``bench`` and ``demo --json``: what they find out, and one JSON value for each command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cli.test_patterns import PERSON, found, run
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatResult

from rellm_agents.cli.conversation import Conversation, visible
from rellm_agents.cli.tools_file import tools_of_file
from rellm_agents.formats import FORMATS
from rellm_agents.langchain.agents import paired_parsers

PROGRAM = '''
from langchain_core.tools import tool
import beside

@tool
def add(a: int, b: int) -> int:
    """The sum of two numbers."""
    return a + b

def word_length(word: str) -> int:
    """The number of letters in a word."""
    return len(word)

def fails(reason: str) -> str:
    """Fails."""
    raise KeyError(reason)

def helper(a):
    return a

def _hidden(a: int) -> int:
    """Is no tool."""
    return a
'''


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    (tmp_path / "beside.py").write_text("", encoding="utf-8")
    path = tmp_path / "tools.py"
    path.write_text(PROGRAM, encoding="utf-8")
    return path


def test_tools_are_decorated_functions_and_plain_ones_that_say_what_they_do(tools: Path) -> None:
    found_tools = tools_of_file(str(tools))
    assert [tool.name for tool in found_tools] == ["add", "word_length", "fails"]
    assert found_tools[1].invoke({"word": "four"}) == 4
    tools.write_text(PROGRAM + "\n__all__ = ['word_length']\n", encoding="utf-8")
    assert [tool.name for tool in tools_of_file(str(tools))] == ["word_length"]


class Scripted(GenericFakeChatModel):
    """A model that says what it was given to say, and keeps what it was asked."""

    asked: list[list[BaseMessage]] = []  # noqa: RUF012 - a field of pydantic

    def bind_tools(self, tools: Any, **options: Any) -> Any:
        return self

    def _generate(self, messages: list[BaseMessage], *rest: Any, **options: Any) -> ChatResult:
        self.asked.append(messages)
        return super()._generate(messages, *rest, **options)


def calling(name: str, **arguments: Any) -> AIMessage:
    return AIMessage("", tool_calls=[{"name": name, "args": arguments, "id": name}])


def test_the_steps_of_an_agent_are_shown_and_its_history_is_kept(tools: Path) -> None:
    said = [calling("word_length", word="tree"), calling("fails", reason="no way"), AIMessage("It is 4."), AIMessage("Still 4.")]
    chat, shown = Scripted(messages=iter(said)), []
    conversation = Conversation(chat, tools_of_file(str(tools)), steps=5, system="Be short.", show=lambda *step: shown.append(step))
    turn = conversation.answer("How long is the word tree?")
    steps = [
        {"tool": "word_length", "arguments": {"word": "tree"}, "result": "4"},
        {"tool": "fails", "arguments": {"reason": "no way"}, "result": "KeyError: 'no way'"},
    ]
    assert turn == {"message": "How long is the word tree?", "steps": steps, "answer": "It is 4."}
    assert [label for label, _ in shown] == ["call", "result", "call", "result", "answer"]
    assert conversation.answer("Sure?") == {"message": "Sure?", "steps": [], "answer": "Still 4."}
    assert [one.type for one in chat.asked[-1]] == ["system", "human", "ai", "tool", "ai", "tool", "ai", "human"]


def test_an_agent_answers_one_message(tools: Path, small_model: Path) -> None:
    options = ["--tools", tools, "--model", small_model, "--max-new-tokens", "40", "--steps", "0"]
    status, value = found("agent", "How long is the word tree?", *options)
    (turn,) = value["turns"]
    assert (status, value["tools"], turn["steps"]) == (0, ["add", "word_length", "fails"], [])
    assert run("agent", "-", *options, given="How long is the word tree?\n").stdout == f"  answer: {visible(turn['answer'])}\n"


def test_a_chat_goes_on_to_an_empty_line_and_keeps_what_was_said(tools: Path, small_model: Path) -> None:
    options = ["--tools", tools, "--model", small_model, "--max-new-tokens", "60", "--steps", "0"]
    both = found("agent", *options, given="Hello\nAgain\n\nnever read\n")[1]["turns"]
    assert [turn["message"] for turn in both] == ["Hello", "Again"]
    (alone,) = found("agent", "Again", *options)[1]["turns"]
    assert both[0] == found("agent", "Hello", *options)[1]["turns"][0]
    assert both[1]["answer"] != alone["answer"]  # the chat before it is a part of its prompt
    assert "tools: add, word_length, fails; an empty line ends the chat" in run("agent", *options, given="").stdout


def test_all_formats_are_listed_with_their_parsers() -> None:
    status, value = found("formats")
    assert status == 0
    assert [one["name"] for one in value["action_formats"]] == list(FORMATS)
    assert {one["name"]: one["parser"] for one in value["action_formats"] if one["parser"]} == {
        name: parser for name, parser in paired_parsers().items() if name in FORMATS
    }
    assert {one["name"] for one in value["action_formats"] if one["arguments"] == "any, as JSON"} >= {"json_action", "structured_chat"}
    assert "hermes" in value["message_formats"]
    shown = run("formats").stdout
    assert all(f"  {name} " in shown for name in FORMATS)


def test_the_format_of_a_model_is_told_with_its_evidence(small_model: Path) -> None:
    status, value = found("formats", small_model)
    assert status == 0
    assert value["message_format"]["name"] == "hermes"
    assert "<tool_call>" in value["message_format"]["evidence"]
    assert "message format: hermes, since the chat template shows a call as " in run("formats", small_model).stdout


def test_masks_are_measured_beside_forward_passes(small_model: Path, tmp_path: Path) -> None:
    schema = tmp_path / "person.json"
    schema.write_text(json.dumps(PERSON), encoding="utf-8")
    status, value = found("bench", schema, "--tokenizer", small_model)
    assert status == 0
    assert value["masks"] > 5
    kinds = ("compile", "vocabulary", "first_mask", "cold_mask", "cold_mask_mean", "warm_mask")
    assert min(value[f"{name}_ms"] for name in kinds) > 0
    status, value = found("bench", "-", "--model", small_model, "--texts", "1", given=json.dumps(PERSON))
    assert status == 0
    assert value["tokens"] - value["forward_passes"] == value["passes_saved"] > 0  # what is forced costs no pass
    assert value["warm_per_pass"] == value["warm_mask_ms"] / value["forward_pass_ms"]
    assert "tokens took" in run("bench", schema, "--model", small_model).stdout


def test_a_pattern_is_drawn(tmp_path: Path) -> None:
    file = tmp_path / "picture.svg"
    status, value = found("regex", "--regex", "yes|no", "--svg", file)
    assert (status, value) == (0, {"file": str(file), "cut": ""})
    assert file.read_text(encoding="utf-8") == run("regex", "--regex", "yes|no", "--svg", "-").stdout.rstrip("\n")
    assert run("regex", "--regex", "yes|no", "--svg", tmp_path).exit_code == 2


def test_each_keyword_is_explained(tmp_path: Path) -> None:
    schema = tmp_path / "person.json"
    schema.write_text(json.dumps({**PERSON, "title": "A person", "if": {"pattern": "(?<a>x)\\k<a>"}}), encoding="utf-8")
    shown = run("check", schema, "--explain").stdout.splitlines()
    assert any(line.split()[:2] == ["#/title", "annotation"] for line in shown)
    keywords = found("check", schema, "--explain")[1]["schemas"][0]["keywords"]
    assert {one["pointer"]: one["effect"] for one in keywords}["#/properties/age/minimum"] == "exact"
    assert all(line.startswith("  ") for line in shown[1:])


def test_a_folder_is_checked_to_its_end_whatever_is_in_it(tmp_path: Path) -> None:
    for name, text in (("a", "{}"), ("b", "{"), ("c", "[]"), ("d", "true")):
        (tmp_path / f"{name}.json").write_text(text, encoding="utf-8")
    status, value = found("check", tmp_path)
    assert (status, value["right"], value["wrong"]) == (1, 2, 2)
