"""The command: its help, what it says when a package is absent, and, marked ``model``, the demo itself."""

import os
import re
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from rellm_agents import cli


def test_the_help_names_every_option():
    result = CliRunner().invoke(cli.application(), ["demo", "--help"], env={"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"})
    assert result.exit_code == 0
    for option in ("--model", "--questions", "--max-new-tokens", "--temperature", "--seed", "--no-examples", "--no-table"):
        assert option in result.output


def test_the_help_imports_nothing_heavy():
    program = "import sys; from rellm_agents import cli; sys.argv = ['rellm-agents', 'demo', '--help']\n"
    program += "try: cli.main()\nfinally: print([m for m in ('torch', 'transformers', 'langchain_classic') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.endswith("[]\n")


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_an_absent_package_is_one_line_that_says_what_to_install(missing, monkeypatch):
    hide(monkeypatch, missing)
    with pytest.raises(SystemExit) as end:
        cli.main()
    needs = f"the command rellm-agents needs the module '{missing}', which is not installed"
    assert end.value.code == f"rellm-agents: {needs}: pip install 'rellm-agents[cli]', or '.[cli]' in a clone"


@pytest.mark.parametrize("missing", ["torch", "transformers", "langchain_core", "langchain_classic"])
def test_the_demo_says_what_it_needs(missing, monkeypatch):
    hide(monkeypatch, missing)
    result = CliRunner().invoke(cli.application(), ["demo"])
    assert result.exit_code == 1
    needs = f"the demo needs the module '{missing}', which is not installed"
    assert result.output == f"rellm-agents: {needs}: pip install 'rellm-agents[cli,executor]', or '.[cli,executor]' in a clone\n"


def test_a_model_that_is_not_there_is_one_line(tmp_path):
    result = CliRunner().invoke(cli.application(), ["demo", "--model", str(tmp_path / "none")])
    assert result.exit_code == 1
    assert "no such folder" in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize("arguments", [["--questions", "0"], ["--questions", "21"], ["--max-new-tokens", "0"], ["--temperature", "-1"]])
def test_an_option_out_of_its_range_is_refused(arguments):
    assert CliRunner().invoke(cli.application(), ["demo", *arguments]).exit_code == 2


@pytest.mark.model
def test_the_demo_ends_well():
    command = [sys.executable, "-c", "from rellm_agents.cli import main; main()", "demo", "--questions", "2", "--max-new-tokens", "40"]
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}  # two wait for each other much longer than they work when the machine is busy
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False, timeout=500, env=one_thread)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.replace("\n", "").isprintable()
    for title in ("JSON", "ReAct"):
        assert f"{title}, constrained: 100 % parsed, 100 % with valid arguments" in done.stdout
    assert re.search(r"4 steps, all parsed by JSONAgentOutputParser; .* 2 ended with an answer\.", done.stdout)
    assert done.stdout.count("observation:") >= 4
    assert done.stderr == ""


def test_progress_is_shown_on_a_terminal_alone_and_never_in_the_output(tmp_path):
    pty = pytest.importorskip("pty", reason="no pseudo-terminals here")
    for name in "ab":
        (tmp_path / f"{name}.json").write_text("{}", encoding="utf-8")
    command = [sys.executable, "-c", "from rellm_agents.cli import main; main()", "check", str(tmp_path)]
    screen, end = pty.openpty()
    on_terminal = subprocess.run(command, stdout=subprocess.PIPE, stderr=end, text=True, check=True, timeout=120)
    os.close(end)
    assert b"checking" in os.read(screen, 100_000)
    os.close(screen)
    piped = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert piped.stderr == ""
    assert [line.partition(":")[0] for line in piped.stdout.splitlines()] == [
        *(str(tmp_path / f"{name}.json") for name in "ab"),
        "2 of 2 schemas are right",
    ]
    assert re.sub(r"in \d+ ms", "", on_terminal.stdout) == re.sub(r"in \d+ ms", "", piped.stdout)


def hide(monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
