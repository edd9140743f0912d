"""The programs of all pages run as they stand there, those of one page one after the other, and print what stands below them.

What a page says is not run by the tests - it needs an engine, a service or a device that is not here - is compiled, and what it imports of
this package is there. Pages of nothing but sessions are run by doctest itself.
"""

from __future__ import annotations

import ast
import doctest
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from page_blocks import ADDRESS, PAGES, ROOT, Block, blocks, blocks_in, name_of

OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
REASONS = ("a GPU", "a model of the hub", "a server of another project", "the package")
"""What a program may need that the tests do not have."""


def programs(page: Path) -> list[Block]:
    return [one for one in blocks(page) if one.language == "python"]


def run_pages() -> Iterator[Any]:
    """The pages with a program to run, marked where the model writes something."""
    for page in PAGES:
        found = [one for one in programs(page) if one.not_run is None]
        if any(not one.is_session for one in found):
            yield pytest.param(page, id=name_of(page), marks=[pytest.mark.model] * any(one.needs_the_model for one in found))


@pytest.fixture(scope="module")
def loaded() -> Any:
    """The model and its tokenizer, loaded once for all pages that leave the model as it is."""
    from rellm_agents.decoding import smollm2  # noqa: PLC0415 - imports torch

    return smollm2()


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    """The server that pages speak to."""
    from real_server import running  # noqa: PLC0415 - needs the model

    with running() as one:
        yield one


def run_session(block: Block, names: dict[str, Any], page: Path) -> None:
    test = doctest.DocTestParser().get_doctest(block.text, names, page.name, str(page), 0)
    test.globs = names  # the same, where doctest makes a copy
    said: list[str] = []
    assert doctest.DocTestRunner(optionflags=OPTIONS).run(test, out=said.append, clear_globs=False).failed == 0, "".join(said)


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")  # of peft's call of transformers
@pytest.mark.parametrize("page", [*run_pages()])
def test_programs_print_what_stands_below_them(page, tmp_path, monkeypatch, capfd, request):
    monkeypatch.chdir(tmp_path)
    if any("smollm2()" in one.text for one in programs(page)) and "peft" not in page.read_text(encoding="utf-8"):
        shared = request.getfixturevalue("loaded")
        monkeypatch.setattr("rellm_agents.decoding.smollm2", lambda: shared)
    names: dict[str, Any] = {}
    for i, block in enumerate(programs(page)):
        text = block.text
        if block.file is not None:
            Path(block.file).write_text(text, encoding="utf-8")
        if block.not_run is not None or block.file is not None:
            continue
        if block.is_session:
            run_session(block, names, page)
            continue
        if ADDRESS in text:
            from real_server import KEY  # noqa: PLC0415 - needs the model

            text = text.replace(ADDRESS, request.getfixturevalue("server").url).replace('"none"', repr(KEY))
        file = tmp_path / f"program_{i}.py"  # some packages read the source of a function
        file.write_text(text, encoding="utf-8")
        exec(compile(text, str(file), "exec", dont_inherit=True), names)
        printed = capfd.readouterr().out
        assert block.printed is None or printed == block.printed, text
        assert block.printed is not None or not printed, f"{page.name} does not show what this prints: {printed}\n{text}"


OTHERS = [(page, block) for page in PAGES for block in programs(page) if block.not_run is not None or block.file is not None]


@pytest.mark.parametrize(("page", "block"), OTHERS, ids=[f"{name_of(page)}-{i}" for i, (page, _) in enumerate(OTHERS)])
def test_a_program_that_is_not_run_compiles_and_imports_what_is_there(page, block):
    tree = ast.parse(block.text)
    imports = [one for one in ast.walk(tree) if isinstance(one, ast.ImportFrom) and str(one.module).startswith("rellm_agents")]
    for one in imports:
        exec(compile(ast.unparse(one), name_of(page), "exec", dont_inherit=True), {})
    assert block.not_run is None or any(block.not_run.startswith(reason) for reason in REASONS), block.not_run


def test_each_block_names_its_language():
    known = {"json", "python", "sh", "text"}
    assert {(name_of(page), one.language) for page in PAGES for one in blocks(page) if one.language not in known} == set()


def test_a_block_is_read_with_what_it_prints_and_why_it_is_not_run():
    page = "```python\nprint(1)\n```\n\n```text\n1\n```\nSo.\n"
    page += "```python\n# Not run by the tests: a GPU\nf()\n```\n```python\n# a.py\nx = 1\n```\n"
    run, left, file = blocks_in(page)
    assert (run.text, run.printed, run.not_run) == ("print(1)\n", "1\n", None)
    assert (left.not_run, left.printed, file.file) == ("a GPU", None, "a.py")


def test_pages_of_all_folders_are_read():
    assert {page.parent.relative_to(ROOT).as_posix() for page in PAGES} >= {
        ".",
        "docs",
        "docs/how-to",
        "docs/explanation",
        "docs/reference",
    }
