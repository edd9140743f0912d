"""Measures the time and memory of masks, compared with llguidance and xgrammar.

    python benchmarks/masks.py --tokenizer smollm2
    python benchmarks/masks.py --tokenizer FOLDER --data SCHEMAS.jsonl.gz --limit 600 --json RESULT.json

Everything runs on one thread. Each part has a process of its own, in which all engines take turns after a warm-up. Python's garbage
collector stays on: its collections are part of the figures, except for garbage of earlier schemas. Without ``--data`` the schemas are
generated, always the same. Peers come with the extra ``bench``; peers that are not installed are left out.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from engines import PEERS, Whitespace, installed
from hard_cases import hard_cases
from memory import memory, vocabulary_seconds
from schema_cases import SchemaCase, generated, read
from speed import speed
from tables import show

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

GENERATED = 40
PARTS = ("speed", "hard_cases", "memory", "vocabulary")
SETTINGS: tuple[Whitespace, ...] = ("spaced", "flexible")

P = ParamSpec("P")
T = TypeVar("T")


def apart(measure: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
    """Call a function in a process of its own, so that no part uses caches of another."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(measure, *args, **options).result()


def report(
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[SchemaCase],
    *,
    peers: Sequence[str],
    parts: Sequence[str] = PARTS,
    thousands: int = 10_000,
    run: Callable[..., Any] = apart,
) -> dict[str, Any]:
    """All figures.

    Args:
        tokenizer: of transformers, a fast one.
        rows: schemas with instances.
        peers: names of other engines.
        parts: which of ``PARTS`` are measured.
        thousands: how many schemas are compiled to check that memory is bounded.
        run: calls a function, in this process or another.

    Returns:
        Data that JSON can hold.
    """
    figures: dict[str, Any] = {"machine": _machine(tokenizer)}
    for setting in SETTINGS:
        if "hard_cases" in parts:
            figures.setdefault("hard_cases", {})[setting] = run(hard_cases, tokenizer, peers, setting)
        if "speed" in parts:
            figures.setdefault("speed", {})[setting] = run(speed, tokenizer, rows, peers, setting)
    if "memory" in parts:
        figures["memory"] = run(memory, tokenizer, rows, SETTINGS[0], thousands=thousands)
    if "vocabulary" in parts:
        figures["vocabulary"] = run(vocabulary_seconds, tokenizer)
    return figures


def load_tokenizer(name: str) -> PreTrainedTokenizerBase:
    """The tokenizer in a folder, or that of SmolLM2."""
    if name == "smollm2":
        from rellm_agents.decoding import smollm2  # noqa: PLC0415 - loads a model

        return smollm2()[1]
    from transformers import AutoTokenizer  # noqa: PLC0415 - --help does not need it

    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(name)
    return tokenizer


def _machine(tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "cpus": os.cpu_count(),
        "cpu": _cpu(),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("rellm-agents", "numpy", "torch", "transformers", *installed(PEERS))},
        "vocabulary": len(tokenizer),
    }


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor())


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the arguments, measure, print tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tokenizer", default="smollm2", help='a folder, or "smollm2" (default)')
    parser.add_argument("--data", type=Path, help="schemas: a .jsonl or .jsonl.gz file of id, schema, tests [{data, valid}]")
    parser.add_argument("--limit", type=int, help="how many schemas at most")
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=installed(), help="default: those that are installed")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="default: all")
    parser.add_argument("--thousands", type=int, default=10_000, help="schemas compiled to check that memory is bounded (default: 10000)")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    options = parser.parse_args(arguments)
    rows = read(options.data, options.limit) if options.data else [generated(seed) for seed in range(options.limit or GENERATED)]
    tokenizer = load_tokenizer(options.tokenizer)
    figures = report(tokenizer, rows, peers=options.peers, parts=options.parts, thousands=options.thousands)
    show(figures)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
