"""One text while it is written: its tokens, its state in the pattern, its budget, and the tokens that need no choice.

What the pattern forces is not chosen. The first tokens of a forced text, up to the first that a token could span together with what
follows, are *forced*: they are committed at once, and the model reads them in the next pass. The tokens behind them, and after
``spelling="any"`` all tokens of a forced text, are *drafts*: the model reads them along, and each is committed if it is the token that
would have been chosen (speculative decoding, Leviathan et al. 2023, with the pattern as the draft model and with exact agreement as the
test).

    committed   {" name ": "          the model chose {, and the pattern forced the rest
    consumed    {                     tokens that the model has read
    drafts      Lo                    read along; dropped unless the model itself chooses them

*Token healing* lets the first token span the end of the prompt: the prompt's last tokens are taken back, and written again as a part of
the text. Knows no model: whoever calls :meth:`TextSequence.choose_next` chooses the tokens.
"""

from __future__ import annotations

import codecs
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from itertools import accumulate

import torch

from rellm_agents.decoding.budget import PartBudget, ends_in_repeats
from rellm_agents.decoding.decisions import END, Row, literal_rows
from rellm_agents.decoding.forward import AllowedTokens
from rellm_agents.decoding.generation.measured import Choice, Completion, Finish, Measurements, Origin
from rellm_agents.decoding.generation.options import TextOptions
from rellm_agents.decoding.generation.stop_strings import StopStrings
from rellm_agents.decoding.masks import ENDED
from rellm_agents.decoding.spelling import CanonicalSpelling, FreeText, Speller, TokenMasks
from rellm_agents.decoding.vocabulary import Bits
from rellm_agents.errors import ClosedByBudget
from rellm_agents.patterns import Pattern
from rellm_agents.patterns.automaton import max_bytes
from rellm_agents.patterns.ir import parts_in
from rellm_agents.patterns.machine import State, part_end

MAX_SHOWN = 80
"""Characters of a text that a warning shows."""
MAX_DRAFTS = 16
"""Drafts of a pass at most: each costs the computation of a token, in vain where it is rejected."""

_log = logging.getLogger(__name__)

ChooseToken = Callable[[int, AllowedTokens], int]
"""Chooses the next token: how many drafts stand before it, and which tokens are allowed."""


class TextSequence:
    """One text while it is written.

    Args:
        masks: masks of its pattern.
        speller: the speller of its tokenizer.
        prefix: ids of the tokens that the text follows: the prompt's, or those that the decoder of an encoder-decoder begins with.
        options: how it is written; ``max_new_tokens`` is its budget.
        seed: of its own random generator.
        pattern: tells where the values of the text stand; default: that of the masks.

    Attributes:
        committed: the prefix, without tokens that were taken back, and the tokens of the text that stay.
        consumed: how many of them the model has read.
        drafts: tokens that may follow them.
        end_id: the end-of-text token, where one was chosen.
        text_start: how many tokens of the prefix are in front of the text.
        measurements: what is measured of it, if anything is.
        error: what went wrong while it was written, for its own caller; set from outside.
        state: of the pattern, after all committed tokens.
        tokens_left: tokens that may still be written, the end-of-text token included.
    """

    def __init__(
        self,
        masks: TokenMasks,
        speller: Speller,
        prefix: Sequence[int],
        options: TextOptions,
        *,
        seed: int | None,
        pattern: Pattern | None = None,
    ) -> None:
        self.masks, self.options, self.prefix = masks, options, prefix
        self._pattern = masks.pattern if pattern is None else pattern
        self._speller, self._canonical = speller, CanonicalSpelling(masks, speller)
        self._spells_canonically = options.spelling == "canonical"
        self._stops = StopStrings(tuple(options.stop), options.stop_behind)
        self._parts = [PartBudget(masks.part_costs(name), tokens) for name, tokens in (options.part_tokens or {}).items()]
        self.measurements = Measurements(options.measure) if options.measure else None
        traced = self.measurements if self.measurements is not None and self.measurements.traces else None
        self._masking: Callable[[], AbstractContextManager[None]] = nullcontext if traced is None else traced.masking
        self._part_names = () if traced is None else tuple(parts_in(self._pattern.node))
        self.committed, self.consumed, self.drafts = list(prefix), 0, list[int]()
        self.generator = torch.Generator()
        if seed is None:
            self.generator.seed()
        else:
            self.generator.manual_seed(seed)
        self.forward_passes = 0
        self.end_id: int | None = None
        self._free_text = FreeText(masks) if options.penalizes else None
        self._choice: Choice | None = None  # of the token that is added next; only where something is measured
        self._budget_chose = False  # where a token is chosen now, the budget took the one that would have been
        self._forced_drafts: list[int] = []  # the next tokens, where they are drafts and would be forced if they were not; likewise
        self.text = ""
        self.error: Exception | None = None
        self._without_budget: Bits | None = None  # the mask in the present state, where the budget takes tokens from it
        self._closed_at: int | None = None  # characters of the text before the first token that the budget has kept from being chosen
        self._repeats = False  # likewise, since the text has repeated itself
        self._allowed: AllowedTokens | None = None  # in the present state
        self._rows: list[Row] | None = None  # likewise
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._searched = 0  # characters of the text in which no stop string begins
        self._stopped_at: int | None = None
        self._closed_parts: list[str] = []
        self._subsets = 0
        healed = self._canonical.spanned_by_one_token(self.committed) if options.healing else 0
        self.text_start = len(self.committed) - healed  # in ``committed``
        self._healed = tuple(self.committed[self.text_start :])
        self._unhealed = b"".join(map(self._bytes, self._healed))  # bytes of them that are not written again yet
        del self.committed[self.text_start :]
        self.tokens_left = options.max_new_tokens + healed
        self.state: State = masks.start_with(self._unhealed)
        self._close_spent_parts()
        self._extend(None)

    def most_tokens(self) -> int:
        """How many tokens the budget and the pattern let follow the prefix at most, an end of the text included; before any is chosen."""
        return min(self.options.max_new_tokens, max_bytes(self._pattern.node) + len(b"".join(map(self._bytes, self._healed))) + 1)

    @property
    def next_number(self) -> int:
        """The number of the next token in the text, from 1."""
        return len(self.committed) - self.text_start + 1

    def choose_next(self, choose: ChooseToken) -> int:
        """Choose, and add, tokens: the drafts that agree with the choices, and one more.

        Returns:
            How many of the drafts are rejected.
        """
        drafts, self.drafts = self.drafts, []
        self.consumed = len(self.committed)
        rejected = 0
        for i in range(len(drafts) + 1):
            draft = drafts[i] if i < len(drafts) else None
            if not self._choose_one(lambda allowed, i=i: choose(i, allowed), draft):  # type: ignore[misc]
                rejected = len(drafts) - i
                break
            self.consumed += 1
            if self.is_finished:
                rejected = len(drafts) - i - 1
                break
        if self.measurements is not None:
            self.measurements.count_drafts(len(drafts), rejected)
        return rejected

    def allowed(self) -> AllowedTokens:
        """The tokens that may come next, within the budget. They are remembered, since near the end of a budget they cost a search."""
        if self._allowed is None:
            with self._masking():
                bits, plain = self.masks.bits(self.state, self.tokens_left), self.masks.bits(self.state)
                self._without_budget = plain if bits is not plain and bool((bits != plain).any()) else None
                self._allowed = self._narrowed(bits)
                self._subsets += self.masks.is_subset(self.state)
        return self._allowed

    def allowed_without_budget(self) -> AllowedTokens | None:
        """The tokens that might come next if there were no budget; ``None`` where it takes none of them."""
        if self._without_budget is None:
            return None
        with self._masking():
            return self._narrowed(self._without_budget)

    def note_wanted(self, token_id: int) -> None:
        """Note the likeliest token of :meth:`allowed_without_budget`: if it is not allowed, the budget closes the text here."""
        self._budget_chose = not self.allowed().allows(token_id)
        if self._closed_at is None and self._budget_chose:
            self._closed_at = len(self.text)

    def free_text_here(self) -> Mapping[int, int]:
        """Tokens that would write free text now, and have written some, with how often; none where nothing depends on it."""
        return {} if self._free_text is None else self._free_text.again(self.state)

    def _narrowed(self, bits: Bits) -> AllowedTokens:
        """Those of the tokens of a mask that the budgets of parts, and the spelling, leave."""
        for part in self._parts:
            bits = part.narrowed(bits, self.state)
        if self._spells_canonically or self._unhealed:
            bits = self._canonical.narrowed(bits, self.state, self.committed)
        return AllowedTokens.of(bits, self.masks.vocabulary.size)

    def option_rows(self) -> list[Row]:
        """The token rows of literals that are weighed as a whole, one of which comes next, within the budget; else none."""
        if self._rows is None:
            weighed = self.options.selection != "greedy" and not self.is_finished
            rows = literal_rows(self.masks, self._speller, self.state, self.committed) if weighed else []
            self._rows = [row for row in rows if self._is_in_budget([one for one in row if one != END])]
            if 0 < len(self._rows) < len(rows) and self._closed_at is None:
                self._closed_at = len(self.text)
        return self._rows

    def commit(self, row: Row, log_probability: float) -> None:
        """Add the tokens of one of :meth:`option_rows`, chosen with a probability, and those that it forces."""
        if self.measurements is not None:
            self._choice, self._forced_drafts = Choice(self.allowed(), whole=log_probability, origin="chosen"), []
        for token_id in row:
            if self.is_finished:
                return
            self._append(self.masks.vocabulary.end_ids[0] if token_id == END else token_id)
        if not self.is_finished:
            self._extend(None)

    def _choose_one(self, choose: Callable[[AllowedTokens], int], draft: int | None) -> bool:
        """Choose a token, add it and the tokens that it forces; True if it is ``draft``, whose following tokens are drafts already."""
        self._close_repeats()
        allowed, self._budget_chose = self.allowed(), False
        token_id = choose(allowed)
        if self._free_text is not None:
            self._free_text.note(self.state, token_id)
        self._note_choice(token_id, allowed, draft)
        if token_id == draft:
            self._append(token_id)
            return True
        self._extend(token_id)
        return False

    def _note_choice(self, token_id: int, allowed: AllowedTokens, draft: int | None) -> None:
        """Note that a token was chosen, for what is measured; not if it is a draft that would be forced without drafts."""
        if self.measurements is None:
            return
        is_forced = self._forced_drafts[:1] == [token_id]
        origin: Origin = "closing" if self._budget_chose else "drafted" if token_id == draft else "chosen"
        self._choice = None if is_forced else Choice(allowed, token_id, origin=origin)
        if token_id != draft:
            self._forced_drafts = []
        elif is_forced:
            del self._forced_drafts[0]
        else:
            self._forced_drafts = list(self._following(token_id)[0][1:])

    def _following(self, chosen: int | None) -> tuple[Sequence[int], Sequence[int]]:
        """A token with the tokens that it forces, which are certain, and drafts for those behind them; see :meth:`_extend`."""
        data, forced_text = self._canonical.with_forced(self.state, chosen)
        forced: Sequence[int] = () if chosen is None else (chosen,)
        drafts: Sequence[int] = ()
        if forced_text and self._spells_canonically:
            ids, count = self._canonical.forced_tokens(self.state, self.committed, data, forced_text)
            if count and self._is_in_budget(ids[:count]):
                forced, drafts = ids[:count], ids[count:]
            elif ids[: len(forced)] == forced:
                drafts = ids[len(forced) :]
        elif forced_text:
            again = self._healed if chosen is None and self._unhealed and forced_text.startswith(self._unhealed) else ()
            rest = forced_text[len(self._unhealed) if again else 0 :]
            drafts = (*again, *self._speller.spell((*self.committed, *forced, *again), rest))
        return forced, drafts

    def _extend(self, chosen: int | None) -> None:
        """Add a token, and commit or draft the tokens that have to follow; ``None`` at the beginning, where none was chosen."""
        with self._masking():
            forced, drafts = self._following(chosen)
        closes_part = False
        for token_id in forced:
            closes_part = self._append(token_id)
            if self.is_finished:
                return
        if closes_part:  # another text follows than was forced
            self._extend(None)
        else:
            self._close_repeats()
            self.drafts = [] if self.option_rows() else list(drafts[: min(MAX_DRAFTS, self.tokens_left)])

    def _close_repeats(self) -> None:
        """Leave the text no more tokens than it needs, if it has begun to repeat itself."""
        times = self.options.max_repeats
        if times and self._closed_at is None and not self.is_finished and ends_in_repeats(self.committed[self.text_start :], times):
            self.tokens_left = min(self.tokens_left, self.masks.tokens_needed(self.state))
            self._closed_at, self._repeats, self._allowed, self._rows = len(self.text), True, None, None

    def _is_in_budget(self, ids: Sequence[int]) -> bool:
        """Whether the text, and its parts, can be finished within their budgets after these tokens."""
        states = [self.state]
        for token_id in ids:
            states.append(self.masks.advance(states[-1], token_id))
        needed = 0 if states[-1].is_final else self.masks.tokens_needed(states[-1])
        in_time = needed <= self.tokens_left - len(ids)
        return in_time and all(part.lasts(states) for part in self._parts)

    def _append(self, token_id: int) -> bool:
        """Add a token; True if a part was closed after it."""
        before = self.state
        if self.measurements is not None:
            choice = self._choice or Choice(self._allowed_where_forced() if self.measurements.scores_forced else None)
            self.measurements.add(token_id, choice, tokens_left=self.tokens_left, part=self._part_here())
            self._choice = None
        with self._masking():
            self.state, self._allowed, self._rows = self.masks.advance(before, token_id), None, None
        self.tokens_left -= 1
        if self.state is ENDED:
            self.end_id = token_id
            return False
        self.committed.append(token_id)
        data = self._bytes(token_id)
        healed = min(len(self._unhealed), len(data))
        self._unhealed = self._unhealed[healed:]
        self.text += self._utf8.decode(data[healed:])
        if self._stops.strings:
            self._stopped_at = self._stops.find(self.text, self._searched)
            self._searched = max(0, len(self.text) - max(map(len, self._stops.strings)) + 1)
        for part in self._parts:
            part.spend(before, self.state)
        return self._close_spent_parts()

    def _part_here(self) -> str | None:
        """The innermost part that the next token begins in, for a trace."""
        ends = [(end.depth, name) for name in self._part_names for cell in self.state.cells if (end := part_end(cell.then, name))]
        return max(ends)[1] if ends else None

    def _allowed_where_forced(self) -> AllowedTokens:
        """The tokens that may come next, where one is forced.

        Forced tokens are within the budget together: half way, what is left may be less than the masks count on, which then say nothing.
        """
        left = self.tokens_left if self.masks.tokens_needed(self.state) <= self.tokens_left else None
        return self._narrowed(self.masks.bits(self.state, left))

    def _close_spent_parts(self) -> bool:
        """Close the parts whose budgets are spent; True if there are any."""
        before = self.state
        for part in self._parts:
            after = part.after_part(self.state)
            if after is not self.state and self.masks.tokens_needed(after) <= self.tokens_left:
                self.state = after
                self._closed_parts.append(part.name)
        return self.state is not before

    def _bytes(self, token_id: int) -> bytes:
        return self.masks.vocabulary.shown_bytes(token_id)

    def truncate(self, length: int) -> None:
        """End the text after the first ``length`` of the committed tokens, whatever the pattern says."""
        del self.committed[length:]
        if self.measurements is not None:
            self.measurements.truncate(length - self.text_start)
        self.text = b"".join(map(self._bytes, self.committed[self.text_start :])).decode(errors="ignore")
        self._stopped_at = len(self.text)

    @property
    def is_finished(self) -> bool:
        """True if the text has ended, stopped or failed, or nothing can follow."""
        return self.error is not None or self.state is ENDED or self._stopped_at is not None or self.state.is_final

    def committed_text(self) -> str:
        """The characters that have been written and will stay."""
        if self.is_finished:
            return self._whole_text()
        return self.text[: len(self.text) - self._stops.held_back(self.text)]

    def _whole_text(self) -> str:
        """The text up to a stop string, or, where a budget has closed it, up to the beginning of one that it ends in."""
        text = self.text[: self._stopped_at]
        return self._stops.without_beginning(text) if self._closed_parts or self._closed_at is not None else text

    def check_budget(self) -> None:
        """Say that the budget has closed the text, as the options want it, once it is finished.

        Raises:
            ClosedByBudget: if it is to be an error.
        """
        if self.options.on_budget == "close" or self._repeats or (pointer := self._pointer_closed()) is None:
            return
        closed = ClosedByBudget(self.text, pointer, self.options.max_new_tokens)
        if self.options.on_budget == "raise":
            raise closed
        _log.warning("%s (on_budget='close' says nothing, 'raise' makes it an error): %r", closed, self.text[-MAX_SHOWN:])

    def _pointer_closed(self) -> str | None:
        """The JSON pointer of the value that was being written where the budget has closed the text, if it has."""
        at = self._closed_at
        if at is None or self._stopped_at is not None:
            return None
        fields = self._pattern.fields(self.text)
        around = [name for name, (begin, end) in fields.items() if begin <= at < end or begin < at == end]
        return min(around, key=lambda name: fields[name][1] - fields[name][0], default="#")

    def completion(self) -> Completion:
        """The text as its reader gets it."""
        written, same = tuple(self.committed[self.text_start :]), 0
        while same < len(self._healed) and written[same : same + 1] == self._healed[same : same + 1]:
            same += 1
        healed = b"".join(map(self._bytes, self._healed[same:])).decode(errors="replace")
        finish: Finish = "stopped" if self._stopped_at is not None else "closed" if self._closed_at is not None else "accepted"
        text, pointer = self._whole_text(), self._pointer_closed()
        parts, passes, repeats = tuple(self._closed_parts), self.forward_passes, self._repeats and pointer is not None
        made = Completion(
            text, written[same:], passes, finish, healed, parts, closed_at=pointer, repeats=repeats, subset_masks=self._subsets
        )
        if (measured := self.measurements) is None:
            return made
        begins = list(accumulate(map(len, map(self._bytes, written)), initial=-sum(map(len, map(self._bytes, self._healed)))))
        spans = self._pattern.fields(text)
        fields, trace = measured.fields(spans, text, begins), measured.trace(same, spans, text, begins, self._bytes, forward_passes=passes)
        return replace(made, kept=measured.kept(same), fields=fields, logprobs=measured.logprobs(same), trace=trace)
