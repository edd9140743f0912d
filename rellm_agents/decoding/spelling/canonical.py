"""Judges whether a token that a pattern allows is canonical: whether the tokenizer itself could write a possible text with it.

Names, members of enums and forced text are known before they are written, so their tokens are the tokenizer's. Free text is not known: a
token is refused if the tokenizer would write it and the last tokens before it in another way. Such a local test finds what byte-pair
merges would undo (compare Vieira et al. 2025, "Language Models over Canonical Byte-Pair Encodings").

    enum "blue", "black"     bl fits both; of b, l only the text fits: it would be written with the longer token bl

A forced text is certain up to the first token that another token could span together with what follows. Knows no model.

>>> [fit.name for fit in Fit]
['YES', 'NO', 'ONLY_AS_PREFIX']
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto
from typing import TYPE_CHECKING

import numpy as np

from rellm_agents.decoding.vocabulary import Bits, unpacked
from rellm_agents.errors import TokenRefused
from rellm_agents.patterns.ir import SPECIAL_DELIMITERS, whole_specials

if TYPE_CHECKING:
    from rellm_agents.decoding.masks import PatternMasks
    from rellm_agents.decoding.spelling.tokenizer_spelling import Speller
    from rellm_agents.patterns.machine import State

MAX_FOLLOWING = 1_024
"""Upper bound of the tokens that are tried, one by one, after another."""
_SPANNED = 4  # tokens at the end of a text that one token may span together with what follows


class Fit(Enum):
    """Whether the tokenizer could write a token after the tokens before it, and before some text that may follow."""

    YES = auto()
    NO = auto()
    ONLY_AS_PREFIX = auto()
    """The text fits, but the tokenizer would write it with a longer token."""


class CanonicalSpelling:
    """The canonical tokens of the texts of one pattern. Holds nothing but its arguments; answers are remembered in the speller.

    Args:
        masks: of the pattern, in any spelling.
        speller: of the tokenizer.
    """

    def __init__(self, masks: PatternMasks, speller: Speller) -> None:
        self._masks, self._speller = masks, speller

    def with_forced(self, state: State, chosen: int | None) -> tuple[bytes, bytes]:
        """The bytes of a token, and the bytes that have to follow it, up to the end of a character; ``None``: of the state itself."""
        data = b"" if chosen is None else self._pattern_bytes(chosen)
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
        if not self._text_bytes(chosen) or chosen in self._masks.vocabulary.end_ids:  # a special token is written in one way
            return Fit.YES
        data, forced = self.with_forced(state, chosen)
        texts = self._masks.literal_texts(state, data)
        if texts is not None and not any(self._begins_text(committed, chosen, _whole_characters(text)) for text in texts):
            return Fit.ONLY_AS_PREFIX
        if forced:
            ids = self._speller.spell(committed, data + forced)
            if ids and not self.forced_count(state, ids):
                return Fit.YES if ids[0] == chosen and self._is_canonical_after(committed, chosen, forced_end) else Fit.ONLY_AS_PREFIX
            return Fit.YES if not ids or self._is_canonical_after(committed, ids[0], forced_end) else Fit.NO
        if not self._is_canonical_after(committed, chosen, forced_end):
            return Fit.NO
        return Fit.YES if self._can_continue(state, committed, chosen, data, tokens_left) else Fit.ONLY_AS_PREFIX

    def is_canonical(self, state: State, committed: Sequence[int], token_id: int) -> bool:
        """Whether the token itself is canonical, and not only its text, which may be written with other tokens if more is forced."""
        if self.fit(state, committed, token_id) is not Fit.YES:
            return False
        data, forced = self.with_forced(state, token_id)
        ids = self._speller.spell(committed, data + forced) if data and forced else ()
        return not ids or ids[0] == token_id

    def forced_count(self, state: State, ids: Sequence[int]) -> int:
        """How many of the tokens of a forced text stay, whatever follows: up to the first that another token may span with what follows."""
        states = [state]
        for token_id in ids:
            try:
                states.append(self._masks.advance(states[-1], token_id))
            except TokenRefused:  # this vocabulary cannot write the text to its end
                return 0
        if states[-1].is_final:
            return len(ids)
        return len(ids) - self._spanned(states, list(map(self._pattern_bytes, ids)))

    def spanned_by_one_token(self, prompt: Sequence[int]) -> int:
        """How many of a prompt's last tokens one token may span, together with a beginning of the text."""
        pieces: list[bytes] = []
        for token_id in reversed(prompt[max(1, len(prompt) - _SPANNED) :]):
            piece = self._text_bytes(token_id)
            if not piece or token_id in self._speller.added_ids:
                break
            pieces.insert(0, piece)
        states = [self._masks.start_with(b"".join(pieces[at:])) for at in range(len(pieces) + 1)]
        spanned = self._spanned(states, pieces)
        while spanned and 0x80 <= pieces[-spanned][0] < 0xC0:  # inside a character
            spanned -= 1
        return spanned

    def _begins_text(self, committed: Sequence[int], token_id: int, text: bytes) -> bool:
        return self._speller.spell(committed, text)[:1] in ((token_id,), ())

    def _is_canonical_after(self, committed: Sequence[int], token_id: int, forced_end: int) -> bool:
        """False if the tokenizer would write the last tokens together with this one in another way."""
        for count in (_SPANNED, 1):
            if len(committed) - count < forced_end:  # no other choice has been there: no text may be lost
                continue
            last = tuple(committed[-count:])
            before, data = committed[:-count], b"".join(map(self._text_bytes, last))
            if not all(map(self._text_bytes, last)):  # nothing goes across a special token
                continue
            if count == 1 or self._speller.spell(before, data) == last:
                return self._speller.spell(before, data + self._text_bytes(token_id)) in ((*last, token_id), ())
        return True

    def _can_continue(self, state: State, committed: Sequence[int], chosen: int, data: bytes, tokens_left: int | None) -> bool:
        """Whether the tokenizer could write the token and another that may come next; taken for granted where many may."""
        after = self._masks.advance(state, chosen)
        if after.accepting:
            return True
        whole = self._masks.bits(after)
        bits = whole if tokens_left is None else self._masks.bits(after, tokens_left - 1)
        key = after.id << 32 | chosen
        found = self._speller.continuable.get(key) if bits is whole else None
        if found is None:
            following = few_ids(bits, self._masks.vocabulary.size) or ()
            told = (one for one in following if self._speller.spell(committed, data + self._pattern_bytes(one)))
            first = next(told, None)  # where none can be told, any may
            found = first is None or any(self._continues_with(committed, chosen, data, after, one) for one in (first, *told))
            if bits is whole:
                self._speller.continuable.remember(key, found)
        return found

    def _continues_with(self, committed: Sequence[int], chosen: int, data: bytes, after: State, following: int) -> bool:
        """Whether the tokenizer would write a token so before another one and the text that this one forces."""
        text = data + self._pattern_bytes(following)
        if self._speller.spell(committed, text)[0] != chosen:
            return False
        forced = self.with_forced(after, following)[1]
        return not forced or self._speller.spell(committed, text + forced)[:1] in ((chosen,), ())

    def _spanned(self, states: Sequence[State], pieces: Sequence[bytes]) -> int:
        """How many tokens at the end of a forced text one token may span, together with what follows.

        Args:
            states: before each of them.
            pieces: the bytes of each.
        """
        spanned, rest = 0, b""
        for back in range(1, min(len(pieces), _SPANNED) + 1):
            rest = pieces[-back] + rest
            if self._masks.goes_beyond(states[len(pieces) - back], rest):
                spanned = back
        return spanned

    def _pattern_bytes(self, token_id: int) -> bytes:
        """The bytes that a pattern reads for a token, a special one included."""
        return self._masks.vocabulary.read_bytes(token_id) or b""

    def _text_bytes(self, token_id: int) -> bytes:
        """The bytes of text that a token writes; a special one writes none."""
        token_bytes = self._masks.vocabulary.token_bytes
        return (token_bytes[token_id] or b"") if token_id < len(token_bytes) else b""


def few_ids(bits: Bits, size: int) -> list[int] | None:
    """The ids that a mask allows, ascending; ``None`` if they are more than ``MAX_FOLLOWING``, or most of the vocabulary.

    Args:
        bits: uint32[ceil(V / 32)].
        size: V.
    """
    flags = unpacked(bits, size)
    count = np.count_nonzero(flags)
    return np.flatnonzero(flags).tolist() if count <= MAX_FOLLOWING and 2 * count <= size else None


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
