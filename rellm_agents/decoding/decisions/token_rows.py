"""Finds the token rows of an option: the canonical one, with which the tokenizer writes it behind the prompt, or every row that writes it.

A model gives a text the sum of the probabilities of all rows that write it; nearly all of it is mostly on the canonical row, on which it
was trained (Cao and Rimell 2021, "You should evaluate your language model on marginal likelihood over tokenisations").

    no      canonical: no       all: no; n o

The tokenizer may write the last tokens of a prompt otherwise before an option: the space at the end of ``Is water wet?`` and a space is a
part of the token `` no``. Such tokens of the prompt are a part of the rows. Knows no model.

>>> from rellm_agents.decoding.vocabulary import Vocabulary
>>> vocabulary = Vocabulary([b"n", b"o", b"no", b" no", b" ", None], end_ids=[5])
>>> sorted(all_rows(vocabulary, b"", b"no", limit=9)), sorted(all_rows(vocabulary, b" ", b"no", limit=9))
([(0, 1), (2,)], [(3,), (4, 0, 1), (4, 2)])
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rellm_agents.decoding.spelling import Speller
from rellm_agents.decoding.vocabulary import TokenTrie, Vocabulary
from rellm_agents.errors import ArgumentValueError, VocabularyError
from rellm_agents.patterns.ir import shown

MAX_CHANGED: Final = 4
"""Tokens at the end of a prompt that the tokenizer may write otherwise before an option."""
MAX_ROWS: Final = 4_096
"""Token rows of all options of a decision at most."""

Row = tuple[int, ...]
"""The ids of the tokens that write a text, one after the other."""


def last_text(speller: Speller, vocabulary: Vocabulary, prompt: Sequence[int]) -> tuple[int, ...]:
    """The ids of a prompt's last tokens that what follows may change, from the beginning of a character: at most ``MAX_CHANGED``."""
    found: list[int] = []
    for id_ in reversed(prompt[max(1, len(prompt) - MAX_CHANGED) :]):
        if id_ >= vocabulary.size or not vocabulary.token_bytes[id_] or id_ in speller.added_ids:
            break
        found.insert(0, id_)
    while found and 0x80 <= (vocabulary.token_bytes[found[0]] or b"")[0] < 0xC0:  # inside a character
        del found[0]
    return tuple(found)


def canonical_row(speller: Speller, before: Sequence[int], last: bytes, data: bytes) -> Row:
    """The tokens with which the tokenizer writes a text.

    Args:
        speller: of the tokenizer.
        before: ids of the tokens before it.
        last: the end of the prompt, written once more.
        data: the text.

    Raises:
        VocabularyError: the tokenizer does not write this text: names it.
    """
    row = speller.spell(before, last + data) if last + data else ()
    if data and not row:
        raise VocabularyError(f"the tokenizer writes no text {shown(data).decode()[:60]!r}: leave this option out, or spell it otherwise")
    return row


def all_rows(vocabulary: Vocabulary, last: bytes, data: bytes, *, limit: int) -> list[Row]:
    """Every row of tokens that writes a text.

    Args:
        vocabulary: the tokens.
        last: the end of the prompt, written once more.
        data: the text.
        limit: how many rows there may be.

    Raises:
        ValueError: there are more.
    """
    whole = last + data
    edges = [_tokens_from(vocabulary, whole, start) for start in range(len(whole))]
    counts = [0] * len(whole) + [1]
    for start in reversed(range(len(whole))):
        counts[start] = sum(counts[end] for _, end in edges[start])
    if counts[0] > limit:
        raise ArgumentValueError.saying(
            f"tokenizations='all': {shown(data).decode()[:60]!r} can be written with {counts[0]} rows of tokens, and the options of a "
            f"decision have at most {MAX_ROWS} together: use 'canonical', or shorter options"
        )
    rows: list[Row] = []
    waiting: list[tuple[Row, int]] = [((), 0)]
    while waiting:
        row, start = waiting.pop()
        if start == len(whole):
            rows.append(row)
        else:
            waiting += [((*row, id_), end) for id_, end in edges[start] if counts[end]]
    return rows


def _tokens_from(vocabulary: Vocabulary, data: bytes, start: int) -> list[tuple[int, int]]:
    """The tokens that stand at ``start`` of a text, and where each ends."""
    found, trie, node = list[tuple[int, int]](), vocabulary.trie, TokenTrie.root
    for end in range(start, len(data)):
        node = trie.child(node, data[end])
        if node == TokenTrie.root:
            break
        found += [(id_, end + 1) for id_ in trie.tokens_at_one(node)]
    return found
