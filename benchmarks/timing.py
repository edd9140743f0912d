"""An engine, a schema and token ids in, seconds per mask and per token out.

Knows no engine by name. A token takes what its mask takes (``fill``) plus what going on takes (``advance``); looking whether the mask
allows the token is not timed. Python's garbage collector is left as it is: its collections are part of every figure, and are noted beside
them.

>>> summary([5e-6, 1e-6, 2e-6])["p50"]
2.0
"""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import torch
from engines import Engine, allows

Ids = Sequence[int]


@dataclass
class Steps:
    """Seconds, one entry a token.

    Attributes:
        first_mask: from the text of the schema to the first mask.
        fills: masks.
        totals: masks and going on.
        collected: what of it the garbage collector took.
        refused: the place of the first token that a mask did not allow.
    """

    first_mask: float = 0.0
    fills: list[float] = field(default_factory=list)
    totals: list[float] = field(default_factory=list)
    collected: list[float] = field(default_factory=list)
    refused: int | None = None

    def compiled(self, make: Callable[[], Any], engine: Engine) -> Any:
        """What ``make`` gives, timed until its first mask is filled."""
        began = perf_counter()
        grammar = make()
        engine.start(grammar).fill()
        self.first_mask = perf_counter() - began
        return grammar


def timed_pass(engine: Engine, grammar: Any, ids: Ids, steps: Steps) -> Steps:
    """Write a text, token by token, and note what it takes in ``steps``."""
    matcher = engine.start(grammar)
    fill, advance = matcher.fill, matcher.advance
    with _collections() as collections:
        for place, token_id in enumerate(ids):
            collections.clear()
            began = perf_counter()
            fill()
            filled = perf_counter()
            if not allows(matcher, token_id):
                steps.refused = place
                break
            looked = perf_counter()
            advance(token_id)
            ended = perf_counter()
            steps.fills.append(filled - began)
            steps.totals.append(filled - began + ended - looked)
            steps.collected.append(sum(collections))
    return steps


def timed_applying(engine: Engine, grammar: Any, ids: Ids, logits: torch.Tensor) -> list[float]:
    """Seconds for each token's mask, found and applied to ``logits`` (float32[V]), which are made anew in between."""
    matcher, scratch = engine.start(grammar), logits.clone()
    found = []
    for token_id in ids:
        scratch.copy_(logits)
        began = perf_counter()
        matcher.apply(scratch)
        found.append(perf_counter() - began)
        matcher.advance(token_id)
    return found


def summary(seconds: Sequence[float]) -> dict[str, float]:
    """Number, average, percentiles and maximum, in microseconds."""
    ordered = sorted(seconds)
    ranks = {f"p{percent}": ordered[max(0, math.ceil(percent * len(ordered) / 100) - 1)] * 1e6 for percent in (50, 90, 99)}
    return {"n": len(ordered), "avg": sum(ordered) / len(ordered) * 1e6, **ranks, "max": ordered[-1] * 1e6}


@contextmanager
def _collections() -> Iterator[list[float]]:
    """The seconds of each garbage collection while the block runs."""
    found: list[float] = []
    began = 0.0

    def note(phase: str, _: dict[str, int]) -> None:
        nonlocal began
        if phase == "start":
            began = perf_counter()
        else:
            found.append(perf_counter() - began)

    gc.callbacks.append(note)
    try:
        yield found
    finally:
        gc.callbacks.remove(note)
