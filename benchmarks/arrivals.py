"""Measures how long callers wait who come one after the other to one model, and whether each gets the text that it gets alone.

    python benchmarks/arrivals.py
    python benchmarks/arrivals.py --callers 32 --gap 0.1 --check --json RESULT.json

The callers come at random, with prompts of several lengths, patterns and ways of choosing tokens; always the same ones. The model is
SmolLM2 (135 million parameters, float32), and keeps nothing of earlier prompts. A caller waits for the first piece of its text, and for
all of it; tokens are those of all texts from the first request to the last answer. The second of two rounds counts, so that nobody waits
for masks that are met for the first time.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from threading import Thread
from typing import Any

import torch
from generation_tasks import ACTIONS, OBJECT
from rich.console import Console
from tables import figures_table

from rellm_agents import Pattern, compile_regex
from rellm_agents.decoding import Completion, ConstrainedDecoder, RequestQueue, smollm2

PATTERNS: tuple[Pattern, ...] = (
    OBJECT.pattern(),
    ACTIONS.pattern(),
    compile_regex("(yes|no), because [a-z ,]{10,60}[.]"),
    compile_regex("[^\n]{20,120}"),
)
WAYS: tuple[dict[str, Any], ...] = ({}, {"temperature": 0.7, "top_p": 0.9}, {"temperature": 1.0, "top_k": 20})
_FACTS = "The shop opens at nine. The river is forty miles long. Two trains leave in the evening. The garden has an old wall. "


class Caller:
    """One who asks for a text, and notes when its pieces come.

    Args:
        number: decides on the prompt, the pattern and the way of choosing.
        length: of the prompt, in repetitions of some sentences.
    """

    def __init__(self, number: int, length: int) -> None:
        self.prompt = _FACTS * length + f"Question {number}: what do you think of it?\nAnswer: "
        self.pattern = PATTERNS[number % len(PATTERNS)]
        self.options: dict[str, Any] = {"max_new_tokens": OBJECT.max_new_tokens, "seed": number, **WAYS[number % len(WAYS)]}
        self.asked = self.first = self.answered = 0.0
        self.completion: Completion | None = None

    @property
    def text(self) -> str:
        """What was written."""
        return "" if self.completion is None else self.completion.text

    def ask(self, queue: RequestQueue) -> None:
        """Wait for the text."""
        self.asked = time.perf_counter()
        pieces = queue.stream(self.prompt, self.pattern, **self.options)
        while self.completion is None:
            try:
                next(pieces)
            except StopIteration as end:
                self.completion = end.value
            self.answered = time.perf_counter()
            self.first = self.first or self.answered


def measure(decoder: ConstrainedDecoder, callers: Sequence[Caller], gaps: Sequence[float]) -> dict[str, float]:
    """Let callers come one after the other."""
    queue = RequestQueue(decoder)
    threads = [Thread(target=one.ask, args=(queue,)) for one in callers]
    begun = time.perf_counter()
    for thread, gap in zip(threads, gaps, strict=True):
        time.sleep(gap)
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - begun
    first, whole = [one.first - one.asked for one in callers], [one.answered - one.asked for one in callers]
    tokens = sum(len(one.completion.token_ids) for one in callers if one.completion is not None)
    return {
        "first piece, median s": median(first),
        "first piece, longest s": max(first),
        "answer, median s": median(whole),
        "answer, longest s": max(whole),
        "tokens": tokens,
        "tokens a second": tokens / seconds,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the arguments, measure, print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", help="folder, .gguf file or hub name (default: SmolLM2-135M-Instruct)")
    parser.add_argument("--callers", type=int, default=16)
    parser.add_argument("--gap", type=float, default=0.2, help="average seconds between two callers (default: 0.2)")
    parser.add_argument("--threads", type=int, default=1, help="of torch (default: 1)")
    parser.add_argument("--check", action="store_true", help="compare with the texts that each gets alone")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    decoder, chance = ConstrainedDecoder(*smollm2(options.model), kept_bytes=0), random.Random(0)
    lengths = [chance.choice([0, 1, 2, 8]) for _ in range(options.callers)]
    gaps = [chance.expovariate(1 / options.gap) for _ in lengths]
    for _ in range(2):
        callers = [Caller(number, length) for number, length in enumerate(lengths)]
        figures = measure(decoder, callers, gaps)
    if options.check:
        alone = [decoder.generate(one.prompt, one.pattern, **one.options) for one in callers]
        figures["texts as alone"] = sum(one.text == own.text for one, own in zip(callers, alone, strict=True))
    Console().print(figures_table(f"{options.callers} callers, {options.gap} s apart on average", figures))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
