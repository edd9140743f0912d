"""The page on compatibility says what the package declares: ranges, tested versions and public names."""

from __future__ import annotations

import tomllib
from importlib import import_module
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from rellm_agents import errors
from rellm_agents.formats import FORMATS

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "compatibility.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OF_FORMATS = [*FORMATS, "message_format", "own_format"]
PUBLIC = {
    **{
        name: sorted(import_module(name).__all__)
        for name in ("rellm_agents", "rellm_agents.decoding", "rellm_agents.langchain", "rellm_agents.views")
    },
    "rellm_agents.langchain.answer_in_time": ["AnswerInTime"],
    "rellm_agents.formats": sorted(OF_FORMATS),
    "rellm_agents.serving.client": sorted(import_module("rellm_agents.serving.client").__all__),
    "rellm_agents.serving.server": ["ServerSettings", "application_of"],
    "rellm_agents.errors": sorted(
        name for name, one in vars(errors).items() if isinstance(one, type) and issubclass(one, errors.RELLMError) and name[0] != "_"
    ),
}
"""The public names of each module; faces hand on more than that, for other folders."""
OF_USERS = ("transformers", "langchain", "agents", "executor", "cli", "serve")
"""The extras for users, in the order of pyproject.toml; the others are for tests and benchmarks."""


def pinned() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    found: dict[str, list[str]] = {}
    for line in lines:
        if line and not line.startswith("#"):
            name, _, version = line.partition(" ;")[0].partition("==")
            found.setdefault(name, []).append(version.strip())
    return {name: ", ".join(versions) for name, versions in found.items()}


def row(requirement: Requirement, versions: dict[str, str]) -> str:
    ends = {one.operator: one.version for one in requirement.specifier}
    below = f"{ends['<']} " if "<" in ends else ""
    return f"| {requirement.name} | {ends['>=']} | {below}| {versions[requirement.name]} |"


def version_table() -> list[str]:
    of_users = [line for extra in OF_USERS for line in PROJECT["optional-dependencies"][extra]]
    declared = [Requirement(line) for line in [*PROJECT["dependencies"], *of_users]]
    versions = pinned()
    python = f"| Python | {PROJECT['requires-python'].removeprefix('>=')} | | 3.11 to 3.14 |"
    return [python, *(row(one, versions) for one in declared if one.name != PROJECT["name"])]


def test_the_table_of_versions_is_that_of_the_package() -> None:
    table = "\n".join(version_table())
    assert table in PAGE, table


def test_each_extra_is_for_users_or_known_not_to_be() -> None:
    assert {*PROJECT["optional-dependencies"]} - {*OF_USERS} <= {"bench", "docs", "test"}


def test_the_table_of_public_names_is_that_of_the_faces() -> None:
    table = "\n".join(f"| `{module}` | {', '.join(f'`{name}`' for name in names)} |" for module, names in PUBLIC.items())
    assert table in PAGE, table


@pytest.mark.parametrize("module", PUBLIC)
def test_each_public_name_can_be_imported(module: str) -> None:
    found = import_module(module)
    assert [name for name in PUBLIC[module] if not hasattr(found, name)] == []


def test_the_version_is_that_of_the_changelog() -> None:
    headings = [line for line in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").splitlines() if line.startswith("## ")]
    assert any(line.startswith(f"## [{PROJECT['version']}] - ") for line in headings), headings
