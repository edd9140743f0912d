"""Puts token rows into a tree, reads each common beginning once, and adds up the log probabilities of each row.

The *stem*, with which all rows begin, is read together with the prompt. What follows it is read in one pass, in which each branch is a
sequence of its own behind a copy of the cache. A row ends in a token, or in ``END``: any token that ends a text.

    no END            stem: no            branches: (); sure
    no t sure END     read with the prompt: no     in the second pass: t sure

Branches are padded at their ends: no model attends to what follows. The last element of a row is never read. Knows no text.

>>> tree = RowTree([(5, END), (5, 7, 9, END), (5, 7, 8, END)])
>>> tree.stem, tree.branches
((5,), [(7, 8), (7, 9)])
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import torch

from rellm_agents.decoding.decisions.token_rows import Row
from rellm_agents.decoding.forward import ForwardPasses, Scores, common_length

END: Final = -1
"""In place of a token at the end of a row: any token that ends a text."""
MAX_TOKENS: Final = 512
"""Tokens of branches that are read in one pass, padding included."""
MAX_CACHE_BYTES: Final = 512 << 20
"""Of the copies of a cache behind which they are read."""


class RowTree:
    """Rows of tokens as a tree.

    Args:
        rows: none of them empty.
        has_stem: their common beginning is read by itself; else each branch is a whole row.

    Attributes:
        rows: as given.
        stem: the tokens with which all rows begin, but for the last element of each.
        branches: the tokens to be read behind the stem, each branch a row up to its last token that is read; none is the beginning of
            another.
        children: the elements that follow each beginning of a row.
    """

    def __init__(self, rows: Sequence[Row], *, has_stem: bool = True) -> None:
        self.rows = tuple(rows)
        low, high = min(row[:-1] for row in rows), max(row[:-1] for row in rows)
        self.stem: Row = low[: common_length(low, high)] if has_stem else ()
        read = sorted({row[len(self.stem) : -1] for row in rows} - {()})  # a beginning of another stands right before it
        self.children: dict[Row, set[int]] = {}
        for row in rows:
            for at, element in enumerate(row):
                self.children.setdefault(row[:at], set()).add(element)
        self.branches = [one for one, after in zip(read, [*read[1:], ()], strict=False) if after[: len(one)] != one]


@dataclass
class TreeReading:
    """The rows of one decision, in passes that have read what stands before them, the stem at last.

    Attributes:
        tree: the rows.
        number: of the sequence in the passes.
        passes: how many forward passes the branches were read in, once they are.
    """

    tree: RowTree
    number: int
    passes: int = 0


def log_probabilities(passes: ForwardPasses, scores: Scores, decisions: Sequence[TreeReading], end_ids: Sequence[int]) -> list[list[float]]:
    """The log probability of each row of some decisions, behind what was read before it.

    Args:
        passes: that have read the prompts and stems; they stay as they are.
        scores: of the last of these passes.
        decisions: where each begins.
        end_ids: ids of the tokens that end a text, whose probabilities are added.

    Returns:
        For each decision a value for each row of its tree: the sum over its elements.

    Raises:
        ScoresNotFinite: what the model scores is no number.
    """
    found: list[dict[Row, dict[int, float]]] = []
    for one in decisions:
        stem, children = one.tree.stem, one.tree.children
        places = {stem[:at]: (one.number, len(stem) - at) for at in range(len(stem) + 1)}
        scores.prepare(list(places.values()))
        found.append({node: _logs(scores, place, children[node], end_ids) for node, place in places.items()})
    for chunk in _chunks(passes, decisions):
        branched = passes.branched([decisions[which].number for which, _ in chunk])
        width = max(len(branch) for _, branch in chunk)
        read = branched.forward([(*branch, *[0] * (width - len(branch))) for _, branch in chunk], scored=width)
        new: dict[tuple[int, Row], tuple[int, int]] = {}
        for row, (which, branch) in enumerate(chunk):
            for at in range(len(branch)):
                node = decisions[which].tree.stem + branch[: at + 1]
                if node not in found[which]:
                    new.setdefault((which, node), (row, width - 1 - at))
        read.prepare(list(new.values()))
        for (which, node), place in new.items():
            found[which][node] = _logs(read, place, decisions[which].tree.children[node], end_ids)
        for which in {which for which, _ in chunk}:
            decisions[which].passes += 1
    return [
        [math.fsum(logs[row[:at]][row[at]] for at in range(len(row))) for row in one.tree.rows]
        for one, logs in zip(decisions, found, strict=True)
    ]


def _chunks(passes: ForwardPasses, decisions: Sequence[TreeReading]) -> Iterator[list[tuple[int, Row]]]:
    """The branches that are read in one pass, each with the index of its decision."""
    waiting = [(which, branch) for which, one in enumerate(decisions) for branch in one.tree.branches]
    waiting.sort(key=lambda one: len(one[1]))
    most, again = max(1, MAX_CACHE_BYTES // max(1, passes.bytes_per_sequence)), passes.read_again
    chunk: list[tuple[int, Row]] = []
    for one in waiting:
        if chunk and (len(chunk) >= most or (len(chunk) + 1) * (len(one[1]) + again) > MAX_TOKENS):
            yield chunk
            chunk = []
        chunk.append(one)
    if chunk:
        yield chunk


def _logs(scores: Scores, place: tuple[int, int], elements: set[int], end_ids: Sequence[int]) -> dict[int, float]:
    """The log probabilities of some elements, by the scores of all tokens at a place."""
    made = scores.all(*place)
    scores.check(float(made.max()))
    logs = torch.log_softmax(made.double(), dim=-1)
    return {one: float(torch.logsumexp(logs[list(end_ids)], dim=-1) if one == END else logs[one]) for one in elements}
