"""Tokens that a pattern allows in, whether the tokenizer itself could write a text that is possible here with them, out.

Names, members of enums and forced text are known before they are written, so their tokens are those of the tokenizer's own row. Free
text is not: a token is refused if the tokenizer would write it and the tokens before it in another way.

>>> [fit.name for fit in Fit]
['YES', 'NO', 'ONLY_AS_PREFIX']
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto
from typing import TYPE_CHECKING

from rellm_agents.decoding.masks import AllowedTokens
from rellm_agents.errors import TokenRefused
from rellm_agents.patterns.ir import SPECIAL_DELIMITERS, whole_specials

if TYPE_CHECKING:
    from rellm_agents.decoding.masks import TokenMasks
    from rellm_agents.decoding.spelling.tokenizer_spelling import Speller
    from rellm_agents.patterns.machine import State

MAX_FOLLOWING = 1_024
"""Tokens that are tried, one by one, behind another."""
_SPANNED = 4  # tokens at the end of a text that one token may span together with what follows


class Fit(Enum):
    """How a token goes with the tokens before it and the texts behind it, as the tokenizer writes them."""

    YES = auto()
    NO = auto()
    ONLY_AS_PREFIX = auto()
    """Its text is right, but would be written with a token that goes on."""


class CanonicalSpelling:
    """The tokenizer's own rows of the texts of one pattern.

    Args:
        masks: of the pattern, in any spelling.
        speller: of the tokenizer.
    """

    def __init__(self, masks: TokenMasks, speller: Speller) -> None:
        self._masks, self._speller = masks, speller

    def with_forced(self, state: State, chosen: int | None) -> tuple[bytes, bytes]:
        """The bytes of a token, and what has to follow it, up to the end of a character; of no token, what has to come."""
        data = b"" if chosen is None else self._read(chosen)
        after = state if chosen is None else self._masks.advance(state, chosen)
        return data, _whole_characters(data + self._masks.forced_bytes(after))[len(data) :]

    def fit(self, state: State, committed: Sequence[int], chosen: int, forced_end: int = 0, tokens_left: int | None = None) -> Fit:
        """Whether the tokenizer could write a text that is possible here with a token.

        Args:
            state: before the token.
            committed: ids of the tokens before it.
            chosen: the token, which ``state`` allows.
            forced_end: where the last of ``committed`` stand that nobody has chosen: they are no reason to refuse it.
            tokens_left: how many may be written, ``chosen`` included: close to the end fewer texts are possible. ``None``: any number.
        """
        if not self._bytes(chosen) or chosen in self._masks.vocabulary.end_ids:  # a special token is written in one way
            return Fit.YES
        data, forced = self.with_forced(state, chosen)
        texts = self._masks.literal_texts(state, data)
        if texts is not None and not any(self._begins(committed, chosen, _whole_characters(text)) for text in texts):
            return Fit.ONLY_AS_PREFIX
        if forced:
            row = self._speller.row(committed, data + forced)
            if row and not self.forced_count(state, row):
                return Fit.YES if row[0] == chosen and self._follows(committed, chosen, forced_end) else Fit.ONLY_AS_PREFIX
            return Fit.YES if not row or self._follows(committed, row[0], forced_end) else Fit.NO
        if not self._follows(committed, chosen, forced_end):
            return Fit.NO
        return Fit.YES if self._leads_on(state, committed, chosen, data, tokens_left) else Fit.ONLY_AS_PREFIX

    def is_canonical(self, state: State, committed: Sequence[int], token_id: int) -> bool:
        """Whether the token itself is the tokenizer's, not only its text, which with what has to follow may be written anew."""
        if self.fit(state, committed, token_id) is not Fit.YES:
            return False
        data, forced = self.with_forced(state, token_id)
        row = self._speller.row(committed, data + forced) if data and forced else ()
        return not row or row[0] == token_id

    def forced_count(self, state: State, ids: Sequence[int]) -> int:
        """How many of the tokens of a forced text stay, whatever follows: up to the first that a token may span with more behind it."""
        states = [state]
        for token_id in ids:
            try:
                states.append(self._masks.advance(states[-1], token_id))
            except TokenRefused:  # a way to the end that this vocabulary cannot write
                return 0
        if states[-1].is_final:
            return len(ids)
        return len(ids) - self._spanned(states, list(map(self._read, ids)))

    def spanned_by_one_token(self, prompt: Sequence[int]) -> int:
        """How many of a prompt's last tokens one token may span, together with a beginning of the text."""
        pieces: list[bytes] = []
        for token_id in reversed(prompt[max(1, len(prompt) - _SPANNED) :]):
            piece = self._bytes(token_id)
            if not piece or token_id in self._speller.added_ids:
                break
            pieces.insert(0, piece)
        states = [self._masks.behind(b"".join(pieces[at:])) for at in range(len(pieces) + 1)]
        spanned = self._spanned(states, pieces)
        while spanned and 0x80 <= pieces[-spanned][0] < 0xC0:  # inside a character
            spanned -= 1
        return spanned

    def _begins(self, committed: Sequence[int], token_id: int, text: bytes) -> bool:
        return self._speller.row(committed, text)[:1] in ((token_id,), ())

    def _follows(self, committed: Sequence[int], token_id: int, forced_end: int) -> bool:
        """Whether the tokenizer would not write the last tokens together with this one in another way."""
        for count in (_SPANNED, 1):
            if len(committed) - count < forced_end:  # no other choice has been there: no text may be lost
                continue
            last = tuple(committed[-count:])
            before, data = committed[:-count], b"".join(map(self._bytes, last))
            if not all(map(self._bytes, last)):  # nothing goes across a special token
                continue
            if count == 1 or self._speller.row(before, data) == last:
                return self._speller.row(before, data + self._bytes(token_id)) in ((*last, token_id), ())
        return True

    def _leads_on(self, state: State, committed: Sequence[int], chosen: int, data: bytes, tokens_left: int | None) -> bool:
        """Whether the tokenizer could write the token and another that may come next; where many may, it is taken for granted."""
        after = self._masks.advance(state, chosen)
        whole = self._masks.bits(after)
        bits = whole if tokens_left is None else self._masks.bits(after, tokens_left - 1)
        following = AllowedTokens.of(bits, self._masks.vocabulary.size)
        if after.accepting or not following.keeps_few or following.count > MAX_FOLLOWING:
            return True
        key = after.id << 32 | chosen
        found = self._speller.leads_on.get(key) if bits is whole else None
        if found is None:
            told = (one for one in following.ids.tolist() if self._speller.row(committed, data + self._read(one)))
            first = next(told, None)  # where none can be told, any may
            found = first is None or any(self._goes_on(committed, chosen, data, after, one) for one in (first, *told))
            if bits is whole:
                self._speller.leads_on[key] = found
        return found

    def _goes_on(self, committed: Sequence[int], chosen: int, data: bytes, after: State, following: int) -> bool:
        """Whether the tokenizer would write a token so before another, and what has to follow that."""
        text = data + self._read(following)
        if self._speller.row(committed, text)[0] != chosen:
            return False
        forced = self.with_forced(after, following)[1]
        return not forced or self._speller.row(committed, text + forced)[:1] in ((chosen,), ())

    def _spanned(self, states: Sequence[State], pieces: Sequence[bytes]) -> int:
        """How many tokens at the end of a forced text one token may span, together with what follows.

        Args:
            states: before each of them.
            pieces: what is read of them.
        """
        spanned, rest = 0, b""
        for back in range(1, min(len(pieces), _SPANNED) + 1):
            rest = pieces[-back] + rest
            if self._masks.goes_beyond(states[len(pieces) - back], rest):
                spanned = back
        return spanned

    def _read(self, token_id: int) -> bytes:
        """What a pattern reads of a token, special ones included."""
        return self._masks.vocabulary.read_bytes(token_id) or b""

    def _bytes(self, token_id: int) -> bytes:
        """The text of a token; a special one has none."""
        token_bytes = self._masks.vocabulary.token_bytes
        return (token_bytes[token_id] or b"") if token_id < len(token_bytes) else b""


def _whole_characters(data: bytes) -> bytes:
    """As much of UTF-8 text, which may begin inside a character, as ends with a whole one, or with a whole special token."""
    data = whole_specials(data)
    if data[-1:] == SPECIAL_DELIMITERS[1:]:
        return data
    for back in range(1, min(len(data), 3) + 1):
        byte = data[-back]
        if byte >= 0xC0:
            size = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return data if back == size else data[:-back]
        if byte < 0x80:
            break
    return data
