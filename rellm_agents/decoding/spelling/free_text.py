"""Counts the tokens of free text: which tokens were chosen where the pattern leaves the text open, and how often.

A byte is free where the pattern reads several bytes alike, as the letters of a JSON string, or the digits of a number: outside of literals
and sets of them. What it tells apart from all others is its own, such as the quote that ends a string, a comma between items, or the
letters of names, in whatever automaton these are. A token is free if all its bytes are.

    "title": "a rose is a rose"      counted: a rose is a rose; not the name, and no quotes

Knows neither models nor scores.

>>> from rellm_agents.decoding.masks import PatternMasks
>>> from rellm_agents.decoding.vocabulary import Vocabulary
>>> from rellm_agents.patterns import compile_regex
>>> masks = PatternMasks(compile_regex("[ab]*;"), Vocabulary([b"a", b"b", b";", b"b;", None], end_ids=[4]))
>>> found = FreeText(masks)
>>> for token_id in (0, 0, 3):
...     found.note(masks.start, token_id)
>>> found.again(masks.start)
{0: 2}
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from rellm_agents.patterns.machine import CaptureCell, CounterCell, LexemeCell

if TYPE_CHECKING:
    from rellm_agents.decoding.masks import PatternMasks
    from rellm_agents.patterns.machine import Cell, State

ASCII_END = 0x80
"""Bytes from here on are parts of characters, and free if the character may be: which lead byte is told apart is a matter of UTF-8."""


class FreeText:
    """The tokens that have written free text of one text.

    Args:
        masks: of the pattern.
    """

    def __init__(self, masks: PatternMasks) -> None:
        self._masks, self._machine = masks, masks.pattern.machine
        self._counts = Counter[int]()

    def note(self, state: State, token_id: int) -> None:
        """Note a token that was chosen in a state, if it writes free text."""
        if self._is_free(state, token_id):
            self._counts[token_id] += 1

    def again(self, state: State) -> Mapping[int, int]:
        """The noted tokens that would write free text in this state too, with how often they have."""
        return {token_id: times for token_id, times in self._counts.items() if self._is_free(state, token_id)}

    def _is_free(self, state: State, token_id: int) -> bool:
        data = self._masks.vocabulary.read_bytes(token_id)
        return data is not None and any(self._is_open(cell, data) for cell in state.cells)

    def _is_open(self, cell: Cell, data: bytes) -> bool:
        """Whether a cell reads bytes, all of which are free, up to its end at most."""
        begun: Cell | None = cell
        for at, byte in enumerate(data):
            match begun:
                case LexemeCell() | CounterCell():
                    row = begun.automaton.row(begun.state)
                    if byte < ASCII_END and row.count(row[byte]) == 1:
                        return False
                    begun, exits = begun.read(self._machine, data[at : at + 1], 0)
                    if begun is None and not exits:
                        return False
                case CaptureCell():  # tells all texts apart, to remember them
                    return begun.read(self._machine, data, at)[0] is not None
                case _:
                    return False
        return True
