"""An engine, a schema and token ids in, seconds per mask and per token out.

Knows no engine by name. A token takes what its mask takes (``fill``) plus what going on takes (``advance``); looking whether the mask allows
the token is not timed.

>>> percentile([5.0, 1.0, 2.0], 50)
2.0
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from engines import Engine, allows


@dataclass
class Steps:
    """Seconds, one entry a token; ``refused`` is the place of the first token that a mask did not allow."""

    first_mask: float = 0.0
    fills: list[float] = field(default_factory=list)
    totals: list[float] = field(default_factory=list)
    refused: int | None = None

    def compiled(self, make: Callable[[], Any], engine: Engine) -> Any:
        """What ``make`` gives, timed until its first mask is filled."""
        began = perf_counter()
        grammar = make()
        engine.start(grammar).fill()
        self.first_mask = perf_counter() - began
        return grammar


def timed_pass(engine: Engine, grammar: Any, ids: Sequence[int], steps: Steps) -> Steps:
    """Write a text, token by token, and note what it takes in ``steps``."""
    matcher = engine.start(grammar)
    fill, advance = matcher.fill, matcher.advance
    for place, token_id in enumerate(ids):
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
    return steps


def percentile(seconds: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile."""
    return sorted(seconds)[max(0, math.ceil(percent * len(seconds) / 100) - 1)]
