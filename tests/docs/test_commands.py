"""The commands of all pages: those that need no more than this package run, and print what stands below them.

Commands that install, serve or measure are not run: what they name - extras, versions, scripts, options - is there. All others run in a
folder of their own, those of one page one after the other, by the shell.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from page_blocks import ADDRESS, PAGES, ROOT, Block, blocks, name_of

from rellm_agents.cli import application

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PINNED = dict(
    line.partition(" ;")[0].split("==") for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines() if "==" in line
)
LEFT = re.compile(r"-m venv|\bpip install\b|benchmarks/|rellm-agents (serve|demo)|-m pytest")
"""What installs, serves or measures."""

PRELUDE = """
set -eo pipefail
curl() { command curl --silent --fail -H "Authorization: Bearer $SERVER_KEY" "$@"; }
"""


def commands(page: Path) -> list[Block]:
    return [one for one in blocks(page) if one.language == "sh" or one.is_console]


def is_left(block: Block) -> bool:
    return LEFT.search(block.text) is not None


def parts_of(block: Block) -> Iterator[list[str]]:
    """The words of each command of a block, without variables of the environment."""
    for part in re.split(r"\n| && ", block.text):
        words = [word for word in shlex.split(part, comments=True) if word != "&"]
        while words and re.match(r"[A-Z_]+=", words[0]):
            del words[0]
        if words:
            yield words


def run_pages() -> Iterator[Any]:
    for page in PAGES:
        found = [one for one in commands(page) if not is_left(one) and one.not_run is None]
        if found:
            yield pytest.param(page, id=name_of(page), marks=[pytest.mark.model] * any(ADDRESS in one.text for one in found))


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """One in which ``rellm-agents`` is this checkout's, also as ``.venv/bin/rellm-agents``."""
    folder = tmp_path / ".venv" / "bin"
    folder.mkdir(parents=True)
    script = folder / "rellm-agents"
    script.write_text(f"#!{sys.executable}\nfrom rellm_agents.cli import main\nmain()\n", encoding="utf-8")
    script.chmod(0o755)
    return {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}


def without_times(text: str) -> str:
    return re.sub(r"\d+ ms", "1 ms", text)


@pytest.mark.skipif(sys.platform == "win32", reason="the commands are written for a shell of Unix")
@pytest.mark.parametrize("page", [*run_pages()])
def test_commands_print_what_stands_below_them(page, tmp_path, environment):
    for block in blocks(page):
        if block.file is not None:
            (tmp_path / block.file).write_text(block.text, encoding="utf-8")
        if block not in commands(page) or is_left(block) or block.not_run is not None:
            continue
        if ADDRESS in block.text:
            from real_server import KEY, running  # noqa: PLC0415 - needs the model

            with running() as server:
                run(block.text.replace(ADDRESS, server.url), None, tmp_path, {**environment, "SERVER_KEY": KEY})
        elif block.is_console:
            command, _, printed = block.text.removeprefix("$ ").partition("\n")
            run(f"{command} || test $? = 1", printed, tmp_path, environment)
        else:
            run(block.text, block.printed or "", tmp_path, environment)


def run(command: str, printed: str | None, folder: Path, environment: dict[str, str]) -> None:
    shell = ["bash", "-c", PRELUDE + command]
    done = subprocess.run(shell, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert printed is None or without_times(done.stdout) == without_times(printed), command


LEFT_BLOCKS = [(page, one) for page in [ROOT / "README.md", *PAGES] for one in commands(page) if is_left(one)]


@pytest.mark.parametrize(("page", "block"), LEFT_BLOCKS, ids=[f"{name_of(page)}-{i}" for i, (page, _) in enumerate(LEFT_BLOCKS)])
def test_a_command_that_is_not_run_names_what_there_is(page, block):
    for words in parts_of(block):
        line = " ".join(words)
        if "pip" in words[0] and words[1] == "install":
            check_installation(words[2:])
        elif any("benchmarks/" in word for word in words):
            script, *options = words[next(i for i, word in enumerate(words) if "benchmarks/" in word) :]
            source = (ROOT / script).read_text(encoding="utf-8")
            assert [one for one in options if one.startswith("--") and f'"{one}"' not in source] == [], line
        elif words[0].endswith("rellm-agents"):
            check_options(words[1], words[2:])
        else:
            assert "-m venv" in line or "-m pytest" in line, f"{line}: run it, or say in the block why not"


def check_installation(words: list[str]) -> None:
    words = [word for word in words if word not in ("-q", "-e")]
    if "--index-url" in words:
        del words[words.index("--index-url") :]
    if words[0] == "-c":
        assert (ROOT / words[1]).exists()
        del words[:2]
    for word in words:
        name, _, version = re.sub(r"^\.\[.*\]$", "", word).partition("==")
        extras = re.findall(r"^\.\[([\w,]+)\]$", word)
        assert set(",".join(extras).split(",")) - {""} <= PROJECT["optional-dependencies"].keys(), word
        assert not name or (name in PINNED and version in ("", PINNED[name])), word


def check_options(name: str, words: list[str]) -> None:
    import typer  # noqa: PLC0415 - of the extra cli

    group: Any = typer.main.get_command(application())
    known = {option for one in group.commands[name].params for option in one.opts}
    assert [word for word in words if word.startswith("--") and word not in known] == []


@pytest.mark.parametrize("words", [["-c", "constraints.txt", ".[no_such]"], ["torch==1.0"], ["no-such-package"]])
def test_an_installation_of_what_there_is_not_is_seen(words):
    with pytest.raises(AssertionError):
        check_installation(words)


def test_an_option_that_there_is_not_is_seen():
    with pytest.raises(AssertionError):
        check_options("serve", ["--no-such"])
