"""Completes the pages of the site while mkdocs builds it: pages of the repository's root, tables made of the code, and links.

A page of the site has one source, and is written for readers of the repository too: README.md is the home page, and a link to a file that
the site does not show is plain text there. ``<!-- table: NAME -->`` in a page is replaced by a table of ``code_tables.py``, and
``<!-- names: MODULE -->`` by what mkdocstrings shows of each public name of a face.

>>> moved("[Speed](docs/speed.md#by-hand), [masks](rellm_agents/decoding/masks)", "README.md", "index.md")
'[Speed](speed.md#by-hand), masks'
"""

from __future__ import annotations

import ast
import posixpath
import re
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from code_tables import TABLES

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
ROOT_PAGES = {
    "README.md": "index.md",
    "ARCHITECTURE.md": "architecture.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "MIGRATION.md": "migration.md",
}
"""Pages of the repository's root, and where they are in the site."""

_LINK = re.compile(r"\[((?:[^\[\]`]|`[^`]*`)+)\]\((?!\w+:|#)([^()\s#]+)(#[^()\s]*)?\)")
_FENCED = re.compile(r"(^[ ]*```.*?^[ ]*```[ ]*$)", re.MULTILINE | re.DOTALL)
_MARKER = re.compile(r"<!-- (table|names): ([\w.]+) -->")


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the pages that have their source outside of ``docs/``."""
    from mkdocs.structure.files import File  # noqa: PLC0415 - a dependency of the extra docs

    for source, place in ROOT_PAGES.items():
        files.append(File.generated(config, place, content=(ROOT / source).read_text(encoding="utf-8")))
    files.append(File.generated(config, "examples.md", content=examples_page()))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001 - as mkdocs calls it
    """Fill in tables and names, and let links lead to pages of the site."""
    place = page.file.src_uri
    source = next((one for one, there in ROOT_PAGES.items() if there == place), f"docs/{place}")
    return moved(_MARKER.sub(lambda found: filled(*found.groups()), markdown), source, place)


def filled(kind: str, name: str) -> str:
    """What stands in place of a marker."""
    if kind == "table":
        return TABLES[name]()
    return "\n\n".join(f"::: {name}.{one}" for one in import_module(name).__all__)


def moved(markdown: str, source: str, place: str) -> str:
    """The text of a page, with links as they are in the site, and code in tables with the bars that it has."""

    def link(found: re.Match[str]) -> str:
        text, target, anchor = found[1], found[2], found[3] or ""
        there = site_place(posixpath.normpath(posixpath.join(posixpath.dirname(source), target)))
        return f"[{text}]({posixpath.relpath(there, posixpath.dirname(place) or '.')}{anchor})" if there else text

    def with_bars(line: str) -> str:
        return re.sub(r"`[^`]*`", lambda code: code[0].replace("\\|", "|"), line) if line.startswith("|") else line

    pieces = _FENCED.split(markdown)
    pieces[::2] = [_LINK.sub(link, piece) for piece in pieces[::2]]
    return "".join(pieces)


def site_place(path: str) -> str | None:
    """Where the site shows a file of the repository.

    >>> site_place("docs/speed.md"), site_place("examples/04_own_format.py"), site_place("LICENSE")
    ('speed.md', 'examples.md#04_own_formatpy', None)
    """
    if path in ROOT_PAGES:
        return ROOT_PAGES[path]
    if path == "examples":
        return "examples.md"
    if path.startswith("docs/") and path.endswith(".md"):
        return path.removeprefix("docs/")
    if path.startswith("examples/") and path.endswith(".py"):
        return f"examples.md#{path.removeprefix('examples/').replace('.', '')}"
    return None


def examples_page() -> str:
    """All scripts of ``examples/``, each with what it says of itself."""
    parts = ["# Examples", "Each script runs by itself: `.venv/bin/python examples/NAME`."]
    for path in sorted((ROOT / "examples").glob("*.py")):
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
        code = "\n".join(text.splitlines()[tree.body[0].end_lineno :]).strip()
        parts += [f"## {path.name}", ast.get_docstring(tree) or "", f"```python\n{code}\n```"]
    return "\n\n".join(parts)
