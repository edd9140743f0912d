"""Makes a table of measured first steps, and sentences that summarise it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.table import Table

from rellm_agents.demo.first_steps import Measured, Verdict

_COLUMNS: Final = {
    "parsed": "parsed",
    "known": "known\ntool",
    "valid": "valid\nargs",
    "apt": "apt\ntool",
}


def table_of(measured: Sequence[Measured]) -> Table:
    """Two rows for each format: unconstrained, constrained."""
    table = Table(
        title=f"{len(measured[0].verdicts)} first steps", title_justify="left", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 0, 0, 1)
    )
    for heading in ("format", "model"):
        table.add_column(heading)
    for heading in (*_COLUMNS.values(), "at\nbudget", "seconds", "tokens"):
        table.add_column(heading, justify="right")
    for one in measured:
        shares = [_share(one.verdicts, claim) for claim in _COLUMNS]
        at_budget = sum(written.at_budget for written in one.written)
        table.add_row(
            one.title,
            "constrained" if one.constrained else "unconstrained",
            *shares,
            str(at_budget),
            f"{one.seconds:.1f}",
            str(sum(written.tokens for written in one.written)),
            style="green" if one.flawless else "red",
            end_section=one.constrained,
        )
    return table


def sentences_of(measured: Sequence[Measured]) -> list[str]:
    """A sentence for each constrained row."""
    return [_sentence(one) for one in measured if one.constrained]


def _sentence(one: Measured) -> str:
    parsed, valid = (100 * sum(getattr(w, claim) for w in one.verdicts) // len(one.verdicts) for claim in ("parsed", "valid"))
    return f"{one.title}, constrained: {parsed} % parsed, {valid} % with valid arguments"


def _share(verdicts: Sequence[Verdict], claim: str) -> str:
    return f"{sum(getattr(verdict, claim) for verdict in verdicts)}/{len(verdicts)}"
