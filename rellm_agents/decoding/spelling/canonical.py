"""Tells which tokens the tokenizer would not write, where the text is known: in names, members of enums and forced text.

A literal of a pattern is known before it is written, and so are the tokens that the tokenizer writes it with, up to the first that may span
its end. Its other tokenisations are refused: they spell no other text. Nothing is refused in free text - in lexemes, counted repeats and
captures -, since any token may be the one that the tokenizer writes there for some text.

    enum "blue", "black"                 bl begins both; b is refused: the tokenizer writes neither so
    the same beside any other string     b stays, for it begins other texts

What the tokenizer writes after some tokens begins with what it writes for each beginning of the text that ends with a token (byte-pair
merges, unigrams and longest matches all have this property; compare Vieira et al. 2025, "Language Models over Canonical Byte-Pair
Encodings"). So a known text has one row of tokens for each place at which a token that spans its end may begin. Knows no model.

>>> _common((1, 2, 3), (1, 2, 4))
2
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import TYPE_CHECKING

import numpy as np

from rellm_agents.decoding.spelling.tokenizer_spelling import CONTEXT
from rellm_agents.decoding.vocabulary import Bits, Ids, packed, unpacked
from rellm_agents.errors import TokenRefused
from rellm_agents.patterns.ir import SPECIAL_DELIMITERS, whole_specials
from rellm_agents.patterns.machine import LiteralCell, SetCell

if TYPE_CHECKING:
    from rellm_agents.decoding.masks import PatternMasks
    from rellm_agents.decoding.spelling.tokenizer_spelling import Speller
    from rellm_agents.patterns.machine import Cell, State

MAX_TEXTS = 256
"""Upper bound of the literals that may come next, if any tokens are to be refused."""
MAX_FOLLOWING = 1_024
"""Upper bound of the tokens that are tried, one by one, after a known text; of more, some will fit."""
_NEAR = 2  # tokens before a known text that are looked at where many tokens are tried after it
_SPANNED = 4  # tokens at the end of a prompt that one token may span together with what follows


class CanonicalSpelling:
    """The canonical tokens of the texts of one pattern. Holds nothing but its arguments; answers are remembered in the speller.

    Args:
        masks: of the pattern, in any spelling.
        speller: of the tokenizer.
    """

    def __init__(self, masks: PatternMasks, speller: Speller) -> None:
        self._masks, self._speller, self._machine = masks, speller, masks.pattern.machine

    def narrowed(self, bits: Bits, state: State, committed: Sequence[int]) -> Bits:
        """The tokens of a mask without those that the tokenizer would not write.

        One stays if the mask lacks a token that the tokenizer would write instead, as it may near the end of a budget.

        Args:
            bits: uint32[ceil(V / 32)], of ``state``; not changed.
            state: of the pattern.
            committed: ids of the tokens before it.
        """
        refused = self.refused(state, committed)
        if not refused:
            return bits
        size = self._masks.vocabulary.size
        flags = unpacked(bits, size)
        denied = [token_id for token_id, instead in refused.items() if all(flags[one] for one in instead)]
        left = bits & ~packed(np.array(denied, dtype=np.int32), size)
        return left if left.any() else bits

    def refused(self, state: State, committed: Sequence[int]) -> Mapping[int, Set[int]]:
        """The tokens that begin only known texts, and that the tokenizer begins none of these with; for each, those it does instead.

        The arguments are those of :meth:`narrowed`.
        """
        literals = [cell for cell in state.cells if isinstance(cell, LiteralCell | SetCell)]
        if not literals or sum(cell.high - cell.low if isinstance(cell, SetCell) else 1 for cell in literals) > MAX_TEXTS:
            return {}
        key = state.id, tuple(committed[-CONTEXT:])
        found = self._speller.refused.get(key)
        return self._speller.refused.remember(key, self._refused(state, literals, committed)) if found is None else found

    def forced_tokens(self, state: State, committed: Sequence[int], data: bytes, forced: bytes) -> tuple[tuple[int, ...], int]:
        """The tokens of a text, and how many of them stay, whatever follows: none if they do not reach into its forced end.

        Args:
            state: before the text.
            committed: ids of the tokens before it.
            data: the chosen beginning of the text.
            forced: its rest, up to the end of a character, which has to follow ``data``.
        """
        text = data + forced
        ids = self._speller.spell(committed, text)
        try:
            after = state
            for token_id in ids:
                after = self._masks.advance(after, token_id)
        except TokenRefused:  # this vocabulary cannot write the text to its end
            return ids, 0
        count = len(ids)
        for at, row in () if after.is_final else self._rows(state, committed, text):
            common = 0 if row is None else _common(ids, row)
            if common < count and self._may_end(state, committed, text, at, row):
                count = common
        return ids, count if sum(len(self._bytes(one)) for one in ids[:count]) > len(data) else 0

    def with_forced(self, state: State, chosen: int | None) -> tuple[bytes, bytes]:
        """The bytes of a token, and the bytes that have to follow it, up to the end of a character; ``None``: of the state itself."""
        data = b"" if chosen is None else self._bytes(chosen)
        after = state if chosen is None else self._masks.advance(state, chosen)
        return data, _whole_characters(data + self._masks.forced_bytes(after))[len(data) :]

    def spanned_by_one_token(self, prompt: Sequence[int]) -> int:
        """How many of a prompt's last tokens one token may span, together with a beginning of the text."""
        spanned, rest = 0, b""
        for back, token_id in enumerate(reversed(prompt[max(1, len(prompt) - _SPANNED) :]), 1):
            piece = self._text_bytes(token_id)
            if not piece or token_id in self._speller.added_ids:
                break
            rest = piece + rest
            if not _is_inside(rest, 0) and self._masks.goes_beyond(self._masks.start_with(rest), rest):
                spanned = back
        return spanned

    def _refused(self, state: State, literals: Sequence[LiteralCell | SetCell], committed: Sequence[int]) -> dict[int, set[int]]:
        begun: dict[int, set[int]] = {}  # by token, the first tokens of the texts that it begins
        texts = [*map(_whole_characters, self._known_texts(literals))]
        for text in texts:
            first = self._first_tokens(state, committed, text)
            if first is None:
                return {}
            for token_id in self._within(text):
                begun.setdefault(token_id, set()).update(first)
        odd = {token_id: first for token_id, first in begun.items() if token_id not in first and self._text_bytes(token_id)}
        odd = {token_id: first for token_id, first in odd.items() if not _goes_beyond(self._bytes(token_id), texts)}
        free: set[Cell] = {cell for cell in state.cells if cell not in literals}
        if odd and free:
            kept = unpacked(self._masks.bits(self._machine.state_of(free, accepting=False)), self._masks.vocabulary.size)
            odd = {token_id: first for token_id, first in odd.items() if not kept[token_id]}
        return odd

    def _within(self, text: bytes) -> Iterator[int]:
        """The tokens that write a beginning of a text, or all of it."""
        trie = self._masks.vocabulary.trie
        node = trie.root
        for byte in text:
            node = trie.child(node, byte)
            if node == trie.root:
                return
            yield from trie.tokens_at_one(node)

    def _known_texts(self, literals: Sequence[LiteralCell | SetCell]) -> Iterator[bytes]:
        """The texts of literals, each one with what has to follow it, if it is the only one that its cell may write."""
        for cell in literals:
            if isinstance(cell, SetCell):
                yield from [text[cell.offset :] for text in cell.members.texts[cell.low : cell.high]]
            else:
                yield self._masks.forced_bytes(self._machine.state_of({cell}, accepting=False))

    def _first_tokens(self, state: State, committed: Sequence[int], text: bytes) -> set[int] | None:
        """The tokens that the tokenizer may begin a known text with; ``None``: that cannot be told."""
        rows = [(len(text), self._speller.spell(committed, text) or None), *self._rows(state, committed, text)]
        places: dict[int | None, list[tuple[int, tuple[int, ...]]]] = {}  # by the first token; None: one that spans the whole text
        for at, row in rows:
            if row is None:
                return None
            places.setdefault(row[0] if row else None, []).append((at, row))
        if len(places) > 1:
            places = {one: ends for one, ends in places.items() if any(self._may_end(state, committed, text, *end) for end in ends)}
        return {one for one in places if one is not None}

    def _rows(self, state: State, committed: Sequence[int], text: bytes) -> Iterator[tuple[int, tuple[int, ...] | None]]:
        """The places in a known text at which tokens may begin that span its end, and the tokens up to there; ``None``: unknown ones."""
        for at in range(max(0, len(text) - self._masks.vocabulary.trie.max_length), len(text)):
            if len(self._masks.longer_tokens(text[at:])):
                if not at:
                    yield 0, ()
                elif not _is_inside(text, at):
                    yield at, self._speller.spell(committed, text[:at]) or None
                elif self._masks.goes_beyond(state.after(text[:at]), text[at:]):
                    yield at, None

    def _may_end(self, state: State, committed: Sequence[int], text: bytes, at: int, row: tuple[int, ...] | None) -> bool:
        """Whether the tokenizer could write a row of tokens up to a place in a known text, and then one that goes on beyond its end."""
        after = state.after(text[:at])
        if row is None or (at == len(text) and after.accepting):
            return True
        following = _ids_of(self._masks.bits(after), self._masks.longer_tokens(text[at:]), self._masks.vocabulary.size)
        if len(following) > MAX_FOLLOWING:
            return True
        before = tuple(committed[-_NEAR:])  # few, so that the answers are remembered for other texts too
        own = self._speller.spell(before, text[:at]) if at else ()
        return any(self._speller.spell(before, text[:at] + self._bytes(one)) in ((*own, one), ()) for one in following)

    def _bytes(self, token_id: int) -> bytes:
        """The bytes that a pattern reads for a token, a special one included."""
        return self._masks.vocabulary.read_bytes(token_id) or b""

    def _text_bytes(self, token_id: int) -> bytes:
        """The bytes of text that a token writes; a special one writes none."""
        token_bytes = self._masks.vocabulary.token_bytes
        return (token_bytes[token_id] or b"") if token_id < len(token_bytes) else b""


def _common(ids: Sequence[int], others: Sequence[int]) -> int:
    """How many tokens two rows begin with alike."""
    return next((at for at, (one, other) in enumerate(zip(ids, others, strict=False)) if one != other), min(len(ids), len(others)))


def _goes_beyond(data: bytes, texts: Sequence[bytes]) -> bool:
    """Whether a token is longer than one of the texts, which it begins with."""
    return any(len(data) > len(text) and data.startswith(text) for text in texts)


def _ids_of(bits: Bits, ids: Ids, size: int) -> list[int]:
    """Those of some tokens that a mask allows."""
    allowed: list[int] = ids[unpacked(bits, size)[ids]].tolist()
    return allowed


def _is_inside(text: bytes, at: int) -> bool:
    """Whether a place is inside a character."""
    return 0x80 <= text[at] < 0xC0


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
