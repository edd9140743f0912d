"""Begins a batch: what is kept of its texts is taken from the prefix cache, and what several of them begin with is read once.

A pass costs what its padded batch holds: so many rows, each as wide as the longest. Texts that begin alike are one row of a pass before,
beside the texts that begin like no other, and all go on from there. It is made where it saves tokens. Only for models that mask out: what
others have read cannot be cut after a beginning and copied to other rows.

    pass 1   the tools, the examples, Question:     one row
    pass 2     how many?   which of them?   ...     a row for each

>>> [(one.members, one.length) for one in _groups([[1, 2, 3, 4], [7], [1, 2, 3, 5]], share=0.5)]
[([0, 2], 3), ([1], 1)]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rellm_agents.decoding.forward.fingerprint import Fingerprint
from rellm_agents.decoding.forward.passes import ForwardPasses
from rellm_agents.decoding.forward.prefix_cache import Prefix, PrefixCache, common_length
from rellm_agents.decoding.forward.scorer import Scorer

MIN_SAVED: Final = 32
"""Tokens that have to be saved for common beginnings to be read in a pass of their own."""
SHARES: Final = (0.75, 0.5, 0.25, 0.0)
"""What part of each text its group has to begin with alike: each is tried, and the cheapest taken."""


@dataclass
class _Group:
    """Texts that begin alike.

    Attributes:
        members: their numbers.
        length: how many tokens they begin with alike; of a single text all.
    """

    members: list[int]
    length: int


def begin(scorer: Scorer, texts: Sequence[list[int]], kept: PrefixCache, in_force: Fingerprint) -> tuple[ForwardPasses, list[int]]:
    """The passes of a batch that have read a beginning of each text.

    Args:
        scorer: of a model that masks out.
        texts: ids that may be read before the first scores are asked for.
        kept: what was read of earlier texts.
        in_force: the fingerprint of the model.

    Returns:
        The passes, whose ``made`` counts one that has read common beginnings; and how many tokens of each text were read.
    """
    read = [kept.find(ids, in_force) for ids in texts]
    plans = [[], *(groups for share in SHARES if _saved(groups := _groups(texts, share), read) >= MIN_SAVED)]
    plan, made = min(plans, key=lambda groups: _cost(texts, read, groups)), 0
    if plan:
        read, made = _read_once(scorer, texts, read, plan)
    passes = _going_on(scorer, read)
    passes.made = made
    return passes, [one.length for one in read]


def _groups(texts: Sequence[list[int]], share: float) -> list[_Group]:
    """All texts in groups, each of which begins alike for a part of its longest text at least."""
    groups: list[_Group] = []
    for number in sorted(range(len(texts)), key=texts.__getitem__):
        if groups:
            last = groups[-1]
            length = min(last.length, common_length(texts[last.members[-1]], texts[number]))
            if length >= share * max(len(texts[one]) for one in (*last.members, number)):
                last.members.append(number)
                last.length = length
                continue
        groups.append(_Group([number], len(texts[number])))
    return groups


def _saved(groups: Sequence[_Group], read: Sequence[Prefix]) -> int:
    """How many tokens are read once instead of once for each text of a group."""
    return sum(max(0, group.length - read[one].length) for group in groups for one in group.members[1:])


def _cost(texts: Sequence[list[int]], read: Sequence[Prefix], groups: Sequence[_Group]) -> int:
    """How many tokens the passes read, padding included, if beginnings of groups are read first."""
    lengths = [one.length for one in read]
    first = [new for group in groups if (new := group.length - read[group.members[0]].length) > 0]
    for group in groups:
        for number in group.members:
            lengths[number] = max(lengths[number], group.length)
    left = max(len(ids) - length for ids, length in zip(texts, lengths, strict=True))
    return len(first) * max(first, default=0) + len(texts) * (left + 1)


def _read_once(scorer: Scorer, texts: Sequence[list[int]], read: Sequence[Prefix], groups: Sequence[_Group]) -> tuple[list[Prefix], int]:
    """What is read of texts after a pass over the beginnings of groups, and how many passes were made."""
    found = list(read)
    waiting = [group for group in groups if group.length > read[group.members[0]].length]  # of all members as much is kept of it
    passes = _going_on(scorer, [read[group.members[0]] for group in waiting])
    if not passes.can_take_back:
        return found, 0  # not all that is read stays in such a cache
    passes.forward([texts[group.members[0]][read[group.members[0]].length : group.length] for group in waiting], scored=1)
    for row, group in enumerate(waiting):
        prefix = Prefix.of_row(passes.cache, row, passes.cache_positions(row))
        for number in group.members:
            if prefix is not None and prefix.length > found[number].length:
                found[number] = prefix
    return found, passes.made


def _going_on(scorer: Scorer, read: Sequence[Prefix]) -> ForwardPasses:
    """The passes of a batch that goes on from what was read."""
    cache, attention_mask = Prefix.joined(read, scorer.config)
    return ForwardPasses(scorer, len(read), cache=cache, attention_mask=attention_mask.to(scorer.device))
