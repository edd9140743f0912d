"""The programs of docs/cluster.md: what needs no other engine runs as it stands there, and what they import of this package is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest

PAGE = (Path(__file__).parents[3] / "docs" / "cluster.md").read_text(encoding="utf-8")
TOOL, *WAYS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def run(program: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(program, "docs/cluster.md", "exec", dont_inherit=True), names)
    return names


def test_each_way_has_its_program_and_its_row() -> None:
    assert len(WAYS) == len(re.findall(r"^\| \d\. ", PAGE, re.MULTILINE)) == len(re.findall(r"^## \d\. ", PAGE, re.MULTILINE)) == 7


@pytest.mark.parametrize("way", range(7))
def test_what_a_program_imports_of_this_package_is_there(way: int) -> None:
    imports = [one for one in ast.parse(WAYS[way]).body if isinstance(one, ast.ImportFrom) and str(one.module).startswith("rellm_agents")]
    assert imports
    run("\n".join(map(ast.unparse, imports)))


@pytest.mark.model
def test_the_first_two_ways_answer() -> None:
    from real_server import KEY, running  # noqa: PLC0415 - needs the model

    alone = run(TOOL + WAYS[0])
    assert alone["agent"] is not None
    with running() as server:
        served = run(TOOL + WAYS[1].replace("http://127.0.0.1:8000", server.url).replace('"none"', repr(KEY)))
    assert served["agent"] is not None
