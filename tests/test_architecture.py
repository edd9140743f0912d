"""The house keeps its plan: layers, faces, no circles, rooms of a size that can be taken in, module docstrings that are sentences.

Layers, circles and foreign libraries are contracts of import-linter, in ``pyproject.toml``; what it has no contract for is asked of the
same import graph here. Imports under ``TYPE_CHECKING`` and inside of functions count like all others.
"""

from __future__ import annotations

import ast
import logging
import re
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest
from importlinter.cli import lint_imports

PACKAGE = "rellm_agents"
ROOT = Path(__file__).resolve().parent.parent
MAX_MODULES = 12  # in one folder
MAX_LEVELS = 7  # of imports inside of one folder
FOR_ALL = {f"{PACKAGE}.{name}" for name in ("arguments", "caches", "errors", "limits", "requirements", "resources", "value_texts")}
ONE_USER = {"jsonschema_rs": "json_schema", "langchain_classic": "langchain", "langchain": "langchain"}


@cache
def graph() -> grimp.ImportGraph:
    return grimp.build_graph(PACKAGE, include_external_packages=True, cache_dir=None)


def modules() -> dict[str, Path]:
    """The modules of the package by their names."""
    found = {}
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        found[name.removesuffix(".__init__")] = path
    return found


def folder(module: str, packages: set[str]) -> str:
    return module if module in packages else module.rpartition(".")[0]


def past_a_face(importer: str, imported: str, packages: set[str]) -> bool:
    """Whether an import reaches into a room that is not the importer's own or one around it, or back to a face that imports it."""
    own, theirs = folder(importer, packages), folder(imported, packages)
    if imported in packages:
        return own == theirs or own.startswith(theirs + ".")  # a face hands on what is in its folder, so nobody in there needs it
    if imported in FOR_ALL:
        return False
    if importer in packages:
        return theirs != own
    return own != theirs and not (own.startswith(theirs + ".") and theirs != PACKAGE)


def test_the_contracts_hold(capsys: pytest.CaptureFixture[str]) -> None:
    loggers = [one for one in logging.root.manager.loggerDict.values() if isinstance(one, logging.Logger)]
    before = [one.disabled for one in loggers]
    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True) == 0, capsys.readouterr().out
    for one, was in zip(loggers, before, strict=True):  # it silences all loggers that there are
        one.disabled = was


def test_nobody_reaches_past_a_face() -> None:
    known = modules()
    packages = {name for name, path in known.items() if path.name == "__init__.py"}
    inside = [name for name in known if name in graph().modules]
    found = [
        f"{importer} imports {imported}"
        for importer in inside
        for imported in sorted(graph().find_modules_directly_imported_by(importer))
        if imported in known and importer != PACKAGE and past_a_face(importer, imported, packages)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("rellm_agents.decoding.masks.assembly", "rellm_agents.patterns.ir.node"),
        ("rellm_agents.patterns.ir.node", "rellm_agents.patterns.ir"),
        ("rellm_agents.patterns.ir.node", "rellm_agents.patterns"),
        ("rellm_agents.patterns", "rellm_agents.patterns.ir.node"),
        ("rellm_agents.patterns.ir.node", "rellm_agents.cli"),
    ],
)
def test_a_way_past_a_face_is_seen(importer: str, imported: str) -> None:
    assert past_a_face(
        importer, imported, {"rellm_agents", "rellm_agents.patterns", "rellm_agents.patterns.ir", "rellm_agents.decoding.masks"}
    )


def test_a_foreign_library_that_moves_is_touched_in_one_module() -> None:
    for library, room in ONE_USER.items():
        users = [one for one in graph().find_modules_that_directly_import(library) if one.startswith(f"{PACKAGE}.{room}.")]
        assert len(users) <= 1, (library, users)


def test_rooms_can_be_taken_in() -> None:
    count: dict[Path, int] = {}
    for path in modules().values():
        count[path.parent] = count.get(path.parent, 0) + (path.name != "__init__.py")
    assert {str(place): number for place, number in count.items() if number > MAX_MODULES} == {}


def test_no_room_is_deep() -> None:
    known = {name: path for name, path in modules().items() if path.name != "__init__.py"}
    for place in {name.rpartition(".")[0] for name in known}:
        inside = {name for name in known if name.rpartition(".")[0] == place}
        order = TopologicalSorter({name: graph().find_modules_directly_imported_by(name) & inside for name in inside})
        order.prepare()
        levels = 0
        while ready := order.get_ready():
            order.done(*ready)
            levels += 1
        assert levels <= MAX_LEVELS, place


def test_a_module_says_in_a_sentence_what_it_is() -> None:
    for name, path in modules().items():
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        first = text.partition("\n\n")[0]
        assert first, f"{name} has no docstring"
        assert not re.search(r"\bin[,;:] .*\bout\b", first, re.DOTALL), f"{name}: {first}"
        assert first.rstrip().endswith((".", ":")), f"{name}: {first}"


def test_importing_the_package_imports_nothing_heavy() -> None:
    heavy = ["torch", "transformers", "langchain", "langchain_core", "langchain_classic"]
    program = f"import sys, {PACKAGE}; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "[]"
