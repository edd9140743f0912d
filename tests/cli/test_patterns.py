"""``check`` and ``regex``: what they find, their exit status, and that each error is one line with the place."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import regex
from click.testing import Result
from formats.every_format import MAKERS, tool_sets
from json_schema.random_schemas import random_schema
from typer.testing import CliRunner

from rellm_agents import cli
from rellm_agents.formats import FORMATS

SAMPLE = Path(__file__).parents[3] / "shared" / "data" / "public.jsonl.gz"
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 9}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name"],
    "additionalProperties": False,
}


def run(*arguments: str | Path, given: str | None = None) -> Result:
    result = CliRunner().invoke(cli.application(), [*map(str, arguments)], input=given, env={"NO_COLOR": "1", "TERM": "dumb"})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    return result


def found(*arguments: str | Path, given: str | None = None) -> tuple[int, Any]:
    result = run(*arguments, "--json", given=given)
    return result.exit_code, json.loads(result.stdout)


def test_random_schemas_are_checked_in_one_folder(tmp_path: Path) -> None:
    for seed in range(60):
        (tmp_path / f"{seed:02}.json").write_text(json.dumps(random_schema(seed)), encoding="utf-8")
    status, of_all = found("check", tmp_path, "--texts", "2")
    rows = of_all["schemas"]
    assert [Path(row["file"]).name for row in rows] == [f"{seed:02}.json" for seed in range(60)]
    assert status == (1 if of_all["wrong"] else 0)
    assert of_all["right"] == sum(row["supported"] for row in rows) > 30
    for seed, row in enumerate(rows):
        if row["supported"]:
            for text in [row["shortest"], *row["texts"]]:
                json.loads(text)
        else:
            assert row["error"]["message"].startswith(row["error"]["pointer"]), seed
    lines = run("check", tmp_path).output.splitlines()
    assert lines[-1] == f"{of_all['right']} of 60 schemas are right"
    assert len(lines) >= 61


@pytest.mark.skipif(not SAMPLE.is_file(), reason="the public schemas are not here")
def test_public_schemas_are_checked_against_their_instances(tmp_path: Path) -> None:
    rows = [json.loads(line) for line in gzip.decompress(SAMPLE.read_bytes()).splitlines()[:40]]
    tried = 0
    for number, row in enumerate(rows):
        schema, data = tmp_path / f"{number}.json", tmp_path / f"{number}.jsonl"
        schema.write_text(json.dumps(row["schema"]), encoding="utf-8")
        data.write_text("\n".join(json.dumps(test["data"]) for test in row["tests"]), encoding="utf-8")
        _, of_one = found("check", schema, "--against", data)
        for line, test in zip(of_one["schemas"][0].get("lines", ()), row["tests"], strict=False):
            assert test["valid"] or not line["fits"]
            tried += 1
    assert tried > 40


def test_a_line_of_data_fits_or_leaves_the_schema_at_a_character(tmp_path: Path) -> None:
    schema, data = tmp_path / "person.json", tmp_path / "people.jsonl"
    schema.write_text(json.dumps(PERSON), encoding="utf-8")
    values = [{"age": 3, "name": "Ada"}, {"name": "Ada", "age": -3}, {"age": 1}, [], {"name": "a" * 10}]
    data.write_text("\n\n".join(json.dumps(value, separators=(",", ":")) for value in values), encoding="utf-8")
    status, of_all = found("check", schema, "--against", data)
    assert status == 1
    lines = of_all["schemas"][0]["lines"]
    assert [line["line"] for line in lines] == [1, 3, 5, 7, 9]
    assert [line["fits"] for line in lines] == [jsonschema.Draft202012Validator(PERSON).is_valid(value) for value in values]
    assert [line.get("at") for line in lines] == [None, 20, 8, 0, 18]
    shown = run("check", schema, "--against", data).output
    assert '  {"name":"Ada","age":-3}\n' + " " * 22 + "^\n" in shown
    assert "1 of 5 lines fit" in shown


@pytest.mark.parametrize(
    ("text", "message", "status"),
    [
        ('{"type": "object",', "standard input, line 1, column 19: this is not JSON: ", 2),
        ('{\n "type": oops}', "standard input, line 2, column 10: this is not JSON: ", 2),
        ("[" * 100_000, "standard input", 2),
        ('{"type": "strin"}', "#/type", 1),
        ('{"$ref": "#/$defs/none"}', "#", 1),
        ('{"type": "string", "pattern": "("}', "#/pattern", 1),
        ('{"enum": []}', "#", 1),
    ],
)
def test_a_broken_schema_is_one_line_with_its_place(text: str, message: str, status: int) -> None:
    result = run("check", "-", given=text)
    assert result.exit_code == status
    first, *others = result.output.splitlines()
    assert message in first
    assert all(line.startswith("  ") for line in others)  # a caret below a long text
    code, value = found("check", "-", given=text)
    assert code == status
    assert message in (value["error"] if status == 2 else value["schemas"][0]["error"])["message"]


def test_a_wrong_use_has_its_own_status(tmp_path: Path) -> None:
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00")
    for arguments in (["check", tmp_path / "none.json"], ["check", tmp_path / "bytes.json"], ["check"], ["regex", "--dialect", "other"]):
        assert run(*arguments).exit_code == 2
    (tmp_path / "bytes.json").unlink()
    assert "no files named *.json" in run("check", tmp_path).output


@pytest.mark.parametrize("name", FORMATS)
def test_the_regex_of_a_format_is_that_of_its_pattern(name: str, tmp_path: Path) -> None:
    tools = next(iter(tool_sets(name).values()))
    file = tmp_path / "tools.json"
    file.write_text(json.dumps(tools), encoding="utf-8")
    status, value = found("regex", "--format", name, "--tools", file)
    assert (status, value["regex"]) == (0, MAKERS[name](tools).pattern.regex)
    assert value["characters"] == len(value["regex"])
    assert run("regex", "--format", name, "--tools", file).output == value["regex"] + "\n"


def test_the_regex_of_a_schema_in_each_dialect() -> None:
    text = json.dumps(PERSON)
    for dialect in ("regex", "portable"):
        assert regex.fullmatch(found("regex", "-", "--dialect", dialect, given=text)[1]["regex"], '{"name": "Ada", "age": 3}')
    assert found("regex", "-", "--dialect", "gbnf", given=text)[1]["regex"].startswith("root ::=")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "pass a schema, a regex or a format: none was given"),
        (["-", "--format", "react", "--tools", "-"], "a schema and a format was given"),
        (["--format", "react"], "--format and --tools go together"),
        (["--format", "raect", "--tools", "-"], "format='raect': there are react, mrkl, "),
    ],
)
def test_what_no_pattern_can_be_made_of_is_one_line(arguments: list[str], message: str) -> None:
    result = run("regex", *arguments, given="{}")
    assert result.exit_code == 2
    assert message in result.output
    assert result.output.count("\n") == 1


def test_the_page_shows_what_the_commands_print(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[2] / "docs" / "command-line.md").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for name, content in re.findall(r"`([\w.]+)`:\n\n```\w+\n(.*?)```", page, re.DOTALL):
        Path(name).write_text(content, encoding="utf-8")
    shown = re.findall(r"```text\n\$ rellm-agents (.*?)\n(.*?)```", page, re.DOTALL)
    assert len(shown) == 3
    for command, printed in shown:
        assert re.sub(r"in \d+ ms", "in 3 ms", run(*command.split()).output) == printed
    commands = {command.callback.__name__ for command in cli.application().registered_commands if command.callback}
    assert commands == {*re.findall(r"^\| `rellm-agents (\w+)", page, re.MULTILINE)}
