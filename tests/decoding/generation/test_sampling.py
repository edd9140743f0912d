"""A token is drawn from just those that the options leave, by its probability among them, however many of all tokens are sorted."""

from __future__ import annotations

import itertools

import pytest
import torch

from rellm_agents.decoding.generation import sampling
from rellm_agents.decoding.generation.sampling import pick

TOP_K, TOP_P, MIN_P = (None, 0, 1, 7, 300, 10**6), (None, 0.2, 0.9, 1.0), (None, 0.0, 0.02, 0.5)


def left(probabilities, top_k, top_p, min_p):
    """The tokens that are drawn from, the likeliest first, by the definitions of the options."""
    ordered = sorted(range(len(probabilities)), key=lambda one: -probabilities[one])
    kept, before = [], 0.0
    for one in ordered:
        if (
            (top_k and len(kept) >= top_k)
            or (top_p is not None and before >= top_p)
            or (min_p and probabilities[one] < min_p * probabilities[ordered[0]])
        ):
            break
        kept.append(one)
        before += probabilities[one]
    return kept


@pytest.mark.parametrize("first_sorted", [4, 256])
@pytest.mark.parametrize("size", [3, 600])
def test_it_is_drawn_from_the_tokens_that_are_left(monkeypatch, first_sorted, size):
    monkeypatch.setattr(sampling, "FIRST_SORTED", first_sorted)
    chance = torch.Generator().manual_seed(size)
    for number, (top_k, top_p, min_p) in enumerate(itertools.product(TOP_K, TOP_P, MIN_P)):
        scores = 2 * torch.randn(size, generator=chance)
        if number % 2:
            scores[torch.rand(size, generator=chance) < 0.6] = -torch.inf
            scores[0] = 1.0
        probabilities = torch.softmax((scores.double() - float(scores.max())) / 0.8, dim=0).tolist()
        kept = left(probabilities, top_k, top_p, min_p)
        in_turn = kept if top_k or top_p is not None or min_p else range(size)
        for seed in range(3):
            drawn = float(torch.rand((), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)) * sum(
                probabilities[one] for one in in_turn
            )
            sums = itertools.accumulate(probabilities[one] for one in in_turn)
            wanted = next(one for one, reached in zip(in_turn, sums, strict=True) if reached > drawn)
            options = {"top_k": top_k, "top_p": top_p, "min_p": min_p}
            assert pick(scores, None, temperature=0.8, generator=torch.Generator().manual_seed(seed), **options) == wanted
