r"""What the demo has to say in, lines on the terminal, or plain text in a pipe, out.

Knows nothing of models or agents. Colours are rich's, which leaves them out where the output is no terminal; text that a
model wrote is shown as it is, except that its control characters are spelt out.

>>> visible("one\ntwo\x1b[31m")
'one\ntwo\\x1b[31m'
"""

from __future__ import annotations

import io
import sys
from typing import Final

from rich.console import Console
from rich.text import Text

PIPED_WIDTH: Final = 100  # columns where no terminal says how many it has


class Screen:
    """Where the demo is shown.

    Args:
        console: rich's console to write to; default: standard output.
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
        """A line of the demo's own words, wrapped at the width."""
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
        """End the line if a piece has left it open."""
        if not self.at_line_start:
            self.console.print()
            self.at_line_start = True


def visible(text: str) -> str:
    """The text with control characters spelt out, line ends aside."""
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)


def _standard_output() -> Console:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a pipe may have an encoding that lacks what the model writes
    return Console(width=None if sys.stdout.isatty() else PIPED_WIDTH, highlight=False)
