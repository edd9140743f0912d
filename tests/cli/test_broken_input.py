"""Whatever a command is given: an error is one line with the file, or one JSON value, and the exit status 1 or 2; never a traceback."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli.test_patterns import run

SCHEMAS = ["", "{", '{"type": 3}', '{"$ref": "#/x"}', '{"type": "string", "pattern": "("}', "3", '"text"', "null", "[" * 5_000, b"\xff"]
SCHEMAS += ['{"enum": []}', '{"type": "object",\n "required": ["a", "b"],\n "maxProperties": 1}', '{"type": "strin"}', b"\xef\xbb\xbf{"]
TOOLS = ["", "{", "3", "[]", "{}", "null", '[{"name": 3}]', '{"a": 3}', '{"a": {"type": "strin"}}', '{"a": {"type": "array"}}', b"\xff"]
TOOLS += ['[{"type": "web_search"}]', '[{"name": "a", "parameters": {"type": "object"}}, {"name": "a", "parameters": {"type": "object"}}]']
REGEXES = ["(", "[", "a{3,1}", r"\p{None}", "*", "(?&x)", r"(a)\1", "(?!)", "(?P<x>", "\\"]
PROGRAMS = {
    "no Python": ("def tool(:\n", 1),
    "an import that fails": ("import json\nimport no_such_module_anywhere\n", 2),
    "an error when it is run": ("def half(n: int) -> float:\n    'Half of it.'\n    return n / 0\n\nhalf(1)\n", 3),
    "an end of the program": ("import sys\n\nsys.exit(3)\n", 3),
    "no tools": ("from json import dumps\n\ndef _hidden(a: int) -> int:\n    'Hidden.'\n    return a\n", None),
    "a function without a docstring": ("def add(a: int) -> int:\n    return a\n", None),
    "an argument without an annotation": ("\ndef add(a) -> int:\n    'Adds.'\n    return a\n", 2),
    "a decorated function without a docstring": (
        "from langchain_core.tools import tool\n\n@tool\ndef f(a: int) -> int:\n    return a\n",
        3,
    ),
    "a null character": ("a = 1\0\n", None),
    "nothing": ("", None),
}


def check_error(*arguments: str | Path, names: str = "", given: str | None = None) -> None:
    """The command ends with one line, which names the file, and with ``--json`` with one JSON value."""
    result = run(*arguments, given=given)
    assert result.exit_code in (1, 2), (arguments, result.output)
    told = result.stderr or result.stdout
    first, *others = told.splitlines()
    assert names in first, told
    assert first.startswith("rellm-agents: ") or not result.stderr, told
    assert all(line.startswith("  ") for line in others), told  # a caret below a long text
    again = run(*arguments, "--json", given=given)
    assert again.exit_code == result.exit_code
    value = json.loads(again.stdout)
    error = value["error"] if "error" in value else value["schemas"][0]["error"]
    assert error["message"]
    assert error["type"]


def files(folder: Path, contents: list[str | bytes], suffix: str) -> Iterator[Path]:
    for number, content in enumerate(contents):
        path = folder / f"broken{number}{suffix}"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        yield path
    yield folder / f"absent{suffix}"


def test_a_broken_schema(tmp_path: Path, small_model: Path) -> None:
    for file in files(tmp_path, SCHEMAS, ".json"):
        for arguments in (["check"], ["check", "--explain"], ["regex"], ["bench"], ["generate", "Hi", "--model", small_model, "--schema"]):
            check_error(*arguments, file, names=file.name)


def test_a_broken_tools_file(tmp_path: Path) -> None:
    for file in files(tmp_path, TOOLS, ".json"):
        for command in (["regex"], ["bench"], ["generate", "Hi"]):
            check_error(*command, "--format", "json_action", "--tools", file, names=file.name)


@pytest.mark.parametrize("regex", REGEXES)
def test_a_broken_regex(regex: str) -> None:
    for command in (["regex"], ["bench"], ["generate", "Hi"]):
        check_error(*command, "--regex", regex)


@pytest.mark.parametrize("kind", PROGRAMS)
def test_a_broken_program_of_tools(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "tools.py"
    program, line = PROGRAMS[kind]
    file.write_text(program, encoding="utf-8")
    check_error("agent", "Hi", "--tools", file, names=f"tools.py, line {line}" if line else "tools.py")
    for other in (tmp_path / "absent.py", tmp_path):
        check_error("agent", "Hi", "--tools", other, names=other.name)


def test_broken_data(tmp_path: Path) -> None:
    schema, data = tmp_path / "flag.json", tmp_path / "flags.jsonl"
    schema.write_text('{"type": "boolean"}', encoding="utf-8")
    check_error("check", schema, "--against", tmp_path / "absent.jsonl", names="absent.jsonl")
    check_error("check", schema, "--against", tmp_path, names=tmp_path.name)
    data.write_bytes(b"true\n\xff\n")
    check_error("check", schema, "--against", data, names="flags.jsonl")
    data.write_text('true\n{"a":\n\x00\ntrue false\n', encoding="utf-8")
    result = run("check", schema, "--against", data)
    assert result.exit_code == 1
    assert "  line 2 does not fit from character 0 on\n" in result.stdout
    assert "  1 of 4 lines fit" in result.stdout


def broken_models(folder: Path, good: Path) -> Iterator[Path | str]:
    for name, file, content in (
        ("no-json", "config.json", b"{"),
        ("unknown", "config.json", b'{"model_type": "no such type"}'),
        ("list", "config.json", b"[]"),
        ("no-weights", "model.safetensors", None),
        ("odd-weights", "model.safetensors", b"no weights"),
        ("no-tokenizer", "tokenizer.json", None),
        ("odd-tokenizer", "tokenizer.json", b"{}"),
        ("no-template", "chat_template.jinja", None),
        ("odd-template", "chat_template.jinja", b"{% for %}"),
        ("refusing-template", "chat_template.jinja", b"{{ raise_exception('no') }}"),
    ):
        shutil.copytree(good, folder / name)
        if content is None:
            (folder / name / file).unlink()
        else:
            (folder / name / file).write_bytes(content)
        yield folder / name
    (folder / "empty").mkdir()
    (folder / "text.txt").write_text("no model", encoding="utf-8")
    (folder / "text.gguf").write_text("no model", encoding="utf-8")
    yield from (folder / "empty", folder / "absent", folder / "text.txt", folder / "text.gguf", "a b", "../x", "")


def test_a_broken_model(tmp_path: Path, small_model: Path) -> None:
    tools = tmp_path / "tools.py"
    tools.write_text('def now() -> str:\n    """The time."""\n    return "noon"\n', encoding="utf-8")
    for model in broken_models(tmp_path, small_model):
        check_error("agent", "Hi", "--tools", tools, "--model", model)
    for model in (tmp_path / "no-json", tmp_path / "absent", tmp_path / "empty", tmp_path / "odd-tokenizer"):
        check_error("formats", model)
        check_error("check", "-", "--tokenizer", model, given="{}")
        check_error("bench", "--regex", "a", "--tokenizer", model)
    for model in (tmp_path / "odd-weights", tmp_path / "no-template", tmp_path / "absent"):
        check_error("generate", "Hi", "--regex", "a|b", "--model", model)
    for model in (tmp_path / "odd-weights", tmp_path / "absent"):
        check_error("serve", model)
        check_error("playground", model)
    check_error("demo", "--model", tmp_path / "absent")
    check_error("bench", "--regex", "a", "--model", tmp_path / "odd-weights")


@pytest.mark.parametrize(
    "arguments",
    [
        ["check"],
        ["check", "--other"],
        ["check", "a", "b"],
        ["check", "a.json", "--texts", "-1"],
        ["regex", "--dialect", "other"],
        ["regex"],
        ["generate"],
        ["generate", "Hi"],
        ["agent", "Hi"],
        ["formats", "a", "b"],
        ["bench"],
        ["bench", "--texts", "many"],
        ["demo", "--questions", "0"],
        ["serve"],
        ["playground", "--port", "0"],
        ["no-such-command"],
        ["--no-such-option"],
    ],
    ids=" ".join,
)
def test_a_wrong_use(arguments: list[str]) -> None:
    check_error(*arguments)
    assert run(*arguments).exit_code == 2
