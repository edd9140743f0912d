r"""Prints the demo as coloured lines on a terminal, or as plain text in a pipe.

Rich omits the colours where the output is no terminal. A model's text is shown as it is, but for control characters, which are
escaped. Knows nothing of models or agents.

>>> visible("one\ntwo\x1b[31m")
'one\ntwo\\x1b[31m'
"""

from __future__ import annotations

import io
import sys
from typing import Final

from rich.console import Console
from rich.text import Text

PIPED_WIDTH: Final = 100  # columns without a terminal


class Screen:
    """The output of the demo.

    Args:
        console: the rich console to write to; default: standard output.
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or _standard_output()
        self.at_line_start = True

    def heading(self, title: str) -> None:
        """A line that opens a part of the demo."""
        self.end_line()
        self.console.print()
        self.console.rule(Text(title, style="bold"), align="left")

    def say(self, text: str, style: str = "") -> None:
        """A line of the demo's own text, wrapped at the width."""
        self.end_line()
        self.console.print(Text(text, style=style))

    def labelled(self, label: str, text: str, style: str = "") -> None:
        """A line such as ``tool: look_up``."""
        self.end_line()
        self.console.print(Text.assemble((f"{label:>12}: ", "dim"), (visible(text), style)), soft_wrap=True)

    def piece(self, text: str) -> None:
        """A piece of a model's text, shown at once and without a line end of its own."""
        self.console.print(Text(visible(text), style="cyan"), end="", soft_wrap=True)
        self.at_line_start = text.endswith("\n") if text else self.at_line_start

    def end_line(self) -> None:
        """End the line after a piece, if it is still open."""
        if not self.at_line_start:
            self.console.print()
            self.at_line_start = True


def visible(text: str) -> str:
    """The text with control characters escaped, except line ends."""
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)


def _standard_output() -> Console:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a pipe's encoding may lack characters that the model writes
    return Console(width=None if sys.stdout.isatty() else PIPED_WIDTH, highlight=False)
