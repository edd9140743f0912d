"""The README's first code block runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rellm_agents.json_schema.source.keywords import ANNOTATIONS, ENFORCED

README = Path(__file__).parents[1] / "README.md"


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
