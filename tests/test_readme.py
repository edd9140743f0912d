"""The README's first code block runs as it stands."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from rellm_agents.json_schema.source.keywords import ANNOTATIONS, ENFORCED

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"


@pytest.mark.model
def test_the_first_code_block_runs_an_agent(capsys: pytest.CaptureFixture[str]) -> None:
    block = re.search(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    exec(compile(block.group(1), "README.md", "exec", dont_inherit=True), {})
    assert "letters=" in capsys.readouterr().out


def test_the_table_of_keywords_is_that_of_the_compiler() -> None:
    reasons: dict[str, list[str]] = {}
    for keyword, reason in sorted(ANNOTATIONS.items()):
        reasons.setdefault(reason, []).append(keyword)
    rows = [("enforced", sorted(ENFORCED)), *((f"passed over: {reason}", keywords) for reason, keywords in reasons.items())]
    table = [f"| {what} | {', '.join(f'`{keyword}`' for keyword in keywords)} |" for what, keywords in rows]
    assert "\n".join(table) in README.read_text(encoding="utf-8"), "\n".join(table)


def test_the_table_of_extras_and_the_lower_ends_are_those_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    install = README.read_text(encoding="utf-8").partition("## Install\n")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", install, re.MULTILINE) == list(project["optional-dependencies"])
    declared = " ".join(line for lines in project["optional-dependencies"].values() for line in lines)
    told = re.search(r"\((.*)\)\.", install.splitlines()[-1] or install.splitlines()[-2])
    assert told is not None
    for name, lower in (one.rsplit(" ", 1) for one in told[1].split(", ")):
        assert f"{name}>={lower}" in declared


def test_each_command_installs_extras_that_there_are() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = re.findall(r"pip install [^\n]*'\.\[([\w,]+)\]'", README.read_text(encoding="utf-8"))
    assert len(named) >= 3
    assert {extra for extras in named for extra in extras.split(",")} <= project["optional-dependencies"].keys()
