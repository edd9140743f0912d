"""The README's quick starts print what stands below them, and what the pages name is there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from quick_starts import QUICK_STARTS, README, run

ROOT = Path(__file__).parents[1]


@pytest.mark.model
@pytest.mark.parametrize(("program", "printed"), QUICK_STARTS)
def test_a_quick_start_prints_what_stands_below_it(program: str, printed: str, capsys: pytest.CaptureFixture[str]) -> None:
    run(program)
    assert capsys.readouterr().out == printed


def test_there_are_four_quick_starts() -> None:
    assert len(QUICK_STARTS) == 4


def test_the_readme_can_be_read_in_one_go() -> None:
    assert len(README.splitlines()) < 200


def test_the_table_of_extras_and_the_lower_ends_are_those_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    listed = re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", page, re.MULTILINE)))
    assert listed == list(project["optional-dependencies"])
    declared = " ".join(line for lines in project["optional-dependencies"].values() for line in lines)
    lower_ends = re.search(r"whose lower ends are\s+tested too \((.*)\)", page)
    assert lower_ends is not None
    for name, lower in (one.rsplit(" ", 1) for one in lower_ends[1].split(", ")):
        assert f"{name}>={lower}" in declared


def test_each_command_installs_extras_that_there_are() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = re.findall(r"pip install [^\n]*'\.\[([\w,]+)\]'", README + (ROOT / "docs" / "install.md").read_text(encoding="utf-8"))
    assert len(named) >= 4
    assert {extra for extras in named for extra in extras.split(",")} <= project["optional-dependencies"].keys()


def test_links_lead_somewhere() -> None:
    for page in [
        ROOT / "README.md",
        ROOT / "ARCHITECTURE.md",
        ROOT / "CONTRIBUTING.md",
        ROOT / "MIGRATION.md",
        *(ROOT / "docs").rglob("*.md"),
    ]:
        for target in re.findall(r"\]\((?!https?:)([^)#]*)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), (page.name, target)


def test_paths_that_the_pages_name_are_there() -> None:
    folders = [ROOT / "rellm_agents", *(ROOT / "rellm_agents").iterdir(), ROOT]
    for page in ("ARCHITECTURE.md", "CONTRIBUTING.md", "docs/agents.md"):
        text = (ROOT / page).read_text(encoding="utf-8")
        for named in re.findall(r"`([a-z][\w./]*/[\w./]*|[\w/]+\.(?:py|json|md))`", text):
            assert any((folder / named).exists() for folder in folders) or list((ROOT / "rellm_agents").rglob(named)), (page, named)


def test_the_page_on_chat_models_names_every_message_format() -> None:
    page = (ROOT / "docs" / "chat-models.md").read_text(encoding="utf-8")
    assert [path.stem for path in (ROOT / "schemas" / "messages").glob("*.json") if f"`{path.stem}`" not in page] == []
