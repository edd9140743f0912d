"""The wheel and the sdist hold what they should and nothing else, with metadata that an index takes; the workflow runs what README says.

``DIST=FOLDER`` looks at the two files that ``.ci/release`` has made in a folder; without it they are built here, from the files as they
are.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.metadata import Metadata
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
NAME = f"rellm_agents-{PROJECT['version']}"
UNWANTED = re.compile(
    r"(^|/)(__pycache__|\.venv|\.env|\.git|\.[a-z]+_cache|\.hypothesis)(/|$)|\.(pyc|so|gguf|safetensors|log|orig|rej)$|~$"
)
WORKFLOW = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a wheel and an sdist of this version."""
    if folder := os.environ.get("DIST"):
        return Path(folder)
    pytest.importorskip("hatchling")
    made = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(made)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return made


@cache
def files_of_git(*options: str) -> frozenset[str]:
    """Paths of the repository, by ``git ls-files``."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a clone: git does not say which files belong to the project")
    done = subprocess.run(["git", "ls-files", "-z", *options], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    return frozenset(path for path in done.stdout.split("\0") if path and (ROOT / path).exists())


def in_sdist(dist: Path) -> dict[str, bytes]:
    with tarfile.open(dist / f"{NAME}.tar.gz") as archive:
        members = [one for one in archive.getmembers() if one.isfile()]
        assert all(one.name.startswith(f"{NAME}/") for one in members)
        return {one.name.removeprefix(f"{NAME}/"): archive.extractfile(one).read() for one in members}  # type: ignore[union-attr]


def in_wheel(dist: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(dist / f"{NAME}-py3-none-any.whl") as archive:
        assert archive.testzip() is None
        return {one: archive.read(one) for one in archive.namelist()}


def without_new_files(found: set[str]) -> set[str]:
    """Without files that are about to be added: git neither knows nor ignores them."""
    return found - files_of_git("--others", "--exclude-standard")


def test_the_sdist_is_the_repository(dist: Path) -> None:
    found = without_new_files(in_sdist(dist).keys() - {"PKG-INFO"})
    assert sorted(found ^ files_of_git()) == []


def test_the_wheel_is_the_package_with_its_data_and_nothing_else(dist: Path) -> None:
    wanted = {path if path.startswith("rellm_agents/") else f"rellm_agents/{path}" for path in files_of_git("rellm_agents", "schemas")}
    wanted |= {f"{NAME}.dist-info/{name}" for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")}
    new = {f"rellm_agents/{path}" for path in files_of_git("--others", "--exclude-standard") if path.startswith("schemas/")}
    assert sorted(without_new_files(in_wheel(dist).keys() - new) ^ wanted) == []


def test_neither_holds_what_is_made_on_the_way(dist: Path) -> None:
    assert [path for path in [*in_sdist(dist), *in_wheel(dist)] if UNWANTED.search(path)] == []
    assert UNWANTED.search("tests/__pycache__/a.pyc")
    assert UNWANTED.search("a/.venv/b")


def test_each_file_is_as_it_is_in_the_repository(dist: Path) -> None:
    for path, data in in_sdist(dist).items():
        assert path == "PKG-INFO" or data == (ROOT / path).read_bytes(), path
    for path, data in in_wheel(dist).items():
        if path.startswith("rellm_agents/"):
            source = path.removeprefix("rellm_agents/") if path.startswith("rellm_agents/schemas/") else path
            assert data == (ROOT / source).read_bytes(), path


def test_the_metadata_are_valid_and_those_of_pyproject(dist: Path) -> None:
    raw = in_wheel(dist)[f"{NAME}.dist-info/METADATA"]
    found = Metadata.from_email(raw, validate=True)
    assert Metadata.from_email(in_sdist(dist)["PKG-INFO"], validate=True).version == found.version
    assert (found.name, str(found.version), str(found.requires_python)) == (PROJECT["name"], PROJECT["version"], PROJECT["requires-python"])
    assert found.metadata_version == "2.4"
    assert found.description_content_type == "text/markdown"
    assert found.description == (ROOT / "README.md").read_text(encoding="utf-8")
    assert (str(found.license_expression), found.license_files) == (PROJECT["license"], PROJECT["license-files"])
    assert found.classifiers == sorted(PROJECT["classifiers"])
    assert set(found.provides_extra or ()) == PROJECT["optional-dependencies"].keys()
    core = [one for one in found.requires_dist or () if one.marker is None]
    assert sorted(map(str, core)) == sorted(str(Requirement(one)) for one in PROJECT["dependencies"])
    assert b"file:" not in raw


def test_the_command_of_the_wheel_is_there(dist: Path) -> None:
    points = in_wheel(dist)[f"{NAME}.dist-info/entry_points.txt"].decode()
    for name, target in PROJECT["scripts"].items():
        assert f"{name} = {target}" in points
        module, _, function = target.partition(":")
        assert callable(getattr(import_module(module), function))


def commands(job: dict[str, Any]) -> str:
    return "\n".join(step.get("run", "") for step in job["steps"])


def test_the_workflow_runs_the_whole_check_with_each_python_that_is_promised() -> None:
    check = WORKFLOW["jobs"]["check"]
    promised = [line.rpartition(" ")[2] for line in PROJECT["classifiers"] if line.startswith("Programming Language :: Python :: 3.")]
    assert check["strategy"]["matrix"]["python"] == promised
    assert "bash .ci/run" in commands(check)
    assert "bash .ci/release" in commands(WORKFLOW["jobs"]["release"])
    install = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    assert all(line in install for line in commands(check).splitlines() if "torch==" in line)


def test_the_workflow_runs_the_commands_of_the_readme_elsewhere() -> None:
    desktop = WORKFLOW["jobs"]["desktop"]
    assert [one["system"].partition("-")[0] for one in desktop["strategy"]["matrix"]["include"]] == ["macos", "windows"]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    ran = commands(desktop).replace("${{ matrix.scripts }}", ".venv/bin")
    blocks = re.findall(r"```sh\n(.*?)```", readme, re.DOTALL)
    wanted = [part.partition("  #")[0].strip() for block in blocks for part in block.replace("\n", "&&").split("&&") if part.strip()]
    assert wanted
    assert [part for part in wanted if part.replace("python3", "python") not in ran.replace("python3", "python")] == []


def test_the_workflow_knows_no_secret_and_pins_what_it_uses() -> None:
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    assert "secrets" not in text
    assert WORKFLOW["permissions"] == {"contents": "read"}
    used = [step["uses"] for job in WORKFLOW["jobs"].values() for step in job["steps"] if "uses" in step]
    assert used
    assert [one for one in used if not re.fullmatch(r"actions/[a-z-]+@v\d+\.\d+\.\d+", one)] == []
    assert all("timeout-minutes" in job for job in WORKFLOW["jobs"].values())
