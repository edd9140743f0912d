"""Type checkers accept what users write, and refuse what is wrong: tests/user_code.py holds every documented call, and is never run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WRONG = """
from rellm_agents.decoding import smollm2
from rellm_agents.langchain import RELLM, ChatRELLM

model, tokenizer = smollm2()
ChatRELLM(model=model, tokenizer=tokenizer, max_tokens="many")
ChatRELLM(model=model, tokenizer=tokenizer, temprature=1.0)
ChatRELLM(model=model, tokenizer=tokenizer, on_budget="ignore")
RELLM(model=model, tokenizer=tokenizer, regex=5)
RELLM(model=model, tokenizer=tokenizer, patern=None)
tokenizer.decode(5).no_such_method()
"""
"""Six mistakes, each in a line of its own."""


def mypy(_: Path, *paths: Path) -> set[str]:
    """The lines in which mypy finds an error."""
    pytest.importorskip("mypy")
    command = [sys.executable, "-m", "mypy", "--strict", "--hide-error-context", "--no-pretty"]  # with the cache of CI's own call
    done = subprocess.run([*command, *map(str, paths)], cwd=ROOT, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return {line for line in done.stdout.splitlines() if ": error: " in line}


def basedpyright(folder: Path, *paths: Path) -> set[str]:
    """The lines in which basedpyright finds an error, with the rules of pyright."""
    pytest.importorskip("basedpyright")
    settings = {"include": list(map(str, paths)), "extraPaths": [str(ROOT)], "typeCheckingMode": "standard", "pythonVersion": "3.11"}
    (folder / "pyrightconfig.json").write_text(json.dumps(settings), encoding="utf-8")
    command = [sys.executable, "-m", "basedpyright", "--outputjson", "--pythonpath", sys.executable, "-p", str(folder)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found = json.loads(done.stdout)["generalDiagnostics"]
    return {f"{one['file']}:{one['range']['start']['line'] + 1}: {one['message']}" for one in found if one["severity"] == "error"}


@pytest.mark.parametrize("checker", [mypy, basedpyright])
def test_type_checkers_accept_every_documented_call_and_find_each_mistake(checker, tmp_path):
    wrong = tmp_path / "wrong_code.py"
    wrong.write_text(WRONG, encoding="utf-8")
    found = checker(tmp_path, ROOT / "tests" / "user_code.py", wrong)
    in_wrong = {line for line in found if "wrong_code" in line}
    assert not found - in_wrong
    lines = [number for number, line in enumerate(WRONG.splitlines(), start=1) if line.startswith(("Chat", "RELLM", "tokenizer."))]
    assert sorted({int(line.split("wrong_code.py:")[1].split(":")[0]) for line in in_wrong}) == lines
