"""Deep, long and cyclic declarations of formats: taken, or an error of the project's own, and never another one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rellm_agents.errors import FormatError
from rellm_agents.formats.agent.template_check import check_unambiguous
from rellm_agents.formats.template import builtin_declaration, read_declaration

CYCLIC: dict[str, Any] = {}
CYCLIC["inside"] = [CYCLIC, CYCLIC]


def deep(times: int, *, lists: bool = False) -> Any:
    found: Any = "a"
    for _ in range(times):
        found = [found] if lists else {"answer": found}
    return found


VALUES = [CYCLIC, [CYCLIC], 10**5_000, float("nan"), "\ud800", "{", "{answer}" * 500, "x" * 50_000, "(" * 3_000 + ")" * 3_000]
VALUES += [deep(times, lists=lists) for times in (1, 15, 16, 17, 200, 3_000) for lists in (False, True)]


@pytest.mark.parametrize("key", ["version", "name", "action", "finish", "slots", "stop", "instructions", "banned_substrings", "unknown"])
@pytest.mark.parametrize("name", ["react", "chat"])
def test_whatever_stands_under_a_key_is_taken_or_refused(name: str, key: str) -> None:
    ours, refused = builtin_declaration(name), 0
    for value in (*VALUES, *({"answer": {"matches": one, "banned_regexes": one}} for one in VALUES)):
        try:
            check_unambiguous(read_declaration({**ours, key: value}))
        except FormatError:
            refused += 1
    assert refused > len(VALUES)


@pytest.mark.parametrize("kind", ["action", "message"])
@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 500 + "1" + "}" * 500, "[" * 30 + "]" * 30, '{"version":' + "1" * 6_000 + "}", "{"]
)
def test_a_file_is_refused_with_its_name(tmp_path: Path, text: str, kind: Any) -> None:
    path = tmp_path / "format.json"
    path.write_text(text)
    with pytest.raises(FormatError, match=r"format file .*format\.json"):
        read_declaration(path, kind)


def test_long_delimiters_are_kept() -> None:
    ours = {**builtin_declaration("react"), "action": "{thought}\n" + "Action: " * 500 + "{tool}\nAction Input: {input}"}
    check_unambiguous(read_declaration(ours))
    assert json.loads(json.dumps(read_declaration(ours)))["action"] == ours["action"]
