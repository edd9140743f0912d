"""Measures, while a text is written, how probable its tokens and its values are, in the passes that are made anyway.

The model's own, *free* log probability of a token is that among all tokens; its *masked* one is that among the tokens that the mask
allowed where it was chosen, before temperature, ``top_k`` and penalties. A token that nobody chose is certain under the mask: its masked
log probability is 0. Its free one is read off the pass that reads it; the forced tokens behind the last choice are read by none.

            {"kind": "   work      "}
    masked      0        -0.4     0          of two members of an enum the model prefers this one
    free       -2.1      -3.0     not read   by itself it would write something else

A trace measures only the tokens that were chosen, whose scores are computed anyway; all else measures forced ones too. Knows nothing of
JSON: a pattern tells where the values of a text stand.

>>> LogProbability(0.0, -2.5).masked
0.0
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import fsum
from time import perf_counter
from typing import NamedTuple

import torch

from rellm_agents.decoding.forward import AllowedTokens
from rellm_agents.decoding.generation.measured.trace import MAX_BEST, Candidate, Origin, Trace, TracedToken
from rellm_agents.decoding.generation.options import Measure

MAX_LIKELIEST = 20
"""How many of the allowed tokens are noted with a token, the likeliest first: as many as may be asked for in OpenAI's API."""

_WITH_CHOICES = frozenset({"fields", "logprobs", "trace", "full_trace"})  # where it counts how probable a choice was
_OF_TRACES = frozenset({"trace", "full_trace"})


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
        allowed: the tokens that were allowed; ``None`` where they count for nothing.
        chosen: which of them was chosen: the token, or one that writes less of a text that is forced with it.
        whole: where it begins a literal that was chosen as a whole: the literal's log probability among those that could be; the tokens
            behind it are as forced.
        origin: what a trace calls it.
    """

    allowed: AllowedTokens | None
    chosen: int | None = None
    whole: float | None = None
    origin: Origin = "forced"


@dataclass
class _Token:
    """A token of a text, or its end, with all that is measured of it."""

    id: int
    choice: Choice | None
    origin: Origin
    tokens_left: int
    part: str | None
    masked: float = 0.0
    free: float | None = None
    kept: float = 0.0
    likeliest: tuple[tuple[int, float], ...] = ()
    allowed: int | None = None
    best: tuple[tuple[int, float, float | None], ...] = ()


class Measurements:
    """What is measured of one text.

    Args:
        measure: what.

    Attributes:
        traces: whether a trace is wanted.
        scores_forced: whether tokens are scored that nobody chose.
        drafts: how many tokens were read before they were chosen, for a trace.
        accepted_drafts: how many of them were committed.
    """

    def __init__(self, measure: Collection[Measure]) -> None:
        self._measure = frozenset(measure)
        self.traces = bool(self._measure & _OF_TRACES)
        self.scores_forced = bool(self._measure - {"trace"})
        self._tokens: list[_Token] = []
        self._scored = 0
        self.drafts = self.accepted_drafts = 0
        self._started = self._ended = perf_counter()
        self._mask_seconds, self._watches = 0.0, 0

    def __len__(self) -> int:
        """How many tokens have been noted."""
        return len(self._tokens)

    @property
    def scored(self) -> int:
        """How many tokens, from the first on, wait for no scores: they have been scored, or need not be."""
        while self._scored < len(self._tokens) and not self._waits(self._tokens[self._scored]):
            self._scored += 1
        return self._scored

    def waiting(self, end: int) -> list[int]:
        """The numbers of tokens that wait for scores, of those before ``end``."""
        return [at for at in range(self.scored, min(end, len(self))) if self._waits(self._tokens[at])]

    def _waits(self, token: _Token) -> bool:
        choice = token.choice
        return choice is not None and (self.scores_forced or choice.chosen is not None or choice.whole is not None)

    @contextmanager
    def masking(self) -> Iterator[None]:
        """Count the time inside as that of masks, once where one is inside another."""
        started, self._watches = perf_counter(), self._watches + 1
        try:
            yield
        finally:
            self._watches -= 1
            if not self._watches:
                self._mask_seconds += perf_counter() - started

    def add(self, token_id: int, choice: Choice, *, tokens_left: int, part: str | None) -> None:
        """Note a token of the text before it is scored.

        Args:
            token_id: the token.
            choice: how it came about.
            tokens_left: of the budget, this one included.
            part: the part of a format that it begins in.
        """
        self._tokens.append(_Token(token_id, choice, choice.origin, tokens_left, part))
        self._ended = perf_counter()

    def count_drafts(self, read: int, rejected: int) -> None:
        """Count tokens that were read before they were chosen, and those of them that were not chosen."""
        self.drafts += read
        self.accepted_drafts += read - rejected

    def truncate(self, count: int) -> None:
        """Forget all tokens but the first."""
        del self._tokens[count:]

    def score(self, logits: torch.Tensor) -> None:
        """Measure the next token that waits for it.

        Args:
            logits: float[>= V], of the model after all tokens before it.
        """
        token = self._tokens[self.scored]
        logits = logits.float()
        total = torch.logsumexp(logits, dim=-1)
        choice, token.choice = token.choice, None  # masks need not live on
        assert choice is not None
        token.free = float(logits[token.id] - total)
        is_chosen = choice.chosen is not None or choice.whole is not None
        if choice.whole is not None:
            token.masked = choice.whole
        lists = "logprobs" in self._measure and is_chosen
        if choice.allowed is None or not (lists or {"kept", *_OF_TRACES} & self._measure or (_WITH_CHOICES & self._measure and is_chosen)):
            return
        among = _total(logits, choice.allowed)
        if choice.chosen is not None and _WITH_CHOICES & self._measure:
            token.masked = min(0.0, float(logits[choice.chosen] - among)) if choice.allowed.count > 1 else 0.0
        token.kept = min(0.0, float(among - total))
        if lists:
            values, ids = torch.topk(choice.allowed.apply_(logits.clone()) - among, min(MAX_LIKELIEST, choice.allowed.count))
            token.likeliest = tuple(zip(ids.tolist(), values.tolist(), strict=True))
        if self.traces:
            token.allowed = choice.allowed.count
            values, ids = torch.topk(logits[: choice.allowed.size] - total, min(MAX_BEST, choice.allowed.size))
            token.best = tuple(
                (one, free, min(0.0, free - token.kept) if choice.allowed.allows(one) else None)
                for one, free in zip(ids.tolist(), values.tolist(), strict=True)
            )

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
        return {name: self._sum(begins, start, end) for name, (start, end) in _in_bytes(spans, text).items()}

    def _sum(self, begins: Sequence[int], start: int, end: int) -> LogProbability:
        inside = [one for i, one in enumerate(self._tokens[: len(begins) - 1]) if begins[i] < end and begins[i + 1] > start]
        free = [one.free for one in inside if one.free is not None]
        return LogProbability(fsum(one.masked for one in inside), fsum(free) if free else None)

    def trace(
        self,
        start: int,
        spans: Mapping[str, tuple[int, int]],
        text: str,
        begins: Sequence[int],
        bytes_of: Callable[[int], bytes],
        *,
        forward_passes: int,
    ) -> Trace | None:
        """The trace of all tokens but the first; ``None`` if it was not asked for.

        Args:
            start: how many tokens are left out.
            spans: as for :meth:`fields`.
            text: likewise.
            begins: likewise.
            bytes_of: tells what a token writes.
            forward_passes: that the text took part in.
        """
        if not self.traces:
            return None
        values = sorted(_in_bytes(spans, text).items(), key=lambda one: one[1][0] - one[1][1])  # inner ones behind outer ones

        def traced(at: int, one: _Token) -> TracedToken:
            begin = begins[min(at, len(begins) - 1)]
            around = [name for name, (first, last) in values if first <= begin < last]
            place = around[-1] if len(around) > 1 or (around and one.part is None) else one.part or "#"
            best = tuple(Candidate(id_, bytes_of(id_), free, masked) for id_, free, masked in one.best)
            kept = None if one.allowed is None else one.kept
            data = bytes_of(one.id) if at < len(begins) - 1 else b""  # else it is the end of the text
            return TracedToken(one.id, data, one.origin, place, one.tokens_left, one.allowed, kept, one.free, one.masked, best)

        tokens = tuple(traced(at, one) for at, one in enumerate(self._tokens[start:], start))
        seconds = self._ended - self._started
        return Trace(tokens, forward_passes, self.drafts, self.accepted_drafts, self._mask_seconds, seconds)


def _in_bytes(spans: Mapping[str, tuple[int, int]], text: str) -> dict[str, tuple[int, int]]:
    """Where values stand in a text, in bytes."""
    return {name: (len(text[:start].encode()), len(text[:end].encode())) for name, (start, end) in spans.items()}


def _total(logits: torch.Tensor, allowed: AllowedTokens) -> torch.Tensor:
    """The logarithm of the sum of all allowed tokens' exponentials, float[], from the logits of all tokens, float[>= V]."""
    others = logits[allowed.ids.to(logits.device)] if allowed.keeps_few else allowed.apply_(logits.clone())
    return torch.logsumexp(others, dim=-1)
