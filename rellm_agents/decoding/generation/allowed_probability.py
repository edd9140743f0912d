"""Measures how much probability a pattern leaves to the model at each step of a text that was written.

A mask leaves the model some of its probability and takes the rest. How much it left says how far the constraint has bent the text away
from the one that the model would have written.

>>> allowed_log_probabilities.__name__
'allowed_log_probabilities'
"""

from __future__ import annotations

import torch

from rellm_agents.decoding.forward import ForwardPasses
from rellm_agents.decoding.generation.sequence import TextSequence


def allowed_log_probabilities(passes: ForwardPasses, sequence: TextSequence) -> tuple[float, ...]:
    """The logarithm of the probability that the model gives to all allowed tokens together, for each entry of ``sequence.history``.

    Args:
        passes: of a batch of one, which has read nothing.
        sequence: finished.
    """
    count = len(sequence.history)
    if not count:
        return ()
    added = count - (sequence.end_id is not None)
    scores = passes.forward([sequence.committed], scored=added + 1)
    found = []
    for at, allowed in enumerate(sequence.history):
        logs = torch.log_softmax(scores.all(0, added - at).float(), dim=-1)
        found.append(min(0.0, float(torch.logsumexp(allowed.apply_(logs), dim=-1))))
    return tuple(found)
