"""Chooses one of the tokens that are allowed: the likeliest, or one that is drawn by its probability; and changes scores before.

Knows neither patterns nor sequences. A token is drawn by inversion of the cumulated probabilities, since ``torch.multinomial`` takes
milliseconds over a whole vocabulary.

>>> pick(torch.tensor([0.0, 3.0]), torch.tensor([5, 7]))
7
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch

FIRST_SORTED, FURTHER_SORTED = 256, 8
"""Tokens that are sorted at first, and how many times as many if these do not suffice."""


def pick(
    scores: torch.Tensor,
    ids: torch.Tensor | None,
    *,
    temperature: float = 0.0,
    top_k: int | None = None,
    top_p: float | None = None,
    min_p: float | None = None,
    generator: torch.Generator | None = None,
) -> int:
    """One of some tokens.

    Args:
        scores: float[n], on the CPU; not changed.
        ids: int64[n], of the tokens; ``None``: 0, 1, ...
        temperature: 0: the most likely token; else the scores are divided by it and one is drawn.
        top_k: draw from the ``top_k`` most likely tokens only; 0 is all.
        top_p: draw from the fewest tokens whose probabilities add up to ``top_p`` or more.
        min_p: draw from tokens only that have at least this part of the probability of the likeliest.
        generator: the source of chance, on the CPU.
    """
    if temperature <= 0:
        at = int(scores.argmax())
    else:
        at = _drawn((scores.double() - float(scores.max())) / float(temperature), top_k, top_p, min_p, generator)
    return at if ids is None else int(ids[at])


def biased(scores: torch.Tensor, ids: torch.Tensor | None, bias: Mapping[int, float]) -> torch.Tensor:
    """Scores with a number added to those of some tokens.

    Args:
        scores: float[n], on the CPU; not changed.
        ids: int64[n], of the tokens, ascending; ``None``: 0, 1, ...
        bias: by token id; tokens that have no score are left out.

    >>> biased(torch.tensor([0.0, 3.0]), torch.tensor([5, 7]), {5: 4.0, 6: 1.0})
    tensor([4., 3.])
    """
    found = _positions(len(scores), ids, bias)
    changed = scores.clone()
    changed[list(found.values())] += torch.tensor([bias[one] for one in found], dtype=scores.dtype)
    return changed


def penalized(
    scores: torch.Tensor, ids: torch.Tensor | None, counts: Mapping[int, int], *, repetition: float, presence: float, frequency: float
) -> torch.Tensor:
    """Scores that are worse for tokens that have been written.

    Args:
        scores: float[n], on the CPU; not changed.
        ids: int64[n], of the tokens, ascending; ``None``: 0, 1, ...
        counts: how often each token has been written; tokens that have no score are left out.
        repetition: scores are divided by it, or multiplied where they are negative (Keskar et al. 2019, "CTRL").
        presence: is subtracted from them.
        frequency: likewise, as often as the token has been written.

    >>> penalized(torch.tensor([6.0, -3.0, 1.0]), None, {0: 2, 1: 1}, repetition=2.0, presence=0.5, frequency=0.25)
    tensor([ 2.0000, -6.7500,  1.0000])
    """
    found = _positions(len(scores), ids, counts)
    at = list(found.values())
    changed, old = scores.clone(), scores[at]
    written = torch.tensor([counts[one] for one in found], dtype=scores.dtype)
    changed[at] = torch.where(old < 0, old * repetition, old / repetition) - presence - frequency * written
    return changed


def _positions(size: int, ids: torch.Tensor | None, wanted: Iterable[int]) -> dict[int, int]:
    """Where the scores of tokens stand, of those that have one."""
    if ids is None:
        return {one: one for one in wanted if one < size}
    ordered = list(wanted)
    places = torch.searchsorted(ids, torch.tensor(ordered, dtype=ids.dtype)).tolist()
    return {one: at for one, at in zip(ordered, places, strict=True) if at < size and int(ids[at]) == one}


def _drawn(scores: torch.Tensor, top_k: int | None, top_p: float | None, min_p: float | None, generator: torch.Generator | None) -> int:
    probabilities, ids = torch.softmax(scores, dim=0), None
    if top_k or top_p is not None or min_p:
        probabilities, ids = _likeliest(probabilities, top_k or len(probabilities), 1.0 if top_p is None else top_p, min_p or 0.0)
    cumulated = probabilities.cumsum(0)
    drawn = torch.rand((), generator=generator, dtype=torch.float64) * cumulated[-1]
    at = int(torch.searchsorted(cumulated, drawn, right=True))
    if at == len(cumulated):  # by rounding
        at = int(probabilities.nonzero()[-1])
    return at if ids is None else int(ids[at])


def _likeliest(probabilities: torch.Tensor, top_k: int, top_p: float, min_p: float) -> tuple[torch.Tensor, torch.Tensor]:
    """The probabilities of the tokens that are drawn from, the likeliest first, and their places; as few as possible are sorted."""
    size = min(FIRST_SORTED, len(probabilities))
    while True:
        ordered, order = probabilities.topk(size)
        kept = min(top_k, int((ordered.cumsum(0) < top_p).sum()) + 1, int((ordered >= min_p * ordered[0]).sum()))
        if kept < size or kept == top_k or size == len(probabilities):
            return ordered[:kept], order[:kept]
        size = min(FURTHER_SORTED * size, len(probabilities))
