"""The code speaks in the words of ARCHITECTURE.md: the private words that it once had stand in no name and no key of a data file."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FORMER = {
    *("alongs", "barred", "beside", "certain", "credit", "doubtful", "doubts", "landing", "landings", "lessened", "liveness", "loose"),
    *("manner", "marks", "met", "owed", "proofs", "prove", "provisional", "recall", "recalled", "recalls", "room", "rooms", "serial"),
    *("spot", "spots", "stepper", "stuck", "told", "unbarred", "uncommon", "walks", "watching", "ways", "wishes", "wording"),
}
"""Words that stood for ideas which the field has a word for."""


def words(name: str) -> list[str]:
    """E.g. "TrieCursor" -> ["trie", "cursor"], "_of_node" -> ["of", "node"]."""
    return [word.lower() for part in name.split("_") for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", part)]


def names(tree: ast.AST) -> Iterator[str]:
    """The names of modules' functions, classes, attributes, arguments and global values."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Attribute(attr=name) | ast.arg(arg=name) | ast.keyword(arg=str(name)):
                yield name
            case ast.Module(body=body):
                yield from (
                    target.id for one in body if isinstance(one, ast.Assign) for target in one.targets if isinstance(target, ast.Name)
                )


@pytest.mark.parametrize("folder", ["rellm_agents", "benchmarks"])
def test_no_name_in_the_code_is_of_a_private_word(folder: str) -> None:
    found = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in (ROOT / folder).rglob("*.py")
        for name in [path.stem, *names(ast.parse(path.read_text(encoding="utf-8")))]
        if not FORMER.isdisjoint(words(name))
    }
    assert found == set()


def test_no_key_of_a_data_file_is_of_a_private_word() -> None:
    former = {
        key
        for schema in ("action-format", "message-format")
        for part in walk(json.loads((ROOT / "schemas" / f"{schema}.schema.json").read_text("utf-8")))
        for key in part.get("renamed", {})
    }
    assert {"without", "keys", "shown"} <= former
    for path in [*(ROOT / "schemas" / "formats").glob("*.json"), *(ROOT / "schemas" / "messages").glob("*.json")]:
        data = json.loads(path.read_text("utf-8"))
        assert data["version"] == 1, path.name
        slots = data.get("slots", {}).values()
        assert former.isdisjoint([*data, *(key for slot in slots for key in slot)]), path.name


def walk(value: object) -> Iterator[dict[str, dict[str, str]]]:
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from walk(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from walk(inner)


@pytest.mark.parametrize(
    ("name", "parts"), [("TokenLandings", "landings"), ("_is_barred", "barred"), ("HTTPSpot", "spot"), ("a2recall", "recall")]
)
def test_a_private_word_is_seen_inside_of_a_name(name: str, parts: str) -> None:
    assert parts in words(name)
