"""Shows on stderr how far a long measurement is: a bar on a terminal, elsewhere a line for each task."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

Step = Callable[[str, int], object]
"""Is told the task and how many more of its answers, or measurements, are made."""


def quiet(_task: str, _count: int) -> None:
    """Show nothing."""


@contextmanager
def shown(total: int) -> Iterator[Step]:
    """Show a number of answers, or measurements, as they are made.

    Args:
        total: of all of them.
    """
    console = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        bar, tasks = bars.add_task("", total=total), list[str]()

        def step(task: str, count: int) -> None:
            bars.update(bar, advance=count, description=task)
            if not console.is_terminal and task not in tasks:
                console.print(f"{task} ... ({bars.tasks[0].completed - count:.0f} of {total} so far)", highlight=False)
            tasks.append(task)

        yield step
