"""Measures, while a text is written, how probable its tokens and its values are, in the passes that are made anyway.

The model's own, *free* log probability of a token is that among all tokens; its *masked* one is that among the tokens that the mask
allowed where it was chosen, before temperature, ``top_k`` and penalties. A token that nobody chose is certain under the mask: its masked
log probability is 0. Its free one is read off the pass that reads it; the forced tokens behind the last choice are read by none.

            {"kind": "   work      "}
    masked      0        -0.4     0          of two members of an enum the model prefers this one
    free       -2.1      -3.0     not read   by itself it would write something else

Here too is the record of a finished text. Knows nothing of JSON: a pattern tells where the values of a text stand.

>>> LogProbability(0.0, -2.5).masked
0.0
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import fsum
from typing import Literal, NamedTuple

import torch

from rellm_agents.decoding.forward import AllowedTokens
from rellm_agents.decoding.generation.options import Measure

MAX_LIKELIEST = 20
"""How many of the allowed tokens are noted with a token, the likeliest first: as many as may be asked for in OpenAI's API."""

Finish = Literal["accepted", "closed", "stopped"]

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
    """How a token came about; it is forced if nothing was chosen.

    Attributes:
        allowed: the tokens that were allowed.
        chosen: which of them was chosen: the token, or one that writes less of a text that is forced with it.
        whole: where it begins a literal that was chosen as a whole: the literal's log probability among those that could be; the tokens
            behind it are as forced.
    """

    allowed: AllowedTokens
    chosen: int | None = None
    whole: float | None = None


@dataclass
class _Token:
    """A token of a text, or its end, with all that is measured of it."""

    id: int
    choice: Choice | None
    masked: float = 0.0
    free: float | None = None
    kept: float = 0.0
    likeliest: tuple[tuple[int, float], ...] = ()


class Measurements:
    """What is measured of one text.

    Args:
        measure: what.

    Attributes:
        scored: how many of its tokens have been scored, from the first on.
    """

    def __init__(self, measure: Collection[Measure]) -> None:
        self._measure = frozenset(measure)
        self._tokens: list[_Token] = []
        self.scored = 0

    def __len__(self) -> int:
        """How many tokens have been noted."""
        return len(self._tokens)

    def add(self, token_id: int, choice: Choice) -> None:
        """Note a token of the text before it is scored."""
        self._tokens.append(_Token(token_id, choice))

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
        assert choice is not None
        token.free = float(logits[token.id] - total)
        if choice.whole is not None:
            token.masked = choice.whole
        elif choice.chosen is not None and _WITH_CHOICES & self._measure:
            token.masked = _log_probability(logits, choice.chosen, choice.allowed)
        is_told = "logprobs" in self._measure and (choice.chosen is not None or choice.whole is not None)
        if "kept" not in self._measure and not is_told:
            return
        masked = choice.allowed.apply_(logits.clone())
        among = torch.logsumexp(masked, dim=-1)
        token.kept = min(0.0, float(among - total))
        if is_told:
            values, ids = torch.topk(masked - among, min(MAX_LIKELIEST, choice.allowed.count))
            token.likeliest = tuple(zip(ids.tolist(), values.tolist(), strict=True))

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
