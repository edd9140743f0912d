"""The documentation site is built without a warning, leads nowhere that there is not, asks no other host, and lists what the code has."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from html import unescape
from importlib import import_module
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import site_pages
from page_blocks import ROOT

from rellm_agents import Limits, errors
from rellm_agents.cli import application
from rellm_agents.formats import FORMATS
from rellm_agents.json_schema.source.keywords import ANNOTATIONS, ENFORCED
from rellm_agents.langchain.agents.format_pairs import _PAIRS
from rellm_agents.langchain.output_parsers.table import _COMPILERS

FACES = ("decoding", "formats", "json_schema", "langchain", "patterns", "serving.client", "serving.engines", "views")
ERRORS = [name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Exception) and name[0] != "_"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the site."""
    pytest.importorskip("mkdocs", reason="mkdocs, of the extra docs, is not installed")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stdout + done.stderr, done.stderr
    return folder


def pages(site: Path) -> dict[str, str]:
    return {path.relative_to(site).as_posix(): path.read_text(encoding="utf-8") for path in site.rglob("*.html")}


def attributes(page: str, name: str) -> Iterator[str]:
    return (unescape(value) for value in re.findall(rf'\s{name}="?([^"\s>]+)', page))


def code(site: Path, page: str) -> set[str]:
    """The texts that stand as code in a page."""
    return {unescape(one) for one in re.findall(r"<code>([^<]*)</code>", (site / "reference" / page).read_text(encoding="utf-8"))}


def test_every_link_leads_to_a_page_and_a_place_of_it(site):
    found = pages(site)
    ids = {page: set(attributes(text, "id")) for page, text in found.items()}
    wrong = []
    for page, text in found.items():
        for link in attributes(text, "href"):
            parts = urlsplit(link)
            if parts.scheme or page == "404.html":
                continue
            target = (site / page).parent.joinpath(unquote(parts.path)).resolve() if parts.path else site / page
            if target.is_dir():
                target /= "index.html"
            there = target.relative_to(site.resolve()).as_posix() if parts.path else page
            if not (site / there).exists() or (parts.fragment and there in ids and unquote(parts.fragment) not in ids[there]):
                wrong.append((page, link))
    assert wrong == []
    assert len(found) > 40


def test_nothing_is_loaded_from_another_host(site):
    for page, text in pages(site).items():
        loaded = [*attributes(text, "src"), *re.findall(r"<link\b[^>]*?href=\"?([^\"\s>]+)", text)]
        assert [one for one in loaded if urlsplit(one).netloc] == [], page
        assert "<iframe" not in text
    for path in site.rglob("*.css"):
        assert [one for one in re.findall(r"url\(([^)]*)\)", path.read_text(encoding="utf-8")) if "//" in one[:9]] == [], path.name
        assert "@import" not in path.read_text(encoding="utf-8")
    assert [*site.rglob("*.woff*")] == []


def test_it_is_light_or_dark_as_the_reader_wants(site):
    text = (site / "index.html").read_text(encoding="utf-8")
    schemes = dict(zip(attributes(text, "data-md-color-media"), attributes(text, "data-md-color-scheme"), strict=False))
    assert "prefers-color-scheme: light" in text
    assert "prefers-color-scheme: dark" in text
    assert {"default", "slate"} <= {*schemes.values(), *re.findall(r'data-md-color-scheme="(\w+)"', text)}


@pytest.mark.parametrize("face", FACES)
def test_each_public_name_of_a_face_has_its_place(site, face):
    page = site / "reference" / "api" / f"{face.partition('.')[0]}.html"
    there = set(attributes(page.read_text(encoding="utf-8"), "id"))
    module = import_module(f"rellm_agents.{face}")
    assert [name for name in module.__all__ if f"rellm_agents.{face}.{name}" not in there] == []


def test_the_names_of_the_package_itself_lead_to_their_places(site):
    text = (site / "reference" / "api" / "rellm_agents.html").read_text(encoding="utf-8")
    anchors = {urlsplit(link).fragment.rpartition(".")[2] for link in attributes(text, "href")}
    assert set(import_module("rellm_agents").__all__) <= anchors


def test_each_keyword_and_each_format_of_strings_is_listed(site):
    formats = json.loads((ROOT / "schemas" / "string_formats.json").read_text(encoding="utf-8"))["formats"]
    assert {*ENFORCED, *ANNOTATIONS, *formats} <= code(site, "keywords.html")


def test_each_format_is_listed(site):
    assert {*FORMATS, *(path.stem for path in (ROOT / "schemas" / "messages").glob("*.json"))} <= code(site, "formats.html")


def test_each_parser_is_listed(site):
    assert {*(name for name in _COMPILERS if isinstance(name, str)), *(pair.parser for pair in _PAIRS)} <= code(site, "parsers.html")


def test_each_limit_is_listed(site):
    assert {one.name for one in fields(Limits)} <= code(site, "limits.html")


def test_each_command_is_listed_with_its_options(site):
    import typer  # noqa: PLC0415 - of the extra cli

    group = typer.main.get_command(application())
    assert isinstance(group, typer.core.TyperGroup)
    options = {option for command in group.commands.values() for one in command.params for option in one.opts if option.startswith("-")}
    assert options <= code(site, "commands.html")


def test_each_error_is_listed_and_says_what_to_do(site):
    page = (site / "reference" / "errors.html").read_text(encoding="utf-8")
    assert [name for name in ERRORS if f'id="rellm_agents.errors.{name}"' not in page] == []
    without = [name for name in ERRORS if "\n    What to do: " not in str(getattr(errors, name).__doc__)]
    assert without == [], 'add a paragraph "What to do: ..." to the docstring'


def test_a_link_out_of_the_site_is_text_and_one_into_it_is_relative():
    text = "[a](../errors.py), [b](../MIGRATION.md#from), [c](agents.md) `[d](x.md)`\n```\n[e](../x.py)\n```\n[f](https://example.org)"
    moved = "a, [b](../migration.md#from), [c](agents.md) `[d](x.md)`\n```\n[e](../x.py)\n```\n[f](https://example.org)"
    assert site_pages.moved(text.replace("(../", "(../../"), "docs/how-to/a.md", "how-to/a.md") == moved.replace("[e](../", "[e](../../")
