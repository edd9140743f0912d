"""constraints.txt can be installed from PyPI alone, on each platform and with each Python that is promised."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import urllib.error
import urllib.request
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
PLATFORMS = ("x86_64-manylinux_2_34", "aarch64-apple-darwin", "x86_64-pc-windows-msvc")  # wheels of llguidance need glibc 2.31
PYPI = "https://pypi.org/simple/"


@cache
def unreachable() -> str:
    """Why PyPI cannot be asked; nothing if it can."""
    try:
        urllib.request.urlopen(f"{PYPI}packaging/", timeout=30).close()
    except (urllib.error.URLError, TimeoutError) as error:
        return str(error)
    return ""


def compiled(platform: str, python: str) -> subprocess.CompletedProcess[str]:
    """What uv makes of the project with all its extras, knowing no settings and no index but PyPI's."""
    find_uv = pytest.importorskip("uv").find_uv_bin
    plain = {name: value for name, value in os.environ.items() if not name.upper().startswith(("PIP_", "UV_"))}
    plain["MACOSX_DEPLOYMENT_TARGET"] = "14.0"  # as torch's wheels need it
    command = [find_uv(), "pip", "compile", "--no-config", "--no-header", "--no-annotate", "--quiet", "--only-binary", ":all:"]
    command += ["--default-index", PYPI, "--python-platform", platform, "--python-version", python]
    command += ["--python", sys.executable, "--no-python-downloads"]  # no other is looked for: nothing is built
    command += ["--constraints", "constraints.txt", "--all-extras", "pyproject.toml"]
    return subprocess.run(command, cwd=ROOT, env=plain, capture_output=True, text=True, check=False, timeout=500)


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_constraints_resolve_against_pypi_alone(platform, python):
    if reason := unreachable():
        pytest.skip(f"PyPI cannot be reached: {reason}")
    done = compiled(platform, python)
    assert done.returncode == 0, done.stderr
    found = dict(line.split("==") for line in done.stdout.splitlines() if "==" in line)
    assert found["torch"] == "2.13.0"
    loose = {name for name in found.keys() - constrained() if not name.startswith(("cuda-", "nvidia-"))}
    assert not loose, "constraints.txt leaves these open"


def constrained() -> set[str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return {line.partition("==")[0] for line in lines if line and not line.startswith("#")}


def test_each_python_that_is_tested_is_a_classifier():
    told = {line.rpartition(" ")[2] for line in PROJECT["classifiers"] if line.startswith("Programming Language :: Python :: 3.")}
    assert told == {*PYTHONS}
