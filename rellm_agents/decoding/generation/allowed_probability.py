"""A text that was written in, what its pattern took from the model at each step out.

A mask leaves the model some of its probability and takes the rest. How much it left says how far the constraint has bent what the
model would have written.
"""

from __future__ import annotations

import torch

from rellm_agents.decoding.generation.allowed_tokens import AllowedTokens
from rellm_agents.decoding.generation.forward import Passes
from rellm_agents.decoding.generation.sequence import Row


def log_kept(passes: Passes, row: Row) -> tuple[float, ...]:
    """For each of ``row.steps`` the logarithm of the probability that the model gives to all tokens that are allowed there.

    Args:
        passes: of a batch of one, which has read nothing.
        row: written to its end.
    """
    count, size = len(row.steps), row.masks.vocabulary.size
    if not count:
        return ()
    added = len(row.steps) - (row.end_id is not None)
    scores = passes.feed([row.known], kept=added + 1)
    found = []
    for at, (state, tokens_left) in enumerate(row.steps):
        logs = torch.log_softmax(scores.all(0, added - at).float(), dim=-1)
        allowed = AllowedTokens.of(row.masks.bits(state, tokens_left), size)
        found.append(min(0.0, float(torch.logsumexp(allowed.apply_(logs), dim=-1))))
    return tuple(found)
