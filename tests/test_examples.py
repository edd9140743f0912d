"""Every script and notebook of ``examples/`` runs, and ends in an assert; its README lists them all.

One script and one notebook run by default; ``EXAMPLES=all`` runs the rest too. Notebooks run without Jupyter: their cells share one
namespace.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import runpy
from pathlib import Path
from typing import Any

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"
SCRIPTS = sorted(EXAMPLES.glob("[0-9]*.py"))
NOTEBOOKS = sorted(EXAMPLES.glob("[0-9]*.ipynb"))
BY_DEFAULT = {"08_decisions", "15_pattern_and_masks"}  # and 04_own_format, in tests/formats/agent
NEEDED = {"07": "openai", "10": "langchain_mcp_adapters", "11": "ray", "12": "ray"}
"""Packages of other projects that an example needs, by its number."""


def cells(path: Path) -> list[str]:
    """The code of a notebook; of a script, all of it."""
    if path.suffix == ".py":
        return [path.read_text(encoding="utf-8")]
    return [cell.source for cell in nbformat.read(str(path), as_version=4).cells if cell.cell_type == "code"]


def run(path: Path) -> None:
    """As ``python FILE`` or a notebook's "run all" does."""
    if path.suffix == ".py":
        runpy.run_path(str(path), run_name="__main__")
        return
    names: dict[str, Any] = {"__name__": "__main__"}
    for number, source in enumerate(cells(path)):
        tree = ast.parse(source)
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, f"{path.name}, cell {number}", "exec", dont_inherit=True), names)
        if isinstance(last, ast.Expr):
            print(eval(compile(ast.Expression(last.value), f"{path.name}, cell {number}", "eval", dont_inherit=True), names))


@pytest.mark.model
@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("path", [*SCRIPTS, *NOTEBOOKS], ids=lambda path: path.stem)
def test_an_example_runs(path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    if path.stem not in BY_DEFAULT and os.environ.get("EXAMPLES") != "all":
        pytest.skip("EXAMPLES=all runs all of them")
    needed = NEEDED.get(path.stem[:2], "torch")
    if importlib.util.find_spec(needed) is None:
        pytest.skip(f"the module {needed!r} is not installed")
    run(path)
    assert capfd.readouterr().out


@pytest.mark.parametrize("path", [*SCRIPTS, *NOTEBOOKS], ids=lambda path: path.stem)
def test_an_example_ends_in_an_assert(path: Path) -> None:
    (*_, last) = ast.parse(cells(path)[-1]).body
    last = last.body[-1] if isinstance(last, ast.If | ast.For) else last
    assert isinstance(last, ast.Assert)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_valid_and_keeps_no_output(path: Path) -> None:
    book = nbformat.read(str(path), as_version=nbformat.NO_CONVERT)
    nbformat.validate(book)
    assert (book.nbformat, book.nbformat_minor) == (4, 5)
    assert not any(cell.outputs or cell.execution_count for cell in book.cells if cell.cell_type == "code")
    assert book.cells[0].source.startswith("# ")


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_says_what_it_shows_and_how_it_is_run(path: Path) -> None:
    told = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    assert told.partition("\n")[0].endswith("."), told
    assert re.search(rf"^    python examples/{path.name} +# needs .*rellm-agents", told, re.MULTILINE), told
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 75


def test_the_table_lists_every_example() -> None:
    table = re.findall(r"^\| \[(\S+)\]\((\S+)\) \| (.+?) \| (.+?) \|$", (EXAMPLES / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert [row[1] for row in table] == sorted(path.name for path in [*SCRIPTS, *NOTEBOOKS])
    assert all(row[0] == row[1] for row in table)
    assert len(SCRIPTS) >= 10
    assert len(NOTEBOOKS) == 3
