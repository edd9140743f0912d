"""Computes how many tokens suffice to the end of a counted repeat that other conditions restrict, whatever the bounds on its count are.

Where tokens in which each byte is an iteration lead to an end, they alone are counted on (``single_bytes``). Elsewhere a set of numbers of
iterations is the bits of one integer. What can be reached in k tokens is found from the end, for all states at once:

    numbers[0][q] = {0} where a text may end        numbers[k][q] = numbers[k - 1][q] and n + numbers[k - 1][end]

for every token that leads from state q to an end with n iterations. So one walk of the vocabulary from each state serves all counts, and
the fewest tokens are the least k with a number within the bounds. Only the first states that tokens lead to from the start, a bounded
number, are walked from; from others, or where it takes fewer, one token is counted for each byte of a shortest text. Both counts are
lowered by some token, so their minimum is.

>>> from rellm_agents.decoding.vocabulary import Vocabulary
>>> from rellm_agents.patterns.automaton import START, Automaton
>>> from rellm_agents.patterns.ir import CHARACTER, repeat
>>> from rellm_agents.patterns import read_regex
>>> automaton = CountedAutomaton(Automaton.of(repeat(CHARACTER)), Automaton.of(read_regex("(?:aa)*b?")))
>>> costs = CountedCosts(LexemeTokenCache(Vocabulary([b"a", b"b", b"aaaa", None], end_ids=[3])))
>>> [costs.of(automaton, START, (n, n), (n, n)) for n in (0, 4, 5, 6, 200)]
[0, 1, 2, 3, 50]
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np

from rellm_agents.decoding.budget.single_bytes import SingleByteCosts
from rellm_agents.decoding.lru import BoundedCache
from rellm_agents.decoding.transitions import LexemeTokenCache, RestrictedGroup, counted_nodes
from rellm_agents.patterns.automaton import START, CountedAutomaton
from rellm_agents.patterns.machine import CounterCell

MAX_WALKED = 256  # states of an automaton from which the whole vocabulary is walked
MAX_KNOWN = 65_536  # counts that are remembered
_OPEN = 1_024  # iterations that are looked at, at least, where there is no upper bound
_NONE = 1 << 30
_SLACK = 4  # how much larger than the least number of iterations the largest one is that costs are told of

Bounds = tuple[int, int | None]
"""At least and at most; ``None``: any number."""


class CountedCosts:
    """Costs under one vocabulary, remembered.

    Args:
        lexemes: the tokens of lexemes under the vocabulary.
    """

    def __init__(self, lexemes: LexemeTokenCache) -> None:
        self._lexemes = lexemes
        self._single_bytes: WeakKeyDictionary[CountedAutomaton, SingleByteCosts] = WeakKeyDictionary()
        self._of_ends: WeakKeyDictionary[CounterCell, dict[int, list[int]]] = WeakKeyDictionary()
        self._programmes: WeakKeyDictionary[CountedAutomaton, dict[int, _Programme]] = WeakKeyDictionary()

    def of(self, automaton: CountedAutomaton, state: int, missing: Bounds, bounds: Bounds) -> int:
        """Tokens that suffice from a state to the end.

        Args:
            automaton: of the repeat.
            state: of it.
            missing: iterations that are to come, the one that was begun included.
            bounds: on all iterations of a text.
        """
        single = self._single(automaton)
        if single.leads_to_an_end and bounds[0] <= single.most // _SLACK:
            found = single.fewest(state, missing)
        else:
            found = self._programme(automaton, bounds).fewest(state, missing)
        # An iteration has a byte at least.
        return min(found, self.bound(automaton, state, missing)) if found > max(1, missing[0]) else found

    def _single(self, automaton: CountedAutomaton) -> SingleByteCosts:
        found = self._single_bytes.get(automaton)
        if found is None:
            vocabulary = self._lexemes.vocabulary
            made = SingleByteCosts(vocabulary.trie, automaton, spells_bytes=vocabulary.spells_common_bytes)
            found = self._single_bytes.setdefault(automaton, made)
        return found

    def of_ends(self, cell: CounterCell, group: RestrictedGroup) -> list[int]:
        """Tokens that suffice after each end of a group, to the end of the repeat; remembered, since different limits are asked for."""
        known = self._of_ends.get(cell)
        if known is None:
            known = self._of_ends.setdefault(cell, {})
        tokens = group.tokens
        found = known.get(tokens.cursor.id)
        if found is None:
            (low, high), bounds = cell.missing, (cell.minimum, cell.maximum)
            places = [(tokens.ends[end][1], (low - (n := tokens.ends[end][0]), None if high is None else high - n)) for end in group.ends]
            found = known[tokens.cursor.id] = [self.of(tokens.automaton, state, missing, bounds) for state, missing in places]
        return found

    def bound(self, automaton: CountedAutomaton, state: int, missing: Bounds) -> int:
        """An upper bound of the same: one token for each byte of a shortest text."""
        if not self._lexemes.vocabulary.spells_common_bytes:
            return _NONE
        size = automaton.fewest_bytes(state, *missing)
        return _NONE if size is None else size

    def _programme(self, automaton: CountedAutomaton, bounds: Bounds) -> _Programme:
        low, high = bounds
        most = max(4 * low, _OPEN)
        width = most if high is None else min(high, most)
        known = self._programmes.get(automaton)
        if known is None:
            known = self._programmes.setdefault(automaton, {})
        found = known.get(width)
        if found is None:
            token_ends = next(iter(known.values())).token_ends if known else _TokenEnds(self._lexemes, automaton)
            found = known.setdefault(width, _Programme(token_ends, width))
        return found


class _TokenEnds:
    """Where the tokens lead from states of an automaton: the end of each, and the numbers of iterations as bits."""

    def __init__(self, lexemes: LexemeTokenCache, automaton: CountedAutomaton) -> None:
        self._lexemes, self.automaton = lexemes, automaton
        self.order = [START]  # states in which tokens and iterations end, as they are met from the start
        self.index = {START: 0}
        self._of: dict[int, tuple[tuple[int, tuple[int, ...]], ...]] = {}

    def of(self, state: int) -> tuple[tuple[int, tuple[int, ...]], ...]:
        """For each state that tokens lead to, how many iterations end in some token."""
        found = self._of.get(state)
        if found is None:
            automaton, trie = self.automaton, self._lexemes.vocabulary.trie
            nodes, states, done = counted_nodes(trie, automaton, state, self._lexemes.cursors.root, is_root=True)
            is_end = self._lexemes.without_dead_ends(automaton, trie.is_token[nodes], states)
            width = int(done.max(initial=0)) + 1
            pairs = np.flatnonzero(np.bincount(states[is_end].astype(np.int64) * width + done[is_end]))
            ends: dict[int, list[int]] = {}
            for pair in pairs.tolist():
                ends.setdefault(pair // width, []).append(pair % width)
            found = self._of[state] = tuple((end, tuple(numbers)) for end, numbers in ends.items())
        return found

    def walked(self, number: int) -> int:
        """Walk from the first ``number`` states that are met, as far as there are so many; how many there are."""
        at = 0
        while at < min(number, len(self.order)):
            for end, _ in self.of(self.order[at]):
                if end not in self.index and self.automaton.accepting[end]:
                    self.index[end] = len(self.order)
                    self.order.append(end)
            at += 1
        return at


class _Programme:
    """What the tokens of some states can do, as far as it was asked for, for numbers of iterations up to a width."""

    def __init__(self, token_ends: _TokenEnds, width: int) -> None:
        self.token_ends = token_ends
        self._all = (1 << (width + 1)) - 1
        self._steps: list[list[int]] = []  # by number of tokens, then by state in the order in which they are met
        self._others: dict[int, tuple[tuple[list[tuple[int, int]], int], list[int]]] = {}
        self._edges: list[tuple[list[tuple[int, int]], int]] = []
        self._size = 0
        self._known: BoundedCache[tuple[int, Bounds], int] = BoundedCache(MAX_KNOWN)

    def fewest(self, state: int, missing: Bounds) -> int:
        """The fewest tokens; ``_NONE`` if the states that are walked from know no way."""
        key = state, missing
        found = self._known.get(key)
        if found is None:
            low, high = max(missing[0], 0), missing[1]
            wanted = self._all >> low << low
            if high is not None:
                wanted &= (1 << (high + 1)) - 1 if high >= 0 else 0
            found = self._known.remember(key, self._from_start(wanted) if state == START else self._fewest(state, wanted))
        return found

    def _from_start(self, wanted: int) -> int:
        """Forwards, so that only states are walked from which so many tokens lead to."""
        token_ends, may_end = self.token_ends, self.token_ends.automaton.may_end
        seen: dict[int, int] = {START: 1}
        new, tokens = {START: 1}, 0
        while new:
            if any(may_end[state] and numbers & wanted for state, numbers in new.items()):
                return tokens
            following: dict[int, int] = {}
            for state, numbers in new.items():
                at = token_ends.index.get(state, MAX_WALKED)
                if at >= MAX_WALKED:
                    continue
                token_ends.walked(at + 1)
                for end, ends in token_ends.of(state):
                    for n in ends:
                        following[end] = following.get(end, 0) | numbers << n
            new = {}
            for end, numbers in following.items():
                known = seen.get(end, 0)
                more = numbers & self._all & ~known
                if more:
                    seen[end] = known | more
                    new[end] = more
            tokens += 1
        return _NONE

    def _fewest(self, state: int, wanted: int) -> int:
        if not wanted:
            return _NONE
        if not self._steps:
            self._begin()
        at = self.token_ends.index.get(state, MAX_WALKED)
        if at >= MAX_WALKED and self.token_ends.automaton.accepting[state]:
            return 0 if self.token_ends.automaton.may_end[state] and wanted & 1 else _NONE
        tokens = 0
        while True:
            numbers = self._step(tokens)[at] if at < MAX_WALKED else self._of_other(state, tokens)
            if numbers & wanted:
                return tokens
            if self._is_last(tokens):
                return _NONE
            tokens += 1

    def _begin(self) -> None:
        token_ends = self.token_ends
        self._size = size = token_ends.walked(MAX_WALKED)
        may_end = token_ends.automaton.may_end
        self._edges = [self._edges_of(state) for state in token_ends.order[:size]]
        self._steps = [[int(may_end[state]) for state in token_ends.order[:size]]]

    def _edges_of(self, state: int) -> tuple[list[tuple[int, int]], int]:
        """The tokens to states that are walked from, with their iterations; and the numbers after which a token ends the text elsewhere."""
        may_end, index, size = self.token_ends.automaton.may_end, self.token_ends.index, self._size
        edges: list[tuple[int, int]] = []
        last = 0
        for end, ends in self.token_ends.of(state):
            at = index.get(end, size)
            if at < size:
                edges += [(at, n) for n in ends]
            elif may_end[end]:
                last |= sum(1 << n for n in ends)
        return edges, last

    def _step(self, tokens: int) -> list[int]:
        while len(self._steps) <= tokens:
            before = self._steps[-1]
            self._steps.append([self._one_more(known, before, *edges) for known, edges in zip(before, self._edges, strict=True)])
        return self._steps[tokens]

    def _one_more(self, known: int, before: list[int], edges: list[tuple[int, int]], last: int) -> int:
        numbers = known | last
        for end, n in edges:
            numbers |= before[end] << n
        return numbers & self._all

    def _is_last(self, tokens: int) -> bool:
        """More tokens lead to no more numbers."""
        return tokens > 0 and self._step(tokens) == self._step(tokens - 1) and tokens > 1

    def _of_other(self, state: int, tokens: int) -> int:
        """The same inside of an iteration: one token leads out of it."""
        if state not in self._others:
            self._others[state] = self._edges_of(state), [int(self.token_ends.automaton.may_end[state])]
        edges, known = self._others[state]
        while len(known) <= tokens:
            known.append(self._one_more(known[-1], self._step(len(known) - 1), *edges))
        return known[tokens]
