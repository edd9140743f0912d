"""Chooses one of the tokens that are allowed: the likeliest, or one that is drawn by its probability.

Knows neither patterns nor sequences. A token is drawn by inversion of the cumulated probabilities, since ``torch.multinomial`` takes
milliseconds over a whole vocabulary.

>>> pick(torch.tensor([0.0, 3.0]), torch.tensor([5, 7]))
7
"""

from __future__ import annotations

import torch


def pick(
    scores: torch.Tensor,
    ids: torch.Tensor | None,
    *,
    temperature: float = 0.0,
    top_k: int | None = None,
    top_p: float | None = None,
    generator: torch.Generator | None = None,
) -> int:
    """One of some tokens.

    Args:
        scores: float[n], on the CPU; not changed.
        ids: int64[n], of the tokens; ``None``: 0, 1, ...
        temperature: 0: the most likely token; else the scores are divided by it and one is drawn.
        top_k: draw from the ``top_k`` most likely tokens only.
        top_p: draw from the fewest tokens whose probabilities add up to ``top_p`` or more.
        generator: the source of chance, on the CPU.
    """
    at = (
        int(scores.argmax()) if temperature <= 0 else _drawn((scores.double() - float(scores.max())) / temperature, top_k, top_p, generator)
    )
    return at if ids is None else int(ids[at])


def _drawn(scores: torch.Tensor, top_k: int | None, top_p: float | None, generator: torch.Generator | None) -> int:
    probabilities = torch.softmax(scores, dim=0)
    if top_k is not None or top_p is not None:
        ordered, order = probabilities.sort(descending=True)
        kept = len(ordered) if top_k is None else min(top_k, len(ordered))
        if top_p is not None:
            kept = min(kept, int((ordered.cumsum(0) < top_p).sum()) + 1)
        ids, probabilities = order[:kept], ordered[:kept]
    else:
        ids = None
    cumulated = probabilities.cumsum(0)
    drawn = torch.rand((), generator=generator, dtype=torch.float64) * cumulated[-1]
    at = min(int(torch.searchsorted(cumulated, drawn, right=True)), int(probabilities.nonzero()[-1]))
    return at if ids is None else int(ids[at])
