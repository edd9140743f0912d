"""Rows in, one forward pass after the other until all of them are written out: the decode loop, whatever chooses the tokens.

Each pass reads what is certain and not read yet, and drafts, which are kept if they turn out to be what is chosen. Knows neither
tokenizers nor options. A chooser is anything of this form; the one of :class:`Sampling` takes the likeliest token, or draws one.

>>> Sampling().temperature
0.0
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rellm_agents.decoding.generation.allowed_tokens import AllowedTokens, pick
from rellm_agents.decoding.generation.forward import Passes, Scores
from rellm_agents.decoding.generation.sequence import Row

Choose = Callable[[Row, Scores, int, int, AllowedTokens], int]
"""Chooses the next token of a row: the row, the scores of a pass, the row's number in them, how many places back from the last,
and the tokens that are allowed, at least two."""

Ended = Callable[[int, Row], None]
"""Is told of a row that has come to its end: its number in the passes, which still hold what was read of it, and the row."""


@dataclass(frozen=True)
class Sampling:
    """The usual ways to choose.

    Args:
        temperature: 0: greedy; else the scores are divided by it before a token is drawn.
        top_k: draw from this many likeliest tokens only.
        top_p: draw from the likeliest tokens only that have this much probability together.
    """

    temperature: float = 0.0
    top_k: int | None = None
    top_p: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < float("inf"):
            raise ValueError(f"temperature={self.temperature}: 0 for greedy, or a positive number")
        if self.top_k is not None and self.top_k < 1:
            raise ValueError(f"top_k={self.top_k}: at least 1, or None for all")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise ValueError(f"top_p={self.top_p}: above 0 and at most 1, or None for all")

    def __call__(self, row: Row, scores: Scores, number: int, back: int, allowed: AllowedTokens) -> int:
        """See :data:`Choose`."""
        made, ids = scores.of(number, back, allowed)
        return pick(made, ids, temperature=self.temperature, top_k=self.top_k, top_p=self.top_p, generator=row.generator)


def decode(passes: Passes, rows: list[Row], choose: Choose, ended: Ended | None = None) -> Iterator[None]:
    """Write rows to their ends. After each pass control goes back to the caller, who may end rows too.

    Args:
        passes: of a batch of just these rows.
        rows: ``fed`` says how many of its tokens each has in the cache.
        choose: chooses the tokens.
        ended: is told of each row that ends by itself, before the caller can see that it has.
    """
    is_first = True
    while True:
        going = [i for i, row in enumerate(rows) if not row.is_settled]
        if not going:
            return
        if len(going) < len(rows) and passes.lets_go:
            rows = [rows[i] for i in going]
            passes.select(going)
            going = list(range(len(rows)))
        scores = _read(passes, rows, is_first=is_first)
        is_first = False
        _choose(passes, scores, [(i, row) for i, row in enumerate(rows) if row.fed == len(row.known) and not row.is_settled], choose)
        for i in going:
            if ended and rows[i].is_settled:
                ended(i, rows[i])
        yield


def _read(passes: Passes, rows: list[Row], *, is_first: bool) -> Scores:
    """One forward pass: what is certain and not read yet, and drafts.

    The rows of a batch read as many tokens as the one that has the fewest, so that none is filled up; only in the first pass are they.
    """
    going = [row for row in rows if not row.is_settled]
    for row in going:
        if passes.begins_embedded or not passes.leaves_out:
            row.drafts = []
    width = min(len(row.known) - row.fed + len(row.drafts) for row in going)
    tokens: list[list[int]] = []
    for row in rows:
        if row.is_settled:
            tokens.append([])
            continue
        count = width
        if passes.begins_embedded:
            count = 0
        elif is_first and passes.leaves_out:
            count = len(row.known) - row.fed + len(row.drafts)
        elif is_first and len(rows) > 1:
            count = len(row.begin) - row.fed
        new = row.known[row.fed : row.fed + count]
        row.drafts = row.drafts[: count - len(new)]
        tokens.append([*new, *row.drafts])
        row.fed += len(new)
        row.forward_passes += 1
    return passes.feed(tokens, kept=1 + max(len(row.drafts) for row in going))


def _choose(passes: Passes, scores: Scores, rows: list[tuple[int, Row]], choose: Choose) -> None:
    """Let rows choose their next tokens."""
    drafts = {row: len(row.drafts) for _, row in rows}
    scores.prepare([(i, drafts[row]) for i, row in rows if not scores.few(row.allowed())])
    for i, row in rows:

        def chosen(at: int, allowed: AllowedTokens, i: int = i, row: Row = row) -> int:
            only = allowed.only()
            return choose(row, scores, i, drafts[row] - at, allowed) if only is None else only

        passes.leave_out(i, row.take(chosen))
