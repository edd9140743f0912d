"""The shell completes formats, files and choices, and its script can be shown and installed."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from rellm_agents import cli


def completed(*words: str, shell: str = "complete_bash") -> str:
    """What the command prints for the words of a line, the last of which is completed."""
    line = {"COMP_WORDS": " ".join(["rellm-agents", *words]), "COMP_CWORD": str(len(words)), "_RELLM_AGENTS_COMPLETE": shell}
    result = CliRunner().invoke(cli.application(), [], env=line, prog_name="rellm-agents")
    assert result.exit_code == 0, result.output
    return result.stdout


def test_formats_and_files_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "order.json").write_text("{}", encoding="utf-8")
    (tmp_path / "orders").mkdir()
    (tmp_path / ".hidden").write_text("", encoding="utf-8")
    assert completed("regex", "--format", "react").split() == ["react", "react_json"]
    monkeypatch.chdir(tmp_path)
    assert completed("check", "or").split() == ["order.json", "orders/"]
    assert completed("agent", "--tools", f"{tmp_path}/order.").split() == [f"{tmp_path}/order.json"]


def test_choices_and_commands_are_completed() -> None:
    assert completed("regex", "--dialect", "p").split() == ["portable"]
    assert {"check", "regex", "agent", "bench", "formats"} <= {*completed("").split()}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell_is_shown(shell: str) -> None:
    assert "_RELLM_AGENTS_COMPLETE" in completed(shell=f"source_{shell}")
