"""Scores of the next token in, a text that matches out: one row of a batch, while it is written.

What the pattern forces needs no choice. Where no token could span its end, it is *certain*, and read by the model together with
what was chosen; the tokens at its end, and after ``spelling="any"`` all of them, are *drafts*: they are read along too, and each
is kept if it is what would have been chosen.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import torch

from rellm_agents.decoding.budget import PartBudget
from rellm_agents.decoding.generation.allowed_tokens import AllowedTokens
from rellm_agents.decoding.generation.stop_strings import Stops
from rellm_agents.decoding.masks import ENDED
from rellm_agents.decoding.spelling import Fit, OwnSpelling, Speller, TokenMasks
from rellm_agents.patterns.machine import State

MAX_DRAFTS = 16
"""Tokens that are read along without being certain."""

Finish = Literal["accepted", "closed", "stopped"]
Spelling = Literal["canonical", "any"]
Choose = Callable[[int, AllowedTokens], int]
"""Chooses the next token: how many drafts stand before it, what is allowed."""


@dataclass(frozen=True)
class Completion:
    """What was written after one prompt.

    Attributes:
        text: the text, without the prompt and without the stop string it ended at.
        token_ids: the tokens of the text, without an end-of-text token.
        forward_passes: calls of the model this row took part in, the prompt's included.
        finish: ``"accepted"``: the model chose to end, or nothing could follow; ``"closed"``: close to the budget, tokens
            were left out so that the text could be finished; ``"stopped"``: at a stop string.
        healed: the end of the prompt that the first of ``token_ids`` write once more, since a token spans it and the text.
        closed_parts: the named parts that their own budgets closed.
        kept: where asked for, before each token and a chosen end of the text the logarithm of the probability that the model gave
            to all allowed tokens together: 0 where pattern and budget took nothing from it. Budgets of parts are not counted.
        prompt_tokens: of the prompt, those that are written once more among them.
    """

    text: str
    token_ids: tuple[int, ...]
    forward_passes: int
    finish: Finish
    healed: str = ""
    closed_parts: tuple[str, ...] = ()
    kept: tuple[float, ...] | None = None
    prompt_tokens: int = 0


@dataclass(frozen=True)
class Manner:
    """How texts are written, whoever chooses the tokens.

    Attributes:
        stops: what else ends them.
        spelling: ``"canonical"``: what is forced is written as the tokenizer writes it; ``"any"``: every token is a choice.
        healing: tokens at the end of the prompt may give way to longer ones.
        part_tokens: budgets of named parts.
    """

    stops: Stops = field(default_factory=Stops)
    spelling: Spelling = "canonical"
    healing: bool = True
    part_tokens: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.spelling not in get_args(Spelling):
            raise ValueError(f"spelling={self.spelling!r}: one of {', '.join(map(repr, get_args(Spelling)))}")


class Row:
    """One text while it is written.

    Args:
        masks: of its pattern.
        speller: of its tokenizer.
        begin: ids of the tokens that it stands behind: the prompt's, or those that a decoder begins with.
        budget: tokens that may be written, the end-of-text token included.
        seed: of its own source of chance.
        manner: how it is written.

    Attributes:
        known: the tokens of the beginning, but for those that were taken back, and those of the text that are certain.
        fed: how many of them the model has read.
        drafts: tokens that may follow them.
        end_id: the end-of-text token, where one was chosen.
        steps: the state and the tokens left before each token that was added.
    """

    def __init__(
        self,
        masks: TokenMasks,
        speller: Speller,
        begin: Sequence[int],
        *,
        budget: int,
        seed: int | None,
        manner: Manner,
    ) -> None:
        self.masks, self.tokens_left, self._stops = masks, budget, manner.stops
        self._speller, self._own, self._is_canonical = speller, OwnSpelling(masks, speller), manner.spelling == "canonical"
        self._parts = [PartBudget(masks.part_costs(name), tokens) for name, tokens in manner.part_tokens.items()]
        self.begin, self.known, self.fed, self.drafts = begin, list(begin), 0, list[int]()
        self.state: State = masks.start
        self.generator = torch.Generator()
        if seed is None:
            self.generator.seed()
        else:
            self.generator.manual_seed(seed)
        self.forward_passes = 0
        self.was_narrowed = False
        self._allowed: AllowedTokens | None = None
        self.text = ""
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._searched = 0
        self._stopped_at: int | None = None
        again = self._own.spanned_by_one_token(self.known) if manner.healing else 0
        self._begin = len(self.known) - again
        self.end_id: int | None = None
        self.steps: list[tuple[State, int]] = []
        self._again = tuple(self.known[self._begin :])
        self._still_again = b"".join(map(self._bytes, self._again))  # what is left of them
        del self.known[self._begin :]
        self.tokens_left += again
        self.state = masks.start_with(self._still_again)
        self._closed_parts: list[str] = []
        self._certain_to = 0  # up to where the last tokens that were certain stand
        self._leave_parts()
        self._go_on(None)

    def take(self, choose: Choose) -> int:
        """Choose, and add, tokens: as many of the drafts as are kept, and one more.

        Returns:
            How many of the drafts are not kept.
        """
        drafts, self.drafts = self.drafts, []
        self.fed = len(self.known)
        for i in range(len(drafts) + 1):
            draft = drafts[i] if i < len(drafts) else None
            if not self._choose(lambda allowed, i=i: choose(i, allowed), draft):  # type: ignore[misc]
                return len(drafts) - i
            self.fed += 1
            if self.is_settled:
                return len(drafts) - i - 1
        return 0

    def allowed(self) -> AllowedTokens:
        """The tokens that may come next, within the budget; close to it they are not found for nothing, so they are kept."""
        if self._allowed is None:
            bits, plain = self.masks.bits(self.state, self.tokens_left), self.masks.bits(self.state)
            self.was_narrowed |= bits is not plain and bool((bits != plain).any())
            for part in self._parts:
                bits = part.narrowed(bits, self.state)
            self._allowed = AllowedTokens.of(bits, self.masks.vocabulary.size)
        return self._allowed

    def _choose(self, choose: Callable[[AllowedTokens], int], draft: int | None) -> bool:
        """Choose a token, and add it and what is certain behind it. Whether it is ``draft``, behind which all is known."""
        allowed = self.allowed()
        left, first, refused = allowed, None, list[int]()
        while True:
            token_id = choose(left)
            first = token_id if first is None else first
            fit = self._fit(token_id)
            if fit is Fit.YES:
                if token_id == draft:
                    self._append(token_id)
                    return True
                self._go_on(token_id)
                return False
            refused.append(token_id)
            if len(refused) == allowed.count:  # none is spelled as it should be
                self._append(first)
                return False
            left = allowed.without(refused)
            if fit is Fit.IF_LONGER:  # the text chosen stays: none loses its chances by the way it is spelled
                longer = left.among(self.masks.longer_tokens(self._bytes(token_id)))
                left = longer if longer.count else left

    def _go_on(self, chosen: int | None) -> None:
        """Add a token, and what has to follow. Without it, at the beginning, what has to come."""
        data, forced = self._own.with_forced(self.state, chosen)
        certain: Sequence[int] = () if chosen is None else (chosen,)
        drafts: Sequence[int] = ()
        if forced and self._is_canonical:
            row = self._speller.row(self.known, data + forced)
            if (known := self._own.certain(self.state, row)) and self._is_in_budget(row[:known]):
                certain, drafts = row[:known], row[known:]
            elif row[: len(certain)] == certain:
                drafts = row[len(certain) :]
        elif forced:
            again = self._again if chosen is None and self._still_again and forced.startswith(self._still_again) else ()
            drafts = (*again, *self._speller.row((*self.known, *certain, *again), forced[len(self._still_again) if again else 0 :]))
        was_closed = False
        for token_id in certain:
            was_closed = self._append(token_id)
            if self.is_settled:
                return
        if certain[1:] or chosen is None:
            self._certain_to = len(self.known)
        if was_closed:  # what follows is another text
            self._go_on(None)
        else:
            self.drafts = list(drafts[:MAX_DRAFTS])

    def _fit(self, chosen: int) -> Fit:
        """Whether a token is one that could stand here, by the way texts are spelled."""
        if self._is_canonical:
            return self._own.fit(self.state, self.known, chosen, self._certain_to, self.tokens_left)
        data = self._bytes(chosen)
        return Fit.YES if not data or not self._still_again or self._goes_with_prompt(chosen, data) else Fit.NO

    def _goes_with_prompt(self, chosen: int, data: bytes) -> bool:
        """A token in what the prompt ends with: its own one, or one that goes beyond."""
        return len(data) > len(self._still_again) or chosen == self._again[len(self.known) - self._begin]

    def _is_in_budget(self, ids: Sequence[int]) -> bool:
        """Whether the text, and its parts, can be finished within their budgets behind these tokens."""
        states = [self.state]
        for token_id in ids:
            states.append(self.masks.advance(states[-1], token_id))
        needed = 0 if states[-1].is_final else self.masks.tokens_needed(states[-1])
        in_time = needed <= self.tokens_left - len(ids)
        return in_time and all(part.lasts(states) for part in self._parts)

    def _append(self, token_id: int) -> bool:
        """Add a token. Whether a part was closed behind it."""
        self.steps.append((self.state, self.tokens_left))
        self.state, self._allowed = self.masks.advance(self.state, token_id), None
        self.tokens_left -= 1
        if self.state is ENDED:
            self.end_id = token_id
            return False
        self.known.append(token_id)
        data = self._bytes(token_id)
        again = min(len(self._still_again), len(data))
        self._still_again = self._still_again[again:]
        self.text += self._utf8.decode(data[again:])
        if self._stops.strings:
            self._stopped_at = self._stops.find(self.text, self._searched)
            self._searched = max(0, len(self.text) - max(map(len, self._stops.strings)) + 1)
        for part in self._parts:
            part.spend(self.steps[-1][0], self.state)
        return self._leave_parts()

    def _leave_parts(self) -> bool:
        """Close the parts whose budgets are spent. Whether there are any."""
        before = self.state
        for part in self._parts:
            after = part.after_part(self.state)
            if after is not self.state and self.masks.tokens_needed(after) <= self.tokens_left:
                self.state = after
                self._closed_parts.append(part.name)
        return self.state is not before

    def _bytes(self, token_id: int) -> bytes:
        return self.masks.vocabulary.shown_bytes(token_id)

    def cut(self, length: int) -> None:
        """End the text behind so many of ``known``, whatever the pattern says."""
        del self.known[length:], self.steps[length - self._begin :]
        self.text = b"".join(map(self._bytes, self.known[self._begin :])).decode(errors="ignore")
        self._stopped_at = len(self.text)

    @property
    def is_settled(self) -> bool:
        """Whether the text is finished: ended, stopped, or nothing can follow."""
        return self.state is ENDED or self._stopped_at is not None or self.state.is_final

    def certain_text(self) -> str:
        """What has been written and will stay."""
        if self._stopped_at is not None:
            return self.text[: self._stopped_at]
        held_back = 0 if self.is_settled else self._stops.held_back(self.text)
        return self.text[: len(self.text) - held_back]

    def completion(self, kept: tuple[float, ...] | None = None) -> Completion:
        """What has been written; with ``kept`` of each of ``steps``, if that is known."""
        written, same = tuple(self.known[self._begin :]), 0
        while same < len(self._again) and written[same : same + 1] == self._again[same : same + 1]:
            same += 1
        healed = b"".join(map(self._bytes, self._again[same:])).decode(errors="replace")
        finish: Finish = "stopped" if self._stopped_at is not None else "closed" if self.was_narrowed else "accepted"
        text, passes = self.text[: self._stopped_at], self.forward_passes
        return Completion(text, written[same:], passes, finish, healed, tuple(self._closed_parts), None if kept is None else kept[same:])
