"""Measures whether answers are right: a model free, held by this package and by llguidance, after a thought, and by decision.

    python benchmarks/answers.py
    python benchmarks/answers.py --model FOLDER --items 100 --tasks labels reading --modes free ours decisions --json RESULT.json

The items are made by seeded rules, the same in all modes, and all modes are greedy. The texts of all modes are read by one forgiving
reader. Tests are paired: McNemar's exact test, corrected by Holm over all comparisons shown, and bootstrap intervals of the difference.
llguidance comes with the extra ``bench``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from answering.items import Item, batched
from answering.modes import MODES, Answer, Answerer
from answering.progress import Step, quiet, shown
from answering.reader import is_right, leading_value, why_invalid
from answering.report import Row, compared, shares, show
from answering.tasks import TASKS, items
from rich.console import Console

from rellm_agents.decoding import smollm2

_WIDTH = 140


def measure(answerer: Answerer, modes: Sequence[str], tasks: Sequence[str], count: int, *, seed: int = 0, step: Step = quiet) -> list[Row]:
    """What each mode makes of each item.

    Args:
        answerer: of the model.
        modes: of ``answerer.modes()``.
        tasks: of ``TASKS``.
        count: items of each task.
        seed: of the items.
        step: is told what was written.
    """
    rows = []
    for task in tasks:
        for batch in batched(items(task, count, seed)):
            found: list[dict[str, Any]] = [{} for _ in batch]
            for mode in modes:
                for item, answer, of in zip(batch, answerer.answer(mode, batch), found, strict=True):
                    if answer is not None:
                        of[mode] = _result(item, answer)
                step(task, len(batch))
            rows += [
                {"task": task, "question": item.question, "answer": item.answer, "modes": of} for item, of in zip(batch, found, strict=True)
            ]
    return rows


def _result(item: Item, answer: Answer) -> dict[str, Any]:
    stands = leading_value(answer.text.strip()) == answer.text.strip() and not why_invalid(answer.text, item.schema)
    is_answer = is_right(answer.text, item.schema, item.answer)
    found = {"text": answer.text, "right": is_answer, "valid": stands, "tokens": len(answer.token_ids)}
    return found | ({"thought": answer.thought} if answer.thought else {})


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the arguments, measure, print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", help="folder, .gguf file or hub name (default: SmolLM2-135M-Instruct)")
    parser.add_argument("--tasks", nargs="+", choices=list(TASKS), default=list(TASKS), help="default: all")
    parser.add_argument("--modes", nargs="+", choices=MODES, help="default: all that are installed")
    parser.add_argument("--items", type=int, default=40, help="of each task (default: 40)")
    parser.add_argument("--max-new-tokens", type=int, default=64, help="of an answer with its thought (default: 64)")
    parser.add_argument("--seed", type=int, default=0, help="of the items")
    parser.add_argument("--threads", type=int, default=2, help="of torch (default: 2)")
    parser.add_argument("--json", type=Path, help="where to write all answers and figures")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    answerer = Answerer(*smollm2(options.model), max_new_tokens=options.max_new_tokens)
    modes = options.modes or answerer.modes()
    if lacking := [mode for mode in modes if mode not in answerer.modes()]:
        parser.error(f"not to be had here: {', '.join(lacking)}; llguidance comes with pip install 'rellm-agents[bench]'")
    with shown(len(options.tasks) * options.items * len(modes)) as step:
        rows = measure(answerer, modes, options.tasks, options.items, seed=options.seed, step=step)
    figures = {"model": options.model or "SmolLM2-135M-Instruct", "shares": shares(rows), "compared": compared(rows)}
    show(figures, Console(width=_WIDTH))
    if options.json:
        options.json.write_text(json.dumps({**figures, "rows": rows}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
