"""The official JSON-Schema-Test-Suite: no verdict is worse than the one recorded, none is too wide, nearly all are exact."""

from __future__ import annotations

import json

import pytest
from json_schema.verdicts import EXPECTED, SHARED, SUITES, Verdict, measured

ORDER = {verdict.text: verdict for verdict in Verdict}


@pytest.mark.parametrize("suite", SUITES)
def test_no_verdict_is_worse_than_the_one_recorded(suite: str) -> None:
    if not (SHARED / f"{suite}.jsonl.gz").exists():
        pytest.skip(f"the official suite is not beside this checkout: {suite}.jsonl.gz")
    expected = json.loads(EXPECTED.read_text(encoding="utf-8"))[suite]
    found, count = measured(suite)
    assert count == expected["tests"]
    recorded = expected["not exact"]
    worse = {name: verdict for name, verdict in found.items() if ORDER[verdict] > ORDER[recorded.get(name, "exact")]}
    assert not worse
    assert found == recorded, "better than recorded: run tests/json_schema/verdicts.py"


@pytest.mark.parametrize("suite", SUITES)
def test_what_is_recorded_is_what_is_claimed(suite: str) -> None:
    expected = json.loads(EXPECTED.read_text(encoding="utf-8"))[suite]
    assert "too wide" not in expected["not exact"].values()
    assert len(expected["not exact"]) <= 0.05 * expected["tests"]
