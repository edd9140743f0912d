"""Decides among options behind prompts: several decisions together, in two forward passes where the model's cache permits.

The first pass reads what the prefix cache does not have of the prompts, each with the tokens that all its options begin with. The second
reads the rest of all options, each behind a copy of what was read of its prompt. What several prompts begin with is read once, in a pass
before. Knows neither patterns nor how a text is written.

>>> DecisionMaker.run.__name__
'run'
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from rellm_agents.decoding.decisions.decision import Decision
from rellm_agents.decoding.decisions.row_tree import END, RowTree, TreeReading, log_probabilities
from rellm_agents.decoding.decisions.token_rows import Row
from rellm_agents.decoding.forward import Fingerprint, ForwardPasses, PrefixCache, Scorer, begin


@dataclass(frozen=True)
class Reading:
    """What the options of a decision are read behind.

    Attributes:
        prompt: ids of the prompt.
        prefix: ids of the tokens before the options: the prompt's, but for those at its end that the rows write once more; or the token
            that a decoder begins with.
    """

    prompt: Sequence[int]
    prefix: Sequence[int]


@dataclass(frozen=True)
class DecisionRequest:
    """A decision that is asked for.

    Attributes:
        options: the texts.
        rows: for each option the rows of tokens that write it.
        reading: the prompt.
        empty: the empty input, where the decision is calibrated.
    """

    options: tuple[str, ...]
    rows: tuple[tuple[Row, ...], ...]
    reading: Reading
    empty: Reading | None = None


class DecisionMaker:
    """Makes decisions with one model.

    Args:
        scorer: runs the model.
        prefix_cache: what the model has read of recent texts.
        in_force: the fingerprint of the model.
        end_ids: ids of the tokens that end a text.
    """

    def __init__(self, scorer: Scorer, prefix_cache: PrefixCache, in_force: Fingerprint, end_ids: Sequence[int]) -> None:
        self._scorer, self._prefix_cache, self._in_force, self._end_ids = scorer, prefix_cache, in_force, end_ids

    @torch.inference_mode()
    def run(self, requests: Sequence[DecisionRequest]) -> list[Decision]:
        """The decisions of some requests."""
        jobs: list[tuple[RowTree, Reading]] = []
        for one in requests:
            tree = RowTree([(*row, END) for rows in one.rows for row in rows], has_stem=not self._scorer.has_encoder)
            jobs += [(tree, reading) for reading in (one.reading, one.empty) if reading is not None]
        most = self._scorer.max_rows
        found = iter([done for start in range(0, len(jobs), most) for done in self._read(jobs[start : start + most])])
        return [_decision(one, next(found), None if one.empty is None else next(found)) for one in requests]

    def _read(self, jobs: Sequence[tuple[RowTree, Reading]]) -> list[tuple[list[float], int]]:
        """For each job the log probability of each row, and how many forward passes it took part in."""
        texts = [[*reading.prefix, *tree.stem] for tree, reading in jobs]
        passes, read = self._begin([reading for _, reading in jobs])
        begun, tokens = passes.made, [ids[start:] for ids, start in zip(texts, read, strict=True)]
        scores = passes.forward(tokens, scored=1 + max(len(tree.stem) for tree, _ in jobs))
        trees = [TreeReading(tree, number) for number, (tree, _) in enumerate(jobs)]
        found = log_probabilities(passes, scores, trees, self._end_ids)
        if self._scorer.keeps_prompts:
            for number, ids in enumerate(texts):
                self._prefix_cache.keep(ids, passes.cache, number, passes.cache_positions(number), self._in_force)
        return [(logs, begun + 1 + tree.passes) for logs, tree in zip(found, trees, strict=True)]

    def _begin(self, readings: Sequence[Reading]) -> tuple[ForwardPasses, list[int]]:
        """Passes that have read a beginning of each prefix, and its length, which leaves one token at least."""
        if self._scorer.keeps_prompts:
            return begin(self._scorer, [list(one.prefix[:-1]) for one in readings], self._prefix_cache, self._in_force)
        encoded = self._scorer.encoded([one.prompt for one in readings]) if self._scorer.has_encoder else None
        return ForwardPasses(self._scorer, len(readings), encoded=encoded), [0] * len(readings)


def _decision(request: DecisionRequest, found: tuple[list[float], int], empty: tuple[list[float], int] | None) -> Decision:
    return Decision(
        request.options,
        _of_options(request.rows, found[0]),
        None if empty is None else _of_options(request.rows, empty[0]),
        forward_passes=max(found[1], empty[1] if empty else 0),
        prompt_tokens=len(request.reading.prompt),
    )


def _of_options(rows: Sequence[Sequence[Row]], logs: Sequence[float]) -> tuple[float, ...]:
    """The log probability of each option, by those of all rows."""
    found, at = [], 0
    for own in rows:
        part = logs[at : at + len(own)]
        at += len(own)
        most = max(part)
        found.append(most + math.log(math.fsum(math.exp(log - most) for log in part)))
    return tuple(found)
