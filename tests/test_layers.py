"""Imports point one way: ``langchain -> decoding, formats -> json_schema -> patterns``; ``decoding -> patterns``; nothing points back."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = "rellm_agents"
ROOT = Path(__file__).resolve().parent.parent / PACKAGE

ARROWS = {
    "errors": set(),
    "requirements": {"errors"},
    "resources": set(),
    "patterns": set(),
    "json_schema": {"patterns"},
    "formats": {"json_schema", "patterns"},
    "decoding": {"patterns"},
    "langchain": {"decoding", "formats", "json_schema", "patterns"},
}
FREE_FOR_ALL = {"errors", "requirements", "resources"}
FREE = {"cli", "demo"}  # may import anything
HEAVY = {"accelerate", "gguf", "huggingface_hub", "safetensors", "tokenizers", "torch", "transformers"}
ONE_FILE_ONLY = ("langchain", "langchain_classic")  # each


def test_the_package_keeps_its_layers():
    assert violations({module_name(path): (path.read_text(encoding="utf-8"), is_package(path)) for path in ROOT.rglob("*.py")}) == []


def test_the_library_that_normalises_schemas_is_touched_in_one_module():
    imported = {
        module_name(path): re.findall(r"^(?:from|import) jsonschema_rs", path.read_text("utf-8"), re.MULTILINE)
        for path in ROOT.rglob("*.py")
    }
    users = [module for module, lines in imported.items() if lines]
    assert users == [f"{PACKAGE}.json_schema.normal_form"]


def test_importing_the_package_imports_nothing_heavy():
    heavy = ["torch", "transformers", "langchain", "langchain_core", "langchain_classic"]
    program = f"import sys, {PACKAGE}; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("patterns.nodes", "from rellm_agents.json_schema import compile_schema"),
        ("patterns.nodes", "import rellm_agents.formats.agent.react"),
        ("patterns.nodes", "from rellm_agents import decoding"),
        ("patterns.nodes", "from ..decoding import masks"),
        ("patterns.nodes", "from .. import decoding"),
        ("patterns", "from ..formats import react"),
        ("patterns.nodes", "from rellm_agents import Pattern"),
        ("patterns.nodes", "def late():\n    import rellm_agents.cli"),
        ("json_schema.compiler", "from rellm_agents.formats import react"),
        ("formats.react", "from rellm_agents.decoding import masks"),
        ("decoding.masks", "from rellm_agents.json_schema import compiler"),
        ("decoding.masks", "from rellm_agents.langchain import llm"),
        ("errors", "from rellm_agents import resources"),
        ("unheard_of.thing", "import json"),
        ("patterns.nodes", "import torch.nn"),
        ("formats.react", "def late():\n    from transformers import AutoTokenizer"),
        ("formats.react", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch"),
        ("formats.react", "import importlib\ntorch = importlib.import_module('torch')"),
        ("langchain.llm", "from transformers import AutoTokenizer"),
        ("langchain.llm", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    pass\nelse:\n    import torch"),
        ("formats.react", "from langchain_core.agents import AgentAction"),
        ("decoding.masks", "import langchain_core"),
        ("formats.react", "import langchain_classic"),
        ("", "import torch"),
        ("", "def late():\n    import langchain_core"),
    ],
)
def test_a_wrong_arrow_is_seen(module, source):
    assert len(violations(modules((module, source)))) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("patterns.nodes", "from rellm_agents.patterns.ir.charset import CharSet\nfrom .charset import CharSet\nimport regex"),
        (
            "patterns.nodes",
            "from rellm_agents import errors\nfrom rellm_agents.resources import data_path\nfrom ..errors import RELLMError",
        ),
        ("formats.react", "from rellm_agents.json_schema import compile_schema\nfrom rellm_agents.patterns import nodes"),
        ("decoding.masks", "import torch, transformers\nfrom rellm_agents.patterns import nodes"),
        ("langchain.llm", "import langchain_core\nfrom rellm_agents.decoding import masks\nfrom rellm_agents.formats import react"),
        ("langchain.llm", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from transformers import PreTrainedModel"),
        ("langchain.executor", "import langchain_classic.agents"),
        ("cli", "import torch, langchain_classic\nfrom rellm_agents.langchain import llm\nimport rellm_agents"),
        ("demo.show", "import torch, langchain_core, langchain_classic\nfrom rellm_agents import Pattern"),
        ("", "from rellm_agents.patterns import Pattern\nfrom .errors import RELLMError"),
    ],
)
def test_a_right_arrow_is_not_reported(module, source):
    assert violations(modules((module, source))) == []


def test_the_executor_s_library_is_named_in_one_file_only():
    two = modules(("langchain.executor", "import langchain_classic"), ("langchain.other", "def late():\n    import langchain_classic"))
    assert violations(two) == ["langchain_classic is imported in 2 files of langchain/: rellm_agents.langchain.executor, .other"]


@dataclass(frozen=True)
class Import:
    """One imported module, by its absolute name, and whether only a type checker sees it."""

    target: str
    for_types_only: bool


def violations(sources: Mapping[str, tuple[str, bool]]) -> list[str]:
    """What breaks the rules. ``sources`` maps a module's name to its source and to whether it is the ``__init__`` of a package."""
    found = []
    users: dict[str, list[str]] = {library: [] for library in ONE_FILE_ONLY}
    for module, (source, package) in sorted(sources.items()):
        layer = layer_of(module)
        if layer not in ARROWS.keys() | FREE | {""}:
            found.append(f"{module}: no layer is called {layer!r}")
            continue
        imports = list(imports_of(module, source, package))
        found += [f"{module} imports {one.target}" for one in imports if layer not in FREE and not allowed(layer, one)]
        for library in ONE_FILE_ONLY:
            if layer == "langchain" and any(top_level(one.target) == library for one in imports):
                users[library].append(module)
    for library, modules in users.items():
        if len(modules) > 1:
            names = ", ".join([modules[0], *("." + name.rpartition(".")[2] for name in modules[1:])])
            found.append(f"{library} is imported in {len(modules)} files of langchain/: {names}")
    return found


def allowed(layer: str, one: Import) -> bool:
    """Whether a module of a layer may import this. The layer of ``rellm_agents/__init__.py`` is the empty string."""
    name = top_level(one.target)
    if name == PACKAGE:
        target = layer_of(one.target)
        if layer == "":
            return target not in FREE
        return target == layer or target in ARROWS[layer] or (target in FREE_FOR_ALL and layer not in FREE_FOR_ALL)
    if name in HEAVY:
        return layer == "decoding" or (layer == "langchain" and one.for_types_only)
    if name == "langchain" or name.startswith(("langchain_", "langgraph")):
        return layer == "langchain"
    return True


def imports_of(module: str, source: str, package: bool) -> Iterator[Import]:
    """Every module that a source imports, at its top or inside a function, by statement or by ``import_module("literal")``."""
    tree = ast.parse(source, filename=module)
    for_types = {id(node) for branch in type_checking_branches(tree) for node in ast.walk(branch)}
    here = module.split(".") if package else module.split(".")[:-1]
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                targets = [name.name for name in names]
            case ast.ImportFrom(module=base, names=names, level=level):
                base = ".".join([*(here[: len(here) - level + 1] if level else []), *([base] if base else [])])
                # "from rellm_agents import errors" names a layer, "from rellm_agents import Pattern" the package itself.
                targets = [f"{base}.{name.name}" if base == PACKAGE and name.name in ARROWS.keys() | FREE else base for name in names]
            case ast.Call(
                func=ast.Name(id="__import__" | "import_module") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                targets = [name]
            case _:
                continue
        for target in targets:
            yield Import(target, id(node) in for_types)


def type_checking_branches(tree: ast.Module) -> Iterator[ast.stmt]:
    """The statements under ``if TYPE_CHECKING:``, without those under its ``else``."""
    for node in ast.walk(tree):
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING"), body=body):
                yield from body


def layer_of(module: str) -> str:
    """E.g. "rellm_agents.patterns.ir.constructors" -> "patterns", "rellm_agents" -> ""."""
    return [*module.split("."), ""][1]


def top_level(module: str) -> str:
    return module.partition(".")[0]


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if is_package(path) else parts)


def is_package(path: Path) -> bool:
    return path.name == "__init__.py"


def modules(*sources: tuple[str, str]) -> dict[str, tuple[str, bool]]:
    """Modules of the package by their names inside it; a name without a dot is a package's, except those of single files."""
    single_files = ARROWS.keys() & FREE_FOR_ALL | {"cli"}
    return {f"{PACKAGE}.{name}".rstrip("."): (source, "." not in name and name not in single_files) for name, source in sources}
