"""Compares what a model copies freely with what it copies under a schema, item by item, and says why they differ where they do.

    python benchmarks/copying.py
    python benchmarks/copying.py --model FOLDER --items numbers=200 names=40 --spelling any --json RESULT.json

A constraint should never turn a right answer into another: where the schema admits the free text, the held one means the same. Items that
break this are listed, with the token at which the texts part.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from answering.comparison import compare
from answering.copying_tasks import COPYING
from answering.items import batched
from answering.modes import Answerer
from answering.progress import Step, quiet, shown
from answering.reader import is_right
from answering.tasks import items
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rellm_agents.decoding import smollm2

COUNTS = {task: 200 if task == "numbers" else 40 for task in COPYING}
_WIDTH = 140


def measure(answerer: Answerer, counts: Mapping[str, int], *, seed: int = 0, step: Step = quiet) -> list[dict[str, Any]]:
    """The comparison of each item, with whether the free and the held text are right.

    Args:
        answerer: of the model.
        counts: items of each task.
        seed: of the items.
        step: is told what was written.
    """
    rows = []
    for task, count in counts.items():
        for batch in batched(items(task, count, seed)):
            for item, found in zip(batch, compare(answerer, batch), strict=True):
                texts = {"free": found.free, "held": found.held}
                right = {f"{name} right": is_right(text, item.schema, item.answer) for name, text in texts.items()}
                rows.append({"task": task, **found.as_dict(), **right, "against": found.is_against_the_rule})
            step(task, len(batch))
    return rows


def show(rows: Sequence[dict[str, Any]], console: Console) -> None:
    """Print the counts, then the items that break the rule, and the reasons of the free texts that no schema admits."""
    table = Table(title="copying: free, and under a schema", title_justify="left")
    columns = ("items", "free right", "held right", "admitted", "of which the same", "excused", "otherwise")
    for name in ("task", *columns):
        table.add_column(name, justify="left" if name == "task" else "right")
    for task in dict.fromkeys(row["task"] for row in rows):
        own = [row for row in rows if row["task"] == task]
        admitted = [row for row in own if not row["not_admitted"]]
        same, against = sum(row["is_same"] for row in admitted), sum(row["against"] for row in own)
        right = [sum(row[name] for row in own) for name in ("free right", "held right")]
        table.add_row(task, *map(str, (len(own), *right, len(admitted), same, len(admitted) - same - against, against)))
    console.print(table)
    for row in rows:
        if row["against"]:
            console.print(f"{row['task']}: {row['question']!r}: free {row['free']!r}, held {row['held']!r}: {row['reason']}", markup=False)
    excused = Counter((row["task"], row["reason"]) for row in rows if row["reason"] and not row["against"])
    for (task, reason), count in excused.items():
        console.print(escape(f"{task}: {count} excused: {reason}"))
    reasons = Counter((row["task"], row["not_admitted"]) for row in rows if row["not_admitted"])
    for (task, reason), count in reasons.items():
        console.print(escape(f"{task}: {count} free texts are not admitted: {reason}"))


def _count(text: str) -> tuple[str, int]:
    task, _, number = text.partition("=")
    if task not in COPYING or not number.isdigit():
        raise argparse.ArgumentTypeError(f"{text}: TASK=NUMBER, and the tasks are {', '.join(COPYING)}")
    return task, int(number)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the arguments, compare, print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", help="folder, .gguf file or hub name (default: SmolLM2-135M-Instruct)")
    parser.add_argument("--items", nargs="+", type=_count, default=list(COUNTS.items()), help="such as numbers=200 (default: that, and 40)")
    parser.add_argument("--max-new-tokens", type=int, default=64, help="of a text (default: 64)")
    parser.add_argument("--spelling", choices=("canonical", "any"), default="canonical", help="of held texts")
    parser.add_argument("--seed", type=int, default=0, help="of the items")
    parser.add_argument("--threads", type=int, default=2, help="of torch (default: 2)")
    parser.add_argument("--json", type=Path, help="where to write all texts")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    answerer, counts = (
        Answerer(*smollm2(options.model), max_new_tokens=options.max_new_tokens, spelling=options.spelling),
        dict(options.items),
    )
    with shown(sum(counts.values())) as step:
        rows = measure(answerer, counts, seed=options.seed, step=step)
    show(rows, Console(width=_WIDTH))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
