"""Judges compiled patterns by labelled instances. Run as a script, it records the verdicts that are expected.

python tests/json_schema/verdicts.py        # writes tests/conformance/expected.json
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from typing import Any

from rellm_agents import Pattern, compile_schema
from rellm_agents.errors import InvalidSchema, PatternError, UnsatisfiableSchema, UnsupportedSchema
from rellm_agents.json_schema.text.layout import Layout
from rellm_agents.json_schema.text.serialization import serializations

SHARED = Path(__file__).parents[3] / "shared" / "data"
EXPECTED = Path(__file__).parents[1] / "conformance" / "expected.json"
SUITES = {"suite-draft2020-12": "https://json-schema.org/draft/2020-12/schema", "suite-draft7": "http://json-schema.org/draft-07/schema#"}


class Verdict(IntEnum):
    """From best to worst."""

    EXACT = 0
    TOO_NARROW = 1  # a valid instance has no text
    UNSUPPORTED = 2
    TOO_WIDE = 3  # an invalid instance has one

    @property
    def text(self) -> str:
        return self.name.lower().replace("_", " ")


def rows(name: str) -> Iterator[dict[str, Any]]:
    """The rows of a file of schemas beside this checkout: ``id``, ``schema``, ``tests`` of ``data`` and ``valid``."""
    with gzip.open(SHARED / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def writes(pattern: Pattern, value: Any) -> bool:
    """Whether the pattern has a text of the value, its properties in any order."""
    return next(serializations(pattern.node, value, Layout.of("spaced")), None) is not None


def verdicts(row: dict[str, Any], draft: str) -> list[Verdict]:
    """One for each instance of a row, whose schema is of a draft if it does not say of which."""
    schema = row["schema"]
    if isinstance(schema, dict):
        schema = {"$schema": draft, **schema}
    try:
        pattern: Pattern | None = compile_schema(json.dumps(schema))
    except UnsatisfiableSchema:
        pattern = None
    except (UnsupportedSchema, PatternError, InvalidSchema):
        return [Verdict.UNSUPPORTED] * len(row["tests"])
    found = []
    for test in row["tests"]:
        accepted = pattern is not None and writes(pattern, test["data"])
        found.append(Verdict.EXACT if accepted == test["valid"] else Verdict.TOO_WIDE if accepted else Verdict.TOO_NARROW)
    return found


def measured(suite: str) -> tuple[dict[str, str], int]:
    """The verdicts of a suite that are not exact, by the test's name; and how many there are in all."""
    found, count = {}, 0
    for row in rows(suite):
        for i, verdict in enumerate(verdicts(row, SUITES[suite])):
            count += 1
            if verdict is not Verdict.EXACT:
                found[f"{row['id']}/{i}"] = verdict.text
    return found, count


if __name__ == "__main__":
    told = {}
    for suite in SUITES:
        found, count = measured(suite)
        told[suite] = {"tests": count, "not exact": found}
        print(suite, count, {v.text: list(found.values()).count(v.text) for v in Verdict})
    EXPECTED.parent.mkdir(exist_ok=True)
    EXPECTED.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
