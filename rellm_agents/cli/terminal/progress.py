"""Shows what takes long, on standard error, and only where that is a terminal. Imports rich, which is optional.

>>> with working("counting"):
...     [*each([1, 2], "counted")]
[1, 2]
"""

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

One = TypeVar("One")


@contextmanager
def working(title: str) -> Iterator[None]:
    """Shows a line while something is done, and takes it away afterwards."""
    if not sys.stderr.isatty():
        yield
        return
    with Console(stderr=True).status(f"{title} ..."):
        yield


def each(things: Sequence[One], title: str, *, quiet: bool = False) -> Iterator[One]:
    """The things one after the other, with a bar of how many are done; none for a single one.

    Args:
        things: of which each is done before the next one is asked for.
        title: what is done.
        quiet: nothing is printed meanwhile. Otherwise there is no bar on a terminal that shows what is printed, which is progress enough.
    """
    if len(things) < 2 or not sys.stderr.isatty() or (sys.stdout.isatty() and not quiet):
        yield from things
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False) as bars:
        yield from bars.track(_counted(things), total=len(things), description=title)


def _counted(things: Iterable[One]) -> Iterator[One]:
    yield from things
