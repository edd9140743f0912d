"""A decision: options, and how probable a model finds each of them, in all and among themselves.

>>> from math import log
>>> decision = Decision(("yes", "no", "not sure"), (log(0.06), log(0.03), log(0.01)))
>>> decision.best, {option: round(p, 2) for option, p in decision.probabilities.items()}
('yes', {'yes': 0.6, 'no': 0.3, 'not sure': 0.1})
>>> round(decision.margin, 2), round(decision.entropy, 2)
(0.3, 0.9)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from rellm_agents.caches import cached_property


@dataclass(frozen=True)
class Decision:
    """How probable a model finds each of some options behind a prompt.

    Attributes:
        options: the texts.
        log_probabilities: for each option, the natural logarithm of the probability that the model writes it behind the prompt, and then
            ends the text: of its canonical tokens, or of all rows of tokens that write it.
        empty_log_probabilities: the same behind an empty input, where the decision is calibrated; else ``None``.
        forward_passes: calls of the model that the decision took part in.
        prompt_tokens: tokens of the prompt.
    """

    options: tuple[str, ...]
    log_probabilities: tuple[float, ...]
    empty_log_probabilities: tuple[float, ...] | None = None
    forward_passes: int = 0
    prompt_tokens: int = 0

    @cached_property
    def probabilities(self) -> dict[str, float]:
        """The probability of each option among the options; of a calibrated decision, what the prompt adds to an empty input."""
        without = self.empty_log_probabilities or (0.0,) * len(self.options)
        logs = [log - empty for log, empty in zip(self.log_probabilities, without, strict=True)]
        most = max(logs)
        shares = [math.exp(log - most) for log in logs]
        total = math.fsum(shares)
        return {option: share / total for option, share in zip(self.options, shares, strict=True)}

    @property
    def best(self) -> str:
        """The most probable option; of equal ones the first."""
        return max(self.options, key=self.probabilities.__getitem__)

    @property
    def entropy(self) -> float:
        """The entropy of :attr:`probabilities` in nats: 0 where one option has all, the logarithm of their number where all are equal."""
        return -math.fsum(p * math.log(p) for p in self.probabilities.values() if p)

    @property
    def margin(self) -> float:
        """How much more probable the best option is than the second: from 0 to 1, and 1 where there is no second."""
        first, second = sorted((*self.probabilities.values(), 0.0), reverse=True)[:2]
        return first - second
