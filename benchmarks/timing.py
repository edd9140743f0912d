"""Times the masks and tokens of a text under one engine.

The time of a token is that of its mask (``fill``) and of ``advance``; the check that the mask allows the token is not timed. Python's
garbage collector stays on: its collections are part of every figure, and their time is recorded separately as well. Knows no engine by
name.

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

from rellm_agents.decoding import TokenMasks

Ids = Sequence[int]


@dataclass
class Timings:
    """Seconds, with one entry for each token.

    Attributes:
        first_mask: from the text of the schema to the first mask.
        mask_seconds: masks.
        token_seconds: masks and ``advance``.
        collection_seconds: the part of it that garbage collections took.
        refused_at: the index of the first token that a mask did not allow.
    """

    first_mask: float = 0.0
    mask_seconds: list[float] = field(default_factory=list)
    token_seconds: list[float] = field(default_factory=list)
    collection_seconds: list[float] = field(default_factory=list)
    refused_at: int | None = None

    def compiled(self, make: Callable[[], Any], engine: Engine) -> Any:
        """The result of ``make``, timed until its first mask is filled."""
        began = perf_counter()
        grammar = make()
        engine.start(grammar).fill()
        self.first_mask = perf_counter() - began
        return grammar


def timed_pass(engine: Engine, grammar: Any, ids: Ids, timings: Timings) -> Timings:
    """Decode a text token by token, and record its times in ``timings``."""
    matcher = engine.start(grammar)
    fill, advance = matcher.fill, matcher.advance
    with _collections() as collections:
        for index, token_id in enumerate(ids):
            collections.clear()
            began = perf_counter()
            fill()
            filled = perf_counter()
            if not allows(matcher, token_id):
                timings.refused_at = index
                break
            looked = perf_counter()
            advance(token_id)
            ended = perf_counter()
            timings.mask_seconds.append(filled - began)
            timings.token_seconds.append(filled - began + ended - looked)
            timings.collection_seconds.append(sum(collections))
    return timings


def timed_applying(engine: Engine, grammar: Any, ids: Ids, logits: torch.Tensor) -> list[float]:
    """Seconds for each token to compute the mask and apply it to a fresh copy of ``logits`` (float32[V])."""
    matcher, scratch = engine.start(grammar), logits.clone()
    found = []
    for token_id in ids:
        scratch.copy_(logits)
        began = perf_counter()
        matcher.apply(scratch)
        found.append(perf_counter() - began)
        matcher.advance(token_id)
    return found


def timed_near_budget(masks: TokenMasks, ids: Ids) -> list[float]:
    """Seconds for each mask of a text whose budget just suffices for it, its end included; up to where another text would be needed."""
    state, found = masks.start, list[float]()
    budget = max(len(ids) + 1, masks.tokens_needed(state))  # the number of tokens that are needed is an upper bound
    for at, token_id in enumerate(ids):
        began = perf_counter()
        bits = masks.bits(state, budget - at)
        found.append(perf_counter() - began)
        if not int(bits[token_id >> 5]) >> (token_id & 31) & 1:
            break
        state = masks.advance(state, token_id)
    return found


def summary(seconds: Sequence[float]) -> dict[str, float]:
    """Number, average, percentiles and maximum, in microseconds."""
    ordered = sorted(seconds)
    ranks = {f"p{percent}": ordered[max(0, math.ceil(percent * len(ordered) / 100) - 1)] * 1e6 for percent in (50, 90, 99)}
    return {"n": len(ordered), "avg": sum(ordered) / len(ordered) * 1e6, **ranks, "max": ordered[-1] * 1e6}


@contextmanager
def _collections() -> Iterator[list[float]]:
    """A list of the seconds of each garbage collection within the block."""
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
