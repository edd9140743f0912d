"""Computes how many tokens suffice for a counted repeat, of tokens in which each byte is an iteration.

Such are nearly all tokens where iterations are characters. A token of n bytes then stands for n iterations, whatever its bytes are, and
leads from a state to a state; so for each state and number of iterations

    fewest[0][q] = 0 where a text may end        fewest[m][q] = 1 + the least fewest[m - n][end], for each token of n bytes from q to end

All states read all tokens at once (``byte_classes``), and a row of this table takes a few operations on arrays. Inside of an iteration one
token is counted for each byte. Tokens of common bytes only are looked at. The counts are upper bounds, and some token lowers each of them.

>>> from rellm_agents.patterns.automaton import Automaton
>>> from rellm_agents.patterns.ir import CHARACTER, repeat
>>> from rellm_agents.patterns import read_regex
>>> automaton = CountedAutomaton(Automaton.of(repeat(CHARACTER)), Automaton.of(read_regex("(?:aa)*b?")))
>>> costs = SingleByteCosts(TokenTrie([b"a", b"b", b"aaaa", None]), automaton, spells_bytes=True)
>>> [costs.fewest(START, (n, n)) for n in (0, 4, 5, 6, 200)]
[0, 1, 2, 3, 50]
"""

from __future__ import annotations

from threading import Lock

import numpy as np
from numpy.typing import NDArray

from rellm_agents.decoding.lru import BoundedCache
from rellm_agents.decoding.vocabulary import TokenTrie, word_ends
from rellm_agents.patterns.automaton import FAR, START, CountedAutomaton
from rellm_agents.patterns.ir import COMMON_BYTES

MAX_STATES = 2_048  # of an automaton in which iterations end; the first ones that are met from its start
MAX_CELLS = 8_000_000  # of the table of one automaton
MAX_BEYOND = 4_096  # iterations more than are missing, of which costs are looked at
MAX_KNOWN = 65_536  # counts that are remembered
NONE = 1 << 29
_COMMON = sum(1 << byte for byte in COMMON_BYTES)


class SingleByteCosts:
    """The costs of one automaton, made as far as they are asked for.

    Args:
        trie: of the tokens.
        automaton: of the repeat.
        spells_bytes: whether each common byte is a token.

    Attributes:
        leads_to_an_end: whether such tokens lead from the start to where a text may end. Else they are of no use.
        most: the largest number of iterations whose costs can be told.
    """

    def __init__(self, trie: TokenTrie, automaton: CountedAutomaton, *, spells_bytes: bool) -> None:
        self._automaton, self._spells_bytes = automaton, spells_bytes
        self._index, table = _single_byte_table(automaton)
        size = len(table)
        sources: list[NDArray[np.intp]] = []
        targets: list[NDArray[np.int32]] = []
        for ends in word_ends(trie, table):
            ends.sort(axis=1)
            is_new = np.diff(ends, axis=1, prepend=0) != 0
            sources.append(np.flatnonzero(is_new) // max(ends.shape[1], 1))
            targets.append(ends[is_new])
        self._longest = len(sources)
        source = np.concatenate(sources) if sources else np.zeros(0, dtype=np.intp)
        order = np.argsort(source, kind="stable")
        rows_before = np.repeat(np.arange(1, self._longest + 1), [len(one) for one in sources])
        before = np.concatenate(targets) - rows_before * size if sources else source
        self._before = before[order]  # how far before the row that is made the fewest tokens after a token stand
        self._starts = np.flatnonzero(np.diff(source[order], prepend=-1))
        self._sources = source[order][self._starts]
        self.most = MAX_CELLS // size - self._longest - 1
        self._last = self.most  # row of which anything may be found
        self._made = 1  # rows, after as many that stand for negative numbers
        self._rows = np.full((self._longest + 16, size), NONE, dtype=np.int32)
        may_end = np.zeros(size, dtype=bool)
        may_end[[*self._index.values()]] = [automaton.may_end[state] for state in self._index]
        self._rows[self._longest, may_end] = 0
        self.leads_to_an_end = self._leads_to_an_end(source, np.concatenate(targets) if targets else source, may_end)
        self._lock = Lock()
        self._known: BoundedCache[tuple[int, int, int | None], int] = BoundedCache(MAX_KNOWN)

    @staticmethod
    def _leads_to_an_end(source: NDArray[np.intp], target: NDArray[np.intp], may_end: NDArray[np.bool_]) -> bool:
        reached = np.zeros(len(may_end), dtype=bool)
        reached[1], count = True, 0
        while count < (count := int(reached.sum())):
            reached[target[reached[source]]] = True
        return bool((reached & may_end).any())

    def fewest(self, state: int, missing: tuple[int, int | None]) -> int:
        """The fewest such tokens to the end of a text; ``NONE`` if there is no way.

        Args:
            state: of the automaton.
            missing: iterations that are to come, one that was begun included: at least, and at most, ``None``: any number.
        """
        low, high = max(missing[0], 0), missing[1]
        key = state, low, high
        found = self._known.get(key)
        if found is None:
            at = self._index.get(state)
            found = self._known.remember(key, self._inside(state, low, high) if at is None else self._of(at, low, high))
        return found

    def _inside(self, state: int, low: int, high: int | None) -> int:
        """From inside of an iteration, or from a state that is not among the first: byte by byte to the end of an iteration."""
        if not self._spells_bytes:
            return NONE
        less = max(low - 1, 0), None if high is None else high - 1
        steps = [step for step in self._automaton.steps.of(state) if step.common < FAR and step.end in self._index]
        return min((min(step.common + self.fewest(step.end, less), NONE) for step in steps), default=NONE)

    def _of(self, at: int, low: int, high: int | None) -> int:
        end = min(low + MAX_BEYOND, self._last if high is None else min(high, self._last))
        best = NONE
        while low <= min(end, self._last):
            # No number of iterations needs fewer tokens than the longest ones take.
            last = min(end, low + 2 * self._longest if best >= NONE else best * self._longest)
            if last < low:
                break
            with self._lock:
                self._make(last)
                column = self._rows[self._longest + low : self._longest + last + 1, at]
            best, low = min(best, int(column.min())), last + 1
        return best

    def _make(self, last: int) -> None:
        """The rows up to that of ``last`` iterations."""
        longest = self._longest
        rows, made = self._rows, self._made
        if last + 1 > len(rows) - longest:
            rows = np.full((min(max(2 * len(rows), last + 1 + longest), self.most + 1 + longest), rows.shape[1]), NONE, dtype=np.int32)
            rows[: len(self._rows)] = self._rows
        flat, size = rows.reshape(-1), rows.shape[1]
        for number in range(made, last + 1):
            if len(self._before):
                costs = np.minimum.reduceat(flat.take(self._before + (longest + number) * size), self._starts)
                rows[longest + number, self._sources] = np.minimum(costs + 1, NONE)
        self._rows, self._made = rows, max(last + 1, made)
        if (rows[self._made : self._made + longest] >= NONE).all():  # as many rows before the next one: none of the next ones has a way
            self._last = self._made - 1


def _single_byte_table(automaton: CountedAutomaton) -> tuple[dict[int, int], NDArray[np.int32]]:
    """The first states in which iterations end, by their number in the table; and where iterations of one byte lead from each."""
    index, order = {START: 1}, [START]
    moves: list[tuple[int, int, int]] = []
    for at, state in enumerate(order, 1):  # it grows
        for step in automaton.steps.of(state):
            if step.end not in index and len(order) < MAX_STATES:
                index[step.end] = len(order) + 1
                order.append(step.end)
            if step.end in index and step.single & _COMMON:
                moves.append((at, step.single & _COMMON, index[step.end]))
    table = np.zeros((len(order) + 1, 256), dtype=np.int32)
    bytes_of = {single: np.array([byte for byte in range(256) if single >> byte & 1]) for single in {one for _, one, _ in moves}}
    for at, single, end in moves:
        table[at, bytes_of[single]] = end
    return index, table
