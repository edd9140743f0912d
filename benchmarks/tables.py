"""Prints the figures as tables: microseconds, and our time divided by that of each peer."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table
from speed import MEASURES

Figures = dict[str, Any]
_COLUMNS = ("avg", "p50", "p90", "p99", "max")
_WIDTH = 150
_RATIOS = ("avg", "p50", "p99")


def show(figures: Figures, console: Console | None = None) -> None:
    """Print what was measured."""
    console = console or Console(width=_WIDTH)
    machine = figures["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    console.print(
        f"{machine['date']}, {machine['cpu']} ({machine['cpus']} CPUs, one thread), {machine['system']}, Python {machine['python']}"
    )
    console.print(f"{versions}; vocabulary of {machine['vocabulary']:,}")
    for setting, of_setting in figures.get("speed", {}).items():
        console.print(_speed_table(of_setting, setting))
        left_out = {"not compiled by": of_setting["not_compiled"], "instances refused by": of_setting["refused"]}
        console.print(*(f"{what} {counts}" for what, counts in left_out.items() if counts), sep="; ")
        console.print(_slowest_table(of_setting["slowest"], setting))
    for setting, rows in figures.get("hard_cases", {}).items():
        console.print(_hard_cases_table(rows, setting))
    if "memory" in figures:
        console.print(*_memory_lines(figures["memory"]), sep="\n")
    if "vocabulary" in figures:
        found = figures["vocabulary"]
        console.print(f"vocabulary: built in {found['built'] * 1e3:,.0f} ms, from the disk in {found['from_disk'] * 1e3:,.1f} ms")


def figures_table(title: str, figures: Figures) -> Table:
    """A table of figures, with a row for each measurement if there are several."""
    rows = figures if all(isinstance(one, dict) for one in figures.values()) else {"": figures}
    columns = list(dict.fromkeys(name for row in rows.values() for name in row))
    table = Table(title=title, title_justify="left")
    for name in ("measure", *columns):
        table.add_column(name, justify="left" if name == "measure" else "right")
    for measure, row in rows.items():
        table.add_row(measure, *(_short(row.get(name)) for name in columns))
    return table


def _short(value: Any) -> str:
    return "" if value is None else f"{value:,.3f}" if isinstance(value, float) else f"{value:,}"


def _speed_table(figures: Figures, setting: str) -> Table:
    table = Table(
        title=f"{setting} whitespace: {figures['schemas']} schemas, {figures['instances']} instances; microseconds", title_justify="left"
    )
    for name in ("measure", "engine"):
        table.add_column(name, no_wrap=True)
    for name in ("n", *_COLUMNS, *(f"ours/it {column}" for column in _RATIOS)):
        table.add_column(name, justify="right")
    ours, *_ = figures["engines"].values()
    for measure in MEASURES:
        for name, engine in figures["engines"].items():
            if measure not in engine:
                continue
            found = engine[measure]
            ratios = ["" if engine is ours else f"{ours[measure][column] / found[column]:.3f}" for column in _RATIOS]
            table.add_row(measure, name, f"{found['n']:,}", *(f"{found[column]:,.2f}" for column in _COLUMNS), *ratios)
        table.add_section()
    return table


def _slowest_table(rows: list[Figures], setting: str) -> Table:
    table = Table(title=f"{setting} whitespace: our slowest cold masks; microseconds", title_justify="left")
    for name in ("mask", "of which collecting", "token"):
        table.add_column(name, justify="right")
    table.add_column("schema")
    for row in rows:
        table.add_row(f"{row['us']:,.0f}", f"{row['collecting_us']:,.0f}", str(row["token"]), row["schema"])
    return table


def _hard_cases_table(rows: list[Figures], setting: str) -> Table:
    table = Table(title=f"{setting} whitespace: hard cases; microseconds", title_justify="left")
    for name in ("case", "engine"):
        table.add_column(name, no_wrap=True)
    for name in ("first mask", "largest mask", "without gc", "2nd round", "average token", "tokens"):
        table.add_column(name, justify="right")
    table.add_column("note")
    for i, row in enumerate(rows):
        if i and row["case"] != rows[i - 1]["case"]:
            table.add_section()
        seconds = [row[key] for key in ("first_mask", "largest_mask", "largest_without_collection", "largest_second_round", "average")]
        table.add_row(
            row["case"], row["engine"], *("" if s is None else f"{s * 1e6:,.1f}" for s in seconds), f"{row['tokens']:,}", row["note"]
        )
    return table


def _memory_lines(figures: Figures) -> list[str]:
    resident = ", ".join(f"{size / 1e6:,.0f} MB after {count}" for count, size in figures["resident"].items() if size is not None)
    return [
        f"memory: {figures['bytes_per_schema'] / 1e3:,.0f} kB a schema ({figures['schemas']} schemas, their instances decoded)",
        f"memory that they share: {figures['shared_bytes'] / 1e6:,.0f} MB",
        f"resident size over generated schemas: {resident or 'not told by this system'}",
    ]
