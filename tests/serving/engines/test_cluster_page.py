"""The page on clusters has a program, a heading and a row for each way; tests/docs runs its programs."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = (Path(__file__).parents[3] / "docs" / "cluster.md").read_text(encoding="utf-8")
_, *WAYS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_each_way_has_its_program_and_its_row() -> None:
    assert len(WAYS) == len(re.findall(r"^\| \d\. ", PAGE, re.MULTILINE)) == len(re.findall(r"^## \d\. ", PAGE, re.MULTILINE)) == 7
