"""Measures, while a text is written, how probable its tokens and its values are, in the passes that are made anyway.

The model's own, *free* log probability of a token is that among all tokens; its *masked* one is that among the tokens that the mask
allowed where it was chosen, before temperature, ``top_k`` and penalties. A token that nobody chose is certain under the mask: its masked
log probability is 0. Its free one is read off the pass that reads it; the forced tokens behind the last choice are read by none.

            {"kind": "   work      "}
    masked      0        -0.4     0          of two members of an enum the model prefers this one
    free       -2.1      -3.0     not read   by itself it would write something else

Knows nothing of JSON: a pattern tells where the values of a text stand.

>>> LogProbability(0.0, -2.5).masked
0.0
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import fsum
from typing import NamedTuple

import torch

from rellm_agents.decoding.forward import AllowedTokens
from rellm_agents.decoding.generation.options import Measure
from rellm_agents.decoding.spelling import TokenMasks
from rellm_agents.patterns.machine import State

MAX_LIKELIEST = 20
"""How many of the allowed tokens are noted with a token, the likeliest first: as many as may be asked for in OpenAI's API."""

_WITH_CHOICES = frozenset({"fields", "logprobs"})  # where it counts how probable a choice was


class LogProbability(NamedTuple):
    """The logarithm of a probability.

    Attributes:
        masked: under the mask.
        free: without any; ``None`` if no pass has read what it would follow.
    """

    masked: float
    free: float | None


@dataclass(frozen=True)
class TokenLogprobs:
    """How probable one token of a text was.

    Attributes:
        token_id: the token.
        masked: the log probability of choosing it among the allowed tokens; 0 if it is forced.
        free: its log probability among all tokens; ``None`` if no pass has read the tokens before it.
        likeliest: the likeliest of the allowed tokens with their masked log probabilities; none if it is forced.
    """

    token_id: int
    masked: float
    free: float | None
    likeliest: tuple[tuple[int, float], ...] = ()


class Choice(NamedTuple):
    """How a token was chosen.

    Attributes:
        allowed: the tokens that the mask allowed.
        steps: tokens that were chosen, and among which. One; or several, where the tokenizer writes the text of a chosen token with a
            longer one, which is chosen next. Tokens that the tokenizer would not write there are left out, once they were refused.
        whole: instead of steps, where it begins a literal that was chosen as a whole: the literal's log probability among those that could
            be; the tokens behind it are as forced.
    """

    allowed: AllowedTokens
    steps: tuple[tuple[int, AllowedTokens], ...] = ()
    whole: float = 0.0


@dataclass
class _Token:
    """A token of a text, or its end, with all that is measured of it."""

    id: int
    state: State
    tokens_left: int
    choice: Choice | None
    masked: float = 0.0
    free: float | None = None
    kept: float = 0.0
    likeliest: tuple[tuple[int, float], ...] = ()


class Measurements:
    """What is measured of one text.

    Args:
        measure: what.
        masks: of its pattern.

    Attributes:
        scored: how many of its tokens have been scored, from the first on.
    """

    def __init__(self, measure: Collection[Measure], masks: TokenMasks) -> None:
        self._measure, self._masks = frozenset(measure), masks
        self._tokens: list[_Token] = []
        self.scored = 0

    def __len__(self) -> int:
        """How many tokens have been noted."""
        return len(self._tokens)

    def add(self, token_id: int, state: State, tokens_left: int, choice: Choice | None) -> None:
        """Note a token before it is scored.

        Args:
            token_id: of the text.
            state: before it.
            tokens_left: before it.
            choice: of which it came; ``None``: it is forced.
        """
        self._tokens.append(_Token(token_id, state, tokens_left, choice))

    def truncate(self, count: int) -> None:
        """Forget all tokens but the first."""
        del self._tokens[count:]

    def score(self, logits: torch.Tensor) -> None:
        """Measure the next token.

        Args:
            logits: float[>= V], of the model after all tokens before it.
        """
        token = self._tokens[self.scored]
        self.scored += 1
        logits = logits.float()
        total = torch.logsumexp(logits, dim=-1)
        choice, token.choice = token.choice, None  # masks need not live on
        token.free = float(logits[token.id] - total)
        if choice and _WITH_CHOICES & self._measure:
            token.masked = fsum([choice.whole, *(_log_probability(logits, *step) for step in choice.steps)])
        if "kept" not in self._measure and (choice is None or "logprobs" not in self._measure):
            return
        allowed = choice.allowed if choice else self._allowed(token)
        masked = allowed.apply_(logits.clone())
        among = torch.logsumexp(masked, dim=-1)
        token.kept = min(0.0, float(among - total))
        if choice and "logprobs" in self._measure:
            values, ids = torch.topk(masked - among, min(MAX_LIKELIEST, allowed.count))
            token.likeliest = tuple(zip(ids.tolist(), values.tolist(), strict=True))

    def _allowed(self, token: _Token) -> AllowedTokens:
        """The tokens that pattern and budget allowed where a forced one stands.

        Forced tokens are within the budget together: half way, what is left may be less than the masks count on, which then say nothing.
        """
        masks, left = self._masks, token.tokens_left
        bits = masks.bits(token.state, left if masks.tokens_needed(token.state) <= left else None)
        return AllowedTokens.of(bits, masks.vocabulary.size)

    def kept(self, start: int) -> tuple[float, ...] | None:
        """See :class:`Completion`; without the first tokens. ``None`` if it was not asked for."""
        if "kept" not in self._measure:
            return None
        return tuple(one.kept for one in self._tokens[start : self.scored])

    def logprobs(self, start: int) -> tuple[TokenLogprobs, ...] | None:
        """As :meth:`kept`."""
        if "logprobs" not in self._measure:
            return None
        return tuple(TokenLogprobs(one.id, one.masked, one.free, one.likeliest) for one in self._tokens[start:])

    def fields(self, spans: Mapping[str, tuple[int, int]], text: str, begins: Sequence[int]) -> dict[str, LogProbability] | None:
        """The sums over the tokens that overlap each value; ``None`` if they were not asked for.

        Args:
            spans: where the values stand in the text, in characters.
            text: that was written.
            begins: where each token begins in it, in bytes, and where the last one ends; below 0 before the text.
        """
        if "fields" not in self._measure:
            return None
        return {name: self._sum(begins, len(text[:start].encode()), len(text[:end].encode())) for name, (start, end) in spans.items()}

    def _sum(self, begins: Sequence[int], start: int, end: int) -> LogProbability:
        inside = [one for i, one in enumerate(self._tokens[: len(begins) - 1]) if begins[i] < end and begins[i + 1] > start]
        free = [one.free for one in inside if one.free is not None]
        return LogProbability(fsum(one.masked for one in inside), fsum(free) if free else None)


def _log_probability(logits: torch.Tensor, token_id: int, allowed: AllowedTokens) -> float:
    """The log probability of a token among others, from the logits of all, float[>= V]."""
    if allowed.count == 1:
        return 0.0
    others = logits[allowed.ids.to(logits.device)] if allowed.keeps_few else allowed.apply_(logits.clone())
    return min(0.0, float(logits[token_id] - torch.logsumexp(others, dim=-1)))
