"""Compares the free text of an item with the held one: whether the schema admits the free one, whether both mean the same, and if not, why.

Where greedy texts differ, they do so first at one token. There the mask denied the free token, or the spelling refused it. Two reasons are
excused: both tokens were about as likely, so that the order of computations decided; and the free token writes the end of the value
together with what follows it, so it is a token of another text.

>>> Comparison("3e8", "", '{"value": 3e8}', '{"value": 3e80}', is_same=False, reason="the mask denies '}'").is_against_the_rule
True
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch

from answering.items import Item
from answering.modes import Answer, Answerer, pattern_of, schema_text
from answering.reader import leading_value, loads, why_not_admitted
from rellm_agents.decoding.vocabulary.bitmask import unpacked

if TYPE_CHECKING:
    from rellm_agents.decoding import TokenMasks

NEAR, TIE, PAST_THE_END = 1e-3, "a tie", "a token goes past the end of the value"
"""Log probabilities are about the same up to ``NEAR``: passes of other lengths sum in another order. The other two are excused reasons."""


@dataclass(frozen=True)
class Comparison:
    """The free and the held text of one item.

    Attributes:
        question: of the item.
        not_admitted: what keeps the free text from being one of the schema's, or empty.
        free: what was written freely.
        held: what was written under the schema.
        is_same: both begin with a value of the same meaning.
        reason: why they are not the same, or empty.
    """

    question: str
    not_admitted: str
    free: str
    held: str
    is_same: bool
    reason: str = ""

    @property
    def is_against_the_rule(self) -> bool:
        """Whether the schema admits the free text, and another one was written under it, for a reason that is not excused."""
        return not self.not_admitted and not self.is_same and self.reason not in (TIE, PAST_THE_END)

    def as_dict(self) -> dict[str, Any]:
        """The fields, for JSON."""
        return asdict(self)


def compare(answerer: Answerer, items: Sequence[Item]) -> list[Comparison]:
    """Write the texts of items in both ways, and compare.

    Args:
        answerer: of the model.
        items: to be answered together.
    """
    return [_compared(answerer, *one) for one in zip(items, answerer.free(items), answerer.ours(items), strict=True)]


def _compared(answerer: Answerer, item: Item, free: Answer, held: Answer) -> Comparison:
    not_admitted, same = why_not_admitted(free.text, item.schema), _means_the_same(free.text, held.text)
    reason = "" if same or not_admitted else _first_difference(answerer, item, free, held.token_ids)
    return Comparison(item.question, not_admitted, free.text, held.text, is_same=same, reason=reason)


def _means_the_same(free: str, held: str) -> bool:
    one, other = leading_value(free), leading_value(held)
    return bool(one and other) and bool(loads(one) == loads(other))


@torch.inference_mode()
def _first_difference(answerer: Answerer, item: Item, free_answer: Answer, held: tuple[int, ...]) -> str:
    """What happened at the first token in which the two differ."""
    free = free_answer.token_ids
    at = next((i for i, (a, b) in enumerate(zip(free, held, strict=False)) if a != b), min(len(free), len(held)))
    masks = answerer.decoder.masks(pattern_of(schema_text(item)))
    if len(_decoded(answerer, free[:at])) < len(leading_value(free_answer.text)) < len(_decoded(answerer, free[: at + 1])):
        return PAST_THE_END
    if at >= len(free) or not _is_allowed(masks, held[:at], free[at]):
        return "the mask denies " + (_shown(answerer, free[at]) if at < len(free) else "the end")
    logits = answerer.model(torch.tensor([answerer.prompt_ids(item) + list(held[:at])])).logits[0, -1].float().log_softmax(0)
    if at < len(held) and abs(float(logits[free[at]] - logits[held[at]])) < NEAR:
        return TIE
    return f"the spelling refuses {_shown(answerer, free[at])}"


def _is_allowed(masks: TokenMasks, before: tuple[int, ...], token_id: int) -> bool:
    state = masks.start
    for one in before:
        state = masks.advance(state, one)
    return bool(unpacked(masks.bits(state), masks.vocabulary.size)[token_id])


def _shown(answerer: Answerer, token_id: int) -> str:
    return repr(_decoded(answerer, (token_id,)))


def _decoded(answerer: Answerer, ids: tuple[int, ...]) -> str:
    return str(answerer.tokenizer.decode(list(ids), clean_up_tokenization_spaces=False))
