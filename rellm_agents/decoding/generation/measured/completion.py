"""Holds the record of a finished text: what was written, how it came to its end, and what was measured of it on demand.

Knows nothing of how any of it is found out.

>>> Completion("yes", (7,), 1, "accepted").closed_at is None
True
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from rellm_agents.decoding.generation.measured.measurements import LogProbability, TokenLogprobs
from rellm_agents.decoding.generation.measured.trace import Trace

Finish = Literal["accepted", "closed", "stopped"]


@dataclass(frozen=True)
class Completion:
    """The text that was written after one prompt.

    Attributes:
        text: the text, without the prompt and without the stop string it ended at.
        token_ids: the tokens of the text, without an end-of-text token.
        forward_passes: calls of the model this text took part in, the prompt's included.
        finish: ``"accepted"``: the model chose to end, or nothing could follow; ``"closed"``: close to the budget, a token that was
            likeliest was left out so that the text could be finished; ``"stopped"``: at a stop string.
        healed: the end of the prompt that the first of ``token_ids`` write once more, since a token spans it and the text.
        closed_parts: the named parts that their own budgets closed.
        prompt_tokens: tokens of the prompt, including those that are written once more.
        closed_at: where a token was left out for the first time so that the text ends within the budget, the JSON pointer of the value that
            was being written; ``"#"`` is the whole text. ``None``: no likeliest token was left out, so a greedy text is that of an endless
            budget; where tokens are drawn, less likely ones may have been left out.
        repeats: it was closed since it repeated itself, see ``max_repeats``, and not by its budget.
        subset_masks: how many of the masks that its tokens were chosen under may have missed tokens that fit: where a regex or a format
            asks for more states than are made. The text matches all the same; only its choice was smaller. Else 0.
        kept: measured on demand, like what follows. Before each token and a chosen end of the text the logarithm of the probability that
            the model gave to all allowed tokens together: 0 where the masks took nothing from it. Tokens that are forced behind the last
            choice have none, since no pass reads them.
        fields: for each value of the text, by its JSON pointer (``"#"`` is the whole), the sums of the log probabilities of the tokens that
            overlap it, as they are in ``logprobs``. A token that spans two values counts for both. The free sum is that of the tokens that
            have one, ``None`` if none has. What ends a number is a part of what follows it, not of the number.
        logprobs: of each token, and of a chosen end of the text.
        trace: how each token came about, and what the model wanted there; likewise of a chosen end.
    """

    text: str
    token_ids: tuple[int, ...]
    forward_passes: int
    finish: Finish
    healed: str = ""
    closed_parts: tuple[str, ...] = ()
    prompt_tokens: int = 0
    closed_at: str | None = None
    repeats: bool = False
    subset_masks: int = 0
    kept: tuple[float, ...] | None = None
    fields: Mapping[str, LogProbability] | None = None
    logprobs: tuple[TokenLogprobs, ...] | None = None
    trace: Trace | None = None
