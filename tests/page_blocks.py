"""The fenced blocks of the pages of the documentation, and what is said beside them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "MIGRATION.md", *sorted((ROOT / "docs").rglob("*.md"))]
"""All but README.md, which has tests of its own."""

ADDRESS = "http://127.0.0.1:8000"
"""Where the server of a page listens."""

PRINTING = ("python", "sh")
"""The languages of blocks that print something."""

_BLOCK = re.compile(r"(?:^[^\n]*`([\w.]+)`:\n\n)?^```(\w*)[^\n]*\n(.*?)^```[ ]*$", re.MULTILINE | re.DOTALL)
_NOT_RUN = re.compile(r"\A(?:[^\n]*\n)?# Not run by the tests: (.+)")
_FILE = re.compile(r"\A# (\w+\.py)\b")


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Attributes:
        language: as the fence names it.
        text: between the fences.
        printed: what a block of text right below it says that it prints; ``None``: there is none.
        named: the name of a file, where the line above ends in one.
    """

    language: str
    text: str
    printed: str | None = None
    named: str = ""

    @property
    def not_run(self) -> str | None:
        """Why it is not run, as the page says in the first or second line of the block."""
        found = _NOT_RUN.match(self.text)
        return found[1] if found else None

    @property
    def file(self) -> str | None:
        """The name of the file whose text it is: data that the line above names, or a module that its first line names."""
        found = _FILE.match(self.text)
        return found[1] if found else (self.named or None) if self.language == "json" else None

    @property
    def is_console(self) -> bool:
        """Whether it shows a command and what that prints."""
        return self.language == "text" and self.text.startswith("$ ")

    @property
    def is_session(self) -> bool:
        """Whether it shows prompts of Python, as doctest reads them."""
        return self.language == "python" and self.text.startswith(">>> ")

    @property
    def needs_the_model(self) -> bool:
        """Whether the real model writes something in it."""
        return "smollm2" in self.text or ADDRESS in self.text


def blocks(page: Path) -> list[Block]:
    """The blocks of a page in their order."""
    return blocks_in(page.read_text(encoding="utf-8"))


def blocks_in(text: str) -> list[Block]:
    """The blocks of a text."""
    found: list[Block] = []
    end = 0
    for one in _BLOCK.finditer(text):
        block = Block(one[2], one[3], named=one[1] or "")
        if (
            found
            and block.language == "text"
            and not block.is_console
            and found[-1].language in PRINTING
            and not text[end : one.start()].strip()
        ):
            found[-1] = replace(found[-1], printed=block.text)
        else:
            found.append(block)
        end = one.end()
    return found


def name_of(page: Path) -> str:
    """The path of a page, the same on every machine."""
    return page.relative_to(ROOT).as_posix()
