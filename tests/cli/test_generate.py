"""``generate``: what a model writes fits, is shown as it comes, and is one JSON value if asked for; ``check`` counts its tokens."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli.test_patterns import PERSON, found, run
from langchain_core.messages import AIMessageChunk, BaseMessage

from rellm_agents import Pattern, compile_schema
from rellm_agents.cli import writing
from rellm_agents.decoding import TokenMasks, Vocabulary, smollm2
from rellm_agents.formats import FORMATS
from rellm_agents.langchain import reader_for

pytestmark = pytest.mark.model


@pytest.fixture
def schema(tmp_path: Path) -> Path:
    path = tmp_path / "person.json"
    path.write_text(json.dumps(PERSON), encoding="utf-8")
    return path


def test_an_answer_fits_its_schema(schema: Path) -> None:
    result = run("generate", "Name a person as JSON.", "--schema", schema, "--max-new-tokens", "32")
    assert result.exit_code == 0
    text, _, value = result.stdout.partition("\n")
    assert json.loads(text) == json.loads(value)
    status, as_json = found("generate", "-", "--schema", schema, "--max-new-tokens", "32", given="Name a person as JSON.\n")
    assert status == 0
    assert as_json["text"] == text
    assert as_json["value"] == json.loads(text)
    assert as_json["usage"]["output_tokens"] <= 32


def test_an_answer_fits_its_regex() -> None:
    status, value = found("generate", "Is snow white?", "--regex", "yes|no", "--temperature", "1", "--seed", "3")
    assert status == 0
    assert value["text"] in ("yes", "no")
    assert "value" not in value


def test_a_trace_is_written_beside_the_answer(tmp_path: Path) -> None:
    page = tmp_path / "trace.html"
    status, value = found("generate", "Is snow <b>white</b>?", "--regex", "yes|no", "--trace", page)
    assert status == 0
    shown = page.read_text(encoding="utf-8")
    data = json.loads(shown.partition('id="trace-data">')[2].partition("</script>")[0])
    assert [step["text"] for step in data["steps"]] == [value["text"]]
    assert "<title>Is snow &lt;b&gt;white&lt;/b&gt;?</title>" in shown


def test_a_trace_that_cannot_be_written_is_refused_before_the_model_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []
    monkeypatch.setattr(writing, "loaded", loaded.append)
    for page in (tmp_path, tmp_path / "none" / "trace.html"):
        result = run("generate", "Is snow white?", "--regex", "yes|no", "--trace", page)
        assert not loaded
        assert result.exit_code == 2
        assert page.name in result.output
    monkeypatch.undo()
    (kept := tmp_path / "kept.html").write_text("kept", encoding="utf-8")
    for page in (tmp_path / "new.html", kept):
        assert run("generate", "Is snow white?", "--regex", "yes|no", "--trace", page, "--model", tmp_path / "none").exit_code == 1
    assert [file.name for file in tmp_path.iterdir()] == ["kept.html"]
    assert kept.read_text(encoding="utf-8") == "kept"


def test_the_model_is_told_the_schema_or_the_tools(tmp_path: Path, schema: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[list[tuple[str, str]]] = []

    class Listener:
        def stream(self, messages: list[BaseMessage], *, pattern: Pattern) -> list[AIMessageChunk]:
            told.append([(one.type, one.text) for one in messages])
            return [AIMessageChunk(pattern.shortest())]

    monkeypatch.setattr(writing, "chat_of", lambda *_, **__: Listener())
    tools = tmp_path / "tools.json"
    tools.write_text(json.dumps({"ask": PERSON}), encoding="utf-8")
    for given, instructions in (
        (["--schema", schema], reader_for(PERSON).get_format_instructions()),
        (["--format", "json_action", "--tools", tools], FORMATS["json_action"]({"ask": PERSON}).instructions),
    ):
        assert found("generate", "Who?", *given)[0] == 0
        assert told.pop() == [("system", instructions), ("human", "Who?")]
    assert found("generate", "Who?", "--regex", "Ada|Bob")[0] == 0
    assert told.pop() == [("human", "Who?")]


def test_errors_are_one_line(schema: Path, tmp_path: Path) -> None:
    for arguments, message, status in (
        (["--schema", schema, "--max-new-tokens", "3"], "the budget is 3: set --max-new-tokens to ", 1),
        (["--schema", schema, "--model", tmp_path / "none"], "no such folder", 1),
        (["--schema", schema, "--regex", "a"], "a schema and a regex was given", 2),
    ):
        result = run("generate", "Hello", *arguments)
        assert result.exit_code == status
        assert message in result.output
        assert result.output.count("\n") == 1


def test_tokens_are_counted(schema: Path) -> None:
    _, value = found("check", schema, "--tokenizer", "smollm2")
    masks = TokenMasks(compile_schema(PERSON), Vocabulary.from_tokenizer(smollm2(progress=False)[1]))
    assert value["schemas"][0]["tokens_needed"] == masks.tokens_needed(masks.start)
