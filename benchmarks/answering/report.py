"""Makes figures of results, and tables of figures: right answers by task and mode, and each mode beside the free one.

Knows no model.

>>> rows = [{"task": "sums", "modes": {"free": {"right": True}, "ours": {"right": right}}} for right in (True, False)]
>>> compared(rows)[0]["only free"], compared(rows)[0]["mode"]
(1, 'ours')
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from statistics import fmean
from typing import Any

from rich.console import Console
from rich.table import Table

from answering.statistics import difference_interval, holm, mcnemar

Row = dict[str, Any]
"""An item's ``task``, and in ``modes`` what became of it in each mode: ``right``, ``valid``, ``tokens``."""
ALL = "all"
_BASELINE = "free"


def shares(rows: Sequence[Row]) -> list[Row]:
    """For each task, and all of them, how many answers of each mode are right and valid, and their tokens on average."""
    found = []
    for task, mode, results in _by_task_and_mode(rows):
        figures = {"right": sum(one["right"] for one in results), "valid": sum(one["valid"] for one in results)}
        found.append({"task": task, "mode": mode, "items": len(results), **figures, "tokens": fmean(one["tokens"] for one in results)})
    return found


def compared(rows: Sequence[Row]) -> list[Row]:
    """Each mode beside the free one, task by task and over all: difference, its interval, and p values, corrected over the whole list."""
    found = []
    for task, mode, _ in _by_task_and_mode(rows):
        pairs = [
            (one["modes"][_BASELINE]["right"], one["modes"][mode]["right"])
            for one in rows
            if task in (ALL, one["task"]) and {mode, _BASELINE} <= one["modes"].keys()
        ]
        if mode == _BASELINE or not pairs:
            continue
        free, other = zip(*pairs, strict=True)
        only_free, only_mode = sum(a and not b for a, b in pairs), sum(b and not a for a, b in pairs)
        low, high = difference_interval(free, other)
        found.append({
            "task": task,
            "mode": mode,
            "items": len(pairs),
            "only free": only_free,
            "only mode": only_mode,
            "difference": (only_mode - only_free) / len(pairs),
            "low": low,
            "high": high,
            "p": mcnemar(only_free, only_mode),
        })  # fmt: skip
    for row, corrected in zip(found, holm([row["p"] for row in found]), strict=True):
        row["p, Holm"] = corrected
    return found


def show(figures: dict[str, Any], console: Console) -> None:
    """Print the tables."""
    console.print(_share_table(figures["shares"]))
    if figures["compared"]:
        console.print(_comparison_table(figures["compared"]))


def _by_task_and_mode(rows: Sequence[Row]) -> Iterator[tuple[str, str, list[Row]]]:
    tasks = list(dict.fromkeys(row["task"] for row in rows))
    modes = list(dict.fromkeys(chain.from_iterable(row["modes"] for row in rows)))
    for task in [*tasks, *([ALL] if len(tasks) > 1 else [])]:
        for mode in modes:
            if results := [row["modes"][mode] for row in rows if task in (ALL, row["task"]) and mode in row["modes"]]:
                yield task, mode, results


def _share_table(rows: Sequence[Row]) -> Table:
    modes, cells = list(dict.fromkeys(row["mode"] for row in rows)), {(row["task"], row["mode"]): row for row in rows}
    table = _table("right answers; in brackets: how many are valid as they stand, and tokens on average", ("task", *modes))
    for task in dict.fromkeys(row["task"] for row in rows):
        table.add_row(task, *(_share(cells.get((task, mode))) for mode in modes), end_section=task != ALL and (ALL, modes[0]) in cells)
    return table


def _share(row: Row | None) -> str:
    return "" if row is None else f"{row['right']}/{row['items']} ({row['valid']}, {row['tokens']:.0f})"


def _comparison_table(rows: Sequence[Row]) -> Table:
    columns = ("task", "mode", "items", "only free right", "only mode right", "difference", "95 %", "p (McNemar)", "p (Holm)")
    table = _table("beside the free text of the same items; points of a hundred", columns)
    for i, row in enumerate(rows):
        if i and row["task"] != rows[i - 1]["task"]:
            table.add_section()
        counts = (str(row[name]) for name in ("items", "only free", "only mode"))
        interval = f"{100 * row['low']:+.0f} to {100 * row['high']:+.0f}"
        tests = (f"{row[name]:.3f}" for name in ("p", "p, Holm"))
        table.add_row(row["task"], row["mode"], *counts, f"{100 * row['difference']:+.1f}", interval, *tests)
    return table


def _table(title: str, columns: Iterable[str]) -> Table:
    table = Table(title=title, title_justify="left")
    for name in columns:
        table.add_column(name, justify="left" if name in ("task", "mode") else "right", no_wrap=name in ("task", "mode"))
    return table
