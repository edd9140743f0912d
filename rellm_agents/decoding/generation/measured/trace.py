"""Holds the trace of a text: of each token how it came about, what the model wanted there, and what the mask left of that.

    {"city": "     forced     the pattern forces it; only a full trace says what the model wanted
    Oslo           closing    the model wanted "London", which the budget does not hold
    "}             drafted    read before it was chosen, and it is what the model chooses

Knows neither models nor masks, nor how a trace is shown.

>>> token = TracedToken(7, b"Oslo", "chosen", "#/city", tokens_left=9, allowed=2, kept=-0.5, free=-1.5, masked=-1.0)
>>> round(token.removed, 2), token.fought
(0.39, False)
>>> Trace((token,), forward_passes=1).summary()["chosen"]
1
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import exp
from typing import Any, Literal, get_args

Origin = Literal["chosen", "drafted", "forced", "closing"]

MAX_BEST = 10
"""How many of the model's likeliest tokens are noted with a token."""


@dataclass(frozen=True)
class Candidate:
    """One of the tokens that the model finds likeliest at a place.

    Attributes:
        token_id: the token.
        data: its bytes; of a special token those of its name.
        free: its log probability among all tokens.
        masked: that among the allowed tokens; ``None`` if the mask forbids it.
    """

    token_id: int
    data: bytes
    free: float
    masked: float | None


@dataclass(frozen=True)
class TracedToken:
    """One token of a text, or its end.

    Attributes:
        token_id: the token.
        data: its bytes; none if it is the end of the text.
        origin: how it came about. ``"chosen"``: by the model, among all that may be written there. ``"drafted"``: likewise, but it had been
            read before, as a draft, so it cost no pass of its own. ``"forced"``: nothing else could follow, so nobody chose it.
            ``"closing"``: it was chosen, but the budget had taken away the token that would have been.
        place: where it begins: the JSON pointer of the value, or the part of a format, that is written there; ``"#"`` is the whole text.
        tokens_left: of the budget, this one included.
        allowed: how many tokens the mask allowed; ``None`` if it was not asked, as for what is forced.
        kept: the logarithm of the probability that the model gave to all allowed tokens together; ``None`` likewise.
        free: its log probability among all tokens; ``None`` likewise.
        masked: that among the allowed tokens; 0 for what is forced.
        best: the model's likeliest tokens, allowed or not, the likeliest first; none where none were looked at.
    """

    token_id: int
    data: bytes
    origin: Origin
    place: str
    tokens_left: int
    allowed: int | None = None
    kept: float | None = None
    free: float | None = None
    masked: float = 0.0
    best: tuple[Candidate, ...] = ()

    @property
    def removed(self) -> float | None:
        """The probability that the mask took from the model, from 0 to 1; ``None`` where that was not measured."""
        return None if self.kept is None else 1.0 - exp(self.kept)

    @property
    def fought(self) -> bool:
        """Whether the token that the model found likeliest was not allowed."""
        return bool(self.best) and self.best[0].masked is None


@dataclass(frozen=True)
class Trace:
    """How a text came about.

    Attributes:
        tokens: of the text, and of a chosen end.
        forward_passes: calls of the model that this text took part in.
        drafts: tokens that were read before they were chosen, since they might follow.
        accepted_drafts: how many of them do.
        mask_seconds: of wall time that went into masks, and into what they force.
        seconds: of wall time from its beginning to its last token.
    """

    tokens: tuple[TracedToken, ...]
    forward_passes: int
    drafts: int = 0
    accepted_drafts: int = 0
    mask_seconds: float = 0.0
    seconds: float = 0.0

    def summary(self) -> dict[str, Any]:
        """The trace in a few plain values.

        Returns:
            How many tokens have each origin, by its name; ``fought``: at how many places the model's likeliest token was not allowed;
            ``removed``: the greatest probability that a mask took from the model, and ``removed_at``, the place of that;
            ``forward_passes``, ``drafts``, ``accepted_drafts``, ``mask_ms`` and ``ms``.
        """
        counts = Counter(one.origin for one in self.tokens)
        most = max(self.tokens, key=lambda one: one.removed or 0.0, default=None)
        return {
            **{origin: counts[origin] for origin in get_args(Origin)},
            "fought": sum(one.fought for one in self.tokens),
            "removed": round((most and most.removed) or 0.0, 6),
            "removed_at": most.place if most and most.removed else None,
            "forward_passes": self.forward_passes,
            "drafts": self.drafts,
            "accepted_drafts": self.accepted_drafts,
            "mask_ms": round(1e3 * self.mask_seconds, 3),
            "ms": round(1e3 * self.seconds, 3),
        }
