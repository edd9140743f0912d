"""One sequence of a foreign engine, held to a pattern and to its budget: the states after its tokens, and the mask of the next one.

Engines end with all their requests if something is raised between two of their steps, so nothing is raised here. A sequence that has left
its pattern, since something else chose its token, is *lost*: it may only end, and the log says why. Knows no engine and no torch.

>>> from rellm_agents.decoding import Vocabulary
>>> from rellm_agents.patterns import compile_regex
>>> vocabulary = Vocabulary([b"a", b"b", None], end_ids=[2])
>>> sequence = MaskedSequence(TokenMasks(compile_regex("ab*"), vocabulary), 3)
>>> sequence.follow([0])
>>> sequence.bits().tolist(), sequence.bits_after([1]).tolist()
([6], [4])
>>> sequence.follow([0, 0])
>>> sequence.is_lost, sequence.bits().tolist()
(True, [4])
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from rellm_agents.decoding import TokenMasks
from rellm_agents.decoding.masks import ENDED
from rellm_agents.decoding.vocabulary import Bits
from rellm_agents.errors import BudgetTooSmall, TokenRefused
from rellm_agents.patterns.machine import State

_log = logging.getLogger(__name__)
_LOST = State(None, (), accepting=False)


class MaskedSequence:
    """The tokens of one request after its prompt. Not safe to share between threads.

    Args:
        masks: of its pattern.
        budget: how many tokens it may have, the end-of-text token included; ``None``: no bound.

    Attributes:
        masks, budget: as above.
        ids: the tokens that were read so far.
    """

    def __init__(self, masks: TokenMasks, budget: int | None) -> None:
        self.masks, self.budget = masks, budget
        self.ids: list[int] = []
        self._states: list[State] = [masks.start]  # one more than tokens

    @property
    def state(self) -> State:
        """Where it stands after its last token."""
        return self._states[-1]

    @property
    def is_lost(self) -> bool:
        """Whether it holds a token that its pattern does not allow."""
        return self.state is _LOST

    @property
    def has_ended(self) -> bool:
        """Whether its last token is one that ends texts."""
        return self.state is ENDED

    def follow(self, ids: Sequence[int]) -> None:
        """Read the tokens that are new.

        Args:
            ids: all tokens so far. A negative one stands for a token that the engine does not know yet: those before it are read. Where
                they do not begin as before, all are read anew.
        """
        known = len(self.ids)
        if known and (len(ids) < known or ids[known - 1] != self.ids[-1]):
            self.roll_back(known)
            known = 0
        for token_id in ids[known:]:
            if token_id < 0:
                return
            self.accept(token_id)

    def accept(self, token_id: int) -> None:
        """Read one more token."""
        self._states.append(self._after(self.state, token_id))
        self.ids.append(token_id)

    def roll_back(self, count: int) -> None:
        """Forget the last tokens."""
        if count > 0:
            del self._states[max(len(self._states) - count, 1) :]
            del self.ids[len(self._states) - 1 :]

    def bits(self) -> Bits:
        """The mask of the next token: uint32[ceil(V / 32)], read-only."""
        return self._bits(self.state, len(self.ids))

    def bits_after(self, ids: Sequence[int]) -> Bits:
        """The mask after further tokens, such as drafts, that are not read for good."""
        state = self.state
        for token_id in ids:
            state = self._after(state, token_id, is_draft=True)
        return self._bits(state, len(self.ids) + len(ids))

    def forced_text(self) -> str:
        """The text that every continuation begins with; empty where there is a choice."""
        if self.state is _LOST or self.state is ENDED:
            return ""
        return self.masks.forced_bytes(self.state).decode("utf-8", "ignore")  # whole characters only: the last one may be forced in part

    def copy(self) -> MaskedSequence:
        """One that goes on by itself."""
        made = MaskedSequence(self.masks, self.budget)
        made.ids, made._states = list(self.ids), list(self._states)
        return made

    def _after(self, state: State, token_id: int, *, is_draft: bool = False) -> State:
        if state is _LOST or (state is ENDED and token_id in self.masks.vocabulary.end_ids):
            return state
        try:
            return self.masks.advance(state, token_id)
        except TokenRefused as error:
            if not is_draft:
                _log.error("token %d of a text: %s; nothing but its end is allowed from here", len(self.ids) + 1, error)
        except Exception:  # noqa: BLE001 - it would end the engine, and with it all requests
            _log.exception("token %d of a text cannot be read; nothing but its end is allowed from here", len(self.ids) + 1)
        return _LOST

    def _bits(self, state: State, written: int) -> Bits:
        if state is not _LOST:
            try:
                return self.masks.bits(state, None if self.budget is None else self.budget - written)
            except BudgetTooSmall as error:
                if written == 0:
                    _log.error("a text will be cut off: %s", error)
                return self.masks.bits(state)
            except Exception:  # noqa: BLE001 - likewise
                _log.exception("no mask after %d tokens of a text; nothing but its end is allowed from here", written)
        return self.masks.bits(ENDED)
